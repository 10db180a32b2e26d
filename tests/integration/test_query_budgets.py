"""Pages ask the database a fixed number of questions, however many journeys there are.

Counted are whole requests through the test client: session, sign-in and frame included.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from copy import copy
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from benchmarks.firm import template_text
from partwell.departures.models import Departure, Participant
from partwell.journeys.models import Journey, Step
from partwell.people.actors import actor_for_user
from partwell.people.models import Installation, Person, User
from partwell.people.roles import Role
from tests.factories import NOW, make_client, make_holder, make_person, publish, start_journey

pytestmark = pytest.mark.django_db

# What each page asks today; what is promised (10 and 15) stands in benchmarks/pages.py.
BUDGETS = {
    "departures": ("/departures/", 7),
    "home": ("/", 15),
    "a journey of 60 steps": ("/departures/{departure}/", 14),
    "a step": ("/departures/{departure}/steps/step-1/", 12),
    "my steps": ("/steps/", 9),
    "finding": ("/find/?q=leaver", 7),
}
# What a start asks, whatever its length.
STARTING = 21
MORE = 300
# Pages of a few rows, and what in a plan says that all journeys are read for them. SQLite is asked what it
# does; PostgreSQL, which rightly reads a small table as a whole, what it must do for want of an index.
FEW_ROWS = ("/", "/departures/", "/departures/{departure}/")
MANY_ROWS = r"(journeys_step|journeys_journey|departures_departure)\b"
READS_ALL = {
    "sqlite": re.compile(rf"(SCAN|BLOOM FILTER ON) {MANY_ROWS}"),
    "postgresql": re.compile(rf"Seq Scan on {MANY_ROWS}"),
}
BEFORE = {"sqlite": "analyze", "postgresql": "analyze; set enable_seqscan to off"}
EXPLAIN = {"sqlite": "explain query plan", "postgresql": "explain"}


@pytest.fixture
def firm() -> tuple[Client, Journey]:
    """HR signed in, and one journey of 60 steps that they started. They read pages in the firm's timezone,
    which is what costs the most questions: nobody says one of their own."""
    Installation.objects.create(company_name="Harbour & Vale", timezone="Europe/Berlin", initialised_at=NOW)
    hr = make_holder(Role.HR, "Amara Osei")
    User.objects.update(timezone="")
    Person.objects.update(timezone="")
    make_holder(Role.IT_SECURITY, "Tomasz Wrona")
    manager = make_person("Joon-ho Park")
    make_client()
    publish(template_text("sixty", 60))
    journey = start_journey(
        make_person("Leaver One", manager=manager), template="sixty", actor=actor_for_user(hr), reason="pay"
    )
    browser = Client(SERVER_NAME="localhost")
    browser.force_login(hr)
    return browser, journey


def test_every_page_keeps_its_budget_with_one_journey_and_with_three_hundred(
    firm: tuple[Client, Journey],
) -> None:
    browser, journey = firm
    asked = {
        page: _asking(browser, where.format(departure=journey.pk)) for page, (where, _) in BUDGETS.items()
    }
    few = {page: ask() for page, ask in asked.items()}
    _more_like(journey)
    many = {page: ask() for page, ask in asked.items()}
    over = {page: (few[page], many[page]) for page, (_, budget) in BUDGETS.items() if many[page] > budget}
    assert not over, f"queries with one journey and with {MORE + 1}: {over}"
    assert all(few[page] <= budget for page, (_, budget) in BUDGETS.items()), few


def test_a_start_asks_the_same_however_many_steps_and_owners_it_has(firm: tuple[Client, Journey]) -> None:
    publish(template_text("twelve", 12))
    manager = Person.objects.get(name="Joon-ho Park")
    hr = actor_for_user(User.objects.get(name="Amara Osei"))

    def start(template: str, name: str) -> int:
        leaver = make_person(name, manager=manager)
        with CaptureQueriesContext(connection) as captured:
            start_journey(leaver, template=template, actor=hr, reason="pay")
        return len(captured)

    few, many = start("twelve", "Leaver Two"), start("sixty", "Leaver Three")
    for role in (Role.FINANCE, Role.LEGAL, Role.EXECUTIVE):  # each to be told, and invited
        make_holder(role, f"Holder {role.value}")
    assert (few, many, start("sixty", "Leaver Four")) == (STARTING,) * 3


def test_no_page_of_a_few_rows_reads_all_journeys_steps_or_departures(firm: tuple[Client, Journey]) -> None:
    browser, journey = firm
    _more_like(journey)
    with connection.cursor() as cursor:
        cursor.execute(BEFORE[connection.vendor])
    asked: list[tuple[str, Any]] = []

    def listen(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        asked.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(listen):
        for address in FEW_ROWS:
            assert browser.get(address.format(departure=journey.pk)).status_code == 200
    plans = [_plan(sql, params) for sql, params in asked if sql.startswith("SELECT")]
    found = [plan for plan in plans if READS_ALL[connection.vendor].search(plan)]
    assert len(plans) > 30
    assert not found, "\n\n".join(found)


def _plan(sql: str, params: Any) -> str:
    """How the database goes about a query, in its own words, after the query itself."""
    with connection.cursor() as cursor:
        cursor.execute(f"{EXPLAIN[connection.vendor]} {sql}", params)
        return "\n".join([sql, *(str(row[-1]) for row in cursor.fetchall())])


def _asking(browser: Client, address: str) -> Callable[[], int]:
    def ask() -> int:
        assert browser.get(address).status_code == 200
        with CaptureQueriesContext(connection) as captured:
            browser.get(address)
            return len(captured)

    return ask


def _more_like(journey: Journey) -> None:
    """Three hundred journeys with the same steps and participants, each of somebody else."""
    steps, parts = list(journey.steps.all()), list(journey.departure.participants.all())
    Person.objects.bulk_create(
        Person(name=f"Leaver {n}", email=f"leaver{n}@firm.example", name_folded=f"leaver {n}")
        for n in range(MORE)
    )
    made: dict[Any, list[Any]] = {Departure: [], Journey: [], Step: [], Participant: []}
    for person in Person.objects.filter(email__endswith="@firm.example"):
        departure = _twin(journey.departure, uuid4(), person=person, subject_name=person.name)
        made[Departure].append(departure)
        made[Journey].append(_twin(journey, departure.pk, departure=departure))
        made[Step] += [_twin(step, uuid4(), journey_id=departure.pk) for step in steps]
        made[Participant] += [_twin(part, None, departure=departure) for part in parts]
    for model, rows in made.items():
        model._base_manager.bulk_create(rows, batch_size=2000)


def _twin(row: Any, pk: Any, **changes: Any) -> Any:
    twin = copy(row)
    twin._state = copy(row._state)
    twin._state.fields_cache, twin._state.adding, twin.pk = {}, True, pk
    for name, value in changes.items():
        setattr(twin, name, value)
    return twin
