"""The PostgreSQL connector against real servers, with the least privilege that the how-to gives.

Version 15 and version 18: from 16 on, CREATEROLE reaches only what it was given.
"""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from partwell.connector_kit.contract import ErrorKind, Identity, Outcome, Verb, Verdict
from partwell.connector_kit.testing import ConnectorContract, World
from partwell.connector_kit.transport import Transport
from partwell.connectors.postgresql.tests.world import LOOPBACK, PASSWORD, Person, connect, is_alive, refused
from tests.servers.postgresql import ACCESS_ADMIN, BOSS, SERVICE, TRUSTING, PostgresqlServer

pytestmark = [pytest.mark.server("postgresql"), pytest.mark.server("postgresql-18")]


@pytest.fixture(params=["15", "18"])
def server(request: pytest.FixtureRequest) -> PostgresqlServer:
    name = {"15": "postgresql_server", "18": "newest_postgresql_server"}[request.param]
    found: PostgresqlServer = request.getfixturevalue(name)
    return found


@pytest.fixture
def person(server: PostgresqlServer) -> Person:
    return Person(server)


class TestContract(ConnectorContract):
    @pytest.fixture
    def world(self, server: PostgresqlServer, person: Person) -> Iterator[World]:
        with person.sign_in():
            yield World(
                make=lambda: connect(server),
                make_read_only=lambda: connect(server, transport=Transport(LOOPBACK, read_only=True)),
                identity=person.identity,
                unknown=Identity(emails=("nobody@firm.test",), usernames=("nobody",)),
                missing_id=f"{server.cluster}/4294967294",
            )


# -- finding ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["comment", "user name", "address as name", "local part"])
async def test_a_person_is_found_by_what_is_known_of_them(server, by):
    settings: dict = {}
    if by == "address as name":
        person = Person(server, name=f"by-name-{server.version}@firm.test")
        identity = Identity(emails=(person.name.upper(),))
    else:
        person = Person(server)
        identity = {
            "comment": Identity(emails=(person.mail.upper(),)),
            "user name": Identity(emails=(), usernames=(person.name.upper(),)),
            "local part": Identity(emails=(f"{person.name}@Other.Test",)),
        }[by]
        settings = {"local_parts_of": ["other.test"]} if by == "local part" else {}
    (account,) = await connect(server, **settings).discover(identity)
    assert account.login == person.name
    assert account.matched_by


async def test_the_local_part_of_somebody_elses_domain_is_not_a_login(server, person):
    """ana@client.test is not the firm's own ana."""
    stranger = Identity(emails=(f"{person.name}@client.test",))
    assert await connect(server, local_parts_of=["firm.test"]).discover(stranger) == []


@pytest.mark.parametrize("text", ["%", "' OR true --", '"; DROP ROLE x; --', "a\\", "ü", "pg_read_all_data"])
async def test_a_hostile_name_finds_nobody(server, person, text):
    identity = Identity(emails=(text, f"{text}@firm.test"), usernames=(text,))
    assert await connect(server, local_parts_of=["firm.test"]).discover(identity) == []


async def test_a_role_with_a_hostile_name_is_cut_and_nobody_else(server, person):
    hostile = Person(server, name=f"\"; ALTER ROLE {person.name} NOLOGIN; -- \\ ' {server.version}")
    connector = connect(server)
    (account,) = await connector.discover(Identity(emails=(), usernames=(hostile.name,)))
    for act in (connector.block_sign_in, connector.suspend, connector.remove_entitlements):
        assert (await act(account.external_id)).outcome is Outcome.DONE
    assert server.try_sign_in(person.name, PASSWORD)
    assert not server.try_sign_in(hostile.name, PASSWORD)


async def test_two_roles_that_match_are_both_returned_for_a_person_to_decide(server, person):
    second = server.add_person(f"{person.name}_admin", comment=f"second role of {person.mail}")
    found = await connect(server).discover(person.identity)
    assert {account.external_id.partition("/")[2] for account in found} == {str(person.oid), str(second)}


