"""Access end without a signature: what the standing rule cuts, what it leaves, and whom it tells."""

from __future__ import annotations

from datetime import timedelta

import pytest

from partwell import clock
from partwell.access import operations, queries
from partwell.access.models import Alert
from tests.access_world import World

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_pauses")]


def test_at_access_end_access_is_cut_though_nobody_ever_made_a_plan(world: World) -> None:
    world.add_system("mail")
    assert world.enforce() is None, "not a minute early"
    world.end_access()
    plan = world.enforce()
    world.run()
    assert plan is not None and plan.kind == "standing"
    assert world.effects("mail") == ["block_sign_in", "revoke_sessions", "suspend"]
    states = world.states("mail")
    assert states["suspend"] == states["revoke_sessions"] == "verified"
    assert states["remove_entitlements"] == "planned", "waits for a signature"
    assert not world.is_settled
    plan.refresh_from_db()
    world.approve(plan)
    world.apply(plan)
    world.run()
    assert world.is_settled


def test_at_access_end_an_approved_plan_runs_whole(world: World) -> None:
    world.add_system("mail")
    plan = world.plan()
    world.approve(plan)
    world.end_access()
    assert world.enforce() == plan
    assert world.enforce() is None, "the timer fires twice"
    world.run()
    assert world.is_settled and len(world.effects("mail")) == 4


def test_at_access_end_drift_does_not_save_an_account(world: World) -> None:
    world.add_system("mail")
    plan = world.plan()
    world.approve(plan)
    world.store.edit("mail", "mail-0", groups={"root": "Root"})
    world.end_access()
    world.enforce()
    world.run()
    assert world.effects("mail") == ["block_sign_in", "revoke_sessions", "suspend"]
    assert world.states("mail")["remove_entitlements"] == "planned"
    delta = queries.latest_plan(world.departure)
    assert delta is not None and delta.kind == "delta"
    world.approve(delta)
    world.apply(delta)
    world.run()
    assert world.is_settled


def test_a_fresh_plan_after_access_end_keeps_the_standing_rule(world: World) -> None:
    world.add_system("mail")
    world.store.set_mode("mail", "down")
    world.end_access()
    world.enforce()
    world.run(rounds=2)
    world.plan()
    world.store.set_mode("mail", "ok")
    world.run()
    assert world.effects("mail") == ["block_sign_in", "revoke_sessions", "suspend"]


def test_a_restore_does_not_stop_the_standing_rule(world: World) -> None:
    world.add_system("mail")
    world.cut()
    operations.restore_plan(departure=world.departure, actor=world.console, now=clock.now())
    world.run()
    world.end_access()
    world.enforce()
    world.run()
    state = world.store.account("mail", "mail-0")
    assert state is not None and not state["is_active"]


def test_at_access_end_a_proposal_without_signature_is_overtaken(world: World) -> None:
    world.add_system("mail")
    plan = world.plan()
    world.end_access()
    world.enforce()
    world.run()
    plan.refresh_from_db()
    assert plan.state == "superseded"
    assert world.states("mail")["suspend"] == "verified"


def test_at_access_end_ambiguous_accounts_are_alarmed_not_cut_and_cut_once_somebody_chose(
    world: World,
) -> None:
    system = world.add_system("mail", accounts=2)
    world.add_system("wiki")
    world.end_access()
    world.enforce()
    world.run()
    assert world.effects("mail") == []
    assert world.states("wiki")["suspend"] == "verified"
    assert Alert.objects.filter(kind="ambiguous", key="mail").exists()
    operations.link_accounts(
        departure=world.departure,
        system=system,
        external_ids=["mail-0"],
        actor=world.requester,
        now=clock.now(),
    )
    world.run()
    assert world.effects("mail") == ["block_sign_in", "revoke_sessions", "suspend"]
    assert {effect.account for effect in world.store.ledger("mail")} == {"mail-0"}


def test_at_access_end_an_unreachable_system_is_alarmed_and_cut_when_it_comes_back(world: World) -> None:
    world.add_system("mail")
    world.add_system("wiki")
    world.store.set_mode("mail", "down")
    world.end_access()
    world.enforce()
    world.run(rounds=3)
    assert world.states("wiki")["suspend"] == "verified"
    assert Alert.objects.get(kind="unreachable").resolved_at is None
    assert not world.is_settled
    world.store.set_mode("mail", "ok")
    world.run()
    assert world.states("mail")["suspend"] == "verified"
    assert Alert.objects.get(kind="unreachable").resolved_at is not None


def test_access_that_was_cut_early_is_read_again_at_access_end(world: World) -> None:
    world.add_system("mail")
    world.cut()
    world.store.edit("mail", "mail-0", is_active=True)
    world.end_access()
    world.enforce()
    world.run()
    assert world.states("mail")["suspend"] == "verified"
    state = world.store.account("mail", "mail-0")
    assert state is not None and not state["is_active"]


def test_a_missing_approval_is_raised_before_access_end(world: World) -> None:
    world.add_system("mail")
    soon = world.departure.access_end_at
    for _ in range(2):
        alert = operations.escalate(departure_id=world.departure.pk, now=soon - timedelta(hours=24))
    assert alert is not None and "24 hours" in alert.text
    assert operations.escalate(departure_id=world.departure.pk, now=soon - timedelta(hours=1)) is not None
    assert Alert.objects.count() == 2
    plan = world.plan()
    world.approve(plan)
    assert operations.escalate(departure_id=world.departure.pk, now=soon - timedelta(hours=1)) is None
    assert not Alert.objects.filter(resolved_at=None).exists()
