"""One departure from notice to proven closure, by the command line alone."""

from __future__ import annotations

import json
from pathlib import Path

from tests.console import Console
from tests.packs import change_a_byte, verified_alone
from tests.servers.samba import SambaServer
from tests.servers.scim import ScimServer
from tests.servers.slapd import SlapdServer
from tests.shows import AMARA, INES, MARIT, Accounts, close, complete_all, connect, day, found_firm

STEP = {"key", "phase", "title", "role", "owner", "due_at", "state", "blocked_by", "kind"}
CHANGE = {"system", "account", "action", "state", "reason"}


def test_a_resignation_in_three_real_systems(
    console: Console,
    letter: Path,
    tmp_path: Path,
    slapd_server: SlapdServer,
    samba_ad_server: SambaServer,
    scim_server: ScimServer,
) -> None:
    found_firm(console, tmp_path)
    marit = Accounts(slapd_server, samba_ad_server, scim_server, MARIT, "marit").make()
    for name, description in marit.systems().items():
        connect(console, tmp_path, name, description)
    assert [row["name"] for row in console.ask("systems", "list")["items"]] == ["chat", "directory", "domain"]

    journey = notice_is_given(console)
    the_last_day_moves(console, journey)
    complete_all(console, journey, letter, departing=MARIT)
    assert blocked_by(console, journey, "set-mailbox-reply") == ["cut-access"]

    held_open = marit.open_connection()
    a_plan_is_approved_by_a_second_person(console, journey)
    access_is_cut_and_read_back(console, journey)
    assert marit.can_sign_in() == {"directory": False, "domain": False, "chat": False}
    assert held_open.extend.standard.who_am_i(), "a connection left open lives on"
    what_no_system_can_show_is_attested(console, journey)

    complete_all(console, journey, letter, departing=MARIT)
    head = close(console, journey, played_by=AMARA)
    the_pack_verifies_until_a_byte_is_changed(console, journey, tmp_path / "pack.zip", head)


def notice_is_given(console: Console) -> str:
    start = ["journeys", "start", "--template", "staff-resignation", "--person", MARIT]
    assert console.refused(*start, "--last-day", day(-1))["field"] == "last_day"
    assert console.refused(*start[:3], "no-such", *start[4:], "--last-day", day(30))["field"] == "template"
    assert console.run(*start, "--json", expect=2).data["error"]["code"] == "bad_usage"
    assert console.refused(*start, "--last-day", day(30), "--as", MARIT, code=3)["code"]
    draft = console.ask(*start, "--last-day", day(30), "--dry-run")
    assert draft["id"] is None and console.ask("journeys", "list") == {"items": [], "next": None}

    begun = console.ask(*start, "--last-day", day(30), "--reason", "relocation", "--as", AMARA)
    assert {"id", "template", "state", "last_working_day", "steps"} <= set(begun)
    assert (begun["template"], begun["state"], begun["last_working_day"]) == (
        "staff-resignation",
        "active",
        day(30),
    )
    assert all(set(step) >= STEP for step in begun["steps"])
    assert {step["phase"] for step in begun["steps"]} == set(range(1, 11))
    assert [step["key"] for step in draft["steps"]] == [step["key"] for step in begun["steps"]]
    assert console.refused(*start, "--last-day", day(30))["code"] == "already_leaving"
    assert [row["id"] for row in console.ask("journeys", "list")["items"]] == [begun["id"]]
    assert console.ask("journeys", "list", "--as", MARIT)["items"] == [], "the inside is not the leaver's"
    assert console.refused("journeys", "show", begun["id"], "--as", MARIT)["code"] == "not_found"
    return str(begun["id"])


def the_last_day_moves(console: Console, journey: str) -> None:
    move = ["journeys", "move", journey, "--last-day", day(33)]
    shown = console.ask(*move, "--dry-run")
    assert "last_working_day" in {change["field"] for change in shown["dates"]}
    assert console.ask("journeys", "show", journey)["last_working_day"] == day(30)
    assert console.ask(*move, "--as", AMARA)["last_working_day"] == day(33)
    assert console.refused(*move)["code"] == "nothing_moves"


