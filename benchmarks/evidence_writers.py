"""Eight writers, with and without the sequencer: how much of their rate do they keep?

    python benchmarks/evidence_writers.py [--seconds 5] [--writers 8]

Each transaction is a small action with its evidence, as an operation commits it. Both rates are measured in
one run, in turns, on a database of its own: a file of SQLite, or, when PARTWELL_DATABASE_URL names a
PostgreSQL server, a database made there for this run and dropped after it. The promise is a ratio of 0.5.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import tempfile
import time
from multiprocessing.synchronize import Event as Signal
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

PROMISED, TURNS, EVERY = 0.5, 3, 0.5


def set_up(url: str, data_dir: str) -> None:
    """Bring up Partwell in this process, on the benchmark's own database."""
    os.environ["PARTWELL_DATABASE_URL"], os.environ["PARTWELL_DATA_DIR"] = url, data_dir
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "partwell.config.settings")
    import django

    django.setup()


def write(
    url: str, data_dir: str, ready: Signal, go: Signal, stop: Signal, counts: multiprocessing.Queue
) -> None:
    """Commit small actions with their evidence until told to stop; report how many."""
    set_up(url, data_dir)
    from django.db import transaction

    from partwell import clock
    from partwell.evidence.operations import record
    from partwell.people.models import Person

    count, person = 0, Person.objects.create(name="Benchmark", email=f"{uuid4()}@example.org")
    ready.set()
    go.wait()
    while not stop.is_set():
        with transaction.atomic():
            Person.objects.filter(pk=person.pk).update(title=f"title {count}")
            record(
                "person.changed", scope="register", actor="Nora", at=clock.now(), fields={"title": str(count)}
            )
        count += 1
    counts.put(count)


def sequence(
    url: str, data_dir: str, ready: Signal, go: Signal, stop: Signal, counts: multiprocessing.Queue
) -> None:
    """What the worker does: sequence every half second. Reports how many were still waiting at the end."""
    set_up(url, data_dir)
    from partwell import clock
    from partwell.evidence.models import Event
    from partwell.evidence.sequencer import sequence_pending

    ready.set()
    go.wait()
    while not stop.wait(EVERY):
        sequence_pending(now=clock.now())
    counts.put(-Event.objects.filter(sequence__isnull=True).count())


def rate(url: str, data_dir: str, writers: int, seconds: float, *, with_sequencer: bool) -> tuple[float, int]:
    """Transactions a second of all writers together, and the events waiting for the tree at the end."""
    context = multiprocessing.get_context("spawn")
    go, stop, counts = context.Event(), context.Event(), context.Queue()
    tasks = [write] * writers + [sequence] * with_sequencer
    signals = [context.Event() for _ in tasks]
    processes = [
        context.Process(target=task, args=(url, data_dir, ready, go, stop, counts))
        for task, ready in zip(tasks, signals, strict=True)
    ]
    for process in processes:
        process.start()
    for ready in signals:
        if not ready.wait(60):
            raise SystemExit("a writer did not start within 60 s")
    started = time.perf_counter()
    go.set()
    time.sleep(seconds)
    stop.set()
    results = [counts.get(timeout=60) for _ in processes]
    elapsed = time.perf_counter() - started
    for process in processes:
        process.join()
    return sum(each for each in results if each > 0) / elapsed, -sum(each for each in results if each < 0)


def own_database(server: str, data_dir: str) -> tuple[str, str]:
    """The URL of a database for this run alone, and its name on the server (empty for SQLite)."""
    if not server.startswith("postgres"):
        return f"sqlite://{Path(data_dir) / 'benchmark.sqlite3'}", ""
    import psycopg

    name = f"partwell_benchmark_{uuid4().hex[:8]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'create database "{name}"')
    return urlsplit(server)._replace(path=f"/{name}").geturl(), name


def drop_database(server: str, name: str) -> None:
    """Remove the database that this run made on the server."""
    import psycopg

    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'drop database "{name}" with (force)')


def main() -> int:
    """Measure in turns, print both rates and their ratio; 1 when the promise is not kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--writers", type=int, default=8)
    parser.add_argument("--check", action="store_true", help="exit 1 when the promise is not kept")
    arguments = parser.parse_args()
    server = os.environ.get("PARTWELL_DATABASE_URL", "")
    with tempfile.TemporaryDirectory(prefix="partwell-benchmark-") as data_dir:
        url, name = own_database(server, data_dir)
        try:
            kept = measure(url, data_dir, arguments.writers, arguments.seconds)
            return 1 if arguments.check and not kept else 0
        finally:
            if name:
                drop_database(server, name)


def measure(url: str, data_dir: str, writers: int, seconds: float) -> bool:
    """Take the turns on a fresh database, print what they gave, and say whether the promise is kept."""
    set_up(url, data_dir)
    from django.core.management import call_command
    from django.db import connections

    call_command("migrate", verbosity=0)
    connections.close_all()
    without, beside, waiting = [], [], 0
    for _ in range(TURNS):
        without.append(rate(url, data_dir, writers, seconds, with_sequencer=False)[0])
        drain()
        per_second, waiting = rate(url, data_dir, writers, seconds, with_sequencer=True)
        beside.append(per_second)
        drain()
    floor, kept = sorted(without)[TURNS // 2], sorted(beside)[TURNS // 2]
    print(f"evidence_writers · {url.split(':')[0]} · {writers} writers · median of {TURNS} × {seconds:g} s")
    print(f"  sequencing off  {floor:8.0f} transactions/s")
    print(f"  sequencing on   {kept:8.0f} transactions/s, {waiting} events waiting at the end")
    print(f"  ratio           {kept / floor:8.2f} (promised: at least {PROMISED})")
    return kept / floor >= PROMISED


def drain() -> None:
    """Sequence what the last turn left, so that no turn pays for another."""
    from django.db import connections

    from partwell import clock
    from partwell.evidence.sequencer import sequence_pending

    sequence_pending(now=clock.now())
    connections.close_all()


if __name__ == "__main__":
    sys.exit(main())
