"""Accounts that outlive their people are found, told of once, cut by one click, and let go when gone."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from partwell import clock
from partwell.access import runs
from partwell.access.ghosts import findings, operations, sweeping
from partwell.access.models import Alert, Cut, Ghost, Sweep, SystemRun, SystemSweep
from partwell.access.operations import cuts
from partwell.departures.models import Departure
from partwell.departures.states import Confidentiality, DepartureState
from partwell.evidence.models import Event
from partwell.people.actors import actor_for_user, engine_actor
from partwell.people.models import Person, PersonAlias, User
from partwell.refusals import Conflict, FreshSignInNeeded, Invalid, NotAllowed, NotFound
from tests.access_world import World, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_pauses")]

WHY = "HR confirmed that nobody uses it."


def sweep(actor: Any = None) -> Sweep:
    """Look through all systems, as a worker does."""
    started = sweeping.start_sweep(actor=actor or engine_actor("tests"), now=clock.now(), here=True)
    for row in started.systems.filter(state="waiting"):
        sweeping.sweep_system(str(row.pk))
    started.refresh_from_db()
    return started


def ghosts(state: str = "open") -> dict[str, str]:
    return {g.external_id: g.kind for g in Ghost.objects.filter(state=state)}


@pytest.fixture
def left(world: World) -> World:
    """Ada's access has ended, and her one account is cut and read back."""
    world.add_system("mail")
    world.cut()
    world.end_access()
    assert world.is_settled
    return world


def test_an_account_that_was_cut_and_is_active_again_is_found_and_told_of_once(left: World) -> None:
    assert sweep().ended_at is not None and ghosts() == {}
    left.store.edit("mail", "mail-0", is_active=True)
    sweep()
    sweep()
    assert ghosts() == {"mail-0": "came_back"}
    alert = Alert.objects.get(kind="ghost", resolved_at=None)
    assert "ada in Mail was cut, and is active again" in alert.text
    assert Event.objects.filter(kind="access.ghost_found").count() == 1
    assert Event.objects.filter(kind="access.alert_raised").count() == 1


def test_it_is_gone_once_a_reading_to_the_end_shows_it_no_more_and_new_when_it_comes_again(
    left: World,
) -> None:
    left.store.edit("mail", "mail-0", is_active=True)
    sweep()
    left.store.edit("mail", "mail-0", is_active=False)
    sweep()
    assert ghosts("gone") == {"mail-0": "came_back"}
    assert Alert.objects.get(kind="ghost").resolved_at is not None
    left.store.edit("mail", "mail-0", is_active=True)
    sweep()
    assert ghosts() == {"mail-0": "came_back"} and Ghost.objects.count() == 2
    assert Event.objects.filter(kind="access.ghost_gone").count() == 1


@pytest.mark.parametrize(
    ("mode", "said"), [("down", "unread"), ("breaks_off", "broken off"), ("raises", "unread")]
)
def test_a_listing_that_fails_is_never_no_account(left: World, mode: str, said: str) -> None:
    left.store.edit("mail", "mail-0", is_active=True)
    sweep()
    left.store.edit("mail", "mail-0", is_active=False)
    left.store.set_mode("mail", mode)
    last = sweep()
    row = last.systems.get()
    assert (row.state, row.accounts) == (said, 1 if mode == "breaks_off" else 0)
    assert row.reason and ghosts() == {"mail-0": "came_back"}
    assert last.ended_at is not None


def test_a_list_without_one_account_lets_nothing_go(left: World) -> None:
    left.store.edit("mail", "mail-0", is_active=True)
    sweep()
    left.store.delete("mail", "mail-0", at=clock.now())
    row = sweep().systems.get()
    assert (row.state, ghosts()) == ("unread", {"mail-0": "came_back"}) and "not one account" in row.reason