async def test_a_suspended_role_is_still_found_and_a_group_is_not(server, person):
    server.run("ALTER ROLE {} NOLOGIN", person.name)
    server.run("COMMENT ON ROLE {} IS 'ask " + person.mail + "'", person.group)
    (account,) = await connect(server).discover(person.identity)
    assert account.is_active is False
    assert account.login == person.name


async def test_a_suspended_role_whose_rights_others_have_is_not_gone(server, person):
    """A role that may not sign in and has members looks like a group; by its number it is still there."""
    connector = connect(server)
    account = await person.account(connector)
    other = Person(server)
    server.run("GRANT {} TO {}", person.name, other.name)
    await connector.suspend(account.external_id)
    again = await connector.read(account.external_id)
    assert again is not None
    assert again.is_active is False
    assert again.details["members"] == other.name


async def test_renaming_a_role_does_not_hide_it(server, person):
    connector = connect(server)
    account = await person.account(connector)
    server.run("ALTER ROLE {} RENAME TO {}", person.name, f"{person.name}_new")
    await connector.suspend(account.external_id)
    proof = await connector.verify(account.external_id, Verb.SUSPEND)
    assert proof.verdict is Verdict.CONFIRMED
    assert "no such role" not in proof.read
    assert (await connector.read(account.external_id)).login == f"{person.name}_new"


async def test_another_server_at_the_same_address_is_not_proof_that_somebody_is_gone(server, person):
    """A server made anew from a dump numbers its roles anew."""
    connector = connect(server)
    account = await person.account(connector)
    elsewhere = f"1{account.external_id}"
    for asking in (
        connector.read(elsewhere),
        connector.verify(elsewhere, Verb.SUSPEND),
        connector.suspend(elsewhere),
    ):
        with refused(ErrorKind.CONFLICT):
            await asking


async def test_nested_roles_and_the_admin_option_are_shown(server):
    person = Person(server, admin=True)
    outer = f"{person.name}_outer"
    server.add_group(outer, [person.group])
    account = await person.account(connect(server))
    assert [(e.kind, e.name) for e in account.entitlements] == [
        ("role with admin option", person.group),
        ("nested role", outer),
    ]


async def test_listing_everybody_goes_page_by_page_and_tells_people_from_services(
    server, person, monkeypatch
):
    monkeypatch.setattr("partwell.connectors.postgresql.roles.PAGE_SIZE", 2)
    service = server.add_person(f"{person.name}_app")
    connector = connect(server, service_accounts=[f"{person.name}_APP"])
    pages = [page async for page in connector.list_accounts()]
    listed = {account.login: account for page in pages for account in page}
    assert len(pages) > 1
    assert max(map(len, pages)) == 2
    assert len(listed) == sum(map(len, pages))
    assert listed[person.name].emails == (person.mail,)
    assert listed[person.name].nature == "person"
    assert listed[f"{person.name}_app"].nature == "service"
    assert listed[f"{person.name}_app"].external_id.endswith(f"/{service}")
    assert listed[BOSS].is_protected
    assert listed[SERVICE].is_protected
    assert not any(login.startswith("pg_") or login.endswith("_group") for login in listed)


async def test_sessions_are_shown_with_where_they_come_from(server, person):
    connector = connect(server)
    account = await person.account(connector)
    with person.sign_in() as session:
        pid = session.info.backend_pid
        (held,) = await connector.holdings(account.external_id)
        assert (await connector.read(account.external_id)).last_used_at is not None
    assert held.kind == "session"
    assert held.external_id.startswith(f"{pid}@")
    assert held.details["client_address"] == "127.0.0.1"
    assert held.details["database"] == "postgres"
    assert held.details["started_at"]


# -- cutting ----------------------------------------------------------------------------------------------


async def test_a_session_outlives_the_suspension_and_ends_when_it_is_ended(server, person):
    connector = connect(server)
    account = await person.account(connector)
    session = person.sign_in()

    await connector.suspend(account.external_id)

    assert not server.try_sign_in(person.name, PASSWORD)
    assert is_alive(session)
    proof = await connector.verify(account.external_id, Verb.SUSPEND)
    assert proof.verdict is Verdict.CONFIRMED
    assert proof.still_open == 1
    assert "1 sessions of this role are open" in proof.read
    assert (await connector.verify(account.external_id, Verb.REVOKE_SESSIONS)).verdict is Verdict.FAILED

    await connector.revoke_sessions(account.external_id)

    assert (await connector.verify(account.external_id, Verb.REVOKE_SESSIONS)).verdict is Verdict.CONFIRMED
    assert not is_alive(session)


