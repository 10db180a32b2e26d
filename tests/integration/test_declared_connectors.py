"""A connector that the operator declared: connected by its settings, seen, and its changes said."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from typer.testing import CliRunner

from partwell import clock
from partwell.access import operations
from partwell.access.models import System
from partwell.access.states import AccessState
from partwell.cli import connectors
from partwell.connector_kit import registry
from partwell.connector_kit.declared_registry import find_declared
from partwell.connectors.http.tests.connecting import DIRECTORY
from partwell.connectors.http.tests.directory import TOKEN, Directory, directory
from partwell.connectors.script.tests.connecting import PIN, Till
from partwell.evidence.models import Event
from partwell.evidence.queries import fields_of
from partwell.people.models import User
from partwell.refusals import Invalid
from tests.access_world import ADA, World

pytestmark = pytest.mark.django_db
TYPE = "http:staff-directory"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    found = tmp_path / "connectors"
    found.mkdir(mode=0o755)
    install(found, DIRECTORY)
    yield found
    registry.install({})


@pytest.fixture
def target(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Directory]:
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]
    monkeypatch.setenv("DIRECTORY_TOKEN", TOKEN)
    with directory() as running:
        running.add_person()["mail"] = ADA
        yield running


def install(folder: Path, text: str) -> str:
    """As a start of the process does it. Returns the digest."""
    path = folder / "directory.yaml"
    path.write_text(text)
    path.chmod(0o644)
    found = find_declared(folder)
    assert found.problems == ()
    registry.install(found.connectors)
    return found.connectors[TYPE].digest


def add(world: World, target: Directory, **settings: Any) -> System:
    given = {"url": target.url, "allow_plain": True, "token": "env:DIRECTORY_TOKEN", "tenant": "firm"}
    description = {"name": "intranet", "connector": TYPE, "settings": {**given, **settings}}
    return operations.add_system(description=description, actor=world.requester, now=clock.now())


@pytest.fixture
def browser() -> Client:
    """Rita of IT/security, signed in."""
    client = Client(SERVER_NAME="localhost")
    client.force_login(User.objects.get(email="rita@firm.example"))
    return client


def run(*words: str, expect: int = 0) -> dict[str, Any]:
    result = CliRunner().invoke(connectors.app, [*words, "--json"])
    assert result.exit_code == expect, result.output
    data: dict[str, Any] = json.loads(result.stdout)
    return data


def digests(kind: str) -> list[str]:
    return [str(fields_of(event)["declaration"].value) for event in Event.objects.filter(kind=kind)]


def test_a_departure_is_cut_in_a_declared_system_and_read_back(
    world: World, folder: Path, target: Directory
) -> None:
    system = add(world, target)
    assert operations.test_system(system=system, actor=world.requester, now=clock.now()).ok
    plan = world.cut()
    (person,) = target.users.values()
    assert person["state"] == "disabled"
    assert target.groups_of(person["id"]) == []
    assert target.sessions[person["id"]] == 0
    states = set(plan.changes.values_list("state", flat=True))
    assert states == {AccessState.VERIFIED}


def test_a_departure_is_cut_by_a_script_and_read_back(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    till = Till(tmp_path)
    account = till.add_person()
    till.file.write_text(till.file.read_text().replace(till.row(account)[2], ADA))
    monkeypatch.setenv("PIN", PIN)
    registry.install(find_declared(till.folder).connectors)
    description = {
        "name": "till",
        "connector": "script:shell-accounts",
        "settings": {"file": str(till.file), "pin": "env:PIN"},
    }
    operations.add_system(description=description, actor=world.requester, now=clock.now())
    plan = world.cut()
    registry.install({})
    assert till.row(account)[4:] == ["locked", "", "0"]
    assert set(plan.changes.values_list("state", flat=True)) == {AccessState.VERIFIED}


def test_the_digest_is_on_record_and_a_changed_file_is_said_until_it_is_tested(
    world: World, folder: Path, target: Directory, browser: Client
) -> None:
    system = add(world, target)
    first = registry.connectors()[TYPE].digest
    assert digests("system.added") == [first]
    page = browser.get("/systems/intranet/").content.decode()
    assert first in page
    assert "has changed" not in page

    second = install(folder, DIRECTORY.replace("by: partwell", "by: partwell-2"))
    page = browser.get("/systems/intranet/").content.decode()
    assert "Its file has changed since somebody last tested it" in page
    assert first in page and second in page
    assert [row["changed"] for row in run("list")["items"] if row["id"] == TYPE] == [True]

    operations.test_system(system=system, actor=world.requester, now=clock.now())
    assert digests("system.tested") == [second]
    assert "has changed" not in browser.get("/systems/intranet/").content.decode()
    assert [row["changed"] for row in run("list")["items"] if row["id"] == TYPE] == [False]


def test_a_file_that_is_gone_leaves_the_work_to_people(
    world: World, folder: Path, target: Directory, browser: Client
) -> None:
    add(world, target)
    registry.install({})
    page = browser.get("/systems/intranet/")
    assert page.status_code == 200
    assert f"{TYPE}, not installed here" in page.content.decode()


def test_a_system_gives_settings_and_never_requests(world: World, folder: Path, target: Directory) -> None:
    for wrong in (
        {"verbs": {}},
        {"read": {"method": "GET", "path": "/x"}},
        {"tenant": "Firm/../x"},
        {"token": "hunter2-canary"},
        {"url": f"{target.url}/?x=1"},
    ):
        with pytest.raises(Invalid) as refusal:
            add(world, target, **wrong)
        assert "canary" not in str(refusal.value)
    assert not System.objects.exists()


def test_the_page_for_adding_describes_the_declared_type(world: World, folder: Path, browser: Client) -> None:
    page = browser.get("/systems/add/").content.decode()
    assert f"connector: {TYPE}" in page
    assert "name: my-http-staff-directory" in page
    assert "The short name of your firm" in page


def test_checking_finds_mistakes_with_file_and_line_and_passes_what_is_sound(folder: Path) -> None:
    path = folder / "directory.yaml"
    assert run("check", str(folder))["connectors"] == [
        {"id": TYPE, "digest": registry.connectors()[TYPE].digest}
    ]
    lines = DIRECTORY.splitlines()
    line = lines.index("    done_when: [{at: /state, equals: disabled}]")
    lines[line] = "    done_wen: [{at: /state, equals: disabled}]"
    path.write_text("\n".join(lines))
    said = run("check", str(path), expect=1)
    assert [(row["file"], row["line"]) for row in said["items"]] == [(str(path), line + 1)]
    assert "Did you mean “done_when”" in said["items"][0]["message"]
    assert said["error"]["code"] == "declaration_broken"
    told = CliRunner().invoke(connectors.app, ["check", str(path)])
    assert f"{path}:{line + 1}: verbs.suspend.done_wen" in told.stdout
    assert run("check", str(folder / "nothing"), expect=1)["items"][0]["message"].startswith("There is no")
