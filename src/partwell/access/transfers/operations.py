"""What people do about handing over; each operation is one transaction, one event."""

from __future__ import annotations

from datetime import date, datetime

from django.db import transaction

from partwell.access.connections import target_of
from partwell.access.models import AccountRecord, System, Transfer
from partwell.access.states import Link
from partwell.access.transfers import alerting, days, letters, waking
from partwell.access.transfers.opening import needs_active
from partwell.access.transfers.receipts import let_go
from partwell.access.transfers.recording import locked, move_transfer, record_transfer
from partwell.access.transfers.states import (
    BY_CONNECTOR,
    HandedKind,
    TransferBy,
    TransferState,
    check_move,
)
from partwell.connector_kit.contract import Verb
from partwell.departures.models import Departure
from partwell.departures.policies import authorise
from partwell.people.actors import Actor
from partwell.people.authorisation import operation
from partwell.people.models import Person
from partwell.people.operations import ensure_user
from partwell.people.queries import find_person
from partwell.refusals import Conflict, Invalid

BY_HAND = "No connection can hand this over. Do it in the system, and say so here."


@operation("transfers.open")
def open_transfer(
    *,
    departure: Departure,
    kind: str,
    what: str,
    system: System | None = None,
    actor: Actor,
    now: datetime,
) -> Transfer:
    """Say that something has to be handed over: a kind of `HandedKind`, and in words what.

    Where the leaver has one account in `system` and its connector gives that kind, the system does it; else a
    person does. Raises `Invalid` naming the field.
    """
    authorise(actor, "transfers.open", departure)
    if kind not in set(HandedKind):
        raise Invalid("kind_unknown", f"There is no kind {kind!r} of what is handed over.", field="kind")
    if len(what.strip()) < 3:
        raise Invalid("what_missing", "Say in a few words what it is.", field="what")
    transfer = Transfer(
        departure=departure,
        kind=kind,
        what=what.strip()[:300],
        system=system,
        system_title=system.title if system else "",
        account=_account_for(departure, system, kind),
        opened_at=now,
    )
    transfer.save(force_insert=True)
    record_transfer(transfer, kind="transfer.opened", by=actor.label, now=now)
    return transfer


def _account_for(departure: Departure, system: System | None, kind: str) -> AccountRecord | None:
    """The one account from which a connector can give this, unless it is given from there already."""
    if system is None or kind not in {each.value for each in target_of(system).transfers}:
        return None
    accounts = list(
        departure.access_accounts.filter(system=system, is_protected=False)
        .exclude(external_id="")
        .exclude(link=Link.NOT_OURS)
    )
    over = (TransferState.ENDED, TransferState.NOT_NEEDED, TransferState.WITHDRAWN)
    given = Transfer.objects.filter(account__in=accounts, kind=kind).exclude(state__in=over)
    return accounts[0] if len(accounts) == 1 and not given.exists() else None


@operation("transfers.name_successor")
def name_successor(
    *,
    transfer: Transfer,
    email: str,
    login: str = "",
    ends_on: date | None = None,
    text: str = "",
    actor: Actor,
    now: datetime,
) -> Transfer:
    """Say who gets it. It is handed over once access has ended, or just before the account is suspended where
    it needs the account alive; by hand, once somebody says that it was done.

    `login` is what the successor is called in the system, where that is not their address. `ends_on` is the
    last day of a mailbox or an automatic reply, `text` what the reply says. Said again after it failed, or
    after something was missing, it is handed over anew. Raises `Invalid` naming the field.
    """
    transfer = locked(transfer)
    departure = transfer.departure
    authorise(actor, "transfers.name_successor", departure)
    check_move(transfer.state, TransferState.WAITING)
    person = _successor(email, departure)
    if ends_on is not None and transfer.is_for_a_time:
        days.check_last_day(ends_on, departure)
        transfer.ends_on_date = ends_on
    if person.pk != transfer.successor_id:
        if transfer.is_still_with_successor:
            raise Conflict(
                "still_given",
                f"{transfer.successor_name} has it still. Take it back from them, then open it anew.",
                field="email",
            )
        ensure_user(person, now)
        transfer.handle, transfer.given_at, transfer.proof = "", None, None
    transfer.successor, transfer.successor_name = person, person.name or person.email
    transfer.successor_email, transfer.successor_login = person.email, login.strip()[:320]
    if transfer.kind == HandedKind.AUTO_REPLY:
        leaver = departure.subject_name
        transfer.text = text.strip() or letters.usual_reply(leaver, transfer.successor_name, person.email)
    transfer.reason, transfer.attempts, transfer.next_at, transfer.is_early = "", 0, None, False
    transfer.first_due_at = None
    move_transfer(
        transfer,
        TransferState.WAITING,
        kind="transfer.successor_named",
        by=actor.label,
        now=now,
        fields=[
            *("successor", "successor_name", "successor_email", "successor_login", "text", "ends_on_date"),
            *("handle", "given_at", "proof", "reason", "attempts", "next_at", "is_early", "first_due_at"),
        ],
    )
    if transfer.account is not None and now >= departure.access_end_at:
        waking.hand_over(transfer.pk, at=now)
    return transfer


