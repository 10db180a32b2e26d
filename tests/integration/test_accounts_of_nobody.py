"""An account of nobody is said to be somebody's, kept as a service account, or cut by two people."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine

from partwell import clock
from partwell.access import runs
from partwell.access.ghosts import cutting, keeping, operations, queries, sweeping
from partwell.access.models import AccountRecord, Change, Ghost, Plan, SystemRun, SystemSweep
from partwell.access.operations import system_changes
from partwell.departures.models import Departure
from partwell.evidence.models import Event
from partwell.people.actors import actor_for_user, engine_actor
from partwell.people.models import Person, User
from partwell.refusals import Conflict, FreshSignInNeeded, Invalid, NotAllowed
from tests.access_world import World, make_departure, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_pauses")]

WHY = "Nobody knows what it was for."


def sweep(*, days: int = 0) -> None:
    """Look through all systems, as a worker does; or as one would so many days from now."""
    with time_machine.travel(clock.now() + timedelta(days=days)):
        started = sweeping.start_sweep(actor=engine_actor("tests"), now=clock.now(), here=True)
        for row in started.systems.filter(state="waiting"):
            sweeping.sweep_system(str(row.pk))


@pytest.fixture
def old(world: World) -> World:
    """Mail has Ada's account, and `cron`, by which nobody is known."""
    world.add_system("mail")
    world.add_account("mail", "cron", login="cron", emails=[])
    sweep()
    return world


def ghost() -> Ghost:
    return Ghost.objects.filter(external_id="cron").exclude(state="gone").get()


def state() -> str:
    return Ghost.objects.filter(external_id="cron").order_by("-pk")[0].state


def said_in(kind: str) -> dict[str, Any]:
    fields = Event.objects.get(kind=f"system.ghost_{kind}").fields
    return {name: field["value"] for name, field in fields.items()}


def propose(old: World, actor: Any = None) -> Plan:
    plan = cutting.propose_cut(
        ghost=ghost(), reason=WHY, actor=actor or old.requester, now=clock.now(), here=True
    )
    cutting.look_at_ghost(str(plan.pk))
    plan.refresh_from_db()
    return plan


def approve(old: World, plan: Plan, *, actor: Any = None, checksum: str = "") -> Plan:
    return cutting.approve_cut(
        plan=plan, checksum=checksum or plan.checksum, actor=actor or old.approver, now=clock.now()
    )


def run(rounds: int = 6) -> None:
    for _ in range(rounds):
        for row in SystemRun.objects.filter(plan__ghost__isnull=False, state__in=("running", "waiting")):
            runs.run_system(str(row.plan_id), str(row.system_id))


def is_active(old: World, account: str = "cron") -> bool:
    found = old.store.account("mail", account)
    assert found is not None
    return bool(found["is_active"])


# -- cut ---------------------------------------------------------------------------------------------------


def test_two_people_cut_it_and_it_is_gone_when_it_is_read_back(old: World) -> None:
    plan = propose(old)
    assert plan.answers == {"mail": {"found": "found", "reason": ""}} and len(plan.checksum) == 64
    verbs = list(plan.changes.order_by("position").values_list("verb", flat=True))
    assert verbs == ["block_sign_in", "revoke_sessions", "suspend"]
    assert state() == "open" and is_active(old)
    approve(old, plan)
    assert state() == "cutting"
    run()
    assert state() == "gone" and not is_active(old)
    assert set(plan.changes.values_list("state", flat=True)) == {"verified"}
    account = AccountRecord.objects.get(departure=None)
    assert (account.external_id, account.state) == ("cron", "verified") and account.revoked_at is not None
    plan.refresh_from_db()
    assert plan.state == "applied" and plan.ended_at is not None
    sweep()
    assert Ghost.objects.count() == 1


def test_every_move_is_on_record_with_the_system(old: World) -> None:
    approve(old, propose(old))
    run()
    assert {e.scope for e in Event.objects.filter(kind__startswith="system.ghost_")} == {"system:mail"}
    assert Event.objects.filter(kind="access.verified", scope="system:mail").count() == 3
    for kind in ("found", "cut_proposed", "looked_at", "cut_approved", "gone"):
        assert Event.objects.filter(kind=f"system.ghost_{kind}").count() == 1
    assert said_in("looked_at")["checksum"] == said_in("cut_approved")["checksum"] != ""


def test_nobody_else_of_the_system_is_touched(old: World) -> None:
    approve(old, propose(old))
    run()
    assert is_active(old, "mail-0")
    assert AccountRecord.objects.count() == 1 and Plan.objects.count() == 1


