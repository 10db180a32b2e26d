"""Shared credentials by command and by the API: the same operations, and a new secret in one file alone."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from django.test import Client as Browser
from typer.testing import CliRunner

from partwell.access.models import Credential, CredentialRotation, System
from partwell.cli import main
from partwell.connectors.fake.store import FakeStore
from partwell.people.models import Installation
from partwell.people.roles import Role
from partwell.people.token_operations import create_token
from tests.factories import NOW, as_actor, make_holder, make_person, publish, start_journey

pytestmark = pytest.mark.django_db

MARIT = "marit.lindqvist@harbour.example"


@pytest.fixture(autouse=True)
def firm(tmp_path: Path) -> FakeStore:
    """Somebody who will leave, and a practice system with a shared account."""
    publish()
    Installation.objects.create(company_name="Harbour & Vale", initialised_at=NOW)
    make_person("Marit Lindqvist")
    make_person("Hal Hold")
    store = FakeStore(tmp_path / "practice.sqlite3")
    store.add_account("shop", "editors", login="editors", emails=[])
    System.objects.create(
        name="shop", title="Shop", connector="fake", settings={"store": store.path}, created_at=NOW
    )
    return store


def run(*words: str, code: int = 0) -> Any:
    main.load_commands()
    done = CliRunner().invoke(main.app, ["credentials", *words, "--json"])
    assert done.exit_code == code, done.output
    return json.loads(done.stdout)


def test_a_secret_is_put_on_record_and_changed_at_the_console(tmp_path: Path) -> None:
    made = run("add", "Shop login", "--set", "system=shop", "--set", "account=editors")
    run("add-holder", made["id"], MARIT, "--since", "2026-01-31")
    view = run("add-holder", made["id"], "hal.hold@harbour.example")
    assert [holder["name"] for holder in view["holders"]] == ["Hal Hold", "Marit Lindqvist"]
    assert run("change", made["id"], "--set", "rotate_every_days=90")["rotate_every_days"] == 90
    assert [each["name"] for each in run("list", "--search", "shop")["items"]] == ["Shop login"]
    start_journey(Credential.objects.get().holders.get(name="Marit Lindqvist").person)
    (rotation,) = run("rotations")["items"]
    assert rotation["subject"] == "Marit Lindqvist" and rotation["by_connector"]

    file = tmp_path / "new"
    done = run("rotate", rotation["id"], "--output", str(file))
    assert done["state"] == "verified" and done["told"] == 1
    secret = file.read_text().strip()
    assert len(secret) > 20 and stat.S_IMODE(file.stat().st_mode) == 0o600
    assert secret not in json.dumps(done)
    assert run("rotate", rotation["id"], "--output", str(file), code=1)["error"]["field"] == "output"
    assert run("rotations")["items"] == []
    assert [each["state"] for each in run("rotations", "--all")["items"]] == ["verified"]
    ended = run("end-holder", made["id"], "hal.hold@harbour.example", "--reason", "They left the team.")
    assert all(holder["until"] for holder in ended["holders"])
    assert run("retire", made["id"], "--reason", "The shop is gone.")["is_retired"]


def test_a_refused_change_leaves_no_file_and_says_why(tmp_path: Path, firm: FakeStore) -> None:
    made = run("add", "Shop login", "--set", "system=shop", "--set", "account=editors")
    run("add-holder", made["id"], MARIT)
    start_journey(Credential.objects.get().holders.get().person)
    (rotation,) = run("rotations")["items"]
    firm.set_mode("shop", "denies")
    done = run("rotate", rotation["id"], "--output", str(tmp_path / "new"), code=1)
    assert done["state"] == "failed" and "may not do this" in done["reason"]
    assert not (tmp_path / "new").exists()
    left = run("leave", rotation["id"], "--reason", "The account was deleted.")
    assert left["state"] == "not_needed"


def test_a_program_keeps_the_register_and_says_what_was_done() -> None:
    _, secret = create_token(
        scopes=["read", "write"], actor=as_actor(make_holder(Role.IT_SECURITY, "Ines Sec")), now=NOW
    )
    browser = Browser(SERVER_NAME="localhost", headers={"Authorization": f"Bearer {secret}"})

    def call(method: str, path: str, body: Any = None) -> Any:
        answer = browser.generic(
            method, f"/api/v1{path}", json.dumps(body or {}), content_type="application/json"
        )
        assert answer.status_code in (200, 201), answer.content
        return answer.json()

    made = call("POST", "/credentials", {"name": "Shop login", "used_at": "https://shop.example/x"})
    assert made["used_at"] == "shop.example" and made["owner"] == "Ines Sec"
    where = f"/credentials/{made['id']}"
    assert call("PATCH", where, {"login": "editors"})["login"] == "editors"
    holder = call("POST", f"{where}/holders", {"email": MARIT})["holders"][0]
    start_journey(Credential.objects.get().holders.get().person)
    (rotation,) = call("GET", "/rotations")["items"]
    assert rotation["credential"] == "Shop login"
    done = call("POST", f"/rotations/{rotation['id']}/attest", {"note": "New one in the vault."})
    assert done["state"] == "attested"
    view = call("GET", where)
    assert view["rotated_on"] and view["holders"][0]["id"] == holder["id"] and view["holders"][0]["until"]
    assert call("GET", "/rotations?state=all")["items"][0]["state"] == "attested"
    assert CredentialRotation.objects.get().settled_by.startswith("Ines Sec")
    unknown = browser.post(
        "/api/v1/credentials", {"name": "X", "password": "hunter2"}, content_type="application/json"
    )
    assert unknown.status_code == 422 and "hunter2" not in unknown.content.decode()
