"""The MySQL connector against a real MariaDB, with the least privilege that the how-to gives."""

from __future__ import annotations

from collections.abc import Iterator

import pymysql
import pytest

from partwell.connector_kit.contract import ErrorKind, Identity, Outcome, Verb, Verdict
from partwell.connector_kit.testing import ConnectorContract, World
from partwell.connector_kit.transport import Transport
from partwell.connectors.mysql.tests.world import LOOPBACK, PASSWORD, Person, connect, is_alive, refused
from tests.servers.mariadb import DATABASE, SERVICE, MariaDbServer
from tests.servers.running import wait_until

pytestmark = pytest.mark.server("mariadb")


@pytest.fixture
def server(mariadb_server: MariaDbServer) -> MariaDbServer:
    return mariadb_server


@pytest.fixture
def person(server: MariaDbServer) -> Person:
    return Person(server)


class TestContract(ConnectorContract):
    @pytest.fixture
    def world(self, server: MariaDbServer, person: Person) -> Iterator[World]:
        session = person.sign_in()
        yield World(
            make=lambda: connect(server),
            make_read_only=lambda: connect(server, transport=Transport(LOOPBACK, read_only=True)),
            identity=person.identity,
            unknown=Identity(emails=("nobody@firm.test",), usernames=("nobody",)),
            missing_id="nobody",
        )
        if session.open:
            session.close()


# -- finding ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["user name", "address as name", "local part"])
async def test_a_person_is_found_by_what_is_known_of_them(server, by):
    person = Person(server, name="by-name@firm.test" if by == "address as name" else "")
    identity = {
        "user name": Identity(emails=(), usernames=(person.name.upper(),)),
        "address as name": Identity(emails=(person.name.upper(),)),
        "local part": Identity(emails=(f"{person.name}@Firm.Test",)),
    }[by]
    (account,) = await connect(server, local_parts_of=["firm.test"]).discover(identity)
    assert account.login == person.name
    assert account.matched_by


async def test_the_local_part_of_somebody_elses_domain_is_not_a_login(server, person):
    """ana@client.test is not the firm's own ana."""
    stranger = Identity(emails=(f"{person.name}@client.test",))
    assert await connect(server, local_parts_of=["firm.test"]).discover(stranger) == []


async def test_one_login_with_several_hosts_is_one_account_and_nobody_is_asked(server):
    person = Person(server, hosts=("%", "127.0.0.1", "10.1.%"))
    account = await person.account(connect(server))
    assert account.external_id == person.name
    assert account.details["hosts"] == "% open, 10.1.% open, 127.0.0.1 open"


async def test_two_logins_that_differ_by_case_are_both_returned_for_a_person_to_decide(server, person):
    Person(server, name=person.name.upper(), with_rights=False)
    found = await connect(server).discover(person.identity)
    assert {account.login for account in found} == {person.name, person.name.upper()}
    await connect(server).suspend(person.name.upper())
    assert server.try_sign_in(person.name, PASSWORD)


@pytest.mark.parametrize("text", ["%", "' OR 1=1 -- ", "`", "a\\", "\\' OR 1=1 -- ", "ü", "\N{SNAKE}", "*/"])
async def test_a_hostile_name_finds_nobody(server, person, text):
    identity = Identity(emails=(text, f"{text}@firm.test"), usernames=(text,))
    assert await connect(server, local_parts_of=["firm.test"]).discover(identity) == []