def test_the_one_who_proposes_does_not_approve(old: World) -> None:
    plan = propose(old)
    with pytest.raises(NotAllowed) as refused:
        approve(old, plan, actor=old.requester)
    assert refused.value.code == "same_person"
    with pytest.raises(NotAllowed):
        approve(old, plan, actor=old.console)
    stale = actor_for_user(User.objects.get(email="otto@firm.example"))
    with pytest.raises(FreshSignInNeeded):
        approve(old, plan, actor=stale)
    with pytest.raises(NotAllowed):
        approve(old, plan, actor=actor_for_user(make_user("adam", ["admin"]), is_fresh=True))
    assert state() == "open" and not SystemRun.objects.exists()


def test_what_is_approved_is_what_was_looked_at(old: World) -> None:
    plan = propose(old)
    with pytest.raises(Conflict) as refused:
        approve(old, plan, checksum="0" * 64)
    assert refused.value.code == "checksum_differs"
    again = propose(old)
    with pytest.raises(Conflict) as refused:
        approve(old, plan)
    assert refused.value.code == "not_proposed" and again.version == 2


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"groups": {"staff": "Staff", "payments": "Payments"}}, "1 new, 0 gone"),
        ({"is_protected": True}, "has become a protected one"),
        ({"is_active": False}, "no longer active"),
    ],
)
def test_an_account_that_changed_since_is_not_cut(old: World, changed: dict[str, Any], said: str) -> None:
    plan = approve(old, propose(old))
    old.store.edit("mail", "cron", **changed)
    run()
    assert state() == "open" and said in ghost().reason
    plan.refresh_from_db()
    assert plan.state == "drifted" and old.effects("mail") == []
    assert Event.objects.filter(kind="system.ghost_cut_drifted").count() == 1
    if "groups" in changed:
        approve(old, propose(old))
        run()
        assert state() == "gone" and not is_active(old)


def test_through_another_connection_nothing_is_approved_and_nothing_cut(old: World) -> None:
    proposed = propose(old)
    change_connection(old, without=["rotate"])
    with pytest.raises(Conflict) as refused:
        approve(old, proposed)
    assert refused.value.code == "connection_changed"
    approved = approve(old, propose(old))
    change_connection(old, without=["wipe"])
    run()
    assert is_active(old) and state() == "open"
    assert ghost().reason.startswith("Stopped: its connection was changed")
    approved.refresh_from_db()
    assert approved.ended_at is not None


def change_connection(old: World, **changes: Any) -> None:
    system_changes.change_system(
        system=old.systems["mail"], changes=changes, actor=old.requester, now=clock.now()
    )


def test_an_account_that_went_since_is_let_go_by_the_next_sweep(old: World) -> None:
    approve(old, propose(old))
    old.store.delete("mail", "cron", at=clock.now())
    run()
    assert state() == "open" and "the account is gone" in ghost().reason
    sweep()
    assert state() == "gone"


@pytest.mark.parametrize(
    ("changed", "said"),
    [({"is_protected": True}, "protected"), ({"is_active": False}, "switched off already")],
)
def test_what_must_not_or_need_not_be_cut_cannot_be_approved(
    old: World, changed: dict[str, Any], said: str
) -> None:
    old.store.edit("mail", "cron", **changed)
    plan = propose(old)
    assert said in plan.answers["mail"]["reason"] and plan.checksum == "" and not plan.changes.exists()
    with pytest.raises(Conflict) as refused:
        approve(old, plan)
    assert refused.value.code == "not_seen"


def test_a_system_that_is_down_shows_nothing_to_approve_and_is_asked_again_for_a_new_proposal(
    old: World,
) -> None:
    old.store.set_mode("mail", "down")
    plan = propose(old)
    assert plan.answers["mail"]["found"] == "unreachable" and plan.checksum == ""
    with pytest.raises(Conflict):
        approve(old, plan)
    old.store.set_mode("mail", "ok")
    assert propose(old).checksum


def test_a_system_that_is_down_when_it_is_to_be_cut_is_tried_again(old: World) -> None:
    approve(old, propose(old))
    old.store.set_mode("mail", "down")
    run(1)
    waiting = SystemRun.objects.get()
    assert waiting.state == "waiting" and "does not answer" in waiting.reason and state() == "cutting"
    assert AccountRecord.objects.get().state == "unreachable"
    with pytest.raises(Conflict) as refused:
        propose(old)
    assert refused.value.code == "cut_in_progress"
    old.store.set_mode("mail", "ok")
    run()
    assert state() == "gone" and not is_active(old)


def test_a_cut_that_the_system_does_not_carry_out_is_never_gone(old: World) -> None:
    old.store.set_mode("mail", "lies")
    approve(old, propose(old))
    run()
    sweep()
    assert state() == "cutting" and is_active(old)
    assert AccountRecord.objects.get().state == "failed"
    old.store.set_mode("mail", "ok")
    approve(old, propose(old))
    run()
    assert state() == "gone" and not is_active(old)


