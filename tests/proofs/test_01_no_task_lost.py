"""No task is lost: what was acknowledged is done, once and whole, whoever is killed meanwhile.

Short: 20 kills of web, worker, console or database, each kind at least once. Long: 1,000, in rounds of 50.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.db import Error, connection
from sqlalchemy.exc import SQLAlchemyError

from partwell import clock
from partwell.departures.models import Departure
from partwell.engine.borrowed import client_for
from partwell.engine.lifeline import START_AGAIN
from partwell.evidence.models import Event
from partwell.evidence.verification import verify_database
from partwell.people.actors import console_actor
from partwell.people.models import Person
from partwell.people.roles import Role
from partwell.people.token_operations import create_token
from tests.factories import make_holder, publish
from tests.proofs.callers import Callers
from tests.proofs.databases import own_database
from tests.proofs.engine_processes import committed, open_runs
from tests.proofs.reckoning import Moments, Reckoning, reckon
from tests.proofs.struck import Target, target
from tests.struck_installation import Installation, until

SHORT, LONG, ROUND = 20, 1_000, 50
PEOPLE_FOR_EACH_KILL = 60
# Generous: a start is all CPU, and the machine may be busy. The figures say how long it took.
WITHIN_SECONDS = 240
# What is killed, and how often in a hundred kills.
KINDS = {
    "sqlite": {"worker": 55, "web": 15, "console": 20, "everything": 10},
    "postgresql": {
        "worker": 30,
        "web": 10,
        "console": 5,
        "everything": 5,
        "database": 25,
        "database process": 10,
        "connections": 15,
    },
}
# With `up`, each of these in every round. What is killed is found by a word in its command.
UP_KINDS = {
    "sqlite": ["worker", "web", "everything"],
    "postgresql": ["worker", "web", "database", "connections", "database for long", "everything"],
}
UP_LONG_ROUNDS = 10
WORDS = {"worker": "partwell.worker", "web": "granian"}
# Seconds that the database is away. The longer one is past every pause that grows with the failures.
OUTAGES = {"database": 2.0, "database for long": 10.0}
# The web server takes seconds to start. These wait for it, or hardly a request would ever be in flight.
NEED_WEB = {"web", "everything"}
# The others mostly wait for a worker that is at work, or hardly anything would ever be begun.
AT_WORK = 0.8


def test_what_was_acknowledged_is_done_once_and_whole_whoever_is_killed(
    tmp_path: Path, long: bool, figure: Callable[[str], None], django_db_blocker: Any
) -> None:
    total = Reckoning()
    for number, kills in enumerate([ROUND] * (LONG // ROUND) if long else [SHORT]):
        folder = tmp_path / str(number)
        folder.mkdir()
        seed = random.randrange(1_000_000)
        with django_db_blocker.unblock(), target(folder, seed=seed) as struck:
            found = strike_and_reckon(struck, kills, seed)
        figure(f"proof 1 ({connection.vendor}, seed {seed}): {found.text()}")
        assert not found.wrong
        total.add(found)
    if long:
        figure(f"proof 1 ({connection.vendor}), all rounds: {total.text()}")
    assert total.figures["acknowledged"] > total.kills.total() / 2


def strike_and_reckon(struck: Target, kills: int, seed: int) -> Reckoning:
    """One round: an installation is started, struck, left to itself, and looked at."""
    callers = prepare(struck.port, people=kills * PEOPLE_FOR_EACH_KILL, seed=seed)
    struck.start()
    callers.start()
    until(
        lambda: bool(callers.acknowledged()), seconds=WITHIN_SECONDS, what="the first journey is acknowledged"
    )
    moments = strike(struck, callers, kills, random.Random(seed))
    callers.stop()
    struck.end("console")
    done = wait_until_settled(struck, callers)
    found = reckon(callers, struck.ledger, moments, done)
    struck.stop()
    struck.database.start()
    record = verify_database(now=clock.now())
    assert record.is_whole, record.as_text()
    assert not callers.refused
    assert struck.workers_ended_with() <= {START_AGAIN}
    return found


def test_an_installation_that_was_started_with_up_comes_back_by_itself(
    tmp_path: Path, long: bool, figure: Callable[[str], None], django_db_blocker: Any
) -> None:
    """Nobody helps: the supervisor starts what was killed, and what lost its database finds it again.

    Only when everything was killed, supervisor included, is `up` started again, as at boot.
    """
    kinds = UP_KINDS[connection.vendor] * (UP_LONG_ROUNDS if long else 1)
    seed = random.randrange(1_000_000)
    dice = random.Random(seed)
    took: list[tuple[str, float]] = []
    with django_db_blocker.unblock(), own_database(tmp_path) as database:
        running = Installation(tmp_path, database_url=database.url)
        callers = prepare(running.port, people=20_000, seed=seed)
        try:
            running.start()
            callers.start()
            until(
                lambda: bool(advanced(callers, since=0.0)),
                seconds=WITHIN_SECONDS,
                what="a first journey is looked at",
            )
            supervisor = running.up
            for kind in kinds:
                if kind == "everything":
                    running.kill()
                    database.kill(dice)
                    supervisor = running.launch()  # before its database is there, as at boot
                    time.sleep(OUTAGES["database"])
                    database.start()
                elif kind in OUTAGES:
                    database.kill(dice)
                    time.sleep(OUTAGES[kind])
                    assert running.get("/healthz")[0] == 200, "web stays"
                    assert running.get("/readyz")[0] == 503, "and says that it cannot work"
                    database.start()
                elif kind == "connections":
                    database.break_connections(dice)
                else:
                    os.kill(running.pid_of(WORDS[kind]), signal.SIGKILL)
                struck_at = time.time()
                seconds = until(
                    lambda at=struck_at: bool(advanced(callers, since=at)),  # type: ignore[misc]
                    seconds=WITHIN_SECONDS,
                    what=f"after {kind}, a journey is acknowledged and looked at",
                )
                took.append((kind, seconds))
            callers.stop()
            until(
                lambda: advanced(callers, since=0.0) >= all_of(callers),
                seconds=WITHIN_SECONDS,
                what="all is done",
            )
            until(lambda: open_runs() == 0, seconds=WITHIN_SECONDS, what="no run is left open")
            assert supervisor is not None and supervisor.poll() is None
        finally:
            callers.stop()
            running.kill()
        departures = {str(key) for key in Departure.objects.values_list("pk", flat=True)}
    longest = {kind: max(seconds for each, seconds in took if each == kind) for kind, _ in took}
    figure(
        f"proof 1 ({connection.vendor}, seed {seed}), partwell up: {len(took)} kills,"
        f" {len(all_of(callers))} journeys acknowledged, {len(all_of(callers) - departures)} lost, 0 stuck;"
        f" work flowed again within {', '.join(f'{longest[kind]:.1f} s ({kind})' for kind in longest)}"
    )
    assert all_of(callers) <= departures
    assert not callers.refused


def all_of(callers: Callers) -> set[str]:
    return {call.departure for call in callers.acknowledged()}


def advanced(callers: Callers, *, since: float) -> set[str]:
    """The journeys that were asked for after this moment, and that a worker has looked at."""
    try:
        runs = client_for(connection.vendor).list_workflows(
            queue_name="journeys", status="SUCCESS", load_input=False, load_output=False
        )
    except (Error, SQLAlchemyError):
        connection.close()  # broken as well
        return set()
    looked_at = {run.queue_partition_key for run in runs}
    return {
        call.departure
        for call in callers.acknowledged()
        if call.sent_at >= since and call.departure in looked_at
    }


def prepare(port: int, *, people: int, seed: int) -> Callers:
    """Tables, a template, people who may leave, and who asks."""
    call_command("migrate", interactive=False, verbosity=0, skip_checks=True)
    publish(now=clock.now())
    emails = [f"leaver-{number}@harbour.example" for number in range(people)]
    Person.objects.bulk_create(
        [Person(name=f"Leaver {n}", email=email, timezone="UTC") for n, email in enumerate(emails)],
        batch_size=500,
    )
    hr = make_holder(Role.HR, "Amara Osei", now=clock.now())
    tokens = [
        create_token(scopes=["write"], email=hr.email, actor=console_actor(), now=clock.now())[1]
        for _ in range(3)
    ]
    last_day = (clock.now() + timedelta(days=30)).date().isoformat()
    connection.close()
    return Callers(port, "small", last_day, emails, tokens, seed)


def strike(struck: Target, callers: Callers, kills: int, dice: random.Random) -> Moments:
    """Kill again and again; what was killed, and when: of the database, the moment when it was back."""
    kinds = KINDS[connection.vendor]
    moments: Moments = []
    drawn = [*kinds, *dice.choices(list(kinds), list(kinds.values()), k=kills - len(kinds))]
    dice.shuffle(drawn)
    for kind in drawn:
        if kind in NEED_WEB:
            last = max((at for each, at in moments if each in NEED_WEB), default=0.0)
            until(
                partial(callers.is_answered_since, last),
                seconds=WITHIN_SECONDS,
                what="the web server is back",
            )
        elif kind != "console" and dice.random() < AT_WORK:
            until(lambda: bool(struck.workers_at_work()), seconds=WITHIN_SECONDS, what="a worker is at work")
        time.sleep(dice.uniform(0.1, 0.8))  # the moment of the next kill is part of the experiment
        struck.strike(kind)
        moments.append((kind, time.time()))
    return moments


def wait_until_settled(struck: Target, callers: Callers) -> set[str]:
    """What is done when nothing is left to do, or when it is too late for that."""

    def is_settled() -> bool:
        asked = committed() | {call.departure for call in callers.acknowledged()}
        is_sealed = not Event.objects.filter(sequence__isnull=True).exists()
        return is_sealed and open_runs() == 0 and asked <= struck.ledger.tasks("done")

    deadline = time.monotonic() + WITHIN_SECONDS
    while not is_settled() and time.monotonic() < deadline:
        time.sleep(0.5)
    return struck.ledger.tasks("done")