@pytest.mark.parametrize("name", ["`@`%`, victim", "vic'tim", 'vic"tim', "vic\\tim", "\\", "a@b@c", "é ü"])
async def test_a_login_with_a_hostile_name_is_cut_and_nobody_else(server, person, name):
    hostile = Person(server, name=name)
    connector = connect(server)
    (account,) = await connector.discover(Identity(emails=(), usernames=(name,)))
    snapshot = await connector.snapshot(account.external_id)
    with hostile.sign_in() as session:
        assert (await connector.read(account.external_id)).open_sessions == 1
        for verb in (Verb.SUSPEND, Verb.REVOKE_SESSIONS, Verb.REMOVE_ENTITLEMENTS):
            receipt = await getattr(connector, verb.value)(account.external_id)
            assert receipt.outcome is Outcome.DONE
            assert (await connector.verify(account.external_id, verb)).verdict is Verdict.CONFIRMED
        assert not is_alive(session)
    assert server.try_sign_in(person.name, PASSWORD)
    await connector.restore(account.external_id, Verb.REMOVE_ENTITLEMENTS, snapshot)
    assert len((await connector.read(account.external_id)).entitlements) == 3
    await connector.delete(account.external_id)
    assert await connector.read(account.external_id) is None


async def test_listing_everybody_goes_page_by_page_and_tells_people_from_services(
    server, person, monkeypatch
):
    monkeypatch.setattr("partwell.connectors.mysql.view.PAGE_SIZE", 2)
    server.add_person(f"{person.name}_app")
    server.add_person(f"{person.name}_replica")
    server.ask("GRANT REPLICATION SLAVE ON *.* TO %s@'%%'", f"{person.name}_replica")
    connector = connect(server, service_accounts=[f"{person.name}_APP"], local_parts_of=["firm.test"])
    pages = [page async for page in connector.list_accounts()]
    listed = {account.login: account for page in pages for account in page}
    assert len(pages) > 1
    assert max(map(len, pages)) <= 2
    assert len(listed) == sum(map(len, pages))
    assert listed[person.name].emails == (f"{person.name}@firm.test",)
    assert listed[person.name].nature == "person"
    assert listed[f"{person.name}_app"].nature == "service"
    assert listed[f"{person.name}_replica"].nature == "service"
    assert listed[f"{person.name}_replica"].is_protected
    assert listed[SERVICE].is_protected
    assert listed["mariadb.sys"].is_protected
    assert person.role not in listed
    assert "" not in listed


async def test_sessions_are_shown_with_where_they_come_from(server, person):
    connector = connect(server)
    account = await person.account(connector)
    with person.sign_in() as session:
        number = session.thread_id()
        (held,) = await connector.holdings(account.external_id)
        listed = [each async for page in connector.list_accounts() for each in page]
    assert [each.login for each in listed if each.last_used_at is not None] == [person.name]
    assert held.kind == "session"
    assert held.external_id == str(number)
    assert held.details["client_address"].startswith("127.0.0.1:")


async def test_what_runs_with_a_leavers_rights_is_named_wherever_it_is(server, person):
    name = person.name
    definer = f"{name}@'%'"
    server.ask(f"CREATE DEFINER={definer} VIEW {DATABASE}.{name}_view AS SELECT id FROM {DATABASE}.orders")
    server.ask(f"CREATE DEFINER={definer} PROCEDURE {DATABASE}.{name}_routine() SELECT 1")
    server.ask(f"CREATE DEFINER={definer} EVENT {DATABASE}.{name}_event ON SCHEDULE EVERY 1 DAY DO SELECT 1")
    server.ask(f"CREATE TABLE {DATABASE}.{name}_table (id INT)")
    server.ask(
        f"CREATE DEFINER={definer} TRIGGER {DATABASE}.{name}_trigger "
        f"BEFORE INSERT ON {DATABASE}.{name}_table FOR EACH ROW SET NEW.id = 1"
    )
    connector = connect(server)
    account = await person.account(connector)
    held = {each.external_id for each in await connector.holdings(account.external_id)}
    assert held == {
        f"view:{DATABASE}.{name}_view",
        f"procedure:{DATABASE}.{name}_routine",
        f"event:{DATABASE}.{name}_event",
        f"trigger:{DATABASE}.{name}_trigger",
    }
    with refused(ErrorKind.CONFLICT) as refusal:
        await connector.delete(account.external_id)
    assert f"view {DATABASE}.{name}_view" in refusal.value.message
    assert (await connector.verify(account.external_id, Verb.DELETE)).verdict is Verdict.FAILED
    receipt = await connector.remove_entitlements(account.external_id)
    assert f"event {DATABASE}.{name}_event" in receipt.summary
    server.ask(f"DROP EVENT {DATABASE}.{name}_event")


