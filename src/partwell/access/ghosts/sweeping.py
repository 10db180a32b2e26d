"""The ghost sweep: all accounts of all systems, streamed, against everybody who has left.

Each system is a workflow of its own. Its accounts pass by page by page; only differences are kept. A sweep
that a crash cut short begins that system again, and finds the rows that it wrote. What a listing that failed
or broke off did not show is unknown: only a system that was read to its end lets a ghost go.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from threading import Lock
from weakref import WeakValueDictionary

from django.db import transaction
from django.utils.functional import cached_property

from partwell import clock
from partwell.access.connections import Session, target_of
from partwell.access.ghosts.departed import read_index
from partwell.access.ghosts.findings import Findings
from partwell.access.ghosts.matching import Index
from partwell.access.models import Sweep, System, SystemSweep
from partwell.access.states import SweepState
from partwell.connector_kit import registry
from partwell.connector_kit.contract import Account, ConnectorError
from partwell.engine.operations import enqueue
from partwell.evidence.operations import record
from partwell.people.actors import Actor, engine_actor
from partwell.people.authorisation import check_office, operation

SWEEP_SYSTEM = "access.sweep_system"
CANNOT_LIST = "It shows only accounts that are asked for by name: upload a list of all of them."
EMPTY = "It showed not one account, so nothing is concluded. See whether our account may still list them."
IS_MANUAL = "Partwell cannot ask it: upload a list of all its accounts."
# A sweep that is older has lost its worker, and stands in nobody's way.
LONGEST = timedelta(hours=12)


@operation("ghosts.sweep")
def start_sweep(*, actor: Actor, now: datetime, is_scheduled: bool = False, here: bool = False) -> Sweep:
    """Ask for all accounts of every enabled system, each by a workflow of its own; or, with `here`, leave it
    to the caller to run `sweep_system` for each that waits.

    While a sweep is under way, that one is returned. Systems that cannot list are named in it from the start.
    """
    check_office(actor, "ghosts.sweep")
    under_way = Sweep.objects.filter(ended_at=None, started_at__gt=now - LONGEST).first()
    if under_way is not None:
        return under_way
    Sweep.objects.filter(ended_at=None).update(ended_at=now)
    sweep = Sweep.objects.create(started_at=now, started_by=actor.label, is_scheduled=is_scheduled)
    rows = [_opened(sweep, system, now) for system in System.objects.filter(is_enabled=True)]
    SystemSweep.objects.bulk_create(rows)
    waiting = [row for row in rows if row.state == SweepState.WAITING]
    record(
        "ghosts.sweep_started",
        scope="installation",
        actor=actor.label,
        at=now,
        fields={
            "sweep": sweep.pk,
            "systems": [row.system.name for row in waiting],
            "cannot_list": [row.system.name for row in rows if row.state == SweepState.CANNOT_LIST],
        },
    )
    if not waiting:
        sweep.ended_at = now
        sweep.save(update_fields=["ended_at"])
    if not here:
        for row in waiting:
            ask_for(row)
    return sweep


def _opened(sweep: Sweep, system: System, now: datetime) -> SystemSweep:
    if "list_accounts" in target_of(system).capabilities:
        return SystemSweep(sweep=sweep, system=system)
    registered = registry.find(system.connector)
    reason = f"There is no connector called {system.connector!r} here." if registered is None else CANNOT_LIST
    if registered is not None and "suspend" not in registered.manifest.capabilities:
        reason = IS_MANUAL
    return SystemSweep(sweep=sweep, system=system, state=SweepState.CANNOT_LIST, reason=reason, ended_at=now)


def ask_for(row: SystemSweep) -> None:
    """Ask the engine to read one system. Sweeps share their place: four at once, whatever the firm's size."""
    enqueue(
        SWEEP_SYSTEM,
        str(row.pk),
        key=f"{row.pk}:{clock.now().isoformat()}",
        lane="connectors",
        partition="ghosts",
    )


