"""Servers that are down, silent, or something else; rights that are missing; and certificates."""

from __future__ import annotations

import asyncio
import struct
from pathlib import Path
from typing import Any

import pymysql
import pytest

from partwell.connector_kit.addresses import AddressRefused, AllowList
from partwell.connector_kit.contract import ConnectorError, ErrorKind, Identity, Verb, Verdict
from partwell.connector_kit.transport import Transport
from partwell.connectors.mysql.rotation import prove
from partwell.connectors.mysql.session import SignIn, failure, run_signed_in
from partwell.connectors.mysql.tests.world import LOOPBACK, Person, connect, refused
from tests.servers.mariadb import DATABASE, SERVICE, SERVICE_PASSWORD, MariaDbServer
from tests.servers.running import free_port

ANA = Identity(emails=("ana@firm.test",))
_TLS, _PLUGIN_AUTH, _PROTOCOL_41, _SECURE = 1 << 11, 1 << 19, 1 << 9, 1 << 15


def nowhere(port: int, **settings: Any):
    """A connection to whatever is at a port of this machine."""
    server = MariaDbServer(port, Path("/nowhere"), host="127.0.0.1")
    return connect(server, **{"allow_plain": True, "ca_file": "", **settings})


async def failure_of(awaitable) -> ConnectorError:
    with pytest.raises(ConnectorError) as caught:
        await awaitable
    assert SERVICE_PASSWORD not in caught.value.message
    return caught.value


async def test_a_server_that_is_down_is_retryable_and_never_no_account():
    connector = nowhere(free_port())
    for asking in (
        connector.discover(ANA),
        connector.read("ana"),
        connector.holdings("ana"),
        connector.verify("ana", Verb.SUSPEND),
    ):
        assert (await failure_of(asking)).kind is ErrorKind.RETRYABLE
    with refused(ErrorKind.RETRYABLE):
        [page async for page in connector.list_accounts()]
    assert not (await connector.test()).ok


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n<html>", b"\x05\0\0\0\xffx"])
async def test_something_else_that_answers_is_retryable_and_given_up_in_time(answer):
    async def say(reader, writer):
        writer.write(answer)
        await writer.drain()
        if not answer:
            await reader.read()
        writer.close()

    server = await asyncio.start_server(say, "127.0.0.1", 0)
    started = asyncio.get_running_loop().time()
    try:
        connector = nowhere(server.sockets[0].getsockname()[1], timeout_seconds=0.3)
        assert (await failure_of(connector.discover(ANA))).kind is ErrorKind.RETRYABLE
    finally:
        server.close()
    assert asyncio.get_running_loop().time() - started < 10


async def test_a_private_server_that_is_not_allowed_is_not_contacted():
    connections = []
    server = await asyncio.start_server(lambda r, w: connections.append(w), "127.0.0.1", 0)
    transport = Transport(AllowList.parse(["10.0.0.0/8"]))
    error = await failure_of(nowhere(server.sockets[0].getsockname()[1], transport=transport).discover(ANA))
    server.close()
    assert isinstance(error, AddressRefused)
    assert connections == []


@pytest.mark.parametrize(
    "url",
    [
        "mariadb://db.firm.test:3306",
        "mysql://",
        "mysql://me:secret@db.firm.test:3306",
        "mysql://db.firm.test:3306/shop",
        "mysql://db.firm.test:3306?ssl=false",
        "mysql://db.firm.test:port",
        "db.firm.test",
    ],
)
def test_an_address_that_is_not_a_servers_is_refused(url):
    with pytest.raises(AddressRefused) as refusal:
        nowhere(1, url=url)
    assert "secret" not in refusal.value.message


@pytest.mark.server("mariadb")
@pytest.mark.parametrize("text", ["", "a\0b", "\N{SNAKE}", "x" * 256])
async def test_a_name_that_no_account_has_never_reaches_a_server(mariadb_server, text):
    connector = connect(mariadb_server)
    for asking in (connector.read(text), connector.suspend(text), connector.verify(text, Verb.SUSPEND)):
        with refused(ErrorKind.INVALID):
            await asking


# -- TLS --------------------------------------------------------------------------------------------------


@pytest.mark.server("mariadb")
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_the_session_is_encrypted_and_the_certificate_is_checked_against_the_name(mariadb_server, host):
    connector = connect(mariadb_server, url=f"mysql://{host}:{mariadb_server.port}")
    pinned = await Transport(LOOPBACK).pin(host, mariadb_server.port)
    rows = run_signed_in(
        pinned,
        connector._door,
        SERVICE,
        SERVICE_PASSWORD,
        lambda session: session.rows("SHOW SESSION STATUS LIKE 'Ssl_version'"),
        connector._transport.may_write,
    )
    assert rows[0]["Value"].startswith("TLSv1.")


