"""A cut of many: by stages, held by itself where too much comes to nothing; and whom a list means."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from partwell import clock
from partwell.access import runs
from partwell.access.models import Alert, Cut, Plan, SystemRun
from partwell.access.operations import cuts
from partwell.access.operations.cuts import Stages
from partwell.departures.models import Departure
from partwell.engine.models import Timer
from partwell.evidence.models import Event
from partwell.journeys.groups import NOBODY, read_group, read_lines
from partwell.people.actors import actor_for_user
from partwell.people.models import Client, Person, PersonAlias, User
from partwell.refusals import Conflict, FreshSignInNeeded, Invalid, NotAllowed
from tests.access_world import World, make_departure, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_pauses")]
WHY = "Credentials of a whole supplier were stolen."


def order(world: World, count: int, stages: Stages, *, system: str = "mail") -> Cut:
    departures = []
    for number in range(count):
        email = f"leaver{number}@firm.example"
        departures.append(make_departure(email))
        world.add_account(system, f"{system}-{email}", login=f"leaver{number}", emails=[email])
    cut = cuts.order_cut(
        departures=departures,
        title="Everybody",
        reason=WHY,
        actor=world.requester,
        now=clock.now(),
        stages=stages,
    )
    if cut.state == "waiting":
        cut = cuts.approve_cut(cut=cut, actor=world.approver, now=clock.now())
    return cut


def run(cut: Cut) -> None:
    """Play the worker once in every system of this cut."""
    live = SystemRun.objects.filter(plan__cut=cut, state__in=("running", "waiting"))
    for system_id in set(live.values_list("system_id", flat=True)):
        runs.run_cut(str(cut.pk), str(system_id))


def look(cut: Cut) -> Cut:
    """Let the time come at which the stage is looked at."""
    cuts.look_at_stage(str(cut.pk), clock.now())
    return Cut.objects.get(pk=cut.pk)


def begun(cut: Cut) -> int:
    return Plan.objects.filter(cut=cut).count()


def test_a_stage_begins_when_the_one_before_is_over(world: World) -> None:
    world.add_system("mail", accounts=0)
    cut = order(world, 7, Stages(3))
    assert begun(cut) == 3
    later = Departure.objects.exclude(access_plans__cut=cut).filter(access_cuts=cut)
    assert all(departure.access_end_at > clock.now() for departure in later)
    cut = look(cut)
    assert begun(cut) == 3, "the first stage is still being asked"
    assert Timer.objects.filter(name="access.next_stage", state="armed").exists()
    for expected in (6, 7, 7):
        run(cut)
        cut = look(cut)
        assert begun(cut) == expected
    assert cut.state == "fired"
    assert Event.objects.filter(kind="access.cut_fired").count() == 7


def test_it_is_held_where_too_many_failed_and_goes_on_when_somebody_says_so(world: World) -> None:
    world.add_system("mail", accounts=0)
    cut = order(world, 7, Stages(3, 30))
    world.store.set_mode("mail", "denies")
    run(cut)
    cut = look(cut)
    assert (cut.state, begun(cut)) == ("held", 3)
    alert = Alert.objects.get(kind="cut_held")
    assert "3 of 3 accounts" in alert.text and alert.resolved_at is None
    assert look(cut).state == "held" and begun(cut) == 3
    with pytest.raises(FreshSignInNeeded):
        stale = actor_for_user(make_user("stale"), is_fresh=False)
        cuts.resume_cut(cut=cut, actor=stale, now=clock.now())
    with pytest.raises(NotAllowed):
        cuts.resume_cut(cut=cut, actor=world.console, now=clock.now())
    world.store.set_mode("mail", "ok")
    cut = cuts.resume_cut(cut=cut, actor=world.approver, now=clock.now())
    assert (cut.state, begun(cut)) == ("fired", 6)
    alert.refresh_from_db()
    assert alert.resolved_at is not None
    run(cut)
    cut = look(cut)
    assert (cut.state, begun(cut)) == ("fired", 7), "what failed before does not count again"
    with pytest.raises(Conflict):
        cuts.resume_cut(cut=cut, actor=world.approver, now=clock.now())


def test_a_silent_system_counts_and_does_not_keep_the_stage_open_for_ever(world: World) -> None:
    world.add_system("mail", accounts=0)
    cut = order(world, 4, Stages(2, 50))
    world.store.set_mode("mail", "down")
    run(cut)
    assert look(cut).state == "held"


def test_as_much_as_is_allowed_does_not_hold_it(world: World) -> None:
    world.add_system("mail", accounts=0)
    cut = order(world, 4, Stages(2, 100))
    world.store.set_mode("mail", "denies")
    run(cut)
    cut = look(cut)
    assert (cut.state, begun(cut)) == ("fired", 4)


def test_stopped_between_stages_the_others_are_spared(world: World) -> None:
    world.add_system("mail", accounts=0)
    cut = order(world, 5, Stages(2, 10))
    world.store.set_mode("mail", "denies")
    run(cut)
    cut = cuts.stop_cut(cut=look(cut), actor=world.requester, now=clock.now())
    assert (cut.state, begun(cut)) == ("stopped", 2)
    assert look(cut).state == "stopped" and begun(cut) == 2
    assert not Timer.objects.filter(name="access.next_stage", state="armed").exists()
    assert not Alert.objects.filter(kind="cut_held", resolved_at=None).exists()


@pytest.mark.parametrize(
    ("stages", "field"),
    [
        (Stages(0), "stage_size"),
        (Stages(1001), "stage_size"),
        (Stages(5, 101), "hold_above_percent"),
        (Stages(None, 10), "stage_size"),
    ],
)
def test_stages_that_are_none_are_refused(world: World, stages: Stages, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        order(world, 2, stages)
    assert refused.value.field == field


@pytest.fixture
def register(world: World) -> dict[str, Any]:
    """A small firm."""
    today = clock.now().date()
    people = [
        Person(name="Eva Ek", email="Eva@firm.example", department="Sales", employee_number="17"),
        Person(name="Bo Lind", email="bo@firm.example", department="sales", employment_type="contractor"),
        Person(name="Cy Moe", email="cy@firm.example", department="Studio"),
        Person(name="Di Old", email="di@firm.example", department="Sales", left_on_date=today - timedelta(9)),
    ]
    for person in people:
        person.save()
    PersonAlias.objects.create(person=people[2], email="cyrus@firm.example")
    Client.objects.create(name="Twin Ltd", client_ref="T1")
    Client.objects.create(name="Twin Ltd", client_ref="T2")
    Client.objects.create(name="Kestrel", client_ref="KES")
    return {person.name: person for person in people}


def meant(world: World, lines: list[str] = [], **filters: str) -> Any:  # noqa: B006 - never changed
    actor = actor_for_user(User.objects.get(email="rita@firm.example"), is_fresh=True)
    return read_group(list(enumerate(lines, 1)), actor=actor, now=clock.now(), **filters)


def test_a_list_names_people_and_clients_by_all_that_they_are_called(
    world: World, register: dict[str, Any]
) -> None:
    found = meant(world, ["EVA@firm.example", "17", "cyrus@firm.example", "KES", "kestrel", "T2"])
    assert [person.name for person in found.people] == ["Eva Ek", "Cy Moe"]
    assert [client.client_ref for client in found.clients] == ["KES", "T2"]
    assert found.problems == () and found.left_out == ()


def test_every_line_that_is_unclear_is_named(world: World, register: dict[str, Any]) -> None:
    found = meant(world, ["eva@firm.example", "nobody@firm.example", "twin ltd"])
    assert [(bad.line, bad.value) for bad in found.problems] == [(2, "nobody@firm.example"), (3, "twin ltd")]
    assert found.problems[0].reason == NOBODY and "T" in found.problems[1].reason


def test_a_filter_means_those_at_work(world: World, register: dict[str, Any]) -> None:
    found = meant(world, department="SALES")
    assert [person.name for person in found.people] == ["Ada", "Bo Lind", "Eva Ek"]
    assert [name for name, _ in found.left_out] == ["Di Old"]
    assert [p.name for p in meant(world, department="Sales", employment_type="contractor").people] == [
        "Bo Lind"
    ]


def test_nobody_shuts_themselves_out_by_a_filter(world: World, register: dict[str, Any]) -> None:
    user = make_user("self")
    user.person = register["Eva Ek"]
    user.save()
    found = read_group(department="Sales", actor=actor_for_user(user, is_fresh=True), now=clock.now())
    assert "Eva Ek" in dict(found.left_out) and "Eva Ek" not in [p.name for p in found.people]


def test_a_thousand_lines_are_read_with_few_questions(
    world: World, django_assert_max_num_queries: Any
) -> None:
    Person.objects.bulk_create(
        Person(name=f"P{n}", email=f"p{n}@firm.example", name_folded=f"p{n}", search_text=f"p{n}")
        for n in range(1000)
    )
    actor = actor_for_user(make_user("ines"), is_fresh=True)
    with django_assert_max_num_queries(20):
        found = read_group([(n, f"p{n}@firm.example") for n in range(1000)], actor=actor, now=clock.now())
    assert found.size == 1000


def test_a_file_may_have_a_heading_and_more_columns() -> None:
    data = '\ufeffemail;name\r\nada@firm.example;Ada\r\n\r\n"Twin, Ltd",x\r\n'.encode()
    assert read_lines(data) == [(2, "ada@firm.example"), (4, "Twin, Ltd")]


@pytest.mark.parametrize("data", [b"\xff\xfea\x00", b"a\x00b", b"\xc3\x28"])
def test_what_is_no_text_is_refused(data: bytes) -> None:
    with pytest.raises(Invalid):
        read_lines(data)
