"""A departure through the API: started, looked at, moved, worked on, ended."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from partwell.api.models import KeptAnswer
from partwell.departures.models import Departure, Notice
from partwell.journeys.models import Step
from partwell.people.operations import ensure_user
from partwell.people.roles import Role
from partwell.signals.models import Message
from tests.factories import NOW, make_holder
from tests.integration.api.conftest import LAST_DAY, Api, token_for


def start(api: Api, leaver: Any, query: str = "", **more: Any) -> Any:
    body = {"template": "small", "person": leaver.email, "last_working_day": LAST_DAY.isoformat(), **more}
    return api.post(f"/journeys{query}", body)


def test_a_dry_run_shows_the_plan_and_stores_nothing(hr: Api, firm: dict) -> None:
    answer = start(hr, firm["person"], "?dry_run=true")
    assert answer.status_code == 200
    assert (answer.json()["id"], len(answer.json()["steps"])) == (None, 6)
    assert not Departure.objects.exists()


def test_a_started_journey_has_the_shape_that_programs_rely_on(journey: dict) -> None:
    assert {"id", "template", "state", "last_working_day", "steps"} <= set(journey)
    assert {
        "key", "phase", "title", "role", "owner", "due_at", "state", "blocked_by", "kind",
    } <= set(journey["steps"][0])  # fmt: skip
    assert (journey["template"], journey["state"]) == ("small", "active")


def test_the_same_person_again_is_a_conflict_and_wrong_input_names_its_field(
    hr: Api, journey: dict, firm: dict
) -> None:
    again = start(hr, firm["person"])
    assert (again.status_code, again.json()["code"]) == (409, "already_leaving")
    cases: list[tuple[dict[str, Any], str]] = [
        ({"template": "none"}, "template"),
        ({"reason": "whim"}, "reason"),
        ({"notice_date": (LAST_DAY + timedelta(days=1)).isoformat()}, "last_day"),
        ({"last_working_day": "soon"}, "last_working_day"),
        ({"colour": "blue"}, "colour"),
        ({"person": "nobody@harbour.example"}, "person"),
    ]
    for more, field in cases:
        answer = start(hr, firm["manager"], **more)
        assert (answer.status_code, answer.json()["field"].split(".")[-1]) == (422, field), answer.content


def test_a_manager_gives_notice_and_learns_nothing_about_what_is_under_way(firm: dict, journey: dict) -> None:
    user = ensure_user(firm["manager"], NOW)
    # A token needs somebody who may have one; the register makes a manager of whoever has reports.
    manager = token_for(user)
    answer = start(manager, firm["person"])
    assert answer.status_code == 202
    assert answer.json() == {"notice": str(Notice.objects.get().pk)}


def test_journeys_are_listed_in_pages_and_need_to_know_ones_do_not_exist_for_others(
    hr: Api, journey: dict, firm: dict
) -> None:
    other = start(hr, firm["manager"], confidentiality="need_to_know")
    assert other.status_code == 201
    assert len(hr.get("/journeys").json()["items"]) == 2
    first = hr.get("/journeys?limit=1").json()
    second = hr.get(f"/journeys?limit=1&cursor={first['next']}").json()
    assert first["items"][0]["id"] != second["items"][0]["id"]
    legal = token_for(make_holder(Role.LEGAL, "Lea Gal"))
    assert [row["id"] for row in legal.get("/journeys").json()["items"]] == [journey["id"]]
    for path in ("", "/steps", "/access", "/events", "/pack"):
        assert legal.get(f"/journeys/{other.json()['id']}{path}").status_code == 404
        assert legal.get(f"/journeys/{uuid4()}{path}").status_code == 404


def test_the_reason_is_for_hr_alone(hr: Api, firm: dict) -> None:
    made = start(hr, firm["person"], reason="pay").json()
    assert made["reason"] == "pay"
    legal = token_for(make_holder(Role.LEGAL, "Lea Gal"))
    assert "reason" not in legal.get(f"/journeys/{made['id']}").json()


def test_moving_shows_the_difference_before_it_applies(hr: Api, journey: dict) -> None:
    new = (LAST_DAY + timedelta(days=7)).isoformat()
    path = f"/journeys/{journey['id']}/move"
    shown = hr.post(f"{path}?dry_run=true", {"last_working_day": new}).json()
    assert shown["dates"][0] == {
        "field": "last_working_day", "before": LAST_DAY.isoformat(), "after": new,
    }  # fmt: skip
    assert hr.get(f"/journeys/{journey['id']}").json()["last_working_day"] == LAST_DAY.isoformat()
    assert hr.post(path, {"last_working_day": new, "revision": 99}).json()["code"] == "changed_meanwhile"
    assert hr.post(path, {"last_working_day": new}).json()["dates"] == shown["dates"]
    assert hr.get(f"/journeys/{journey['id']}").json()["last_working_day"] == new


def test_facts_are_edited_and_unknown_values_refused(hr: Api, journey: dict) -> None:
    path = f"/journeys/{journey['id']}"
    assert hr.call("patch", path, {"rehire": "welcome"}).status_code == 200
    assert hr.get(path).json()["rehire"] == "welcome"
    assert hr.call("patch", path, {"timezone": "Mars/Base"}).json()["field"] == "timezone"


def test_steps_are_completed_undone_skipped_handed_on_and_talked_about(
    hr: Api, journey: dict, firm: dict
) -> None:
    path = f"/journeys/{journey['id']}/steps"
    steps = hr.get(path).json()["items"]
    assert [step["key"] for step in steps][:2] == ["confirm", "initiate"]
    assert hr.post(f"{path}/initiate/complete", {}).status_code == 409
    missing = hr.post(f"{path}/confirm/complete", {})
    assert (missing.status_code, missing.json()["field"]) == (422, "note")
    assert hr.post(f"{path}/confirm/complete", {"note": "Agreed by both."}).json()["state"] == "done"
    assert hr.get(f"{path}/initiate").json()["state"] == "open"
    assert hr.post(f"{path}/confirm/undo").json()["state"] == "open"
    assert hr.post(f"{path}/close-journey/skip", {"reason": "Not for interns."}).json()["state"] == "skipped"
    given = hr.post(f"{path}/confirm/reassign", {"to": firm["it"].email}).json()
    assert given["owner"] == firm["it"].name
    assert hr.post(f"{path}/confirm/reassign", {"to": "who@x.example"}).json()["field"] == "to"
    assert hr.post(f"{path}/confirm/comments", {"text": "Call first."}).status_code == 201
    assert hr.post(f"{path}/none/undo").status_code == 404


def test_a_step_of_one_s_own_is_added_and_shown_with_all_that_stands_on_its_page(
    hr: Api, journey: dict, firm: dict
) -> None:
    path = f"/journeys/{journey['id']}/steps"
    body = {"title": "Collect the parking card", "phase": 5, "due_date": LAST_DAY.isoformat(),
            "owner": firm["it"].email, "guidance": "At the gate.", "required": True}  # fmt: skip
    added = hr.post(path, body)
    assert (added.status_code, added.json()["owner"]) == (201, firm["it"].name)
    key = added.json()["key"]
    hr.post(f"{path}/{key}/comments", {"text": "Ask Bo."})
    shown = hr.get(f"{path}/{key}").json()
    assert (shown["guidance"], shown["required"]) == ("At the gate.", True)
    assert [comment["text"] for comment in shown["comments"]] == ["Ask Bo."]
    assert (
        hr.post(path, {**body, "owner": firm["person"].email}).json()["field"]
        == hr.post(path, {**body, "owner": "who@x.example"}).json()["field"]
        == "owner"
    )
    mine = token_for(firm["it"]).get("/steps").json()["items"]
    assert key in {step["key"] for step in mine}
    assert {step["journey"] for step in mine} == {journey["id"]}


def test_pages_of_one_s_own_steps_miss_nothing_though_all_are_due_at_once(hr: Api, journey: dict) -> None:
    Step.objects.filter(owner=hr.user).update(due_at=NOW)
    everything = hr.get("/steps").json()
    assert everything["next"] is None and len(everything["items"]) >= 2
    seen, path = [], "/steps?limit=1"
    while path:
        page = hr.get(path).json()
        seen += page["items"]
        path = f"/steps?limit=1&cursor={page['next']}" if page["next"] else ""
    assert seen == everything["items"]
    assert hr.get("/steps?cursor=nonsense").json()["code"] == "cursor_unknown"


def test_a_guest_s_link_goes_by_mail_alone(hr: Api, journey: dict) -> None:
    path = f"/journeys/{journey['id']}/guests"
    refused = hr.post(path, {"email": "marit@home.example"})
    assert (refused.status_code, refused.json()["code"]) == (422, "no_page_to_open")

    Step.objects.filter(key="confirm").update(visibility="everybody")
    made = hr.post(path, {"email": "marit@home.example"}, **{"Idempotency-Key": "guest-1"})
    assert (made.status_code, made.json()["state"]) == (201, "waiting")
    mail = Message.objects.get(to="marit@home.example")
    token = mail.text.split("/g/")[1].split("/")[0].split()[0]
    assert len(token) > 30
    assert token not in made.content.decode() + hr.get(path).content.decode()
    assert not any(token in kept.body for kept in KeptAnswer.objects.all())
    helper = {"email": "bo@courier.example", "capacity": "helper", "steps": ["none"]}
    assert hr.post(path, helper).json()["field"] == "steps"
    assert hr.post(f"{path}/{made.json()['id']}/revoke").json()["state"] == "revoked"


def test_a_file_is_attached_and_a_hostile_one_refused(hr: Api, journey: dict) -> None:
    path = f"/journeys/{journey['id']}/steps/confirm/files"
    good = SimpleUploadedFile("letter.pdf", b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\n%%EOF\n")
    answer = hr.raw("post", path, {"data": {"file": good}})
    assert answer.status_code == 201, answer.content
    good.seek(0)
    assert answer.json()["sha256"] == hashlib.sha256(good.read()).hexdigest()
    page = SimpleUploadedFile("letter.pdf", b"<html><script>alert(1)</script>")
    assert hr.raw("post", path, {"data": {"file": page}}).status_code == 422
    assert hr.raw("post", path, {"data": {"other": "x"}}).json()["code"] == "file_missing"
    kept = answer.json()["id"]
    assert hr.get(f"{path}/{kept}").getvalue().startswith(b"%PDF")
    assert hr.get(f"{path}/{kept}")["Content-Disposition"] == 'attachment; filename="letter.pdf"'
    assert hr.get(path.replace("confirm", "initiate") + f"/{kept}").status_code == 404
    assert hr.post(path, {"file": "x"}).status_code == 415
    assert Step.objects.get(journey_id=journey["id"], key="confirm").attachments.count() == 1


def test_withdrawing_says_what_was_done_and_ends_everything(hr: Api, journey: dict) -> None:
    path = f"/journeys/{journey['id']}"
    hr.post(f"{path}/steps/confirm/complete", {"note": "Agreed by both."})
    ended = hr.post(f"{path}/withdraw", {"reason": "They stay with us."}).json()
    assert (ended["state"], ended["done"], ended["restorable"]) == ("withdrawn", ["confirm"], [])
    again = hr.post(f"{path}/withdraw", {"reason": "They stay with us."})
    assert (again.status_code, again.json()["code"]) == (409, "departure_ended")


def test_closing_is_refused_while_things_are_open_and_a_token_cannot_override(hr: Api, journey: dict) -> None:
    path = f"/journeys/{journey['id']}"
    assert hr.post(f"{path}/close").json()["code"] == "cannot_close"
    asked = hr.post(f"{path}/override", {"reason": "The office closes for good tomorrow."})
    assert (asked.status_code, asked.json()["override"]) == (200, "requested")
    assert hr.get(path).json()["state"] == "active"


@pytest.mark.parametrize("path", ["/journeys/not-an-id", "/journeys/not-an-id/steps"])
def test_an_id_that_is_none_is_a_problem(hr: Api, path: str) -> None:
    assert hr.get(path).status_code == 422
