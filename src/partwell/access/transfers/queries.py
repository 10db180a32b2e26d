"""Which hand-overs exist for whom, and how they look.

The successor need not take part in the departure. Of a need-to-know departure they know nothing before access
has ended.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from partwell.access.alerts import account_key
from partwell.access.models import Alert, Transfer
from partwell.access.states import AlertKind
from partwell.access.transfers.states import GIVEN, UNSETTLED, HandedKind, TransferState
from partwell.departures.models import Departure
from partwell.departures.policies import authorise, is_leaver, visibility
from partwell.departures.states import Confidentiality
from partwell.people.actors import Actor
from partwell.people.authorisation import SUCCESSOR
from partwell.refusals import Invalid, NotFound

# What a successor sees of what is on its way to them, or with them.
_COMES = UNSETTLED - {TransferState.OPEN} | GIVEN


def received_by(actor: Actor, now: datetime) -> Q:
    """What comes to the actor, as far as they may know of it by now."""
    if actor.person_id is None:
        return Q(pk__in=[])
    known = Q(departure__confidentiality=Confidentiality.NORMAL) | Q(departure__access_end_at__lte=now)
    mine = Q(successor_id=actor.person_id) & ~Q(departure__person_id=actor.person_id)
    return mine & known & Q(state__in=_COMES)


def visible_transfers(actor: Actor, *, now: datetime) -> QuerySet[Transfer]:
    """The hand-overs that exist for this actor: of departures whose access they may read, and to them."""
    inside = visibility(actor, prefix="departure__", to="access.view")
    # An empty rule allows all; joined with another by “or” it would vanish.
    found = Transfer.objects.filter(inside | received_by(actor, now) if inside else inside)
    return found.select_related("departure", "account__system", "system", "successor")


def coming_to(actor: Actor, *, now: datetime) -> QuerySet[Transfer]:
    """What comes to the actor or is with them: what is theirs to answer first, then what is latest."""
    found = Transfer.objects.filter(received_by(actor, now)).select_related("departure", "account__system")
    return found.order_by("answered_at", "departure__access_end_at", "system_title", "kind", "pk")


def list_transfers(
    actor: Actor, *, state: str = "open", journey: UUID | None = None, mine: bool = False, now: datetime
) -> list[Transfer]:
    """Those that exist for the actor, by access end: `open` ones or `all`, of one departure or of any; with
    `mine`, those that come to the actor. Raises `Invalid` for another `state`."""
    if state not in ("open", "all"):
        raise Invalid("state_unknown", "Say open or all.", field="state")
    found = visible_transfers(actor, now=now)
    if mine:
        found = found.filter(received_by(actor, now))
    if state == "open":
        found = found.filter(state__in=UNSETTLED)
    if journey is not None:
        found = found.filter(departure_id=journey).filter(visibility(actor, prefix="departure__"))
    return list(found.order_by("departure__access_end_at", "departure_id", "system_title", "kind", "pk"))


def get_transfer(actor: Actor, transfer_id: UUID | str, *, now: datetime) -> Transfer:
    """One hand-over. Raises `NotFound` where it does not exist for the actor."""
    try:
        key = transfer_id if isinstance(transfer_id, UUID) else UUID(transfer_id)
    except ValueError:
        raise NotFound("hand-over") from None
    found = visible_transfers(actor, now=now).filter(pk=key).first()
    if found is None:
        raise NotFound("hand-over")
    return found


def transfers_of(departure: Departure, *, actor: Actor) -> list[Transfer]:
    """All that is handed over in a departure, for those who may read its access."""
    authorise(actor, "access.view", departure)
    found = departure.transfers.select_related("departure", "account__system", "system", "successor")
    return list(found.order_by("system_title", "kind", "what", "pk"))


def mailbox_is_due(transfer: Transfer) -> bool:
    """Whether people are told that this mailbox has to be deleted, and nobody has settled it."""
    return (
        Alert.objects.filter(
            departure=transfer.departure_id,
            kind=AlertKind.MAILBOX_DUE,
            key=mailbox_key(transfer),
            resolved_at__isnull=True,
        ).exists()
        if transfer.kind == HandedKind.MAILBOX
        else False
    )


def mailbox_key(transfer: Transfer) -> str:
    """Under which key it is kept that a mailbox has to be deleted."""
    return account_key(transfer.account)[:120] if transfer.account else str(transfer.pk)


def also_of(actor: Actor, transfer: Transfer, now: datetime) -> frozenset[str]:
    """What the actor is to this very hand-over, beside what they are to its departure."""
    if is_leaver(actor, transfer.departure):
        return frozenset()
    mine = Transfer.objects.filter(received_by(actor, now), pk=transfer.pk)
    return frozenset({SUCCESSOR}) if mine.exists() else frozenset()


def transfer_dict(transfer: Transfer, *, is_inside: bool) -> dict[str, Any]:
    """A hand-over as faces show it. The successor reads whose it is and what was said to them, not how the
    systems answered."""
    return {
        "id": str(transfer.pk),
        "journey": str(transfer.departure_id) if is_inside else None,
        "subject": transfer.departure.subject_name,
        "kind": transfer.kind,
        "what": transfer.title,
        "system": transfer.system.name if transfer.system else "",
        "system_title": transfer.system_title,
        "login": transfer.account.login if transfer.account and is_inside else "",
        "by_connector": transfer.account is not None,
        "successor": transfer.successor_name,
        "successor_email": transfer.successor_email,
        "last_day": transfer.last_day.isoformat() if transfer.last_day else None,
        "text": transfer.text,
        "state": transfer.state,
        "by": transfer.by,
        "reason": transfer.reason if is_inside else "",
        "note": transfer.note,
        "proof": transfer.proof if is_inside else None,
        "given_at": transfer.given_at.isoformat() if transfer.given_at else None,
        "answered_at": transfer.answered_at.isoformat() if transfer.answered_at else None,
        "ended_at": transfer.ended_at.isoformat() if transfer.ended_at else None,
        "settled_by": transfer.settled_by if is_inside else "",
    }
