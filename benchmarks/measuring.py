"""What the benchmarks share: a database of their own, and a table of figures with their budgets.

Each benchmark runs on SQLite in a temporary folder or, when PARTWELL_DATABASE_URL names a PostgreSQL
server, in a database made there for the run and dropped after it. Nothing that exists is touched.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4


@dataclass(frozen=True)
class Figure:
    """One measured value. `budget` is None where nothing is promised; `at_least` turns the sense around."""

    what: str
    value: float
    unit: str
    budget: float | None = None
    at_least: bool = False

    @property
    def is_kept(self) -> bool:
        if self.budget is None:
            return True
        return self.value >= self.budget if self.at_least else self.value <= self.budget


@contextmanager
def own_installation() -> Iterator[None]:
    """Django set up on an empty, migrated database that goes away with the block."""
    server = os.environ.get("PARTWELL_DATABASE_URL", "")
    with (
        tempfile.TemporaryDirectory(prefix="partwell-bench-") as folder,
        _own_database(server, folder) as url,
    ):
        os.environ |= {"PARTWELL_DATABASE_URL": url, "PARTWELL_DATA_DIR": folder}
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "partwell.config.settings")
        import django

        django.setup()
        from django.core.management import call_command
        from django.db import connections

        call_command("migrate", verbosity=0, interactive=False)
        try:
            yield
        finally:
            connections.close_all()


@contextmanager
def _own_database(server: str, folder: str) -> Iterator[str]:
    if not server.startswith("postgres"):
        yield f"sqlite://{Path(folder) / 'benchmark.sqlite3'}"
        return
    import psycopg

    name = f"partwell_bench_{uuid4().hex[:8]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'create database "{name}"')
    try:
        yield urlsplit(server)._replace(path=f"/{name}").geturl()
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f'drop database "{name}" with (force)')


def median_ms(work: Callable[[], Any], *, times: int) -> float:
    """The median of `times` runs, in milliseconds."""
    return statistics.median(milliseconds(work) for _ in range(times))


def milliseconds(work: Callable[[], Any]) -> float:
    """How long one run takes."""
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


def look_at(browser: Any, name: str, address: str, *, times: int) -> tuple[int, float]:
    """A page's queries, and the median of its milliseconds; `browser` is Django's test client."""
    queries = count_queries(browser, name, address)
    return queries, median_ms(lambda: browser.get(address), times=times)


def count_queries(browser: Any, name: str, address: str) -> int:
    """How many queries a page takes, once it was seen; with `--queries` the longest of them are printed."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    for _ in range(3):
        answer = browser.get(address)
        assert answer.status_code == 200, (name, answer.status_code)
    with CaptureQueriesContext(connection) as captured:
        browser.get(address)
        queries = list(captured)
    if "--queries" in sys.argv:
        for query in sorted(queries, key=lambda query: -float(query["time"]))[:6]:
            print(f"{name}: {query['time']} s: {query['sql'][:1500]}")
    return len(queries)


def beside(work: Callable[[], Any], floor: Callable[[], Any], *, times: int) -> tuple[float, float, float]:
    """The median of `times` runs in milliseconds; how many times the floor that is, run around each; the
    floor's own median in milliseconds.

    By the second, what is measured minutes apart is compared: a machine that others use too varies by then.
    """
    took, floors = [], [milliseconds(floor)]
    for _ in range(times):
        took.append(milliseconds(work))
        floors.append(milliseconds(floor))
    multiples = [
        2 * one / (before + after) for one, before, after in zip(took, floors, floors[1:], strict=False)
    ]
    return statistics.median(took), statistics.median(multiples), statistics.median(floors)


def report(title: str, figures: list[Figure]) -> int:
    """Print the table; 1 when a budget is not kept and the command line says `--check`."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--check", action="store_true")
    is_check = parser.parse_known_args()[0].check
    vendor = "PostgreSQL" if os.environ["PARTWELL_DATABASE_URL"].startswith("postgres") else "SQLite"
    print(f"\n{title} · {vendor}")
    for figure in figures:
        budget = ""
        if figure.budget is not None:
            sense = "at least" if figure.at_least else "at most"
            budget = f"{sense} {figure.budget:g} {figure.unit}".rstrip()
            budget += "" if figure.is_kept else "   OVER BUDGET"
        print(f"  {figure.what:<58} {figure.value:9.2f} {figure.unit:<8} {budget}")
    sys.stdout.flush()
    return 1 if is_check and not all(figure.is_kept for figure in figures) else 0