async def test_blocking_first_keeps_those_whose_session_ends_from_coming_back(server, person):
    connector = connect(server)
    account = await person.account(connector)
    session = person.sign_in()
    await connector.block_sign_in(account.external_id)
    receipt = await connector.revoke_sessions(account.external_id)
    assert not is_alive(session)
    assert not server.try_sign_in(person.name, PASSWORD)
    assert "may still sign in" not in receipt.summary


async def test_ending_sessions_of_an_open_role_says_that_it_may_come_back(server, person):
    connector = connect(server)
    account = await person.account(connector)
    with person.sign_in():
        receipt = await connector.revoke_sessions(account.external_id)
    assert "may still sign in anew" in receipt.summary
    assert server.try_sign_in(person.name, PASSWORD)


async def test_an_expired_password_keeps_nobody_out_who_needs_none_but_our_verbs_do(server, person):
    """Why VALID UNTIL is no block: it is about the password, and keys, peer and trust need none."""
    server.run("GRANT {} TO {}", TRUSTING, person.name, as_role=ACCESS_ADMIN)
    server.run("ALTER ROLE {} VALID UNTIL '-infinity'", person.name)
    assert server.try_sign_in(person.name, "")
    connector = connect(server)
    account = await person.account(connector)
    snapshot = await connector.snapshot(account.external_id)
    for verb in (Verb.BLOCK_SIGN_IN, Verb.SUSPEND):
        await getattr(connector, verb.value)(account.external_id)
        assert not server.try_sign_in(person.name, ""), verb
        await connector.restore(account.external_id, verb, snapshot)
        assert server.try_sign_in(person.name, ""), verb


async def test_without_the_password_a_suspended_role_cannot_be_told_from_a_live_one(server, person):
    """Why no probe is claimed: PostgreSQL asks for the password first."""

    def said(password: str) -> str:
        with pytest.raises(psycopg.OperationalError) as refusal:
            server.connect(person.name, password)
        return str(refusal.value)

    live = said("wrong")
    server.run("ALTER ROLE {} NOLOGIN", person.name)
    assert said("wrong") == live
    assert "not permitted to log in" in said(PASSWORD)
    connector = connect(server)
    proof = await connector.verify(f"{server.cluster}/{person.oid}", Verb.SUSPEND)
    assert proof.probe == ""
    assert "No sign-in was tried" in proof.read


async def test_a_membership_that_was_granted_by_several_is_taken_away_from_each(server, person):
    """From 16 on each grant stands by itself, and one that is left is a membership still."""
    server.run("GRANT {} TO {}", person.group, person.name, as_role=ACCESS_ADMIN)
    server.run("GRANT {} TO {} WITH ADMIN OPTION", person.group, SERVICE)
    server.run("GRANT {} TO {}", person.group, person.name, as_role=SERVICE)
    connector = connect(server)
    account = await person.account(connector)
    receipt = await connector.remove_entitlements(account.external_id)
    assert receipt.summary.startswith("2 " if server.version >= 16 else "1 ")
    assert server.groups_of(person.name) == set()


async def test_direct_grants_are_told_and_not_passed_over(server, person):
    table = f"{person.name}_table"
    server.run("CREATE TABLE {} ()", table)
    server.run("GRANT SELECT ON {} TO {}", table, person.name)
    connector = connect(server)
    account = await person.account(connector)
    assert account.details["named_in_access_lists_of"] == "1 objects"
    await connector.remove_entitlements(account.external_id)
    proof = await connector.verify(account.external_id, Verb.REMOVE_ENTITLEMENTS)
    assert proof.verdict is Verdict.CONFIRMED
    assert "1 objects still name it in their access lists" in proof.read
