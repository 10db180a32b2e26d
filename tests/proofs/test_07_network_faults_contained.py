"""Proof 7: one system that stalls and one that loses a third of its calls hold up none of the others.

Short: 2 leavers × 6 systems, a stall of 8 s. Long: 20 leavers × 12 systems, a stall of 30 s.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from partwell import clock
from partwell.access import operations
from partwell.access.models import AccountRecord
from partwell.access.runs import run_plan
from tests.access_world import World, make_departure, make_world


@pytest.mark.django_db(transaction=True)
def test_the_others_finish_on_time(tmp_path: Path, long: bool, capsys: pytest.CaptureFixture[str]) -> None:
    leavers, healthy, stall = (20, 10, 30.0) if long else (2, 4, 8.0)
    first = make_world(tmp_path)
    names = [f"healthy-{number}" for number in range(healthy)]
    for name in (*names, "stalling", "losing"):
        first.add_system(name, accounts=0, time_limit_seconds=stall)
    first.store.set_mode("stalling", "slow", seconds=3600)
    first.store.set_mode("losing", "flaky", share=0.3)
    slowest = 0.0
    for number in range(leavers):
        email = f"leaver-{number}@firm.example"
        departure = make_departure(email)
        world = World(first.store, departure, first.requester, first.approver, first.console)
        for name in (*names, "stalling", "losing"):
            world.add_account(name, f"{name}:{email}", emails=[email], login=email)
        world.departure.access_end_at = clock.now()
        world.departure.save()
        started = time.monotonic()
        plan = operations.enforce_access_end(departure_id=departure.pk, now=clock.now())
        assert plan is not None
        work = threading.Thread(target=run_plan, args=(str(plan.pk),))
        work.start()
        # What the standing rule leaves for an approval stays planned; all it may do must be read back.
        while _unproven(world, names):
            assert time.monotonic() - started < stall, "a healthy system waited for the stalling one"
            time.sleep(0.02)
        slowest = max(slowest, time.monotonic() - started)
        work.join()
        states = dict(AccountRecord.objects.filter(departure=departure).values_list("system__name", "state"))
        assert states["stalling"] == "unreachable"
        assert not world.is_settled
    with capsys.disabled():
        print(
            f"\n  proof 7: {leavers} leavers, stall {stall:g} s → the others read back within {slowest:.2f} s"
        )


def _unproven(world: World, names: list[str]) -> bool:
    proven = {
        row["system"]
        for row in world.view()["changes"]
        if row["action"] == "suspend" and row["state"] == "verified"
    }
    return not set(names) <= proven
