"""Handing evidence out, and erasing from it; both are on record themselves."""

from __future__ import annotations

import uuid
from datetime import datetime

from partwell.closure.audiences import GUARDED_FIELDS, Audience, is_other_side
from partwell.closure.packs import PackContent, gather, write
from partwell.departures.models import Departure
from partwell.departures.policies import authorise, can_read
from partwell.departures.states import SubjectKind
from partwell.evidence import queries
from partwell.evidence.heads import head_text
from partwell.evidence.keys import load_signer
from partwell.evidence.models import Event
from partwell.evidence.operations import departure_scope, erase_fields, record
from partwell.evidence.sequencer import sequence_pending
from partwell.people.actors import Actor
from partwell.people.authorisation import operation
from partwell.refusals import Conflict, Invalid, NotFound


def export_pack(*, departure: Departure, audience: Audience, actor: Actor, now: datetime) -> bytes:
    """The evidence of one departure as a zip that verifies by itself, made for `audience`.

    What has just happened in the departure is taken into the tree first, and the zip is written after the
    export is on record, outside any transaction: large files hold nobody up.
    Raises as `departures.policies.authorise` does, `Invalid` for an audience that does not fit the
    departure, `Conflict` when there is nothing to export yet.
    """
    authorise(actor, "evidence.export", departure)
    sequence_pending(now=now)
    content = read_pack(departure=departure, audience=audience, actor=actor, now=now)
    return write(content, signer=load_signer())


@operation("evidence.export")
def read_pack(*, departure: Departure, audience: Audience, actor: Actor, now: datetime) -> PackContent:
    """Read what a pack holds and record that it is handed out. `export_pack` makes the zip of it."""
    held = authorise(actor, "evidence.export", departure)
    _check_audience(departure, audience)
    head = queries.head()
    if head is None:
        raise Conflict(
            "nothing_signed", "No event has been signed yet. Check that the worker runs, then export again."
        )
    hidden = frozenset(name for name, rule in GUARDED_FIELDS.items() if not can_read(actor, rule, held))
    content = gather(departure=departure, audience=audience, head=head, hidden=hidden, at=now)
    record(
        "evidence.exported",
        scope=departure_scope(departure.pk),
        actor=actor.label,
        at=now,
        fields={"audience": audience.value, "head": head_text(head), "events": len(content.events)},
    )
    return content


def _check_audience(departure: Departure, audience: Audience) -> None:
    """A client is no leaver, nor the other way round: a mix-up would hand one's record to the other."""
    fits = {Audience.LEAVER: SubjectKind.STAFF, Audience.CLIENT: SubjectKind.CLIENT}
    if is_other_side(audience) and departure.subject_kind != fits[audience]:
        raise Invalid(
            "wrong_audience",
            f"This departure is one of {departure.subject_kind}; a pack for “{audience}” does not fit it.",
            field="audience",
        )


@operation("evidence.erase")
def erase_field(
    *, departure: Departure, event_id: uuid.UUID, names: list[str], basis: str, actor: Actor, now: datetime
) -> Event:
    """Erase values from one event of the departure; proofs go on verifying. Returns the record of it.

    `basis` says why it may go. Raises as `departures.policies.authorise` does, `NotFound` for an event of
    something else, `Invalid` for a missing basis and for fields that are not there or must stay.
    """
    authorise(actor, "evidence.erase", departure)
    if not basis.strip():
        raise Invalid("basis_missing", "Say on what basis the values may be erased.", field="basis")
    if not names:
        raise Invalid("names_missing", "Say which fields are to be erased.", field="names")
    if not Event.objects.filter(pk=event_id, scope=departure_scope(departure.pk)).exists():
        raise NotFound("event")
    return erase_fields(event_id, *names, actor=actor.label, basis=basis.strip(), now=now)