def test_systems_that_cannot_list_are_named(left: World) -> None:
    left.add_system("doors", connector="manual", accounts=0, settings={})
    left.add_system("old", without=["list_accounts"], accounts=0)
    rows = {row.system.name: row for row in sweep().systems.all()}
    assert {name: row.state for name, row in rows.items()} == {
        "doors": "cannot list", "mail": "read", "old": "cannot list",
    }  # fmt: skip
    assert "upload" in rows["doors"].reason and "by name" in rows["old"].reason


def test_accounts_that_no_departure_knew_that_are_used_and_that_are_of_nobody(left: World) -> None:
    PersonAlias.objects.create(person=Person.objects.get(), email="ada@old.example")
    Person.objects.create(email="ben@firm.example", name="Ben")
    add, used = left.store.add_account, clock.now()
    add("mail", "alias", login="x", emails=["ADA@old.example"])
    add("mail", "used", login="y", emails=["ada@old.example"], last_used_at=used)
    add("mail", "ben", login="ben", emails=["ben@firm.example"])
    add("mail", "nobody", login="cy", emails=["cy@firm.example"])
    add("mail", "off", login="cy", emails=[], is_active=False)
    add("mail", "robot", login="robot", emails=[], nature="service")
    sweep()
    assert ghosts() == {"alias": "never_known", "used": "still_used", "nobody": "nobodys"}
    assert Alert.objects.filter(kind="ghost", resolved_at=None).count() == 2
    assert Event.objects.get(kind="system.ghost_found").scope == "system:mail"


@pytest.mark.parametrize("how", ["withdrawn", "returned", "leaves again"])
def test_who_is_here_is_nobody_who_has_left(left: World, how: str) -> None:
    left.store.edit("mail", "mail-0", is_active=True)
    departure = left.departure
    if how == "withdrawn":
        Departure.objects.update(state=DepartureState.WITHDRAWN)
    else:
        Departure.objects.update(state=DepartureState.CLOSED)
        if how == "leaves again":
            Person.objects.update(left_on_date=departure.last_working_date)
            Departure.objects.filter(pk=departure.pk).update(access_end_at=clock.now() - timedelta(days=90))
            departure.pk, departure.state = None, DepartureState.ACTIVE
            departure.access_end_at = clock.now() + timedelta(days=30)
            departure.save(force_insert=True)
    sweep()
    assert ghosts() == {}
    if how == "returned":
        Person.objects.update(left_on_date=departure.last_working_date)
        sweep()
        assert ghosts() == {"mail-0": "came_back"}


