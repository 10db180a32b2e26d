"""One departure from notice to proven closure, by the command line alone."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.console import Console
from tests.factories import SMALL_TEMPLATE
from tests.servers.samba import SambaServer
from tests.servers.scim import ScimServer
from tests.servers.slapd import SlapdServer
from tests.shows import (
    AMARA,
    EVA,
    INES,
    JOON,
    LETTER,
    LUCIA,
    MARIT,
    NOOR,
    PEOPLE,
    TOMAS,
    Accounts,
    complete_all,
    connect,
    day,
    found_firm,
    own_console,
)

STEP = {"key", "phase", "title", "role", "owner", "due_at", "state", "blocked_by", "kind"}
CHANGE = {"system", "account", "action", "state", "reason"}


@pytest.fixture
def console(tmp_path: Path) -> Iterator[Console]:
    with own_console(tmp_path) as console:
        yield console


@pytest.fixture
def letter(tmp_path: Path) -> Path:
    file = tmp_path / "letter.pdf"
    file.write_bytes(LETTER)
    return file


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
    head = the_journey_closes_with_a_statement(console, journey)
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


def the_journey_closes_with_a_statement(console: Console, journey: str, *, played_by: str = AMARA) -> str:
    assert console.ask("journeys", "list")["items"][0]["late"] == 0
    closed = console.ask("journeys", "close", journey, "--as", played_by)
    assert (closed["id"], closed["state"]) == (journey, "closed")
    assert closed["head"] in closed["statement"] and len(closed["head"].split(":")) == 3
    assert console.refused("journeys", "move", journey, "--last-day", day(40))["code"] == "departure_ended"
    assert console.ask("journeys", "list")["items"] == []
    assert [row["state"] for row in console.ask("journeys", "list", "--all")["items"]] == ["closed"]
    return str(closed["head"])


def the_pack_verifies_until_a_byte_is_changed(console: Console, journey: str, pack: Path, head: str) -> None:
    exported = console.ask("evidence", "export", journey, "-o", str(pack), "--as", AMARA)
    assert exported["events"] > 60
    assert console.ask("evidence", "verify")["whole"] is True
    assert console.ask("evidence", "verify", str(pack), "--head", exported["head"])["whole"] is True
    assert console.ask("evidence", "verify", str(pack), "--head", head)["whole"] is True, (
        "the head of the closing"
    )
    inside = pack.with_name("verify.py")
    with zipfile.ZipFile(pack) as archive:
        inside.write_bytes(archive.read("verify.py"))
    assert verified_alone(inside, pack) == 0

    body = bytearray(pack.read_bytes())
    body[body.index(b"relocation")] ^= 1
    forged = pack.with_name("forged.zip")
    forged.write_bytes(body)
    refused = console.ask("evidence", "verify", str(forged), expect=1)
    assert refused["whole"] is False and "events.json" in json.dumps(refused["problems"])
    assert verified_alone(inside, forged) == 1


def verified_alone(verifier: Path, pack: Path) -> int:
    """Run the verifier that came in the pack, with nothing but Python's own library."""
    return subprocess.run(
        [sys.executable, "-I", "-S", str(verifier), str(pack)], capture_output=True, check=False
    ).returncode