# -- cutting ----------------------------------------------------------------------------------------------


async def test_a_session_outlives_the_lock_and_ends_when_it_is_ended(server, person):
    connector = connect(server)
    account = await person.account(connector)
    session = person.sign_in()

    await connector.suspend(account.external_id)

    assert not server.try_sign_in(person.name, PASSWORD)
    assert is_alive(session)
    proof = await connector.verify(account.external_id, Verb.SUSPEND)
    assert proof.verdict is Verdict.CONFIRMED
    assert proof.still_open == 1
    assert "1 sessions of this account are open" in proof.read
    assert (await connector.verify(account.external_id, Verb.REVOKE_SESSIONS)).verdict is Verdict.FAILED

    receipt = await connector.revoke_sessions(account.external_id)

    assert "may still sign in" not in receipt.summary
    assert (await connector.verify(account.external_id, Verb.REVOKE_SESSIONS)).verdict is Verdict.CONFIRMED
    assert not is_alive(session)


async def test_ending_sessions_of_an_open_account_says_that_it_may_come_back(server, person):
    connector = connect(server)
    account = await person.account(connector)
    with person.sign_in():
        receipt = await connector.revoke_sessions(account.external_id)
    assert "may still sign in anew" in receipt.summary
    assert server.try_sign_in(person.name, PASSWORD)


async def test_every_host_of_a_login_is_locked(server):
    """The server takes the most exact host, so a lock on one of several leaves a door open."""
    person = Person(server, hosts=("%", "127.0.0.1"))
    server.ask("ALTER USER %s@'%%' ACCOUNT LOCK", person.name)
    connector = connect(server)
    account = await person.account(connector)
    assert account.is_active
    assert (await connector.verify(account.external_id, Verb.SUSPEND)).verdict is Verdict.FAILED
    assert server.try_sign_in(person.name, PASSWORD)
    await connector.suspend(account.external_id)
    assert (await connector.verify(account.external_id, Verb.SUSPEND)).verdict is Verdict.CONFIRMED
    assert not server.try_sign_in(person.name, PASSWORD)


async def test_without_the_password_a_locked_account_cannot_be_told_from_a_live_one(server, person):
    """Why no probe is claimed: the server asks for the password first."""

    def said(password: str) -> tuple:
        with pytest.raises(pymysql.OperationalError) as refusal:
            server.connect(person.name, password)
        return refusal.value.args

    live = said("wrong")
    server.ask("ALTER USER %s@'%%' ACCOUNT LOCK", person.name)
    assert said("wrong") == live
    assert said(PASSWORD)[0] == 4151
    proof = await connect(server).verify(person.name, Verb.SUSPEND)
    assert proof.probe == ""
    assert "No sign-in was tried" in proof.read


