"""Importing 20,000 people, against inserting the identical rows in bulk in the same run.

    python benchmarks/csv_import.py            # SQLite in a temporary folder
    PARTWELL_DATABASE_URL=postgresql://… python benchmarks/csv_import.py    # an empty database

Prints seconds, the ratio and the peak of memory; fails above 60 s.
"""

from __future__ import annotations

import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

ROWS = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
LIMIT_SECONDS = 60

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "partwell.config.settings")
os.environ["PARTWELL_DATA_DIR"] = tempfile.mkdtemp(prefix="partwell-bench-")

import django  # noqa: E402

django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import connection, transaction  # noqa: E402

from partwell import clock  # noqa: E402
from partwell.people import operations  # noqa: E402
from partwell.people.actors import console_actor  # noqa: E402
from partwell.people.exports import export_people  # noqa: E402
from partwell.people.imports.writing import BATCH  # noqa: E402
from partwell.people.models import Person, PersonAlias  # noqa: E402

HEADER = (
    "email,name,manager_email,department,title,start_date,country,timezone,employment_type,aliases,username,"
    "employee_number\n"
)


def csv_file(title: str) -> bytes:
    """A firm in which everybody has eight reports, managers often further down than their people."""
    lines = []
    for n in reversed(range(ROWS)):
        manager = f"p{(n - 1) // 8}@example.com" if n else ""
        lines.append(
            f"p{n}@example.com,Person {n},{manager},Department {n % 40},{title},2020-01-{n % 28 + 1:02d},DE,"
            f"Europe/Berlin,permanent,alias{n}@example.com,user{n},E{n}\n"
        )
    return (HEADER + "".join(lines)).encode()


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def insert_identical() -> None:
    """The floor: the rows as they are stored, inserted in bulk and in one transaction."""
    people = list(Person.objects.order_by("pk"))
    aliases = list(PersonAlias.objects.order_by("pk"))
    PersonAlias.objects.all().delete()
    Person.objects.update(manager=None)
    Person.objects.all().delete()

    def insert() -> None:
        with transaction.atomic():
            Person.objects.bulk_create(people, batch_size=BATCH)
            PersonAlias.objects.bulk_create(aliases, batch_size=BATCH)

    seconds, _ = timed(insert)
    print(f"bulk insert of the identical rows   {seconds:6.2f} s")
    results["floor"] = seconds


def run(what: str, title: str) -> None:
    data = csv_file(title)
    seconds, report = timed(
        lambda: operations.import_people(data=data, actor=console_actor(), now=clock.now())
    )
    assert report.is_applied, report.bad_lines[:3]
    print(
        f"import, {what:<27} {seconds:6.2f} s   "
        f"{report.created} new, {report.updated} changed, {report.unchanged} unchanged"
    )
    results[what] = seconds


results: dict[str, float] = {}
call_command("migrate", verbosity=0)
if Person.objects.exists():
    sys.exit("The database has people in it; give an empty one.")
print(f"{connection.vendor}, {ROWS:,} rows")
run("everybody new", "Engineer")
run("nothing changed", "Engineer")
run("everybody changed", "Senior engineer")
seconds, _ = timed(lambda: export_people(actor=console_actor(), now=clock.now()))
print(f"export                              {seconds:6.2f} s")
insert_identical()
print(f"ratio of a first import to the floor: {results['everybody new'] / results['floor']:.1f} x")
print(f"peak of memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB")
slowest = max(results.values())
sys.exit(f"{slowest:.0f} s is over the limit of {LIMIT_SECONDS} s" if slowest > LIMIT_SECONDS else 0)
