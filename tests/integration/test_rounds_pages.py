"""The pages of rounds: who sees them, what they show before and after, and how many questions they ask."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from partwell.journeys.models import Round
from partwell.journeys.rounds.carrying_out import go_on
from partwell.journeys.rounds.drift import drift_of
from partwell.journeys.rounds.operations import approve_round, prepare_round
from partwell.journeys.rounds.preview import Terms
from partwell.people.models import Installation, User
from partwell.people.roles import Role
from tests.factories import LAST_DAY, NOW, as_actor, make_holder, make_person, publish

pytestmark = pytest.mark.django_db

# Less than 15 is promised, whatever the size.
BUDGET = 14


@pytest.fixture
def hr() -> User:
    Installation.objects.create(company_name="Harbour & Vale", initialised_at=NOW)
    publish()
    return make_holder(Role.HR, "Amara Osei")


@pytest.fixture
def executive() -> User:
    return make_holder(Role.EXECUTIVE, "Helen Marsh")


def browser_of(user: User) -> Client:
    browser = Client(SERVER_NAME="localhost")
    browser.force_login(user)
    return browser


def started(
    hr: User, executive: User, count: int, name: str = "Closing Leeds", confidentiality: str = "normal"
) -> Round:
    manager = make_person(f"Manager of {name}")
    persons = [
        make_person(f"{name} {n:03}", email=f"{name[0].lower()}{n}@harbour.example", manager=manager)
        for n in range(count)
    ]
    terms = Terms(name=name, template_id="small", last_working_date=LAST_DAY, confidentiality=confidentiality)
    found = prepare_round(
        terms=terms,
        data="\n".join(person.email for person in persons).encode(),
        approvers=[executive],
        actor=as_actor(hr),
        now=NOW,
    )
    approve_round(found=found, digest=drift_of(found, now=NOW).digest, actor=as_actor(executive), now=NOW)
    go_on(str(found.pk), NOW)
    return found


def test_the_board_asks_the_same_few_questions_of_three_people_and_of_two_hundred(
    hr: User, executive: User
) -> None:
    browser = browser_of(hr)
    asked = []
    for found in (started(hr, executive, 3), started(hr, executive, 200, "Moving Oslo")):
        for address in (f"/rounds/{found.pk}/", f"/rounds/{found.pk}/?only=late&q=o"):
            browser.get(address)
            with CaptureQueriesContext(connection) as captured:
                answer = browser.get(address)
            assert answer.status_code == 200
            asked.append(len(captured))
    assert max(asked) <= BUDGET, asked
    assert asked[0] == asked[2] and asked[1] == asked[3], asked
