"""Proof 18: links that open once. Scanners use nothing up, spent links are refused, guessing is slowed down.

Anchors: OWASP ASVS 6.6.3 (single use, bound, short-lived) and 11.5.1 (tokens of at least 128 random bits).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from partwell.departures import guessing, guests
from partwell.departures.models import GuestGuess, GuestLink
from partwell.signals.models import Message
from tests.factories import NOW
from tests.guest_world import PRIVATE, World, open_browser

pytestmark = pytest.mark.django_db

PREFETCHES = 100


@pytest.fixture(autouse=True)
def clock_stands():
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def world() -> World:
    return World()


def guess(number: int, *, source: str = "203.0.113.7") -> int:
    browser = Client(SERVER_NAME="localhost", REMOTE_ADDR=source)
    return browser.post(f"/g/guess-{number:040d}/").status_code


def test_mail_scanners_that_look_use_nothing_up(world: World, figure: Callable[[str], None]) -> None:
    token = world.invite().token
    scanner = open_browser()
    with CaptureQueriesContext(
        connection,
    ) as seen:
        answers = {scanner.get(f"/g/{token}/").status_code for _ in range(PREFETCHES)}
        answers |= {scanner.head(f"/g/{token}/").status_code}
    assert answers == {200}
    assert not [query for query in seen.captured_queries if "guestlink" in query["sql"]]
    link = GuestLink.objects.get()
    assert (link.opened_at, link.attempts) == (None, 0)
    assert open_browser().post(f"/g/{token}/").status_code == 302
    figure(f"proof 18: {PREFETCHES} prefetches used up 0 links")


def test_looking_does_not_tell_a_good_token_from_a_bad_one(world: World) -> None:
    good, bad = (open_browser().get(f"/g/{token}/") for token in (world.invite().token, "x" * 43))
    csrf = 'name="csrfmiddlewaretoken" value="'

    def without_csrf(page: bytes) -> str:
        before, _, after = page.decode().partition(csrf)
        return before + after.partition('"')[2]

    assert good.status_code == bad.status_code == 200
    assert without_csrf(good.content) == without_csrf(bad.content)


def test_a_link_opens_once(world: World) -> None:
    token = world.invite().token
    assert open_browser().post(f"/g/{token}/").status_code == 302
    for _ in range(3):
        again = open_browser().post(f"/g/{token}/")
        assert again.status_code == 410
        assert "was used already" in again.content.decode()
        assert not again.cookies.get("partwell-guest")
    assert GuestLink.objects.get().attempts == 3


def test_a_link_that_waited_too_long_opens_nothing(world: World, clock_stands) -> None:
    token = world.invite().token
    clock_stands.move_to(NOW + guests.GOOD_FOR - timedelta(seconds=1))
    fresh = world.come_in(now=NOW + guests.GOOD_FOR - timedelta(seconds=1))
    clock_stands.move_to(NOW + guests.GOOD_FOR)
    answer = open_browser().post(f"/g/{token}/")
    assert answer.status_code == 410
    assert "expired" in answer.content.decode()
    assert fresh.get("/g/").status_code == 200


def test_a_spent_link_gives_a_new_one_to_its_own_mailbox_alone(world: World) -> None:
    token = world.invite().token
    open_browser().post(f"/g/{token}/")
    thief = open_browser()
    page = thief.post("/g/new-link/", {"token": token, "email": "thief@evil.example"}).content.decode()
    assert "on its way" in page
    assert PRIVATE not in page
    newest = GuestLink.objects.order_by("pk").filter(opened_at__isnull=True).get()
    assert newest.email == PRIVATE
    mail = Message.objects.get(dedupe_key=f"guest_link:{newest.pk}")
    assert mail.to == PRIVATE
    assert mail.text.partition("/g/")[2].partition("/")[0] not in page


def test_new_links_are_not_sent_without_end(world: World) -> None:
    token = world.invite().token
    open_browser().post(f"/g/{token}/")
    answers = [open_browser().post("/g/new-link/", {"token": token}).status_code for _ in range(20)]
    assert answers.count(200) == guests.NEW_LINKS_PER_DAY
    assert Message.objects.filter(kind="guest_link").count() == 1 + guests.NEW_LINKS_PER_DAY


def test_guessing_from_one_place_is_stopped(world: World, long: bool, figure: Callable[[str], None]) -> None:
    tries = 10_000 if long else 500
    answers = [guess(number) for number in range(tries)]
    assert answers.count(404) == guessing.WRONG_PER_SOURCE
    assert answers.count(429) == tries - guessing.WRONG_PER_SOURCE
    looked_up, refused = answers.count(404), answers.count(429)
    figure(f"proof 18: {tries} guesses, {looked_up} looked up, {refused} refused without a look")


def test_a_good_link_from_a_place_that_guesses_is_refused_and_works_later(world: World, clock_stands) -> None:
    token = world.invite().token
    for number in range(guessing.WRONG_PER_SOURCE):
        guess(number)
    neighbour = Client(SERVER_NAME="localhost", REMOTE_ADDR="203.0.113.7")
    refused = neighbour.post(f"/g/{token}/")
    assert refused.status_code == 429
    assert "Wait a quarter of an hour" in refused.content.decode()
    clock_stands.move_to(NOW + 2 * guessing.WINDOW + timedelta(seconds=1))
    assert neighbour.post(f"/g/{token}/").status_code == 302


def test_a_flood_from_many_places_is_stopped_and_a_guest_still_comes_in(world: World) -> None:
    token = world.invite().token
    GuestGuess.objects.create(source=guessing.EVERYBODY, window_at=NOW, count=guessing.WRONG_IN_ALL)
    answers = [guess(number, source=f"198.51.100.{place}") for place in range(1, 51) for number in range(4)]
    assert answers.count(404) == 50
    assert answers.count(429) == 150
    guest = Client(SERVER_NAME="localhost", REMOTE_ADDR="192.0.2.10")
    assert guest.post(f"/g/{token}/").status_code == 302


def test_one_ipv6_household_is_one_place(world: World) -> None:
    answers = [guess(n, source=f"2001:db8:0:1::{n:x}") for n in range(1, 41)]
    assert answers.count(404) == guessing.WRONG_PER_SOURCE


@pytest.mark.parametrize("is_behind_proxy", [False, True])
def test_a_written_header_does_not_make_another_place(world: World, settings, is_behind_proxy: bool) -> None:
    settings.BEHIND_PROXY = is_behind_proxy
    settings.SECURE_PROXY_SSL_HEADER = None
    statuses = []
    for number in range(40):
        browser = Client(SERVER_NAME="localhost", REMOTE_ADDR="127.0.0.1")
        forged = f"10.0.0.{number}, 203.0.113.9"
        statuses.append(browser.post(f"/g/{number:043d}/", headers={"X-Forwarded-For": forged}).status_code)
    assert statuses.count(404) == guessing.WRONG_PER_SOURCE


def test_a_token_has_256_random_bits(world: World) -> None:
    tokens = {guests.secrets.token_urlsafe(guests.TOKEN_BYTES) for _ in range(200)}
    assert guests.TOKEN_BYTES * 8 >= 128
    assert len(tokens) == 200
    assert min(map(len, tokens)) >= 43


def test_a_cookie_that_was_changed_opens_nothing(world: World) -> None:
    browser = world.come_in()
    good = browser.cookies["partwell-guest"].value
    for wrong in (good[:-1] + ("A" if good[-1] != "A" else "B"), good[1:], "", "x" * 2000):
        browser.cookies["partwell-guest"] = wrong
        assert browser.get("/g/").status_code == 404


@pytest.mark.django_db(transaction=True)
def test_of_many_who_press_the_button_at_once_one_comes_in(world: World) -> None:
    token = world.invite().token
    begin, outcomes = threading.Barrier(4), []

    def press(number: int) -> None:
        try:
            begin.wait(10)
            guests.open_link(token=token, source=f"place {number}", now=NOW)
            outcomes.append("in")
        except guests.LinkGone as refusal:
            outcomes.append(refusal.code)
        finally:
            connection.close()

    pressing = [threading.Thread(target=press, args=[number]) for number in range(4)]
    for thread in pressing:
        thread.start()
    for thread in pressing:
        thread.join(30)
    assert sorted(outcomes) == ["in", "link_used", "link_used", "link_used"]
