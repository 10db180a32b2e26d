"""Servers that are down, silent, or something else; rights that are missing; and certificates."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
import pytest

from partwell.connector_kit.addresses import AddressRefused, AllowList
from partwell.connector_kit.contract import (
    ConnectorError,
    ErrorKind,
    Identity,
    JobState,
    TransferKind,
    TransferRequest,
    Verb,
    Verdict,
)
from partwell.connector_kit.transport import Pinned, Transport
from partwell.connectors.postgresql import session as module
from partwell.connectors.postgresql.rotation import prove
from partwell.connectors.postgresql.session import SignIn, failure
from partwell.connectors.postgresql.tests.world import LOOPBACK, Person, connect, refused
from tests.servers.postgresql import BOSS, SERVICE, SERVICE_PASSWORD, PostgresqlServer
from tests.servers.running import free_port

ANA = Identity(emails=("ana@firm.test",))
ID = "7000000000000000000/16384"


def nowhere(port: int, **settings: Any):
    """A connection to whatever is at a port of this machine."""
    server = PostgresqlServer(port, None, None, 15, host="127.0.0.1")  # type: ignore[arg-type]
    return connect(server, **settings)


async def failure_of(awaitable) -> ConnectorError:
    with pytest.raises(ConnectorError) as caught:
        await awaitable
    assert SERVICE_PASSWORD not in caught.value.message
    return caught.value


async def test_a_server_that_is_down_is_retryable_and_never_no_account():
    connector = nowhere(free_port())
    for asking in (
        connector.discover(ANA),
        connector.read(ID),
        connector.holdings(ID),
        connector.verify(ID, Verb.SUSPEND),
    ):
        assert (await failure_of(asking)).kind is ErrorKind.RETRYABLE
    with refused(ErrorKind.RETRYABLE):
        [page async for page in connector.list_accounts()]
    assert not (await connector.test()).ok


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n<html>", b"E\0\0\0\7x\0"])
async def test_something_else_that_answers_is_retryable_and_given_up_in_time(answer):
    async def say(reader, writer):
        await reader.read(8)
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
    connector = nowhere(server.sockets[0].getsockname()[1], transport=transport)
    error = await failure_of(connector.discover(ANA))
    server.close()
    assert isinstance(error, AddressRefused)
    assert connections == []


@pytest.mark.parametrize(
    "url",
    [
        "postgres://db.firm.test:5432",
        "postgresql://",
        "postgresql://me:secret@db.firm.test:5432",
        "postgresql://db.firm.test:5432/x?host=169.254.169.254",
        "postgresql://db.firm.test:port",
        "db.firm.test",
    ],
)
def test_an_address_that_is_not_a_servers_is_refused(url):
    with pytest.raises(AddressRefused) as refusal:
        nowhere(1, url=url)
    assert "secret" not in refusal.value.message


@pytest.mark.parametrize("text", ["", "x", "1", "1/x", "1/-1", "1/4294967296", "1/1; DROP", "١/١"])
@pytest.mark.server("postgresql")
async def test_an_identifier_that_no_server_gives_never_reaches_one(postgresql_server, text):
    with refused(ErrorKind.INVALID):
        await connect(postgresql_server).read(text)


@pytest.mark.server("postgresql")
async def test_libpq_is_led_nowhere_else_by_its_environment(postgresql_server, monkeypatch):
    """The addresses that were checked are dialled, with the security that the settings say."""
    for name, value in {
        "PGHOSTADDR": "127.0.0.9",
        "PGSSLMODE": "disable",
        "PGSSLROOTCERT": "/nowhere",
        "PGOPTIONS": "-c search_path=elsewhere",
        "PGTARGETSESSIONATTRS": "standby",
    }.items():
        monkeypatch.setenv(name, value)
    connector = connect(postgresql_server)
    async with connector._looking() as view:
        row = await view.session.row("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
    assert row == {"ssl": True}
    found = connector._door.parameters(Pinned("db.firm.test", 5432, ("10.0.0.1", "10.0.0.2")), "me", "secret")
    assert found["hostaddr"] == "10.0.0.1,10.0.0.2"
    assert found["host"] == "db.firm.test,db.firm.test"
    # Kerberos would ask elsewhere, and a client certificate in the home folder is not ours to use.
    assert (found["gssencmode"], found["sslcertmode"]) == ("disable", "disable")


@pytest.mark.server("postgresql")
async def test_a_standby_is_refused_because_it_shows_what_was(standby_postgresql_server):
    connector = connect(standby_postgresql_server, user=BOSS, password="env:BOSS")
    error = await failure_of(connector.discover(ANA))
    assert error.kind is ErrorKind.RETRYABLE
    assert "is a standby" in error.message
    assert not (await connector.test()).ok


# -- TLS --------------------------------------------------------------------------------------------------


@pytest.mark.server("postgresql")
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_the_certificate_is_checked_against_the_name_and_the_session_is_encrypted(
    postgresql_server, host
):
    connector = connect(postgresql_server, url=f"postgresql://{host}:{postgresql_server.port}")
    async with connector._looking() as view:
        row = await view.session.row("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
    assert row == {"ssl": True}


@pytest.mark.server("postgresql")
async def test_a_certificate_from_an_unknown_authority_is_refused(postgresql_server):
    report = await connect(postgresql_server, ca_file="").test()
    assert not report.ok
    assert "certificate" in report.summary


@pytest.mark.server("postgresql")
async def test_a_certificate_for_another_name_is_refused(postgresql_server):
    transport = Transport(LOOPBACK, resolver=lambda host, port: ["127.0.0.1"])
    url = f"postgresql://db.firm.test:{postgresql_server.port}"
    report = await connect(postgresql_server, url=url, transport=transport).test()
    assert not report.ok
    assert "certificate" in report.summary


@pytest.mark.server("postgresql-18")
async def test_a_server_without_tls_is_refused_unless_the_settings_say_so(
    newest_postgresql_server, postgresql_server
):
    settings = {"allow_plain": False, "ca_file": str(postgresql_server.ca_file)}
    report = await connect(newest_postgresql_server, **settings).test()
    assert not report.ok
    assert "offers no TLS" in report.summary


async def test_without_tls_the_password_itself_is_never_sent():
    """A server, or somebody in its place, that asks for the password in the clear gets nothing."""
    received = bytearray()

    async def ask_in_the_clear(reader, writer):
        received.extend(await reader.read(1024))
        writer.write(b"R\0\0\0\x08\0\0\0\x03")  # AuthenticationCleartextPassword
        await writer.drain()
        received.extend(await reader.read(1024))
        writer.close()

    server = await asyncio.start_server(ask_in_the_clear, "127.0.0.1", 0)
    try:
        connector = nowhere(server.sockets[0].getsockname()[1], timeout_seconds=2)
        assert (await failure_of(connector.discover(ANA))).kind is ErrorKind.DENIED
    finally:
        server.close()
    assert SERVICE.encode() in received
    assert SERVICE_PASSWORD.encode() not in received


def test_a_machine_without_authorities_says_what_to_do(monkeypatch):
    class Nothing:
        cafile = openssl_cafile = None
        openssl_capath = "/nowhere"

    monkeypatch.setattr(module.ssl, "get_default_verify_paths", Nothing)
    with refused(ErrorKind.INVALID) as refusal:
        module.system_authorities()
    assert "ca_file" in refusal.value.message


# -- rights -----------------------------------------------------------------------------------------------


@pytest.mark.server("postgresql")
async def test_a_wrong_password_of_partwells_own_is_denied_and_not_repeated(postgresql_server):
    connector = connect(postgresql_server, user="somebody")
    error = await failure_of(connector.discover(ANA))
    assert error.kind is ErrorKind.DENIED
    report = await connector.test()
    assert not report.ok
    assert SERVICE_PASSWORD not in repr(report)


@pytest.mark.server("postgresql")
async def test_missing_rights_are_told_with_the_way_to_get_them(postgresql_server):
    name = "helpless"
    postgresql_server.add_person(name, password=SERVICE_PASSWORD)
    person = Person(postgresql_server)
    connector = connect(postgresql_server, user=name)
    report = await connector.test()
    assert not report.ok
    assert [problem.rpartition(": ")[2] for problem in report.problems] == [
        "ALTER ROLE helpless CREATEROLE.",
        "GRANT pg_signal_backend TO helpless.",
        "GRANT pg_read_all_stats TO helpless.",
    ]
    account = await person.account(connector)
    successor = Person(postgresql_server)
    with person.sign_in() as session:
        assert (await connector.read(account.external_id)).open_sessions == 1
        for write in (
            connector.block_sign_in(account.external_id),
            connector.suspend(account.external_id),
            connector.revoke_sessions(account.external_id),
            connector.remove_entitlements(account.external_id),
            connector.rotate(account.external_id, old="", keep=lambda secret: pytest.fail("kept too soon")),
        ):
            assert (await failure_of(write)).kind is ErrorKind.DENIED
        session.execute("SELECT 1")
    postgresql_server.run("CREATE SCHEMA {} AUTHORIZATION {}", f"of_{person.name}", person.name)
    error = await failure_of(
        connector.transfer(account.external_id, TransferRequest(TransferKind.OBJECTS, successor.name))
    )
    assert error.kind is ErrorKind.DENIED
    assert (await failure_of(connector.delete(account.external_id))).kind is ErrorKind.DENIED


@pytest.mark.server("postgresql")
async def test_a_membership_in_a_superusers_role_is_left_to_a_superuser_and_named(postgresql_server):
    server = postgresql_server
    person = Person(server)
    server.run("CREATE ROLE {} SUPERUSER", f"{person.name}_dba")
    server.run("GRANT {} TO {}", f"{person.name}_dba", person.name)
    connector = connect(server)
    account = await person.account(connector)
    error = await failure_of(connector.remove_entitlements(account.external_id))
    assert error.kind is ErrorKind.DENIED
    assert f"Still there: {person.name}_dba" in error.message
    assert server.groups_of(person.name) == {f"{person.name}_dba"}
    assert (await connector.verify(account.external_id, Verb.REMOVE_ENTITLEMENTS)).verdict is Verdict.FAILED


@pytest.mark.server("postgresql-18")
async def test_from_16_on_only_who_granted_a_membership_can_take_it_away_and_it_is_said(
    newest_postgresql_server,
):
    server = newest_postgresql_server
    person = Person(server)
    server.run("CREATE ROLE {}", f"{person.name}_by_boss")
    server.run("GRANT {} TO {}", f"{person.name}_by_boss", person.name)
    connector = connect(server)
    account = await person.account(connector)

    report = await connector.test()
    assert not report.ok
    assert any("granted by boss" in problem for problem in report.problems)
    error = await failure_of(connector.remove_entitlements(account.external_id))

    assert error.kind is ErrorKind.DENIED
    assert f"{person.name}_by_boss (granted by {BOSS})" in error.message
    assert "1 of 2 memberships were taken away" in error.message
    assert (await connector.verify(account.external_id, Verb.REMOVE_ENTITLEMENTS)).verdict is Verdict.FAILED
    server.run("REVOKE {} FROM {}", f"{person.name}_by_boss", person.name)


@pytest.mark.server("postgresql-18")
async def test_from_16_on_a_role_out_of_reach_is_told_by_the_test_of_the_connection(newest_postgresql_server):
    server = newest_postgresql_server
    server.run("CREATE ROLE out_of_reach LOGIN")
    connector = connect(server)
    report = await connector.test()
    assert any("out_of_reach" in problem and "WITH ADMIN TRUE" in problem for problem in report.problems)
    assert (await connect(server, protected=["out_of_reach"]).test()).ok
    (account,) = await connector.discover(Identity(emails=(), usernames=("out_of_reach",)))
    assert (await failure_of(connector.suspend(account.external_id))).kind is ErrorKind.DENIED
    server.run("DROP ROLE out_of_reach")


@pytest.mark.server("postgresql")
async def test_a_dangerous_function_in_a_database_of_a_leaver_is_not_run(postgresql_server):
    """Who may create functions could otherwise have Partwell run theirs, with Partwell's rights."""
    person, successor = Person(postgresql_server), Person(postgresql_server)
    database = f"{person.name}_trap"
    postgresql_server.run("CREATE DATABASE {} OWNER {}", database, person.name)
    with person.sign_in(database=database) as session:
        # A function whose arguments fit better is taken over the server's own, wherever it is found.
        for number in ("smallint", "integer", "bigint"):
            session.execute(
                f"CREATE FUNCTION public.pg_has_role({number}, text) RETURNS boolean AS "
                "$$ BEGIN RAISE EXCEPTION 'trapped'; END $$ LANGUAGE plpgsql"
            )
        session.execute("CREATE TABLE public.pg_shdepend ()")
    connector = connect(postgresql_server)
    account = await person.account(connector)
    assert len(await connector.holdings(account.external_id)) == 5
    job = await connector.transfer(account.external_id, TransferRequest(TransferKind.OBJECTS, successor.name))
    assert job.state is JobState.DONE


