"""Row 14: a robust API. Whatever is sent, in or against the description, gets a documented answer."""

from __future__ import annotations

import io
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import schemathesis
from django.core.cache import cache
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, transaction
from django.test import Client
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from partwell import clock
from partwell.access.models import System
from partwell.api import authentication
from partwell.departures.models import Notice, Participant
from partwell.documents.operations import store_file
from partwell.journeys.guests import invite_guest
from partwell.journeys.operations.steps import attach_file
from partwell.journeys.template.model import Visibility
from partwell.people.actors import console_actor
from partwell.people.models import Contract, Person, RoleGrant
from partwell.people.roles import GRANTABLE, Role
from partwell.people.token_operations import create_token
from tests.factories import (
    LAST_DAY,
    NOW,
    make_client,
    make_holder,
    make_person,
    publish,
    start_journey,
    step_of,
)

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
SHORT_SECONDS, LONG_CASES, PER_ROUND = 60, 10_000, 4


@dataclass
class Tally:
    """What came back."""

    cases: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def note(self, operation: str, status: int, problem: str = "") -> None:
        self.cases += 1
        self.statuses[status] += 1
        if problem:
            self.wrong.append(f"{operation}: {problem}")


@pytest.fixture
def description(db: None) -> dict[str, Any]:
    """The API's own description."""
    return Client(headers={"host": "localhost"}).get("/api/v1/openapi.json").json()


@pytest.fixture
def connection_kept(description: dict[str, Any]) -> Iterator[None]:
    """The server closes its database connection after each call; here that is the test's own. It comes
    after the last use of Django's test client, which turns that on again."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def world(db: None, connection_kept: None, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Somebody who may do everything, and one of everything to do it to."""
    cache.clear()
    monkeypatch.setattr(authentication, "CALLS_PER_MINUTE", 10**9)
    publish()
    holder = make_holder(Role.HR, "Amara Osei")
    RoleGrant.objects.bulk_create(
        RoleGrant(user=holder, role=role, granted_at=clock.now(), granted_by="tests")
        for role in GRANTABLE - {Role.HR}
    )
    _, secret = create_token(
        scopes=["write", "access"], email=holder.email, actor=console_actor(), now=clock.now()
    )
    client = make_client()
    contract = Contract.objects.create(client=client, title="Support")
    System.objects.create(name="by-hand", title="By hand", connector="manual", created_at=clock.now())
    journey = start_journey(make_person())
    spare, _ = create_token(scopes=["read"], email=holder.email, actor=console_actor(), now=clock.now())
    notice = Notice.objects.create(
        subject_name="Somebody", scenario="small", notice_date=NOW.date(), last_working_date=LAST_DAY,
        given_by="tests", given_at=NOW,
    )  # fmt: skip
    part = Participant.objects.create(
        departure=journey.departure, user=holder, capacity="legal", added_at=clock.now()
    )
    # Something that the one who leaves has a page for.
    journey.steps.filter(key="confirm").update(visibility=Visibility.EVERYBODY)
    link = invite_guest(
        departure=journey.departure, email="marit@home.example", actor=console_actor(), now=clock.now()
    ).link
    letter = store_file(
        name="letter.txt", stream=io.BytesIO(b"Dear all"), actor_label="tests", now=clock.now()
    )
    step = step_of(journey, "confirm")
    attach_file(step=step, file=letter, actor=console_actor(), now=clock.now())
    return {
        "secret": secret,
        "person_id": Person.objects.order_by("pk").values_list("pk", flat=True)[0],
        "client_id": client.pk,
        "contract_id": contract.pk,
        "journey_id": str(journey.pk),
        "template_id": "small",
        "key": "confirm",
        "name": "by-hand",
        "token_id": spare.pk,
        "notice_id": str(notice.pk),
        "participant_id": part.pk,
        "link_id": str(link.pk),
        "file_id": str(letter.pk),
    }


def test_every_generated_call_gets_a_documented_answer_and_none_breaks_the_server(
    world: dict[str, Any], description: dict[str, Any], long: bool, figure: Callable[[str], None]
) -> None:
    schema = schemathesis.openapi.from_dict(description)
    schema.app = get_wsgi_application()
    operations = [found.ok() for found in schema.get_all_operations()]
    tally, began, number = Tally(), time.monotonic(), 0

    def is_enough() -> bool:
        return tally.cases >= LONG_CASES if long else time.monotonic() - began > SHORT_SECONDS

    while not is_enough():
        for operation in operations:
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                if not is_enough():
                    number += 1
                    run_round(operation, mode, number, world, tally)
    figure(
        f"row 14: {tally.cases} cases over {len(operations)} operations in {time.monotonic() - began:.0f} s: "
        f"{sum(n for status, n in tally.statuses.items() if status >= 500)} 5xx, "
        f"{len(tally.wrong)} against the description; statuses {dict(sorted(tally.statuses.items()))}"
    )
    assert not tally.wrong, "\n\n".join(tally.wrong[:5])
    assert max(tally.statuses) < 500
    assert tally.cases >= 200
    # A fuzzer that only ever hears "no" has tested the door alone.
    assert sum(n for status, n in tally.statuses.items() if status < 300) > tally.cases / 20


def run_round(operation: Any, mode: GenerationMode, number: int, world: dict[str, Any], tally: Tally) -> None:
    """A few cases of one operation, each undone afterwards; every second round on things that exist."""
    known = {
        name: world[name]
        for name in (parameter.name for parameter in operation.path_parameters)
        if name in world
    }

    @seed(number)
    @settings(
        max_examples=PER_ROUND,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def run(case: Any) -> None:
        if known and number % 4 in (1, 2):
            case.path_parameters = {**(case.path_parameters or {}), **known}
        case.headers = {
            **(case.headers or {}),
            "Authorization": f"Bearer {world['secret']}",
            "Host": "localhost",
        }
        with transaction.atomic():
            response = case.call(base_url="http://localhost")
            transaction.set_rollback(True)
        try:
            case.validate_response(response, checks=CHECKS)
        except AssertionError as error:
            tally.note(operation.label, response.status_code, str(error)[:2000])
        except BaseExceptionGroup as errors:
            tally.note(operation.label, response.status_code, str(errors.exceptions[0])[:2000])
        else:
            tally.note(operation.label, response.status_code)

    try:
        run()
    except Unsatisfiable:
        # An operation without any input has nothing that could be wrong about it.
        return