def test_registers_templates_roles_and_tokens_in_the_words_that_others_rely_on(
    console: Console, tmp_path: Path
) -> None:
    assert console.cold("init", "--practice").out == ""
    people, template = tmp_path / "people.csv", tmp_path / "template.yaml"
    people.write_text(PEOPLE)
    assert console.ask("people", "import", str(people), "--dry-run")["created"] == PEOPLE.count("\n") - 1
    assert console.ask("people", "import", str(people))["created"] == PEOPLE.count("\n") - 1
    assert console.ask("people", "import", str(people))["unchanged"] == PEOPLE.count("\n") - 1
    people.write_text("email,name\nno address,Ada\n")
    refused = console.ask("people", "import", str(people), expect=1)
    assert (refused["error"]["field"], refused["bad_lines"][0]["line"]) == ("email", 2)

    assert console.refused("roles", "grant", AMARA, "boss")["field"] == "role"
    granted = console.ask("roles", "grant", AMARA, "hr", "--department", "Platform")
    assert (granted["email"], granted["role"], granted["department"]) == (AMARA, "hr", "Platform")
    assert console.refused("roles", "grant", INES, "hr", "--as", AMARA, code=3)["code"] == "not_allowed"

    listed = {row["id"] for row in console.ask("templates", "list")["items"]}
    assert {"staff-resignation", "staff-dismissal-for-cause", "client-contract-expiry"} <= listed
    shown = console.ask("templates", "show", "staff-resignation")
    assert {step["phase"] for step in shown["steps"]} == set(range(1, 11))
    template.write_text("id: broken\nsteps: []\n")
    assert console.refused("templates", "check", str(template))["code"] == "template_broken"
    template.write_text(SMALL_TEMPLATE)
    assert console.ask("templates", "check", str(template)) == {"items": [], "next": None}

    assert len(console.ask("tokens", "create", "--scope", "read", "--email", AMARA)["token"]) > 30
    assert console.refused("tokens", "create", "--scope", "everything", "--email", AMARA)["field"] == "scopes"


def test_a_clients_contract_ends_with_systems_that_only_people_can_see(
    console: Console, letter: Path, tmp_path: Path
) -> None:
    found_firm(console, tmp_path)
    connect(console, tmp_path, "portal", "name: portal\nconnector: manual\ntitle: Client portal\n")
    folder = "name: shared-folder\nconnector: manual\nsettings: {instructions: Ask facilities.}\n"
    connect(console, tmp_path, "shared-folder", folder)

    start = ["journeys", "start", "--template", "client-contract-expiry", "--client", "C-7"]
    begun = console.ask(*start, "--last-day", day(60), "--as", NOOR)
    journey = begun["id"]
    assert (begun["contract_end"], begun["subject"]["name"]) == (day(60), "Brightwater Dental")
    complete_all(console, journey, letter, line_manager=EVA)

    plan = console.ask("access", "plan", journey, "--as", INES)
    assert {(c["system"], c["account"], c["state"]) for c in plan["changes"]} == {
        ("portal", "orla@brightwater.test", "manual"),
        ("shared-folder", "orla@brightwater.test", "manual"),
    }
    assert console.ask("access", "approve", journey, "--as", EVA)["state"] == "approved"
    assert console.ask("access", "apply", journey, expect=1)["counts"] == {"manual": len(plan["changes"])}
    done = ["access", "attest", journey, "--as", INES, "--note", "Removed; the list shows no such account."]
    assert console.ask(*done, "--system", "portal")["is_settled"] is False
    assert console.ask(*done, "--system", "shared-folder", "--link", "https://files.firm.test/7")[
        "is_settled"
    ]

    complete_all(console, journey, letter, line_manager=EVA)
    head = the_journey_closes_with_a_statement(console, journey, played_by=NOOR)
    pack = tmp_path / "pack.zip"
    exported = console.ask("evidence", "export", journey, "-o", str(pack), "--audience", "client")
    assert console.ask("evidence", "verify", str(pack), "--head", exported["head"])["whole"] is True
    assert console.ask("evidence", "verify", str(pack), "--head", head)["whole"] is True


def test_a_withdrawn_notice_gives_the_access_back(
    console: Console,
    tmp_path: Path,
    slapd_server: SlapdServer,
    samba_ad_server: SambaServer,
    scim_server: ScimServer,
) -> None:
    found_firm(console, tmp_path)
    tomas = Accounts(slapd_server, samba_ad_server, scim_server, TOMAS, "tomas").make()
    for name, description in tomas.systems().items():
        connect(console, tmp_path, name, description)
    start = ["journeys", "start", "--template", "staff-resignation", "--person", "E-1043"]
    journey = console.ask(*start, "--last-day", day(20))["id"]
    console.ask("steps", "skip", journey, "talk-with-leaver", "--reason", "They talked before.", "--as", JOON)
    console.ask("access", "plan", journey[:8], "--as", INES)
    console.ask("access", "approve", journey, "--as", AMARA)
    console.ask("access", "apply", journey, expect=1)
    assert tomas.can_sign_in() == {"directory": False, "domain": False, "chat": False}

    withdrawn = console.ask("journeys", "withdraw", journey, "--reason", "He stays after all.", "--as", AMARA)
    assert withdrawn["state"] == "withdrawn"
    assert sorted(row["name"] for row in withdrawn["restorable"]) == ["chat", "directory", "domain"]
    restored = console.ask("access", "restore", journey)
    assert (restored["kind"], set(restored["counts"])) == ("restore", {"verified"})
    assert all(change["is_active"] for change in restored["changes"])
    assert tomas.can_sign_in() == {"directory": True, "domain": True, "chat": True}
    assert console.refused("access", "restore", journey)["code"] == "nothing_to_restore"


