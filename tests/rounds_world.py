"""A round of people who leave together, for tests: who prepares and approves it, and its usual terms."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from partwell.departures.states import Confidentiality
from partwell.journeys.models import Round
from partwell.journeys.rounds.drift import drift_of
from partwell.journeys.rounds.operations import approve_round, prepare_round
from partwell.journeys.rounds.preview import Preview, Terms, preview_round
from partwell.people.models import Person, User
from partwell.people.roles import Role
from tests.factories import (
    LAST_DAY,
    NOW,
    as_actor,
    make_holder,
    make_person,
    publish,
)

OPENLY = Confidentiality.NORMAL.value
SECRETLY = Confidentiality.NEED_TO_KNOW.value
TERMS = Terms(
    name="Closing Leeds",
    template_id="small",
    last_working_date=LAST_DAY,
    reason="moving",
    notice_date=NOW.date(),
)
WHY = "The site stays open after all."


@pytest.fixture
def hr() -> User:
    publish()
    return make_holder(Role.HR, "Amara Osei")


@pytest.fixture
def executive() -> User:
    return make_holder(Role.EXECUTIVE, "Helen Marsh")


@pytest.fixture
def manager() -> Person:
    return make_person("Joon-ho Park")


def people(count: int, **fields: Any) -> list[Person]:
    return [make_person(f"Leaver {n:02}", **fields) for n in range(1, count + 1)]


def listed(*persons: Person) -> bytes:
    return "\n".join(person.email for person in persons).encode()


def look(hr: User, data: bytes, terms: Terms = TERMS, *, now: datetime = NOW) -> Preview:
    return preview_round(terms=terms, data=data, actor=as_actor(hr), now=now)


def prepare(
    hr: User, data: bytes, terms: Terms = TERMS, *, approvers: tuple[User, ...] = (), now: datetime = NOW
) -> Round:
    return prepare_round(terms=terms, data=data, approvers=approvers, actor=as_actor(hr), now=now)


def approve(found: Round, user: User, *, now: datetime = NOW) -> Round:
    return approve_round(found=found, digest=drift_of(found, now=now).digest, actor=as_actor(user), now=now)


def states(found: Round) -> dict[str, str]:
    return {member.name: member.state for member in found.members.all()}
