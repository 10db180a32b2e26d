"""The OpenID Connect connector against a real provider (oidc-provider)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from partwell.connector_kit.calls import Notes
from partwell.connector_kit.contract import ErrorKind, Identity, Outcome, Verb, Verdict
from partwell.connector_kit.forecast import requests_of
from partwell.connector_kit.limiter import DEFAULT_CLASS, Limiter
from partwell.connector_kit.plan import actions_for
from partwell.connector_kit.registry import find
from partwell.connectors.oidc.tests.connecting import BOTH, connect, failure, lives

pytestmark = pytest.mark.server("oidc-provider")

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


async def test_revoking_tokens_alone_ends_everything_too_and_is_seen_to(oidc_server, person):
    connector = connect(oidc_server, person)
    receipt = await connector.revoke_tokens(person.email)
    assert receipt.summary.endswith("'mail 0' (refresh token) ended with it.")
    assert lives(oidc_server, person) == (False, False, False)
    proof = await connector.verify(person.email, Verb.REVOKE_TOKENS)
    assert proof.verdict is Verdict.CONFIRMED
    assert "until everything of the account was revoked" in proof.read


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
