"""Access is planned, approved by a second person, cut, and read back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from partwell import clock
from partwell.access import operations, queries
from partwell.access.models import AccountRecord, Alert, Plan
from partwell.evidence.models import Event
from partwell.people.actors import Channel, actor_for_user
from partwell.people.models import User
from partwell.refusals import Conflict, FreshSignInNeeded, NotAllowed, NotFound
from tests.access_world import ADA, World, make_client_departure, make_user, make_world

pytestmark = pytest.mark.django_db


def test_a_whole_cut_is_read_back_and_settles(world: World) -> None:
    world.add_system("mail")
    world.add_system("wiki")
    assert not world.is_settled
    world.cut()
    assert set(world.states().values()) == {"verified"}
    assert world.is_settled
    assert world.effects("mail") == ["block_sign_in", "revoke_sessions", "suspend", "remove_entitlements"]
    state = world.store.account("mail", "mail-0")
    assert state is not None and not state["is_active"] and not state["groups"] and state["sessions"] == 0


def test_each_change_leaves_its_intent_its_answer_and_its_proof(world: World) -> None:
    world.add_system("mail")
    world.cut()
    kinds = list(Event.objects.order_by("occurred_at").values_list("kind", flat=True))
    assert (
        kinds.count("access.requested")
        == kinds.count("access.accepted")
        == kinds.count("access.verified")
        == 4
    )
    assert kinds.index("access.requested") < kinds.index("access.accepted") < kinds.index("access.verified")


def test_a_system_without_an_account_is_asked_and_settles(world: World) -> None:
    world.add_system("mail", accounts=0)
    plan = world.plan()
    assert plan.answers["mail"]["found"] == "none"
    assert world.is_settled


def test_a_new_system_that_nobody_asked_yet_unsettles(world: World) -> None:
    world.add_system("mail", accounts=0)
    world.plan()
    world.add_system("wiki", accounts=0)
    assert not world.is_settled
    assert queries.unasked_systems(world.departure) == ["wiki"]


def test_what_a_connection_cannot_do_becomes_a_persons_task(world: World) -> None:
    world.add_system("mail", without=["revoke_sessions"])
    world.cut()
    states = world.states("mail")
    assert states["revoke_sessions"] == "manual"
    assert states["suspend"] == "verified"
    assert not world.is_settled
    account = AccountRecord.objects.get()
    operations.attest_account(account=account, note="Killed by hand.", actor=world.approver, now=clock.now())
    assert world.states("mail")["revoke_sessions"] == "attested"
    assert AccountRecord.objects.get().state == "attested"
    assert world.is_settled


def test_a_protected_account_is_refused_with_its_reason(world: World) -> None:
    world.add_system("mail", accounts=0)
    world.add_account("mail", "root", is_protected=True)
    plan = world.plan()
    assert {row["state"] for row in world.view()["changes"]} == {"manual"}
    assert "protected" in world.view()["changes"][0]["reason"]
    world.approve(plan)
    world.apply(plan)
    world.run()
    assert world.effects("mail") == []
    assert not world.is_settled


def test_the_one_who_asked_for_a_plan_cannot_approve_it(world: World) -> None:
    world.add_system("mail")
    plan = world.plan()
    with pytest.raises(NotAllowed) as refused:
        world.approve(plan, world.requester)
    assert refused.value.code == "same_person"
    plan.refresh_from_db()
    assert plan.state == "proposed"


def test_neither_a_token_nor_the_console_is_a_second_person(world: World) -> None:
    world.add_system("mail")
    plan = world.plan()
    token = actor_for_user(
        User.objects.get(pk=world.approver.user_id), channel=Channel.API, is_fresh=True, scopes={"access"}
    )
    with pytest.raises(NotAllowed, match="signed in on the web"):
        world.approve(plan, token)
    with pytest.raises(NotAllowed):
        world.approve(plan, world.console)
    with pytest.raises(FreshSignInNeeded):
        world.approve(plan, replace(world.approver, is_fresh=False))


def test_the_leaver_does_not_even_learn_of_the_plan(world: World) -> None:
    world.add_system("mail")
    plan = world.plan()
    ada = make_user("ada", roles=["it_security", "admin"])
    ada.person = world.departure.person
    ada.save()
    with pytest.raises(NotFound):
        world.approve(plan, actor_for_user(ada, is_fresh=True))


def test_an_approval_is_bound_to_what_was_looked_at(world: World) -> None:
    world.add_system("mail")
    first = world.plan()
    world.add_account("mail", "mail-9", emails=["other@firm.example"])
    world.store.edit("mail", "mail-0", groups={"staff": "Staff", "root": "Root"})
    second = world.plan()
    assert second.version == 2 and second.checksum != first.checksum
    with pytest.raises(Conflict) as replaced:
        world.approve(first)
    assert replaced.value.code == "plan_superseded"
    with pytest.raises(Conflict) as stale:
        world.approve(second, checksum=first.checksum)
    assert stale.value.code == "checksum_differs"
    world.approve(second)


def test_asking_again_without_a_difference_keeps_plan_and_approval(world: World) -> None:
    world.add_system("mail")
    plan = world.plan()
    world.approve(plan)
    assert world.plan().pk == plan.pk
    plan.refresh_from_db()
    assert plan.state == "approved"


def test_without_an_approval_nothing_is_cut(world: World) -> None:
    world.add_system("mail")
    with pytest.raises(Conflict, match="second person"):
        world.apply(world.plan())
    assert world.effects("mail") == []


def test_two_people_press_the_same_buttons(world: World) -> None:
    world.add_system("mail")
    plan = world.plan()
    other = actor_for_user(make_user("olga"), is_fresh=True)
    stale = Plan.objects.get(pk=plan.pk)
    world.approve(plan)
    with pytest.raises(Conflict) as late:
        world.approve(stale, other)
    assert late.value.code == "already_approved"
    world.apply(plan)
    world.apply(stale)
    world.run()
    world.apply(Plan.objects.get(pk=plan.pk))
    world.run()
    assert len(world.effects("mail")) == 4


def test_a_new_account_stops_its_system_with_a_delta_plan_and_holds_up_no_other(world: World) -> None:
    world.add_system("mail")
    world.add_system("wiki")
    plan = world.plan()
    world.approve(plan)
    world.store.edit("mail", "mail-0", groups={"staff": "Staff", "root": "Root"})
    world.apply(plan)
    world.run()
    assert world.effects("mail") == []
    assert set(world.states("wiki").values()) == {"verified"}
    delta = queries.latest_plan(world.departure)
    assert delta is not None and delta.kind == "delta" and delta.state == "proposed"
    assert "Drift in Mail" in delta.reason
    plan.refresh_from_db()
    assert plan.state == "drifted"
    assert Alert.objects.filter(kind="drifted").count() == 1
    assert not world.is_settled
    with pytest.raises(NotAllowed):
        world.approve(delta, world.requester)
    world.approve(delta)
    world.apply(delta)
    world.run()
    assert world.is_settled


@pytest.mark.parametrize("drift", ["activity", "account", "protection", "gone"])
def test_every_kind_of_drift_stops(world: World, drift: str) -> None:
    world.add_system("mail")
    plan = world.plan()
    world.approve(plan)
    if drift == "activity":
        world.store.edit("mail", "mail-0", is_active=False)
    elif drift == "account":
        world.add_account("mail", "mail-1", login="ada2")
    elif drift == "protection":
        world.store.edit("mail", "mail-0", is_protected=True)
    else:
        world.store.delete("mail", "mail-0", at=clock.now())
    before = world.effects("mail")
    world.apply(plan)
    world.run()
    assert world.effects("mail") == before
    delta = queries.latest_plan(world.departure)
    assert delta is not None and delta.kind == "delta"


def test_two_matches_stop_and_ask_and_the_answer_is_planned(world: World) -> None:
    system = world.add_system("mail", accounts=2)
    plan = world.plan()
    assert plan.answers["mail"]["found"] == "ambiguous"
    assert set(world.states("mail").values()) == {"ambiguous"}
    world.approve(plan)
    world.apply(plan)
    world.run()
    assert world.effects("mail") == [] and not world.is_settled
    delta = operations.link_accounts(
        departure=world.departure,
        system=system,
        external_ids=["mail-1"],
        actor=world.requester,
        now=clock.now(),
    )
    assert delta.kind == "delta"
    world.approve(delta)
    world.apply(delta)
    world.run()
    assert {effect.account for effect in world.store.ledger("mail")} == {"mail-1"}
    assert world.is_settled


def test_all_contacts_of_a_client_are_looked_for(db: None, tmp_path) -> None:
    world = make_world(tmp_path, make_client_departure("kim@north.example", "lee@north.example"))
    world.add_system("portal", accounts=0)
    world.add_account("portal", "kim", emails=["kim@north.example"])
    world.add_account("portal", "lee", emails=["lee@north.example"])
    plan = world.plan()
    assert plan.answers["portal"]["found"] == "found"
    world.approve(plan)
    world.apply(plan)
    world.run()
    assert world.is_settled
    assert {effect.account for effect in world.store.ledger()} == {"kim", "lee"}


def test_a_deletion_is_planned_only_by_name_and_comes_last(world: World) -> None:
    world.add_system("mail")
    assert "delete" not in [row["action"] for row in (world.plan(), world.view())[1]["changes"]]
    plan = world.plan(delete_in=["mail"])
    world.approve(plan)
    world.apply(plan)
    world.run()
    assert world.effects("mail")[-1] == "delete"
    assert world.is_settled


def test_reading_back_finds_that_access_returned(world: World) -> None:
    world.add_system("mail")
    world.cut()
    world.store.edit("mail", "mail-0", is_active=True)
    operations.verify_plan(departure=world.departure, actor=world.console, now=clock.now())
    assert world.states("mail")["suspend"] == "failed"
    assert not world.is_settled
    assert Alert.objects.get(kind="access_back").resolved_at is None
    world.store.edit("mail", "mail-0", is_active=False)
    operations.verify_plan(departure=world.departure, actor=world.console, now=clock.now())
    assert world.is_settled
    assert Alert.objects.get(kind="access_back").resolved_at is not None


def test_what_was_attested_becomes_verified_only_by_a_fresh_reading(world: World, no_pauses: None) -> None:
    world.add_system("mail")
    world.store.set_mode("mail", "denies")
    world.cut()
    assert world.states("mail")["suspend"] == "failed"
    operations.attest_account(
        account=AccountRecord.objects.get(), note="Done by hand.", actor=world.approver, now=clock.now()
    )
    world.run()
    assert set(world.states("mail").values()) == {"attested"}
    operations.verify_plan(departure=world.departure, actor=world.console, now=clock.now())
    assert world.states("mail")["suspend"] == "failed", "attested, but alive"
    assert not world.is_settled
    world.store.edit("mail", "mail-0", is_active=False)
    operations.verify_plan(departure=world.departure, actor=world.console, now=clock.now())
    assert world.states("mail")["suspend"] == "verified"


def test_restoring_puts_back_what_the_snapshot_holds(world: World) -> None:
    world.add_system("mail")
    world.cut()
    plan = operations.restore_plan(departure=world.departure, actor=world.console, now=clock.now())
    world.run()
    state = world.store.account("mail", "mail-0")
    assert (
        state is not None
        and state["is_active"]
        and not state["is_blocked"]
        and state["groups"] == {"staff": "Staff"}
    )
    states = world.states("mail")
    assert states["restore:revoke_sessions"] == "impossible"
    assert states["restore:suspend"] == states["restore:remove_entitlements"] == "verified"
    plan.refresh_from_db()
    assert plan.state == "applied"
    assert not world.is_settled, "the account lives again"
    with pytest.raises(Conflict):
        operations.restore_plan(departure=world.departure, actor=world.console, now=clock.now())


def test_a_plan_is_read_with_a_bounded_number_of_queries(world: World, django_assert_max_num_queries) -> None:
    for number in range(12):
        world.add_system(f"system-{number}")
    world.plan()
    with django_assert_max_num_queries(10):
        world.view()


def test_emails_match_whatever_their_case(world: World) -> None:
    world.add_system("mail", accounts=0)
    world.add_account("mail", "x", emails=[ADA.upper()])
    assert world.plan().answers["mail"]["found"] == "found"
