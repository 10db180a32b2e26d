"""Access was cut at its end though nobody had approved it; the journey can still be finished."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from partwell import clock
from partwell.access import operations
from partwell.access.models import Plan
from partwell.journeys.operations.advancing import advance, end_access
from partwell.people.roles import Role
from tests.access_world import ADA, World, make_world
from tests.factories import make_holder, make_person, publish, start_journey, step_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def cut(tmp_path: Path) -> World:
    """Ada's access has ended a moment ago, with no plan at all; the runs of the rule are asked for."""
    publish()
    now = clock.now()
    make_holder(Role.IT_SECURITY, "Ines Duarte", now=now)
    ada = make_person("Ada Byron", email=ADA, manager=make_person("Joon-ho Baek"))
    journey = start_journey(
        ada,
        now=now - timedelta(hours=1),
        last_working_date=now.date(),
        access_end_at=now - timedelta(seconds=1),
    )
    world = make_world(tmp_path, journey.departure)
    world.add_system("mail")
    world.add_system("wiki", accounts=0)
    end_access(departure_id=journey.pk, now=now)
    return world


def states(world: World) -> tuple[str, str]:
    advance(departure_id=world.departure.pk, now=clock.now())
    approve, cut = (step_of(world.departure, key) for key in ("approve-access-plan", "cut-access"))
    return approve.state, cut.state


def attest_sessions(world: World) -> None:
    for account in world.departure.access_accounts.filter(state="manual"):
        operations.attest_account(account=account, note="Looked.", actor=world.requester, now=clock.now())


def test_what_the_rule_left_is_approved_afterwards_and_the_steps_settle(cut: World) -> None:
    cut.run()
    plan = Plan.objects.get()
    assert (plan.kind, plan.state, plan.approved_at) == ("standing", "applied", None)
    assert cut.states("mail")["remove_entitlements"] == "planned"
    assert "done" not in states(cut)

    cut.approve(plan)
    assert states(cut) == ("done", "open"), "and nobody has confirmed the notice, on which it was waiting"
    cut.apply(plan)
    cut.run()
    attest_sessions(cut)
    assert cut.is_settled
    assert states(cut) == ("done", "done")


def test_an_approval_before_the_systems_have_answered_is_asked_for_again(cut: World) -> None:
    plan = Plan.objects.get()
    assert plan.state == "applying" and not plan.changes.exists()
    cut.approve(plan)
    cut.run()
    plan.refresh_from_db()
    assert plan.approved_at is None, "nobody can approve what was not there to be looked at"
    assert cut.states("mail")["remove_entitlements"] == "planned"
    assert "done" not in states(cut)
    cut.approve(plan)
    cut.apply(plan)
    cut.run()
    attest_sessions(cut)
    assert states(cut) == ("done", "done")


def test_an_approval_while_one_system_is_silent_holds_for_the_others(cut: World) -> None:
    cut.store.set_mode("wiki", "down")
    cut.run()
    plan = Plan.objects.get()
    assert plan.state == "applying"
    cut.approve(plan)
    cut.apply(plan)
    cut.run()
    assert set(cut.states("mail").values()) <= {"verified", "manual"}
    assert states(cut)[0] == "done" and not cut.is_settled


def test_without_an_approval_the_journey_says_what_it_waits_for(cut: World) -> None:
    cut.run()
    assert "done" not in states(cut)
