"""What people must be told until it is solved, raised and resolved in the transaction of what it is about."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from partwell.access.models import AccountRecord, Alert, Change, Plan
from partwell.access.states import SETTLED, AccessState, AlertKind, PlanKind
from partwell.connector_kit.contract import Verb
from partwell.departures.models import Departure
from partwell.evidence.models import Event
from partwell.evidence.operations import build, departure_scope, record_many
from partwell.people.actors import Actor
from partwell.rows import write_rows

ABOUT_ACCOUNTS = (AlertKind.ACCESS_BACK, AlertKind.CUT_FAILED)
WAY_OUT = "Look into the system, put right what it says, then apply again or attest it."

DOING = {
    Verb.BLOCK_SIGN_IN: "blocking sign-in",
    Verb.REVOKE_SESSIONS: "ending sessions",
    Verb.REVOKE_TOKENS: "revoking tokens and keys",
    Verb.SUSPEND: "suspending",
    Verb.REMOVE_ENTITLEMENTS: "removing groups",
    Verb.RELEASE_LICENCE: "releasing the licence",
    Verb.DELETE: "deleting",
}


def raise_alert(
    departure: Departure, *, kind: str, text: str, actor: Actor, now: datetime, key: str = ""
) -> Alert:
    """Raise what people must be told, in the caller's transaction. Raised twice, it is there once."""
    return _raise(departure, kind=kind, text=text, by=actor.label, now=now, key=key)


def raise_many(
    texts: Mapping[Departure, str], *, kind: str, actor: Actor, now: datetime, key: str = ""
) -> None:
    """`raise_alert` in many departures, which the caller has locked: what is said of each."""
    told = Alert.objects.filter(departure__in=list(texts), kind=kind, key=key[:120])
    known = {alert.departure_id: alert for alert in told}
    news: list[Alert] = []
    again: list[Alert] = []
    for departure, text in texts.items():
        alert = known.get(departure.pk)
        if alert is None:
            news.append(Alert(departure=departure, kind=kind, key=key[:120], text=text, raised_at=now))
        elif alert.resolved_at is not None or alert.text != text:
            alert.text, alert.raised_at, alert.resolved_at = text, now, None
            again.append(alert)
    Alert.objects.bulk_create(news)
    write_rows(again, ["text", "raised_at", "resolved_at"])
    record_many(_raised(alert.departure_id, kind, alert.text, actor.label, now) for alert in (*news, *again))


def resolve_alerts(departure: Departure, *, now: datetime, kind: str, key: str | None = None) -> int:
    """Mark alerts of a kind as resolved, in the caller's transaction; returns how many were open."""
    alerts = Alert.objects.filter(departure=departure, kind=kind, resolved_at__isnull=True)
    if key is not None:
        alerts = alerts.filter(key=key)
    return alerts.update(resolved_at=now)


def account_key(account: AccountRecord) -> str:
    """Under which key the alerts about an account are kept: one of each kind, whatever the verbs."""
    return f"{account.system.name}:{account.pk}"


def drift_key(delta: Plan, system: str) -> str:
    """Under which key the alert is kept that this delta waits for a second person, for one system."""
    return f"{delta.pk}:{system}"


def forget_accounts(departure_id: UUID, accounts: Iterable[AccountRecord], *, now: datetime) -> None:
    """Resolve what was raised about these accounts: they are gone, not the leaver's, or given back."""
    keys = [account_key(account) for account in accounts]
    Alert.objects.filter(
        departure_id=departure_id, kind__in=ABOUT_ACCOUNTS, key__in=keys, resolved_at__isnull=True
    ).update(resolved_at=now)


def review_accounts(
    departure_id: UUID,
    accounts: Iterable[AccountRecord],
    *,
    by: str,
    now: datetime,
    worse: Collection[int] = (),
) -> None:
    """Raise, reword or resolve the alerts about accounts whose changes have moved.

    A change that fails once access has ended, and one that was cut and is no longer so, are told of until
    the same verb is settled: read back, attested, or said to be impossible. `accounts` have their new state.
    Where something is told of already, only of `worse` (ids of those of which more failed just now) people
    are told anew. One query where nothing is the matter.
    """
    by_key = {account_key(account): account for account in accounts}
    about = Alert.objects.filter(
        departure_id=departure_id, kind__in=ABOUT_ACCOUNTS, key__in=by_key, resolved_at__isnull=True
    )
    standing = {(alert.key, alert.kind): alert for alert in about}
    concerned = {
        key: account
        for key, account in by_key.items()
        if account.state == AccessState.FAILED or any((key, kind) in standing for kind in ABOUT_ACCOUNTS)
    }
    if not concerned:
        return
    departure = Departure.objects.get(pk=departure_id)
    has_ended = departure.is_open and now >= departure.access_end_at
    failures = _failures(concerned.values())
    for key, account in concerned.items():
        back = [failure for failure in failures[account.pk] if failure.is_back]
        failed = [failure for failure in failures[account.pk] if not failure.is_back]
        for kind, left in ((AlertKind.ACCESS_BACK, back), (AlertKind.CUT_FAILED, failed)):
            alert = standing.get((key, kind))
            if not left:
                resolve_alerts(departure, kind=kind, key=key, now=now)
                continue
            text = _TEXTS[kind](account, left, departure)
            if alert is not None and account.pk not in worse:
                # Some of it is solved: the rest is named, and nobody is told anew.
                Alert.objects.filter(pk=alert.pk).update(text=text)
            elif kind == AlertKind.ACCESS_BACK or has_ended:
                _raise(departure, kind=kind, text=text, by=by, now=now, key=key)