async def test_events_of_a_locked_account_go_on_and_end_with_its_rights(server, person):
    """A lock keeps people out; what runs by the clock with their rights goes on."""
    table = f"{DATABASE}.{person.name}_ticks"
    server.ask(f"CREATE TABLE {table} (id INT AUTO_INCREMENT PRIMARY KEY)")
    server.ask(f"GRANT INSERT, EVENT ON {DATABASE}.* TO %s@'%%'", person.name)
    connector = connect(server)
    await connector.suspend(person.name)
    server.ask(
        f"CREATE DEFINER={person.name}@'%' EVENT {DATABASE}.{person.name}_tick ON SCHEDULE EVERY 1 SECOND "
        f"DO INSERT INTO {table} VALUES ()"
    )
    wait_until(lambda: server.ask(f"SELECT COUNT(*) FROM {table}")[0][0] > 0, seconds=20, what="a tick")

    await connector.remove_entitlements(person.name)

    before = server.ask(f"SELECT COUNT(*) FROM {table}")[0][0]
    executed = "SELECT LAST_EXECUTED FROM information_schema.EVENTS WHERE EVENT_NAME = %s"
    event = f"{person.name}_tick"
    last = server.ask(executed, event)[0][0]
    wait_until(lambda: server.ask(executed, event)[0][0] != last, seconds=20, what="another try")
    server.ask(f"DROP EVENT {DATABASE}.{event}")
    assert server.ask(f"SELECT COUNT(*) FROM {table}")[0][0] - before <= 1


async def test_rights_roles_and_proxies_of_every_host_are_taken_away(server):
    person = Person(server, hosts=("%", "127.0.0.1"))
    server.ask(f"GRANT UPDATE ON {DATABASE}.* TO %s@'127.0.0.1'", person.name)
    connector = connect(server)
    account = await person.account(connector)
    assert {entitlement.name for entitlement in account.entitlements} == {
        f"SELECT, UPDATE (`note`) ON `{DATABASE}`.`orders` (from %)",
        f"INSERT ON `{DATABASE}`.*, with the right to pass it on (from %)",
        f"`{person.role}` (from %)",
        f"UPDATE ON `{DATABASE}`.* (from 127.0.0.1)",
    }
    receipt = await connector.remove_entitlements(account.external_id)
    assert "4 rights and roles" in receipt.summary
    assert server.grants_of(person.name) == server.grants_of(person.name, "127.0.0.1") == set()


async def test_a_proxy_that_partwell_may_not_take_away_is_named_and_not_called_gone(server, person):
    other = Person(server)
    server.ask("GRANT PROXY ON %s@'%%' TO %s@'%%'", other.name, person.name)
    connector = connect(server)
    account = await person.account(connector)
    with refused(ErrorKind.DENIED) as refusal:
        await connector.remove_entitlements(account.external_id)
    assert f"Still there: PROXY ON `{other.name}`@`%`" in refusal.value.message
    proof = await connector.verify(account.external_id, Verb.REMOVE_ENTITLEMENTS)
    assert proof.verdict is Verdict.FAILED
    assert "still holds 1" in proof.read


async def test_a_proxy_goes_with_the_rest_and_comes_back_where_partwell_may(server, person):
    other = Person(server)
    server.ask("GRANT PROXY ON %s@'%%' TO %s@'%%'", other.name, person.name)
    server.ask("GRANT PROXY ON ''@'%' TO partwell@'127.0.0.1' WITH GRANT OPTION")
    connector = connect(server)
    before = server.grants_of(person.name)
    snapshot = await connector.snapshot(person.name)
    await connector.remove_entitlements(person.name)
    assert server.grants_of(person.name) == set()
    await connector.restore(person.name, Verb.REMOVE_ENTITLEMENTS, snapshot)
    assert server.grants_of(person.name) == before
    server.ask("REVOKE PROXY ON ''@'%' FROM partwell@'127.0.0.1'")


async def test_an_account_that_the_server_ignores_is_told_and_stops_nothing(server, person):
    """Where names are not looked up, an account for a name can be neither used nor locked."""
    server.ask(
        "INSERT INTO mysql.global_priv (Host, User, Priv) VALUES ('desk.firm.test', %s, '{}')", person.name
    )
    connector = connect(server)
    account = await person.account(connector)
    assert account.details["hosts"] == "% open, desk.firm.test ignored by the server"
    await connector.suspend(account.external_id)
    proof = await connector.verify(account.external_id, Verb.SUSPEND)
    assert proof.verdict is Verdict.CONFIRMED
    assert "desk.firm.test ignored by the server" in proof.read
