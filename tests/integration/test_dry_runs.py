"""A plan is tried: every call is shown, nothing is changed, and no secret is told."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client
from typer.testing import CliRunner

from partwell import clock
from partwell.access import dry_runs, operations, queries, questions
from partwell.access.models import AccountRecord, Change, DryRun, Question, System
from partwell.access.operations import dry_runs as dry_run_operations
from partwell.cli import access
from partwell.evidence.models import Event
from partwell.people.models import User
from partwell.refusals import Conflict, NotAllowed, NotFound
from tests.access_world import ADA, World, make_departure
from tests.servers.postgresql import SERVICE as PG_SERVICE
from tests.servers.postgresql import SERVICE_PASSWORD as PG_PASSWORD
from tests.servers.postgresql import PostgresqlServer
from tests.servers.scim import TOKEN, ScimServer
from tests.servers.slapd import SERVICE_DN, SERVICE_PASSWORD, SUFFIX, SlapdServer
from tests.servers.sshd import SshdServer, run

pytestmark = pytest.mark.django_db


def tried(world: World) -> dict[str, Any]:
    plan = queries.latest_plan(world.departure)
    assert plan is not None
    operations.dry_run_plan(plan=plan, actor=world.requester, now=clock.now())
    view = queries.dry_run_view(world.departure, actor=world.requester)
    assert view is not None
    return view


def everything_kept() -> str:
    rows = [*DryRun.objects.values(), *Event.objects.values(), *Question.objects.values()]
    return json.dumps(rows, default=str)


def test_each_verb_is_shown_and_the_practice_system_is_as_it_was(world: World) -> None:
    world.add_system("crm")
    world.plan()
    before, ledger = world.store.accounts("crm"), world.store.ledger()
    rows = list(Change.objects.values()), list(AccountRecord.objects.values())
    (system,) = tried(world)["systems"]
    assert {verb["verb"]: [call["method"] for call in verb["calls"]] for verb in system["verbs"]} == {
        "block_sign_in": ["block sign in"],
        "revoke_sessions": ["revoke sessions"],
        "suspend": ["suspend"],
        "remove_entitlements": ["remove entitlements"],
    }
    assert system["verbs"][0]["calls"][0]["target"] == "crm: crm-0"
    assert (world.store.accounts("crm"), world.store.ledger()) == (before, ledger)
    assert (list(Change.objects.values()), list(AccountRecord.objects.values())) == rows


def test_a_scim_service_shows_its_requests_and_keeps_its_users(
    world: World, scim_server: ScimServer, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.OUTBOUND_ALLOW = ["127.0.0.0/8", "::1"]
    monkeypatch.setenv("SCIM_CANARY", TOKEN)
    user = scim_server.add_person("ada-dry", ADA)
    group = scim_server.add_group("dry-staff", [user])
    given = {"url": scim_server.url, "allow_plain": True, "token": "env:SCIM_CANARY"}
    world.add_system("idp", accounts=0, connector="scim", settings=given)
    System.objects.filter(name="idp").update(settings=given)
    world.plan()
    (system,) = tried(world)["systems"]
    calls = [(c["method"], c["target"], c["body"]) for verb in system["verbs"] for c in verb["calls"]]
    assert [(method, target) for method, target, _ in calls] == [
        ("PATCH", f"{scim_server.url}/Users/{user}"),
        ("PATCH", f"{scim_server.url}/Groups/{group}"),
    ]
    assert {"op": "replace", "path": "active", "value": False} in calls[0][2]["Operations"]
    assert TOKEN not in everything_kept()
    again = world.plan()
    assert again.pk == queries.latest_plan(world.departure).pk  # the service answers as before


def test_a_directory_shows_its_changes_and_keeps_its_entries(
    world: World, slapd_server: SlapdServer, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.OUTBOUND_ALLOW = ["127.0.0.0/8", "::1"]
    monkeypatch.setenv("LDAP_CANARY", SERVICE_PASSWORD)
    dn = slapd_server.add_person("ada-dry", ADA)
    group = slapd_server.add_group("dry-staff", [dn, SERVICE_DN])
    given = {
        "url": slapd_server.ldaps_url,
        "ca_file": str(slapd_server.ca_file),
        "bind_dn": SERVICE_DN,
        "password": "env:LDAP_CANARY",
        "base_dn": SUFFIX,
    }
    world.add_system("directory", accounts=0, connector="ldap", settings=given)
    System.objects.filter(name="directory").update(settings=given)
    plan = world.plan()
    (system,) = tried(world)["systems"]
    calls = [(c["method"], c["target"]) for verb in system["verbs"] for c in verb["calls"]]
    assert calls == [("modify", dn), ("modify", group)]
    assert SERVICE_PASSWORD not in everything_kept()
    assert world.plan().pk == plan.pk  # what the directory shows is what it showed before


def test_a_database_shows_its_statements_and_a_host_its_commands(
    world: World,
    postgresql_server: PostgresqlServer,
    sshd_server: SshdServer,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.OUTBOUND_ALLOW = ["127.0.0.0/8", "::1"]
    monkeypatch.setenv("PG_CANARY", PG_PASSWORD)
    monkeypatch.setenv("SSH_CANARY", sshd_server.service_key)
    login = sshd_server.name()
    home = sshd_server.add_login(login, comment=ADA)
    group = sshd_server.name()
    sshd_server.add_group(group, login)
    postgresql_server.add_person("ada-dry", comment=ADA)
    places = {
        "postgresql": {
            "url": postgresql_server.url,
            "ca_file": str(postgresql_server.ca_file),
            "user": PG_SERVICE,
            "password": "env:PG_CANARY",
        },
        "ssh": {
            "hosts": [sshd_server.address],
            "known_hosts": sshd_server.known_hosts,
            "user": sshd_server.service,
            "private_key": "env:SSH_CANARY",
        },
    }
    for name, given in places.items():
        world.add_system(name, accounts=0, connector=name, settings=given)
        System.objects.filter(name=name).update(settings=given)
    plan = world.plan()
    systems = {system["connector"]: system for system in tried(world)["systems"]}
    shown = {
        name: [(c["method"], c["target"], c["body"]) for verb in system["verbs"] for c in verb["calls"]]
        for name, system in systems.items()
    }
    address = f"{postgresql_server.url}/postgres"
    assert shown["postgresql"] == [
        ("SQL", address, 'ALTER ROLE "ada-dry" CONNECTION LIMIT 0'),
        ("SQL", address, 'ALTER ROLE "ada-dry" NOLOGIN'),
    ]
    assert {target for _, target, _ in shown["ssh"]} == {sshd_server.address}
    commands = [body.rpartition(" -n -- ")[2] for _, _, body in shown["ssh"]]
    assert f"/usr/bin/chage -E 1 -- {login}" in commands
    assert f"/usr/bin/gpasswd -d {login} {group}" in commands
    for secret in (PG_PASSWORD, sshd_server.service_key.splitlines()[1]):
        assert secret not in everything_kept()
    assert postgresql_server.try_sign_in("ada-dry", "correct horse")
    assert group in run("/usr/bin/id", "-nG", login).split()
    assert home.is_dir()
    assert world.plan().pk == plan.pk  # both answer as before


def test_a_connector_that_does_not_promise_to_hold_calls_back_is_not_tried(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.add_system("crm")
    world.plan()
    world.store.set_mode("crm", "down")
    monkeypatch.setattr(dry_runs.registry, "find", lambda name: None)
    (system,) = tried(world)["systems"]
    assert (system["can_show"], system["calls"]) == (False, 0)
    assert "was not tried" in system["reason"]
    assert system["verbs"][0]["verb"] == "block_sign_in"


def test_a_system_that_does_not_answer_holds_up_no_other(world: World) -> None:
    for name in ("crm", "wiki"):
        world.add_system(name)
    world.plan()
    world.store.set_mode("crm", "down")
    crm, wiki = tried(world)["systems"]
    assert all("status 500" in verb["said"] and not verb["calls"] for verb in crm["verbs"])
    assert wiki["calls"] == 4


def test_what_is_so_already_needs_no_call(world: World) -> None:
    world.add_system("crm")
    world.plan()
    world.store.edit("crm", "crm-0", sessions=0)
    (system,) = tried(world)["systems"]
    (ended,) = [verb for verb in system["verbs"] if verb["verb"] == "revoke_sessions"]
    assert not ended["calls"] and ended["said"].startswith("Nothing would be sent")


def test_a_plan_that_changed_since_says_that_it_was_not_tried(world: World) -> None:
    world.add_system("crm")
    world.plan()
    assert tried(world)["is_current"] is True
    world.store.edit("crm", "crm-0", groups={"staff": "Staff", "admins": "Admins"})
    world.plan()
    assert queries.dry_run_view(world.departure, actor=world.requester) is None


def test_without_evidence_nothing_is_kept(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.add_system("mail")
    plan = world.plan()

    def refuse(*_: object, **__: object) -> None:
        raise OperationalError("attempt to write a readonly database")

    with monkeypatch.context() as broken:
        broken.setattr(dry_run_operations, "record", refuse)
        with pytest.raises(OperationalError):
            operations.dry_run_plan(plan=plan, actor=world.requester, now=clock.now())
    assert not DryRun.objects.exists()
    operations.dry_run_plan(plan=plan, actor=world.requester, now=clock.now())
    assert DryRun.objects.exists()


def test_nothing_left_to_send_is_refused(world: World, no_pauses: None) -> None:
    world.add_system("crm")
    plan = world.cut()
    plan.refresh_from_db()
    with pytest.raises(Conflict, match="nothing left"):
        operations.dry_run_plan(plan=plan, actor=world.requester, now=clock.now())
    restore = operations.restore_plan(departure=world.departure, actor=world.console, now=clock.now())
    with pytest.raises(Conflict, match="puts back"):
        operations.dry_run_plan(plan=restore, actor=world.requester, now=clock.now())


def test_who_may_not_see_the_departure_asks_no_system(world: World) -> None:
    world.add_system("crm")
    plan = world.plan()
    world.departure.confidentiality = "need_to_know"
    world.departure.save()
    with pytest.raises((NotFound, NotAllowed)):
        operations.dry_run_plan(plan=plan, actor=world.approver, now=clock.now())
    assert not DryRun.objects.exists()


def test_the_page_asks_through_the_engine_shows_progress_and_then_the_calls(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    rita = Client(SERVER_NAME="localhost")
    rita.force_login(User.objects.get(email="rita@firm.example"))
    url = f"/departures/{world.departure.pk}/access/dry-run/"
    assert "There is no plan yet" in rita.get(url).content.decode()
    world.add_system("crm")
    world.plan()
    assert "Not tried yet" in rita.get(url).content.decode()
    assert rita.post(url).status_code == 302
    question = Question.objects.get()
    assert rita.post(url).status_code == 302 and Question.objects.count() == 1
    assert "without sending anything" in rita.get(url).content.decode()
    questions.answer(str(question.pk))
    question.refresh_from_db()
    assert question.progress == "1 of 1 systems have answered."
    assert question.answer == "Plan 1 would send 4 calls. Nothing was changed."
    page = rita.get(url).content.decode()
    assert "crm: crm-0" in page and "hx-trigger" not in page.partition('id="dry-run"')[2][:300]
    kinds = set(Event.objects.values_list("kind", flat=True))
    assert {"access.asked", "access.tried"} <= kinds


def test_the_command_shows_the_calls(world: World) -> None:
    world.add_system("crm")
    world.plan()
    run = CliRunner().invoke(access.app, ["dry-run", str(world.departure.pk)])
    assert run.exit_code == 0, run.output
    assert "would send 4 calls. Nothing was sent." in run.output
    assert "suspend crm: crm-0" in run.output
    data = json.loads(CliRunner().invoke(access.app, ["dry-run", str(world.departure.pk), "--json"]).stdout)
    assert data["calls"] == 4
    other = make_departure("bo@firm.example")
    assert CliRunner().invoke(access.app, ["dry-run", str(other.pk)]).exit_code == 1
