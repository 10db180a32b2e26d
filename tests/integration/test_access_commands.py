"""`partwell systems` and `partwell access`, as somebody at the console uses them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from partwell.access.models import Plan, System
from partwell.cli import access, systems
from tests.access_world import World

pytestmark = pytest.mark.django_db


def run(app: Any, *words: str, expect: int = 0) -> dict[str, Any]:
    result = CliRunner().invoke(app, [*words, "--json"])
    assert result.exit_code == expect, result.output
    data: dict[str, Any] = json.loads(result.stdout)
    return data


def describe(folder: Path, text: str) -> str:
    file = folder / "system.yaml"
    file.write_text(text)
    return str(file)


def test_a_system_is_added_listed_and_tested(tmp_path: Path) -> None:
    file = describe(
        tmp_path,
        f"name: mail\nconnector: fake\ntitle: Post\nsla: critical\nsettings: {{store: {tmp_path}/s}}\n",
    )
    assert run(systems.app, "add", file)["name"] == "mail"
    listed = run(systems.app, "list")
    assert listed["next"] is None
    assert [row["sla_minutes"] for row in listed["items"]] == [15]
    assert "settings" not in listed["items"][0]
    assert run(systems.app, "test", "mail")["ok"] is True
    assert run(systems.app, "add", file, expect=1)["error"]["code"] == "system_exists"


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("name: mail\nconnector: nowhere\nsettings: {}", "connector"),
        ("name: mail\nconnector: fake\nsettings: {}", "settings"),
        ("name: 'a b'\nconnector: fake\nsettings: {store: x}", "name"),
        ("name: mail\nconnector: fake\nsettings: {store: x}\nsla: soon", "sla"),
        ("name: mail\nconnector: fake\nsettings: {store: x, mode: rude}", "settings.mode"),
        ("name: mail\nconnector: fake\nsettings: {store: x}\ncolour: red", "colour"),
        ("name: mail\nconnector: fake\nsettings: {store: x}\nwithout: [flying]", "without"),
        ("- a\n- b", ""),
        ("a: [", ""),
    ],
)
def test_a_wrong_description_is_refused_by_field(tmp_path: Path, text: str, field: str) -> None:
    error = run(systems.app, "add", describe(tmp_path, text), expect=1)["error"]
    assert error["field"] == field
    assert not System.objects.exists()


@pytest.mark.parametrize(
    "url", ["https://169.254.169.254/scim", "https://2130706433/", "https://[::1]/", "http://10.0.0.1"]
)
def test_an_address_that_partwell_may_not_reach_is_refused_when_it_is_saved(tmp_path: Path, url: str) -> None:
    text = f"name: idp\nconnector: scim\nsettings: {{url: '{url}', token: 'env:TOKEN'}}\n"
    error = run(systems.app, "add", describe(tmp_path, text), expect=1)["error"]
    assert error["field"] == "settings.url"
    assert not System.objects.exists()


INSIDE = "169.254.169.254"


@pytest.mark.parametrize(
    ("connector", "settings", "field"),
    [
        ("postgresql", f"url: 'postgresql://{INSIDE}:5432', user: partwell, password: 'env:P'", "url"),
        ("mysql", f"url: 'mysql://{INSIDE}:3306', user: partwell, password: 'env:P'", "url"),
        ("ldap", f"url: 'ldaps://{INSIDE}', bind_dn: 'cn=x', password: 'env:P', base_dn: 'dc=x'", "url"),
        (
            "ssh",
            f"hosts: ['93.184.215.14', '{INSIDE}:22'], known_hosts: x, user: partwell, private_key: 'env:K'",
            "hosts.1",
        ),
        ("slack", f"plan: pro, token: 'env:T', api_url: 'https://{INSIDE}/api'", "api_url"),
    ],
)
def test_every_address_in_the_settings_is_checked_when_it_is_saved(
    tmp_path: Path, connector: str, settings: str, field: str
) -> None:
    text = f"name: db\nconnector: {connector}\nsettings: {{{settings}}}\n"
    error = run(systems.app, "add", describe(tmp_path, text), expect=1)["error"]
    assert (error["code"], error["field"]) == ("target_refused", f"settings.{field}")
    assert not System.objects.exists()


def test_a_directory_that_the_operator_allows_by_its_port_is_saved(tmp_path: Path, settings: Any) -> None:
    settings.OUTBOUND_ALLOW = ["10.1.2.3:389"]
    rest = "bind_dn: 'cn=x', password: 'env:P', base_dn: 'dc=x'"
    text = f"name: dir\nconnector: ldap\nsettings: {{{{url: '{{}}', {rest}}}}}\n"
    assert run(systems.app, "add", describe(tmp_path, text.format("ldap://10.1.2.3")))["name"] == "dir"
    error = run(systems.app, "add", describe(tmp_path, text.format("ldaps://10.1.2.3")), expect=1)["error"]
    assert error["field"] == "settings.url"


def test_a_broken_connection_fails_its_test(world: World) -> None:
    world.add_system("mail")
    world.store.set_mode("mail", "down")
    report = run(systems.app, "test", "mail", expect=1)
    assert report["ok"] is False and "500" in report["summary"]


def test_the_console_plans_and_cuts_but_only_a_second_person_approves(world: World) -> None:
    world.add_system("mail")
    ident = str(world.departure.pk)
    shown = run(access.app, "plan", ident)
    assert {"id", "checksum", "changes"} <= set(shown)
    assert {"system", "account", "action", "state", "reason"} <= set(shown["changes"][0])
    assert run(access.app, "apply", ident, expect=1)["error"]["code"] == "not_approved"
    link = run(access.app, "approve", ident)
    assert link["approve_at"].endswith(f"/departures/{ident}/access")
    assert Plan.objects.get().state == "proposed", "the console changes nothing by it"
    world.approve(Plan.objects.get())
    run(access.app, "apply", ident, "--no-wait")
    world.run()
    assert run(access.app, "verify", ident)["is_settled"] is True
    restored = run(access.app, "restore", ident, "--no-wait")
    assert restored["kind"] == "restore"


@pytest.mark.django_db(transaction=True)
def test_applying_at_the_console_does_the_work_there_when_no_worker_runs(world: World) -> None:
    world.add_system("mail")
    world.add_system("wiki")
    world.approve(world.plan())
    shown = run(access.app, "apply", str(world.departure.pk))
    assert shown["is_settled"] is True
    assert shown["state"] == "applied"


def test_without_a_plan_there_is_nothing_to_approve(world: World) -> None:
    assert run(access.app, "approve", str(world.departure.pk), expect=1)["error"]["code"] == "no_plan"
