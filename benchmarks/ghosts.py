"""The ghost sweep: a million accounts against a hundred thousand people who have left.

    python -m benchmarks.ghosts [--accounts 1000000] [--left 100000] [--here 225000]

A process of its own reads everybody from the database and passes over the accounts page by page, keeping
what differs, as a worker does; its peak of memory is what the system counts for it. The floor is the bare
pass over the same stream with one look into one dictionary of those who have left, in the same process.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from benchmarks.measuring import Figure, own_installation, report

if TYPE_CHECKING:
    from partwell.connector_kit.contract import Account

SECONDS, MEGABYTES = 30, 300
PAGE, BATCH = 500, 2000
NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
FIRST = ("ada", "ben", "carla", "dmitri", "elif", "farid", "greta", "hugo", "ines", "jonas")
LAST = ("abara", "brandt", "costa", "dubois", "eriksen", "fischer", "greco", "haas", "ivanova", "jansen")


def name(number: int) -> str:
    """Somebody's login: ten thousand pairs of names and a number."""
    return f"{FIRST[number % 10]}.{LAST[number // 10 % 10]}{number}"


def stream(accounts: int, left: int, here: int) -> Iterator[list[Account]]:
    """Pages of accounts as a connector gives them. Of those who have left nearly all are inactive; one in two
    hundred is active again, one in a thousand was never known, and one in five hundred is of nobody."""
    from partwell.connector_kit.contract import Account

    page: list[Account] = []
    for number in range(accounts):
        who = number % (left + here)
        login, mail, is_active = name(who), f"{name(who)}@example.com", who >= left or number % 200 == 0
        external_id = f"id-{number}" if number < left or number % 1000 else f"second-{number}"
        if number % 500 == 1:
            login, mail = f"x{login}", f"x{mail}"
        page.append(Account(external_id, login, is_active=is_active, emails=(mail,)))
        if len(page) == PAGE:
            yield page
            page = []
    if page:
        yield page


def fill(left: int, here: int) -> None:
    """Everybody with an alias, whoever has left with a departure and one account that was cut."""
    from partwell.access.models import AccountRecord, Change, Plan, System
    from partwell.departures.models import Departure
    from partwell.people.models import Person, PersonAlias

    system = System.objects.create(name="directory", title="Directory", connector="fake", created_at=NOW)
    for start in range(0, left + here, BATCH):
        numbers = range(start, min(start + BATCH, left + here))
        people = Person.objects.bulk_create(
            Person(
                email=f"{name(n)}@example.com",
                name=name(n),
                username=name(n),
                employee_number=f"E{n}",
                left_on_date=date(2026, 9, 30) if n < left else None,
            )
            for n in numbers
        )
        PersonAlias.objects.bulk_create(
            PersonAlias(person=person, email=f"{name(n)}@old.example")
            for n, person in zip(numbers, people, strict=True)
        )
        departures = Departure.objects.bulk_create(
            Departure(
                subject_kind="staff", person=person, subject_name=person.name, subject_email=person.email,
                scenario="x", initiated_by="leaver", notice_date=date(2026, 8, 1),
                last_working_date=date(2026, 9, 30), contract_end_date=date(2026, 9, 30),
                access_end_at=NOW - timedelta(days=56), timezone="UTC", state="closed", created_at=NOW,
            )
            for n, person in zip(numbers, people, strict=True)
            if n < left
        )  # fmt: skip
        accounts = AccountRecord.objects.bulk_create(
            AccountRecord(
                departure=departure, system=system, external_id=f"id-{n}", login=name(n), state="verified",
                revoked_at=NOW - timedelta(days=56),
            )
            for n, departure in zip(numbers, departures, strict=False)
        )  # fmt: skip
        plans = Plan.objects.bulk_create(
            Plan(departure=departure, version=1, checksum="c" * 64, made_at=NOW, made_by="benchmark")
            for departure in departures
        )
        Change.objects.bulk_create(
            Change(plan=plan, account=account, verb="suspend", position=1, state="verified")
            for plan, account in zip(plans, accounts, strict=True)
        )


def sweep(accounts: int, left: int, here: int) -> None:
    """In the process that is measured: the floor, then the sweep; figures as JSON."""
    import django

    django.setup()
    import resource

    from partwell.access.ghosts.sweeping import PassOver
    from partwell.access.models import Ghost, Sweep, System, SystemSweep

    gone = {f"{name(number)}@example.com": number for number in range(left)}
    began = time.perf_counter()
    matched = sum(each.emails[0] in gone for page in stream(accounts, left, here) for each in page)
    floor = time.perf_counter() - began
    del gone
    row = SystemSweep.objects.create(
        sweep=Sweep.objects.create(started_at=NOW, started_by="benchmark"), system=System.objects.get()
    )
    began = time.perf_counter()
    passing = PassOver(row)
    for page in stream(accounts, left, here):
        passing.take(page, now=NOW)
    passing.end(now=NOW)
    figures = {
        "floor": floor,
        "matched": matched,
        "sweep": time.perf_counter() - began,
        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "kept": Ghost.objects.count(),
        "accounts": passing.accounts,
    }
    print(json.dumps(figures))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, default=1_000_000)
    parser.add_argument("--left", type=int, default=100_000)
    parser.add_argument("--here", type=int, default=225_000)
    parser.add_argument("--sweep", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_known_args()[0]
    sizes = (given.accounts, given.left, given.here)
    if given.sweep:
        sweep(*sizes)
        return 0
    with own_installation():
        fill(given.left, given.here)
        figures = _measured(*sizes)
    return report(
        f"Ghost sweep, {given.accounts:,} accounts × {given.left:,} who have left, {given.here:,} here",
        [
            Figure("sweep, with reading everybody and keeping differences", figures["sweep"], "s", SECONDS),
            Figure("a pass with one look into a dictionary (the floor)", figures["floor"], "s"),
            Figure("sweep ÷ floor", figures["sweep"] / figures["floor"], "×"),
            Figure("peak of memory of the process", figures["megabytes"], "MB", MEGABYTES),
            Figure("differences kept", figures["kept"], ""),
        ],
    )


def _measured(accounts: int, left: int, here: int) -> dict[str, Any]:
    sizes = [f"--accounts={accounts}", f"--left={left}", f"--here={here}"]
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.ghosts", "--sweep", *sizes],
        env=dict(os.environ),
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    figures: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    if figures["accounts"] != accounts or not figures["kept"]:
        sys.exit(f"The sweep did not do its work: {figures}")
    return figures


if __name__ == "__main__":
    sys.exit(main())
