"""The time that a plan will take is told before, and is about what it takes."""

from __future__ import annotations

import json

import pytest
from django.test import Client as Browser
from typer.testing import CliRunner

from partwell.access import connections, queries, runs
from partwell.access.forecasting import time_of_cut
from partwell.access.models import SystemRun
from partwell.cli import access, cuts
from partwell.connector_kit import registry
from partwell.connector_kit.limiter import DEFAULT_CLASS, Limiter
from partwell.people.models import Person, User
from tests.access_world import World

pytestmark = pytest.mark.django_db


class Waiting(Limiter):
    """Keeps its queue, and lets its clock go on in place of sleeping."""

    def __init__(self, per_minute: float) -> None:
        self.now = 0.0
        super().__init__({DEFAULT_CLASS: per_minute}, monotonic=lambda: self.now)

    async def wait(self, name: str = DEFAULT_CLASS) -> None:
        self.now += self.reserve(name)


def limit(monkeypatch: pytest.MonkeyPatch, per_minute: float) -> Waiting:
    """Let practice systems take so many requests a minute."""
    found = registry.find("fake")
    assert found is not None
    monkeypatch.setitem(found.manifest.limits, "requests_per_minute", per_minute)  # type: ignore[arg-type]
    waiting = Waiting(per_minute)
    monkeypatch.setattr(connections, "_limiter", lambda system_id, connector: waiting)
    return waiting


@pytest.mark.parametrize(("accounts", "per_minute"), [(1, 10), (12, 60), (40, 30)])
def test_a_limited_system_takes_about_what_was_foretold(
    world: World, monkeypatch: pytest.MonkeyPatch, no_pauses: None, accounts: int, per_minute: float
) -> None:
    waiting = limit(monkeypatch, per_minute)
    system = world.add_system("crm", accounts=0, time_limit_seconds=120)
    for number in range(accounts):
        world.add_account("crm", f"a{number}", emails=[f"c{number}@client.example"], login=f"c{number}")
    clients = make_contacts(world, accounts)
    plan = clients.plan()
    told = clients.view()["takes"]["systems"][0]
    assert (told["accounts"], told["changes"]) == (accounts, 4 * accounts)
    clients.approve(plan)
    clients.apply(plan)
    waiting.now = before = 10_000.0
    for run in SystemRun.objects.filter(plan=plan):
        runs.run_system(str(run.plan_id), str(system.pk))
    took = waiting.now - before
    assert clients.is_settled
    assert 0.9 * told["seconds"] - 60 / per_minute - 1 <= took <= told["seconds"] * 1.1 + 1
    assert clients.view()["takes"] == {"seconds": 0, "says": "", "systems": []}


def make_contacts(world: World, accounts: int) -> World:
    """The same world with a client who leaves, with so many contacts."""
    from dataclasses import replace

    from tests.access_world import make_client_departure

    emails = [f"c{number}@client.example" for number in range(accounts)]
    return replace(world, departure=make_client_departure(*emails))


def test_the_plan_page_and_the_command_tell_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    limit(monkeypatch, 2)
    world.add_system("crm")
    world.plan()
    seconds = queries.plan_view(world.departure, actor=world.requester, now=world.departure.created_at)[
        "takes"
    ]["seconds"]
    assert seconds == 10 * 30  # it is looked for, kept, and each of four verbs is done and read back
    otto = Browser(SERVER_NAME="localhost")
    otto.force_login(User.objects.get(email="otto@firm.example"))
    page = otto.get(f"/departures/{world.departure.pk}/access/").content.decode()
    assert "It takes about 5 min." in page and "Crm about 5 min" in page
    said = CliRunner().invoke(access.app, ["show", str(world.departure.pk)])
    assert "What is ahead takes about 5 min; systems run side by side." in said.output


def test_a_group_is_told_before_anybody_is_shut_out(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    limit(monkeypatch, 60)
    for name in ("crm", "wiki"):
        world.add_system(name)
    for number in range(9):
        Person.objects.create(email=f"p{number}@firm.example", name=f"P {number}", department="Press")
    whole = json.loads(
        CliRunner()
        .invoke(
            cuts.app,
            ["order", "--department", "Press", "--reason", "a long enough one", "--dry-run", "--json"],
        )
        .stdout
    )
    assert whole["takes"] == time_of_cut(9)
    # 9 people are looked for, kept, and each of four verbs is done and read back; a request a second.
    assert whole["takes"]["seconds"] == 9 * 10
    assert [row["seconds"] for row in whole["takes"]["systems"]] == [90, 90]
    words = CliRunner().invoke(
        cuts.app, ["order", "--department", "Press", "--reason", "a long enough one", "--dry-run"]
    )
    assert "It would take about 2 min." in words.output
