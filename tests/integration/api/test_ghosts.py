"""Ghost accounts by the API: what a token may see and do, and what takes a second factor given away."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from partwell import clock
from partwell.access import runs
from partwell.access.ghosts import cutting, sweeping
from partwell.access.models import Plan, Sweep, SystemRun
from partwell.people.models import Person, User
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


def nobody(left: World, it: Api) -> str:
    left.add_account("mail", "cron", login="cron", emails=[])
    sweep(it)
    (ghost,) = items(it, "?kind=nobodys")
    return f"/ghosts/{ghost['id']}"


def test_an_account_of_nobody_is_kept_with_who_answers_for_it(left: World, it: Api) -> None:
    where = nobody(left, it)
    review = str(clock.today_in("UTC", now=clock.now()) + timedelta(days=60))
    asked = {"owner": "nobody@firm.example", "reason": "It runs the nightly jobs.", "review": review}
    refused = it.post(f"{where}/keep", asked)
    assert (refused.status_code, refused.json()["field"]) == (422, "owner")
    Person.objects.create(email="ben@firm.example", name="Ben")
    kept = it.post(f"{where}/keep", {**asked, "owner": "ben@firm.example"}).json()
    assert (kept["state"], kept["kept_as"], kept["person"], kept["review_date"]) == (
        "kept", "service", "Ben", review,
    )  # fmt: skip
    assert items(it, "?kind=nobodys") == [] and len(items(it, "?state=kept")) == 1
    said = it.post(f"{where}/whose", {"person": "ben@firm.example"}).json()
    assert (said["kept_as"], said["review_date"]) == ("theirs", None)
    assert it.post(f"{where}/whose", {"person": "no@firm.example"}).status_code == 422


def test_a_token_proposes_and_puts_back_and_a_person_approves(left: World, it: Api) -> None:
    where = nobody(left, it)
    assert it.post(f"{where}/cut", {}).status_code == 409
    proposed = it.post(f"{where}/propose-cut", {"reason": "Nobody knows what it was for."})
    assert (proposed.status_code, proposed.json()["plan"]["state"]) == (202, "asking")
    assert it.post(f"{where}/call-off").json()["plan"] is None
    it.post(f"{where}/propose-cut", {"reason": "Nobody knows what it was for."})
    plan = Plan.objects.get(ghost__isnull=False, state="proposed")
    cutting.look_at_ghost(str(plan.pk))
    plan.refresh_from_db()
    seen = it.get(where).json()["plan"]
    assert (seen["state"], seen["checksum"], seen["entitlements"]) == ("proposed", plan.checksum, ["Staff"])
    assert it.post(f"{where}/approve").status_code == 404
    assert it.post(f"{where}/restore").status_code == 409
    cutting.approve_cut(plan=plan, checksum=plan.checksum, actor=left.approver, now=clock.now())
    assert it.get(where).json()["plan"]["state"] == "running"
    work()
    cut = it.get(where).json()
    assert (cut["state"], cut["plan"]["state"], cut["plan"]["can_be_restored"]) == ("gone", "read back", True)
    assert {row["verb"] for row in cut["plan"]["changes"]} == {"block_sign_in", "revoke_sessions", "suspend"}
    back = it.post(f"{where}/restore")
    assert (back.status_code, back.json()["plan"]["restores"]) == (202, True)
    work()
    assert left.store.account("mail", "cron")["is_active"] is True  # type: ignore[index]


def work() -> None:
    """Play the worker."""
    for run in SystemRun.objects.filter(plan__ghost__isnull=False, state__in=("running", "waiting")):
        runs.run_system(str(run.plan_id), str(run.system_id))
