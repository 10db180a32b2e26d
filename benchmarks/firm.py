"""A firm to measure with: people, those who hold roles, and templates of any length."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
LAST_DAY = date(2026, 11, 27)
ROLES = ("hr", "it_security", "line_manager", "finance", "departing", "legal", "executive")
_ROW = (
    "  - {{key: step-{n}, phase: {phase}, title: Step number {n}, role: {role}, due: {due}, {more}"
    'guide: [M1], guidance: "Do this one. Good is that it is done. Avoid forgetting it."}}\n'
)


def template_text(template_id: str, steps: int) -> str:
    """A template as long as wanted, with the variety of real ones: ten phases, seven roles, working-day
    rules, dependencies, and a condition on each sixth step."""
    rows = []
    for n in range(1, steps + 1):
        more = f"needs: [step-{n - 1}], " if n % 3 == 0 else ""
        more += "when: \"person.tenure_years >= 0 && departure.jurisdiction != 'XX'\", " if n % 6 == 0 else ""
        role = ROLES[n % 7]
        more += "visibility: everybody, " if role == "departing" else ""
        due = ("notice +2 working_days", "last_working_day -5 working_days", "contract_end +10 days")[n % 3]
        rows.append(_ROW.format(n=n, phase=(n - 1) * 10 // steps + 1, role=role, due=due, more=more))
    return (
        f"id: {template_id}\ntitle: A journey of {steps} steps\nsummary: Measured, never used.\n"
        "audience: staff\ninitiated_by: leaver\nreasons: [pay, moving]\n"
        "empty_roles: {account_manager: no clients here}\nsteps:\n" + "".join(rows)
    )


def make_firm(people: int, *, template_steps: int) -> tuple[Any, list[Any]]:
    """Publish a template `measured`, and make its role holders and leavers with their managers.

    Returns the user who starts journeys (HR), and the people who can leave.
    """
    from partwell.journeys.template_operations import publish_template
    from partwell.people.actors import console_actor
    from partwell.people.models import Installation, Person
    from partwell.people.operations import ensure_user, grant_role

    console = console_actor()
    publish_template(text=template_text("measured", template_steps), actor=console, now=NOW)
    Installation.objects.create(company_name="Harbour & Vale", initialised_at=NOW)
    holders = {}
    for role in ("hr", "it_security", "finance", "legal", "executive", "admin"):
        person = Person.objects.create(
            name=f"Holder {role}", email=f"{role}@firm.example", department="Office"
        )
        holders[role] = grant_role(email=person.email, role=role, actor=console, now=NOW).user
    # A second pair of hands, so that some steps wait in a queue as they do in most firms.
    Person.objects.create(name="Second in finance", email="finance2@firm.example", department="Office")
    grant_role(email="finance2@firm.example", role="finance", actor=console, now=NOW)
    managers = [
        Person.objects.create(name=f"Manager {n}", email=f"manager{n}@firm.example", department="Platform")
        for n in range(10)
    ]
    for manager in managers:
        ensure_user(manager, now=NOW)
    Person.objects.bulk_create(
        Person(
            name=f"Leaver {n}",
            email=f"leaver{n}@firm.example",
            name_folded=f"leaver {n}",
            department="Platform",
            country="DE",
            timezone="Europe/Berlin",
            start_date=date(2020, 1, 1),
            manager=managers[n % 10],
        )
        for n in range(people)
    )
    leavers = list(Person.objects.filter(name__startswith="Leaver ").order_by("pk"))
    return holders["hr"], leavers