def sweep_system(system_sweep_id: str) -> None:
    """Read one system to its end, and keep what differs. The workflow `access.sweep_system`."""
    row = (
        SystemSweep.objects.select_related("system", "sweep")
        .filter(pk=int(system_sweep_id), state=SweepState.WAITING)
        .first()
    )
    if row is None:
        return
    target = target_of(row.system)
    pass_over = PassOver(row)
    try:
        with Session(target) as session:
            for page in session.pages(lambda connector: connector.list_accounts()):
                pass_over.take(page, now=clock.now())
    except ConnectorError as error:
        pass_over.break_off(error.message, now=clock.now())
    else:
        pass_over.end(now=clock.now())


class PassOver:
    """One pass over the accounts of one system, page by page. Each page is a transaction of its own."""

    def __init__(self, row: SystemSweep) -> None:
        self.row = row
        self.accounts = 0
        self._shared = _shared_index(row.sweep)
        self._findings = Findings(row)

    def take(self, page: Sequence[Account], *, now: datetime) -> None:
        """Keep what differs among these accounts."""
        self.accounts += len(page)
        self._findings.keep(self._shared.index, page, now=now)

    def end(self, *, now: datetime) -> None:
        """The last page was read: what was not seen is gone. Of a list without one account nothing is
        concluded, because a right that was taken away looks just like that."""
        if self.accounts:
            self._finish(SweepState.READ, "", now)
        else:
            self._finish(SweepState.UNREAD, EMPTY, now)

    def break_off(self, reason: str, *, now: datetime) -> None:
        """The listing failed: what was seen is kept, of the rest nothing is known."""
        self._finish(SweepState.BROKEN_OFF if self.accounts else SweepState.UNREAD, reason, now)

    @transaction.atomic
    def _finish(self, state: SweepState, reason: str, now: datetime) -> None:
        row, findings, accounts = self.row, self._findings, self.accounts
        row.state, row.accounts, row.reason, row.ended_at = state, accounts, reason, now
        row.left_out = findings.left_out
        row.save(update_fields=["state", "accounts", "reason", "ended_at", "left_out"])
        if state is SweepState.READ:
            findings.let_go_of_unseen(now=now)
        record(
            "system.swept",
            scope=f"system:{row.system.name}",
            actor=findings.actor.label,
            at=now,
            fields={
                "sweep": row.sweep_id,
                "name": row.system.name,
                "read": state.value,
                "accounts": accounts,
                "reason": reason,
                "source": row.source,
            },
        )
        if not SystemSweep.objects.filter(sweep=row.sweep, state=SweepState.WAITING).exists():
            Sweep.objects.filter(pk=row.sweep_id, ended_at=None).update(ended_at=now)


class _Shared:
    """The index of one sweep. It lives as long as a system of that sweep is read in this process, so that
    several at once need its memory once, and all are compared with the same people."""

    def __init__(self, sweep: Sweep) -> None:
        self._sweep = sweep
        self._lock = Lock()

    @property
    def index(self) -> Index:
        with self._lock:
            return self._read

    @cached_property
    def _read(self) -> Index:
        return read_index(now=self._sweep.started_at)


# By its moment too: a database that was put back or emptied counts its sweeps anew.
_indexes: WeakValueDictionary[tuple[int, datetime], _Shared] = WeakValueDictionary()
_indexes_lock = Lock()


def _shared_index(sweep: Sweep) -> _Shared:
    key = (sweep.pk, sweep.started_at)
    with _indexes_lock:
        found = _indexes.get(key)
        if found is None:
            found = _indexes[key] = _Shared(sweep)
        return found


def reconcile() -> None:
    """Ask again for every system that was not read, when a worker starts."""
    rows: Iterable[SystemSweep] = SystemSweep.objects.filter(state=SweepState.WAITING, sweep__ended_at=None)
    with transaction.atomic():
        for row in rows:
            ask_for(row)


def sweep_when_due(*, every_hours: float, now: datetime) -> Sweep | None:
    """Start a sweep when the last one began so long ago; never where `every_hours` is zero."""
    if every_hours <= 0:
        return None
    last = Sweep.objects.filter(is_scheduled=True).first()
    if last is not None and now < last.started_at + timedelta(hours=every_hours):
        return None
    return start_sweep(actor=engine_actor("daily ghost sweep"), now=now, is_scheduled=True)