@transaction.atomic
def name_for_all_open(*, departure: Departure, email: str, actor: Actor, now: datetime) -> int:
    """One successor for everything of a departure that nobody was named for; returns how many that are."""
    authorise(actor, "transfers.name_successor", departure)
    rows = list(departure.transfers.filter(state=TransferState.OPEN).order_by("pk"))
    if not rows:
        raise Conflict("nothing_open", "A successor is named for everything already.")
    for transfer in rows:
        name_successor(transfer=transfer, email=email, actor=actor, now=now)
    return len(rows)


def _successor(email: str, departure: Departure) -> Person:
    try:
        person = find_person(email)
    except Invalid as error:
        raise Invalid("successor_unknown", error.message, field="email") from None
    if person.pk == departure.person_id:
        raise Invalid("successor_leaves", "Whoever leaves cannot be the successor.", field="email")
    if person.left_on_date is not None:
        raise Invalid("successor_left", f"{person.name} has left. Name somebody who is here.", field="email")
    return person


@operation("transfers.hand_over")
def hand_over_now(*, transfer: Transfer, actor: Actor, now: datetime) -> Transfer:
    """Have the system hand it over at once, before access ends too: the leaver may still help then.

    Raises `Conflict` where only a person can, or where nobody was named.
    """
    transfer = locked(transfer)
    authorise(actor, "transfers.hand_over", transfer.departure)
    if transfer.account is None or transfer.kind not in BY_CONNECTOR:
        raise Conflict("by_hand", BY_HAND)
    if transfer.successor_id is None:
        raise Conflict("no_successor", "Name a successor first.", field="email")
    check_move(transfer.state, TransferState.WAITING)
    transfer.is_early, transfer.attempts, transfer.next_at = True, 0, None
    move_transfer(
        transfer,
        TransferState.WAITING,
        kind="transfer.asked",
        by=actor.label,
        now=now,
        fields=["is_early", "attempts", "next_at"],
    )
    waking.hand_over(transfer.pk, at=now)
    return transfer


@operation("transfers.attest")
def attest_transfer(
    *, transfer: Transfer, note: str, link: str = "", actor: Actor, now: datetime
) -> Transfer:
    """A person says that it is handed over, and how one can see it. The successor still has to accept it."""
    transfer = locked(transfer)
    authorise(actor, "transfers.attest", transfer.departure)
    if transfer.successor_id is None:
        raise Conflict("no_successor", "Name a successor first.", field="email")
    if len(note.strip()) < 10:
        raise Invalid(
            "note_missing", "Say in a sentence what you did and where the successor finds it.", field="note"
        )
    transfer.by, transfer.reason, transfer.given_at = TransferBy.PERSON, note.strip(), now
    transfer.proof = {"said_by": actor.label, "note": note.strip(), "link": link.strip()}
    move_transfer(
        transfer,
        TransferState.ATTESTED,
        kind="transfer.attested",
        by=actor.label,
        now=now,
        fields=["by", "reason", "given_at", "proof"],
    )
    waking.take_back_at(transfer)
    letters.tell_successor(transfer, now=now)
    alerting.resolve(transfer, now=now)
    return transfer


