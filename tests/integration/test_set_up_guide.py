"""The guide through the set-up: done is read from what is there, not now is remembered."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.test import Client

from partwell.access import operations as access
from partwell.evidence.models import Event
from partwell.first_run import operations
from partwell.first_run.guide import Guide, is_set_up_open, view_guide
from partwell.first_run.states import Part, PartState
from partwell.people.actors import console_actor
from partwell.people.imports.examples import example_csv
from partwell.people.models import Person, User
from partwell.people.operations import (
    IMPORTS,
    change_settings,
    grant_role,
    initialise,
    revoke_role,
)
from partwell.people.roles import Role
from partwell.refusals import Conflict, Invalid, NotAllowed, NotFound
from tests.console import Console
from tests.factories import NOW, as_actor, make_client, make_holder, make_person
from tests.integration.api.conftest import token_for
from tests.integration.test_office_pages import signed_in

CONSOLE = console_actor()
ADA = "ada@harbour.example"


@pytest.fixture
def ada(db: None) -> User:
    """The first administrator of a firm of which nothing more is known."""
    admin = initialise(
        company="Harbour & Vale",
        practice=False,
        admin_email=ADA,
        admin_name="Ada Min",
        admin_password="a long enough secret",
        actor=CONSOLE,
        now=NOW,
    )
    assert admin is not None
    return admin


def look() -> Guide:
    return view_guide(actor=CONSOLE)


def state(part: Part) -> PartState:
    return next(each.state for each in look().parts if each.part is part)


def said(part: Part) -> str:
    return next(each.said for each in look().parts if each.part is part)


def upcoming() -> Part | None:
    following = look().next
    return None if following is None else following.part


def test_a_fresh_installation_has_its_name_and_nothing_else(ada: User) -> None:
    assert [each.state for each in look().parts if each.part is not Part.COMPANY] == ["to_do"] * 7
    assert state(Part.COMPANY) is PartState.DONE
    assert "Harbour & Vale" in said(Part.COMPANY)
    assert upcoming() is Part.SECOND_FACTOR
    assert is_set_up_open()


def test_the_guide_takes_no_longer_than_a_quarter_of_an_hour(ada: User) -> None:
    assert sum(each.about.minutes for each in look().parts) <= 15


def test_before_the_first_run_there_is_no_guide(db: None) -> None:
    with pytest.raises(NotFound):
        look()
    assert not is_set_up_open()


def test_a_second_factor_counts_once_every_administrator_has_one(ada: User) -> None:
    bob = make_holder(Role.ADMIN, "Bob Min")
    Authenticator.objects.create(user=ada, type=Authenticator.Type.TOTP, data={})
    assert state(Part.SECOND_FACTOR) is PartState.BEGUN
    assert said(Part.SECOND_FACTOR) == "Set up by 1 of 2 administrators."
    Authenticator.objects.create(user=bob, type=Authenticator.Type.TOTP, data={})
    assert state(Part.SECOND_FACTOR) is PartState.DONE


def test_a_calendar_needs_a_country_and_a_timezone(ada: User) -> None:
    def change(**fields: str) -> None:
        change_settings(company="Harbour & Vale", actor=CONSOLE, now=NOW, **fields)

    change(country="DE", timezone="")
    assert (state(Part.CALENDAR), said(Part.CALENDAR)) == ("begun", "DE; the timezone is missing.")
    change(country="de", timezone="Europe/Berlin")
    assert (state(Part.CALENDAR), said(Part.CALENDAR)) == ("done", "DE, Europe/Berlin.")
    change(country="", timezone="")
    assert state(Part.CALENDAR) is PartState.TO_DO


def test_roles_are_done_when_each_is_held_for_the_whole_firm_and_undone_when_one_is_taken_back(
    ada: User,
) -> None:
    for role in ("hr", "it_security", "finance", "legal"):
        grant_role(email=ADA, role=role, actor=CONSOLE, now=NOW)
    grant_role(email=ADA, role="executive", department="Sales", actor=CONSOLE, now=NOW)
    assert state(Part.ROLES) is PartState.BEGUN
    assert said(Part.ROLES) == "Nobody holds Executive for the whole firm."
    grant_role(email=ADA, role="executive", actor=CONSOLE, now=NOW)
    assert state(Part.ROLES) is PartState.DONE
    revoke_role(email=ADA, role="hr", actor=CONSOLE, now=NOW)
    assert state(Part.ROLES) is PartState.BEGUN


def test_the_example_files_are_taken_as_they_are_in_their_order(ada: User) -> None:
    for kind in ("people", "clients", "contracts"):
        report = IMPORTS[kind](data=example_csv(kind), actor=CONSOLE, now=NOW)
        assert report.is_applied, report.bad_lines
    assert said(Part.PEOPLE) == "2 people in the register."
    assert said(Part.CLIENTS) == "1 client in the register."
    assert state(Part.PEOPLE) is state(Part.CLIENTS) is PartState.DONE


def test_a_register_in_which_nobody_leads_anybody_says_so(ada: User) -> None:
    make_person()
    assert said(Part.PEOPLE) == "1 person in the register. Nobody has a manager there yet."


def test_a_system_counts_once_it_answered_and_not_after_it_was_changed(ada: User, tmp_path: Path) -> None:
    store = {"store": str(tmp_path / "store")}
    description = {"name": "wiki", "title": "Wiki", "connector": "fake", "settings": store}
    system = access.add_system(description=description, actor=CONSOLE, now=NOW)
    assert (state(Part.SYSTEM), said(Part.SYSTEM)) == ("begun", "1 system connected; none was tested yet.")
    access.test_system(system=system, actor=CONSOLE, now=NOW)
    assert (state(Part.SYSTEM), said(Part.SYSTEM)) == ("done", "Wiki answered the last test.")
    access.test_system(system=system, actor=CONSOLE, now=NOW + timedelta(hours=1))
    assert state(Part.SYSTEM) is PartState.DONE
    moved = {"settings": {"store": str(tmp_path / "other")}}
    access.change_system(system=system, changes=moved, actor=CONSOLE, now=NOW + timedelta(hours=2))
    assert (state(Part.SYSTEM), said(Part.SYSTEM)) == (
        "begun",
        "1 system connected; none passed its last test as it is now.",
    )
    system.refresh_from_db()
    access.test_system(system=system, actor=CONSOLE, now=NOW + timedelta(hours=3))
    assert state(Part.SYSTEM) is PartState.DONE
    (tmp_path / "other").unlink()
    (tmp_path / "other").mkdir()
    access.test_system(system=system, actor=CONSOLE, now=NOW + timedelta(hours=4))
    assert state(Part.SYSTEM) is PartState.BEGUN


def test_what_is_put_aside_is_remembered_for_every_administrator_until_it_is_taken_up(ada: User) -> None:
    bob = make_holder(Role.ADMIN, "Bob Min")
    operations.put_aside(part="second_factor", actor=as_actor(ada), now=NOW)
    assert upcoming() is Part.CALENDAR
    seen = next(each for each in view_guide(actor=as_actor(bob)).parts if each.part is Part.SECOND_FACTOR)
    assert seen.state is PartState.PUT_ASIDE
    with pytest.raises(Conflict, match="put aside already"):
        operations.put_aside(part="second_factor", actor=as_actor(bob), now=NOW)
    operations.take_up(part="second_factor", actor=as_actor(bob), now=NOW)
    assert upcoming() is Part.SECOND_FACTOR
    with pytest.raises(Conflict, match="not put aside"):
        operations.take_up(part="second_factor", actor=as_actor(bob), now=NOW)
    kinds = Event.objects.filter(kind__startswith="setup.").values_list("kind", flat=True)
    assert sorted(kinds) == ["setup.put_aside", "setup.taken_up"]


def test_what_is_done_cannot_be_put_aside_and_what_was_put_aside_may_be_done(ada: User) -> None:
    with pytest.raises(Conflict, match="done already"):
        operations.put_aside(part="company", actor=CONSOLE, now=NOW)
    with pytest.raises(Invalid, match="no part of the set-up"):
        operations.put_aside(part="coffee", actor=CONSOLE, now=NOW)
    operations.put_aside(part="clients", actor=CONSOLE, now=NOW)
    make_client()
    assert state(Part.CLIENTS) is PartState.DONE


def test_an_installation_with_everything_done_or_put_aside_is_finished_and_leaves_today(ada: User) -> None:
    browser = signed_in(ada)
    assert b"Go on with the set-up" in browser.get("/").content
    for part in Part:
        if part is not Part.COMPANY:
            operations.put_aside(part=part, actor=CONSOLE, now=NOW)
    assert look().is_finished
    assert look().minutes_left == 0
    assert not is_set_up_open()
    assert b"Go on with the set-up" not in browser.get("/").content
    assert b'href="/set-up/"' in browser.get("/settings/").content


def test_asking_whether_it_is_finished_takes_one_query(
    ada: User, django_assert_num_queries: Callable[[int], Any]
) -> None:
    with django_assert_num_queries(1):
        assert is_set_up_open()


def test_the_guide_is_for_administrators(ada: User) -> None:
    amara = make_holder(Role.HR, "Amara Osei")
    browser = signed_in(amara)
    assert browser.get("/set-up/").status_code == 403
    assert browser.post("/set-up/people/put-aside/").status_code == 403
    assert b"Go on with the set-up" not in browser.get("/").content
    with pytest.raises(NotAllowed):
        view_guide(actor=as_actor(amara))


def test_every_page_leads_back_to_the_guide_until_it_is_left(ada: User) -> None:
    browser = signed_in(ada)
    assert b"Back to the guide" not in browser.get("/people/").content
    page = browser.get("/set-up/").content.decode()
    assert 'href="/people/import/?back=set-up"' in page
    assert "Back to the guide" not in page
    assert b"Back to the guide" in browser.get("/people/").content
    browser.post("/set-up/leave/")
    assert b"Back to the guide" not in browser.get("/people/").content


def test_an_import_that_began_in_the_guide_comes_back_to_it(ada: User) -> None:
    browser = signed_in(ada)
    example = browser.get("/people/example/")
    assert example["Content-Disposition"] == 'attachment; filename="people-example.csv"'
    answer = upload(browser, "/people/import/?back=set-up", example.content)
    assert answer["Location"] == "/set-up/"
    assert Person.objects.count() == 2
    answer = upload(browser, "/clients/import/", browser.get("/clients/example/").content)
    assert answer["Location"] == "/clients/"


def upload(browser: Client, path: str, data: bytes) -> object:
    """Show what a file would change, and apply it, as the page's two forms do."""
    from django.core.files.uploadedfile import SimpleUploadedFile

    shown = browser.post(path, {"file": SimpleUploadedFile("a.csv", data)})
    assert shown.status_code == 200
    context = shown.context
    return browser.post(path, {"apply": "1", "digest": context["report"].digest, "seal": context["seal"]})


