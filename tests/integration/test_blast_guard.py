"""More accounts than a connection allows wait for a second person, whoever would cut them alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from django.test import Client as Browser

from partwell import clock
from partwell.access import blast_guard, operations, runs
from partwell.access.models import AccountRecord, Alert, Cut, Plan, Sweep, System, SystemRun, SystemSweep
from partwell.access.operations import cuts
from partwell.access.states import Link, SweepState
from partwell.connector_kit.contract import Account
from partwell.departures.models import Departure
from partwell.evidence.models import Event
from partwell.people.models import User
from partwell.refusals import Invalid
from tests.access_world import World, make_client_departure, make_departure

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_pauses")]


def client_world(world: World, contacts: int, **system: int) -> World:
    """A client who leaves, each of whose contacts has an account in the practice system."""
    emails = [f"c{number}@client.example" for number in range(contacts)]
    world.add_system("portal", accounts=0, **system)
    for number, email in enumerate(emails):
        world.add_account("portal", f"p{number}", login=f"c{number}", emails=[email])
    return replace(world, departure=make_client_departure(*emails))


def order(world: World, departures: Sequence[Departure] | None = None) -> Cut:
    return cuts.order_cut(
        departures=departures or [world.departure],
        title="them",
        reason="An account of theirs was taken over.",
        actor=world.requester,
        now=clock.now(),
    )


def run(cut: Cut) -> None:
    for _ in range(8):
        live = SystemRun.objects.filter(plan__cut=cut, state__in=("running", "waiting"))
        for system_id in set(live.values_list("system_id", flat=True)):
            runs.run_cut(str(cut.pk), str(system_id))


def cut_accounts(world: World) -> set[str]:
    return {effect.account for effect in world.store.ledger("portal")}


def guard_alert() -> Alert:
    return Alert.objects.get(kind="many_accounts", resolved_at=None)


def test_the_standing_rule_leaves_a_whole_system_to_a_second_person_and_says_why(world: World) -> None:
    world = client_world(world, 4, most_accounts=3)
    world.end_access()
    world.enforce()
    world.run()
    assert cut_accounts(world) == set()
    assert set(world.states("portal").values()) == {"planned"}
    row = world.view()["changes"][0]
    assert row["reason"].startswith("Waits for a second person. 4 accounts in Portal match, more than the 3")
    assert guard_alert().text.endswith("All wait for a second person: are they theirs?")
    assert Event.objects.filter(kind="access.alert_raised").count() == 1

    otto = Browser(SERVER_NAME="localhost")
    otto.force_login(User.objects.get(email="otto@firm.example"))
    page = otto.get(f"/departures/{world.departure.pk}/access/").content.decode()
    assert "Approve in 1 system" in page and "more than the 3 of one person" in page
    assert "Second person needed: many accounts" in otto.get("/access/").content.decode()

    plan = Plan.objects.get(kind="standing")
    world.approve(plan)
    world.apply(plan)
    world.run()
    assert cut_accounts(world) == {"p0", "p1", "p2", "p3"}
    assert world.is_settled
    assert not Alert.objects.filter(kind="many_accounts", resolved_at=None).exists()


def test_as_many_as_are_allowed_go_by_the_standing_rule(world: World) -> None:
    world = client_world(world, 3, most_accounts=3)
    world.end_access()
    world.enforce()
    world.run()
    assert cut_accounts(world) == {"p0", "p1", "p2"}
    assert not Alert.objects.filter(kind="many_accounts").exists()


def test_another_system_goes_on(world: World) -> None:
    world = client_world(world, 4, most_accounts=3)
    world.add_system("wiki", accounts=0)
    world.add_account("wiki", "w0", login="c0", emails=["c0@client.example"])
    world.end_access()
    world.enforce()
    world.run()
    assert cut_accounts(world) == set()
    assert "suspend" in world.effects("wiki")


def test_the_kill_switch_closes_as_many_as_are_allowed_and_the_rest_waits(world: World) -> None:
    world = client_world(world, 6, most_accounts=3)
    world.store.edit("portal", "p0", is_active=False)
    cut = order(world)
    run(cut)
    # What still lets somebody in comes before what is closed.
    assert cut_accounts(world) == {"p1", "p2", "p3"}
    assert "3 are cut, 3 wait for a second person" in guard_alert().text
    plan = Plan.objects.get(cut=cut)
    assert plan.approved_at is None and plan.ended_at is not None

    otto = Browser(SERVER_NAME="localhost")
    otto.force_login(User.objects.get(email="otto@firm.example"))
    assert "Approve in 1 system" in otto.get(f"/departures/{world.departure.pk}/access/").content.decode()
    world.approve(plan)
    world.apply(plan)
    run(cut)
    assert cut_accounts(world) == {f"p{number}" for number in range(6)}
    assert not Alert.objects.filter(kind="many_accounts", resolved_at=None).exists()


def test_a_cut_of_many_that_was_approved_still_waits_for_a_look_at_the_accounts(world: World) -> None:
    world = client_world(world, 4, most_accounts=3)
    others = [make_departure(f"leaver{number}@firm.example") for number in range(cuts.ALONE)]
    cut = order(world, [world.departure, *others])
    cuts.approve_cut(cut=cut, actor=world.approver, now=clock.now())
    run(cut)
    assert len(cut_accounts(world)) == 3


def test_one_person_alone_cuts_no_large_share_of_a_system(world: World) -> None:
    world.add_system("portal", accounts=0, most_percent=10)
    swept(world.systems["portal"], accounts=60)
    clients = []
    for each in range(3):
        emails = [f"c{each}{number}@client.example" for number in range(3)]
        for number, email in enumerate(emails):
            world.add_account("portal", f"p{each}{number}", login=f"c{each}{number}", emails=[email])
        clients.append(make_client_departure(*emails))
        clients[-1].client.name = f"Client {each}"
    cut = order(world, clients)
    run(cut)
    # A tenth of sixty: two of the clients are cut whole, the third waits.
    assert len(cut_accounts(world)) == 6
    assert "more than 10 % of all accounts in Portal" in guard_alert().text


def test_a_few_are_never_too_large_a_share(world: World) -> None:
    world = client_world(world, blast_guard.FEW, most_percent=1)
    swept(world.systems["portal"], accounts=6)
    run(order(world))
    assert len(cut_accounts(world)) == blast_guard.FEW


def test_a_plan_that_two_people_made_and_approved_runs_whole(world: World) -> None:
    world = client_world(world, 6, most_accounts=3)
    world.cut()
    assert len(cut_accounts(world)) == 6 and world.is_settled
    assert not Alert.objects.filter(kind="many_accounts").exists()


def test_a_fresh_look_that_finds_fewer_ends_the_alert(world: World) -> None:
    world = client_world(world, 4, most_accounts=3)
    world.end_access()
    world.enforce()
    world.run()
    assert guard_alert()
    world.store.delete("portal", "p3", at=clock.now())
    world.plan()
    world.run()
    assert not Alert.objects.filter(kind="many_accounts", resolved_at=None).exists()
    assert cut_accounts(world) >= {"p0", "p1", "p2"}


def test_what_a_person_said_is_theirs_comes_first() -> None:
    found = [
        Account("a", "a", is_active=True, matched_by="user name"),
        Account("b", "b", is_active=True, matched_by="employee number"),
        Account("c", "c", is_active=False, matched_by="employee number"),
        Account("d", "d", is_active=True, matched_by="something else"),
    ]
    assert [each.external_id for each in blast_guard.surest_first(found, ["d"])] == ["d", "b", "a", "c"]


@pytest.mark.parametrize("field", ["most_accounts", "most_percent"])
@pytest.mark.parametrize("value", [0, -1, 10_001, "many", True, 2.5])
def test_a_limit_that_is_none_is_refused_by_its_name(
    world: World, tmp_path: Path, field: str, value: object
) -> None:
    text = yaml.safe_dump(
        {"name": "crm", "connector": "fake", "settings": {"store": str(tmp_path / "s")}, field: value}
    )
    with pytest.raises(Invalid) as refused:
        operations.add_system(
            description=operations.read_system_file(text), actor=world.requester, now=clock.now()
        )
    assert refused.value.field == field


def test_the_connection_says_its_limits(world: World, tmp_path: Path) -> None:
    description = {"name": "crm", "connector": "fake", "settings": {"store": str(tmp_path / "s")}}
    first = operations.add_system(description=description, actor=world.requester, now=clock.now())
    assert (first.most_accounts, first.most_percent) == (20, 25)
    second = operations.add_system(
        description={**description, "name": "wiki", "most_accounts": 3, "most_percent": 100},
        actor=world.requester,
        now=clock.now(),
    )
    assert System.objects.get(pk=second.pk).most_accounts == 3


def swept(system: System, *, accounts: int) -> None:
    sweep = Sweep.objects.create(started_at=clock.now(), started_by="tests", ended_at=clock.now())
    SystemSweep.objects.create(sweep=sweep, system=system, state=SweepState.READ, accounts=accounts)
    assert not AccountRecord.objects.filter(link=Link.OURS).exists()
