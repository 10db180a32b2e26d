"""Against a realm in memory, held to a description of Keycloak's admin API."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest

from partwell.connector_kit.contract import (
    ConnectorError,
    ErrorKind,
    HoldingKind,
    Identity,
    Outcome,
    Verb,
    Verdict,
)
from partwell.connector_kit.testing import ConnectorContract, World
from partwell.connectors.keycloak.tests.model import MANAGEMENT, SECRET, KeycloakRealm
from tests.vendor_openapi import ValidatedHttp


@contextmanager
def refused(kind: ErrorKind) -> Iterator[pytest.ExceptionInfo[ConnectorError]]:
    with pytest.raises(ConnectorError) as refusal:
        yield refusal
    assert refusal.value.kind is kind, refusal.value


def known_as(username: str) -> Identity:
    return Identity(emails=(), usernames=(username,))


@pytest.fixture
def ana(realm: KeycloakRealm) -> str:
    user_id = realm.add_user("ana")
    realm.add_group("/staff/sales", user_id)
    realm.roles[user_id] += [("", "auditor"), ("client-shop", "buyer")]
    realm.sign_in(user_id)
    realm.consent(user_id, "https://mail.firm.test/app", is_offline=True)
    realm.consent(user_id, "intranet", is_offline=False)
    return user_id


class TestContract(ConnectorContract):
    @pytest.fixture
    def world(self, connect: Callable, ana: str) -> World:
        return World(
            make=connect,
            make_read_only=lambda: connect(read_only=True),
            identity=Identity(emails=("ana@firm.test",), usernames=("ana",)),
            unknown=Identity(emails=("nobody@firm.test",), usernames=("nobody",)),
            missing_id="00000000-0000-4000-8000-ffffffffffff",
            irreversible=frozenset({Verb.REVOKE_SESSIONS, Verb.REVOKE_TOKENS}),
        )


# -- finding ----------------------------------------------------------------------------------------------


async def test_a_person_is_found_by_name_address_and_employee_number(connect, realm):
    user_id = realm.add_user("ana", attributes={"employeeNumber": ["47 11"]})
    connector = connect(employee_number_attribute="employeeNumber")
    for identity in (
        known_as("ANA"),
        Identity(emails=("Ana@Firm.Test",)),
        Identity(emails=(), employee_number="47 11"),
    ):
        (account,) = await connector.discover(identity)
        assert account.external_id == user_id
        assert account.employee_number == "47 11"
    assert await connect().discover(Identity(emails=(), employee_number="47 11")) == []


async def test_two_users_of_one_person_are_both_returned_for_a_person_to_decide(connect, realm):
    realm.add_user("ana")
    realm.add_user("ana.lima", email="ana@private.test")
    found = await connect().discover(Identity(emails=("ana@private.test",), usernames=("ana",)))
    assert {account.login for account in found} == {"ana", "ana.lima"}


async def test_a_server_that_matches_loosely_finds_nobody_else(connect, realm, ana, wire):
    other = realm.users[realm.add_user("anabel")]
    wire.faults.append(lambda request: _only(request, "/users", [other]))
    assert await connect().discover(known_as("ana")) == []


def _only(request: httpx.Request, ending: str, content: object) -> httpx.Response | None:
    first = request.url.params.get("first", "0")
    if request.method != "GET" or not request.url.path.endswith(ending):
        return None
    return httpx.Response(200, json=content if first == "0" else [])


@pytest.mark.parametrize("text", ["", " ", "a/../b", "é ü", '"', "a:b", "\n", "*"])
async def test_a_hostile_name_finds_nobody(connect, realm, ana, text):
    identity = Identity(emails=(text,), usernames=(text,), employee_number=text)
    assert await connect(employee_number_attribute="number").discover(identity) == []


async def test_pages_that_are_smaller_than_asked_for_leave_nobody_out(connect, realm):
    realm.largest_page = 2
    ids = {realm.add_user() for _ in range(5)}
    listed = [account.external_id async for page in connect().list_accounts() for account in page]
    assert set(listed) == ids
    assert len(listed) == 5


async def test_pages_that_repeat_themselves_are_an_error(connect, realm, ana, wire):
    everybody = list(realm.users.values())
    wire.faults.append(
        lambda request: httpx.Response(200, json=everybody) if request.url.path.endswith("/users") else None
    )
    with refused(ErrorKind.RETRYABLE):
        [page async for page in connect().list_accounts()]


async def test_sign_ins_grants_and_credentials_are_what_a_user_holds(connect, ana):
    held = await connect().holdings(ana)
    assert [each.kind for each in held] == [
        HoldingKind.SESSION,
        HoldingKind.TOKEN,
        HoldingKind.TOKEN,
        HoldingKind.KEY,
    ]
    assert {each.name for each in held if each.kind is HoldingKind.TOKEN} == {
        "offline token for https://mail.firm.test/app",
        "consent for intranet",
    }
    assert held[0].last_used_at is not None


# -- cutting ----------------------------------------------------------------------------------------------


async def test_a_sign_out_misses_offline_tokens_and_they_go_with_the_consents(connect, ana, realm):
    connector = connect()
    await connector.revoke_sessions(ana)
    assert (await connector.verify(ana, Verb.REVOKE_SESSIONS)).verdict is Verdict.CONFIRMED
    proof = await connector.verify(ana, Verb.REVOKE_TOKENS)
    assert proof.verdict is Verdict.FAILED
    assert "offline token for https://mail.firm.test/app" in proof.read

    await connector.revoke_tokens(ana)

    assert realm.offline[ana] == realm.consents[ana] == []
    assert (await connector.verify(ana, Verb.REVOKE_TOKENS)).verdict is Verdict.CONFIRMED


async def test_disabling_says_how_many_sign_ins_are_left(connect, ana):
    connector = connect()
    await connector.suspend(ana)
    proof = await connector.verify(ana, Verb.SUSPEND)
    assert proof.verdict is Verdict.CONFIRMED
    assert proof.still_open == 1
    assert "good until they run out" in proof.read
    assert proof.probe == ""


async def test_a_change_of_enabled_touches_nothing_else_of_the_user(connect, ana, realm, wire):
    await connect().suspend(ana)
    (put,) = [request for request in wire.requests if request.method == "PUT"]
    assert put.content == b'{"enabled":false}'


async def test_the_role_of_everybody_is_left_alone(connect, ana, realm):
    await connect().remove_entitlements(ana)
    assert realm.roles[ana] == [("", "default-roles-firm")]
    assert realm.in_group[ana] == []


async def test_one_role_that_refuses_does_not_stop_the_others(connect, ana, realm, wire):
    wire.faults.append(
        lambda request: (
            httpx.Response(403, json={"error": "HTTP 403 Forbidden"})
            if request.method == "DELETE" and request.url.path.endswith("role-mappings/realm")
            else None
        )
    )
    connector = connect()
    with refused(ErrorKind.DENIED) as refusal:
        await connector.remove_entitlements(ana)
    assert "2 of 3 are done" in refusal.value.message
    assert "role auditor" in refusal.value.message
    assert (await connector.verify(ana, Verb.REMOVE_ENTITLEMENTS)).verdict is Verdict.FAILED


async def test_a_user_who_was_disabled_before_stays_so_when_restored(connect, ana, realm):
    realm.users[ana]["enabled"] = False
    connector = connect()
    snapshot = await connector.snapshot(ana)
    receipt = await connector.restore(ana, Verb.SUSPEND, snapshot)
    assert receipt.outcome is Outcome.ALREADY_DONE
    assert realm.users[ana]["enabled"] is False


# -- left alone -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", ["listed", "own", "last administrator", "last in the group"])
async def test_protected_users_are_never_touched(connect, realm, ana, wire, which):
    settings = {}
    match which:
        case "listed":
            settings = {"protected": ["ANA"]}
        case "own":
            realm.users[ana]["serviceAccountClientId"] = "partwell"
        case "last administrator":
            realm.roles[ana].append((MANAGEMENT, "realm-admin"))
            gone = realm.add_user(enabled=False)
            realm.roles[gone].append((MANAGEMENT, "realm-admin"))
        case "last in the group":
            settings = {"admin_groups": ["/staff/SALES"]}
    connector = connect(**settings)
    assert (await connector.read(ana)).is_protected
    for verb in (Verb.SUSPEND, Verb.REVOKE_SESSIONS, Verb.REVOKE_TOKENS, Verb.REMOVE_ENTITLEMENTS):
        with refused(ErrorKind.CONFLICT):
            await getattr(connector, verb.value)(ana)
    assert wire.writes() == []


async def test_an_administrator_with_an_active_colleague_can_be_cut(connect, realm, ana):
    realm.roles[ana].append((MANAGEMENT, "realm-admin"))
    realm.roles[realm.add_user()].append((MANAGEMENT, "realm-admin"))
    assert not (await connect().read(ana)).is_protected


# -- failures ---------------------------------------------------------------------------------------------

ANSWERS = {
    "a page of HTML": (httpx.Response(200, html="<h1>Sign in</h1>"), ErrorKind.RETRYABLE),
    "another shape": (httpx.Response(200, json="ok"), ErrorKind.RETRYABLE),
    "a 500": (httpx.Response(500, json={"error": "unknown_error"}), ErrorKind.RETRYABLE),
    "a proxy's 404": (httpx.Response(404, html="no such page"), ErrorKind.RETRYABLE),
    "a wrong realm": (httpx.Response(404, json={"error": "Realm not found."}), ErrorKind.RETRYABLE),
    "a redirect": (httpx.Response(302, headers={"location": "https://x.test"}), ErrorKind.INVALID),
    "no right": (httpx.Response(403, json={"error": "HTTP 403 Forbidden"}), ErrorKind.DENIED),
    "too many": (httpx.Response(429, headers={"retry-after": "30"}), ErrorKind.THROTTLED),
}


@pytest.mark.parametrize("what", ANSWERS)
async def test_an_answer_that_is_none_is_never_read_as_absence(
    connect, ana, wire: ValidatedHttp, clock, what
):
    answer, kind = ANSWERS[what]
    wire.faults.append(lambda request: None if request.url.path.endswith("/token") else answer)
    connector = connect()
    for asking in (
        connector.discover(known_as("ana")),
        connector.read(ana),
        connector.suspend(ana),
        connector.verify(ana, Verb.SUSPEND),
        connector.snapshot(ana),
        connector.holdings(ana),
    ):
        with refused(kind) as refusal:
            await asking
    if kind is ErrorKind.THROTTLED:
        assert (refusal.value.retry_at - clock()).total_seconds() == 30
    if kind is ErrorKind.DENIED:
        assert "manage-users" in refusal.value.message
    assert wire.writes() == []


async def test_a_token_that_has_run_out_is_replaced_and_one_that_is_refused_too(connect, ana, realm, clock):
    connector = connect()
    await connector.read(ana)
    assert realm.tokens_given == 1
    clock.goes_on(seconds=51)
    await connector.read(ana)
    assert realm.tokens_given == 2
    realm.tokens = set()
    await connector.read(ana)
    assert realm.tokens_given == 3


async def test_a_wrong_secret_is_denied_and_not_repeated(connect, ana):
    connector = connect(secret="wrong-secret")
    with refused(ErrorKind.DENIED) as refusal:
        await connector.read(ana)
    assert "client_secret" in refusal.value.message
    assert "wrong-secret" not in refusal.value.message
    assert SECRET not in repr(connector.connection)


async def test_an_identifier_that_would_be_another_path_is_not_sent(connect, wire):
    for text in ("", "..", "."):
        with refused(ErrorKind.INVALID):
            await connect().read(text)
    assert wire.requests == []


async def test_the_test_of_the_connection_says_when_users_may_be_read_and_not_changed(connect, ana, realm):
    assert (await connect().test()).ok
    realm.rights -= {"manage-users"}
    report = await connect().test()
    assert not report.ok
    assert "manage-users" in report.problems[0]


@pytest.mark.parametrize("right", ["view-users", "view-realm", "view-clients"])
async def test_without_the_right_to_see_nothing_is_said_to_be_absent(connect, ana, realm, right):
    """Keycloak leaves out of its answers what may not be seen, with a 200."""
    realm.rights -= {right, "manage-users"}
    for asking in (connect().discover(known_as("ana")), connect().verify(ana, Verb.REMOVE_ENTITLEMENTS)):
        with refused(ErrorKind.DENIED) as refusal:
            await asking
        assert right in refusal.value.message
    assert not (await connect().test()).ok


async def test_a_token_that_tells_no_rights_is_denied(connect, ana, realm):
    realm.rights = frozenset()
    with refused(ErrorKind.DENIED):
        await connect().read(ana)


async def test_a_group_that_may_not_be_seen_is_not_taken_for_none(connect, ana, realm):
    realm.hidden_groups = set(realm.in_group[ana])
    with refused(ErrorKind.DENIED) as refusal:
        await connect().verify(ana, Verb.REMOVE_ENTITLEMENTS)
    assert "counts 1 groups of the user and shows 0" in refusal.value.message


async def test_the_rights_of_a_client_in_another_realm_are_looked_for_there(connect, ana, realm, wire):
    connector = connect(login_realm="firm", realm="other")
    with refused(ErrorKind.DENIED) as refusal:
        await connector.read(ana)
    assert "of other-realm" in refusal.value.message
