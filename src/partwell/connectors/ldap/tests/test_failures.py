"""Directories that are down, silent, or lie; and the small codecs that no server may confuse."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ldap3.operation.search import parse_filter
from pyasn1.codec.ber import decoder

from partwell.connector_kit.addresses import AddressRefused, AllowList
from partwell.connector_kit.contract import (
    Connection,
    ConnectorError,
    ErrorKind,
    Identity,
    Outcome,
    Proof,
    Verb,
    Verdict,
)
from partwell.connector_kit.secrets import ReferencedSecrets
from partwell.connector_kit.transport import Transport
from partwell.connectors.ldap import connector as module
from partwell.connectors.ldap import kerberos
from partwell.connectors.ldap.connector import CONNECTOR, LdapConnector
from partwell.connectors.ldap.flavours import FLAVOURS, Flavour, find_filter
from partwell.connectors.ldap.session import BindAnswer, _policy_error
from partwell.connectors.ldap.view import checked_id
from tests.servers.lying import lying_directory
from tests.servers.running import free_port
from tests.servers.slapd import SERVICE_DN, SERVICE_PASSWORD, SUFFIX

ANA = Identity(emails=("ana@firm.test",))
ID = "00000000-0000-4000-8000-000000000000"


def connect(url: str, *, allow: str = "127.0.0.1", **settings: Any) -> LdapConnector:
    return CONNECTOR(
        Connection(
            name="directory",
            settings={
                "url": url,
                "allow_plain": True,
                "bind_dn": SERVICE_DN,
                "password": "env:LDAP",
                "base_dn": SUFFIX,
                **settings,
            },
            secrets=ReferencedSecrets({"LDAP": SERVICE_PASSWORD}),
            transport=Transport(AllowList.parse([allow])),
            now=lambda: datetime.now(UTC),
        )
    )


async def failure(awaitable) -> ConnectorError:
    with pytest.raises(ConnectorError) as caught:
        await awaitable
    assert SERVICE_PASSWORD not in caught.value.message
    return caught.value


async def test_a_directory_that_is_down_is_retryable_and_never_no_account():
    connector = connect(f"ldap://127.0.0.1:{free_port()}")
    for asking in (connector.discover(ANA), connector.read(ID), connector.verify(ID, Verb.SUSPEND)):
        assert (await failure(asking)).kind is ErrorKind.RETRYABLE
    assert not (await connector.test()).ok


@pytest.mark.parametrize("scheme", ["ldap", "ldaps"])
async def test_a_directory_that_does_not_answer_is_given_up_in_time(scheme):
    async def silence(reader, writer):
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silence, "127.0.0.1", 0)
    url = f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    started = asyncio.get_running_loop().time()
    try:
        error = await failure(connect(url, timeout_seconds=0.3).discover(ANA))
    finally:
        server.close()
    assert error.kind is ErrorKind.RETRYABLE
    assert asyncio.get_running_loop().time() - started < 5


async def test_an_answer_that_is_not_ldap_is_retryable():
    async def web_page(reader, writer):
        await reader.read(10)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n<html>")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(web_page, "127.0.0.1", 0)
    try:
        url = f"ldap://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        assert (await failure(connect(url, timeout_seconds=1).discover(ANA))).kind is ErrorKind.RETRYABLE
    finally:
        server.close()


async def test_a_private_directory_that_is_not_allowed_is_not_contacted():
    connections = []
    server = await asyncio.start_server(lambda r, w: connections.append(w), "127.0.0.1", 0)
    url = f"ldap://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    error = await failure(connect(url, allow="10.0.0.0/8").discover(ANA))
    server.close()
    assert isinstance(error, AddressRefused)
    assert connections == []


@pytest.mark.server("slapd")
async def test_a_directory_that_says_yes_and_changes_nothing_is_caught(slapd_server):
    dn = slapd_server.add_person("lied-to", "lied-to@firm.test")
    slapd_server.add_group("lied-to-group", [dn, SERVICE_DN])
    async with lying_directory("127.0.0.1", slapd_server.port) as port:
        connector = connect(f"ldap://127.0.0.1:{port}")
        (account,) = await connector.discover(Identity(emails=("lied-to@firm.test",)))
        for verb, act in (
            (Verb.SUSPEND, connector.suspend),
            (Verb.REMOVE_ENTITLEMENTS, connector.remove_entitlements),
        ):
            assert (await act(account.external_id)).outcome is Outcome.DONE
            assert (await connector.verify(account.external_id, verb)).verdict is Verdict.FAILED


@pytest.mark.parametrize("url", ["http://x.example.com", "ldapi://%2Frun%2Fslapd", "ldap://", "directory"])
def test_an_address_that_is_not_a_directorys_is_refused(url):
    with pytest.raises(AddressRefused):
        connect(url)


def test_an_identifier_that_no_directory_gives_never_reaches_one():
    with pytest.raises(ConnectorError) as refusal:
        checked_id("*)(uid=*")
    assert refusal.value.kind is ErrorKind.INVALID


# -- proofs, without a server -------------------------------------------------------------------------

ACCOUNT = module.Account(external_id=ID, login="ana", is_active=False)


async def active_directory_proof(answer: kerberos.SignIn, monkeypatch: pytest.MonkeyPatch) -> Proof:
    connector = connect("ldap://127.0.0.1:1", flavour="active_directory")

    async def say(login: str) -> kerberos.SignIn:
        return answer

    monkeypatch.setattr(connector, "_ask_kerberos", say)
    return await connector._active_directory_proof(ACCOUNT, "Read afresh.")


@pytest.mark.parametrize(
    ("answer", "verdict", "claims_a_probe"),
    [
        (kerberos.SignIn.REFUSED, Verdict.CONFIRMED, True),
        (kerberos.SignIn.GRANTED, Verdict.FAILED, True),
        (kerberos.SignIn.KEY_ASKED, Verdict.CONFIRMED, False),
        (kerberos.SignIn.UNKNOWN, Verdict.CONFIRMED, False),
    ],
)
async def test_a_probe_is_claimed_only_when_it_said_something(answer, verdict, claims_a_probe, monkeypatch):
    proof = await active_directory_proof(answer, monkeypatch)
    assert proof.verdict is verdict
    assert bool(proof.probe) is claims_a_probe
    assert claims_a_probe or "could not be tried" in proof.read


async def test_a_sign_in_that_is_let_in_fails_the_proof(monkeypatch):
    connector = connect("ldap://127.0.0.1:1", flavour="openldap")

    async def let_in(dn: str) -> BindAnswer:
        return BindAnswer(True, "", None)

    monkeypatch.setattr(connector, "_try_bind", let_in)
    entry = module.Entry("uid=ana", {})
    assert (await connector._openldap_proof(entry, ACCOUNT, "Read.")).verdict is Verdict.FAILED


# -- codecs -------------------------------------------------------------------------------------------


def comparisons(filter_node) -> list[tuple[str, bytes]]:
    """Every (attribute, value) that a parsed filter compares for equality or presence."""
    found = []
    if filter_node.assertion and "attr" in filter_node.assertion:
        found.append((filter_node.assertion["attr"], filter_node.assertion.get("value", b"*present*")))
    for element in filter_node.elements:
        found += comparisons(element)
    return found


@pytest.mark.parametrize("flavour", FLAVOURS.values(), ids=lambda flavour: flavour.name)
@given(value=st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30))
def test_a_filter_looks_for_the_value_and_nothing_else(flavour: Flavour, value: str):
    def shape(text: str) -> list[str]:
        wanted = find_filter(flavour, Identity(emails=(text,), usernames=(text,), employee_number=text))
        parsed = parse_filter(wanted, None, False, None, None, False)
        return [attribute for attribute, _ in comparisons(parsed)]

    assert shape(value) == shape("plain")


@given(st.uuids())
def test_an_object_guid_is_looked_for_by_its_bytes(identifier: UUID):
    text = FLAVOURS["active_directory"].id_filter(str(identifier))
    assert (
        bytes.fromhex(text.removeprefix("(objectGUID=").removesuffix(")").replace("\\", ""))
        == identifier.bytes_le
    )


@given(
    st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200),
    st.integers(min_value=0, max_value=2**31 - 1),
)
def test_a_kerberos_request_is_well_formed_for_every_login(login, nonce):
    message = kerberos.first_message(login, "FIRM.TEST", nonce)
    tag, content, rest = kerberos._next(message)
    assert (tag, rest) == (0x6A, b"")
    _, left = decoder.decode(content)
    assert left == b""
    assert login.encode() in message


@given(st.binary(max_size=80))
def test_no_answer_breaks_the_readers(answer):
    assert isinstance(kerberos.read_answer(answer), kerberos.SignIn)
    assert isinstance(kerberos.read_answer(b"\x7e" + answer), kerberos.SignIn)
    assert _policy_error({"value": answer}) is None or 0 <= _policy_error({"value": answer}) <= 255


@pytest.mark.parametrize(
    ("code", "meaning"),
    [
        (18, kerberos.SignIn.REFUSED),
        (25, kerberos.SignIn.KEY_ASKED),
        (6, kerberos.SignIn.NO_SUCH_ACCOUNT),
        (60, kerberos.SignIn.UNKNOWN),
    ],
)
def test_error_codes_mean_what_rfc_4120_says(code, meaning):
    field = bytes((0xA6, 3, 2, 1, code))
    sequence = bytes((0x30, len(field))) + field
    assert kerberos.read_answer(bytes((0x7E, len(sequence))) + sequence) is meaning


def test_the_policy_answer_is_read_with_and_without_a_warning():
    assert _policy_error({"value": bytes.fromhex("3003810101")}) == 1
    assert _policy_error({"value": bytes.fromhex("3008a003800105810100")}) == 0
    assert _policy_error({"value": b"\x30\x00"}) is None
    assert _policy_error(None) is None