def review_many(
    accounts: Iterable[AccountRecord], *, by: Mapping[UUID, str], now: datetime, worse: Collection[int] = ()
) -> None:
    """`review_accounts` for accounts in many departures; `by` says who acted in each. Of an account of nobody
    the list of ghosts tells."""
    of: dict[UUID, list[AccountRecord]] = defaultdict(list)
    for account in accounts:
        if account.departure_id is not None:
            of[account.departure_id].append(account)
    told = Alert.objects.filter(departure_id__in=of, kind__in=ABOUT_ACCOUNTS, resolved_at__isnull=True)
    concerned = set(told.values_list("departure_id", flat=True))
    concerned |= {pk for pk, rows in of.items() if any(row.state == AccessState.FAILED for row in rows)}
    for pk in concerned:
        review_accounts(pk, of[pk], by=by[pk], now=now, worse=worse)


def _raise(departure: Departure, *, kind: str, text: str, by: str, now: datetime, key: str) -> Alert:
    alert, is_new = Alert.objects.get_or_create(
        departure=departure, kind=kind, key=key[:120], defaults={"text": text, "raised_at": now}
    )
    if not is_new and alert.resolved_at is None and alert.text == text:
        return alert
    if not is_new:
        alert.text, alert.raised_at, alert.resolved_at = text, now, None
        alert.save()
    record_many([_raised(departure.pk, kind, text, by, now)])
    return alert


def _raised(departure_id: UUID, kind: str, text: str, by: str, now: datetime) -> Event:
    return build(
        "access.alert_raised",
        scope=departure_scope(departure_id),
        actor=by,
        at=now,
        fields={"alert": kind, "text": text},
    )


@dataclass(frozen=True)
class _Failure:
    """A change that failed and that nothing has settled since; `is_back`: it had been settled before."""

    change: Change
    is_back: bool

    @property
    def doing(self) -> str:
        return DOING[Verb(self.change.verb)]

    @property
    def why(self) -> str:
        read = (self.change.proof or {}).get("read", "")
        if read and read in self.change.reason:
            return f"reading back shows: {read}"
        return self.change.reason.removesuffix(WAY_OUT).strip().rstrip(".")


def _failures(accounts: Iterable[AccountRecord]) -> dict[int, list[_Failure]]:
    """Per account, in the order of execution, what failed and has not been settled since.

    A fresh plan alone settles nothing: what failed under an earlier one stands until its verb is settled.
    """
    alive = [account.pk for account in accounts if account.state not in SETTLED]
    changes = Change.objects.filter(account__in=alive).exclude(plan__kind=PlanKind.RESTORE)
    found: dict[int, dict[str, _Failure]] = defaultdict(dict)
    for change in changes.order_by("plan__version", "pk"):
        by_verb = found[change.account_id]
        if change.state == AccessState.FAILED:
            earlier = by_verb.get(change.verb)
            is_back = change.came_back_at is not None or (earlier is not None and earlier.is_back)
            by_verb[change.verb] = _Failure(change, is_back)
        elif change.state in SETTLED:
            by_verb.pop(change.verb, None)
    failures: dict[int, list[_Failure]] = defaultdict(list)
    for pk, by_verb in found.items():
        failures[pk] = sorted(by_verb.values(), key=lambda failure: failure.change.position)
    return failures


def _back_again(account: AccountRecord, failures: list[_Failure], departure: Departure) -> str:
    shown = "; ".join(f"{failure.doing}: {failure.why}" for failure in failures)
    return f"{account} was cut and has access again. {_sentence(shown)} Make a fresh plan and cut it again."


def _not_cut(account: AccountRecord, failures: list[_Failure], departure: Departure) -> str:
    local = departure.access_end_at.astimezone(ZoneInfo(departure.timezone))
    ended = f"Access ended {local:%a} {local.day} {local:%b %Y}, {local:%H:%M} {local:%Z}"
    *others, last = [failure.doing for failure in failures]
    doing = f"{', '.join(others)} and {last}" if others else last
    reasons = dict.fromkeys(failure.why for failure in failures)
    why = "; ".join(reasons if len(reasons) == 1 else [f"{f.doing}: {f.why}" for f in failures])
    return f"{ended}; {doing} failed for {account}: {why}. Way out: {WAY_OUT}"


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}."


_TEXTS = {AlertKind.ACCESS_BACK: _back_again, AlertKind.CUT_FAILED: _not_cut}
