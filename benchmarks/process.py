"""The page of the process over a year: 10,000 departures with 400,000 steps, its server time and its queries.

    scripts/bench process

Whole requests through Django's own client, middleware and sign-in included, as an HR user. The floor is one
bare count of the same steps with their departures, in the same database.
"""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

from benchmarks.measuring import Figure, look_at, median_ms, own_installation, report

DEPARTURES, EACH, OWNERS, TIMES = 10_000, 40, 40, 9
UNTIL = date(2026, 10, 31)
NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
# Everything is counted from 400,000 rows each time; a part of it is answered like any other page.
WHOLE, PART, QUERIES = 1500.0, 500.0, 20
BATCH = 250


def fill() -> Any:
    """Departures over a year with their steps: most closed, some running; some steps late, some skipped."""
    from benchmarks.firm import template_text
    from partwell.departures.models import Departure
    from partwell.journeys.models import Journey, Step
    from partwell.journeys.template_operations import publish_template
    from partwell.people.actors import console_actor
    from partwell.people.models import Installation, Person, User
    from partwell.people.operations import grant_role

    Installation.objects.create(company_name="Harbour & Vale", initialised_at=NOW)
    Person.objects.create(name="Hanna Weiss", email="hanna@firm.example")
    hanna = grant_role(email="hanna@firm.example", role="hr", actor=console_actor(), now=NOW).user
    version = publish_template(
        text=template_text("forty", EACH), actor=console_actor(), now=NOW - timedelta(days=500)
    )
    owners = [User.objects.create_user(f"owner{n}@firm.example", name=f"Owner {n}") for n in range(OWNERS)]
    roles = ("hr", "it_security", "line_manager", "finance")
    for start in range(0, DEPARTURES, BATCH):
        departures, journeys, steps = [], [], []
        for n in range(start, start + BATCH):
            last = UNTIL - timedelta(days=n % 365) + timedelta(days=20)
            closed = last + timedelta(days=20) < UNTIL
            begun = datetime.combine(last - timedelta(days=30), datetime.min.time(), UTC)
            departure = Departure(
                pk=uuid4(),
                subject_kind="staff",
                subject_name=f"Person {n}",
                subject_department=f"Department {n % 12}",
                scenario="forty",
                initiated_by="leaver",
                notice_date=begun.date(),
                last_working_date=last,
                contract_end_date=last,
                timezone="UTC",
                access_end_at=begun + timedelta(days=30),
                created_at=begun,
                state="closed" if closed else "active",
                ended_at=begun + timedelta(days=45) if closed else None,
            )
            departures.append(departure)
            journeys.append(
                Journey(
                    departure=departure,
                    template=version,
                    template_digest=version.digest,
                    state=departure.state,
                    started_at=begun,
                    started_by="bench",
                    ended_at=departure.ended_at,
                )
            )
            for place in range(EACH):
                due = begun + timedelta(days=place, hours=17)
                late = timedelta(days=(n * 7 + place * 3) % 9 - 6)
                is_done = closed or due + late < NOW
                owner = owners[(n + place) % OWNERS]
                steps.append(
                    Step(
                        journey_id=departure.pk,
                        key=f"step-{place}",
                        position=place,
                        phase=place // 4 + 1,
                        title=f"Step number {place}",
                        guidance="What to do, in a few words. " * 10,
                        role=roles[place % 4],
                        owner=owner,
                        owner_name=str(owner),
                        due_rule="last_day",
                        due_at=due,
                        state="skipped"
                        if is_done and (n + place) % 50 == 0
                        else "done"
                        if is_done
                        else "open",
                        settled_at=due + late if is_done else None,
                        settled_by="x" if is_done else "",
                        skip_reason="It was done before by somebody else" if (n + place) % 50 == 0 else "",
                    )
                )
        Departure.objects.bulk_create(departures)
        Journey.objects.bulk_create(journeys)
        Step.objects.bulk_create(steps, batch_size=2000)
    return hanna


def main() -> int:
    """Measure the page of the period and the list behind one of its figures."""
    with own_installation():
        from django.db import connection
        from django.test import Client

        from partwell.journeys.models import Step

        user = fill()
        with connection.cursor() as cursor:
            # As PostgreSQL does by itself after a while: then an index alone answers what it holds.
            cursor.execute("vacuum analyze" if connection.vendor == "postgresql" else "analyze")
        browser = Client(SERVER_NAME="localhost")
        browser.force_login(user)
        figures = []
        period = f"since={UNTIL - timedelta(days=364)}&until={UNTIL}"
        for name, address in (
            ("a year", f"/process/?{period}"),
            ("one department", f"/process/?{period}&department=Department+3"),
            ("late steps of a role", f"/process/steps/?{period}&standing=late&role=hr"),
        ):
            queries, median = look_at(browser, name, address, times=TIMES)
            figures += [
                Figure(f"{name}: server time", median, "ms", WHOLE if name == "a year" else PART),
                Figure(f"{name}: queries", queries, "", QUERIES),
            ]
        bare = Step.objects.filter(journey__departure__confidentiality="normal")
        figures.append(
            Figure("a bare count of the steps (the floor)", median_ms(bare.count, times=TIMES), "ms")
        )
        return report(f"The process, {DEPARTURES:,} departures, {DEPARTURES * EACH:,} steps", figures)


if __name__ == "__main__":
    sys.exit(main())
