"""The OpenID Connect connector against a real provider (oidc-provider)."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from partwell.connector_kit.addresses import AllowList
from partwell.connector_kit.calls import Notes, NotingSecrets
from partwell.connector_kit.contract import (
    Connection,
    ConnectorError,
    ErrorKind,
    HoldingKind,
    Identity,
    Outcome,
    Verb,
    Verdict,
)
from partwell.connector_kit.forecast import requests_of
from partwell.connector_kit.limiter import DEFAULT_CLASS, Limiter
from partwell.connector_kit.plan import actions_for
from partwell.connector_kit.registry import find, settings_problems
from partwell.connector_kit.secrets import ReferencedSecrets
from partwell.connector_kit.transport import Transport
from partwell.connectors.oidc.connector import CONNECTOR, OidcConnector
from tests.servers.oidc import OidcServer, SignedIn

pytestmark = pytest.mark.server("oidc-provider")
BOTH = (Verb.REVOKE_SESSIONS, Verb.REVOKE_TOKENS)


def connect(
    server: OidcServer,
    *persons: SignedIn,
    kind: str = "refresh_token",
    read_only: bool = False,
    notes: Notes | None = None,
    now=lambda: datetime.now(UTC),
    **settings,
) -> OidcConnector:
    """A connection as the application, which holds one token of each of these people."""
    environ = {"SECRET": server.secret, "BEARER": server.bearer}
    held = []
    for number, person in enumerate(persons):
        environ[f"TOKEN_{number}"] = getattr(person, kind)
        account = person.email if settings.get("subject", "email") == "email" else person.sub
        held.append(
            {"label": f"mail {number}", "account": account, "token": f"env:TOKEN_{number}", "kind": kind}
        )
    secrets = ReferencedSecrets(environ)
    given = {
        "issuer_url": server.url,
        "allow_plain": True,
        "client_id": "app",
        "client_secret": "env:SECRET",
        "held_tokens": held,
        **({} if server.is_plain else {"token": "env:BEARER"}),
        **settings,
    }
    given = {name: value for name, value in given.items() if value is not None}
    assert settings_problems(find("oidc").manifest, given) == []
    return CONNECTOR(
        Connection(
            name="sign-in",
            settings=given,
            secrets=NotingSecrets(secrets, notes) if notes else secrets,
            transport=Transport(AllowList.parse(["127.0.0.1"]), read_only=read_only, notes=notes),
            now=now,
        )
    )


@pytest.fixture
def person(oidc_server: OidcServer):
    found = oidc_server.sign_in()
    with closing(found.browser):
        yield found


@pytest.fixture
def colleague(oidc_server: OidcServer):
    found = oidc_server.sign_in()
    with closing(found.browser):
        yield found


@pytest.fixture
def plain_person(plain_oidc_server: OidcServer):
    found = plain_oidc_server.sign_in()
    with closing(found.browser):
        yield found


def lives(server: OidcServer, person: SignedIn) -> tuple[bool, bool, bool]:
    """Whether the session, the access token and the refresh token still work; as the provider shows it."""
    session = server.has_session(person)
    return session, server.is_active(person.access_token), server.is_active(person.refresh_token)


async def failure(awaitable) -> ConnectorError:
    with pytest.raises(ConnectorError) as caught:
        await awaitable
    return caught.value


# -- everything of somebody ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("subject", "more"),
    [
        ("email", {}),
        ("opaque", {"subject": "opaque"}),
        ("iss_sub", {"subject": "iss_sub"}),
        ("email, by the client's secret", {"client_id": "partwell", "token": None}),
    ],
)
async def test_everything_of_a_person_is_dead_after_the_cut_and_nothing_of_anybody_else(
    oidc_server, person, colleague, subject, more
):
    connector = connect(oidc_server, person, **more)
    (account,) = await connector.discover(Identity(emails=(person.email.upper(),), usernames=(person.sub,)))
    assert lives(oidc_server, person) == (True, True, True)
    receipt = await connector.revoke_sessions(account.external_id)
    assert receipt.outcome is Outcome.ACCEPTED
    assert "'mail 0' (refresh token) ended with it" in receipt.summary
    assert lives(oidc_server, person) == (False, False, False)
    assert oidc_server.refresh(person.refresh_token).json()["error"] == "invalid_grant"
    assert oidc_server.userinfo(person.access_token) == 401
    assert lives(oidc_server, colleague) == (True, True, True)
    proof = await connector.verify(account.external_id, Verb.REVOKE_TOKENS)
    assert proof.verdict is Verdict.CONFIRMED
    assert "inactive by introspection" in proof.read


async def test_ended_sessions_are_never_green_as_nothing_shows_them(oidc_server, person):
    connector = connect(oidc_server, person)
    await connector.revoke_sessions(person.email)
    assert not oidc_server.has_session(person)
    proof = await connector.verify(person.email, Verb.REVOKE_SESSIONS)
    assert proof.verdict is Verdict.UNVERIFIABLE
    assert "shows no sessions" in proof.read


async def test_without_a_token_to_read_it_back_by_an_accepted_revocation_is_not_proven(oidc_server, person):
    connector = connect(oidc_server)
    receipt = await connector.revoke_tokens(person.email)
    assert receipt.outcome is Outcome.ACCEPTED
    assert lives(oidc_server, person) == (False, False, False)
    for verb in BOTH:
        assert (await connector.verify(person.email, verb)).verdict is Verdict.UNVERIFIABLE, verb


async def test_a_provider_that_says_yes_and_does_nothing_is_never_green(oidc_server, person):
    lying = f"{oidc_server.url}/global-token-revocation-that-lies"
    connector = connect(oidc_server, person, global_revocation_url=lying)
    assert (await connector.revoke_sessions(person.email)).outcome is Outcome.ACCEPTED
    assert lives(oidc_server, person) == (True, True, True)
    assert (await connector.verify(person.email, Verb.REVOKE_SESSIONS)).verdict is Verdict.PENDING
    assert (await connector.verify(person.email, Verb.REVOKE_TOKENS)).verdict is Verdict.FAILED
    receipt = await connector.revoke_tokens(person.email)
    assert "Not seen to end with it: 'mail 0' (refresh token)." in receipt.summary
    # What is held here is dead; that the session lives, nothing shows, so nothing is green.
    assert lives(oidc_server, person) == (True, False, False)
    for verb in BOTH:
        proof = await connector.verify(person.email, verb)
        assert proof.verdict is Verdict.UNVERIFIABLE, (verb, proof)
    assert "revoked by itself" in proof.read


async def test_a_token_that_lives_on_is_a_failure_once_its_time_is_over(oidc_server, person):
    moment = [datetime.now(UTC)]
    lying = f"{oidc_server.url}/global-token-revocation-that-lies"
    connector = connect(oidc_server, person, global_revocation_url=lying, now=lambda: moment[0])
    await connector.revoke_sessions(person.email)
    proof = await connector.verify(person.email, Verb.REVOKE_SESSIONS)
    assert (proof.verdict, proof.retry_until) == (Verdict.PENDING, moment[0] + timedelta(seconds=300))
    moment[0] += timedelta(seconds=301)
    for verb in BOTH:
        assert (await connector.verify(person.email, verb)).verdict is Verdict.FAILED, verb


async def test_somebody_whom_the_provider_does_not_know_is_not_called_done_either(oidc_server):
    connector = connect(oidc_server)
    for verb in BOTH:
        receipt = await getattr(connector, verb.value)("nobody@firm.test")
        assert receipt.outcome is Outcome.ALREADY_DONE
        assert "or there is no such endpoint" in receipt.summary
        assert (await connector.verify("nobody@firm.test", verb)).verdict is Verdict.UNVERIFIABLE


# -- tokens that are held here ------------------------------------------------------------------------


async def test_held_tokens_are_revoked_one_by_one_where_everything_is_left_alone(
    oidc_server, person, colleague
):
    connector = connect(oidc_server, person, colleague, global_revocation=False)
    receipt = await connector.revoke_tokens(person.email)
    assert receipt.outcome is Outcome.DONE
    # Of oidc-provider, a refresh token's end takes the access token of the same grant with it.
    assert lives(oidc_server, person) == (True, False, False)
    assert lives(oidc_server, colleague) == (True, True, True)
    proof = await connector.verify(person.email, Verb.REVOKE_TOKENS)
    assert proof.verdict is Verdict.CONFIRMED
    assert "Tokens that others hold are not seen from here" in proof.read
    assert proof.probe == "'mail 0' (refresh token) was refused new tokens"
    assert (await connector.revoke_tokens(person.email)).outcome is Outcome.ALREADY_DONE


async def test_an_access_token_is_revoked_and_refused_at_userinfo(oidc_server, person):
    connector = connect(oidc_server, person, kind="access_token", global_revocation=False)
    await connector.revoke_tokens(person.email)
    assert lives(oidc_server, person) == (True, False, True)
    proof = await connector.verify(person.email, Verb.REVOKE_TOKENS)
    assert (proof.verdict, proof.probe) == (
        Verdict.CONFIRMED,
        "'mail 0' (access token) was refused at userinfo",
    )


async def test_what_was_not_revoked_is_not_confirmed_and_asking_uses_nothing_up(oidc_server, person):
    connector = connect(oidc_server, person)
    for verb in BOTH:
        assert (await connector.verify(person.email, verb)).verdict is Verdict.FAILED, verb
    assert lives(oidc_server, person) == (True, True, True)


async def test_a_token_that_was_dead_before_proves_nothing(oidc_server, person):
    oidc_server.refresh(person.refresh_token)  # it was rotated: a newer one is alive elsewhere
    connector = connect(oidc_server, person, global_revocation=False)
    assert (await connector.revoke_tokens(person.email)).outcome is Outcome.ALREADY_DONE
    proof = await connector.verify(person.email, Verb.REVOKE_TOKENS)
    assert proof.verdict is Verdict.UNVERIFIABLE
    assert "not seen active before" in proof.read
    report = await connector.test()
    assert not report.ok and "is not active" in report.problems[0]


async def test_a_client_that_may_not_ask_is_told_inactive_and_believes_nothing(oidc_server, person):
    connector = connect(oidc_server, person, client_id="stranger", global_revocation=False)
    assert (await connector.revoke_tokens(person.email)).outcome is Outcome.ALREADY_DONE
    assert oidc_server.is_active(person.refresh_token)
    assert (await connector.verify(person.email, Verb.REVOKE_TOKENS)).verdict is Verdict.UNVERIFIABLE
    assert not (await connector.test()).ok


async def test_another_clients_token_is_refused_and_said_to_be(oidc_server, person):
    error = await failure(
        connect(oidc_server, person, client_id="partwell", global_revocation=False).revoke_tokens(
            person.email
        )
    )
    assert error.kind is ErrorKind.INVALID
    assert "may be another client's" in error.message
    assert oidc_server.is_active(person.refresh_token)


async def test_a_token_of_somebody_else_signs_nobody_out(oidc_server, person, colleague):
    connector = connect(oidc_server, person, subject="opaque", global_revocation=False)
    connector.connection.settings["held_tokens"][0]["account"] = colleague.sub
    connector = CONNECTOR(connector.connection)
    error = await failure(connector.revoke_tokens(colleague.sub))
    assert error.kind is ErrorKind.CONFLICT
    assert oidc_server.is_active(person.refresh_token)


async def test_after_a_restart_a_living_token_is_found_and_a_dead_one_is_no_proof(oidc_server, person):
    assert (await connect(oidc_server, person).verify(person.email, Verb.REVOKE_TOKENS)).verdict is (
        Verdict.FAILED
    )
    await connect(oidc_server, person).revoke_tokens(person.email)
    assert (await connect(oidc_server, person).verify(person.email, Verb.REVOKE_TOKENS)).verdict is (
        Verdict.UNVERIFIABLE
    )


async def test_what_is_held_is_listed_until_it_has_ended(oidc_server, person):
    connector = connect(oidc_server, person)
    (held,) = await connector.holdings(person.email)
    assert (held.kind, held.external_id, held.details["state"]) == (HoldingKind.TOKEN, "mail 0", "active")
    assert person.refresh_token not in repr(held)
    await connector.revoke_tokens(person.email)
    assert await connector.holdings(person.email) == []
    assert await connector.holdings("nobody@firm.test") == []


# -- a provider that offers little --------------------------------------------------------------------


async def test_without_introspection_a_refresh_token_is_proven_dead_by_trying_it(
    plain_oidc_server, plain_person
):
    connector = connect(plain_oidc_server, plain_person)
    assert (await connector.revoke_tokens(plain_person.email)).outcome is Outcome.DONE
    proof = await connector.verify(plain_person.email, Verb.REVOKE_TOKENS)
    assert (proof.verdict, proof.probe) == (
        Verdict.CONFIRMED,
        "'mail 0' (refresh token) was refused new tokens",
    )
    assert plain_oidc_server.refresh(plain_person.refresh_token).status_code == 400


async def test_without_introspection_a_refresh_token_is_not_tried_before_it_was_revoked(
    plain_oidc_server, plain_person
):
    connector = connect(plain_oidc_server, plain_person)
    proof = await connector.verify(plain_person.email, Verb.REVOKE_TOKENS)
    assert (proof.verdict, proof.probe) == (Verdict.UNVERIFIABLE, "")
    (held,) = await connector.holdings(plain_person.email)
    assert held.details["state"] == "unknown"
    assert plain_oidc_server.refresh(plain_person.refresh_token).status_code == 200


async def test_without_introspection_an_access_token_is_proven_dead_at_userinfo(
    plain_oidc_server, plain_person
):
    connector = connect(plain_oidc_server, plain_person, kind="access_token")
    assert (await connector.verify(plain_person.email, Verb.REVOKE_TOKENS)).verdict is Verdict.FAILED
    await connector.revoke_tokens(plain_person.email)
    proof = await connector.verify(plain_person.email, Verb.REVOKE_TOKENS)
    assert proof.verdict is Verdict.CONFIRMED
    assert plain_oidc_server.userinfo(plain_person.access_token) == 401


async def test_what_the_provider_has_not_got_is_a_task_for_a_person(plain_oidc_server, plain_person):
    connector = connect(plain_oidc_server, plain_person)
    error = await failure(connector.revoke_sessions(plain_person.email))
    assert error.kind is ErrorKind.UNSUPPORTED
    error = await failure(connector.revoke_tokens("colleague@firm.test"))
    assert error.kind is ErrorKind.UNSUPPORTED
    report = await connector.test()
    assert report.ok and "without: [revoke_sessions]" in report.summary
    nothing = await connect(plain_oidc_server).test()
    assert not nothing.ok and "nothing to revoke" in nothing.problems[0]
    assert plain_oidc_server.has_session(plain_person)


# -- finding, keeping, dry runs -----------------------------------------------------------------------


async def test_an_account_is_a_name_and_nothing_is_said_of_whether_it_exists(oidc_server, person):
    connector = connect(oidc_server, person)
    two = Identity(emails=(person.email, "ana.old@firm.test", person.email.upper()))
    found = await connector.discover(two)
    assert [account.external_id for account in found] == [person.email, "ana.old@firm.test"]
    assert [account.is_active for account in found] == [None, None]
    assert found[0].details == {"held_tokens": "'mail 0' (refresh token)"}
    again = await connector.read(person.email)
    assert again is not None and again.is_active is None


async def test_a_protected_account_is_marked_and_never_touched(oidc_server, person):
    connector = connect(oidc_server, person, protected=[person.email.upper()])
    (account,) = await connector.discover(Identity(emails=(person.email,)))
    assert account.is_protected
    assert all(action.manual_reason for action in actions_for(account, find("oidc").manifest.capabilities))
    for verb in BOTH:
        assert (await failure(getattr(connector, verb.value)(person.email))).kind is ErrorKind.CONFLICT
    assert lives(oidc_server, person) == (True, True, True)


async def test_the_connection_test_changes_nothing(oidc_server, person):
    report = await connect(oidc_server, person, read_only=True).test()
    assert report.ok, report.problems
    assert lives(oidc_server, person) == (True, True, True)


async def test_a_dry_run_stops_every_write(oidc_server, person):
    connector = connect(oidc_server, person, read_only=True)
    for verb in BOTH:
        assert (await failure(getattr(connector, verb.value)(person.email))).kind is ErrorKind.UNSUPPORTED
    assert lives(oidc_server, person) == (True, True, True)


async def test_a_dry_run_shows_the_calls_and_no_secret(oidc_server, person):
    notes = Notes()
    connector = connect(oidc_server, person, read_only=True, notes=notes)
    await connector.revoke_tokens(person.email)
    shown, total = notes.take()
    assert [call.target.removeprefix(oidc_server.url) for call in shown] == [
        "/global-token-revocation",
        "/token/revocation",
    ]
    assert total == 2
    assert shown[0].body == {"sub_id": {"format": "email", "email": person.email}}
    for secret in (oidc_server.secret, oidc_server.bearer, person.refresh_token):
        assert secret not in repr(shown)
    assert lives(oidc_server, person) == (True, True, True)


async def test_no_secret_is_in_what_is_said_or_kept(oidc_server, person):
    connector = connect(oidc_server, person)
    receipts = [await getattr(connector, verb.value)(person.email) for verb in BOTH]
    proofs = [await connector.verify(person.email, verb) for verb in BOTH]
    told = repr((receipts, proofs, vars(connector), connector.connection, await connector.test()))
    for secret in (oidc_server.secret, oidc_server.bearer, person.refresh_token, person.access_token):
        assert secret not in told


class Counting(Limiter):
    """Counts requests, and holds none back."""

    sent = 0

    def reserve(self, name: str = DEFAULT_CLASS) -> float:
        self.sent += 1
        return 0.0


@pytest.mark.parametrize("verb", BOTH)
async def test_a_call_takes_no_more_requests_than_plans_are_told(oidc_server, person, verb):
    limits, connector = find("oidc").manifest.limits, connect(oidc_server, person)

    async def check(call, asked):
        connector.connection.transport.limiter = counting = Counting()
        await asked
        assert counting.sent <= requests_of(limits, call)[DEFAULT_CLASS], (call, counting.sent)

    # Each with metadata of its own, as a connection may be opened for any of them.
    for call, arguments in (
        ("discover", (Identity(emails=(person.email,)),)),
        (verb.value, (person.email,)),
        ("verify", (person.email, verb)),
    ):
        connector._provider._metadata = None
        await check(call, getattr(connector, call)(*arguments))
