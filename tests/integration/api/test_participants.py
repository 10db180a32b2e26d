"""Who takes part, through the API."""

from __future__ import annotations

from typing import Any

from partwell.people.roles import Role
from tests.factories import make_holder
from tests.integration.api.conftest import Api, token_for


def test_somebody_is_let_in_listed_and_taken_out(hr: Api, journey: dict[str, Any]) -> None:
    path = f"/journeys/{journey['id']}/participants"
    before = hr.get(path).json()["items"]
    lea = make_holder(Role.LEGAL, "Lea Gal")
    made = hr.post(path, {"person": "Lea Gal", "part": "legal"})
    assert made.status_code == 201, made.content
    assert (made.json()["email"], made.json()["title"]) == (lea.email, "Legal")
    assert made.json()["why"].startswith("Let in by Amara Osei")
    assert hr.get(path).json()["items"] == [*before, made.json()]
    first = hr.get(f"{path}?limit=1").json()
    assert len(hr.get(f"{path}?limit=200&cursor={first['next']}").json()["items"]) == len(before)
    gone = hr.call("delete", f"{path}/{made.json()['id']}")
    assert (gone.status_code, gone.json()) == (200, made.json())
    assert hr.get(path).json()["items"] == before
    assert hr.call("delete", f"{path}/{made.json()['id']}").status_code == 404


def test_a_call_repeated_under_its_key_lets_in_and_takes_out_once(hr: Api, journey: dict[str, Any]) -> None:
    path = f"/journeys/{journey['id']}/participants"
    make_holder(Role.LEGAL, "Lea Gal")
    body = {"person": "Lea Gal", "part": "legal"}
    once, twice = (hr.post(path, body, **{"Idempotency-Key": "in"}) for _ in "12")
    assert once.json() == twice.json()
    one = f"{path}/{once.json()['id']}"
    answers = [hr.call("delete", one, **{"Idempotency-Key": "out"}) for _ in "12"]
    assert [answer.status_code for answer in answers] == [200, 200]


def test_refusals_name_their_field_and_only_hr_may(
    hr: Api, journey: dict[str, Any], firm: dict[str, Any]
) -> None:
    path = f"/journeys/{journey['id']}/participants"
    unknown = hr.post(path, {"person": "Nobody", "part": "legal"})
    assert (unknown.status_code, unknown.json()["field"]) == (422, "person")
    wrong = hr.post(path, {"person": firm["it"].email, "part": "guest"})
    assert (wrong.status_code, wrong.json()["field"]) == (422, "part")
    it = token_for(firm["it"])
    assert it.get(path).status_code == 200
    assert it.post(path, {"person": "Amara Osei", "part": "legal"}).status_code == 403
    owner = next(item for item in hr.get(path).json()["items"] if item["pending_steps"])
    kept = hr.call("delete", f"{path}/{owner['id']}")
    assert (kept.status_code, kept.json()["code"]) == (409, "owns_steps")
