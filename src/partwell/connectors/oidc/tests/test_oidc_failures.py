"""What the OpenID Connect connector makes of answers that our own provider never gives, and others do."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, unquote_plus

import httpx
import pytest

from partwell.connector_kit.addresses import AllowList
from partwell.connector_kit.contract import (
    Connection,
    ConnectorError,
    ErrorKind,
    Identity,
    Outcome,
    Verb,
    Verdict,
)
from partwell.connector_kit.registry import find, settings_problems
from partwell.connector_kit.secrets import ReferencedSecrets
from partwell.connector_kit.testing import ScriptedHttp
from partwell.connector_kit.transport import Transport
from partwell.connectors.oidc.connector import CONNECTOR, OidcConnector

NOW = datetime(2026, 11, 27, 16, 30, tzinfo=UTC)
ISSUER = "https://id.example.com"
ANA = "ana@firm.test"
METADATA = {
    "issuer": ISSUER,
    "token_endpoint": f"{ISSUER}/token",
    "userinfo_endpoint": f"{ISSUER}/userinfo",
    "introspection_endpoint": f"{ISSUER}/introspect",
    "revocation_endpoint": f"{ISSUER}/revoke",
    "global_token_revocation_endpoint": f"{ISSUER}/global",
}
ENVIRON = {"SECRET": "secret-canary", "TOKEN": "token-canary", "BEARER": "bearer-canary"}
HTML = httpx.Response(200, html="<h1>Welcome</h1>")
HELD = [{"label": "mail", "account": ANA, "token": "env:TOKEN"}]


def active(is_active: Any = True) -> httpx.Response:
    return httpx.Response(200, json={"active": is_active})


class Scripted:
    """A provider that answers by path, from a list in turn, the last one for ever; it keeps what it was
    asked."""

    def __init__(self, metadata: Mapping[str, Any] = METADATA, **answers: Any) -> None:
        self.answers = {
            "/.well-known/openid-configuration": [httpx.Response(200, json=metadata)],
            "/global": [httpx.Response(204)],
            "/revoke": [httpx.Response(200)],
            "/introspect": [active()],
        } | {f"/{name}": given if isinstance(given, list) else [given] for name, given in answers.items()}
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        answers = self.answers[request.url.path]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def paths(self) -> list[str]:
        """Where it was asked, but for its metadata."""
        return [request.url.path for request in self.asked if "well-known" not in request.url.path]


def connect(handler: Callable[[httpx.Request], httpx.Response], **given: Any) -> OidcConnector:
    settings = {
        "issuer_url": ISSUER,
        "client_id": "partwell",
        "client_secret": "env:SECRET",
        "held_tokens": HELD,
        **given,
    }
    assert settings_problems(find("oidc").manifest, settings) == []
    transport = Transport(
        AllowList(),
        resolver=lambda host, port: ["10.0.0.7" if host == "inside.test" else "93.184.215.14"],
        http=ScriptedHttp(handler),
    )
    return CONNECTOR(Connection("sign-in", settings, ReferencedSecrets(ENVIRON), transport, lambda: NOW))


async def failure(awaitable) -> ConnectorError:
    with pytest.raises(ConnectorError) as caught:
        await awaitable
    assert "canary" not in caught.value.message
    return caught.value


# -- its metadata -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (HTML, ErrorKind.RETRYABLE),
        (httpx.Response(200, json=[]), ErrorKind.RETRYABLE),
        (httpx.Response(500), ErrorKind.RETRYABLE),
        (httpx.Response(404), ErrorKind.RETRYABLE),
        (httpx.Response(302, headers={"location": "https://elsewhere.test"}), ErrorKind.INVALID),
        (httpx.Response(429, headers={"retry-after": "7"}), ErrorKind.THROTTLED),
        (httpx.ConnectError("refused"), ErrorKind.RETRYABLE),
    ],
)
async def test_a_provider_that_does_not_answer_as_one_leaves_it_unknown_who_has_an_account(answer, kind):
    script = Scripted()
    script.answers["/.well-known/openid-configuration"] = [answer]
    for asked in (
        connect(script).discover(Identity(emails=(ANA,))),
        connect(script).read(ANA),
        connect(script).revoke_tokens(ANA),
        connect(script).holdings(ANA),
    ):
        assert (await failure(asked)).kind is kind
    assert not (await connect(script).test()).ok


@pytest.mark.parametrize("issuer", [f"{ISSUER}/", "https://id.example.org", None, ["https://id.example.com"]])
async def test_metadata_of_another_issuer_are_not_believed(issuer):
    script = Scripted(METADATA | {"issuer": issuer})
    error = await failure(connect(script).revoke_sessions(ANA))
    assert error.kind is ErrorKind.INVALID
    assert script.paths == []


async def test_an_endpoint_on_the_inside_is_not_gone_to():
    script = Scripted(METADATA | {"global_token_revocation_endpoint": "https://inside.test/global"})
    assert (await failure(connect(script, held_tokens=[]).revoke_sessions(ANA))).is_permanent
    assert script.paths == []


@pytest.mark.parametrize(
    ("identity", "settings"),
    [
        (Identity(emails=()), {}),
        (Identity(emails=(ANA,)), {"subject": "opaque"}),
        (Identity(emails=(ANA,)), {"subject": "iss_sub", "subject_from": "employee_number"}),
    ],
)
async def test_a_person_of_whom_nothing_is_on_record_is_unknown_and_not_without_an_account(
    identity, settings
):
    error = await failure(connect(Scripted(), **settings).discover(identity))
    assert "none is on record" in error.message


# -- everything of somebody ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "kind", "says"),
    [
        (httpx.Response(400), ErrorKind.INVALID, "setting 'subject'"),
        (httpx.Response(401), ErrorKind.DENIED, "credentials"),
        (httpx.Response(403), ErrorKind.DENIED, "lack the right"),
        (httpx.Response(404, html="<h1>Not Found</h1>"), ErrorKind.RETRYABLE, "no such endpoint"),
        (httpx.Response(422), ErrorKind.CONFLICT, "cannot sign this person out"),
        (httpx.Response(500), ErrorKind.RETRYABLE, "500"),
        (HTML, ErrorKind.INVALID, "200"),
        (httpx.Response(202), ErrorKind.INVALID, "202"),
        (httpx.Response(307, headers={"location": "/x"}), ErrorKind.INVALID, "redirects"),
    ],
)
@pytest.mark.parametrize("verb", [Verb.REVOKE_SESSIONS, Verb.REVOKE_TOKENS])
async def test_nothing_but_a_204_counts_as_taken_up(answer, kind, says, verb):
    error = await failure(getattr(connect(Scripted(**{"global": answer})), verb.value)(ANA))
    assert error.kind is kind
    assert says in error.message


async def test_a_provider_that_wants_to_be_asked_less_is_asked_when_it_says():
    for answer in (
        httpx.Response(429, headers={"retry-after": "42"}),
        httpx.Response(503, headers={"retry-after": "42"}),
    ):
        error = await failure(connect(Scripted(**{"global": answer})).revoke_sessions(ANA))
        assert (error.kind, error.retry_at) == (ErrorKind.THROTTLED, NOW + timedelta(seconds=42))


async def test_a_404_without_a_page_is_nobody_known_and_never_proof():
    script = Scripted(**{"global": httpx.Response(404)}, introspect=active(False))
    connector = connect(script)
    assert (await connector.revoke_sessions(ANA)).outcome is Outcome.ALREADY_DONE
    assert (await connector.revoke_tokens(ANA)).outcome is Outcome.ALREADY_DONE
    for verb in (Verb.REVOKE_SESSIONS, Verb.REVOKE_TOKENS):
        assert (await connector.verify(ANA, verb)).verdict is Verdict.UNVERIFIABLE


@pytest.mark.parametrize("answer", [httpx.Response(500), httpx.Response(403), HTML])
async def test_a_reading_that_fails_holds_up_no_revocation_and_is_no_proof(answer):
    script = Scripted(introspect=answer)
    connector = connect(script)
    assert (await connector.revoke_sessions(ANA)).outcome is Outcome.ACCEPTED
    assert (await connector.revoke_tokens(ANA)).outcome is Outcome.ACCEPTED
    assert script.paths.count("/global") == 2
    assert script.paths.count("/revoke") == 1
    await failure(connector.verify(ANA, Verb.REVOKE_TOKENS))


@pytest.mark.parametrize("status", [403, 422, 429, 500])
async def test_held_tokens_die_also_where_everything_could_not_be_revoked_and_that_is_said(status):
    script = Scripted(**{"global": httpx.Response(status)}, introspect=[active(), active(False)])
    connector = connect(script)
    error = await failure(connector.revoke_tokens(ANA))
    assert "1 of 1 tokens" in error.message and "everything of the account" in error.message
    assert script.paths.count("/revoke") == 1
    script.answers["/token"] = [httpx.Response(400, json={"error": "invalid_grant"})]
    assert (await connector.verify(ANA, Verb.REVOKE_TOKENS)).verdict is Verdict.UNVERIFIABLE


async def test_an_address_that_has_to_be_filled_in_is_asked_for():
    pattern = {"global_token_revocation_endpoint": f"{ISSUER}/global/{{connectionName}}"}
    script = Scripted(METADATA | pattern, introspect=[active(), active(False)])
    connector = connect(script)
    assert "global_revocation_url" in (await connector.test()).problems[0]
    error = await failure(connector.revoke_tokens(ANA))
    assert error.kind is ErrorKind.UNSUPPORTED and "1 of 1 tokens" in error.message
    filled = connect(Scripted(METADATA | pattern), global_revocation_url=f"{ISSUER}/global")
    assert (await filled.revoke_sessions(ANA)).outcome is Outcome.ACCEPTED


@pytest.mark.parametrize(
    ("taken", "settings", "is_sent"),
    [
        (["private_key_jwt"], {}, False),
        (["global-token-revocation+jwt"], {"token": "env:BEARER"}, False),
        (["client_secret_basic"], {}, True),
        (["Bearer"], {"token": "env:BEARER"}, True),
        (["Bearer"], {}, False),
        ([], {}, True),
    ],
)
async def test_credentials_go_only_where_their_kind_is_taken(taken, settings, is_sent):
    methods = {"global_token_revocation_endpoint_auth_methods_supported": taken}
    script = Scripted(METADATA | methods)
    connector = connect(script, held_tokens=[], **settings)
    if is_sent:
        await connector.revoke_sessions(ANA)
    else:
        assert (await failure(connector.revoke_sessions(ANA))).kind is ErrorKind.UNSUPPORTED
        assert not (await connector.test()).ok
    assert script.paths.count("/global") == is_sent


# -- tokens that are held here ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        HTML,
        active("false"),
        active(None),
        active(0),
        httpx.Response(200, json=[]),
        httpx.Response(200, json={}),
        httpx.Response(500),
        httpx.Response(404),
        httpx.Response(401, json={"error": "invalid_client", "error_description": "secret-canary"}),
    ],
)
async def test_an_answer_that_is_none_is_never_taken_for_a_dead_token(answer):
    script = Scripted(introspect=[active(), answer])
    connector = connect(script, global_revocation=False)
    await connector.revoke_tokens(ANA)
    for asked in (connector.verify(ANA, Verb.REVOKE_TOKENS), connector.holdings(ANA)):
        await failure(asked)


async def test_a_provider_that_says_it_revoked_a_token_and_did_not_is_found_out():
    connector = connect(Scripted(), global_revocation=False, settles_within_seconds=0)
    assert (await connector.revoke_tokens(ANA)).outcome is Outcome.DONE
    proof = await connector.verify(ANA, Verb.REVOKE_TOKENS)
    assert proof.verdict is Verdict.FAILED
    assert "is active by introspection" in proof.read


async def test_a_token_that_is_called_inactive_and_still_works_is_found_by_the_probe_and_what_it_got_ends():
    new = {"access_token": "new-access-canary", "refresh_token": "new-refresh-canary"}
    script = Scripted(introspect=[active(), active(False)], token=httpx.Response(200, json=new))
    connector = connect(script, global_revocation=False)
    await connector.revoke_tokens(ANA)
    proof = await connector.verify(ANA, Verb.REVOKE_TOKENS)
    assert proof.verdict is Verdict.FAILED
    assert proof.probe == "'mail' (refresh token) was given new tokens"
    assert "canary" not in repr(proof)
    revoked = [parse_qs(r.content.decode())["token"] for r in script.asked if r.url.path == "/revoke"]
    assert revoked == [["token-canary"], ["new-refresh-canary"], ["new-access-canary"]]


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (httpx.Response(401, headers={"www-authenticate": 'Bearer error="invalid_token"'}), "confirmed"),
        (httpx.Response(403, headers={"www-authenticate": 'Bearer error="insufficient_scope"'}), "failed"),
        (httpx.Response(200, json={"sub": "1"}), "failed"),
        (httpx.Response(200, text="e30.e30.c2ln", headers={"content-type": "application/jwt"}), "failed"),
        (httpx.Response(401), None),
        (httpx.Response(403), None),
        (httpx.Response(502), None),
        (HTML, None),
    ],
)
async def test_at_userinfo_only_a_token_that_is_called_invalid_is_refused(answer, verdict):
    metadata = {name: value for name, value in METADATA.items() if name != "introspection_endpoint"}
    held = [HELD[0] | {"kind": "access_token"}]
    script = Scripted(metadata, userinfo=[httpx.Response(200, json={"sub": "1"}), answer])
    connector = connect(script, global_revocation=False, held_tokens=held)
    await connector.revoke_tokens(ANA)
    if verdict is None:
        await failure(connector.verify(ANA, Verb.REVOKE_TOKENS))
    else:
        assert (await connector.verify(ANA, Verb.REVOKE_TOKENS)).verdict == verdict


async def test_one_token_that_is_refused_does_not_stop_the_others():
    held = [HELD[0] | {"label": label} for label in ("mail", "files", "calendar")]
    answers = [
        httpx.Response(200),
        httpx.Response(400, json={"error": "invalid_request", "error_description": "token-canary"}),
        httpx.Response(200),
    ]
    script = Scripted(revoke=answers)
    error = await failure(connect(script, global_revocation=False, held_tokens=held).revoke_tokens(ANA))
    assert error.kind is ErrorKind.INVALID
    assert "2 of 3 tokens" in error.message and "'files'" in error.message
    assert script.paths.count("/revoke") == 3


async def test_a_revocation_that_a_page_answers_is_none():
    error = await failure(connect(Scripted(revoke=HTML), global_revocation=False).revoke_tokens(ANA))
    assert error.kind is ErrorKind.RETRYABLE


# -- who we are ---------------------------------------------------------------------------------------


async def test_the_clients_secret_is_written_as_the_standard_says_before_it_is_put_behind_a_colon(
    monkeypatch,
):
    monkeypatch.setitem(ENVIRON, "SECRET", "p:ä %+canary")
    script = Scripted()
    await connect(script, held_tokens=[], client_id="firm:1").revoke_sessions(ANA)
    sent = base64.b64decode(script.asked[-1].headers["authorization"].removeprefix("Basic ")).decode()
    assert [unquote_plus(part) for part in sent.split(":")] == ["firm:1", "p:ä %+canary"]


async def test_a_way_in_that_partwell_has_not_got_is_named():
    methods = {"revocation_endpoint_auth_methods_supported": ["private_key_jwt", "tls_client_auth"]}
    script = Scripted(METADATA | methods)
    error = await failure(connect(script, global_revocation=False).revoke_tokens(ANA))
    assert "private_key_jwt, tls_client_auth" in error.message
    assert "/revoke" not in script.paths


async def test_with_a_bearer_token_alone_everything_is_revoked_and_held_tokens_are_asked_about():
    settings = {"issuer_url": ISSUER, "token": "env:BEARER", "held_tokens": HELD}
    script = Scripted(introspect=[active(), active(False)])
    connector = connect(script)
    connector = CONNECTOR(
        Connection(
            "sign-in", settings, ReferencedSecrets(ENVIRON), connector.connection.transport, lambda: NOW
        )
    )
    assert "ended with it" in (await connector.revoke_sessions(ANA)).summary
    assert {r.headers.get("authorization") for r in script.asked[1:]} == {"Bearer bearer-canary"}
    proof = await connector.verify(ANA, Verb.REVOKE_TOKENS)
    assert (proof.verdict, proof.probe) == (
        Verdict.CONFIRMED,
        "'mail' (refresh token) could not be tried",
    )


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({}, ""),
        ({"client_id": "partwell"}, ""),
        ({"token": "bearer-canary"}, "token"),
        ({"token": "env:T", "held_tokens": [HELD[0] | {"token": "token-canary"}]}, "held_tokens.0.token"),
        ({"token": "env:T", "held_tokens": ["token-canary"]}, "held_tokens.0"),
        ({"token": "env:T", "held_tokens": [HELD[0] | {"kind": "id_token"}]}, "held_tokens.0.kind"),
    ],
)
def test_settings_that_cannot_work_are_named_and_secrets_in_them_not_repeated(given, named):
    problems = settings_problems(find("oidc").manifest, {"issuer_url": ISSUER, **given})
    assert named in {name for name, _ in problems}
    assert "canary" not in repr(problems)
