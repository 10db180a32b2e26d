"""Ghost accounts by the API: what a token may see and do, and what takes a second factor given away."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from partwell.access.ghosts import sweeping
from partwell.access.models import Sweep
from partwell.people.models import User
from tests.access_world import World, make_world
from tests.integration.api.conftest import Api, token_for


@pytest.fixture
def left(db: None, tmp_path: Path) -> World:
    """Ada left; one account is active that no departure knew of, and one system cannot be asked."""
    world = make_world(tmp_path)
    world.add_system("mail")
    world.add_system("doors", connector="manual", accounts=0, settings={})
    world.end_access()
    return world


@pytest.fixture
def it(left: World) -> Api:
    return token_for(User.objects.get(email="rita@firm.example"), "write", "read", "access")


def sweep(it: Api) -> None:
    assert it.post("/ghosts/sweep").status_code == 202
    for row in Sweep.objects.get(ended_at=None).systems.filter(state="waiting"):
        sweeping.sweep_system(str(row.pk))


def items(it: Api, query: str = "") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = it.get(f"/ghosts{query}").json()["items"]
    return found


def test_a_sweep_is_asked_for_and_what_it_found_is_listed_assigned_and_cut(it: Api) -> None:
    first = it.post("/ghosts/sweep", **{"Idempotency-Key": "once"}).json()
    assert it.post("/ghosts/sweep", **{"Idempotency-Key": "once"}).json()["id"] == first["id"]
    assert (first["ended_at"], first["not_wholly_read"]) == (None, ["doors", "mail"])
    sweep(it)
    (ghost,) = items(it)
    assert (ghost["kind"], ghost["state"], ghost["owner"]) == ("never_known", "open", "")
    read = {each["system"]: each["read"] for each in it.get("/ghosts/coverage").json()["items"]}
    assert read == {"doors": "cannot list", "mail": "read"}
    given = it.post(f"/ghosts/{ghost['id']}/assign", {"owner": "otto@firm.example"}).json()
    assert given["owner"] == "otto@firm.example"
    cut = it.post(f"/ghosts/{ghost['id']}/cut", {}).json()
    assert cut["state"] == "cutting"
    assert it.get(f"/cuts/{cut['cut_id']}").json()["state"] == "fired"
    assert it.get("/ghosts?kind=poltergeist").status_code == 422
    assert it.get("/ghosts/999").status_code == 404


def test_a_token_without_the_access_scope_cuts_nothing(it: Api) -> None:
    sweep(it)
    (ghost,) = items(it)
    writer = token_for(it.user, "write", "read")
    refused = writer.post(f"/ghosts/{ghost['id']}/cut", {})
    assert (refused.status_code, refused.json()["code"]) == (403, "scope_missing")
    said = writer.post(f"/ghosts/{ghost['id']}/dismiss", {"reason": "It is the monitoring account."}).json()
    assert said["state"] == "dismissed"
    assert items(it) == [] and len(items(it, "?state=dismissed")) == 1


def test_a_list_with_a_bad_line_is_refused_by_line(it: Api) -> None:
    def upload(text: str, query: str = "") -> Any:
        content = {"data": text.encode(), "content_type": "text/csv"}
        return it.raw("post", f"/ghosts/upload/doors{query}", content)

    refused = upload("login,active\nbadge,perhaps\n")
    assert (refused.status_code, refused.json()["bad_lines"][0]["line"]) == (422, 2)
    assert upload("login\nbadge\n", "?dry_run=true").json()["accounts"] == 1
    assert items(it) == []
    assert upload("login\nbadge\n", "?file=doors.csv").json()["unknown"] == 1
    assert [each["kind"] for each in items(it)] == ["nobodys"]
    assert it.get("/ghosts/coverage").json()["items"][1]["source"] == "doors.csv"


def test_who_has_no_part_in_it_reads_nothing(it: Api) -> None:
    nobody = token_for(User.objects.create_user("nina@firm.example"), "read", "write")
    for path in ("/ghosts", "/ghosts/coverage"):
        assert nobody.get(path).status_code == 403
    assert nobody.post("/ghosts/sweep").status_code == 403
    assert not Sweep.objects.exists()
