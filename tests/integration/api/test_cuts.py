"""The kill switch through the API and at the command line: a person, a group, stages, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from partwell import clock
from partwell.access.models import Cut
from partwell.cli import cuts
from partwell.journeys.template_operations import sync_library
from partwell.people.models import Client
from tests.factories import make_client, make_person
from tests.integration.api.conftest import Api, token_for
from tests.integration.test_access_commands import run

WHY = "Credentials of a supplier were stolen."


@pytest.fixture
def it(firm: dict[str, Any]) -> Api:
    sync_library(now=clock.now())
    return token_for(firm["it"], "write", "access")


def test_one_is_shut_out_at_once_and_it_is_stopped_and_shown(it: Api, firm: dict[str, Any]) -> None:
    answer = it.post("/cuts", {"people": [firm["person"].email], "reason": WHY})
    assert answer.status_code == 201, answer.content
    cut = answer.json()
    assert (cut["state"], cut["stage_size"], [p["is_begun"] for p in cut["people"]]) == (
        "fired",
        None,
        [True],
    )
    assert it.get("/cuts").json()["items"][0]["id"] == cut["id"]
    assert it.post(f"/cuts/{cut['id']}/stop").json()["state"] == "stopped"
    again = it.post(f"/cuts/{cut['id']}/cancel")
    assert (again.status_code, again.json()["code"]) == (409, "cut_fired")


def test_a_group_is_looked_at_and_ordered_by_stages(it: Api, firm: dict[str, Any]) -> None:
    for number in range(6):
        make_person(f"Agent {number}", department="Support")
    make_client("Kestrel", client_ref="KES")
    looked = it.post("/cuts/group", {"who": ["KES", "nobody@x.example"], "department": "support"}).json()
    assert [person["name"] for person in looked["people"]] == [f"Agent {number}" for number in range(6)]
    assert looked["clients"] == [{"name": "Kestrel", "client_ref": "KES"}]
    assert [(bad["line"], bad["value"]) for bad in looked["problems"]] == [(2, "nobody@x.example")]
    assert not Cut.objects.exists(), "asking shuts nobody out"
    order = {
        "people": [person["email"] for person in looked["people"]],
        "clients": ["KES"],
        "reason": WHY,
        "stage_size": 2,
        "hold_above_percent": 20,
    }
    cut = it.post("/cuts", order).json()
    assert (cut["state"], cut["stage_size"], cut["hold_above_percent"]) == ("waiting", 2, 20)
    assert [person["is_begun"] for person in cut["people"]] == [False] * 7
    without = {key: value for key, value in order.items() if key != "stage_size"}
    assert it.post("/cuts", without).json()["field"] == "stage_size"


def test_who_may_not_use_it_does_not_learn_whom_a_list_means(hr: Api, firm: dict[str, Any]) -> None:
    manager = token_for(firm["it"], "read")
    assert manager.post("/cuts/group", {"who": [firm["person"].email]}).status_code == 403


def test_at_the_command_line_a_file_is_tried_before_it_is_ordered(
    it: Api, firm: dict[str, Any], tmp_path: Path
) -> None:
    people = [make_person(f"Agent {number}") for number in range(6)]
    file = tmp_path / "stolen.csv"
    file.write_text("email,name\n" + "".join(f"{p.email},x\n" for p in people) + "who@x.example,?\n")
    words = ("order", "--file", str(file), "--reason", WHY)
    tried = run(cuts.app, *words, "--dry-run")
    assert len(tried["people"]) == 6
    assert [(bad["line"], bad["value"]) for bad in tried["problems"]] == [(8, "who@x.example")]
    refused = run(cuts.app, *words, expect=1)["error"]
    assert refused["code"] == "group_unclear" and "line 8" in refused["message"]
    assert not Cut.objects.exists()
    file.write_text("".join(f"{p.email}\n" for p in people))
    ordered = run(cuts.app, *words, "--stage-size", "2", "--hold-above", "10")
    assert (ordered["state"], ordered["stage_size"]) == ("waiting", 2)
    assert run(cuts.app, "list")["items"][0]["id"] == ordered["id"]
    assert run(cuts.app, "cancel", ordered["id"])["state"] == "cancelled"
    assert not Client.objects.exists()
