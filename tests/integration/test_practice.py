"""Practice: somebody walks through their own departure, and nothing outside of it changes."""

from __future__ import annotations

import socket
from datetime import date, timedelta
from typing import Any

import pytest
from django.apps import apps
from django.test import Client

from partwell import clock
from partwell.connectors.fake.connector import FakeConnector
from partwell.evidence.models import Event
from partwell.first_run import practice
from partwell.first_run.guide import view_guide
from partwell.first_run.models import Practice
from partwell.first_run.practice import PracticePlan
from partwell.first_run.states import Part
from partwell.journeys.models import Step
from partwell.journeys.template_operations import sync_library
from partwell.people.actors import console_actor
from partwell.people.models import Person, User
from partwell.people.operations import grant_role, initialise
from partwell.people.roles import Role
from partwell.refusals import Conflict, Invalid, NotAllowed
from tests.access_world import World
from tests.factories import LAST_DAY, NOW, as_actor, make_holder, make_person, publish, start_journey
from tests.guest_world import TEMPLATE as TWO_SIDES
from tests.integration.api.conftest import token_for
from tests.integration.test_office_pages import signed_in

CONSOLE = console_actor()


@pytest.fixture
def ada(db: None) -> User:
    """An administrator who is in the register, and a template with steps of both sides."""
    initialise(company="Harbour & Vale", practice=False, actor=CONSOLE, now=NOW)
    publish(TWO_SIDES)
    return make_holder(Role.ADMIN, "Ada Min")


def begin(user: User, **changes: Any) -> PracticePlan:
    given: dict[str, Any] = {"template_id": "two-sides", "last_working_date": LAST_DAY, "now": NOW}
    return practice.begin(**given | changes, actor=as_actor(user))


def view(user: User) -> PracticePlan:
    found = practice.view_practice(actor=as_actor(user))
    assert found is not None
    return found


def act(user: User, key: str, way: str = "done") -> PracticePlan:
    return practice.settle_step(key=key, way=way, actor=as_actor(user), now=NOW)


def test_it_is_planned_as_a_real_journey_is_but_every_step_is_ones_own(ada: User) -> None:
    other = make_person("Bea Tal", department="Office", manager=ada.person)
    real = start_journey(other, template="two-sides")
    planned = {step.key: step for step in begin(ada).steps}
    steps = {step.key: step for step in real.steps.all()}
    assert planned.keys() == steps.keys()
    assert {key: step.due_at for key, step in planned.items()} == {k: s.due_at for k, s in steps.items()}
    assert {key: step.waits_for for key, step in planned.items()} == {
        k: s.waits_for for k, s in steps.items()
    }
    assert {step.owner for step in planned.values()} == {ada}


def test_steps_are_done_left_out_and_opened_again_and_what_needs_them_follows(ada: User) -> None:
    steps = begin(ada).steps
    first = next(s for s in steps if s.state == "open" and any(s.key in o.needs for o in steps))
    waiting = next(s for s in steps if first.key in s.needs)
    with pytest.raises(Conflict, match="waits for other steps"):
        act(ada, waiting.key)
    after = act(ada, first.key)
    assert after.step(first.key).state == "done"
    assert first.key not in after.step(waiting.key).waits_for
    with pytest.raises(Conflict, match="settled already"):
        act(ada, first.key)
    practice.reopen_step(key=first.key, actor=as_actor(ada), now=NOW)
    assert view(ada).step(first.key).state == "open"
    assert first.key in view(ada).step(waiting.key).waits_for
    assert act(ada, waiting.key, "skipped").step(waiting.key).state == "skipped"
    with pytest.raises(Invalid, match="no step"):
        act(ada, "coffee")
    with pytest.raises(Invalid, match="none of"):
        act(ada, first.key, "burnt")
    with pytest.raises(Conflict, match="not done and not left out"):
        practice.reopen_step(key=first.key, actor=as_actor(ada), now=NOW)


def test_the_last_day_is_moved_and_the_dates_that_hang_on_it_follow(ada: User) -> None:
    before = begin(ada)
    moved = practice.move(last_working_date=LAST_DAY + timedelta(days=14), actor=as_actor(ada), now=NOW)
    assert any(a.due_at < b.due_at for a, b in zip(before.steps, moved.steps, strict=True))
    assert view(ada).departure.last_working_date == LAST_DAY + timedelta(days=14)
    with pytest.raises(Invalid, match="before the notice"):
        practice.move(last_working_date=date(2026, 1, 1), actor=as_actor(ada), now=NOW)
    assert view(ada).departure.last_working_date == LAST_DAY + timedelta(days=14)


def test_the_dates_stand_still_while_time_goes_on(ada: User) -> None:
    before = [step.due_at for step in begin(ada).steps]
    assert [step.due_at for step in view(ada).steps] == before


def test_there_is_one_at_a_time_and_ending_it_forgets_what_was_done(ada: User) -> None:
    begin(ada)
    with pytest.raises(Conflict, match="practising already"):
        begin(ada)
    act(ada, next(step.key for step in view(ada).steps if step.state == "open"))
    practice.end(actor=as_actor(ada), now=NOW)
    assert practice.view_practice(actor=as_actor(ada)) is None
    assert Practice.objects.get().settled == {}
    with pytest.raises(Conflict, match="not practising"):
        practice.end(actor=as_actor(ada), now=NOW)
    begin(ada)
    kinds = Event.objects.filter(kind__startswith="practice.").order_by("occurred_at", "pk")
    assert sorted(kinds.values_list("kind", flat=True)) == [
        "practice.begun",
        "practice.begun",
        "practice.ended",
        "practice.step_settled",
    ]


