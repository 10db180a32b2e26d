"""Signing in as an app registration, its permissions, and what never gets out."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from partwell.connector_kit import registry
from partwell.connector_kit.contract import (
    ConnectorError,
    ErrorKind,
    Identity,
    TransferKind,
    TransferRequest,
    Verb,
)
from partwell.connector_kit.limiter import Limiter
from partwell.connectors.microsoft365.permissions import GRAPH_APP_ID, PERMISSIONS
from partwell.connectors.microsoft365.tests.graph_model import CLIENT_ID, SECRET
from partwell.connectors.microsoft365.tests.tenant import E3, HELPDESK

MANIFEST = yaml.safe_load((Path(__file__).parents[1] / "manifest.yaml").read_text())
SCOPES = [scope.partition(" ")[0] for scope in MANIFEST["scopes"]]


async def failure(awaitable) -> ConnectorError:
    with pytest.raises(ConnectorError) as caught:
        await awaitable
    assert "canary" not in caught.value.message
    return caught.value


def pem_of(key, now) -> tuple[str, x509.Certificate]:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "partwell")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return (private + certificate.public_bytes(serialization.Encoding.PEM)).decode(), certificate


async def test_one_token_serves_many_requests_until_it_is_about_to_end(tenant, model, connect, clock):
    ana, connector = tenant.add_user("ana"), connect()
    for _ in range(3):
        await connector.read(ana)
    assert len(model.tokens) == 1
    clock.goes_on(seconds=3599 - 119)
    await connector.read(ana)
    assert len(model.tokens) == 2


async def test_a_refused_token_is_renewed_once_and_then_it_is_denied(tenant, model, connect):
    ana, connector = tenant.add_user("ana"), connect()
    await connector.read(ana)
    model.valid.clear()
    assert await connector.read(ana) is not None
    assert len(model.tokens) == 2
    model.instead = lambda request: httpx.Response(
        401, json={"error": {"code": "InvalidAuthenticationToken"}}
    )
    asked = len(model.asked)
    error = await failure(connector.read(ana))
    assert error.kind is ErrorKind.DENIED
    assert "anew did not help" in error.message
    assert (len(model.asked) - asked, len(model.tokens)) == (2, 3)


async def test_a_certificate_signs_in_without_any_secret_being_sent(tenant, model, connect, clock):
    ana = tenant.add_user("ana")
    pem, model.certificate = pem_of(rsa.generate_private_key(65537, 2048), clock())
    connector = connect(
        certificate="env:PEM", secrets={"PEM": pem}, without=("client_secret",), last_sign_in=False
    )
    assert (await connector.read(ana)).external_id == ana
    assert pem not in str(vars(connector))


@pytest.mark.parametrize("pem", ["nonsense canary", "elliptic", "no certificate"])
async def test_a_certificate_that_cannot_sign_is_said_to_be_wrong(connect, clock, pem):
    if pem == "elliptic":
        pem, _ = pem_of(ec.generate_private_key(ec.SECP256R1()), clock())
    elif pem == "no certificate":
        pem = pem_of(rsa.generate_private_key(65537, 2048), clock())[0].partition("-----BEGIN CERT")[0]
    connector = connect(certificate="env:PEM", secrets={"PEM": pem}, without=("client_secret",))
    assert (await failure(connector.read("x"))).kind is ErrorKind.INVALID


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (None, ErrorKind.DENIED, "AADSTS7000215"),
        (
            httpx.Response(400, json={"error": "x", "error_codes": [90002]}),
            ErrorKind.DENIED,
            "no such tenant",
        ),
        (httpx.Response(400, json={"error": "x", "error_codes": "?"}), ErrorKind.DENIED, "refused"),
        (httpx.Response(429, headers={"retry-after": "9"}), ErrorKind.THROTTLED, "too often"),
        (httpx.Response(503, html="<p>"), ErrorKind.RETRYABLE, "503"),
        (httpx.Response(400, html="<p>"), ErrorKind.RETRYABLE, "400"),
        (httpx.Response(200, json={"access_token": ""}), ErrorKind.RETRYABLE, "without a token"),
        (httpx.Response(200, json={"access_token": "x", "expires_in": None}), ErrorKind.RETRYABLE, "end"),
        (httpx.Response(200, html="<title>Sign in</title>"), ErrorKind.RETRYABLE, "not JSON"),
    ],
)
async def test_a_refused_sign_in_says_why_and_nothing_that_was_sent(model, connect, answer, kind, words):
    def refusing(request: httpx.Request) -> httpx.Response:
        return (
            answer if answer is not None and request.headers["host"].startswith("login") else model(request)
        )

    connector = connect(answer=refusing, secrets={} if answer else {"SECRET": "wrong-canary"})
    error = await failure(connector.read("x"))
    assert error.kind is kind
    assert words in error.message
    report = await connector.test()
    assert not report.ok
    assert "canary" not in repr(report)


async def test_a_national_cloud_is_reached_at_its_own_addresses(connect):
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(f"{request.headers['host']}{request.url.path} {request.content.decode()}")
        if "login" in request.headers["host"]:
            return httpx.Response(200, json={"access_token": "t", "expires_in": "3599"})
        return httpx.Response(200, json={"id": "x", "value": []})

    cloud = {"login_url": "https://login.microsoftonline.us/", "graph_url": "https://graph.microsoft.us"}
    await connect(answer=answer, **cloud).read("x")
    assert seen[0].startswith("login.microsoftonline.us/firm.test/oauth2/v2.0/token ")
    assert "scope=https%3A%2F%2Fgraph.microsoft.us%2F.default" in seen[0]
    assert seen[1].startswith("graph.microsoft.us/v1.0/users/x")


def test_one_credential_has_to_be_given_and_only_one():
    manifest = registry.connectors()["microsoft365"].manifest
    base = {"tenant": "firm.test", "client_id": CLIENT_ID}
    one = {**base, "client_secret": "env:S"}
    assert registry.settings_problems(manifest, one) == []
    assert registry.settings_problems(manifest, base) != []
    assert registry.settings_problems(manifest, {**one, "certificate": "file:/pem"}) != []


# -- permissions --------------------------------------------------------------------------------------


def test_the_manifest_lists_exactly_the_permissions_that_are_used():
    assert [permission.name for permission in PERMISSIONS] == SCOPES


class Noted(Limiter):
    """Notes which classes were asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.classes: set[str] = set()

    def reserve(self, name: str = "default") -> float:
        self.classes.add(name)
        return 0.0


