"""Drafts of templates through the API, from the copy to the published version."""

from __future__ import annotations

from typing import Any

import pytest

from tests.factories import SMALL_TEMPLATE
from tests.integration.api.conftest import LAST_DAY, Api, token_for


@pytest.fixture
def draft(hr: Api, firm: dict[str, Any]) -> dict[str, Any]:
    made = hr.post("/template-drafts", {"template": "small"})
    assert made.status_code == 201, made.content
    return made.json()


def change(hr: Api, revision: int, **wanted: Any) -> Any:
    return hr.call("patch", "/template-drafts/small", {"revision": revision, "change": wanted})


def test_a_draft_is_changed_tried_and_published(hr: Api, firm: dict, draft: dict) -> None:
    assert (draft["begun_from"], draft["revision"], draft["latest_version"]) == ("small v1", 1, 1)
    step = {
        "title": "Hand over the keys",
        "phase": 5,
        "role": "hr",
        "due": "last_working_day",
        "needs": ["confirm"],
    }
    assert change(hr, 1, do="add_step", step=step).json()["problems"][0]["field"] == "empty_phases.5"
    phases = {n: why for n, why in draft["template"]["empty_phases"].items() if n != "5"}
    changed = change(hr, 2, do="set_fields", empty_phases=phases).json()
    assert (changed["revision"], changed["problems"]) == (3, [])
    assert "key: hand-over-the-keys" in changed["source"]
    waits = hr.get("/template-drafts/small/dependencies").json()
    assert waits["revision"] == 3
    [links] = [step for step in waits["steps"] if step["key"] == "hand-over-the-keys"]
    assert (links["needs"], links["opens"]) == (["confirm"], [])
    moved = change(hr, 3, do="move_step", key="hand-over-the-keys", phase=1, place=1).json()
    assert moved["problems"][0]["field"] == "empty_phases.5"
    assert (
        change(hr, 4, do="change_step", key="hand-over-the-keys", fields={"phase": 5}).json()["problems"]
        == []
    )
    tried = hr.post(
        "/template-drafts/small/try",
        {"person": firm["person"].email, "last_working_day": LAST_DAY.isoformat()},
    ).json()
    assert "hand-over-the-keys" in {each["key"] for each in tried["steps"]}
    assert [(each["key"], each["facts"]) for each in tried["left_out"]] == [
        ("extra", {"person.manages_people": False})
    ]
    made = hr.post("/template-drafts/small/publish", {"revision": 5, "over": 1})
    assert (made.status_code, made.json()["version"]) == (201, 2)
    assert hr.get("/template-drafts").json()["items"] == []


def test_the_second_of_two_is_told_and_reads_what_the_first_changed(hr: Api, draft: dict) -> None:
    assert change(hr, 1, do="change_step", key="extra", fields={"role": "hr"}).status_code == 200
    late = change(hr, 1, do="remove_step", key="extra")
    assert (late.status_code, late.json()["code"]) == (409, "changed_meanwhile")
    [seen] = hr.get("/template-drafts/small/changes?since=1").json()["items"]
    assert seen["differences"] == [{"path": "steps.extra.role", "before": "line_manager", "after": "hr"}]


@pytest.mark.parametrize(
    ("wanted", "status", "field"),
    [
        ({"do": "change_step", "key": "extra", "fields": {"due": "soon"}}, 422, "steps.extra.due"),
        ({"do": "change_step", "key": "extra", "fields": {"title": "a\u0007b"}}, 422, "steps.extra.title"),
        ({"do": "remove_step", "key": "confirm"}, 409, "steps.confirm"),
        ({"do": "remove_step", "key": "none"}, 404, ""),
        ({"do": "replace", "source": "a: &a [*a]"}, 422, ""),
        ({"do": "fly"}, 422, None),
        ({"do": "add_step", "step": {"title": "x"}}, 422, None),
        ({"do": "add_step", "step": {"title": "x", "phase": [1], "role": "hr", "due": "notice"}}, 422, None),
        ({"do": "set_fields", "audience": "everybody"}, 422, None),
    ],
)
def test_what_cannot_be_is_refused_with_its_field(
    hr: Api, draft: dict, wanted: dict[str, Any], status: int, field: str | None
) -> None:
    answer = hr.call("patch", "/template-drafts/small", {"revision": 1, "change": wanted})
    assert answer.status_code == status, answer.content
    if field is not None:
        assert answer.json()["field"] == field
    assert hr.get("/template-drafts/small").json()["revision"] == 1


def test_a_text_is_a_draft_at_once_or_refused_with_its_line(hr: Api, firm: dict) -> None:
    broken = hr.post("/template-drafts", {"source": "id: x\nid: y\n"})
    assert (broken.status_code, broken.json()["code"]) == (422, "template_broken")
    assert "template:2: " in broken.json()["detail"]
    made = hr.post("/template-drafts", {"source": SMALL_TEMPLATE, "id": "own"}).json()
    assert (made["id"], made["begun_from"]) == ("own", "")
    assert hr.call("delete", "/template-drafts/own?revision=1").json() == {"id": "own", "revision": 1}
    assert hr.get("/template-drafts/own").status_code == 404


def test_nobody_else_reads_or_tries_a_draft(hr: Api, firm: dict, draft: dict) -> None:
    it = token_for(firm["it"])
    assert it.get("/template-drafts/small").json()["code"] == "not_allowed"
    body = {"person": "nobody@known.example", "last_working_day": LAST_DAY.isoformat()}
    assert it.post("/template-drafts/small/try", body).json()["code"] == "not_allowed"
    assert token_for(hr.user, "read").post("/template-drafts", {"id": "x"}).json()["code"] == "scope_missing"
