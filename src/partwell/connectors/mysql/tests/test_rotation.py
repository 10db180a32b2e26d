"""A shared account of a real MariaDB gets a new password."""

from __future__ import annotations

import pytest

from partwell.connector_kit.contract import ConnectorError, ErrorKind, Verdict
from partwell.connector_kit.transport import Transport
from partwell.connectors.mysql.tests.world import LOOPBACK, PASSWORD, Person, connect, refused
from tests.servers.mariadb import MariaDbServer

pytestmark = pytest.mark.server("mariadb")


@pytest.fixture
def server(mariadb_server: MariaDbServer) -> MariaDbServer:
    return mariadb_server


@pytest.fixture
def person(server: MariaDbServer) -> Person:
    return Person(server)


async def test_the_new_password_is_kept_before_the_old_one_stops_working(server):
    person = Person(server, hosts=("%", "127.0.0.1"))
    kept: list[str] = []

    def keep(secret):
        assert server.try_sign_in(person.name, PASSWORD)
        kept.append(secret["password"])

    rotation = await connect(server).rotate(person.name, old=PASSWORD, keep=keep)

    assert rotation.proof.verdict is Verdict.CONFIRMED, rotation.proof
    assert "with the old password was refused" in rotation.proof.probe
    assert server.try_sign_in(person.name, kept[0])
    assert not server.try_sign_in(person.name, PASSWORD)
    assert kept[0] not in repr(rotation)
    verifiers = server.ask(
        "SELECT JSON_VALUE(Priv, '$.authentication_string'), JSON_LENGTH(Priv, '$.auth_or') "
        "FROM mysql.global_priv WHERE User = %s",
        person.name,
    )
    assert len(verifiers) == 2
    assert len(set(verifiers)) == 1  # the same from both hosts, and no second one beside it


async def test_neither_password_reaches_the_servers_log(server, person):
    """MariaDB writes IDENTIFIED BY into its log as it was sent; so it is sent a verifier."""
    kept: list[str] = []
    server.ask("SET GLOBAL general_log = 1")
    try:
        await connect(server).rotate(
            person.name, old=PASSWORD, keep=lambda secret: kept.append(secret["password"])
        )
    finally:
        server.ask("SET GLOBAL general_log = 0")
    log = "\n".join(
        str(row[0]) for row in server.ask("SELECT CONVERT(argument USING utf8mb4) FROM mysql.general_log")
    )
    assert f"ALTER USER `{person.name}`@`%` IDENTIFIED VIA mysql_native_password USING '*" in log
    assert kept[0] not in log
    assert PASSWORD not in log


@pytest.mark.parametrize(
    "fault", [OSError("vault says hunter2"), ConnectorError(ErrorKind.THROTTLED, "later")]
)
async def test_when_the_new_password_cannot_be_put_away_all_is_as_it_was(server, person, fault):
    seen: list[str] = []

    def keep(secret):
        seen.append(secret["password"])
        raise fault

    verifier = "SELECT Priv FROM mysql.global_priv WHERE User = %s"
    before = server.ask(verifier, person.name)[0][0]
    with pytest.raises(ConnectorError) as refusal:
        await connect(server).rotate(person.name, old=PASSWORD, keep=keep)
    assert server.try_sign_in(person.name, PASSWORD)
    assert not server.try_sign_in(person.name, seen[0])
    assert before.split('"authentication_string":')[1][:43] in server.ask(verifier, person.name)[0][0]
    assert "hunter2" not in refusal.value.message


async def test_without_the_old_password_a_made_up_one_is_tried(server, person):
    rotation = await connect(server).rotate(person.name, old="", keep=lambda secret: None)
    assert rotation.proof.verdict is Verdict.CONFIRMED
    assert "made-up" in rotation.proof.probe


async def test_an_account_that_cannot_be_tried_from_here_is_not_called_proven(server):
    person = Person(server, hosts=("10.1.%",))
    rotation = await connect(server).rotate(person.name, old=PASSWORD, keep=lambda secret: None)
    assert rotation.proof.verdict is Verdict.UNVERIFIABLE


async def test_an_account_without_a_native_password_is_left_to_a_person(server, person):
    server.ask("ALTER USER %s@'%%' IDENTIFIED VIA unix_socket", person.name)
    with refused(ErrorKind.UNSUPPORTED) as refusal:
        await connect(server).rotate(person.name, old="", keep=lambda secret: pytest.fail("kept too soon"))
    assert "unix_socket" in refusal.value.message
    dry = connect(server, transport=Transport(LOOPBACK, read_only=True))
    with refused(ErrorKind.UNSUPPORTED):
        await dry.rotate(person.name, old="", keep=lambda secret: pytest.fail("kept in a dry run"))