async def do_everything(tenant, connect) -> None:
    """Each thing that the connector can do, once, for a person who has one of each."""
    ana, ben = tenant.add_user("ana"), tenant.add_user("ben")
    crm, team = tenant.add_app("CRM"), tenant.add_group("Team", [ana])
    tenant.owners[team] = [ana]
    tenant.add_app_role(ana, crm, tenant.new_id())
    tenant.add_role(ana, HELPDESK)
    tenant.add_grant(ana, crm, crm, "Mail.Read")
    tenant.add_licence(ana, E3)
    tenant.mailboxes[ana], tenant.drives[ana] = {"status": "disabled"}, []
    laptop = tenant.add_managed_device(ana, "laptop")
    connector = connect()
    await connector.discover(Identity(emails=("ana@firm.test",)))
    assert [page async for page in connector.list_accounts()]
    await connector.holdings(ana)
    snapshot = await connector.snapshot(ana)
    for kind in (TransferKind.AUTO_REPLY, TransferKind.FILES, TransferKind.GROUPS):
        await connector.transfer(ana, TransferRequest(kind, "ben@firm.test"))
    verbs = [verb for verb in Verb if hasattr(connector, verb.value)]
    for verb in verbs:
        await getattr(connector, verb.value)(ana)
        await connector.verify(ana, verb)
    for verb in set(verbs) - {Verb.REVOKE_SESSIONS}:
        await connector.restore(ana, verb, snapshot)
    await connector.wipe(ana, laptop)
    await connector.lock(ana, laptop)
    assert ben


