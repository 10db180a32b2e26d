"""A small firm, and callers of the API."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.http import HttpResponse
from django.test import Client

from partwell import clock
from partwell.people.actors import console_actor
from partwell.people.models import User
from partwell.people.roles import Role
from partwell.people.token_operations import create_token
from tests.factories import make_holder, make_person, publish

LAST_DAY = (clock.now() + timedelta(days=30)).date()


@dataclass
class Api:
    """Calls as one token does."""

    secret: str
    user: User

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> HttpResponse:
        content: dict[str, Any] = {}
        if body is not None:
            content = {"data": json.dumps(body), "content_type": "application/json"}
        return self.raw(method, path, content, **headers)

    def raw(self, method: str, path: str, content: dict[str, Any], **headers: str) -> HttpResponse:
        sent = {"Authorization": f"Bearer {self.secret}", **headers}
        return getattr(Client(headers={"host": "localhost"}), method)(
            f"/api/v1{path}", headers=sent, **content
        )

    def get(self, path: str, **headers: str) -> HttpResponse:
        return self.call("get", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> HttpResponse:
        return self.call("post", path, body, **headers)


def token_for(user: User, *scopes: str) -> Api:
    _, secret = create_token(
        scopes=scopes or ("write",), email=user.email, actor=console_actor(), now=clock.now()
    )
    return Api(secret, user)


@pytest.fixture(autouse=True)
def no_calls_counted(db: None) -> None:
    cache.clear()


@pytest.fixture
def hr(db: None) -> Api:
    return token_for(make_holder(Role.HR, "Amara Osei"))


@pytest.fixture
def firm(hr: Api) -> dict[str, Any]:
    """HR, IT, a manager, somebody who will leave, and a template."""
    publish()
    it = make_holder(Role.IT_SECURITY, "Otto Berg")
    manager = make_person("Mara Lund")
    person = make_person("Marit Lindqvist", manager=manager)
    return {"it": it, "manager": manager, "person": person}


@pytest.fixture
def journey(hr: Api, firm: dict[str, Any]) -> dict[str, Any]:
    """A journey that was started through the API."""
    answer = hr.post(
        "/journeys",
        {"template": "small", "person": firm["person"].email, "last_working_day": LAST_DAY.isoformat()},
    )
    assert answer.status_code == 201, answer.content
    return answer.json()
