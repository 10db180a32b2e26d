"""The auditor's page over a year: 10,000 leavers with 100,000 accounts, its server time and its queries.

    scripts/bench auditing

Whole requests through Django's own client, middleware and sign-in included, as an HR user. The floor is one
bare count of the same accounts with their departures, in the same database.
"""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime, timedelta
from typing import Any

from benchmarks.measuring import Figure, look_at, median_ms, own_installation, report

LEAVERS, WITHOUT, EACH, STAFF, TIMES, DRAWN = 10_000, 100, 10, 10_000, 15, 25
SINCE, UNTIL = date(2025, 11, 1), date(2026, 10, 31)
NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
MILLISECONDS, QUERIES = 500.0, 18
BATCH = 500


def fill() -> Any:
    """The leavers with their departures and accounts, some late and some open; everybody who is here; HR."""
    from partwell.access.models import AccountRecord, System
    from partwell.departures.models import Departure
    from partwell.evidence.sequencer import sequence_pending
    from partwell.people.actors import console_actor
    from partwell.people.models import Installation, Person
    from partwell.people.operations import grant_role

    Installation.objects.create(company_name="Harbour & Vale", initialised_at=NOW)
    Person.objects.create(name="Hanna Weiss", email="hanna@firm.example")
    hanna = grant_role(email="hanna@firm.example", role="hr", actor=console_actor(), now=NOW).user
    systems = [
        System.objects.create(
            name=f"system-{n}", title=f"System {n}", connector="fake", created_at=NOW,
            sla_class=("critical", "high", "normal")[n % 3],
        )
        for n in range(EACH)
    ]  # fmt: skip
    for start in range(0, LEAVERS + STAFF, BATCH):
        numbers = range(start, start + BATCH)
        people = Person.objects.bulk_create(
            Person(
                email=f"person{n}@firm.example",
                name=f"Person {n}",
                department="Platform",
                start_date=date(2020, 1, 1),
                left_on_date=_day(n) if n < LEAVERS else None,
            )
            for n in numbers
        )
        departures = Departure.objects.bulk_create(
            Departure(
                subject_kind="staff", person=person, subject_name=person.name, subject_department="Platform",
                scenario="x", initiated_by="leaver", notice_date=_day(n) - timedelta(days=30),
                last_working_date=_day(n), contract_end_date=_day(n), timezone="UTC", state="closed",
                access_end_at=datetime.combine(_day(n), datetime.min.time(), UTC) + timedelta(hours=17),
                created_at=NOW,
            )
            for n, person in zip(numbers, people, strict=True)
            if n < LEAVERS - WITHOUT
        )  # fmt: skip
        AccountRecord.objects.bulk_create(
            AccountRecord(
                departure=departure, system=system, external_id=f"{departure.pk}",
                login=departure.subject_name,
                state="failed" if place % 97 == 0 else "verified",
                revoked_at=None if place % 97 == 0
                else departure.access_end_at + timedelta(minutes=place % 7 * place % 11 * 40),
            )
            for place, (departure, system) in enumerate(
                ((departure, system) for departure in departures for system in systems), start * EACH
            )
        )  # fmt: skip
    sequence_pending(now=NOW)
    return hanna


def _day(number: int) -> date:
    return SINCE + timedelta(days=number % ((UNTIL - SINCE).days + 1))


def main() -> int:
    """Measure the page of the period and that of a sample."""
    with own_installation():
        from django.db import connection
        from django.test import Client

        from partwell.access.models import AccountRecord
        from partwell.closure.audits.samples import draw
        from partwell.people.actors import console_actor

        user = fill()
        with connection.cursor() as cursor:
            cursor.execute("analyze")
        sample = draw(
            since=SINCE, until=UNTIL, size=DRAWN, seed="4711", actor=console_actor(), now=NOW
        )  # fmt: skip
        browser = Client(SERVER_NAME="localhost")
        browser.force_login(user)
        figures = []
        for name, address in (
            ("a year", f"/evidence/audits/?since={SINCE}&until={UNTIL}"),
            (f"a sample of {DRAWN}", f"/evidence/audits/{sample.id}/"),
        ):
            queries, median = look_at(browser, name, address, times=TIMES)
            figures += [
                Figure(f"{name}: server time", median, "ms", MILLISECONDS),
                Figure(f"{name}: queries", queries, "", QUERIES if name == "a year" else None),
            ]
        accounts = AccountRecord.objects.filter(departure__last_working_date__range=(SINCE, UNTIL))
        figures.append(
            Figure("a bare count of the accounts (the floor)", median_ms(accounts.count, times=TIMES), "ms")
        )
        return report(f"Auditing, {LEAVERS:,} leavers, {LEAVERS * EACH:,} accounts", figures)


if __name__ == "__main__":
    sys.exit(main())
