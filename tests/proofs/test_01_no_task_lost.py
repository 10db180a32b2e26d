"""No task is lost: what has committed is done, whoever is killed meanwhile."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from django.db import connection

from tests.proofs.engine_processes import committed, open_runs, processes, until

SHORT, LONG = 12, 1_000


@pytest.mark.django_db(transaction=True)
def test_what_has_committed_is_done_however_many_processes_are_killed(
    tmp_path: Path, long: bool, figure: Callable[[str], None]
) -> None:
    kills = LONG if long else SHORT
    seed = random.randrange(1_000_000)
    dice = random.Random(seed)
    with processes(tmp_path) as started:
        running = {
            "worker-1": started.worker(task_seconds=0.2),
            "worker-2": started.worker(task_seconds=0.2),
            "web": started.asker(0),
        }
        until(lambda: bool(started.ledger.lines("done")), seconds=20, what="the first task is done")
        for number in range(1, kills + 1):
            name = dice.choice(list(running))
            running[name].kill()
            running[name].join()
            running[name] = started.asker(number) if name == "web" else started.worker(task_seconds=0.2)
            time.sleep(dice.uniform(0.2, 0.8))  # the moment of the next kill is part of the experiment
        running["web"].kill()
        running["web"].join()
        asked = committed()
        until(lambda: asked <= started.ledger.tasks("done"), seconds=30, what="every task is done")
        until(lambda: open_runs() == 0, seconds=10, what="no run is left open")
        done, refused = started.ledger.tasks("done"), started.ledger.tasks("refused")
        begun = len(started.ledger.lines("begin"))
    figure(
        f"proof 1 ({connection.vendor}, seed {seed}): {kills} kills, {len(asked)} tasks committed,"
        f" {len(asked - done)} lost, 0 stuck, {begun - len(done)} begun again, {len(refused)} refused"
        f" of which {len(refused & done)} ran"
    )
    assert asked == done
    assert not refused & done
    assert len(asked) > kills
