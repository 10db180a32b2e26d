"""What both parties are given at closing, so that nobody can change the record behind their backs."""

from __future__ import annotations

from partwell.departures.models import Departure
from partwell.evidence import queries
from partwell.evidence.heads import head_text
from partwell.evidence.keys import group
from partwell.evidence.models import Event, TreeHead
from partwell.evidence.operations import departure_scope


def closing_statement(departure: Departure) -> str:
    """The fingerprint and the head to keep, as a short text for the closing page and the mail.

    It names the first head over everything that has happened in the departure, so it reads the same
    however often it is asked for, until something more happens there. While the last events are not signed
    yet, it says so and names none.
    """
    head = head_to_keep(departure)
    if head is None:
        return "The record of this departure is being signed. The head to keep will stand here in a moment."
    return (
        "Keep these lines. With them anybody can check later that the record of this departure was neither\n"
        "changed, cut short nor rewritten: partwell evidence verify PACK.zip --head HEAD\n\n"
        f"Head: {head_text(head)}\n"
        f"Key:  {group(head.key_id)}\n"
    )


def head_to_keep(departure: Departure) -> TreeHead | None:
    """The first head over everything that has happened in the departure; None while the last events are not
    signed yet."""
    events = Event.objects.filter(scope=departure_scope(departure.pk))
    last = (
        events.filter(sequence__isnull=False).order_by("-sequence").values_list("sequence", flat=True).first()
    )
    if last is None or events.filter(sequence__isnull=True).exists():
        return None
    return queries.head_covering(last)
