"""Proof 2: no double effect. Connector actions with a crash at each of five points, counted in a ledger.

The ledger is written by the target together with the effect itself, so it cannot disagree with the truth.
Short: 100 actions × 5 crash points. Long: 10,000 × 5.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from partwell.access import asking
from partwell.access.models import SystemRun
from partwell.access.runs import run_system
from tests.access_world import World, make_departure, make_world

ACTIONS_PER_ACCOUNT = 5
POINTS = (
    ("write_intents", "before"),
    ("write_intents", "after"),
    ("call", "after"),
    ("write_outcomes", "before"),
    ("write_outcomes", "after"),
)


class Crash(BaseException):
    """Stands for kill -9: nothing catches it."""


@pytest.mark.django_db
def test_no_action_has_a_double_effect_wherever_the_process_dies(
    tmp_path: Path, long: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    leavers = (10_000 if long else 100) // ACTIONS_PER_ACCOUNT
    randomly = random.Random(20261122)
    due: dict[str, tuple[str, int] | None] = {"at": None}
    crashes: Counter[str] = Counter()

    def dying(name: str, original: Any) -> Any:
        def run(*args: Any, **kwargs: Any) -> Any:
            def die_if(when: str) -> None:
                if due["at"] is None or due["at"][0] != f"{name}:{when}":
                    return
                point, left = due["at"]
                due["at"] = (point, left - 1) if left else None
                if not left:
                    crashes[point] += 1
                    raise Crash

            die_if("before")
            result = original(*args, **kwargs)
            die_if("after")
            return result

        return run

    for name in ("write_intents", "call", "write_outcomes"):
        monkeypatch.setattr(asking, name, dying(name, getattr(asking, name)))
    first: World | None = None
    for point, when in POINTS:
        for number in range(leavers):
            email = f"leaver-{point}-{when}-{number}@firm.example"
            if first is None:
                first = world = make_world(tmp_path, make_departure(email))
                world.add_system("mail", accounts=0)
            else:
                world = World(
                    first.store, make_departure(email), first.requester, first.approver, first.console
                )
            world.add_account("mail", email, emails=[email], login=email)
            plan = world.plan(delete_in=["mail"])
            world.approve(plan)
            world.apply(plan)
            due["at"] = (f"{point}:{when}", randomly.randrange(ACTIONS_PER_ACCOUNT - 1))
            run = SystemRun.objects.get(plan=plan)
            with pytest.raises(Crash):
                run_system(str(run.plan_id), str(run.system_id))
            world.run()
            assert world.is_settled
    assert first is not None
    effects = Counter((effect.account, effect.verb) for effect in first.store.ledger())
    doubled = {key: count for key, count in effects.items() if count > 1}
    with capsys.disabled():
        print(
            f"\n  proof 2: {len(effects):,} effects, {sum(crashes.values()):,} crashes "
            f"at {len(crashes)} points → {len(doubled)} doubled"
        )
    assert not doubled
    assert len(effects) == leavers * len(POINTS) * ACTIONS_PER_ACCOUNT


CHILD = """
import os, sys
from django.conf import settings
settings.DATABASES["default"]["NAME"] = sys.argv[1]
import django
django.setup()
from partwell.access.runs import run_system
run_system(sys.argv[2], sys.argv[3])
"""


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("mode", ["dies_before", "dies_after"])
def test_a_real_kill_in_the_middle_of_a_call_is_recovered_from(tmp_path: Path, mode: str) -> None:
    world = make_world(tmp_path)
    world.add_system("mail")
    plan = world.plan()
    world.approve(plan)
    world.apply(plan)
    world.store.set_mode("mail", mode)
    run = SystemRun.objects.get()
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "partwell.config.settings"}
    child = subprocess.run(
        [
            sys.executable,
            "-c",
            CHILD,
            str(connection.settings_dict["NAME"]),
            str(plan.pk),
            str(run.system_id),
        ],
        env=environment,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert child.returncode == -signal.SIGKILL, child.stderr.decode()
    assert world.states("mail")["block_sign_in"] == "requested", "the intent outlived the process"
    world.run()
    assert world.is_settled, "a claim of a dead process holds nobody up"
    assert sorted(world.effects("mail")) == [
        "block_sign_in",
        "remove_entitlements",
        "revoke_sessions",
        "suspend",
    ]
