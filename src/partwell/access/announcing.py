"""Signals for receivers outside: that a person's sessions end, their account was disabled, or enabled again.

They are composed here and queued in the transaction of what they tell about. `session-revoked` goes out when
cutting begins, because it is of use only early; `account-disabled` when a blocked sign-in was read back;
`account-enabled` when a restore is over and all of it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from partwell.access.alerts import raise_alert, resolve_alerts
from partwell.access.connections import identities_of_all
from partwell.access.models import AccountRecord, Change, Plan
from partwell.access.states import AccessState, AlertKind, Authority, PlanKind
from partwell.connector_kit.contract import Identity, Verb
from partwell.departures.models import Departure
from partwell.departures.states import SubjectKind
from partwell.people.actors import engine_actor
from partwell.signals.models import SecurityEvent
from partwell.signals.overtaking import OVERTAKEN, give_up_overtaken
from partwell.signals.security_events import Announcement, Subject, announce, wanted
from partwell.signals.states import Signal, SignalState

BLOCKING = (Verb.BLOCK_SIGN_IN, Verb.SUSPEND)
TOLD = {
    Signal.SESSION_REVOKED: "that the sessions of {name} ended",
    Signal.ACCOUNT_DISABLED: "that the account of {name} is disabled",
    Signal.ACCOUNT_ENABLED: "that the account of {name} is enabled again",
}


def announce_ended_sessions(
    plans: Sequence[Plan], departures: Sequence[Departure], *, now: datetime, shuts_out: bool = False
) -> None:
    """Tell that the sessions of these departures end by these plans, in the caller's transaction.

    A plan that puts back tells nothing, and neither does a later addition that ends no sessions, unless the
    kill switch `shuts_out` everybody of them.
    """
    ending = [plan for plan in plans if shuts_out or _ends_sessions(plan)]
    if not ending or not (receivers := wanted(Signal.SESSION_REVOKED)):
        return
    identities = identities_of_all(departures)
    announce(
        (
            Announcement(
                signal=Signal.SESSION_REVOKED,
                subjects=_subjects(identities[plan.its_departure_id]),
                about=f"plan {plan.pk} at {now.isoformat()}",
                scope=plan.scope,
            )
            for plan in ending
        ),
        receivers=receivers,
        now=now,
    )


def announce_disabled_accounts(verified: Iterable[Change], *, now: datetime) -> None:
    """Tell whose account is disabled, of changes that were read back just now, in the caller's transaction.

    Once for each plan, however many systems block the sign-in. Of a client's contacts only those are named
    whose account it was, and of an account of nobody nothing is told: there is nobody to name.
    """
    blocked = [
        c
        for c in verified
        if c.verb in BLOCKING and c.authority != Authority.RESTORE and c.account.departure_id is not None
    ]
    if not blocked or not (receivers := wanted(Signal.ACCOUNT_DISABLED)):
        return
    departures = list(
        Departure.objects.filter(pk__in={change.account.departure_id for change in blocked}).select_related(
            "person", "client"
        )
    )
    by_key = {departure.pk: departure for departure in departures}
    identities = identities_of_all(departures)
    told = [
        Announcement(
            signal=Signal.ACCOUNT_DISABLED,
            subjects=subjects,
            about=f"plan {change.plan_id}",
            scope=change.account.scope,
        )
        for change in blocked
        if (
            subjects := _whose(
                change.account,
                by_key[change.account.its_departure_id],
                identities[change.account.its_departure_id],
            )
        )
    ]
    give_up_overtaken(told, receivers=receivers, now=now)
    announce(told, receivers=receivers, now=now)


def announce_enabled_accounts(plans: Sequence[Plan], *, now: datetime) -> None:
    """Tell whose account is enabled again, of restores that are over, in the caller's transaction.

    Only of whom everything that kept them out was put back and read back: a receiver lets them in by that.
    """
    over = {plan.pk: plan for plan in plans if plan.kind == PlanKind.RESTORE and plan.departure_id}
    if not over or not (receivers := wanted(Signal.ACCOUNT_ENABLED)):
        return
    departures = Departure.objects.select_related("person", "client").in_bulk(
        [plan.its_departure_id for plan in over.values()]
    )
    identities = identities_of_all(list(departures.values()))
    back: dict[int, list[Subject]] = {pk: [] for pk in over}
    still_out: dict[int, set[Subject]] = {pk: set() for pk in over}
    changes = Change.objects.filter(plan__in=over, verb__in=BLOCKING, is_current=True)
    for change in changes.select_related("account").order_by("pk"):
        pk = over[change.plan_id].its_departure_id
        whose = _whose(change.account, departures[pk], identities[pk])
        if change.state == AccessState.VERIFIED:
            back[change.plan_id] += whose
        else:
            still_out[change.plan_id].update(whose)
    told = [
        Announcement(
            signal=Signal.ACCOUNT_ENABLED, subjects=subjects, about=f"plan {pk}", scope=over[pk].scope
        )
        for pk in over
        if (subjects := tuple(s for s in dict.fromkeys(back[pk]) if s not in still_out[pk]))
    ]
    for plan in over.values():
        for receiver in receivers:
            # That it was not told they are out matters no longer.
            resolve_alerts(
                departures[plan.its_departure_id],
                kind=AlertKind.SIGNAL_FAILED,
                key=f"{receiver.name}:{Signal.ACCOUNT_DISABLED}",
                now=now,
            )
    give_up_overtaken(told, receivers=receivers, now=now)
    announce(told, receivers=receivers, now=now)


def note_settled_signal(event: SecurityEvent, now: datetime) -> None:
    """Raise that a receiver was not told about a departure; resolve it once nothing is left that failed."""
    kind, _, key = event.scope.partition(":")
    departure = Departure.objects.filter(pk=UUID(key)).first() if kind == "departure" else None
    if departure is None:
        return
    about = f"{event.receiver.name}:{event.signal}"
    if event.state == SignalState.FAILED:
        what = TOLD[Signal(event.signal)].format(name=departure.subject_name)
        raise_alert(
            departure,
            kind=AlertKind.SIGNAL_FAILED,
            key=about,
            text=(
                f"{event.receiver.title} was not told {what}: {event.answer} Way out: tell its people, or "
                "have an administrator put the receiver right and send it again."
            ),
            actor=engine_actor("signals"),
            now=now,
        )
        return
    same = SecurityEvent.objects.filter(scope=event.scope, receiver=event.receiver, signal=event.signal)
    if not same.filter(state=SignalState.FAILED).exclude(answer=OVERTAKEN).exists():
        resolve_alerts(departure, kind=AlertKind.SIGNAL_FAILED, key=about, now=now)


def _ends_sessions(plan: Plan) -> bool:
    if plan.kind == PlanKind.DELTA:
        ends = plan.changes.filter(is_current=True, verb=Verb.REVOKE_SESSIONS).exclude(
            authority=Authority.NONE
        )
        return ends.exclude(state=AccessState.VERIFIED).exists()
    return plan.kind != PlanKind.RESTORE


def _whose(
    account: AccountRecord, departure: Departure, identities: Sequence[Identity]
) -> tuple[Subject, ...]:
    if departure.subject_kind != SubjectKind.CLIENT:
        return _subjects(identities)
    login = account.login.lower()
    return _subjects([i for i in identities if login in (email.lower() for email in i.emails)])


def _subjects(identities: Iterable[Identity]) -> tuple[Subject, ...]:
    return tuple(
        Subject(emails=identity.emails, username=next(iter(identity.usernames), ""))
        for identity in identities
    )