def test_the_calendar_page_shows_the_next_holidays_of_the_firm_and_of_where_people_work(ada: User) -> None:
    change_settings(company="H", country="DE", timezone="Europe/Berlin", actor=CONSOLE, now=NOW)
    make_person("A", country="FR")
    make_person("B", country="")
    page = signed_in(ada).get("/set-up/calendar/")
    assert len(page.context["holidays"]) == 5
    places = {place["country"]: place for place in page.context["places"]}
    assert places["FR"]["next"] and places[""]["next"] == page.context["holidays"][:1]


def test_api_and_command_line_show_the_same_list(ada: User) -> None:
    bob = token_for(make_holder(Role.ADMIN, "Bob Min"))
    shown = bob.get("/set-up").json()
    assert shown == look().as_dict()
    aside = bob.post("/set-up/clients/put-aside").json()
    assert [part["part"] for part in aside["parts"] if part["state"] == "put_aside"] == ["clients"]
    assert bob.post("/set-up/clients/put-aside").json()["code"] == "put_aside_already"
    assert bob.post("/set-up/coffee/take-up").json()["field"] == "part"
    assert bob.post("/set-up/clients/take-up").json() == shown
    hr = token_for(make_holder(Role.HR, "Amara Osei"))
    assert hr.get("/set-up").status_code == 403


def test_the_console_shows_what_is_left(console: Console) -> None:
    console.run("init", "--company", "Harbour & Vale", "--admin-email", ADA)
    shown = console.ask("set-up", "show")
    assert [part["part"] for part in shown["parts"] if part["is_next"]] == ["second_factor"]
    assert console.ask("set-up", "put-aside", "second_factor")["parts"][1]["state"] == "put_aside"
    assert "set-up" not in console.run("set-up", "show").out
    assert "second_factor  put aside" in " ".join(console.run("set-up", "show").out.split(" "))
    assert console.refused("set-up", "take-up", "people")["code"] == "not_put_aside"
    assert console.ask("set-up", "take-up", "second_factor") == shown
