"""Other ends than a resignation, by the API: a client's contract that runs out, and a notice taken back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.packs import verified_alone
from tests.servers.samba import SambaServer
from tests.servers.scim import ScimServer
from tests.servers.slapd import SlapdServer
from tests.shows import AMARA, EVA, INES, JOON, LENA, NOOR, PAVEL, Accounts, day
from tests.shows_by_api import (
    Firm,
    a_token_cannot_approve,
    approve_on_the_web,
    complete_all,
    connect,
    fill_registers,
    firm,
    head_to_keep,
    settled_step,
    wait_for_cut,
)

PORTAL = "name: portal\nconnector: manual\ntitle: Client portal\n"
FOLDER = "name: shared-folder\nconnector: manual\nsettings: {instructions: Ask facilities.}\n"


@pytest.fixture
def harbour(tmp_path: Path) -> Iterator[Firm]:
    with firm(tmp_path) as made:
        fill_registers(made)
        yield made


def test_a_clients_contract_ends_with_systems_that_only_people_can_see(
    harbour: Firm, letter: Path, tmp_path: Path
) -> None:
    for description in (PORTAL, FOLDER):
        connect(harbour, description, who=INES)
    noor, ines = harbour.as_(NOOR), harbour.as_(INES)
    notice = {"template": "client-contract-expiry", "client": "C-7", "last_working_day": day(60)}
    begun = noor.post("/journeys", notice, status=201)
    journey = begun["id"]
    assert (begun["contract_end"], begun["subject"]["name"]) == (day(60), "Brightwater Dental")
    assert [row["id"] for row in noor.get("/journeys", kind="client")["items"]] == [journey]

    the_last_day_moves(harbour, journey)
    somebody_is_let_in_and_a_contact_invited(harbour, journey)
    done = complete_all(harbour, journey, letter, hr=AMARA, line_manager=EVA)
    record = noor.get(f"/journeys/{journey}/steps/close-client-record")
    assert (record["state"], record["link"]) == ("done", "https://files.firm.test/record")

    path = f"/journeys/{journey}/access"
    plan = ines.post(f"{path}/plan", status=201)
    assert {(c["system"], c["account"], c["state"]) for c in plan["changes"]} == {
        ("portal", "orla@brightwater.test", "manual"),
        ("shared-folder", "orla@brightwater.test", "manual"),
    }
    a_token_cannot_approve(harbour, journey, AMARA)
    approve_on_the_web(harbour.sign_in(EVA), journey, word="Brightwater Dental")
    applied = harbour.with_token(INES, "access").post(f"{path}/apply", status=202)
    assert applied["counts"] == {"manual": len(plan["changes"])}
    said = {"system": "portal", "note": "Removed; the list shows no such account."}
    assert ines.post(f"{path}/attest", said)["is_settled"] is False
    shown = {**said, "system": "shared-folder", "link": "https://files.firm.test/7"}
    assert ines.post(f"{path}/attest", shown)["is_settled"] is True
    assert "Eva Novak" in settled_step(harbour, journey, "approve-access-plan", NOOR)["note"]
    settled_step(harbour, journey, "cut-access", NOOR)

    done += complete_all(harbour, journey, letter, hr=AMARA, line_manager=EVA)
    assert noor.post(f"/journeys/{journey}/close")["state"] == "closed"
    head = head_to_keep(noor, journey)
    assert noor.refused(403, "GET", f"/journeys/{journey}/pack?audience=client")["code"] == "not_allowed"
    wrong = harbour.as_(AMARA).refused(422, "GET", f"/journeys/{journey}/pack?audience=leaver")
    assert wrong["code"] == "wrong_audience"
    pack = tmp_path / "pack.zip"
    pack.write_bytes(
        harbour.as_(AMARA).answer("GET", f"/journeys/{journey}/pack", params={"audience": "client"}).content
    )
    verified = harbour.installation.console.ask("evidence", "verify", str(pack), "--head", head)
    assert verified["whole"] is True and verified_alone(pack).returncode == 0
    print(f"\n  {done} steps completed, 2 systems settled by a person's word")


def the_last_day_moves(harbour: Firm, journey: str) -> None:
    """The difference comes first, then it applies, and only to what was looked at."""
    noor, path = harbour.as_(NOOR), f"/journeys/{journey}"
    revision = noor.get(path)["revision"]
    new = {"last_working_day": day(66), "contract_end": day(66)}
    shown = noor.post(f"{path}/move?dry_run=true", new)
    assert {change["field"]: change["after"] for change in shown["dates"]}["last_working_day"] == day(66)
    assert shown["steps"] and all(step["due_before"] != step["due_after"] for step in shown["steps"])
    assert noor.get(path)["last_working_day"] == day(60), "nothing moved yet"
    moved = noor.post(f"{path}/move", {**new, "revision": revision})
    assert (moved["dates"], moved["steps"]) == (shown["dates"], shown["steps"])
    assert noor.get(path)["last_working_day"] == day(66)
    again = noor.refused(409, "POST", f"{path}/move", {"last_working_day": day(70), "revision": revision})
    assert again["code"] == "changed_meanwhile"
    assert noor.refused(409, "POST", f"{path}/move", new)["code"] == "nothing_moves"
    edited = harbour.as_(AMARA).answer("PATCH", path, {"rehire": "welcome"})
    assert edited.status_code == 200 and harbour.as_(AMARA).get(path)["rehire"] == "welcome"


def somebody_is_let_in_and_a_contact_invited(harbour: Firm, journey: str) -> None:
    hr, noor, path = harbour.as_(AMARA), harbour.as_(NOOR), f"/journeys/{journey}"
    part = hr.post(f"{path}/participants", {"person": LENA, "part": "legal"}, status=201)
    assert (part["name"], part["part"]) == ("Lena Ricci", "legal")
    assert part in hr.every(f"{path}/participants", limit=3)
    one = f"{path}/participants/{part['id']}"
    assert noor.refused(403, "DELETE", one)["code"] == "not_allowed"
    # She owns a step here: it is given to somebody else before her part can end.
    assert hr.refused(409, "DELETE", one)["code"] == "owns_steps"

    link = noor.post(f"{path}/guests", {"email": "orla@brightwater.test"}, status=201, key="orla")
    assert noor.post(f"{path}/guests", {"email": "orla@brightwater.test"}, status=201, key="orla") == link
    assert link["state"] == "waiting" and not any("/g/" in str(value) for value in link.values())
    assert noor.post(f"{path}/guests/{link['id']}/revoke")["state"] == "revoked"
    assert noor.get(f"{path}/guests")["items"][0]["state"] == "revoked"


def test_a_withdrawn_notice_gives_the_access_back(
    harbour: Firm,
    slapd_server: SlapdServer,
    samba_ad_server: SambaServer,
    scim_server: ScimServer,
) -> None:
    pavel = Accounts(slapd_server, samba_ad_server, scim_server, PAVEL, "pavel").make()
    for description in pavel.systems().values():
        connect(harbour, description, who=INES)
    hr = harbour.as_(AMARA)
    notice = {"template": "staff-resignation", "person": "E-1046", "last_working_day": day(20)}
    journey = hr.post("/journeys", notice, status=201)["id"]
    path = f"/journeys/{journey}"
    skipped = {"reason": "They talked before."}
    assert harbour.as_(JOON).post(f"{path}/steps/talk-with-leaver/skip", skipped)["state"] == "skipped"

    harbour.as_(INES).post(f"{path}/access/plan", status=201)
    approve_on_the_web(harbour.sign_in(AMARA), journey, word="Horak")
    it = harbour.with_token(INES, "access")
    it.post(f"{path}/access/apply", status=202)
    wait_for_cut(it, journey, count=6)
    assert pavel.can_sign_in() == {"directory": False, "domain": False, "chat": False}

    withdrawn = hr.post(f"{path}/withdraw", {"reason": "He stays after all."}, key="stays")
    assert hr.post(f"{path}/withdraw", {"reason": "He stays after all."}, key="stays") == withdrawn
    assert withdrawn["state"] == "withdrawn"
    assert sorted(row["name"] for row in withdrawn["restorable"]) == ["chat", "directory", "domain"]
    assert harbour.as_(INES).refused(403, "POST", f"{path}/access/restore")["code"] == "scope_missing"
    it.post(f"{path}/access/restore", status=202)
    restored = wait_for_cut(it, journey, count=6)
    assert (restored["kind"], set(restored["counts"])) == ("restore", {"verified"})
    assert all(change["is_active"] for change in restored["changes"])
    assert pavel.can_sign_in() == {"directory": True, "domain": True, "chat": True}
    assert it.refused(409, "POST", f"{path}/access/restore")["code"] == "nothing_to_restore"
