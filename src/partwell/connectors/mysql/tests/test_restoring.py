"""Putting back what was cut on a real MariaDB, and leaving alone what is protected."""

from __future__ import annotations

import pytest

from partwell.connector_kit.contract import ErrorKind, Outcome, Verb, Verdict
from partwell.connectors.mysql.tests.world import PASSWORD, Person, connect, is_alive, refused
from tests.servers.mariadb import BOSS, SERVICE, MariaDbServer

pytestmark = pytest.mark.server("mariadb")


@pytest.fixture
def server(mariadb_server: MariaDbServer) -> MariaDbServer:
    return mariadb_server


@pytest.fixture
def person(server: MariaDbServer) -> Person:
    return Person(server)


# -- restoring --------------------------------------------------------------------------------------------


async def test_the_snapshot_brings_back_the_lock_of_each_host_and_all_rights(server):
    person = Person(server, hosts=("%", "127.0.0.1"))
    server.ask("ALTER USER %s@'%%' ACCOUNT LOCK", person.name)
    server.ask(f"GRANT {person.role} TO %s@'%%' WITH ADMIN OPTION", person.name)
    server.ask(f"SET DEFAULT ROLE {person.role} FOR %s@'%%'", person.name)
    before = server.grants_of(person.name)
    assert len(before) == 4
    connector = connect(server)
    account = await person.account(connector)
    snapshot = await connector.snapshot(account.external_id)
    await connector.suspend(account.external_id)
    await connector.remove_entitlements(account.external_id)

    for verb in (Verb.SUSPEND, Verb.REMOVE_ENTITLEMENTS):
        assert (await connector.restore(account.external_id, verb, snapshot)).outcome is Outcome.DONE

    assert server.grants_of(person.name) == before
    assert server.try_sign_in(person.name, PASSWORD)
    locked = (
        "SELECT JSON_VALUE(Priv, '$.account_locked') FROM mysql.global_priv WHERE User = %s AND Host = '%%'"
    )
    assert server.ask(locked, person.name) == [("1",)]
    for verb in (Verb.SUSPEND, Verb.REMOVE_ENTITLEMENTS):
        assert (await connector.restore(account.external_id, verb, snapshot)).outcome is Outcome.ALREADY_DONE


async def test_no_verifier_of_a_password_is_in_the_snapshot(server, person):
    verifier = server.ask(
        "SELECT JSON_VALUE(Priv, '$.authentication_string') FROM mysql.global_priv WHERE User = %s",
        person.name,
    )[0][0]
    connector = connect(server)
    assert len(verifier) == 41
    assert verifier not in repr(await connector.snapshot(person.name))
    assert verifier not in repr(await connector.read(person.name))


async def test_rights_that_partwell_may_not_give_are_named_and_the_others_come_back(server, person):
    server.ask("GRANT DELETE ON shop.* TO %s@'%%'", person.name)
    server.ask("GRANT INDEX ON shop.orders TO %s@'%%'", person.name)
    connector = connect(server)
    snapshot = await connector.snapshot(person.name)
    await connector.remove_entitlements(person.name)
    with refused(ErrorKind.DENIED) as refusal:
        await connector.restore(person.name, Verb.REMOVE_ENTITLEMENTS, snapshot)
    assert "DELETE" in refusal.value.message
    assert "INDEX" in refusal.value.message
    assert f"GRANT `{person.role}` TO `{person.name}`@`%`" in server.grants_of(person.name)


async def test_a_host_that_is_gone_is_named(server):
    person = Person(server, hosts=("127.0.0.1", "%"))
    connector = connect(server)
    snapshot = await connector.snapshot(person.name)
    await connector.remove_entitlements(person.name)
    server.ask("DROP USER %s@'127.0.0.1'", person.name)
    with refused(ErrorKind.NOT_FOUND) as refusal:
        await connector.restore(person.name, Verb.REMOVE_ENTITLEMENTS, snapshot)
    assert "the account for 127.0.0.1 (it no longer exists)" in refusal.value.message


async def test_ended_sessions_do_not_come_back(server, person):
    connector = connect(server)
    snapshot = await connector.snapshot(person.name)
    with refused(ErrorKind.UNSUPPORTED):
        await connector.restore(person.name, Verb.REVOKE_SESSIONS, snapshot)


# -- leaving alone ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("why", ["listed", "replica", "last with a role", "own", "the server's"])
async def test_a_protected_account_is_shown_as_such_and_never_touched(server, person, why):
    settings: dict = {}
    name = {"own": SERVICE, "the server's": "mariadb.sys"}.get(why, person.name)
    if why == "listed":
        settings = {"protected": [name.upper()]}
    elif why == "last with a role":
        server.ask(f"REVOKE {person.role} FROM {BOSS}@'127.0.0.1'")
        settings = {"admin_groups": [person.role]}
    elif why == "replica":
        server.ask("GRANT REPLICATION SLAVE ON *.* TO %s@'%%'", name)
    connector = connect(server, **settings)
    account = await connector.read(name)
    assert account.is_protected
    # What was so before is so still, and is said without a write; all else is refused.
    writes = [connector.remove_entitlements, connector.delete]
    writes += [connector.block_sign_in, connector.suspend] if account.is_active else []
    for write in writes:
        with refused(ErrorKind.CONFLICT):
            await write(name)
    with refused(ErrorKind.CONFLICT):
        await connector.rotate(name, old="", keep=lambda secret: None)
    if name == person.name:
        with person.sign_in() as session:
            with refused(ErrorKind.CONFLICT):
                await connector.revoke_sessions(name)
            assert is_alive(session)


async def test_the_last_administrator_is_protected_and_one_of_several_is_not(server, person):
    """Partwell's own account is none, whatever it may do."""
    server.ask("GRANT ALL ON *.* TO %s@'%%' WITH GRANT OPTION", person.name)
    connector = connect(server)
    assert not (await connector.read(person.name)).is_protected
    assert not (await connector.read(BOSS)).is_protected
    locked = ["root@localhost", "root@127.0.0.1", "root@'::1'", f"{person.name}@'%'"]
    server.ask(f"GRANT CREATE USER ON *.* TO {SERVICE}@'127.0.0.1' WITH GRANT OPTION")
    server.ask(f"ALTER USER {', '.join(locked)} ACCOUNT LOCK")
    try:
        assert (await connector.read(BOSS)).is_protected
        with refused(ErrorKind.CONFLICT):
            await connector.suspend(BOSS)
    finally:
        server.ask(f"ALTER USER {', '.join(locked)} ACCOUNT UNLOCK")
        server.ask(f"REVOKE GRANT OPTION ON *.* FROM {SERVICE}@'127.0.0.1'")


async def test_an_account_is_dropped_from_every_host_when_nothing_is_left(server):
    person = Person(server, hosts=("%", "127.0.0.1"))
    connector = connect(server)
    with person.sign_in():
        with refused(ErrorKind.CONFLICT) as refusal:
            await connector.delete(person.name)
        assert "Sessions" in refusal.value.message
        await connector.revoke_sessions(person.name)
    assert (await connector.delete(person.name)).outcome is Outcome.DONE
    assert (await connector.verify(person.name, Verb.DELETE)).verdict is Verdict.CONFIRMED
    assert server.ask("SELECT Host FROM mysql.global_priv WHERE User = %s", person.name) == []
    assert (await connector.delete(person.name)).outcome is Outcome.ALREADY_DONE