@operation("transfers.leave")
def leave_transfer(*, transfer: Transfer, reason: str, actor: Actor, now: datetime) -> Transfer:
    """A person says, with the reason, that nobody needs it."""
    transfer = locked(transfer)
    authorise(actor, "transfers.leave", transfer.departure)
    if len(reason.strip()) < 10:
        raise Invalid("reason_missing", "Say in a sentence why nobody needs it.", field="reason")
    if transfer.is_still_with_successor:
        raise Conflict(
            "still_given", f"{transfer.successor_name} may have it still. Take it back first, then say so."
        )
    transfer.reason, transfer.settled_by, transfer.answered_at = reason.strip(), actor.label, now
    move_transfer(
        transfer,
        TransferState.NOT_NEEDED,
        kind="transfer.not_needed",
        by=actor.label,
        now=now,
        fields=["reason", "settled_by", "answered_at"],
    )
    let_go(transfer, now=now)
    return transfer


@operation("transfers.take_back")
def take_back_now(*, transfer: Transfer, actor: Actor, now: datetime) -> Transfer:
    """Have the system take back at once what was given for a time. Raises `Conflict` where it cannot."""
    transfer = locked(transfer)
    authorise(actor, "transfers.take_back", transfer.departure)
    if not can_take_back(transfer):
        raise Conflict("by_hand", "No connection can take this back. Do it in the system, and say so here.")
    check_move(transfer.state, TransferState.ENDED)
    record_transfer(transfer, kind="transfer.taking_back", by=actor.label, now=now)
    waking.take_back(transfer.pk, at=now)
    return transfer


@operation("transfers.attest_end")
def attest_end(*, transfer: Transfer, note: str, actor: Actor, now: datetime) -> Transfer:
    """A person says that the successor has it no more, and how one can see it."""
    transfer = locked(transfer)
    authorise(actor, "transfers.attest_end", transfer.departure)
    if len(note.strip()) < 10:
        raise Invalid(
            "note_missing", "Say in a sentence how one can see that it is taken back.", field="note"
        )
    transfer.reason, transfer.ended_at, transfer.settled_by = note.strip(), now, actor.label
    move_transfer(
        transfer,
        TransferState.ENDED,
        kind="transfer.end_attested",
        by=actor.label,
        now=now,
        fields=["reason", "ended_at", "settled_by"],
    )
    waking.forget(transfer)
    letters.drop_waiting(transfer, now=now)
    let_go(transfer, now=now)
    if transfer.kind == HandedKind.MAILBOX and transfer.departure.state != "withdrawn":
        alerting.tell_mailbox_due(transfer, actor=actor, now=now)
    return transfer


@operation("transfers.settle_mailbox")
def settle_mailbox(*, transfer: Transfer, note: str, actor: Actor, now: datetime) -> Transfer:
    """A person says that the mailbox, whose time is over, is deleted, or why it has to stay."""
    transfer = locked(transfer)
    authorise(actor, "transfers.settle_mailbox", transfer.departure)
    if len(note.strip()) < 10:
        raise Invalid(
            "note_missing", "Say how one can see that it is deleted, or why it stays.", field="note"
        )
    if not alerting.settle_mailbox(transfer, now=now):
        raise Conflict("not_due", "This mailbox is not due for deletion, or was settled already.")
    transfer.note = note.strip()
    transfer.save(update_fields=["note"])
    record_transfer(transfer, kind="transfer.mailbox_settled", by=actor.label, now=now)
    return transfer


def can_take_back(transfer: Transfer) -> bool:
    """Whether the system can take it back by itself: it gave it, for a time, and its connector can."""
    return (
        transfer.account is not None
        and transfer.handle != ""
        and transfer.is_still_with_successor
        and "end_transfer" in target_of(transfer.account.system).capabilities
    )


def can_hand_over(transfer: Transfer) -> bool:
    """Whether the system can hand it over: it has the account, and its connector gives that kind."""
    if transfer.account is None:
        return False
    kinds = target_of(transfer.account.system).transfers
    return transfer.kind in {kind.value for kind in kinds}


def can_delete(transfer: Transfer) -> bool:
    """Whether the system can delete the account, and the mailbox with it."""
    return transfer.account is not None and Verb.DELETE in target_of(transfer.account.system).capabilities


def waits_for_suspension(transfer: Transfer) -> bool:
    """Whether it is handed over between blocking the sign-in and suspending the account."""
    return transfer.state == TransferState.WAITING and needs_active(transfer)
