"""Systems, access and evidence through the API."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from partwell import clock
from partwell.access import runs
from partwell.access.models import SystemRun
from partwell.access.operations import approve_plan
from partwell.access.queries import latest_plan
from partwell.closure import sent_packs
from partwell.connectors.fake.store import FakeStore
from partwell.departures.models import Departure
from partwell.evidence.sequencer import sequence_pending
from partwell.people.roles import Role
from tests.factories import as_actor, make_holder
from tests.integration.api.conftest import Api, token_for


@pytest.fixture
def it(firm: dict[str, Any]) -> Api:
    return token_for(firm["it"], "write", "access")


@pytest.fixture
def vault(it: Api, firm: dict[str, Any], tmp_path: Path) -> FakeStore:
    """A practice system, connected through the API, in which the leaver has an account."""
    store = FakeStore(tmp_path / "practice.sqlite3")
    store.add_account("vault", "v-1", login="marit", emails=[firm["person"].email], sessions=1, groups={})
    made = it.post("/systems", {"name": "vault", "connector": "fake", "settings": {"store": str(store.path)}})
    assert made.status_code == 201, made.content
    return store


def work(journey_id: str) -> None:
    """Play the worker until nothing is due."""
    for _ in range(12):
        for run in SystemRun.objects.filter(plan__departure=journey_id, state__in=("running", "waiting")):
            runs.run_system(str(run.plan_id), str(run.system_id))


def test_a_system_is_connected_listed_and_tested(it: Api, vault: FakeStore) -> None:
    assert [row["name"] for row in it.get("/systems").json()["items"]] == ["vault"]
    assert it.post("/systems/vault/test").json()["ok"] is True
    assert it.post("/systems/none/test").status_code == 404
    again = it.post("/systems", {"name": "vault", "connector": "fake"})
    assert again.status_code in (409, 422)
    unknown = it.post("/systems", {"name": "x", "connector": "none"})
    assert (unknown.status_code, unknown.json()["field"]) == (422, "connector")


def test_access_is_planned_approved_by_a_person_cut_and_read_back(
    hr: Api, it: Api, vault: FakeStore, journey: dict
) -> None:
    path = f"/journeys/{journey['id']}/access"
    assert it.get(path).json()["id"] is None
    assert it.post(f"{path}/apply").json()["code"] == "no_plan"
    plan = it.post(f"{path}/plan")
    assert plan.status_code == 201
    assert plan.json()["changes"][0]["account"] == "v-1"

    assert it.post(f"{path}/plan?delete_in=nowhere").json()["field"] == "delete_in"
    more = it.post(f"{path}/plan?release_in=vault").json()
    assert "release_licence" in {row["action"] for row in more["changes"]}
    plan = it.post(f"{path}/plan")
    assert "release_licence" not in {row["action"] for row in plan.json()["changes"]}

    assert it.get(f"{path}/dry-run").status_code == 404
    tried = it.post(f"{path}/dry-run")
    assert (tried.status_code, tried.json()["checksum"]) == (201, plan.json()["checksum"])
    assert tried.json()["systems"][0]["verbs"][0]["calls"][0]["target"] == "vault: v-1"
    assert it.get(f"{path}/dry-run").json() == tried.json()
    assert vault.ledger() == []

    refused = it.post(f"{path}/approve")
    assert (refused.status_code, refused.json()["code"]) == (403, "second_person_needed")
    assert refused.json()["approve_at"].endswith(f"/departures/{journey['id']}/access/")
    assert it.post(f"{path}/apply").json()["code"] == "not_approved"

    departure = Departure.objects.get(pk=journey["id"])
    found = latest_plan(departure)
    assert found is not None and found.approved_at is None
    second = as_actor(make_holder(Role.IT_SECURITY, "Ines Vogt"))
    approve_plan(plan=found, checksum=plan.json()["checksum"], actor=second, now=clock.now())

    assert hr.post(f"{path}/apply").json()["code"] == "scope_missing"
    assert it.post(f"{path}/apply").status_code == 202
    work(journey["id"])
    shown = it.post(f"{path}/verify").json()
    assert {change["state"] for change in shown["changes"]} == {"verified"}
    assert {change["counted_as"] for change in shown["changes"]} == {"revoked"}
    (normal,) = shown["time_to_revoke"]
    assert (normal["sla"], normal["minutes"], normal["in_time"], normal["late"]) == ("normal", 1440, 1, 0)
    assert it.post(f"{path}/restore").status_code == 202


def test_events_and_a_pack_of_a_departure_are_handed_out(hr: Api, journey: dict) -> None:
    path = f"/journeys/{journey['id']}"
    hr.post(f"{path}/steps/confirm/complete", {"note": "Agreed by both."})
    first = hr.get(f"{path}/events?limit=1").json()
    assert (first["items"][0]["kind"], first["items"][0]["fields"]["note"]) == (
        "step.completed",
        "Agreed by both.",
    )
    assert "(token API token)" in first["items"][0]["fields"]["actor"]
    second = hr.get(f"{path}/events?limit=1&cursor={first['next']}").json()
    assert second["items"][0]["kind"] == "journey.started"
    pack = hr.get(f"{path}/pack?audience=leaver")
    assert pack["Content-Type"] == "application/zip"
    assert "verify.py" in "".join(zipfile.ZipFile(io.BytesIO(pack.content)).namelist())
    assert hr.get(f"{path}/pack?audience=client").json()["code"] == "wrong_audience"
    assert hr.get(f"{path}/events").json()["items"][0]["kind"] == "evidence.exported"


def test_the_record_is_verified(hr: Api, journey: dict) -> None:
    sequence_pending(now=clock.now())
    report = hr.get("/evidence/verify").json()
    assert report["problems"] == []
    assert hr.get("/evidence/verify?head=nonsense").json()["field"] == "head"


def test_of_several_accounts_somebody_says_which_is_meant(it: Api, vault: FakeStore, journey: dict) -> None:
    email = journey["subject"]["email"]
    vault.add_account("vault", "v-2", login="marit.old", emails=[email], sessions=0, groups={})
    path = f"/journeys/{journey['id']}/access"
    assert {c["state"] for c in it.post(f"{path}/plan").json()["changes"]} == {"ambiguous"}
    unclear = it.post(f"{path}/attest", {"system": "vault", "note": "Gone."})
    assert (unclear.status_code, unclear.json()["code"]) == (422, "which_account")
    assert "v-1, v-2" in unclear.json()["detail"]
    stranger = it.post(f"{path}/link", {"system": "vault", "accounts": ["v-3"]})
    assert stranger.status_code == 404
    chosen = it.post(f"{path}/link", {"system": "vault", "accounts": ["marit"]}).json()
    assert {c["account"] for c in chosen["changes"]} == {"v-1"}
    again = it.post(f"{path}/link", {"system": "vault", "accounts": ["v-1"]})
    assert (again.status_code, again.json()["code"]) == (409, "nothing_ambiguous")


def test_what_a_person_says_of_an_account_is_kept_as_their_word(it: Api, firm: dict, journey: dict) -> None:
    it.post("/systems", {"name": "by-hand", "connector": "manual"})
    path = f"/journeys/{journey['id']}/access"
    it.post(f"{path}/plan")
    said = {"system": "by-hand", "note": "I took the key back.", "link": "https://desk.example/7"}
    view = it.post(f"{path}/attest", said).json()
    assert ({c["state"] for c in view["changes"]}, view["is_settled"]) == ({"attested"}, True)
    assert "(token API token)" in view["changes"][0]["proof"]["said_by"]
    again = it.post(f"{path}/impossible", {"system": "by-hand", "reason": "It is gone."})
    assert (again.status_code, again.json()["code"]) == (409, "no_such_move")
    reader = token_for(firm["it"], "read")
    assert reader.post(f"{path}/attest", said).json()["code"] == "scope_missing"


def test_a_pack_that_is_sent_is_verified_and_not_kept(
    hr: Api, it: Api, journey: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = hr.get(f"/journeys/{journey['id']}/pack").content
    sequence_pending(now=clock.now())
    shown = hr.get(f"/journeys/{journey['id']}/statement").json()
    assert shown["head"] in shown["statement"]

    def send(pack: bytes, head: str = "") -> Any:
        file = SimpleUploadedFile("pack.zip", pack, content_type="application/zip")
        return it.raw("post", f"/evidence/packs/verify?head={head}", {"data": {"file": file}})

    assert send(content).json()["whole"] is True
    changed = bytearray(content)
    changed[changed.index(b'"journey.started"') + 1] ^= 1
    report = send(bytes(changed)).json()
    assert report["whole"] is False and "events.json" in str(report["problems"])
    assert send(b"no zip at all").json()["whole"] is False
    assert send(content, head="nonsense").json()["field"] == "head"
    monkeypatch.setattr(sent_packs, "LARGEST_PACK", 10)
    large = send(content)
    assert (large.status_code, large.json()["code"], large.json()["field"]) == (422, "too_large", "file")


def test_the_head_to_keep_is_null_until_it_is_signed(hr: Api, journey: dict) -> None:
    shown = hr.get(f"/journeys/{journey['id']}/statement").json()
    assert shown["head"] is None and "being signed" in shown["statement"]


def test_what_somebody_has_is_asked_and_read(it: Api, firm: dict[str, Any], vault: FakeStore) -> None:
    path = f"/people/{firm['person'].pk}/access-map"
    assert it.get(path).status_code == 404
    taken = it.post(path)
    assert taken.status_code == 200, taken.content
    assert [account["login"] for account in taken.json()["accounts"]] == ["marit"]
    assert it.get(path).json() == taken.json()
    assert token_for(make_holder(Role.FINANCE, "Fin Lo")).get(path).status_code == 403


def test_the_command_line_says_the_same(it: Api, firm: dict[str, Any], vault: FakeStore) -> None:
    from partwell.cli import access
    from tests.integration.test_access_commands import run

    assert run(access.app, "map", expect=1)["error"]["code"] == "who"
    view = run(access.app, "map", "--person", firm["person"].email)
    assert [account["login"] for account in view["accounts"]] == ["marit"]
    assert run(access.app, "map", "--person", firm["person"].email, "--last") == view
