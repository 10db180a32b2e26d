"""The script connector with a real script that keeps people in a file."""

from __future__ import annotations

import pytest

from partwell.connector_kit.contract import ConnectorError, ErrorKind, Identity, Outcome, Verb, Verdict
from partwell.connector_kit.testing import ConnectorContract, World
from partwell.connectors.script.tests.connecting import Till


@pytest.fixture
def till(tmp_path):
    found = Till(tmp_path)
    for _ in range(4):
        found.add_person()
    return found


@pytest.fixture
def person(till):
    return till.add_person()


class TestContract(ConnectorContract):
    @pytest.fixture
    def world(self, till, person) -> World:
        return World(
            make=till.connect,
            make_read_only=lambda: till.connect(read_only=True),
            identity=till.identity(person),
            unknown=Identity(emails=("nobody@firm.test",), usernames=("nobody",), employee_number="T-0"),
            missing_id="t0",
        )


@pytest.mark.parametrize("by", ["e-mail", "user name", "employee number"])
async def test_a_person_is_found_by_what_is_known_of_them(till, person, by):
    _, login, mail, number, *_ = till.row(person)
    identity = {
        "e-mail": Identity(emails=(mail.upper(),)),
        "user name": Identity(emails=(), usernames=(login,)),
        "employee number": Identity(emails=(), employee_number=number),
    }[by]
    (account,) = await till.connect().discover(identity)
    assert account.external_id == person


async def test_the_snapshot_brings_back_the_account_and_its_groups(till, person):
    connector, before = till.connect(), till.row(person)
    snapshot = await connector.snapshot(person)
    await connector.suspend(person)
    await connector.remove_entitlements(person)
    assert till.row(person)[4:6] == ["locked", ""]
    await connector.restore(person, Verb.SUSPEND, snapshot)
    await connector.restore(person, Verb.REMOVE_ENTITLEMENTS, snapshot)
    assert till.row(person) == before


async def test_a_protected_person_and_an_administrator_are_not_touched(till, person):
    before = till.row(person)
    for settings in ({"protected": [before[1].upper()]}, {"admin_groups": ["Cash"]}):
        connector = till.connect(**settings)
        (account,) = await connector.discover(till.identity(person))
        assert account.is_protected
        for write in (connector.suspend, connector.revoke_sessions, connector.remove_entitlements):
            with pytest.raises(ConnectorError) as refusal:
                await write(person)
            assert refusal.value.kind is ErrorKind.CONFLICT
    assert till.row(person) == before


async def test_the_receipt_names_the_digest_and_what_the_command_said(till, person):
    connector = till.connect()
    receipt = await connector.suspend(person)
    assert receipt.request == {"declaration": connector.digest, "do": "suspend"}
    assert "locked in the till's file" in receipt.summary
    proof = await connector.verify(person, Verb.SUSPEND)
    assert proof.verdict is Verdict.CONFIRMED


async def test_what_the_command_cannot_show_is_accepted_at_most(till, person):
    till.with_declared("suspend: {read_back: true", "suspend: {read_back: false")
    connector = till.connect()
    assert (await connector.suspend(person)).outcome is Outcome.ACCEPTED
    assert (await connector.verify(person, Verb.SUSPEND)).verdict is Verdict.UNVERIFIABLE


async def test_a_wrong_pin_is_denied_in_the_commands_words(till):
    report = await till.connect(pin="wrong-canary").test()
    assert (report.ok, report.summary) == (False, "The till's PIN is wrong.")
