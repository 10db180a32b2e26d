"""Every request: who is let in, what is refused and how, over which connection."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from allauth.account.internal.flows.login import record_authentication
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP
from django.contrib.messages.storage.fallback import FallbackStorage
from django.contrib.sessions.backends.db import SessionStore
from django.forms import CharField, Form
from django.http import HttpRequest, HttpResponse
from django.template import Context, Template
from django.test import Client, RequestFactory
from django.urls import URLPattern, URLResolver, get_resolver

from partwell.journeys.template_operations import sync_library
from partwell.people import setup_code
from partwell.people.models import RoleGrant, User
from partwell.refusals import Conflict, FreshSignInNeeded, Invalid, NotAllowed, NotFound, Refusal
from partwell.web.middleware import EncryptedOnly
from partwell.web.session import is_fresh
from partwell.web.translate import answer, put_refusal

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 17, 9, 0, tzinfo=UTC)
PASSWORD = "correct horse battery staple"


@pytest.fixture
def amara() -> User:
    return User.objects.create_user("amara@hv.example", PASSWORD, name="Amara Osei")


@pytest.fixture
def client() -> Client:
    return Client(headers={"host": "localhost"})


def request_of(user: User, path: str = "/departures/", **headers: str) -> HttpRequest:
    request = RequestFactory(headers={"host": "localhost", **headers}).get(path)
    request.user = user
    request.session = SessionStore()
    request._messages = FallbackStorage(request)
    return request


def addresses(patterns: list[URLPattern | URLResolver], before: str = "/") -> Iterator[str]:
    """The address of every page that takes no parameters."""
    for pattern in patterns:
        path = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from addresses(pattern.url_patterns, path)
        elif "<" not in path and "(" not in path:
            yield path


OPEN = {
    "/healthz",
    "/readyz",
    # Public keys and where they are: receivers of signals read them without signing in.
    "/.well-known/ssf-configuration",
    "/security-events/jwks.json",
    "/account/login/",
    "/account/inactive/",
    "/account/password/reset/",
    "/account/password/reset/done/",
    "/account/password/reset/key/done/",
}


def test_every_page_but_the_entrance_asks_for_a_sign_in(client: Client, amara: User) -> None:
    let_in = {
        path
        for path in addresses(get_resolver().url_patterns)
        if not path.startswith("/api/") and client.get(path).status_code == 200
    }
    assert let_in <= OPEN
    assert "/account/login/" in let_in


def test_a_fresh_installation_answers_nothing_but_the_welcome(client: Client) -> None:
    for path in ("/", "/account/login/", "/people/"):
        assert client.get(path)["Location"] == "/welcome/"
    assert client.get("/healthz").status_code == 200


def test_the_welcome_page_is_gone_once_somebody_exists(client: Client, amara: User) -> None:
    assert client.get("/welcome/").status_code == 404
    assert client.post("/welcome/", {"code": setup_code.issue()}).status_code == 404


def test_a_new_set_up_code_replaces_the_earlier_one() -> None:
    first, second = setup_code.issue(), setup_code.issue()
    assert not setup_code.is_right(first)
    assert setup_code.is_right(second.lower().replace("-", " "))
    setup_code.discard()
    assert not setup_code.is_right(second)


@pytest.mark.parametrize(
    "path",
    [
        "/account/signup/",
        "/account/email/",
        "/account/confirm-email/",
        "/account/confirm-email/some-key/",
        "/account/password/set/",
    ],
)
def test_there_is_no_sign_up_and_no_address_page(client: Client, amara: User, path: str) -> None:
    client.force_login(amara)
    assert client.get(path).status_code == 404


def test_every_answer_carries_the_policy(client: Client, amara: User) -> None:
    client.force_login(amara)
    for path in ("/", "/no-such-page", "/account/"):
        policy = client.get(path)["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy


def test_plain_http_is_refused_to_any_host_but_this_one(settings: object) -> None:
    serve = EncryptedOnly(lambda request: HttpResponse("inside"))
    settings.ALLOWED_HOSTS = ["partwell.example", "localhost", "[::1]"]  # type: ignore[attr-defined]
    make = RequestFactory()
    assert serve(make.get("/", headers={"host": "partwell.example"})).status_code == 403
    assert serve(make.get("/", headers={"host": "partwell.example"}, secure=True)).content == b"inside"
    assert serve(make.get("/", headers={"host": "localhost:8765"})).content == b"inside"
    assert serve(make.get("/", headers={"host": "[::1]:8765"})).content == b"inside"
    assert serve(make.get("/healthz", headers={"host": "partwell.example"})).content == b"inside"


@pytest.mark.parametrize(
    ("refusal", "status", "words"),
    [
        (NotFound("departure"), 404, "There is no such departure"),
        (NotAllowed("not_allowed", "Cutting access is for IT."), 403, "Cutting access is for IT."),
        (Conflict("departure_ended", "This departure is closed."), 409, "This departure is closed."),
        (Invalid("dates", "The last day is before the notice."), 422, "The last day is before"),
    ],
)
def test_a_refusal_becomes_a_page_or_a_fragment(
    amara: User, refusal: Refusal, status: int, words: str
) -> None:
    page = answer(request_of(amara), refusal)
    assert page.status_code == status
    assert words in page.content.decode()
    assert "<html" in page.content.decode()
    fragment = answer(request_of(amara, **{"HX-Request": "true"}), refusal)
    assert fragment.status_code == status
    assert fragment["HX-Retarget"] == "#pw-notices"
    assert "<html" not in fragment.content.decode()


def test_a_fresh_operation_leads_to_the_second_factor_and_back(amara: User) -> None:
    assert (
        answer(request_of(amara), FreshSignInNeeded())["Location"] == "/account/second-factor/totp/activate/"
    )
    TOTP.activate(amara, "JBSWY3DPEHPK3PXP")
    page = answer(request_of(amara, "/departures/?all=1"), FreshSignInNeeded())
    assert page["Location"] == "/account/second-factor/reauthenticate/?next=%2Fdepartures%2F%3Fall%3D1"
    asked_by_htmx = request_of(
        amara, "/x/", **{"HX-Request": "true", "HX-Current-URL": "https://elsewhere.example/steal"}
    )
    assert answer(asked_by_htmx, FreshSignInNeeded())["HX-Redirect"].endswith("?next=%2F")


@pytest.mark.parametrize(
    ("method", "age", "expected"),
    [
        ("mfa", timedelta(minutes=14, seconds=59), True),
        ("mfa", timedelta(minutes=15), False),
        ("mfa", timedelta(minutes=-10), False),
        ("password", timedelta(seconds=1), False),
    ],
)
def test_only_a_recent_second_factor_is_fresh(
    amara: User, method: str, age: timedelta, expected: bool
) -> None:
    request = request_of(amara)
    with time_machine.travel(NOW - age, tick=False):
        record_authentication(request, amara, method=method)
    assert is_fresh(request, now=NOW) is expected


def test_the_seed_of_a_second_factor_is_not_in_the_database(amara: User) -> None:
    TOTP.activate(amara, "JBSWY3DPEHPK3PXP")
    assert "JBSWY3DPEHPK3PXP" not in str(Authenticator.objects.values())


def test_a_refusal_stands_at_its_field_or_on_top() -> None:
    class Dates(Form):
        day = CharField()

    form = Dates({"day": "x"})
    put_refusal(form, Invalid("a", "Too early.", field="day"))
    put_refusal(form, Conflict("b", "Closed."))
    shown = Template("{% load partwell %}{% error_summary form %}{% field form.day %}").render(
        Context({"form": form})
    )
    assert "2 things to correct" in shown
    assert 'href="#id_day"' in shown
    assert 'aria-describedby="id_day-error"' in shown
    assert 'value="x"' in shown


def test_the_side_bar_offers_only_pages_that_exist_and_are_for_one(client: Client, amara: User) -> None:
    client.force_login(amara)
    assert 'href="/settings/"' not in client.get("/").content.decode()
    RoleGrant.objects.create(user=amara, role="admin", granted_at=NOW, granted_by="test")
    page = client.get("/").content.decode()
    assert 'aria-current="page"' in page
    assert "Administrator" in page


def test_a_status_outside_the_vocabulary_is_an_error() -> None:
    with pytest.raises(ValueError, match="no such status"):
        Template("{% load partwell %}{% status 'green' %}").render(Context())


def test_a_name_cannot_bring_markup_into_a_page() -> None:
    shown = Template("{% load partwell %}{% face name %}{% status 'todo' name %}").render(
        Context({"name": "<b>&"})
    )
    assert "<b>" not in shown


def test_the_shell_costs_few_queries(
    client: Client, amara: User, django_assert_max_num_queries: object
) -> None:
    client.force_login(amara)
    with django_assert_max_num_queries(10):  # type: ignore[operator]
        client.get("/account/")


def test_nobody_is_offered_a_journey_that_begins_with_the_kill_switch(amara: User, client: Client) -> None:
    sync_library(now=NOW)
    RoleGrant.objects.create(user=amara, role="hr", granted_at=NOW, granted_by="tests")
    client.force_login(amara)
    page = client.get("/departures/new/").content.decode()
    assert 'value="staff-resignation"' in page
    assert "urgent-cut" not in page


def test_a_new_departure_begins_with_a_resignation_and_says_what_each_ending_is_for(
    amara: User, client: Client
) -> None:
    sync_library(now=NOW)
    RoleGrant.objects.create(user=amara, role="hr", granted_at=NOW, granted_by="tests")
    client.force_login(amara)
    page = client.get("/departures/new/").content.decode()
    assert '<option value="staff-resignation" selected>' in page
    colleagues, clients = page.split('<optgroup label="A colleague">')[1].split('<optgroup label="A client">')
    assert 'value="staff-death-in-service"' in colleagues
    assert 'value="client-contract-expiry"' in clients
    assert "Enter the day of death as notice" in page
    reasons = page.split('name="reason"')[1].split("</select>")[0]
    assert reasons.index('label="A colleague resigns"') < reasons.index('label="A colleague has died"')
