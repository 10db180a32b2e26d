"""Tokens: who may make one, what it may do, and when it dies."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.test import Client

from partwell import clock
from partwell.api import authentication
from partwell.evidence.models import Event
from partwell.people.actors import console_actor
from partwell.people.models import ApiToken
from partwell.people.roles import Role
from partwell.people.token_operations import create_token, list_tokens, revoke_token
from partwell.refusals import FreshSignInNeeded, Invalid, NotAllowed, NotFound
from tests.factories import as_actor, make_holder
from tests.integration.api.conftest import Api, token_for

pytestmark = pytest.mark.django_db


def test_without_a_token_nothing_is_answered_and_a_session_is_no_token(hr: Api) -> None:
    browser, nobody = (Client(headers={"host": "localhost"}) for _ in range(2))
    browser.force_login(hr.user, backend="partwell.web.signin.Backend")
    for answer in (nobody.get("/api/v1/people"), browser.get("/api/v1/people")):
        assert answer.status_code == 401
        assert answer["Content-Type"] == "application/problem+json"
        assert answer["WWW-Authenticate"].startswith("Bearer")
        assert answer.json()["code"] == "token_needed"


def test_a_token_says_whom_it_acts_as_and_is_kept_only_as_a_digest(hr: Api) -> None:
    said = hr.get("/me").json()
    assert (said["user"], said["scopes"], said["roles"]) == (hr.user.email, ["read", "write"], ["hr"])
    stored = ApiToken.objects.get()
    assert hr.secret not in str(vars(stored))
    assert not any(hr.secret in str(event.fields) for event in Event.objects.all())
    assert stored.last_used_at is not None


def test_a_token_dies_when_revoked_when_expired_and_when_its_user_may_not_sign_in(hr: Api) -> None:
    other = token_for(hr.user)
    revoke_token(token_id=ApiToken.objects.order_by("pk")[1].pk, actor=console_actor(), now=clock.now())
    assert other.get("/me").status_code == 401
    with time_machine.travel(clock.now() + timedelta(days=91)):
        assert hr.get("/me").status_code == 401
    assert hr.get("/me").status_code == 200
    hr.user.is_active = False
    hr.user.save()
    assert hr.get("/me").status_code == 401


def test_a_token_never_may_more_than_its_scopes_nor_than_its_user(hr: Api, firm: dict) -> None:
    reader = token_for(hr.user, "read")
    body = {"template": "small", "person": firm["person"].email, "last_working_day": "2026-12-20"}
    refused = reader.post("/journeys", body)
    assert (refused.status_code, refused.json()["code"]) == (403, "scope_missing")
    it = token_for(firm["it"])
    assert (it.post("/journeys", body).status_code, it.get("/systems").status_code) == (403, 200)
    assert hr.get("/systems").json()["code"] == "not_allowed"


def test_people_make_tokens_for_themselves_with_a_fresh_sign_in(hr: Api, firm: dict) -> None:
    fresh, stale = as_actor(hr.user), as_actor(hr.user, is_fresh=False)
    token, secret = create_token(scopes=["access"], actor=fresh, now=clock.now(), name="payroll", days=7)
    assert (token.user, token.scopes, token.name) == (hr.user, ["access", "read"], "payroll")
    assert Api(secret, hr.user).get("/me").json()["token"] == "payroll"
    with pytest.raises(FreshSignInNeeded):
        create_token(scopes=["read"], actor=stale, now=clock.now())
    with pytest.raises(NotAllowed, match="yourself"):
        create_token(scopes=["read"], email=firm["it"].email, actor=fresh, now=clock.now())
    for wrong in ({"scopes": ["root"]}, {"scopes": []}, {"scopes": ["read"], "days": 400}):
        with pytest.raises(Invalid):
            create_token(actor=fresh, now=clock.now(), **wrong)


def test_one_sees_and_revokes_ones_own_tokens_only_unless_one_administers(hr: Api, firm: dict) -> None:
    it, admin = as_actor(firm["it"]), as_actor(make_holder(Role.ADMIN, "Ada Min"))
    mine = ApiToken.objects.get()
    assert list_tokens(actor=it) == []
    assert list_tokens(actor=admin) == [mine]
    with pytest.raises(NotFound):
        revoke_token(token_id=mine.pk, actor=it, now=clock.now())
    assert revoke_token(token_id=mine.pk, actor=admin, now=clock.now()).revoked_at is not None


def test_the_console_makes_a_token_for_the_only_administrator_and_asks_when_there_are_two() -> None:
    with pytest.raises(Invalid, match="0 administrators"):
        create_token(scopes=["read"], actor=console_actor(), now=clock.now())
    admin = make_holder(Role.ADMIN, "Ada Min")
    token, _ = create_token(scopes=["read"], actor=console_actor(), now=clock.now())
    assert token.user == admin
    make_holder(Role.ADMIN, "Ben Min")
    with pytest.raises(Invalid, match="2 administrators"):
        create_token(scopes=["read"], actor=console_actor(), now=clock.now())


def test_too_many_calls_within_a_minute_are_refused(hr: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authentication, "CALLS_PER_MINUTE", 3)
    with time_machine.travel(clock.now().replace(second=1), tick=False):
        codes = [hr.get("/me").status_code for _ in range(4)]
        last = hr.get("/me")
    assert codes == [200, 200, 200, 429]
    assert (last["Retry-After"], last.json()["code"]) == ("60", "too_many_calls")