@pytest.mark.server("mariadb")
async def test_a_certificate_from_an_unknown_authority_is_refused(mariadb_server):
    report = await connect(mariadb_server, ca_file="").test()
    assert not report.ok
    assert "certificate" in report.summary


@pytest.mark.server("mariadb")
async def test_a_certificate_for_another_name_is_refused_though_it_names_the_address(mariadb_server):
    """The certificate holds for 127.0.0.1, which is dialled; the name in the settings is what counts."""
    transport = Transport(LOOPBACK, resolver=lambda host, port: ["127.0.0.1"])
    url = f"mysql://db.firm.test:{mariadb_server.port}"
    report = await connect(mariadb_server, url=url, transport=transport).test()
    assert not report.ok
    assert "certificate" in report.summary


async def test_a_ca_file_that_cannot_be_read_is_said():
    error = await failure_of(nowhere(free_port(), allow_plain=False, ca_file="/nowhere").discover(ANA))
    assert error.kind is ErrorKind.INVALID


@pytest.mark.parametrize("settings", [{}, {"allow_plain": True}])
async def test_a_server_that_offers_no_tls_is_told_nothing_unless_the_settings_say_so(settings):
    """It, or somebody in its place, says that it cannot do TLS; what the driver then sends is looked at."""
    received = bytearray()

    async def greet(reader, writer):
        flags = _PROTOCOL_41 | _SECURE | _PLUGIN_AUTH
        greeting = b"\x0a10.11.19-MariaDB\0" + struct.pack("<I", 7) + b"12345678\0"
        greeting += struct.pack("<H", flags & 0xFFFF) + b"\x21\x02\0" + struct.pack("<H", flags >> 16)
        greeting += b"\x15" + bytes(10) + b"123456789012\0mysql_native_password\0"
        assert not flags & _TLS
        writer.write(struct.pack("<I", len(greeting)) + greeting)
        await writer.drain()
        received.extend(await reader.read(1024))
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        connector = nowhere(port, **{"allow_plain": False, "timeout_seconds": 2, **settings})
        error = await failure_of(connector.discover(ANA))
    finally:
        server.close()
    if settings:
        assert SERVICE.encode() in received
    else:
        assert received == b""
        assert error.kind is ErrorKind.DENIED
        assert "offers no TLS" in error.message


# -- rights -----------------------------------------------------------------------------------------------


@pytest.mark.server("mariadb")
async def test_a_wrong_password_of_partwells_own_is_denied_and_not_repeated(mariadb_server):
    connector = connect(mariadb_server, user="somebody")
    assert (await failure_of(connector.discover(ANA))).kind is ErrorKind.DENIED
    report = await connector.test()
    assert not report.ok
    assert SERVICE_PASSWORD not in repr(report)


@pytest.mark.server("mariadb")
async def test_missing_rights_are_told_with_the_way_to_get_them(mariadb_server):
    name = "helpless"
    mariadb_server.add_person(name, password=SERVICE_PASSWORD)
    connector = connect(mariadb_server, user=name)
    person = Person(mariadb_server)
    # Whoever may not look into mysql.* sees nobody, and that is not "no account".
    for asking in (connector.discover(person.identity), connector.read(person.name)):
        assert (await failure_of(asking)).kind is ErrorKind.DENIED
    mariadb_server.ask("GRANT SELECT ON mysql.* TO helpless@'%'")
    report = await connector.test()
    assert not report.ok
    assert [problem.rpartition(": ")[2] for problem in report.problems] == [
        "GRANT CREATE USER ON *.* to it.",
        "GRANT PROCESS ON *.* to it.",
        "GRANT CONNECTION ADMIN ON *.* to it.",
        "GRANT SHOW VIEW ON *.* to it.",
        "GRANT TRIGGER ON *.* to it.",
    ]
    mariadb_server.ask("GRANT PROCESS ON *.* TO helpless@'%'")
    with person.sign_in():
        for write in (
            connector.suspend(person.name),
            connector.revoke_sessions(person.name),
            connector.remove_entitlements(person.name),
            connector.rotate(person.name, old="", keep=lambda secret: pytest.fail("kept too soon")),
            # Views and triggers that Partwell cannot see are unknown, not none.
            connector.holdings(person.name),
        ):
            assert (await failure_of(write)).kind is ErrorKind.DENIED
    assert mariadb_server.try_sign_in(person.name, "correct horse")


