"""No task is lost: what was acknowledged is done, once and whole, whoever is killed meanwhile.

Short: 20 kills of web, worker, console or database, each kind at least once. Long: 1,000.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.db import Error, connection
from django.db.models import Count
from sqlalchemy.exc import SQLAlchemyError

from partwell import clock
from partwell.api.models import KeptAnswer
from partwell.departures.models import Departure
from partwell.engine.borrowed import client_for
from partwell.engine.lifeline import START_AGAIN
from partwell.evidence.models import Event
from partwell.evidence.operations import departure_scope
from partwell.evidence.verification import verify_database
from partwell.people.actors import console_actor
from partwell.people.models import Person
from partwell.people.roles import Role
from partwell.people.token_operations import create_token
from tests.factories import make_holder, publish
from tests.proofs.callers import Call, Callers
from tests.proofs.databases import own_database
from tests.proofs.engine_processes import Ledger, committed, open_runs
from tests.proofs.struck import Target, target
from tests.struck_installation import Installation, until

SHORT, LONG = 20, 1_000
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


def test_what_was_acknowledged_is_done_once_and_whole_whoever_is_killed(
    tmp_path: Path, long: bool, figure: Callable[[str], None], django_db_blocker: Any
) -> None:
    kills = LONG if long else SHORT
    seed = random.randrange(1_000_000)
    figure(f"proof 1 ({connection.vendor}): seed {seed}")
    with django_db_blocker.unblock(), target(tmp_path, seed=seed) as struck:
        callers = prepare(struck.port, people=kills * PEOPLE_FOR_EACH_KILL, seed=seed)
        struck.start()
        callers.start()
        until(
            lambda: bool(callers.acknowledged()),
            seconds=WITHIN_SECONDS,
            what="the first journey is acknowledged",
        )
        moments = strike(struck, callers, kills, random.Random(seed))
        callers.stop()
        struck.end("console")
        done = wait_until_settled(struck, callers)
        found = Found(callers, struck.ledger, done)
        struck.stop()
        struck.database.start()
        record = verify_database(now=clock.now())
        figure(found.text(moments))
        assert not callers.refused
        assert struck.workers_ended_with() <= {START_AGAIN}
        assert (found.lost, found.half, found.doubled, found.stuck) == (0, 0, 0, 0)
        assert not found.refused_but_done
        assert record.is_whole, record.as_text()
        assert len(found.acknowledged) > kills


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


def strike(struck: Target, callers: Callers, kills: int, dice: random.Random) -> list[tuple[str, float]]:
    """Kill again and again; what was killed, and when: of the database, the moment when it was back."""
    kinds = KINDS[connection.vendor]
    moments: list[tuple[str, float]] = []
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


class Found:
    """What the database and the ledger say in the end, against what was acknowledged."""

    def __init__(self, callers: Callers, ledger: Ledger, done: set[str]) -> None:
        self._ledger = ledger
        self.calls = callers.calls
        self.acknowledged = callers.acknowledged()
        departures = list(Departure.objects.annotate(steps=Count("journey__steps")).select_related("person"))
        by_person = Counter(departure.person.email for departure in departures if departure.person)
        self.committed = committed()
        self.lost = sum(not by_person[call.person] for call in self.acknowledged)
        self.lost += len(ledger.tasks("asked") - self.committed)
        self.doubled = sum(count - 1 for count in by_person.values() if count > 1)
        self.half = sum(not is_whole(departure) for departure in departures)
        self.half += abs(KeptAnswer.objects.filter(status=201).count() - len(departures))
        self.stuck = len({str(each.pk) for each in departures} - done)
        self.stuck += len(self.committed - done) + open_runs()
        self.refused = ledger.tasks("refused")
        self.refused_but_done = self.refused & (done | self.committed)
        self.unknown_but_whole = len(departures) - len(self.acknowledged)
        self.begun_again = len(ledger.lines("begin")) - len(done)

    def text(self, moments: list[tuple[str, float]]) -> str:
        kills = Counter(kind for kind, _ in moments)
        longest = longest_recoveries(moments, self.acknowledged, self._ledger)
        again = sum(call.tries > 1 for call in self.acknowledged)
        given_up = len(self.calls) - len(self.acknowledged)
        return (
            f"{len(moments)} kills: {', '.join(f'{kills[kind]} {kind}' for kind in sorted(kills))}\n"
            f"  {len(self.calls)} journeys asked for over HTTP, {len(self.acknowledged)} acknowledged,"
            f" {again} of them not at the first try;"
            f" {given_up} given up, of which {self.unknown_but_whole} are there\n"
            f"  {len(self.committed)} tasks of the console, {len(self.refused)} refused\n"
            f"  lost {self.lost}, half done {self.half}, doubled {self.doubled}, stuck {self.stuck};"
            f" {self.begun_again} runs began again\n"
            "  longest until all that a kill struck was done: "
            + ", ".join(f"{kind} {longest[kind]:.1f} s" for kind in sorted(longest))
        )


def is_whole(departure: Any) -> bool:
    """Whether all that starting a journey writes is there: steps, participants and one event."""
    started = Event.objects.filter(scope=departure_scope(departure.pk), kind="journey.started").count()
    return departure.steps == 6 and started == 1 and departure.participants.exists()


def longest_recoveries(
    moments: list[tuple[str, float]], calls: Collection[Call], ledger: Ledger
) -> dict[str, float]:
    """For each kind of kill, the longest time from it until all that had been asked for was done, and the
    first thing that was asked for afterwards too."""
    done: dict[str, float] = {}
    for line in ledger.lines("done"):
        done.setdefault(line.task, line.at)
    tasks = sorted(
        (call.sent_at, call.acknowledged_at, done[call.departure])
        for call in calls
        if call.acknowledged_at is not None and call.departure in done
    )
    longest: dict[str, float] = defaultdict(float)
    for kind, at in moments:
        struck = [finished for _, acknowledged, finished in tasks if acknowledged <= at < finished]
        following = [finished for sent, _, finished in tasks if sent >= at][:1]
        longest[kind] = max(longest[kind], *(finished - at for finished in [*struck, *following]), 0.0)
    return longest