def blocked_by(console: Console, journey: str, key: str) -> list[str]:
    steps = console.ask("steps", "list", journey)["items"]
    step = next(step for step in steps if step["key"] == key)
    assert step["state"] == "blocked"
    return list(step["blocked_by"])


def a_plan_is_approved_by_a_second_person(console: Console, journey: str) -> None:
    assert console.refused("access", "approve", journey)["code"] == "no_plan"
    plan = console.ask("access", "plan", journey, "--as", INES)
    assert {"id", "checksum", "changes"} <= set(plan) and len(plan["checksum"]) == 64
    assert all(set(change) >= CHANGE for change in plan["changes"])
    assert {(change["system"], change["action"], change["state"]) for change in plan["changes"]} == {
        (system, action, state)
        for system in ("chat", "directory", "domain")
        for action, state in (
            ("suspend", "planned"),
            ("remove_entitlements", "planned"),
            ("revoke_sessions", "manual"),
        )
    }
    assert console.refused("access", "apply", journey)["code"] == "not_approved"
    link = console.ask("access", "approve", journey)
    assert link["approve_at"].endswith(f"/departures/{journey}/access")
    assert link["checksum"] == plan["checksum"]
    assert console.ask("access", "plan", journey)["state"] == "proposed", "the console changes nothing by it"
    assert console.refused("access", "approve", journey, "--as", INES, code=3)["code"] == "same_person"
    approved = console.ask("access", "approve", journey, "--as", AMARA)
    assert (approved["id"], approved["checksum"], approved["state"]) == (
        plan["id"],
        plan["checksum"],
        "approved",
    )


def access_is_cut_and_read_back(console: Console, journey: str) -> None:
    applied = console.ask("access", "apply", journey, expect=1)
    assert applied["is_settled"] is False, "open sessions are left for people"
    cut = {(c["system"], c["action"]): c for c in applied["changes"] if c["action"] != "revoke_sessions"}
    assert len(cut) == 6
    for change in cut.values():
        assert change["state"] == "verified" and change["verified_at"] and change["proof"]["read"]
        assert change["is_active"] is False
    proof = cut["directory", "suspend"]["proof"]
    assert proof["still_open"] == 1 and "1 open connection(s)" in proof["read"]
    assert console.refused("journeys", "close", journey)["code"] == "cannot_close"


def what_no_system_can_show_is_attested(console: Console, journey: str) -> None:
    attest = ["access", "attest", journey, "--as", INES]
    assert console.refused(*attest, "--system", "chat", "--note", " ")["field"] == "note"
    console.ask(*attest, "--system", "chat", "--note", "Signed out everywhere in the console.")
    console.ask(*attest, "--system", "domain", "--account", "marit", "--note", "No session on any server.")
    reason = ["--reason", "The connection ends with the laptop, which is wiped."]
    settled = console.ask("access", "impossible", journey, "--system", "directory", *reason, "--as", INES)
    assert settled["is_settled"] is True
    assert settled["counts"] == {"verified": 6, "attested": 2, "impossible": 1}
    assert console.ask("access", "verify", journey)["counts"] == settled["counts"]
    steps = {step["key"]: step for step in console.ask("steps", "list", journey)["items"]}
    assert steps["approve-access-plan"]["state"] == steps["cut-access"]["state"] == "done"
    assert "Amara Osei" in steps["approve-access-plan"]["note"]


def the_pack_verifies_until_a_byte_is_changed(console: Console, journey: str, pack: Path, head: str) -> None:
    exported = console.ask("evidence", "export", journey, "-o", str(pack), "--as", AMARA)
    assert exported["events"] > 60
    assert console.ask("evidence", "verify")["whole"] is True
    assert console.ask("evidence", "verify", str(pack), "--head", exported["head"])["whole"] is True
    assert console.ask("evidence", "verify", str(pack), "--head", head)["whole"] is True, (
        "the head of the closing"
    )
    assert verified_alone(pack).returncode == 0

    forged = change_a_byte(pack, b"relocation")
    refused = console.ask("evidence", "verify", str(forged), expect=1)
    assert refused["whole"] is False and "events.json" in json.dumps(refused["problems"])
    assert verified_alone(forged).returncode == 1
