"""Tokens that the firm holds, at a real OpenID provider, and at one that can be asked for little."""

from __future__ import annotations

import pytest

from partwell.connector_kit.contract import ErrorKind, HoldingKind, Outcome, Verb, Verdict
from partwell.connectors.oidc.connector import CONNECTOR
from partwell.connectors.oidc.tests.connecting import BOTH, connect, failure, lives

pytestmark = pytest.mark.server("oidc-provider")

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
    assert "did not see it end" in proof.read
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