@pytest.mark.server("mariadb")
async def test_without_the_right_to_see_sessions_they_are_not_called_gone(mariadb_server):
    name = "shortsighted"
    mariadb_server.add_person(name, password=SERVICE_PASSWORD)
    mariadb_server.ask(f"GRANT SELECT ON mysql.* TO {name}@'%'")
    person = Person(mariadb_server)
    connector = connect(mariadb_server, user=name)
    with person.sign_in():
        for asking in (
            connector.holdings(person.name),
            connector.verify(person.name, Verb.REVOKE_SESSIONS),
            connector.revoke_sessions(person.name),
        ):
            assert (await failure_of(asking)).kind is ErrorKind.DENIED
        assert (await connector.read(person.name)).open_sessions is None
        listed = [each async for page in connector.list_accounts() for each in page]
        assert {each.open_sessions for each in listed} == {None}
        mariadb_server.ask("ALTER USER %s@'%%' ACCOUNT LOCK", person.name)
        proof = await connector.verify(person.name, Verb.SUSPEND)
    assert proof.verdict is Verdict.CONFIRMED
    assert proof.still_open is None
    assert "not visible" in proof.read


@pytest.mark.server("mariadb")
async def test_a_server_that_takes_no_writes_is_a_conflict(mariadb_server):
    """A replica takes none; what was changed there would not be changed where it counts."""
    person = Person(mariadb_server)
    mariadb_server.ask("SET GLOBAL read_only = 1")
    try:
        error = await failure_of(connect(mariadb_server).suspend(person.name))
        report = await connect(mariadb_server).test()
    finally:
        mariadb_server.ask("SET GLOBAL read_only = 0")
    assert error.kind is ErrorKind.CONFLICT
    assert not report.ok
    assert "takes no writes" in report.problems[0]
    assert mariadb_server.try_sign_in(person.name, "correct horse")


@pytest.mark.server("mariadb")
async def test_a_table_of_a_leavers_does_not_shadow_what_is_asked(mariadb_server):
    person = Person(mariadb_server)
    mariadb_server.ask(f"CREATE TABLE {DATABASE}.global_priv (User TEXT)")
    assert (await connect(mariadb_server).read(person.name)).login == person.name
    mariadb_server.ask(f"DROP TABLE {DATABASE}.global_priv")


# -- answers, without a server ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (1045, ErrorKind.DENIED),
        (1227, ErrorKind.DENIED),
        (1698, ErrorKind.DENIED),
        (1396, ErrorKind.NOT_FOUND),
        (1290, ErrorKind.CONFLICT),
        (1205, ErrorKind.RETRYABLE),
        (1040, ErrorKind.RETRYABLE),
        (2013, ErrorKind.RETRYABLE),
        (1064, ErrorKind.INVALID),
        (1235, ErrorKind.UNSUPPORTED),
    ],
)
def test_what_the_server_refuses_is_told_apart(code, kind):
    assert failure(pymysql.OperationalError(code, "refused")).kind is kind


def test_a_statement_that_the_server_cannot_read_is_not_repeated():
    """Its words hold a part of the statement, and so may hold a verifier."""
    error = failure(pymysql.ProgrammingError(1064, "syntax error near '*6FE2B845E049 secret'"))
    assert error.kind is ErrorKind.INVALID
    assert "secret" not in error.message


@pytest.mark.parametrize(
    ("answers", "verdict"),
    [
        ([SignIn.LET_IN, SignIn.REFUSED, SignIn.LET_IN], Verdict.CONFIRMED),
        ([SignIn.LET_IN, SignIn.LET_IN, SignIn.LET_IN], Verdict.FAILED),
        ([SignIn.LET_IN, SignIn.UNKNOWN, SignIn.LET_IN], Verdict.UNVERIFIABLE),
        ([SignIn.LET_IN, SignIn.REFUSED, SignIn.REFUSED], Verdict.UNVERIFIABLE),
        ([SignIn.REFUSED, SignIn.REFUSED, SignIn.REFUSED], Verdict.UNVERIFIABLE),
        ([SignIn.UNKNOWN, SignIn.LET_IN, SignIn.UNKNOWN], Verdict.FAILED),
    ],
)
async def test_a_probe_is_claimed_only_when_the_password_alone_made_the_difference(answers, verdict):
    tried: list[str] = []

    async def sign_in(password: str) -> SignIn:
        tried.append(password)
        return answers[len(tried) - 1]

    proof = await prove(sign_in, new="new", old="old")
    assert proof.verdict is verdict
    assert tried == ["new", "old", "new"]
