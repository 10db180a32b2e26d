"""Reading evidence as somebody: the record of a departure, and whether the whole record still holds."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from partwell.closure.audiences import GUARDED_FIELDS, is_hidden
from partwell.departures.models import Departure
from partwell.departures.policies import authorise, can_read
from partwell.evidence import queries
from partwell.evidence.models import Event
from partwell.evidence.operations import departure_scope
from partwell.evidence.verification import verify_database
from partwell.evidence.verifier import Report
from partwell.people.actors import Actor
from partwell.people.authorisation import check_allowed, check_office
from partwell.refusals import Invalid


def departure_events(
    *, departure: Departure, actor: Actor, after: str | None = None, limit: int = 50
) -> queries.Page:
    """What happened in the departure, newest first, for those who may read its evidence."""
    authorise(actor, "evidence.view", departure)
    return queries.events_of(departure_scope(departure.pk), after=after, limit=limit)


def events_as_dicts(
    *, departure: Departure, actor: Actor, after: str | None = None, limit: int = 50
) -> tuple[list[dict[str, Any]], str | None]:
    """A page of the departure's record as the API shows it, newest first, and the next page's cursor.

    Erased values are None and named in `erased`; fields that are not this reader's are left out.
    """
    page = departure_events(departure=departure, actor=actor, after=after, limit=limit)
    rows = []
    readable = readable_events(events=page.items, departure=departure, actor=actor)
    for event, said in zip(page.items, readable, strict=True):
        rows.append(
            {
                "id": str(event.pk),
                "kind": event.kind,
                "at": event.occurred_at.isoformat(),
                "sequence": event.sequence,
                "fields": {name: field.value for name, field in said.items()},
                "erased": [name for name, field in said.items() if field.is_erased],
            }
        )
    return rows, page.next


def readable_fields(*, event: Event, departure: Departure, actor: Actor) -> dict[str, queries.FieldValue]:
    """What one event says, without the fields that are not this reader's, such as the reason for leaving."""
    return readable_events(events=[event], departure=departure, actor=actor)[0]


def readable_events(
    *, events: Iterable[Event], departure: Departure, actor: Actor, held: frozenset[str] | None = None
) -> list[dict[str, queries.FieldValue]]:
    """`readable_fields` of several events of one departure, asking only once who reads; or not at all where
    the caller knows already what the actor is to the departure (`held`)."""
    if held is None:
        held = authorise(actor, "evidence.view", departure)
    else:
        check_allowed(actor, "evidence.view", held)
    hidden = frozenset(name for name, rule in GUARDED_FIELDS.items() if not can_read(actor, rule, held))
    return [
        {
            name: value
            for name, value in queries.fields_of(event).items()
            if not is_hidden(event.kind, name, hidden)
        }
        for event in events
    ]


def verify_record(*, actor: Actor, now: datetime, head: str | None = None) -> Report:
    """Verify the whole record of this installation. No transaction: writers go on meanwhile.

    Raises `NotAllowed` for those who may not, `Invalid` for a head that cannot be read.
    """
    check_office(actor, "evidence.verify")
    try:
        return verify_database(now=now, head=head)
    except ValueError as error:
        raise Invalid("bad_head", f"{error}. Copy it as it was printed at closing.", field="head") from None
