"""The rest of the office through the API: notices, tokens, templates, who holds what, the outbox."""

from __future__ import annotations

from typing import Any

import pytest

from partwell import clock
from partwell.departures.models import Notice
from partwell.journeys.models import TemplateVersion
from partwell.people.actors import console_actor
from partwell.people.models import ApiToken
from partwell.people.operations import ensure_user, initialise
from partwell.people.roles import Role
from tests.factories import NOW, SMALL_TEMPLATE, make_holder
from tests.integration.api.conftest import LAST_DAY, Api, token_for


@pytest.fixture
def admin(db: None) -> Api:
    initialise(company="Harbour & Vale", practice=False, actor=console_actor(), now=clock.now())
    return token_for(make_holder(Role.ADMIN, "Ada Min"))


@pytest.fixture
def notice(hr: Api, firm: dict[str, Any]) -> str:
    """A manager's notice about somebody of theirs."""
    manager = token_for(ensure_user(firm["manager"], NOW))
    body = {"template": "small", "person": firm["person"].email, "last_working_day": LAST_DAY.isoformat()}
    return str(manager.post("/journeys", body).json()["notice"])


def test_hr_reads_a_notice_starts_the_journey_and_says_that_it_answers(
    hr: Api, firm: dict, notice: str
) -> None:
    [waiting] = hr.get("/notices").json()["items"]
    assert (waiting["id"], waiting["subject"], waiting["state"]) == (notice, "Marit Lindqvist", "waiting")
    assert token_for(firm["it"]).get("/notices").json()["code"] == "not_allowed"
    body = {
        "template": waiting["template"],
        "person": waiting["person"],
        "last_working_day": waiting["last_working_day"],
    }
    journey = hr.post("/journeys", body).json()["id"]
    assert hr.post(f"/notices/{notice}/settle", {}).json()["field"].endswith("journey")
    settled = hr.post(f"/notices/{notice}/settle", {"journey": journey}).json()
    assert (settled["state"], settled["journey"]) == ("started", journey)
    assert hr.post(f"/notices/{notice}/settle", {"journey": None}).status_code == 404
    assert hr.get("/notices").json() == {"items": [], "next": None}


def test_nobody_else_settles_a_notice(firm: dict, notice: str) -> None:
    answer = token_for(firm["it"]).post(f"/notices/{notice}/settle", {"journey": None})
    assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed")
    assert Notice.objects.get().state == "waiting"


def test_a_token_lists_its_user_s_tokens_and_ends_them_its_own_included(hr: Api, firm: dict) -> None:
    other, foreign = token_for(hr.user, "read"), token_for(firm["it"])
    listed = hr.get("/tokens").json()["items"]
    assert len(listed) == 2 and {row["user"] for row in listed} == {hr.user.email}
    assert not any(hr.secret in str(row) or "secret_sha256" in row for row in listed)
    first, second = sorted(row["id"] for row in listed)
    theirs = ApiToken.objects.get(user=foreign.user).pk
    assert hr.post(f"/tokens/{theirs}/revoke").status_code == 404
    assert other.post(f"/tokens/{second}/revoke").json()["code"] == "scope_missing"
    assert hr.post(f"/tokens/{second}/revoke").json()["state"] == "revoked"
    assert other.get("/me").status_code == 401
    assert hr.post(f"/tokens/{first}/revoke").status_code == 200
    assert hr.get("/me").status_code == 401
    assert foreign.get("/me").status_code == 200


def test_a_template_is_published_and_a_broken_one_refused(hr: Api, firm: dict) -> None:
    longer = SMALL_TEMPLATE.replace("title: ", "title: Longer ", 1)
    made = hr.post("/templates", {"source": longer})
    assert (made.status_code, made.json()["id"], made.json()["version"]) == (201, "small", 2)
    assert hr.post("/templates", {"source": longer}).json() == made.json(), "the same content is no version"
    broken = hr.post("/templates", {"source": "id: small\ntitle: Only this\n"})
    assert (broken.status_code, broken.json()["code"]) == (422, "template_broken")
    assert token_for(firm["it"]).post("/templates", {"source": longer}).json()["code"] == "not_allowed"
    assert TemplateVersion.objects.count() == 2


def test_administrators_read_whose_installation_it_is_and_who_holds_what(hr: Api, admin: Api) -> None:
    shown = admin.get("/settings").json()
    assert (shown["company"], shown["is_practice"]) == ("Harbour & Vale", False)
    first = admin.get("/roles?limit=1").json()
    second = admin.get(f"/roles?limit=1&cursor={first['next']}").json()
    held = {(row["email"], row["role"]) for page in (first, second) for row in page["items"]}
    assert held == {(admin.user.email, "admin"), (hr.user.email, "hr")}
    assert second["next"] is None
    for path in ("/settings", "/roles"):
        assert hr.get(path).json()["code"] == "not_allowed"
