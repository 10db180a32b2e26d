"""Each action of the editor on a template of 150 steps: its server time and its queries.

    scripts/bench editing

Whole requests through Django's own client, middleware and sign-in included, as an HR user. Each action that
changes something changes something else each time. The floor is the smallest page that there is, the one
that answers whether Partwell runs.
"""

from __future__ import annotations

import itertools
import statistics
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from benchmarks.measuring import Figure, milliseconds, own_installation, report

STEPS, TIMES = 150, 25
NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
MILLISECONDS = 100.0
ID = "staff-resignation"
COUNTRIES = ("DE", "FR", "GB", "IE", "NL", "US")


def begin() -> Any:
    """HR, somebody to try it on, and the draft: the library's resignation with its steps repeated."""
    from partwell.journeys import draft_operations as operations
    from partwell.journeys.models import TemplateDraft
    from partwell.journeys.template_operations import sync_library
    from partwell.people.actors import console_actor
    from partwell.people.models import Installation, Person
    from partwell.people.operations import grant_role

    Installation.objects.create(company_name="Harbour & Vale", initialised_at=NOW)
    Person.objects.create(name="Hanna Weiss", email="hanna@firm.example")
    Person.objects.create(name="Mei Tanaka", email="mei@firm.example", country="DE", timezone="Europe/Berlin")
    user = grant_role(email="hanna@firm.example", role="hr", actor=console_actor(), now=NOW).user
    sync_library(now=NOW)
    operations.begin_draft(origin=operations.Origin(template=ID), actor=console_actor(), now=NOW)
    row = TemplateDraft.objects.get(template_id=ID)
    known = row.content["steps"]
    steps = list(known)
    for number in itertools.count():
        if len(steps) == STEPS:
            break
        steps.append(_like(known[number % len(known)], number))
    row.content = {**row.content, "steps": sorted(steps, key=lambda step: step["phase"])}
    row.save()
    return user


def _like(step: dict[str, Any], number: int) -> dict[str, Any]:
    """Another step of that kind; a third of them under a condition of their own."""
    country, years = COUNTRIES[number % len(COUNTRIES)], number % 9
    when = f"person.country == '{country}' && person.tenure_years >= {years}" if number % 3 == 0 else ""
    return {
        **step,
        "key": f"{step['key'][:50]}-{number}",
        "title": f"{step['title'][:130]} {number}",
        "when": when,
        "guide": [],
        "kind": "task",
    }


def actions(browser: Any) -> dict[str, Callable[[], Any]]:
    """What somebody does in the editor, each as it would be done the next time."""
    from partwell.journeys.models import TemplateDraft
    from partwell.journeys.template.drafting import draft_of
    from partwell.web.draft_forms import StepForm

    at = f"/drafts/{ID}/"
    numbers = itertools.count()
    directions = itertools.cycle(["down", "up"])

    def draft() -> Any:
        return TemplateDraft.objects.get(template_id=ID)

    def step() -> Any:
        return draft().content["steps"][40]

    def typed(**changed: Any) -> dict[str, Any]:
        row, found = draft(), step()
        content = draft_of(row.content)
        form = StepForm(content, found["key"], found, initial=StepForm.initial_of(found, row.revision))
        values = {name: form[name].value() for name in form.fields}
        return {name: value for name, value in (values | changed).items() if value not in (None, False)}

    def post(address: str, values: dict[str, Any], status: int, **more: Any) -> Callable[[], Any]:
        def run() -> Any:
            answer = browser.post(address, values, **more)
            assert answer.status_code == status, (address, answer.status_code, answer.content[:2000])
            return answer

        return run

    def get(address: str) -> Callable[[], Any]:
        def run() -> Any:
            answer = browser.get(address)
            assert answer.status_code == 200, (address, answer.status_code)
            return answer

        return run

    def move() -> Any:
        values = {"revision": draft().revision, next(directions): step_to_move}
        return post(f"{at}move/", values, 200, headers={"HX-Request": "true"})

    step_to_move = draft().content["steps"][70]["key"]
    return {
        "the draft's page": lambda: get(at),
        "a step's form": lambda: get(f"{at}steps/{step()['key']}/"),
        "a check while typing": lambda: post(
            f"{at}check/", typed(title=f"Collect the badge {next(numbers)}") | {"step": step()["key"]}, 200
        ),
        "a check of a condition never seen": lambda: post(
            f"{at}check/",
            typed(cel=f"person.tenure_years >= 3 && person.department != 'D{next(numbers)}'")
            | {"step": step()["key"], "condition": "by_hand"},
            200,
        ),
        "a step kept": lambda: post(
            f"{at}steps/{step()['key']}/", typed(title=f"Collect the badge {next(numbers)}"), 302
        ),
        "a step moved": move,
        "a step asked to be taken out": lambda: get(f"{at}steps/{step()['key']}/remove/"),
        "the page before publishing": lambda: get(f"{at}publish/"),
        "tried on somebody": lambda: post(
            f"{at}try/",
            {"subject": "mei@firm.example", "notice_date": "2026-11-02", "last_day": "2027-02-26"},
            200,
        ),
    }


def main() -> int:
    """Measure every action."""
    with own_installation():
        from django.db import connection
        from django.test import Client
        from django.test.utils import CaptureQueriesContext

        user = begin()
        browser = Client(SERVER_NAME="localhost")
        browser.force_login(user)
        first = milliseconds(lambda: browser.get(f"/drafts/{ID}/"))
        figures = [Figure("the first page after a start: server time", first, "ms")]
        for name, prepare in actions(browser).items():
            for _ in range(3):
                prepare()()
            run = prepare()
            with CaptureQueriesContext(connection) as captured:
                run()
                queries = len(captured)
            took = [milliseconds(prepare()) for _ in range(TIMES)]
            figures += [
                Figure(f"{name}: server time", statistics.median(took), "ms", MILLISECONDS),
                Figure(f"{name}: queries", queries, ""),
            ]
        floor = statistics.median(milliseconds(lambda: browser.get("/healthz")) for _ in range(TIMES))
        figures.append(Figure("whether Partwell runs (the floor)", floor, "ms"))
        return report(f"Editing a template of {STEPS} steps", figures)


if __name__ == "__main__":
    sys.exit(main())
