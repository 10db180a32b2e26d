"""What has to be handed over, as it becomes known; what follows when access ends or a notice is withdrawn.

All of it runs in the transaction of whoever calls it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Q

from partwell.access.connections import Target, target_of
from partwell.access.credentials.rotations import may_be_known
from partwell.access.models import AccountRecord, Transfer
from partwell.access.transfers import letters, waking
from partwell.access.transfers.states import GIVEN, SETTLED, HandedKind, TransferState
from partwell.departures.models import Departure
from partwell.departures.states import SubjectKind
from partwell.evidence.operations import build, departure_scope, record_many
from partwell.people.actors import Actor

# How long a suspension waits for what needs the account alive, from when that could first run. Long enough
# for a mailbox delegation, which takes minutes; short enough that an account that nobody can sign in to and
# that has no session is not left half closed overnight.
SUSPENSION_WAITS = timedelta(hours=1)


def open_for_accounts(
    accounts: Sequence[AccountRecord], target: Target, *, by: Mapping[UUID, str], now: datetime
) -> None:
    """Open, without a successor, one hand-over for each kind that the system can give of these accounts.

    `by` says who asked, by departure. One query where all are open already, none where the system gives
    nothing.
    """
    if not accounts or not target.transfers:
        return
    there = set(Transfer.objects.filter(account__in=accounts).values_list("account_id", "kind"))
    rows = [
        Transfer(
            departure_id=account.its_departure_id,
            account=account,
            system=account.system,
            system_title=account.system.title,
            kind=HandedKind(kind.value),
            opened_at=now,
        )
        for account in accounts
        for kind in target.transfers
        if (account.pk, kind.value) not in there
    ]
    Transfer.objects.bulk_create(rows)
    record_many(
        build(
            "transfer.opened",
            scope=departure_scope(row.departure_id),
            actor=by[row.departure_id],
            at=now,
            fields={
                "handed": row.title,
                "transfer_kind": row.kind,
                "system": target.name,
                "system_title": row.system_title,
                "login": row.account.login if row.account else "",
            },
        )
        for row in rows
    )


def is_handed_over(departure: Departure) -> bool:
    """Whether what these accounts hold is a colleague's work; clients' contacts keep theirs."""
    return departure.is_open and departure.subject_kind == SubjectKind.STAFF


def at_access_end(departures: Sequence[Departure], *, now: datetime) -> None:
    """Begin with what waited for access to end, and tell successors of what they may know of only now.

    What needs the account alive is for the run that suspends it; a timer looks after it where no run comes.
    One query for those who hand nothing over.
    """
    found = Transfer.objects.filter(
        Q(state=TransferState.WAITING, account__isnull=False) | Q(state__in=GIVEN), departure__in=departures
    ).select_related("account__system", "departure", "successor", "system")
    later = []
    for transfer in found:
        if transfer.state in GIVEN:
            letters.tell_successor(transfer, now=now)
        elif needs_active(transfer):
            later.append((transfer.pk, now + SUSPENSION_WAITS))
        else:
            waking.hand_over(transfer.pk, at=now)
    waking.hand_over_at(later)


def needs_active(transfer: Transfer) -> bool:
    """Whether its system can give it only while the account is not suspended."""
    if transfer.account is None:
        return False
    kinds = target_of(transfer.account.system).transfers_before_suspension
    return transfer.kind in {kind.value for kind in kinds}


def withdraw_transfers(departure: Departure, *, actor: Actor, now: datetime) -> None:
    """They stay: what was not given yet is not given. What was given is for a person to take back."""
    unbegun = (TransferState.OPEN, TransferState.WAITING, TransferState.FAILED, TransferState.MISSING)
    rows = departure.transfers.filter(state__in=unbegun)
    for transfer in rows:
        waking.forget(transfer)
    # Something of it was given before: that is still with the successor.
    rows.filter(given_at__isnull=False).update(state=TransferState.MISSING)
    rows.filter(given_at__isnull=True).update(
        state=TransferState.WITHDRAWN, settled_by=actor.label, answered_at=now
    )


def given_of(departure: Departure) -> list[Transfer]:
    """What successors have of this leaver, for a person to take back where the leaver stays after all."""
    rows = departure.transfers.filter(state__in=GIVEN).select_related("departure", "account")
    return [row for row in rows if row.is_given]


def given_rows(departure: Departure) -> list[dict[str, str]]:
    """The same, as faces show it."""
    return [
        {"id": str(row.pk), "what": str(row), "successor": row.successor_name} for row in given_of(departure)
    ]


def unsettled(departure: Departure) -> list[Transfer]:
    """What nobody has accepted yet, or said that it is not needed."""
    return list(departure.transfers.exclude(state__in=SETTLED))


def may_be_told(transfer: Transfer, now: datetime) -> bool:
    """Whether the successor may know that there is something for them."""
    return may_be_known(transfer.departure, now)
