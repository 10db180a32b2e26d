"""Journeys are moved to another version of their template through the API."""

from __future__ import annotations

from uuid import uuid4

from partwell.people.roles import Role
from tests.factories import make_holder, publish
from tests.integration.api.conftest import Api, token_for
from tests.moved_templates import second_version


def test_the_difference_is_shown_and_then_exactly_it_is_applied(hr: Api, journey: dict) -> None:
    publish(second_version())
    path = f"/journeys/{journey['id']}/version"
    shown = hr.post(f"{path}?dry_run=true", {}).json()
    assert (shown["old_version"], shown["new_version"]) == (1, 2)
    assert {step["key"]: step["fate"] for step in shown["steps"]} == {
        "extra": "falls_away", "initiate": "changed", "return-keys": "added",
    }  # fmt: skip
    assert hr.get(f"/journeys/{journey['id']}").json()["template_version"] == 1
    refused = hr.post(path, {})
    assert (refused.status_code, refused.json()["code"]) == (409, "difference_changed")
    assert hr.post(path, {"seen": shown["digest"]}).json()["steps"] == shown["steps"]
    assert hr.get(f"/journeys/{journey['id']}").json()["template_version"] == 2
    assert hr.post(f"{path}?dry_run=true", {}).json()["code"] == "same_version"
    assert hr.post(f"{path}?dry_run=true", {"version": 9}).status_code == 404
    assert hr.post(f"{path}?dry_run=true", {"version": 1}).json()["new_version"] == 1


def test_several_are_listed_and_moved_and_each_has_its_answer(hr: Api, journey: dict) -> None:
    publish(second_version())
    path = "/templates/small/journeys"
    [row] = hr.get(path).json()["items"]
    assert (row["id"], row["version"], row["counts"]["falls_away"]) == (journey["id"], 1, 1)
    body = {"journeys": [{"id": row["id"], "seen": row["digest"]}, {"id": str(uuid4()), "seen": "x"}]}
    moved, unknown = hr.post(path, body).json()["items"]
    assert (moved["moved"], moved["changed"]) == (True, 3)
    assert (unknown["moved"], unknown["subject"], unknown["code"]) == (False, "", "not_found")
    assert hr.get(path).json()["items"] == []


def test_who_may_read_a_journey_may_not_therefore_move_it(hr: Api, journey: dict) -> None:
    publish(second_version())
    legal = token_for(make_holder(Role.LEGAL, "Lea Gal"))
    assert legal.get(f"/journeys/{journey['id']}").status_code == 200
    assert legal.post(f"/journeys/{journey['id']}/version?dry_run=true", {}).status_code == 403
    assert legal.get("/templates/small/journeys").json()["items"] == []