def test_where_nothing_can_be_read_back_the_next_sweep_is_the_proof(old: World) -> None:
    old.systems["mail"].without = ["verify"]
    old.systems["mail"].save()
    approve(old, propose(old))
    run()
    assert state() == "cutting" and AccountRecord.objects.get().state == "manual"
    sweep()
    assert state() == "gone" and "shows it no more" in Ghost.objects.get().reason


def test_a_system_that_cannot_suspend_is_named_before_anybody_proposes(old: World) -> None:
    old.systems["mail"].without = ["suspend"]
    old.systems["mail"].save()
    with pytest.raises(Conflict) as refused:
        propose(old)
    assert refused.value.code == "cannot_suspend" and "by hand" in refused.value.message


def test_sessions_that_cannot_be_ended_are_said_to_last(old: World) -> None:
    old.systems["mail"].without = ["revoke_sessions"]
    old.systems["mail"].save()
    plan = propose(old)
    assert "lasts until it runs out" in plan.answers["mail"]["reason"] and plan.checksum
    approve(old, plan)
    run()
    assert state() == "gone"


def test_a_proposal_can_be_taken_back(old: World) -> None:
    plan = propose(old)
    cutting.call_off_cut(ghost=ghost(), actor=old.approver, now=clock.now())
    with pytest.raises(Conflict):
        approve(old, plan)
    with pytest.raises(Conflict):
        cutting.call_off_cut(ghost=ghost(), actor=old.approver, now=clock.now())
    assert state() == "open"


def test_a_proposal_is_over_when_its_account_is_seen_no_more(old: World) -> None:
    plan = propose(old)
    assert list(queries.waiting_for_approval(old.approver)) == [plan]
    old.store.delete("mail", "cron", at=clock.now())
    sweep()
    assert state() == "gone" and not queries.waiting_for_approval(old.approver).exists()
    with pytest.raises(Conflict) as refused:
        approve(old, plan)
    assert refused.value.code == "ghost_settled"


def test_no_more_are_cut_in_a_day_than_the_connection_allows(old: World) -> None:
    for number in range(6):
        old.add_account("mail", f"n{number}", login=f"n{number}", emails=[])
    sweep()
    SystemSweep.objects.update(accounts=20)
    for each in Ghost.objects.order_by("pk")[:6]:
        plan = cutting.propose_cut(ghost=each, reason=WHY, actor=old.requester, now=clock.now(), here=True)
        cutting.look_at_ghost(str(plan.pk))
        plan.refresh_from_db()
        if each.external_id != "n4":
            approve(old, plan)
    with pytest.raises(Conflict) as refused:
        approve(old, plan)
    assert refused.value.code == "too_many_of_nobody" and "register" in refused.value.message
    with time_machine.travel(clock.now() + timedelta(days=1, minutes=1)):
        approve(old, plan)


def test_what_was_cut_is_put_back_and_is_on_the_list_again(old: World) -> None:
    approve(old, propose(old))
    run()
    first = Ghost.objects.get()
    cutting.restore_ghost(ghost=first, actor=old.requester, now=clock.now())
    run()
    assert is_active(old) and state() == "open" and Ghost.objects.count() == 1
    assert set(Plan.objects.get(kind="restore").changes.values_list("state", flat=True)) <= {
        "verified", "impossible",
    }  # fmt: skip
    with pytest.raises(Conflict) as refused:
        cutting.restore_ghost(ghost=first, actor=old.requester, now=clock.now())
    assert refused.value.code == "nothing_to_restore"
    sweep()
    assert state() == "open" and Ghost.objects.count() == 1
    approve(old, propose(old))
    run()
    assert state() == "gone" and not is_active(old)


def test_whose_it_turns_out_to_be_meanwhile_is_decided_as_theirs(old: World) -> None:
    plan = propose(old)
    Ghost.objects.update(departure=old.departure, kind="never_known")
    with pytest.raises(Conflict) as refused:
        approve(old, plan)
    assert refused.value.code == "somebodys_account"


def test_it_is_gone_although_it_turned_out_to_be_somebodys_while_it_was_cut(old: World) -> None:
    approve(old, propose(old))
    Ghost.objects.update(departure=old.departure, kind="never_known")
    run()
    assert state() == "gone"


def test_a_worker_that_begins_anew_asks_for_what_was_not_looked_at(
    old: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, ...]] = []
    monkeypatch.setattr(cutting, "enqueue", lambda *words, **options: asked.append(words))
    plan = cutting.propose_cut(ghost=ghost(), reason=WHY, actor=old.requester, now=clock.now())
    cutting.reconcile()
    assert asked == [(cutting.LOOK, str(plan.pk))] * 2
    cutting.look_at_ghost(str(plan.pk))
    cutting.look_at_ghost(str(plan.pk))
    cutting.reconcile()
    assert len(asked) == 2 and Change.objects.count() == 3


