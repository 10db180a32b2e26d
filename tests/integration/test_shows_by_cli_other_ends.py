"""Other ends than a resignation, by the command line: a client's contract that runs out, and a notice taken
back."""

from __future__ import annotations

from pathlib import Path

from tests.console import Console
from tests.servers.samba import SambaServer
from tests.servers.scim import ScimServer
from tests.servers.slapd import SlapdServer
from tests.shows import (
    AMARA,
    EVA,
    INES,
    JOON,
    NOOR,
    TOMAS,
    Accounts,
    close,
    complete_all,
    connect,
    day,
    found_firm,
)


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
    head = close(console, journey, played_by=NOOR)
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
