"""The blast guard: how much may be cut in one system by a rule, or by one person's word alone.

A wrong match must not take a whole system down, and an attacker's accounts must not stay open. So the
standing rule does nothing to somebody with more accounts than the connection allows, and the kill switch goes
on with as many as are allowed, those first that are surest theirs. The rest waits for a second person, and IT
is told. See docs/decisions/0015-blast-guard.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from partwell.access.alerts import raise_many
from partwell.access.models import AccountRecord, Alert, Plan, System, SystemSweep
from partwell.access.states import AlertKind, Authority, Link, PlanKind, SweepState
from partwell.connector_kit.contract import Account
from partwell.people.actors import engine_actor
from partwell.refusals import Conflict

# By one person's word, so many accounts of a system are never too large a share of it.
FEW = 5
A_DAY = timedelta(days=1)
_SUREST_FIRST = ("employee number", "e-mail", "user name")


def surest_first(accounts: Iterable[Account], ours: Iterable[str]) -> list[Account]:
    """In the order in which the kill switch takes them: what a person said is theirs, then what still lets
    somebody in, then by the fact that matched."""
    said = set(ours)
    return sorted(
        accounts,
        key=lambda account: (
            account.external_id not in said,
            account.is_active is False,
            _SUREST_FIRST.index(account.matched_by)
            if account.matched_by in _SUREST_FIRST
            else len(_SUREST_FIRST),
            account.external_id,
        ),
    )


class BlastGuard:
    """For plans that run without an approval in one system: which accounts wait, and why."""

    def __init__(self, system: System, plans: Sequence[Plan], authority: Authority | None) -> None:
        self.system, self.authority = system, authority
        self._left = _share_left(system, plans) if authority is Authority.CUT else None
        self._departures = {plan.its_departure_id for plan in plans}
        self._told: dict[UUID, tuple[Plan, str]] = {}

    def held(
        self, plan: Plan, accounts: Sequence[Account], records: Mapping[str, AccountRecord]
    ) -> dict[str, str]:
        """Of one departure's accounts here, those that wait for a second person, with the reason."""
        if self.authority is None:
            return {}
        touched = [account for account in accounts if not account.is_protected]
        most, why = self.system.most_accounts, ""
        if len(touched) > most:
            why = (
                f"{len(touched)} accounts in {self.system.title} match, more than the {most} of one person "
                "that may be cut there without a second one."
            )
            most = most if self.authority is Authority.CUT else 0
        if self._left is not None and min(len(touched), most) > self._left:
            most = self._left
            why = (
                f"With these, one person alone would cut more than {self.system.most_percent} % of all "
                f"accounts in {self.system.title}."
            )
        if not why:
            self._spend(len(touched))
            return {}
        ours = [key for key, record in records.items() if record.link == Link.OURS]
        waiting = surest_first(touched, ours)[most:]
        self._spend(len(touched) - len(waiting))
        goes_on = f"{len(touched) - len(waiting)} are cut, {len(waiting)} wait" if most else "All wait"
        self._told[plan.its_departure_id] = plan, f"{why} {goes_on} for a second person: are they theirs?"
        return {account.external_id: f"Waits for a second person. {why}" for account in waiting}

    def _spend(self, count: int) -> None:
        if self._left is not None:
            self._left = max(self._left - count, 0)

    def tell(self, now: datetime) -> None:
        """Raise what people must be told, and resolve what a later look has overtaken; in the caller's
        transaction."""
        key = self.system.name
        open_alerts = Alert.objects.filter(
            departure_id__in=self._departures, kind=AlertKind.MANY_ACCOUNTS, key=key, resolved_at=None
        )
        open_alerts.exclude(departure_id__in=self._told).update(resolved_at=now)
        texts = {plan.its_departure: text for plan, text in self._told.values()}
        raise_many(texts, kind=AlertKind.MANY_ACCOUNTS, key=key, actor=engine_actor("blast guard"), now=now)


def check_of_nobody(system: System, *, now: datetime) -> None:
    """Raise `Conflict` where a day has seen as many accounts of nobody cut in this system as its connection
    lets the standing rule cut. A register that lacks people makes many look like nobody's."""
    since = now - A_DAY
    done = Plan.objects.filter(kind=PlanKind.GHOST, ghost__system=system, approved_at__gt=since).count()
    read = _last_read(system)
    share = None if read is None else max(FEW, read.accounts * system.most_percent // 100)
    most = system.most_accounts if share is None else min(system.most_accounts, share)
    if done >= most:
        raise Conflict(
            "too_many_of_nobody",
            f"In {system.title}, {done} accounts of nobody were approved for cutting in a day, as many as "
            "its connection allows. See first whether the register lacks people; go on tomorrow, or have the "
            "limit of the connection raised.",
        )


def _last_read(system: System) -> SystemSweep | None:
    return SystemSweep.objects.filter(system=system, state=SweepState.READ).order_by("-sweep").first()


def _share_left(system: System, plans: Sequence[Plan]) -> int | None:
    """How many accounts more one person's cut may touch here; None where two people ordered it, or where it
    is not known how many accounts there are."""
    cut = plans[0].cut if plans else None
    if cut is None or cut.approved_at is not None:
        return None
    read = _last_read(system)
    if read is None:
        return None
    before = AccountRecord.objects.filter(
        departure__in=cut.departures.all(), system=system, changes__authority=Authority.CUT
    ).exclude(departure__in=[plan.departure_id for plan in plans])
    allowed = max(FEW, read.accounts * system.most_percent // 100)
    return max(allowed - before.distinct().count(), 0)
