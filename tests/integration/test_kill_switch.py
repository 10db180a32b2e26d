"""The kill switch: one person is shut out at once by one person's word, many by two."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from partwell import clock
from partwell.access import queries, runs
from partwell.access.firing import REVIEW_WITHIN
from partwell.access.models import AccountRecord, Alert, Change, Cut, Plan, SystemRun
from partwell.access.operations import cuts
from partwell.departures.models import Departure
from partwell.departures.states import Confidentiality
from partwell.engine.models import Timer
from partwell.evidence.models import Event
from partwell.people.actors import actor_for_user
from partwell.people.models import User
from partwell.refusals import Conflict, FreshSignInNeeded, Invalid, NotAllowed, NotFound
from tests.access_world import World, make_departure, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_pauses")]

WHY = "Their laptop was stolen an hour ago."


def order(world: World, departures: list[Departure] | None = None, **options: Any) -> Cut:
    given = {"title": "Now", "reason": WHY, "actor": world.requester, "now": clock.now()} | options
    return cuts.order_cut(departures=departures or [world.departure], **given)


def leavers(world: World, count: int, *systems: str) -> list[Departure]:
    """So many more who leave, each with an account in each system."""
    made = []
    for number in range(count):
        email = f"leaver{number}@firm.example"
        made.append(make_departure(email))
        for system in systems:
            world.add_account(system, f"{system}-{email}", login=f"leaver{number}", emails=[email])
    return made


def run(cut: Cut, rounds: int = 6) -> None:
    """Play the worker until nothing of this cut is due."""
    for _ in range(rounds):
        due = SystemRun.objects.filter(plan__cut=cut, state__in=("running", "waiting"))
        for system_id in set(due.values_list("system_id", flat=True)):
            runs.run_cut(str(cut.pk), str(system_id))


def effects(world: World, system: str) -> set[tuple[str, str]]:
    return {(effect.account, effect.verb) for effect in world.store.ledger(system)}


def test_one_person_is_shut_out_everywhere_by_one_persons_word(world: World) -> None:
    for name in ("mail", "chat"):
        world.add_system(name)
    cut = order(world)
    assert cut.state == "fired"
    run(cut)
    for name in ("mail", "chat"):
        assert world.states(name) == {
            "block_sign_in": "verified",
            "revoke_sessions": "verified",
            "suspend": "verified",
            "remove_entitlements": "verified",
        }
    assert world.is_settled
    plan = Plan.objects.get(cut=cut)
    assert (plan.kind, plan.state) == ("cut", "applied") and plan.ended_at is not None


def test_their_own_sign_in_ends_in_the_same_moment(world: World) -> None:
    user = User.objects.create_user("ada@firm.example", person=world.departure.person)
    order(world)
    user.refresh_from_db()
    world.departure.refresh_from_db()
    assert not user.is_active
    assert world.departure.access_end_at <= clock.now()


def test_deleting_is_never_part_of_it_and_the_rest_of_a_plan_waits_for_a_second_person(
    world: World,
) -> None:
    world.add_system("mail", without=["restore"])
    cut = order(world)
    run(cut)
    assert "delete" not in {verb for _, verb in effects(world, "mail")}
    assert Change.objects.filter(authority="kill switch").count() == 4


def test_more_than_a_few_people_need_a_second_person_first(world: World) -> None:
    world.add_system("mail", accounts=0)
    departures = leavers(world, cuts.ALONE + 1, "mail")
    cut = order(world, departures)
    run(cut)
    assert cut.state == "waiting" and effects(world, "mail") == set()
    for actor, code in ((world.requester, "same_person"), (world.console, "not_allowed")):
        with pytest.raises(NotAllowed) as refused:
            cuts.approve_cut(cut=cut, actor=actor, now=clock.now())
        assert refused.value.code == code
    cut = cuts.approve_cut(cut=cut, actor=world.approver, now=clock.now())
    run(cut)
    shut_out = {account for account, verb in effects(world, "mail") if verb == "suspend"}
    assert len(shut_out) == len(departures)
    assert all(queries.is_settled(departure) for departure in departures)
    assert Event.objects.filter(kind="access.cut_fired").count() == len(departures)


def test_who_may_not_cut_one_of_them_cuts_none(world: World) -> None:
    world.add_system("mail", accounts=0)
    hidden, seen = leavers(world, 2, "mail")
    hidden.confidentiality = Confidentiality.NEED_TO_KNOW
    hidden.save()
    with pytest.raises(NotFound):
        order(world, [seen, hidden])
    stale = actor_for_user(User.objects.get(email="rita@firm.example"))
    with pytest.raises(FreshSignInNeeded):
        order(world, [seen], actor=stale)
    assert Cut.objects.count() == 0 and effects(world, "mail") == set()


@pytest.mark.parametrize(
    ("options", "field"), [({"reason": "now"}, "reason"), ({"fire_at": clock.now()}, "fire_at")]
)
def test_an_order_that_says_too_little_is_refused(world: World, options: Any, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        order(world, **options)
    assert refused.value.field == field


def test_what_was_approved_before_runs_whole(world: World) -> None:
    world.add_system("mail")
    plan = world.plan(delete_in=["mail"])
    world.approve(plan)
    cut = order(world)
    run(cut)
    assert ("mail-0", "delete") in effects(world, "mail")
    plan.refresh_from_db()
    assert plan.cut_id == cut.pk and plan.state == "applied"
    assert Plan.objects.count() == 1


def test_a_silent_system_holds_up_no_other_and_heals_when_it_answers(world: World) -> None:
    for name in ("mail", "chat"):
        world.add_system(name)
    world.store.set_mode("chat", "down")
    cut = order(world)
    run(cut)
    assert world.states("mail")["suspend"] == "verified"
    assert not world.is_settled
    assert Alert.objects.filter(kind="unreachable", resolved_at__isnull=True).count() == 1
    assert not Change.objects.filter(account__system__name="chat", state="verified").exists()
    world.store.set_mode("chat", "ok")
    runs.resume(f"{cut.pk}:{world.systems['chat'].pk}")
    run(cut)
    assert world.states("chat")["suspend"] == "verified" and world.is_settled
    assert not Alert.objects.filter(resolved_at__isnull=True).exists()


def test_one_account_that_fails_holds_up_nobody_else(world: World) -> None:
    world.add_system("mail", accounts=0)
    first, *others = leavers(world, 3, "mail")
    world.add_account("mail", "twin", login="leaver0", emails=["leaver0@firm.example"])
    cut = order(world, [first, *others])
    run(cut)
    assert not queries.is_settled(first), "two accounts match: a person says which"
    assert all(queries.is_settled(departure) for departure in others)
    assert Alert.objects.get(kind="ambiguous").departure == first


def test_a_prepared_cut_fires_at_its_minute(world: World) -> None:
    world.add_system("mail")
    at = clock.now() + timedelta(hours=2)
    cut = order(world, fire_at=at)
    assert cut.state == "ready" and Timer.objects.get(name=cuts.FIRE).due_at == at
    cuts.fire_due_cut(str(cut.pk), at - timedelta(seconds=1))
    assert effects(world, "mail") == set()
    cuts.fire_due_cut(str(cut.pk), at)
    run(cut)
    assert world.states("mail")["suspend"] == "verified"


def test_a_prepared_cut_that_is_called_off_never_fires(world: World) -> None:
    world.add_system("mail")
    cut = order(world, fire_at=clock.now() + timedelta(hours=2))
    cuts.cancel_cut(cut=cut, actor=world.approver, now=clock.now())
    cuts.fire_due_cut(str(cut.pk), clock.now() + timedelta(hours=3))
    assert Cut.objects.get().state == "cancelled" and effects(world, "mail") == set()
    with pytest.raises(Conflict):
        cuts.fire_cut(cut=cut, actor=world.requester, now=clock.now())


def test_pressed_by_two_people_it_fires_once(world: World) -> None:
    cut = order(world, fire_at=clock.now() + timedelta(hours=2))
    cuts.fire_cut(cut=cut, actor=world.requester, now=clock.now())
    with pytest.raises(Conflict):
        cuts.fire_cut(cut=cut, actor=world.approver, now=clock.now())
    assert Plan.objects.count() == 1


def test_stopped_nothing_more_is_asked_for(world: World) -> None:
    world.add_system("mail")
    cut = order(world)
    cuts.stop_cut(cut=cut, actor=world.approver, now=clock.now())
    run(cut)
    assert effects(world, "mail") == set() and Cut.objects.get().state == "stopped"


@pytest.fixture
def fired(world: World) -> Iterator[Cut]:
    world.add_system("mail")
    yield order(world)


def test_another_person_reviews_it_within_a_day_or_people_are_told(world: World, fired: Cut) -> None:
    assert fired.review_due_at == fired.fired_at + REVIEW_WITHIN
    cuts.warn_about_missing_review(str(fired.pk), fired.review_due_at)
    assert Alert.objects.get().kind == "cut_not_reviewed"
    with pytest.raises(NotAllowed):
        cuts.review_cut(cut=fired, note="Right", actor=world.requester, now=clock.now())
    cuts.review_cut(cut=fired, note="It was right.", actor=world.approver, now=clock.now())
    assert Alert.objects.get().resolved_at is not None
    with pytest.raises(Conflict):
        cuts.review_cut(cut=fired, note="Again.", actor=world.approver, now=clock.now())


def test_the_rule_at_access_end_does_not_begin_again_what_the_switch_has_done(
    world: World, fired: Cut
) -> None:
    run(fired)
    world.departure.refresh_from_db()
    assert world.enforce() is None


def test_a_restore_brings_the_person_back(world: World, fired: Cut) -> None:
    run(fired)
    from partwell.access import operations

    operations.restore_plan(departure=world.departure, actor=world.requester, now=clock.now())
    world.run()
    account = world.store.account("mail", "mail-0")
    assert account is not None and account["is_active"] and account["groups"] and not account["is_blocked"]


def test_a_group_asks_the_database_for_little_more_than_one(
    world: World, django_assert_max_num_queries: Any
) -> None:
    world.add_system("mail", accounts=0)
    departures = leavers(world, 40, "mail")
    cut = order(world, departures)
    with django_assert_max_num_queries(80):
        cut = cuts.approve_cut(cut=cut, actor=world.approver, now=clock.now())
    with django_assert_max_num_queries(175):
        runs.run_cut(str(cut.pk), str(world.systems["mail"].pk))
    assert Change.objects.filter(state="verified").count() == 4 * 40


def test_every_sign_in_is_blocked_before_anything_else_is_done(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "GROUP", 2)
    world.add_system("mail", accounts=0)
    cut = order(world, leavers(world, 6, "mail"))
    cuts.approve_cut(cut=cut, actor=world.approver, now=clock.now())
    runs.run_cut(str(cut.pk), str(world.systems["mail"].pk))
    verbs = [effect.verb for effect in world.store.ledger("mail")]
    assert verbs[:6] == ["block_sign_in"] * 6 and "block_sign_in" not in verbs[6:]
    assert Change.objects.filter(state="verified").count() == 4 * 6


def test_a_system_that_answers_nobody_is_asked_for_one_group_only_until_all_are_said_to_be_out_of_reach(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "GROUP", 2)
    world.add_system("mail", accounts=0)
    cut = order(world, leavers(world, 6, "mail"))
    cuts.approve_cut(cut=cut, actor=world.approver, now=clock.now())
    world.store.set_mode("mail", "down")
    waiting = SystemRun.objects.filter(plan__cut=cut, state="waiting").values_list("reason", flat=True)
    said = []
    for _ in range(runs.TRIES + 1):
        runs.run_cut(str(cut.pk), str(world.systems["mail"].pk))
        said.append(len(waiting.all()))
    assert said == [2] * runs.TRIES + [6]
    assert sorted(set(waiting))[0] == "It answered nobody of this cut."
    silent = AccountRecord.objects.filter(system=world.systems["mail"], state="unreachable")
    assert silent.count() == 6
    assert effects(world, "mail") == set()

    # Who was not asked is not forgotten: once it answers, everybody is shut out.
    world.store.set_mode("mail", "ok")
    runs.run_cut(str(cut.pk), str(world.systems["mail"].pk))
    assert Change.objects.filter(state="verified").count() == 4 * 6


def test_who_ordered_and_who_approved_is_on_record_in_each_departure(world: World) -> None:
    make_user("third")
    world.add_system("mail", accounts=0)
    cut = order(world, leavers(world, 6, "mail"))
    cuts.approve_cut(cut=cut, actor=world.approver, now=clock.now())
    kinds = Event.objects.filter(kind__startswith="access.cut_").values_list("kind", flat=True)
    assert {kind: list(kinds).count(kind) for kind in set(kinds)} == {
        "access.cut_ordered": 6,
        "access.cut_approved": 6,
        "access.cut_fired": 6,
    }
