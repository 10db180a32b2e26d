"""How long access outlives its end: counted from proof alone, against the time that each class allows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from typer.testing import CliRunner

from partwell import clock
from partwell.access import operations
from partwell.access.models import AccountRecord
from partwell.access.timing import recent_times, time_to_revoke
from partwell.cli import access as commands
from partwell.departures.models import Departure
from partwell.people.models import User
from partwell.refusals import NotAllowed
from partwell.web.time_to_revoke import figure_of
from tests.access_world import World, make_departure, make_user
from tests.factories import as_actor

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_pauses")]
ENDS = datetime(2026, 11, 27, 16, 30, tzinfo=UTC)


@pytest.fixture(autouse=True)
def wall(db: None) -> Iterator[time_machine.Coordinates]:
    with time_machine.travel(ENDS - timedelta(hours=2), tick=False) as traveller:
        yield traveller


@pytest.fixture
def at(wall: time_machine.Coordinates, world: World) -> Any:
    """Turns the clock to so many minutes after access end."""
    Departure.objects.filter(pk=world.departure.pk).update(access_end_at=ENDS)
    world.departure.refresh_from_db()
    return lambda minutes: wall.move_to(ENDS + timedelta(minutes=minutes), tick=False)


def row(world: World, system: str) -> dict[str, Any]:
    return next(row for row in world.view()["changes"] if row["system"] == system)


def timing(world: World, system: str) -> tuple[str, int | None, int]:
    found = row(world, system)
    assert found["is_late"] == (found["late_by_seconds"] > 0)
    return found["counted_as"], found["seconds_to_revoke"], found["late_by_seconds"]


def of_class(world: World, sla: str) -> dict[str, Any]:
    return next(found for found in world.view()["time_to_revoke"] if found["sla"] == sla)


def test_each_account_is_timed_from_access_end_to_its_proof_against_its_class(world: World, at: Any) -> None:
    world.add_system("directory", sla_class="critical")
    world.add_system("crm", sla_class="critical")
    world.add_system("wiki", sla_class="normal")
    world.store.set_mode("crm", "denies")
    plan = world.plan()
    world.approve(plan)
    at(3)
    world.enforce()
    world.run()
    assert timing(world, "directory") == ("revoked", 180, 0)
    assert timing(world, "wiki") == ("revoked", 180, 0)
    assert timing(world, "crm") == ("open", None, 0), "its time runs"
    at(22)
    assert timing(world, "crm") == ("open", None, 7 * 60), "open past its time is late"
    world.store.set_mode("crm", "ok")
    world.apply(plan)
    world.run()
    assert timing(world, "crm") == ("revoked", 22 * 60, 7 * 60)
    critical = of_class(world, "critical")
    assert critical["says"] == "1 of 2 proven gone in time, the last 22 min, 1 late, by 7 min"
    assert (critical["minutes"], critical["in_time"], critical["late"]) == (15, 1, 1)
    assert of_class(world, "normal")["says"] == "1 of 1 proven gone in time, it took 3 min"


def test_a_persons_word_is_named_and_not_counted_as_revoked(world: World, at: Any) -> None:
    world.add_system("door", connector="manual-nothing", accounts=0, settings={}, sla_class="critical")
    world.plan()
    at(40)
    assert timing(world, "door") == ("open", None, 25 * 60)
    operations.attest_account(
        account=AccountRecord.objects.get(), note="Badge is here.", actor=world.requester, now=clock.now()
    )
    assert timing(world, "door") == ("said", None, 0)
    assert of_class(world, "critical")["says"] == (
        "0 of 1 proven gone in time, 1 by a person’s word, not counted"
    )


def test_what_was_cut_before_access_end_took_no_time_and_reading_it_later_changes_nothing(
    world: World, at: Any
) -> None:
    world.add_system("directory", sla_class="critical")
    world.cut()
    assert timing(world, "directory") == ("revoked", 0, 0)
    proven_at = AccountRecord.objects.get().revoked_at
    at(60)
    operations.verify_plan(departure=world.departure, actor=world.console, now=clock.now())
    world.enforce()
    world.run()
    assert AccountRecord.objects.get().revoked_at == proven_at
    assert of_class(world, "critical")["says"] == "1 of 1 proven gone in time, before access ended"


def test_a_fresh_plan_keeps_the_time_and_access_that_is_found_again_begins_it_anew(
    world: World, at: Any
) -> None:
    world.add_system("directory", sla_class="critical")
    world.approve(world.plan())
    at(2)
    world.enforce()
    world.run()
    at(90)
    world.plan()
    assert timing(world, "directory") == ("revoked", 120, 0)
    world.run()
    world.approve(plan := world.departure.access_plans.order_by("-version")[0])
    world.apply(plan)
    world.run()
    assert timing(world, "directory") == ("revoked", 120, 0), "everything was so before"
    world.store.edit("directory", "directory-0", is_active=True)
    operations.verify_plan(departure=world.departure, actor=world.console, now=clock.now())
    assert timing(world, "directory") == ("open", None, 75 * 60)
    at(100)
    world.apply(plan)
    world.run()
    assert timing(world, "directory") == ("revoked", 100 * 60, 85 * 60)


def test_a_proposal_that_is_only_read_back_keeps_the_time_too(world: World, at: Any) -> None:
    world.add_system("directory", sla_class="critical")
    world.cut()
    proven_at = AccountRecord.objects.get().revoked_at
    at(-30)
    world.plan()
    operations.verify_plan(departure=world.departure, actor=world.console, now=clock.now())
    assert set(world.states("directory").values()) == {"verified"}
    assert AccountRecord.objects.get().revoked_at == proven_at


def test_an_account_that_was_opened_again_between_two_cuts_is_timed_from_the_second(
    world: World, at: Any
) -> None:
    world.add_system("directory", sla_class="critical")
    world.cut()
    world.store.edit("directory", "directory-0", is_active=True)
    at(5)
    world.enforce()
    world.run()
    assert timing(world, "directory") == ("revoked", 300, 0)


def test_what_was_restored_is_not_revoked_and_after_a_withdrawal_nothing_is_late(
    world: World, at: Any
) -> None:
    world.add_system("directory", sla_class="critical")
    world.cut()
    operations.restore_plan(departure=world.departure, actor=world.console, now=clock.now())
    world.run()
    assert timing(world, "directory")[0] == "open"
    at(600)
    assert row(world, "directory")["is_late"]
    Departure.objects.filter(pk=world.departure.pk).update(state="withdrawn")
    world.departure.refresh_from_db()
    assert (row(world, "directory")["is_late"], row(world, "directory")["due_at"]) == (False, None)


def test_a_system_that_does_not_answer_is_late_and_one_of_several_accounts_is_not_counted(
    world: World, at: Any
) -> None:
    world.add_system("slow", sla_class="critical")
    world.add_system("twins", accounts=2, sla_class="critical")
    world.store.set_mode("slow", "down")
    at(20)
    world.enforce()
    world.run(rounds=2)
    assert timing(world, "slow") == ("open", None, 300)
    assert of_class(world, "critical")["accounts"] == 1
    assert of_class(world, "critical")["says"] == (
        "0 of 1 proven gone in time, 1 late, by 5 min, 1 not proven yet"
    )


def test_the_first_page_shows_the_median_of_departures_proven_in_all_critical_systems(
    world: World, at: Any, wall: time_machine.Coordinates
) -> None:
    world.add_system("directory", sla_class="critical", accounts=0)
    world.add_system("wiki", accounts=0)
    for number, minutes in enumerate((4, 22, 1)):
        email = f"leaver-{number}@firm.example"
        departure = make_departure(email, access_end_at=ENDS)
        world.add_account("directory", f"d-{number}", login=f"leaver-{number}", emails=[email])
        each = World(world.store, departure, world.requester, world.approver, world.console)
        at(minutes)
        each.enforce()
        each.run()
        each.approve(plan := departure.access_plans.get())
        each.apply(plan)
        each.run()
    world.add_account("directory", "open")
    world.store.set_mode("directory", "denies")
    world.enforce()
    world.run()
    wall.move_to(ENDS + timedelta(days=2), tick=False)
    found = recent_times(world.requester, now=clock.now())
    assert [time.total_seconds() / 60 for time in found.times] == [1, 4, 22]
    assert (found.unproven, found.late) == (1, 1)
    figure = figure_of(found)
    assert figure is not None
    assert (figure["median"], figure["more"]) == (
        [("4", "min")],
        "2 of 3 within 15 minutes, 1 not proven yet",
    )
    assert [dot["is_late"] for dot in figure["dots"]] == [False, False, True]
    assert recent_times(as_actor(make_user("fiona", ["finance"])), now=clock.now()).times == ()
    browser = Client(SERVER_NAME="localhost")
    browser.force_login(User.objects.get(email="rita@firm.example"))
    page = browser.get("/").content.decode()
    assert "Median 4 min." in page
    assert 'class="dot-late"' in page


def test_the_pages_and_the_command_line_say_the_same(world: World, at: Any) -> None:
    world.add_system("directory", sla_class="critical")
    world.approve(world.plan())
    at(3)
    world.enforce()
    world.run()
    browser = Client(SERVER_NAME="localhost")
    browser.force_login(User.objects.get(email="rita@firm.example"))
    plan_page = browser.get(f"/departures/{world.departure.pk}/access/").content.decode()
    assert "in time, after 3 min" in plan_page
    assert "3 min after access end" in plan_page
    evidence = browser.get(f"/departures/{world.departure.pk}/evidence/").content.decode()
    assert "1 of 1 proven gone in time" in evidence
    view = world.view()
    said = CliRunner().invoke(commands.app, ["verify", str(world.departure.pk), "--json"])
    assert json.loads(said.stdout)["time_to_revoke"] == view["time_to_revoke"]
    words = CliRunner().invoke(commands.app, ["verify", str(world.departure.pk)])
    assert "1 of 1 proven gone in time, it took 3 min" in words.stdout
    with pytest.raises(NotAllowed):
        time_to_revoke(world.departure, actor=as_actor(make_user("fiona", ["finance"])), now=clock.now())