# -- said ----------------------------------------------------------------------------------------------------


def ben() -> Person:
    return Person.objects.create(email="ben@firm.example", name="Ben")


def say_whose(old: World, person: Person) -> None:
    keeping.say_whose(ghost=ghost(), person=person, actor=old.requester, now=clock.now())


def keep(old: World, owner: Person, *, days: int = 90, reason: str = "It runs the nightly jobs.") -> None:
    keeping.keep_service_account(
        ghost=ghost(),
        owner=owner,
        reason=reason,
        review_date=clock.today_in("UTC", now=clock.now()) + timedelta(days=days),
        actor=old.requester,
        now=clock.now(),
    )


def test_an_account_that_is_somebodys_leaves_the_list_and_is_cut_with_theirs(old: World) -> None:
    say_whose(old, Person.objects.get())
    sweep()
    assert state() == "kept"
    assert ghost().person_name == "Ada"
    old.cut()
    assert not is_active(old) and not is_active(old, "mail-0")
    old.end_access()
    assert old.is_settled
    sweep()
    assert state() == "gone"


def test_an_account_of_somebody_who_left_without_it_is_theirs(old: World) -> None:
    person = ben()
    say_whose(old, person)
    departure = make_departure("cy@firm.example", access_end_at=clock.now() - timedelta(days=1))
    Departure.objects.filter(pk=departure.pk).update(person=person)
    sweep()
    sweep()
    assert ghost().kind == "never_known" and ghost().state == "open"
    assert ghost().departure_id == departure.pk and ghost().by == "said to be theirs"
    assert Ghost.objects.filter(state="gone").count() == 1


def test_a_service_account_is_on_the_list_again_on_its_day(old: World) -> None:
    keep(old, ben())
    sweep(days=89)
    assert state() == "kept"
    sweep(days=90)
    assert state() == "open" and "Ben answers for it: It runs the nightly jobs." in ghost().reason
    sweep(days=91)
    assert Event.objects.filter(kind="system.ghost_again").count() == 1


@pytest.mark.parametrize("how", ["register", "departure", "removed"])
def test_a_service_account_whose_owner_left_needs_another(old: World, how: str) -> None:
    owner = ben()
    keep(old, owner)
    if how == "register":
        Person.objects.filter(pk=owner.pk).update(left_on_date=clock.today_in("UTC", now=clock.now()))
    elif how == "removed":
        owner.delete()
    else:
        departure = make_departure("cy@firm.example", access_end_at=clock.now() - timedelta(days=1))
        Departure.objects.filter(pk=departure.pk).update(person=owner)
    sweep()
    assert state() == "open" and ghost().reason.startswith("Ben ")


@pytest.mark.parametrize("wrong", ["reason", "past", "too far", "has left"])
def test_a_service_account_needs_a_reason_a_day_and_somebody_who_is_here(old: World, wrong: str) -> None:
    owner = ben()
    if wrong == "has left":
        owner.left_on_date = clock.today_in("UTC", now=clock.now())
        owner.save()
    days = {"past": 0, "too far": 367}.get(wrong, 30)
    with pytest.raises(Invalid) as refused:
        keep(old, owner, days=days, reason="no" if wrong == "reason" else WHY)
    assert refused.value.field == {"reason": "reason", "has left": "owner"}.get(wrong, "review")
    assert state() == "open"


def test_a_guess_does_not_outweigh_what_a_person_said_and_a_fact_does(old: World) -> None:
    keep(old, ben())
    old.cut()
    old.end_access()
    old.store.edit("mail", "cron", login="adaa", emails=["adaa@firm.example"])
    Person.objects.filter(email="ada@firm.example").update(email="adam@firm.example", username="adab")
    sweep()
    assert state() == "kept" and ghost().departure is None
    old.store.edit("mail", "cron", emails=["ada@firm.example"])
    sweep()
    assert state() == "open" and ghost().kind == "never_known"


def test_deciding_otherwise_takes_a_proposal_back(old: World) -> None:
    plan = propose(old)
    operations.dismiss_ghost(ghost=ghost(), reason=WHY, actor=old.requester, now=clock.now())
    with pytest.raises(Conflict):
        approve(old, plan)
    plan = propose(old)
    keep(old, ben())
    with pytest.raises(Conflict):
        approve(old, plan)
    assert state() == "kept"


def test_one_that_is_kept_can_be_cut_after_all(old: World) -> None:
    keep(old, ben())
    approve(old, propose(old))
    run()
    assert state() == "gone" and not is_active(old)


def test_what_was_said_is_on_record(old: World) -> None:
    person = ben()
    say_whose(old, person)
    keep(old, person)
    assert said_in("said_whose")["person"] == "Ben"
    kept = said_in("kept")
    assert (kept["owner"], kept["note"]) == ("Ben", "It runs the nightly jobs.")