async def test_the_listed_permissions_are_enough_for_everything(tenant, model, connect):
    model.granted = frozenset(SCOPES)
    await do_everything(tenant, connect)


async def test_each_request_waits_in_a_class_that_the_manifest_limits(tenant, connect):
    noted = Noted()
    await do_everything(tenant, lambda: connect(limiter=noted))
    assert noted.classes == {"default", *MANIFEST["limits"]["classes"]}


@pytest.mark.parametrize("scope", SCOPES)
async def test_a_missing_permission_is_named(tenant, model, connect, scope):
    model.granted = frozenset(SCOPES) - {scope}
    error = await failure(do_everything(tenant, connect))
    assert error.kind is ErrorKind.DENIED
    assert scope in error.message


def grant_to_app(tenant, names: list[str]) -> None:
    roles = {name: tenant.new_id() for name in names}
    described = [{"id": role, "value": name} for name, role in roles.items()]
    graph = tenant.add_app("Microsoft Graph", appId=GRAPH_APP_ID, appRoles=described)
    ours = tenant.add_app("Partwell", appId=CLIENT_ID)
    for name in names:
        tenant.add_app_role(ours, graph, roles[name], kind="ServicePrincipal")


async def test_the_connection_test_tells_what_is_missing_and_what_stays_with_a_person(tenant, connect):
    held = [scope for scope in SCOPES if scope not in ("User.RevokeSessions.All", "Files.ReadWrite.All")]
    grant_to_app(tenant, [scope for scope in held if scope != "AuditLog.Read.All"])
    tenant.add_user("ana")
    report = await connect(last_sign_in=False).test()
    assert not report.ok
    assert report.problems == ("User.RevokeSessions.All is not granted: it is needed to end sessions.",)
    assert "stays with a person: Files.ReadWrite.All (to open a OneDrive to a successor)" in report.summary
    (_, audit) = (await connect().test()).problems
    assert "or set 'last_sign_in: false'" in audit


async def test_a_wider_permission_counts_for_the_ones_within_it(tenant, connect):
    within = {p.name for p in PERMISSIONS if "Directory.ReadWrite.All" in p.also}
    grant_to_app(tenant, [*(scope for scope in SCOPES if scope not in within), "Directory.ReadWrite.All"])
    report = await connect().test()
    assert report.ok
    assert "with a person" not in report.summary


# -- whatever is answered -----------------------------------------------------------------------------


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["id", "value", "accountEnabled", "error", "@odata.nextLink", "principalId"]),
                inner,
            )
        ),
        max_leaves=8,
    )
)
def test_no_answer_makes_anything_but_a_result_or_a_connector_error(connect, body):
    def answer(request: httpx.Request) -> httpx.Response:
        if request.headers["host"].startswith("login"):
            return httpx.Response(200, json={"access_token": "t", "expires_in": 3599})
        return httpx.Response(200, json=body)

    connector = connect(answer=answer)
    for ask in (
        lambda: connector.discover(Identity(emails=("ana@firm.test",))),
        lambda: connector.read("1"),
        lambda: connector.suspend("1"),
        lambda: connector.verify("1", Verb.REMOVE_ENTITLEMENTS),
        lambda: connector.holdings("1"),
        connector.test,
    ):
        with contextlib.suppress(ConnectorError):
            asyncio.run(ask())


async def test_no_secret_is_in_what_a_connector_shows(tenant, connect):
    connector = connect()
    await connector.suspend(tenant.add_user("ana"))
    for told in (str(vars(connector)), repr(connector), repr(connector.connection)):
        assert SECRET not in told
        assert "access-token-canary" not in told