# -- answers, without a server ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        ("42501", ErrorKind.DENIED),
        ("2BP01", ErrorKind.CONFLICT),
        ("25006", ErrorKind.CONFLICT),
        ("42704", ErrorKind.NOT_FOUND),
        ("57014", ErrorKind.RETRYABLE),
        ("40001", ErrorKind.RETRYABLE),
        ("53300", ErrorKind.RETRYABLE),
        ("57P01", ErrorKind.RETRYABLE),
        ("42601", ErrorKind.INVALID),
        ("0A000", ErrorKind.UNSUPPORTED),
    ],
)
def test_what_the_server_refuses_is_told_apart(state, kind):
    error = psycopg.errors.lookup(state)("refused")
    assert failure(error).kind is kind


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('FATAL:  password authentication failed for user "partwell"', ErrorKind.DENIED),
        ("FATAL:  no pg_hba.conf entry for host", ErrorKind.DENIED),
        ("server is in hot standby mode: it is a standby", ErrorKind.RETRYABLE),
        ("FATAL:  sorry, too many clients already", ErrorKind.RETRYABLE),
        ("FATAL:  the database system is starting up", ErrorKind.RETRYABLE),
        ("FATAL:  Passwort-Authentifizierung fehlgeschlagen", ErrorKind.RETRYABLE),
    ],
)
def test_a_refused_connection_is_told_apart_where_it_can_be(text, kind):
    assert module._refused(psycopg.OperationalError(text), Pinned("db", 5432, ("10.0.0.1",))).kind is kind


@pytest.mark.parametrize(
    ("answers", "verdict"),
    [
        ([SignIn.LET_IN, SignIn.REFUSED, SignIn.LET_IN], Verdict.CONFIRMED),
        ([SignIn.LET_IN, SignIn.LET_IN, SignIn.LET_IN], Verdict.FAILED),
        ([SignIn.LET_IN_UNASKED, SignIn.LET_IN_UNASKED, SignIn.LET_IN_UNASKED], Verdict.FAILED),
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
