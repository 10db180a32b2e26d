"""A departure at a real OpenID Connect provider: what was read back is verified, the rest is for a person."""

from __future__ import annotations

import json
from contextlib import closing
from typing import Any

import pytest

from partwell import clock
from partwell.access import operations
from partwell.evidence.models import Event
from tests.access_world import World, make_departure, make_world
from tests.servers.oidc import OidcServer, SignedIn

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_pauses")]


@pytest.fixture
def person(oidc_server: OidcServer):
    found = oidc_server.sign_in()
    with closing(found.browser):
        yield found


@pytest.fixture
def leaving(
    person: SignedIn,
    oidc_server: OidcServer,
    tmp_path: Any,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> World:
    """The person leaves, and the firm holds a refresh token of theirs."""
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]
    monkeypatch.setenv("OIDC_SECRET", oidc_server.secret)
    monkeypatch.setenv("OIDC_BEARER", oidc_server.bearer)
    monkeypatch.setenv("OIDC_HELD", person.refresh_token)
    return make_world(tmp_path, make_departure(person.email))


def connect(world: World, server: OidcServer, person: SignedIn, **settings: Any) -> None:
    held = {"label": "mail archive", "account": person.email, "token": "env:OIDC_HELD"}
    given = {
        "issuer_url": server.url,
        "allow_plain": True,
        "client_id": "app",
        "client_secret": "env:OIDC_SECRET",
        "token": "env:OIDC_BEARER",
        "held_tokens": [held],
        **settings,
    }
    description = {"name": "sign-in", "connector": "oidc", "settings": given}
    operations.add_system(description=description, actor=world.console, now=clock.now())


def test_tokens_are_verified_by_the_one_that_is_held_and_sessions_wait_for_a_person(
    leaving: World, oidc_server: OidcServer, person: SignedIn
) -> None:
    connect(leaving, oidc_server, person)
    leaving.cut()
    assert leaving.states("sign-in") == {
        "revoke_sessions": "manual",
        "revoke_tokens": "verified",
        "suspend": "manual",
    }
    assert "shows no sessions" in leaving.change("sign-in", "revoke_sessions").reason
    assert not oidc_server.has_session(person)
    assert not oidc_server.is_active(person.refresh_token)
    assert not leaving.is_settled
    kept = json.dumps(list(Event.objects.values()), default=str)
    for secret in (person.refresh_token, oidc_server.secret, oidc_server.bearer):
        assert secret not in kept
    # A day after, in a process that saw nothing end: what was verified stays so.
    operations.verify_plan(departure=leaving.departure, actor=leaving.console, now=clock.now())
    assert leaving.states("sign-in")["revoke_tokens"] == "verified"


def test_nothing_is_verified_of_a_provider_that_says_yes_and_does_nothing(
    leaving: World, oidc_server: OidcServer, person: SignedIn
) -> None:
    connect(
        leaving,
        oidc_server,
        person,
        global_revocation_url=f"{oidc_server.url}/global-token-revocation-that-lies",
    )
    leaving.cut()
    assert oidc_server.has_session(person)
    assert leaving.states("sign-in") == dict.fromkeys(
        ("revoke_sessions", "revoke_tokens", "suspend"), "manual"
    )
    assert "revoked by itself" in leaving.change("sign-in", "revoke_tokens").reason


def test_a_token_that_lives_again_after_it_was_verified_is_said(
    leaving: World, oidc_server: OidcServer, person: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(leaving, oidc_server, person)
    leaving.cut()
    with closing((again := oidc_server.sign_in()).browser):
        monkeypatch.setenv("OIDC_HELD", again.refresh_token)
        operations.verify_plan(departure=leaving.departure, actor=leaving.console, now=clock.now())
    assert leaving.states("sign-in")["revoke_tokens"] == "failed"
