"""The Matrix connector against a real homeserver (Synapse)."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import count

import pytest

from partwell.connector_kit.addresses import AllowList
from partwell.connector_kit.contract import (
    Connection,
    ConnectorError,
    ErrorKind,
    HoldingKind,
    Identity,
    JobState,
    Nature,
    Outcome,
    TransferKind,
    TransferRequest,
    Verb,
    Verdict,
)
from partwell.connector_kit.registry import find
from partwell.connector_kit.secrets import ReferencedSecrets
from partwell.connector_kit.testing import ConnectorContract, World
from partwell.connector_kit.transport import Transport
from partwell.connectors.matrix.connector import CONNECTOR, MatrixConnector
from tests.servers.synapse import NAME, SynapseServer

pytestmark = pytest.mark.server("synapse")
_numbers = count(1)


def connect(
    server: SynapseServer, *, read_only: bool = False, token: str = "", **settings
) -> MatrixConnector:
    return CONNECTOR(
        Connection(
            name="chat",
            settings={"url": server.url, "allow_plain": True, "token": "env:TOKEN", **settings},
            secrets=ReferencedSecrets({"TOKEN": token or server.admin_token}),
            transport=Transport(AllowList.parse(["127.0.0.1"]), read_only=read_only),
            now=lambda: datetime.now(UTC),
        )
    )


class Person:
    """A fresh person with one open session, who alone administers one private room."""

    def __init__(self, server: SynapseServer) -> None:
        self.login = f"person{next(_numbers)}"
        self.mail = f"{self.login}@firm.test"
        self.id, self.token = server.register(self.login, mail=self.mail)
        self.room = server.make_room(self.token, f"Room of {self.login}")
        self.identity = Identity(emails=(self.mail,))


@pytest.fixture
def person(synapse_server: SynapseServer) -> Person:
    return Person(synapse_server)


@pytest.fixture
def successor(synapse_server: SynapseServer) -> Person:
    return Person(synapse_server)


def rooms_to(successor: Person) -> TransferRequest:
    return TransferRequest(TransferKind.OBJECTS, successor.mail)


async def failure(awaitable) -> ConnectorError:
    with pytest.raises(ConnectorError) as caught:
        await awaitable
    return caught.value


class TestContract(ConnectorContract):
    @pytest.fixture
    def world(self, synapse_server: SynapseServer, person: Person) -> World:
        return World(
            make=lambda: connect(synapse_server),
            make_read_only=lambda: connect(synapse_server, read_only=True),
            identity=person.identity,
            unknown=Identity(emails=("nobody@firm.test",), usernames=("nobody",)),
            missing_id=f"@nobody:{NAME}",
        )


# -- finding ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["e-mail", "user name", "whole id"])
async def test_a_person_is_found_by_what_is_known_of_them(synapse_server, person, by):
    identity = {
        "e-mail": Identity(emails=(person.mail.upper(),)),
        "user name": Identity(emails=(), usernames=(person.login.title(),)),
        "whole id": Identity(emails=(), usernames=(person.id,)),
    }[by]
    (account,) = await connect(synapse_server).discover(identity)
    assert (account.external_id, account.open_sessions, account.nature) == (person.id, 1, Nature.PERSON)
    assert {room.external_id for room in account.entitlements} == {person.room}


async def test_two_matches_are_both_returned_for_a_person_to_decide(synapse_server, person, successor):
    both = Identity(emails=(person.mail,), usernames=(successor.login,))
    found = {account.external_id for account in await connect(synapse_server).discover(both)}
    assert found == {person.id, successor.id}


async def test_the_same_name_on_another_homeserver_is_somebody_else(synapse_server, person):
    elsewhere = Identity(emails=(), usernames=(f"@{person.login}:elsewhere.test",))
    assert await connect(synapse_server).discover(elsewhere) == []


@pytest.mark.parametrize(
    "value", ['"', "../../v1/register", "?user_id=@admin", "%2e", "*", "\n", "ü", "@:", ":"]
)
async def test_a_hostile_name_finds_nobody(synapse_server, value):
    assert await connect(synapse_server).discover(Identity(emails=(value,), usernames=(value,))) == []


async def test_everybody_is_listed_over_pages_with_bridges_locked_and_deactivated_ones(
    synapse_server, person, successor, monkeypatch
):
    monkeypatch.setattr("partwell.connectors.matrix.people.PAGE_SIZE", 3)
    bridged, connector = synapse_server.register_for_bridge(), connect(synapse_server)
    await connector.block_sign_in(person.id)
    await connector.delete(successor.id)
    pages = [page async for page in connector.list_accounts()]
    listed = {account.external_id: account for page in pages for account in page}
    assert len(pages) > 1
    assert listed[bridged].nature is Nature.SERVICE
    assert (listed[person.id].is_active, listed[person.id].emails) == (False, (person.mail,))
    assert listed[successor.id].is_active is False
    assert listed[synapse_server.admin_id].is_protected


async def test_sessions_rooms_of_their_own_and_where_notifications_go_are_listed(synapse_server, person):
    shared = synapse_server.make_room(person.token, "Shared")
    pusher = {
        "kind": "http",
        "app_id": "test.app",
        "app_display_name": "App",
        "device_display_name": "Phone",
        "pushkey": "push-key-canary",
        "lang": "en",
        "data": {"url": "https://push.test/_matrix/push/v1/notify"},
    }
    synapse_server.call("POST", "/_matrix/client/v3/pushers/set", pusher, token=person.token)
    synapse_server.whoami(person.token)
    held = await connect(synapse_server).holdings(person.id)
    assert [h.kind for h in held] == [
        HoldingKind.SESSION,
        HoldingKind.DEVICE,
        HoldingKind.OWNED,
        HoldingKind.OWNED,
    ]
    assert {h.external_id for h in held if h.kind is HoldingKind.OWNED} == {person.room, shared}
    assert "Phone" in held[1].name
    assert "canary" not in repr(held)


# -- cutting ------------------------------------------------------------------------------------------


async def test_a_locked_person_is_refused_at_sign_in_and_in_the_session_that_was_open(synapse_server, person):
    connector = connect(synapse_server)
    assert synapse_server.whoami(person.token).status_code == 200
    await connector.block_sign_in(person.id)
    assert synapse_server.sign_in(person.login).json()["errcode"] == "M_USER_LOCKED"
    assert synapse_server.whoami(person.token).json()["errcode"] == "M_USER_LOCKED"
    proof = await connector.verify(person.id, Verb.BLOCK_SIGN_IN)
    assert (proof.verdict, proof.still_open) == (Verdict.CONFIRMED, 1)
    assert "M_USER_LOCKED" in proof.probe


async def test_the_probe_leaves_no_session_behind(synapse_server, person):
    connector = connect(synapse_server)
    await connector.suspend(person.id)
    await connector.revoke_sessions(person.id)
    await connector.verify(person.id, Verb.SUSPEND)
    assert (await connector.verify(person.id, Verb.REVOKE_SESSIONS)).still_open == 0
    own = await connector.holdings(synapse_server.admin_id)
    assert len([h for h in own if h.kind is HoldingKind.SESSION]) == 1
    assert synapse_server.whoami(synapse_server.admin_token).status_code == 200


async def test_the_probe_says_so_when_somebody_gets_in_all_the_same(synapse_server, person):
    was_refused, said = await connect(synapse_server)._probe(person.id)
    assert not was_refused
    assert "let in" in said


async def test_suspending_alone_lets_people_read_and_sign_in_so_locking_goes_with_it(synapse_server, person):
    path = f"/_synapse/admin/v1/suspend/{person.id}"
    synapse_server.call("PUT", path, {"suspend": True})
    assert synapse_server.whoami(person.token).status_code == 200
    assert synapse_server.sign_in(person.login).status_code == 200
    connector = connect(synapse_server)
    assert (await connector.verify(person.id, Verb.SUSPEND)).verdict is Verdict.FAILED
    assert (await connector.suspend(person.id)).outcome is Outcome.DONE
    assert synapse_server.whoami(person.token).json()["errcode"] == "M_USER_LOCKED"
    assert (await connector.verify(person.id, Verb.SUSPEND)).verdict is Verdict.CONFIRMED


async def test_an_ended_session_stays_dead_after_the_person_is_unlocked_again(synapse_server, person):
    connector = connect(synapse_server)
    snapshot = await connector.snapshot(person.id)
    await connector.block_sign_in(person.id)
    await connector.revoke_sessions(person.id)
    await connector.suspend(person.id)
    await connector.restore(person.id, Verb.SUSPEND, snapshot)
    assert synapse_server.whoami(person.token).json()["errcode"] == "M_UNKNOWN_TOKEN"
    assert synapse_server.sign_in(person.login).status_code == 200
    assert (await failure(connector.restore(person.id, Verb.REVOKE_SESSIONS, snapshot))).kind is (
        ErrorKind.UNSUPPORTED
    )


async def test_who_was_locked_before_the_cut_stays_locked_when_it_is_undone(synapse_server, person):
    connector = connect(synapse_server)
    await connector.block_sign_in(person.id)
    snapshot = await connector.snapshot(person.id)
    await connector.suspend(person.id)
    await connector.restore(person.id, Verb.SUSPEND, snapshot)
    found = synapse_server.user(person.id)
    assert (found["locked"], found["suspended"]) == (True, False)


@pytest.mark.parametrize("erase", [False, True])
async def test_deleting_deactivates_for_good_and_erases_only_where_the_settings_say_so(
    synapse_server, person, erase
):
    connector = connect(synapse_server, erase_on_delete=erase)
    snapshot = await connector.snapshot(person.id)
    assert (await connector.verify(person.id, Verb.DELETE)).verdict is Verdict.FAILED
    await connector.suspend(person.id)
    assert (await connector.delete(person.id)).outcome is Outcome.DONE
    assert (await connector.verify(person.id, Verb.DELETE)).verdict is Verdict.CONFIRMED
    assert synapse_server.user(person.id)["erased"] is erase
    assert (await connector.delete(person.id)).outcome is Outcome.ALREADY_DONE
    assert (await failure(connector.restore(person.id, Verb.SUSPEND, snapshot))).kind is ErrorKind.CONFLICT


# -- handing over -------------------------------------------------------------------------------------


async def test_a_room_is_handed_over_when_the_successor_has_joined_and_not_before(
    synapse_server, person, successor
):
    connector = connect(synapse_server)
    await connector.block_sign_in(person.id)  # locking does not stand in the way
    job = await connector.transfer(person.id, rooms_to(successor))
    assert job.state is JobState.RUNNING
    assert "invited" in job.summary
    assert synapse_server.powers(person.room)[successor.id] == 100
    again = await connector.transfer(person.id, rooms_to(successor))
    assert (again.handle, again.state) == (job.handle, JobState.RUNNING)
    synapse_server.join(successor.token, person.room)
    assert (await connector.job(job.handle)).state is JobState.DONE
    assert [h for h in await connector.holdings(person.id) if h.kind is HoldingKind.OWNED] == []


async def test_suspending_first_breaks_the_hand_over_and_it_is_said_how_to_go_on(
    synapse_server, person, successor
):
    connector = connect(synapse_server)
    snapshot = await connector.snapshot(person.id)
    await connector.suspend(person.id)
    raw = synapse_server.ask(
        "POST", f"/_synapse/admin/v1/rooms/{person.room}/make_room_admin", {"user_id": successor.id}
    )
    assert (raw.status_code, raw.json()["errcode"]) == (403, "M_USER_SUSPENDED")
    error = await failure(connector.transfer(person.id, rooms_to(successor)))
    assert error.kind is ErrorKind.CONFLICT
    assert "Restore the suspension, hand over" in error.message
    declared = find("matrix")
    assert declared is not None
    assert declared.manifest.transfers_before_suspension == {TransferKind.OBJECTS}
    await connector.restore(person.id, Verb.SUSPEND, snapshot)
    assert (await connector.transfer(person.id, rooms_to(successor))).state is JobState.RUNNING


async def test_a_room_with_another_administrator_is_left_as_it_is(synapse_server, person, successor):
    synapse_server.call(
        "POST",
        f"/_matrix/client/v3/rooms/{person.room}/invite",
        {"user_id": successor.id},
        token=person.token,
    )
    synapse_server.join(successor.token, person.room)
    connector = connect(synapse_server)
    assert [h.external_id for h in await connector.holdings(person.id) if h.kind is HoldingKind.OWNED] == [
        person.room
    ]
    job = await connector.transfer(person.id, rooms_to(successor))
    assert job.state is JobState.DONE
    before = synapse_server.powers(person.room)
    third = Person(synapse_server)
    assert (await connector.transfer(person.id, rooms_to(third))).state is JobState.DONE
    assert synapse_server.powers(person.room) == before


@pytest.mark.parametrize("version", ["9", "11", "12"])
async def test_rooms_of_every_age_are_handed_over(synapse_server, person, successor, version):
    room = synapse_server.make_room(person.token, "Aged", room_version=version)
    connector = connect(synapse_server)
    job = await connector.transfer(person.id, rooms_to(successor))
    synapse_server.join(successor.token, room)
    synapse_server.join(successor.token, person.room)
    assert (await connector.job(job.handle)).state is JobState.DONE


async def test_of_a_deactivated_user_nobody_can_say_what_was_handed_over(synapse_server, person, successor):
    connector = connect(synapse_server)
    job = await connector.transfer(person.id, rooms_to(successor))
    await connector.delete(person.id)
    assert (await connector.job(job.handle)).state is JobState.UNKNOWN


@pytest.mark.parametrize("named", ["nobody@firm.test", "nobody", ""])
async def test_a_successor_who_is_not_there_is_refused(synapse_server, person, named):
    request = TransferRequest(TransferKind.OBJECTS, named)
    assert (await failure(connect(synapse_server).transfer(person.id, request))).kind is ErrorKind.INVALID


async def test_only_rooms_are_handed_over(synapse_server, person, successor):
    request = TransferRequest(TransferKind.MAILBOX, successor.mail)
    error = await failure(connect(synapse_server).transfer(person.id, request))
    assert error.kind is ErrorKind.UNSUPPORTED


# -- never touched ------------------------------------------------------------------------------------


async def test_partwells_own_user_and_listed_ones_are_never_touched(synapse_server, person, successor):
    own = synapse_server.admin_id
    # So that it is not the last administrator by chance.
    other, _ = synapse_server.register(f"admin{next(_numbers)}", is_admin=True)
    connector = connect(synapse_server, protected=[person.login], admin_groups=[successor.room])
    for user_id in (own, person.id, successor.id):
        account = await connector.read(user_id)
        assert account.is_protected, user_id
        for change in (
            connector.block_sign_in,
            connector.suspend,
            connector.revoke_sessions,
            connector.delete,
        ):
            assert (await failure(change(user_id))).kind is ErrorKind.CONFLICT
    assert synapse_server.user(person.id)["locked"] is False
    synapse_server.call("PUT", f"/_synapse/admin/v1/users/{other}/admin", {"admin": False})


async def test_a_room_that_calls_itself_as_a_protected_one_protects_nobody(synapse_server, person):
    connector = connect(synapse_server, admin_groups=[f"Room of {person.login}"])
    assert (await connector.read(person.id)).is_protected is False
    assert (await connector.suspend(person.id)).outcome is Outcome.DONE


async def test_the_last_server_administrator_besides_partwells_own_is_never_touched(synapse_server):
    first, _ = synapse_server.register(f"admin{next(_numbers)}", is_admin=True)
    connector = connect(synapse_server)
    assert (await connector.read(first)).is_protected
    assert (await failure(connector.suspend(first))).kind is ErrorKind.CONFLICT
    second, _ = synapse_server.register(f"admin{next(_numbers)}", is_admin=True)
    assert not (await connector.read(first)).is_protected
    assert (await connector.suspend(first)).outcome is Outcome.DONE
    assert (await connector.read(second)).is_protected
    for user_id in (first, second):
        synapse_server.call("PUT", f"/_synapse/admin/v1/users/{user_id}/admin", {"admin": False})


# -- credentials --------------------------------------------------------------------------------------


async def test_a_wrong_token_and_one_of_no_administrator_are_denied(synapse_server, person):
    report = await connect(synapse_server, token="wrong-token-canary").test()
    assert not report.ok
    assert "token is not valid" in report.summary
    assert "canary" not in report.summary
    report = await connect(synapse_server, token=person.token).test()
    assert not report.ok
    assert "server administrator" in report.summary
