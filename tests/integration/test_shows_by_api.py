"""One departure from notice to proven closure by the API, over real HTTP, against three real systems."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.over_http import Caller, problem_of
from tests.packs import change_a_byte, verified_alone
from tests.servers.samba import SambaServer
from tests.servers.scim import ScimServer
from tests.servers.slapd import SlapdServer
from tests.shows import (
    AMARA,
    CLIENTS,
    CONTRACTS,
    EVA,
    FRITZ,
    HANNE,
    INES,
    JOON,
    LETTER,
    LUCIA,
    OTTO,
    PEOPLE,
    ROLES,
    TOMAS,
    Accounts,
    day,
)
from tests.shows_by_api import (
    Firm,
    a_token_cannot_approve,
    approve_on_the_web,
    complete_all,
    connect,
    firm,
    head_to_keep,
    settled_step,
    wait_for_cut,
)

STEP = {"key", "phase", "title", "role", "owner", "due_at", "state", "blocked_by", "kind"}
CHANGE = {"system", "account", "action", "state", "reason"}


@pytest.fixture
def harbour(tmp_path: Path) -> Iterator[Firm]:
    with firm(tmp_path) as made:
        yield made


def test_a_resignation_in_three_real_systems(
    harbour: Firm,
    letter: Path,
    tmp_path: Path,
    slapd_server: SlapdServer,
    samba_ad_server: SambaServer,
    scim_server: ScimServer,
) -> None:
    the_registers_are_filled(harbour)
    hanne = Accounts(slapd_server, samba_ad_server, scim_server, HANNE, "hanne").make()
    systems_are_connected(harbour, hanne)

    journey = notice_is_given(harbour)
    lists_come_in_pages_that_miss_nothing(harbour, journey)
    steps_are_worked_on(harbour, journey, letter)
    done = complete_all(harbour, journey, letter, hr=AMARA)
    blocked = harbour.as_(AMARA).get(f"/journeys/{journey}/steps/set-mailbox-reply")
    assert (blocked["state"], blocked["blocked_by"]) == ("blocked", ["cut-access"])

    held_open = hanne.open_connection()
    a_plan_is_approved_by_a_second_person(harbour, journey)
    assert hanne.can_sign_in() == {"directory": True, "domain": True, "chat": True}
    access_is_cut_and_read_back(harbour, journey)
    assert hanne.can_sign_in() == {"directory": False, "domain": False, "chat": False}
    assert held_open.extend.standard.who_am_i(), "a connection left open lives on"
    what_no_system_can_show_is_attested(harbour, journey)

    done += complete_all(harbour, journey, letter, hr=AMARA)
    head = the_journey_closes_with_a_statement(harbour, journey)
    the_pack_verifies_until_a_byte_is_changed(harbour, journey, tmp_path / "pack.zip", head)
    print(f"\n  {done} steps completed, 6 changes read back in three systems, 3 settled by a person's word")


def the_registers_are_filled(harbour: Firm) -> None:
    admin = harbour.as_(EVA)
    assert admin.get("/me")["roles"] == ["admin"]
    wrong = PEOPLE + "no address,Ada Nobody" + "," * 10 + "\n"
    problem = problem_of(admin.send_csv("/people/import", wrong), 422)
    [bad] = problem["bad_lines"]
    assert (problem["code"], problem["field"]) == ("bad_lines", "email")
    assert (bad["line"], bad["field"], bad["value"]) == (wrong.count("\n"), "email", "no address")
    assert bad["reason"] and bad["way_out"]
    assert admin.get("/people") == {"items": [], "next": None}, "refused whole"

    everybody = PEOPLE.count("\n") - 1
    dry = admin.send_csv("/people/import?dry_run=true", PEOPLE).json()
    assert (dry["created"], dry["applied"], len(dry["changes"])) == (everybody, False, everybody)
    assert admin.get("/people")["items"] == []
    once_and_again(admin, "/people/import", PEOPLE)
    assert len(admin.every("/people", limit=4)) == everybody
    assert [row["name"] for row in admin.get("/people", search="larsen")["items"]] == ["Hanne Larsen"]
    exported = admin.answer("GET", "/people/export").text
    assert admin.send_csv("/people/import", exported).json()["unchanged"] == everybody

    for kind, text in (("clients", CLIENTS), ("contracts", CONTRACTS.format(end=day(60)))):
        assert admin.send_csv(f"/{kind}/import?dry_run=true", text).json()["created"] >= 1
        assert admin.send_csv(f"/{kind}/import", text).json()["applied"] is True
    [client] = admin.get("/clients")["items"]
    assert admin.get(f"/clients/{client['id']}")["contracts"][0]["end_date"] == day(60)

    for email, role in ROLES.items():
        harbour.installation.console.run("roles", "grant", email, role)
    held = {(row["email"], row["role"]) for row in admin.every("/roles", limit=3)}
    assert held == {(EVA, "admin"), *ROLES.items()}
    assert harbour.as_(AMARA).refused(403, "GET", "/roles")["code"] == "not_allowed"


def once_and_again(caller: Caller, path: str, text: str) -> None:
    """The same key has one effect and one answer, and another body under it is refused."""
    first, second = (caller.send_csv(path, text, key="hris-1") for _ in range(2))
    assert (first.status_code, first.json()["applied"]) == (200, True)
    assert second.text == first.text and second.headers["Idempotent-Replayed"] == "true"
    other = caller.send_csv(path, text + "\n", key="hris-1")
    assert problem_of(other, 422)["code"] == "idempotency_key_reused"


def systems_are_connected(harbour: Firm, hanne: Accounts) -> None:
    ines = harbour.as_(INES)
    told = {"name": "leaky", "connector": "scim", "settings": {"url": "http://x.test", "token": "hunter2"}}
    problem = ines.refused(422, "POST", "/systems", told)
    assert problem["field"].startswith("settings") and "hunter2" not in json.dumps(problem)
    for description in hanne.systems().values():
        connect(harbour, description, who=INES)
    listed = ines.every("/systems", limit=2)
    assert [row["name"] for row in listed] == ["chat", "directory", "domain"]
    assert all("settings" not in row for row in listed)
    assert harbour.as_(AMARA).refused(403, "POST", "/systems", told)["code"] == "not_allowed"


def notice_is_given(harbour: Firm) -> str:
    hr = harbour.as_(AMARA)
    notice = {"template": "staff-resignation", "person": HANNE, "last_working_day": day(30)}
    assert hr.refused(422, "POST", "/journeys", {**notice, "template": "no-such"})["field"] == "template"
    assert hr.refused(422, "POST", "/journeys", {**notice, "last_working_day": day(-1)})["field"]
    reader = harbour.with_token(AMARA, "read")
    assert reader.refused(403, "POST", "/journeys", notice)["code"] == "scope_missing"
    draft = hr.post("/journeys?dry_run=true", notice)
    assert draft["id"] is None and hr.get("/journeys")["items"] == []

    notice["reason"] = "relocation"
    begun = hr.post("/journeys", notice, status=201, key="notice-1042")
    assert hr.post("/journeys", notice, status=201, key="notice-1042") == begun
    assert hr.refused(409, "POST", "/journeys", notice)["code"] == "already_leaving"
    assert (begun["state"], begun["last_working_day"], begun["reason"]) == ("active", day(30), "relocation")
    assert all(set(step) >= STEP for step in begun["steps"])
    assert {step["phase"] for step in begun["steps"]} == set(range(1, 11))
    assert [step["key"] for step in draft["steps"]] == [step["key"] for step in begun["steps"]]
    assert [row["id"] for row in hr.get("/journeys")["items"]] == [begun["id"]]
    harbour.installation.console.run("roles", "grant", HANNE, "finance")
    leaver = harbour.as_(HANNE)
    assert leaver.get("/journeys")["items"] == [], "the inside is not the leaver's"
    assert leaver.refused(404, "GET", f"/journeys/{begun['id']}")["code"] == "not_found"
    someone_else_gives_notice_to_hr(harbour)
    return str(begun["id"])


def someone_else_gives_notice_to_hr(harbour: Firm) -> None:
    """A manager may not start a journey alone: HR has the notice, and settles it."""
    notice = {"template": "staff-resignation", "person": OTTO, "last_working_day": day(40)}
    given = harbour.as_(FRITZ).post("/journeys", notice, status=202)
    hr = harbour.as_(AMARA)
    [waiting] = hr.get("/notices")["items"]
    assert (waiting["id"], waiting["person"], waiting["state"]) == (given["notice"], OTTO, "waiting")
    assert harbour.as_(FRITZ).refused(403, "GET", "/notices")["code"] == "not_allowed"
    declined = hr.post(f"/notices/{given['notice']}/settle", {"journey": None})
    assert declined["state"] == "declined" and hr.get("/notices")["items"] == []


def lists_come_in_pages_that_miss_nothing(harbour: Firm, journey: str) -> None:
    hr = harbour.as_(AMARA)
    others = [
        hr.post(
            "/journeys",
            {"template": "staff-resignation", "person": person, "last_working_day": day(days)},
            status=201,
        )["id"]
        for person, days in ((LUCIA, 20), (TOMAS, 45))
    ]
    in_order = [others[0], journey, others[1]]
    assert [row["id"] for row in hr.every("/journeys", limit=1)] == in_order
    assert [row["id"] for row in hr.every("/journeys", limit=2, kind="staff")] == in_order
    assert hr.get("/journeys", kind="client")["items"] == []
    assert [row["id"] for row in hr.get("/journeys", search="larsen")["items"]] == [journey]
    assert hr.refused(422, "GET", "/journeys?cursor=nonsense")["code"] == "cursor_unknown"
    for other in others:
        assert hr.post(f"/journeys/{other}/withdraw", {"reason": "They stay after all."})["restorable"] == []
    assert len(hr.every("/journeys", limit=1, state="withdrawn")) == 2

    steps = hr.get(f"/journeys/{journey}/steps")["items"]
    assert hr.every(f"/journeys/{journey}/steps", limit=7) == steps
    for filters in ({"state": "open"}, {"role": "hr"}, {"state": "blocked", "role": "it_security"}):
        wanted = [step for step in steps if filters.items() <= step.items()]
        assert wanted and hr.every(f"/journeys/{journey}/steps", limit=3, **filters) == wanted
    mine = harbour.as_(JOON).every("/steps", limit=3)
    assert {step["key"] for step in mine} == {s["key"] for s in steps if s["owner"] == "Joon-ho Baek"}
    assert [step["due_at"] for step in mine] == sorted(step["due_at"] for step in mine)


def steps_are_worked_on(harbour: Firm, journey: str, letter: Path) -> None:
    """Everything that is done to a step beside completing it, by whoever does it."""
    hr, joon, path = harbour.as_(AMARA), harbour.as_(JOON), f"/journeys/{journey}/steps"
    missing = hr.refused(422, "POST", f"{path}/confirm-resignation/complete", {})
    assert (missing["code"], missing["field"]) == ("file_missing", "file")
    sent = hr.send_file(f"{path}/confirm-resignation/files", letter)
    assert hr.post(f"{path}/confirm-resignation/complete", {"note": "Both signed."})["state"] == "done"
    shown = hr.get(f"{path}/confirm-resignation")
    assert (shown["files"], shown["note"]) == ([sent], "Both signed.")
    content = hr.answer("GET", f"{path}/confirm-resignation/files/{sent['id']}")
    assert (content.status_code, content.content) == (200, LETTER)
    assert content.headers["Content-Disposition"].startswith("attachment")

    talk = f"{path}/talk-with-leaver"
    said = joon.post(f"{talk}/comments", {"text": "Call first."}, status=201, key="comment-1")
    assert joon.post(f"{talk}/comments", {"text": "Call first."}, status=201, key="comment-1") == said
    assert joon.get(talk)["comments"] == [said], "said once"
    assert joon.refused(422, "POST", f"{talk}/complete", {"note": " "})["field"] == "note"
    assert joon.post(f"{talk}/complete", {"note": "It is the commute."})["state"] == "done"
    assert joon.post(f"{talk}/undo")["state"] == "open"

    assert hr.post(f"{path}/tell-the-team/reassign", {"to": EVA})["owner"] == "Eva Novak"
    assert hr.refused(422, "POST", f"{path}/tell-the-team/reassign", {"to": HANNE})["field"] == "to"
    assert hr.post(f"{path}/tell-the-team/reassign", {"to": JOON})["owner"] == "Joon-ho Baek"
    assert hr.post(f"{path}/check-notice-terms/complete", {"note": "Three months."})["state"] == "done"
    [claimable] = harbour.as_(OTTO).every("/steps", limit=2, claimable=True)
    assert (claimable["key"], claimable["journey"]) == ("inform-payroll", journey)
    payroll = f"{path}/inform-payroll"
    assert hr.refused(403, "POST", f"{payroll}/claim")["code"] == "not_your_queue"
    assert harbour.as_(OTTO).post(f"{payroll}/claim")["owner"] == "Otto Brandt"
    assert harbour.as_(FRITZ).refused(409, "POST", f"{payroll}/claim")["code"] == "step_claimed"
    assert harbour.as_(OTTO).post(f"{payroll}/reassign", {"to": FRITZ})["owner"] == "Fritz Keller"

    assert joon.refused(422, "POST", f"{path}/hold-farewell/skip", {"reason": " "})["field"] == "reason"
    skipped = joon.post(f"{path}/hold-farewell/skip", {"reason": "She would rather not."})
    assert (skipped["state"], skipped["skip_reason"]) == ("skipped", "She would rather not.")
    own = {"title": "Collect the parking card", "phase": 5, "due_date": day(29), "owner": INES}
    added = hr.post(path, own, status=201)
    assert (added["state"], added["owner"], added["phase"]) == ("open", "Ines Duarte", 5)


def a_plan_is_approved_by_a_second_person(harbour: Firm, journey: str) -> None:
    ines, path = harbour.as_(INES), f"/journeys/{journey}/access"
    plan = ines.post(f"{path}/plan", status=201, key="plan-1")
    assert ines.post(f"{path}/plan", status=201, key="plan-1") == plan
    assert len(plan["checksum"]) == 64 and all(set(change) >= CHANGE for change in plan["changes"])
    assert {(change["system"], change["action"], change["state"]) for change in plan["changes"]} == {
        (system, action, state)
        for system in ("chat", "directory", "domain")
        for action, state in (
            ("suspend", "planned"),
            ("remove_entitlements", "planned"),
            ("revoke_sessions", "manual"),
        )
    }
    for who in (INES, AMARA):
        a_token_cannot_approve(harbour, journey, who)
    with_access = harbour.with_token(INES, "access")
    assert with_access.refused(409, "POST", f"{path}/apply")["code"] == "not_approved"

    page = f"/departures/{journey}/access/"
    asked_for_it = harbour.sign_in(INES)
    assert not asked_for_it.has_form(page, f"{page}approve/"), "whoever asked for the plan approves none"
    approve_on_the_web(harbour.sign_in(AMARA), journey, word="Larsen")
    approved = ines.get(path)
    assert (approved["id"], approved["checksum"], approved["state"]) == (
        plan["id"],
        plan["checksum"],
        "approved",
    )
    assert "Amara Osei" in approved["approved_by"]


def access_is_cut_and_read_back(harbour: Firm, journey: str) -> None:
    path = f"/journeys/{journey}/access"
    assert harbour.as_(INES).refused(403, "POST", f"{path}/apply")["code"] == "scope_missing"
    cutter = harbour.with_token(INES, "access")
    begun = cutter.post(f"{path}/apply", status=202, key="cut-1")
    assert begun["is_settled"] is False
    assert cutter.post(f"{path}/apply", status=202, key="cut-1") == begun
    view = wait_for_cut(cutter, journey, count=6)
    cut = {(c["system"], c["action"]): c for c in view["changes"] if c["action"] != "revoke_sessions"}
    assert len(cut) == 6 and view["is_settled"] is False, "open sessions are left for people"
    for change in cut.values():
        assert change["state"] == "verified" and change["verified_at"] and change["proof"]["read"]
        assert change["is_active"] is False
    proof = cut["directory", "suspend"]["proof"]
    assert proof["still_open"] == 1 and "1 open connection(s)" in proof["read"]
    assert harbour.as_(AMARA).refused(409, "POST", f"/journeys/{journey}/close")["code"] == "cannot_close"


def what_no_system_can_show_is_attested(harbour: Firm, journey: str) -> None:
    ines, path = harbour.as_(INES), f"/journeys/{journey}/access"
    said = {"system": "chat", "note": "Signed out everywhere in the console."}
    assert ines.refused(422, "POST", f"{path}/attest", {**said, "note": " "})["field"] == "note"
    assert ines.refused(404, "POST", f"{path}/attest", {**said, "system": "fax"})["code"] == "not_found"
    attested = ines.post(f"{path}/attest", said, key="chat-1")
    assert ines.post(f"{path}/attest", said, key="chat-1") == attested
    domain = {"system": "domain", "account": "hanne", "note": "No session on any server."}
    assert ines.post(f"{path}/attest", domain)["is_settled"] is False
    laptop = {"system": "directory", "reason": "The connection ends with the laptop, which is wiped."}
    assert ines.refused(422, "POST", f"{path}/impossible", {**laptop, "reason": ""})["field"] == "reason"
    settled = ines.post(f"{path}/impossible", laptop)
    assert settled["is_settled"] is True
    assert settled["counts"] == {"verified": 6, "attested": 2, "impossible": 1}
    assert ines.post(f"{path}/verify")["counts"] == settled["counts"]
    assert "Amara Osei" in settled_step(harbour, journey, "approve-access-plan", AMARA)["note"]
    settled_step(harbour, journey, "cut-access", AMARA)


def the_journey_closes_with_a_statement(harbour: Firm, journey: str) -> str:
    hr = harbour.as_(AMARA)
    closed = hr.post(f"/journeys/{journey}/close", key="close-1")
    assert (closed["id"], closed["state"]) == (journey, "closed") and closed["ended_at"]
    assert hr.post(f"/journeys/{journey}/close", key="close-1") == closed
    moved = hr.refused(409, "POST", f"/journeys/{journey}/move", {"last_working_day": day(40)})
    assert moved["code"] == "departure_ended"
    assert hr.get("/journeys")["items"] == []
    assert [row["id"] for row in hr.get("/journeys", state="closed")["items"]] == [journey]
    return head_to_keep(hr, journey)


def the_pack_verifies_until_a_byte_is_changed(harbour: Firm, journey: str, pack: Path, head: str) -> None:
    hr, console = harbour.as_(AMARA), harbour.installation.console
    happened = hr.every(f"/journeys/{journey}/events", limit=25)
    assert len(happened) > 60 and {"access.verified", "journey.closed"} <= {e["kind"] for e in happened}
    exported = hr.answer("GET", f"/journeys/{journey}/pack", params={"audience": "auditor"})
    assert (exported.status_code, exported.headers["Content-Type"]) == (200, "application/zip")
    pack.write_bytes(exported.content)
    assert hr.get("/evidence/verify", head=head)["whole"] is True
    assert console.ask("evidence", "verify", str(pack), "--head", head)["whole"] is True
    assert sent_back(hr, pack, head)["whole"] is True
    assert verified_alone(pack).returncode == 0

    forged = change_a_byte(pack, b'"journey.started"')
    for report in (
        console.ask("evidence", "verify", str(forged), "--head", head, expect=1),
        sent_back(hr, forged, head),
    ):
        assert report["whole"] is False and "events.json" in json.dumps(report["problems"])
    alone = verified_alone(forged)
    assert alone.returncode == 1 and "events.json" in alone.stdout


def sent_back(caller: Caller, pack: Path, head: str) -> Any:
    """What the installation says of a pack that somebody sends it."""
    return caller.send_file("/evidence/packs/verify", pack, status=200, params={"head": head})
