"""Who sees which ghosts, and lists of accounts that somebody uploads: hostile until they prove otherwise."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from partwell import clock
from partwell.access.ghosts import queries, sweeping
from partwell.access.ghosts.files import COLUMNS, read_account_file, upload_accounts
from partwell.access.models import Ghost, System, SystemSweep
from partwell.departures.models import Departure, Participant
from partwell.departures.states import Confidentiality
from partwell.evidence.models import Event
from partwell.people.actors import actor_for_user
from partwell.people.models import User
from partwell.refusals import Conflict, Invalid, NotAllowed, NotFound
from tests.access_world import ADA, World, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_pauses")]


@pytest.fixture
def doors(world: World) -> System:
    """A system that only a person can look into; Ada has left."""
    world.end_access()
    return world.add_system("doors", connector="manual", accounts=0, settings={})


def upload(world: World, text: str) -> None:
    upload_accounts(
        system=world.systems["doors"],
        data=text.encode(),
        source="doors.csv",
        actor=world.requester,
        now=clock.now(),
    )


def test_a_list_is_compared_and_the_next_one_lets_go_of_what_is_gone(world: World, doors: System) -> None:
    # The address as a known account of the departure is on the access page; this one nobody knew.
    upload(world, f"login,emails,active\nbadge-17,{ADA},yes\nbadge-18,cy@firm.example,yes\n")
    assert {g.external_id: g.kind for g in Ghost.objects.filter(state="open")} == {
        "badge-17": "never_known",
        "badge-18": "nobodys",
    }
    (read,) = queries.coverage(world.requester)
    assert (read.is_whole, read.accounts, read.source) == (True, 2, "doors.csv")
    sweeping.start_sweep(actor=world.requester, now=clock.now(), here=True)
    (read,) = queries.coverage(world.requester)
    assert read.is_whole and read.source == "doors.csv"
    upload(world, "login,active\nbadge-17,no\n")
    assert not Ghost.objects.filter(state="open").exists()
    assert Event.objects.filter(kind="system.accounts_uploaded").count() == 2


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("login,active\nann,perhaps\n", 2, "active"),
        ("login,last_used\nann,yesterday\n", 2, "last_used"),
        ("login,last_used\nann,2026-11-27T14:00\n", 2, "last_used"),
        ("login,emails\nann,not an address\n", 2, "emails"),
        ("login\nann\nann\n", 3, "login"),
        ("login,active\n,yes\n", 2, "login"),
        ("login,colour\nann,red\n", 1, "header"),
        ("", 1, ""),
        ("login\nan\u202en\n", 2, "login"),
    ],
)
def test_one_bad_line_is_named_and_nothing_is_taken(
    world: World, doors: System, text: str, line: int, column: str
) -> None:
    (bad,) = read_account_file(text.encode()).bad_lines
    assert (bad.line, bad.field) == (line, column)
    with pytest.raises(Invalid):
        upload(world, text)
    assert not SystemSweep.objects.exists() and not Ghost.objects.exists()


@given(st.binary(max_size=300))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_uploaded_is_read_or_refused_in_words(data: bytes) -> None:
    header = ",".join(column.name for column in COLUMNS).encode()
    for text in (data, header + b"\n" + data):
        found = read_account_file(text)
        assert found.accounts or found.bad_lines
        assert all(bad.reason and bad.way_out for bad in found.bad_lines)


def test_a_system_that_lists_itself_takes_no_list(world: World, doors: System) -> None:
    mail = world.add_system("mail")
    with pytest.raises(Conflict):
        upload_accounts(system=mail, data=b"login\na\n", source="", actor=world.requester, now=clock.now())


def test_ghosts_of_a_need_to_know_departure_are_seen_by_its_participants_alone(
    world: World, doors: System
) -> None:
    upload(world, f"login,emails,active\nbadge-17,{ADA},yes\nbadge-18,cy@firm.example,yes\n")
    Departure.objects.update(confidentiality=Confidentiality.NEED_TO_KNOW)
    hidden = Ghost.objects.get(external_id="badge-17")
    assert [g.external_id for g in queries.visible_ghosts(world.requester)] == ["badge-18"]
    with pytest.raises(NotFound):
        queries.get_ghost(world.requester, hidden.pk)
    rita = User.objects.get(email="rita@firm.example")
    Participant.objects.create(
        departure=world.departure, user=rita, capacity="it_security", added_at=clock.now()
    )
    assert queries.get_ghost(world.requester, hidden.pk) == hidden
    assert [g.external_id for g in queries.visible_ghosts(world.approver)] == ["badge-18"]
    # What the system's own record says tells nobody that there was one.
    swept = Event.objects.get(kind="system.swept")
    assert set(swept.fields) >= {"accounts", "read"} and "ghosts" not in swept.fields


def test_the_list_is_for_those_whose_part_it_is(world: World, doors: System) -> None:
    finance = actor_for_user(make_user("fred", ["finance"]))
    for asking in (queries.visible_ghosts, queries.coverage):
        with pytest.raises(NotAllowed):
            asking(finance)
    for wrong in ({"state": "asleep"}, {"kind": "poltergeist"}):
        with pytest.raises(Invalid):
            queries.visible_ghosts(world.requester, **wrong)