def test_a_sweep_that_a_crash_cut_short_goes_on_and_tells_nothing_twice(
    left: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    left.store.edit("mail", "mail-0", is_active=True)
    started = sweeping.start_sweep(actor=engine_actor("tests"), now=clock.now(), here=True)
    row = started.systems.get()
    with monkeypatch.context() as patched:
        patched.setattr(sweeping.PassOver, "end", lambda self, now: (_ for _ in ()).throw(SystemError))
        with pytest.raises(SystemError):
            sweeping.sweep_system(str(row.pk))
    assert SystemSweep.objects.get().state == "waiting"
    sweeping.sweep_system(str(row.pk))
    assert SystemSweep.objects.get().state == "read" and ghosts() == {"mail-0": "came_back"}
    assert Event.objects.filter(kind="access.ghost_found").count() == 1


def test_asking_while_a_sweep_is_under_way_starts_no_second(left: World) -> None:
    actor = engine_actor("tests")
    first = sweeping.start_sweep(actor=actor, now=clock.now(), here=True)
    assert sweeping.start_sweep(actor=actor, now=clock.now(), here=True) == first
    later = clock.now() + sweeping.LONGEST + timedelta(minutes=1)
    assert sweeping.start_sweep(actor=actor, now=later, here=True) != first


def test_the_daily_sweep_starts_by_itself_and_not_too_often(left: World) -> None:
    now = clock.now()
    assert sweeping.sweep_when_due(every_hours=0, now=now) is None
    first = sweeping.sweep_when_due(every_hours=24, now=now)
    assert first is not None and first.is_scheduled
    assert sweeping.sweep_when_due(every_hours=24, now=now + timedelta(hours=23)) is None
    assert sweeping.sweep_when_due(every_hours=24, now=now + timedelta(hours=24)) not in (None, first)


def test_more_of_nobody_than_anybody_looks_at_are_counted(
    left: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(findings, "MOST_KEPT", 3)
    for number in range(5):
        left.store.add_account("mail", f"n{number}", login=f"n{number}", emails=[])
    for _ in range(2):
        assert sweep().systems.get().left_out == 2
        assert len(ghosts()) == 3


def test_ghosts_of_somebody_and_of_nobody_are_seen_again_together(left: World) -> None:
    left.store.edit("mail", "mail-0", is_active=True)
    left.store.add_account("mail", "cy", login="cy", emails=[])
    sweep()
    sweep()
    assert ghosts() == {"mail-0": "came_back", "cy": "nobodys"}


# -- what people do ---------------------------------------------------------------------------------------


def back(left: World) -> Ghost:
    left.store.edit("mail", "mail-0", is_active=True)
    sweep()
    return Ghost.objects.get(state="open")


def run(cut: Cut) -> None:
    for _ in range(6):
        for row in SystemRun.objects.filter(plan__cut=cut, state__in=("running", "waiting")):
            runs.run_cut(str(cut.pk), str(row.system_id))


@pytest.mark.parametrize("state", [DepartureState.ACTIVE, DepartureState.CLOSED])
def test_one_click_cuts_it_and_it_is_gone_when_it_is_proven(left: World, state: DepartureState) -> None:
    ghost = back(left)
    Departure.objects.update(state=state)
    ghost.refresh_from_db()
    cut = operations.cut_ghost(ghost=ghost, reason="", actor=left.requester, now=clock.now()).cut
    assert cut is not None and ghosts("cutting") == {"mail-0": "came_back"}
    assert Alert.objects.filter(kind="ghost", resolved_at=None).exists()
    run(cut)
    assert ghosts("gone") == {"mail-0": "came_back"}
    assert left.store.account("mail", "mail-0")["is_active"] is False  # type: ignore[index]
    assert not Alert.objects.filter(kind="ghost", resolved_at=None).exists()
    with pytest.raises(NotAllowed):
        cuts.review_cut(cut=cut, note="Mine.", actor=left.requester, now=clock.now())
    cuts.review_cut(cut=cut, note="It was right.", actor=left.approver, now=clock.now())


def test_an_account_that_no_departure_knew_is_cut_beside_the_known_one(left: World) -> None:
    left.store.add_account("mail", "second", login="ada2", emails=["ada@firm.example"])
    sweep()
    ghost = Ghost.objects.get(state="open")
    cut = operations.cut_ghost(ghost=ghost, reason="", actor=left.requester, now=clock.now()).cut
    assert cut is not None
    run(cut)
    assert left.store.account("mail", "second")["is_active"] is False  # type: ignore[index]
    assert ghosts("gone") == {"second": "never_known"} and left.is_settled


def test_a_cut_that_the_system_does_not_carry_out_stays_a_ghost(left: World) -> None:
    ghost = back(left)
    left.store.set_mode("mail", "lies")
    cut = operations.cut_ghost(ghost=ghost, reason="", actor=left.requester, now=clock.now()).cut
    assert cut is not None
    run(cut)
    sweep()
    assert ghosts("cutting") == {"mail-0": "came_back"}
    assert Alert.objects.filter(kind="ghost", resolved_at=None).exists()
    left.store.set_mode("mail", "ok")
    again = operations.cut_ghost(ghost=ghost, reason="", actor=left.requester, now=clock.now()).cut
    assert again is not None
    run(again)
    assert ghosts("gone") == {"mail-0": "came_back"}


def test_a_word_that_it_is_no_ghost_holds_until_something_else_is_found(left: World) -> None:
    left.store.add_account("mail", "x", login="ada", emails=["ada@firm.example"])
    sweep()
    ghost = Ghost.objects.get(state="open")
    with pytest.raises(Invalid):
        operations.dismiss_ghost(ghost=ghost, reason="no", actor=left.requester, now=clock.now())
    operations.dismiss_ghost(ghost=ghost, reason=WHY, actor=left.requester, now=clock.now())
    assert not Alert.objects.filter(kind="ghost", resolved_at=None).exists()
    sweep()
    assert ghosts() == {} and ghosts("dismissed") == {"x": "never_known"}
    left.store.edit("mail", "x", last_used_at=clock.now().isoformat())
    sweep()
    assert ghosts() == {"x": "still_used"} and ghosts("gone") == {"x": "never_known"}
    with pytest.raises(Conflict):
        operations.dismiss_ghost(ghost=ghost, reason=WHY, actor=left.requester, now=clock.now())


def test_cutting_asks_for_as_much_as_the_kill_switch(left: World) -> None:
    ghost = back(left)
    stale = actor_for_user(User.objects.get(email="rita@firm.example"))
    with pytest.raises(FreshSignInNeeded):
        operations.cut_ghost(ghost=ghost, reason="", actor=stale, now=clock.now())
    admin = actor_for_user(make_user("adam", ["admin"]), is_fresh=True)
    with pytest.raises(NotAllowed):
        operations.cut_ghost(ghost=ghost, reason="", actor=admin, now=clock.now())
    Departure.objects.update(confidentiality=Confidentiality.NEED_TO_KNOW)
    ghost.refresh_from_db()
    for act in (operations.cut_ghost, operations.dismiss_ghost):
        with pytest.raises(NotFound):
            act(ghost=ghost, reason=WHY, actor=left.requester, now=clock.now())
    assert ghosts() == {"mail-0": "came_back"}


def test_a_ghost_has_an_owner_who_may_see_it(left: World) -> None:
    ghost = back(left)
    otto, fred = User.objects.get(email="otto@firm.example"), make_user("fred", ["finance"])
    operations.assign_ghost(ghost=ghost, owner=otto, actor=left.requester, now=clock.now())
    assert Ghost.objects.get().owner == otto
    with pytest.raises(Invalid):
        operations.assign_ghost(ghost=ghost, owner=fred, actor=left.requester, now=clock.now())
    operations.assign_ghost(ghost=ghost, owner=None, actor=left.requester, now=clock.now())
    assert Ghost.objects.get().owner is None
    Departure.objects.update(confidentiality=Confidentiality.NEED_TO_KNOW)
    ghost.refresh_from_db()
    with pytest.raises(Invalid):
        operations.assign_ghost(ghost=ghost, owner=otto, actor=left.console, now=clock.now())


def test_an_account_of_nobody_can_be_set_aside_and_not_cut(left: World) -> None:
    left.store.add_account("mail", "cy", login="cy", emails=[])
    sweep()
    ghost = Ghost.objects.get()
    with pytest.raises(Conflict):
        operations.cut_ghost(ghost=ghost, reason="", actor=left.requester, now=clock.now())
    operations.dismiss_ghost(ghost=ghost, reason=WHY, actor=left.requester, now=clock.now())
    assert Event.objects.get(kind="system.ghost_dismissed").scope == "system:mail"


def test_a_sweep_reads_its_own_people_also_where_a_database_counts_anew(left: World) -> None:
    started = Sweep(pk=1, started_at=clock.now())
    index = sweeping._shared_index(started)
    assert sweeping._shared_index(Sweep(pk=1, started_at=started.started_at)) is index
    assert sweeping._shared_index(Sweep(pk=1, started_at=started.started_at + timedelta(days=1))) is not index