def test_a_practice_is_seen_by_nobody_else(ada: User) -> None:
    begin(ada)
    bob = make_holder(Role.ADMIN, "Bob Min")
    assert practice.view_practice(actor=as_actor(bob)) is None
    with pytest.raises(Conflict, match="not practising"):
        practice.end(actor=as_actor(bob), now=NOW)


def test_somebody_who_is_not_in_the_register_is_told_the_way_out(ada: User) -> None:
    ghost = User.objects.create_user("root@elsewhere.example")
    grant_role(email=ghost.email, role="admin", actor=CONSOLE, now=NOW)
    with pytest.raises(Invalid, match="Import yourself"):
        begin(ghost)


def test_neither_the_console_nor_somebody_without_a_role_practises(ada: User) -> None:
    plain = User.objects.create_user("plain@harbour.example")
    for actor in (CONSOLE, as_actor(plain)):
        with pytest.raises(NotAllowed):
            practice.begin(template_id="two-sides", last_working_date=LAST_DAY, actor=actor, now=NOW)


def test_the_kill_switch_and_endings_without_the_leaver_are_not_practised(ada: User) -> None:
    sync_library(now=NOW)
    offered = {version.template_id for version in practice.latest_to_practise()}
    assert {"staff-resignation", "staff-retirement"} <= offered
    assert not offered & {"staff-urgent-cut", "staff-death-in-service"}
    assert not any(template.startswith("client-") for template in offered)
    with pytest.raises(Invalid, match="nothing that you could try"):
        begin(ada, template_id="staff-urgent-cut")


def rows_of_everything() -> dict[str, list[Any]]:
    """Every row of every table, as values."""
    return {
        model._meta.label: list(model.objects.order_by("pk").values_list())  # type: ignore[attr-defined]
        for model in apps.get_models()
        if model._meta.managed
    }


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every connector that is opened, and every address that is called."""
    called: list[str] = []
    opened = FakeConnector.__init__

    def open_it(self: FakeConnector, *args: Any, **kwargs: Any) -> None:
        called.append("a connector")
        opened(self, *args, **kwargs)

    def connect(self: socket.socket, address: Any) -> None:
        called.append(str(address))
        raise ConnectionRefusedError

    monkeypatch.setattr(FakeConnector, "__init__", open_it)
    monkeypatch.setattr(socket.socket, "connect", connect)
    return called


def test_a_whole_walk_reaches_nothing_outside_and_changes_no_count(
    world: World, calls: list[str], mailoutbox: list[Any]
) -> None:
    initialise(company="Harbour & Vale", practice=False, actor=CONSOLE, now=NOW)
    world.add_system("mailbox")
    world.add_account("mailbox", "mine", login="ada.min", emails=["ada.min@harbour.example"])
    publish(TWO_SIDES)
    ada = make_holder(Role.ADMIN, "Ada Min")
    hr = make_holder(Role.HR, "Amara Osei")
    start_journey(
        make_person("Bea Tal"), template="two-sides", now=clock.now(), last_working_date=in_days(20)
    )
    readers = {"ada": token_for(ada), "hr": token_for(hr)}
    lists = ("/journeys?state=all", "/people", "/steps", "/notices", "/ghosts", "/rotations", "/transfers")
    lists += (f"/audits/population?since={in_days(-30)}&until={in_days(0)}",)

    def answers() -> dict[tuple[str, str], bytes]:
        return {(who, path): api.get(path).content for who, api in readers.items() for path in lists}

    browser = signed_in(ada)
    browser.get("/practice/")
    before, answered = rows_of_everything(), answers()
    walk(browser)
    after = rows_of_everything()
    changed = {label for label in after if after[label] != before[label]}
    changed -= {"api.KeptAnswer", "sessions.Session", "usersessions.UserSession", "people.ApiToken"}
    assert changed == {"first_run.Practice", "evidence.Event"}
    told = Event.objects.exclude(pk__in=[row[0] for row in before["evidence.Event"]])
    assert {event.scope for event in told} == {f"practice:{Practice.objects.get().pk}"}
    assert answers() == answered
    assert (calls, mailoutbox) == ([], [])
    done = next(part for part in view_guide(actor=CONSOLE).parts if part.part is Part.PRACTICE)
    assert (done.state, done.said) == ("done", "Ada Min tried it.")


def walk(browser: Client) -> None:
    """Begin, settle every step, undo one, move the last day, and end it, as the page’s buttons do."""
    begun = browser.post("/practice/", {"template": "two-sides", "last_day": str(in_days(28))})
    assert begun["Location"] == "/practice/"
    settled: list[str] = []
    while key := _open(browser):
        way = "done" if len(settled) % 3 else "skipped"
        assert browser.post(f"/practice/steps/{key}/settle/", {"way": way}).status_code == 302
        settled.append(key)
    assert len(settled) > 3
    assert browser.post(f"/practice/steps/{settled[0]}/reopen/").status_code == 302
    assert browser.post("/practice/move/", {"last_day": str(in_days(40))}).status_code == 302
    assert browser.post("/practice/move/", {"last_day": str(in_days(-40))}).status_code == 422
    page = browser.get("/practice/").content.decode()
    assert "Practice: nothing here is real" in page
    assert browser.post("/practice/end/")["Location"] == "/set-up/"


def _open(browser: Client) -> str | None:
    rows = [row for group in browser.get("/practice/").context["groups"] for row in group["rows"]]
    return next((row["key"] for row in rows if row["can_do"]), None)


def in_days(count: int) -> date:
    return clock.now().date() + timedelta(days=count)


def test_while_somebody_practises_their_real_departure_can_be_started(ada: User) -> None:
    begin(ada)
    person = Person.objects.get(user=ada)
    journey = start_journey(person, template="two-sides")
    assert Step.objects.filter(journey=journey).exists()
    assert view(ada).departure.pk != journey.departure.pk
