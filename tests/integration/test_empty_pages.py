"""Every list says, while it is empty, what would stand there and what comes next: a link that this viewer may
follow, or who can."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from django.test import Client
from django.urls import reverse

from partwell.people.actors import console_actor
from partwell.people.models import User
from partwell.people.operations import grant_role, initialise
from partwell.people.roles import GRANTABLE, Role
from partwell.web.navigation import SECTIONS
from partwell.web.nothing_here import NOTHING, who_can
from tests.factories import NOW, make_person
from tests.integration.test_office_pages import signed_in

pytestmark = pytest.mark.django_db

LISTS = (
    "home",
    "departures",
    "rounds",
    "process",
    "my_steps",
    "access_overview",
    "ghosts",
    "credentials",
    "people",
    "clients",
    "templates",
    "templates_compare",
    "drafts",
    "systems",
    "receivers",
    "tokens",
    "audit",
    "coming",
)
# Of what the side bar offers, these are no lists.
NO_LISTS = {"evidence", "settings"}
VIEWERS = (*sorted(GRANTABLE), "nobody", "manager")
SAYS_WHO = re.compile(
    r"(HR|IT/Security|Finance|Legal|[Aa]n? (?:line manager|account manager|executive|administrator))"
    r"[^.]* (?:can|keeps?) "
)


class Empties(HTMLParser):
    """The parts of a page that say that something is empty: their words and their links."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, list[str]]] = []
        self.ids: set[str] = set()
        self._depth = 0
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.ids.add(given.get("id") or "")
        if given.get("class") == "pw-empty":
            self.found.append(("", []))
            self._depth = 1
        elif self._depth and tag == "div":
            self._depth += 1
        elif self._depth and tag == "a":
            self.found[-1][1].append(given.get("href") or "")

    def handle_endtag(self, tag: str) -> None:
        if self._depth and tag == "div":
            self._depth -= 1

    def handle_data(self, data: str) -> None:
        if self._depth:
            words, links = self.found[-1]
            self.found[-1] = (words + data, links)


@pytest.fixture
def browser(request: pytest.FixtureRequest) -> Client:
    """Signed in as somebody with one role, with none, or as a manager by the register."""
    who = request.param
    initialise(company="Northwind", practice=False, actor=console_actor(), now=NOW)
    user = User.objects.create_user(f"{who}@northwind.example", name=who)
    if who == "manager":
        user.person = make_person("Mara Lund", email=user.email)
        user.save()
        make_person("Rep Orts", manager=user.person)
    elif who != "nobody":
        grant_role(email=user.email, role=Role(who), actor=console_actor(), now=NOW)
    return signed_in(user)


@pytest.mark.parametrize("browser", VIEWERS, indirect=True)
@pytest.mark.parametrize("page", LISTS)
def test_an_empty_list_leads_on(browser: Client, page: str) -> None:
    answer = browser.get(reverse(f"web:{page}"))
    if answer.status_code == 403:
        return
    assert answer.status_code == 200
    read = Empties(answer.content.decode())
    if page == "people" and not read.found:  # whoever leads somebody has a register
        return
    assert read.found, "the list says nothing"
    for words, links in read.found:
        for link in links:
            if link.startswith("#"):
                assert link[1:] in read.ids, link
            else:
                followed = browser.get(link)
                # Some ask for the second factor first, and lead back.
                on_the_way = followed.status_code == 302 and "/second-factor/" in followed["Location"]
                assert followed.status_code == 200 or on_the_way, link
        assert links or SAYS_WHO.search(words), f"leads nowhere: {words}"


def test_every_list_of_the_side_bar_is_looked_at() -> None:
    offered = {item.name.removeprefix("web:") for _, items in SECTIONS for item in items}
    assert offered - set(LISTS) == NO_LISTS


@pytest.mark.parametrize("what", NOTHING)
def test_whoever_may_not_take_the_next_step_reads_who_can(what: str) -> None:
    found = NOTHING[what]
    if found.operation:
        assert SAYS_WHO.search(f"{who_can(found.operation)} can {found.deed}.")


def test_people_are_named_as_one_says_it() -> None:
    assert who_can("clients.import") == "HR, an account manager or an administrator"
    assert who_can("receivers.add") == "An administrator"