def test_access_ends_at_its_minute_though_a_worker_is_killed_just_before(
    console: Console,
    tmp_path: Path,
    slapd_server: SlapdServer,
    samba_ad_server: SambaServer,
    scim_server: ScimServer,
) -> None:
    found_firm(console, tmp_path)
    lucia = Accounts(slapd_server, samba_ad_server, scim_server, LUCIA, "lucia").make()
    for name, description in lucia.systems().items():
        connect(console, tmp_path, name, description)
    console.run("roles", "grant", LUCIA, "finance")
    with workers(console, 2) as (first, _):
        there = datetime.now(ZoneInfo("Asia/Kolkata")) + timedelta(seconds=20)
        start = ["journeys", "start", "--template", "staff-resignation", "--person", LUCIA]
        start += ["--last-day", there.date().isoformat()]
        # No offset: it is meant where she lives.
        journey = console.ask(*start, "--access-end", there.replace(tzinfo=None).isoformat())["id"]
        assert all(lucia.can_sign_in().values())
        wait_for(lambda: datetime.now(UTC) > there - timedelta(seconds=1), seconds=30)
        assert all(lucia.can_sign_in().values()), "nothing is cut before its time"
        first.kill()
        first.wait()
        wait_for(lambda: not any(lucia.can_sign_in().values()), seconds=55)
        seconds = (datetime.now(UTC) - there).total_seconds()
        print(f"\n  cut in three systems {seconds:.1f} s after access end, one worker of two killed")
        assert seconds > 0

        wait_for(lambda: is_refused(console, LUCIA), seconds=30)
        assert LUCIA not in {row["email"] for row in console.ask("roles", "list")["items"]}
        wait_for(lambda: not running_systems(console, journey), seconds=30)
        view = console.ask("access", "verify", journey, expect=1)
        assert view["kind"] == "standing" and view["approved_by"] == ""
        assert {(c["action"], c["state"], c["authority"]) for c in view["changes"]} == {
            ("suspend", "verified", "standing rule"),
            ("remove_entitlements", "planned", ""),
            ("revoke_sessions", "manual", ""),
        }

        # What the rule did not cover waits for a signature, and the journey goes on from there.
        console.ask("access", "approve", journey, "--as", INES)
        console.run("access", "apply", journey, "--no-wait", "--json")
        for system in lucia.systems():
            console.ask("access", "attest", journey, "--system", system, "--note", "Nobody is signed in.")
        wait_for(
            lambda: states_of(console, journey, "approve-access-plan", "cut-access") == {"done"}, seconds=30
        )


def is_refused(console: Console, email: str) -> bool:
    """Whether this person's sign-in has ended."""
    return console.run("journeys", "list", "--as", email, expect=None).code == 3


def states_of(console: Console, journey: str, *keys: str) -> set[str]:
    steps = console.ask("steps", "list", journey)["items"]
    return {step["state"] for step in steps if step["key"] in keys}


def running_systems(console: Console, journey: str) -> list[str]:
    said = console.run("access", "verify", journey, "--json", expect=1).data
    return [run["system"] for run in said["runs"] if run["state"] in ("running", "waiting")]


@contextmanager
def workers(console: Console, count: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """So many workers of the installation, ready to work."""
    log = console.folder / "worker.log"
    started = [console.start("worker") for _ in range(count)]
    try:
        wait_for(lambda: log.read_text().count("is ready") == count, seconds=90)
        yield started
    finally:
        for worker in started:
            worker.terminate()
        for worker in started:
            worker.wait(timeout=30)


def wait_for(is_so: Callable[[], bool], *, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, f"not so after {seconds} s"
        time.sleep(0.1)
