"""The office's pages: how many queries they take, whatever the size, and who may open them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from partwell.people.models import Person, User
from partwell.people.roles import Role
from tests.factories import make_client, make_holder, make_person, publish, start_journey

pytestmark = pytest.mark.django_db


def signed_in(user: User) -> Client:
    browser = Client(headers={"host": "localhost"})
    browser.force_login(user, backend="partwell.web.signin.Backend")
    return browser


@pytest.fixture
def browser() -> Client:
    return signed_in(make_holder(Role.HR, "Amara Osei"))


def queries_of(browser: Client, path: str) -> int:
    browser.get(path)
    with CaptureQueriesContext(
        connection,
    ) as seen:
        assert browser.get(path).status_code == 200
    return len(seen)


def more_people() -> None:
    manager = make_person("Mara Lund")
    Person.objects.bulk_create(
        Person(email=f"p{n}@harbour.example", name=f"Person {n}", manager=manager) for n in range(40)
    )


def more_clients() -> None:
    for number in range(20):
        make_client(f"Client {number}", manager=Person.objects.first())


@pytest.mark.parametrize(("path", "grow"), [("/people/", more_people), ("/clients/", more_clients)])
def test_a_longer_list_takes_no_more_queries(browser: Client, path: str, grow: Callable[[], None]) -> None:
    make_client()
    before = queries_of(browser, path)
    grow()
    assert queries_of(browser, path) <= before
    assert before <= 15


def test_whether_somebody_leaves_is_said_only_to_those_who_see_it(browser: Client) -> None:
    publish()
    person = make_person()
    start_journey(person, confidentiality="need_to_know")
    stranger = signed_in(make_holder(Role.FINANCE, "Fin Ance"))
    page = stranger.get(f"/people/{person.pk}/")
    assert page.status_code == 200
    assert b"Departures</h2>" not in page.content
    other = make_person("Joon-ho Baek")
    start_journey(other)
    assert b"Departures</h2>" in stranger.get(f"/people/{other.pk}/").content


def test_pages_are_for_those_whose_office_it_is(browser: Client) -> None:
    assert browser.get("/settings/").status_code == 403
    finance = signed_in(make_holder(Role.FINANCE, "Fin Ance"))
    assert finance.get("/people/import/").status_code == 403
    assert finance.get("/tokens/").status_code == 403
    assert finance.get("/people/export/").status_code == 403
    assert finance.get("/contracts/export/")["Content-Disposition"] == 'attachment; filename="contracts.csv"'
