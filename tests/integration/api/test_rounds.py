"""Rounds through the API and at the command line: looked at, prepared, read, recalled, refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from partwell import clock
from partwell.cli import rounds
from partwell.journeys.models import Journey, Round
from partwell.journeys.rounds.carrying_out import go_on
from partwell.journeys.rounds.drift import drift_of
from partwell.journeys.rounds.operations import approve_round
from partwell.people.models import User
from partwell.people.roles import Role
from tests.factories import as_actor, make_holder, make_person
from tests.integration.api.conftest import LAST_DAY, Api, token_for
from tests.integration.test_access_commands import run

WHY = "The site stays open after all."


@pytest.fixture
def executive(firm: dict[str, Any]) -> User:
    return make_holder(Role.EXECUTIVE, "Helen Marsh")


def body(count: int = 3, **fields: Any) -> dict[str, Any]:
    who = [make_person(f"Leaver {n}").email for n in range(count)]
    given = {"name": "Closing Leeds", "template": "small", "last_working_day": LAST_DAY.isoformat()}
    return {**given, "who": "\n".join(who), "confidentiality": "normal", **fields}


def test_a_round_is_looked_at_prepared_read_and_recalled(hr: Api, executive: User) -> None:
    asked = body(approvers=[executive.email])
    look = {name: value for name, value in asked.items() if name != "approvers"}
    looked = hr.post("/rounds/preview", look).json()
    assert [person["name"] for person in looked["people"]] == ["Leaver 0", "Leaver 1", "Leaver 2"]
    assert looked["overview"]["totals"]["steps"] == sum(person["steps"] for person in looked["people"])
    assert not Round.objects.exists()
    answer = hr.post("/rounds", {**asked, "digest": looked["digest"]})
    assert answer.status_code == 201, answer.content
    made = answer.json()
    assert (made["state"], made["sums"]["waiting"], made["drift"]["obstacles"]) == ("prepared", 3, [])
    assert hr.get("/rounds").json()["items"][0]["id"] == made["id"]

    found, now = Round.objects.get(), clock.now()
    digest = drift_of(found, now=now).digest
    approve_round(found=found, digest=digest, actor=as_actor(executive), now=now)
    go_on(str(found.pk), now)
    page = hr.get(f"/rounds/{made['id']}?limit=2").json()
    assert [person["state"] for person in page["people"]] == ["started", "started"]
    [last] = hr.get(f"/rounds/{made['id']}?limit=2&cursor={page['next']}").json()["people"]
    assert last["name"] == "Leaver 2"
    assert last["journey"] == str(Journey.objects.get(departure__subject_name="Leaver 2").pk)
    assert hr.get(f"/rounds/{made['id']}?only=late").json()["people"] == []
    recalled = hr.post(f"/rounds/{made['id']}/recall", {"reason": WHY, "people": [last["key"]]}).json()
    assert (recalled["sums"]["recalling"], recalled["state"]) == (1, "started")


def test_what_cannot_be_is_refused_in_the_usual_form(hr: Api, firm: dict[str, Any]) -> None:
    good = body(1)
    for changed, code in (
        ({"who": "nobody@harbour.example"}, "lines_bad"),
        ({"template": "no-such"}, "template_unknown"),
        ({"name": " "}, "name_missing"),
        ({"confidentiality": "need_to_know"}, "approver_missing"),
        ({"starts_at": "2030-01-01T09:00:00"}, "zone_missing"),
        ({"digest": "0" * 64}, "changed_meanwhile"),
        ({"approvers": ["nobody@harbour.example"]}, "user_unknown"),
    ):
        answer = hr.post("/rounds", {**good, **changed})
        assert (answer.status_code in (409, 422), answer.json()["code"]) == (True, code)
    assert hr.get("/rounds/00000000-0000-4000-8000-000000000000").status_code == 404
    assert hr.post("/rounds", {**good, "batch_size": 0}).status_code == 422
    it = token_for(firm["it"], "read", "write")
    assert (it.get("/rounds").status_code, it.post("/rounds", good).status_code) == (403, 403)
    assert not Round.objects.exists()


def test_a_wrong_cursor_is_said_to_be_none_of_ours(hr: Api, firm: dict[str, Any]) -> None:
    made = hr.post("/rounds", body(1)).json()
    answer = hr.get(f"/rounds/{made['id']}?cursor=WyItMSJd")
    assert (answer.status_code, answer.json()["code"]) == (422, "cursor_unknown")


def test_the_console_previews_prepares_shows_and_recalls(
    firm: dict[str, Any], executive: User, tmp_path: Path
) -> None:
    file = tmp_path / "leeds.csv"
    people = [make_person(f"Leaver {n}") for n in range(3)]
    terms = ["--name", "Closing Leeds", "--template", "small", "--last-day", LAST_DAY.isoformat()]
    file.write_text("email,reason\n" + "".join(f"{p.email},moving\n" for p in people) + "nobody@x.example,\n")
    looked = run(rounds.app, "preview", str(file), *terms, expect=1)
    assert [bad["line"] for bad in looked["bad_lines"]] == [5]
    said = CliRunner().invoke(rounds.app, ["preview", str(file), *terms]).stdout
    assert "nobody@x.example" in said
    assert "Nothing was kept" in said
    file.write_text("email\n" + "".join(f"{p.email}\n" for p in people))
    made = run(rounds.app, "prepare", str(file), *terms)
    assert (made["state"], made["sums"]["people"]) == ("prepared", 3)
    assert [each["id"] for each in run(rounds.app, "list")["items"]] == [made["id"]]
    assert "Leaver 2" in CliRunner().invoke(rounds.app, ["show", made["id"]]).stdout
    one = run(rounds.app, "recall", made["id"], "--reason", WHY, "--person", people[0].email)
    assert (one["sums"]["recalled"], one["sums"]["waiting"]) == (1, 2)
    run(rounds.app, "recall", made["id"], "--reason", WHY, "--person", "nobody@x.example", expect=1)
    whole = run(rounds.app, "recall", made["id"], "--reason", WHY)
    assert (whole["state"], whole["sums"]["recalled"]) == ("recalled", 3)
