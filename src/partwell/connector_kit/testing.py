"""One suite that every connector runs against its real or in-memory target.

A connector's tests subclass `ConnectorContract` and give it a `world` fixture. What a connector does not
declare is not asked of it; what it declares has to hold.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx

from partwell.connector_kit.calls import Call, Notes
from partwell.connector_kit.contract import (
    PROTOCOLS,
    Account,
    CanListAccounts,
    CanListHoldings,
    ConnectorError,
    ErrorKind,
    Identity,
    Outcome,
    Proof,
    Receipt,
    Snapshot,
    TestReport,
    Verb,
    Verdict,
)
from partwell.connector_kit.forecast import requests_of
from partwell.connector_kit.limiter import DEFAULT_CLASS, Limiter
from partwell.connector_kit.registry import raw_manifest

WRITES = set(Verb) - {Verb.DELETE}
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


@dataclass(frozen=True)
class World:
    """A target with one active person in at least one group, and how to reach it.

    `make_read_only` gives a connector whose transport refuses writes. `missing_id` is well-formed and belongs
    to nobody. `irreversible` are the verbs that the manifest says cannot be undone.
    """

    make: Callable[[], Any]
    make_read_only: Callable[[], Any]
    identity: Identity
    unknown: Identity
    missing_id: str
    irreversible: frozenset[Verb] = frozenset({Verb.REVOKE_SESSIONS})


async def _account(connector: Any, world: World) -> Account:
    found: list[Account] = await connector.discover(world.identity)
    assert len(found) == 1, f"the world's person has {len(found)} accounts"
    return found[0]


def _timeless(call: Call) -> str:
    """A call but for the moment at which it is sent, where that is part of it ("sessions before …")."""
    return _MOMENT.sub("(now)", repr(call))


def _verbs(connector: Any) -> list[Verb]:
    return [verb for verb in Verb if verb in WRITES and isinstance(connector, PROTOCOLS[verb])]


class ScriptedHttp(httpx.AsyncBaseTransport):
    """Answers HTTP requests from a function, streamed as a server would; for `Transport(http=…)`."""

    def __init__(self, answer: Callable[[httpx.Request], httpx.Response]) -> None:
        self._answer = answer

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        answer = self._answer(request)
        return httpx.Response(
            answer.status_code, headers=answer.headers, stream=httpx.ByteStream(answer.content)
        )


class _Counting(Limiter):
    """Counts requests by class, and holds none back."""

    def __init__(self) -> None:
        super().__init__()
        self.by_class: Counter[str] = Counter()

    def reserve(self, name: str = DEFAULT_CLASS) -> float:
        self.by_class[name] += 1
        return 0.0


class ConnectorContract:
    """The promises of `contract.py`, each as a test. Every test gets a fresh person from `world`."""

    async def test_the_connection_test_passes_and_changes_nothing(self, world: World) -> None:
        connector = world.make_read_only()
        report: TestReport = await connector.test()
        assert report.ok, report.problems
        await connector.close()

    async def test_a_person_is_found_with_an_identifier_and_the_reason(self, world: World) -> None:
        connector = world.make()
        account = await _account(connector, world)
        assert account.external_id and account.login and account.matched_by
        assert account.is_active is True
        assert account.entitlements
        await connector.close()

    async def test_somebody_unknown_has_no_account(self, world: World) -> None:
        connector = world.make()
        assert await connector.discover(world.unknown) == []
        assert await connector.read(world.missing_id) is None
        await connector.close()

    async def test_a_person_without_any_known_fact_matches_nobody(self, world: World) -> None:
        connector = world.make()
        assert await connector.discover(Identity(emails=())) == []
        await connector.close()

    async def test_reading_again_shows_the_same_account(self, world: World) -> None:
        connector = world.make()
        account = await _account(connector, world)
        again = await connector.read(account.external_id)
        assert again is not None
        assert (again.external_id, again.login, again.is_active) == (account.external_id, account.login, True)
        assert set(again.entitlements) == set(account.entitlements)
        await connector.close()

    async def test_everybody_is_listed_once_with_what_they_are_known_by(self, world: World) -> None:
        connector = world.make()
        account = await _account(connector, world)
        if isinstance(connector, CanListAccounts):
            listed = [each async for page in connector.list_accounts() for each in page]
            assert len({each.external_id for each in listed}) == len(listed)
            (same,) = [each for each in listed if each.external_id == account.external_id]
            assert (same.login, same.is_active) == (account.login, True)
            known = {*map(str.lower, same.emails), same.login.lower(), same.employee_number.lower()}
            identity = world.identity
            ours = {*identity.emails, *identity.usernames, identity.employee_number} - {""}
            assert known & set(map(str.lower, ours))
        await connector.close()

    async def test_what_an_account_holds_can_be_listed_and_nobody_holds_nothing(self, world: World) -> None:
        connector = world.make()
        account = await _account(connector, world)
        if isinstance(connector, CanListHoldings):
            held = await connector.holdings(account.external_id)
            assert len({(each.kind, each.external_id) for each in held}) == len(held)
            assert all(each.external_id and each.name for each in held)
            assert await connector.holdings(world.missing_id) == []
        await connector.close()

    async def test_a_snapshot_survives_being_stored_as_json(self, world: World) -> None:
        connector = world.make()
        account = await _account(connector, world)
        snapshot: Snapshot = await connector.snapshot(account.external_id)
        assert json.loads(json.dumps(dict(snapshot.state))) == dict(snapshot.state)
        assert snapshot.taken_at.tzinfo is not None
        await connector.close()

    async def test_what_was_not_done_is_not_confirmed(self, world: World) -> None:
        connector = world.make()
        account = await _account(connector, world)
        for verb in _verbs(connector):
            proof: Proof = await connector.verify(account.external_id, verb)
            assert proof.verdict is not Verdict.CONFIRMED, verb
        await connector.close()

    async def test_each_verb_is_done_confirmed_repeatable_and_restored(self, world: World) -> None:
        connector = world.make()
        account = await _account(connector, world)
        snapshot = await connector.snapshot(account.external_id)
        for verb in _verbs(connector):
            act = getattr(connector, verb.value)
            first: Receipt = await act(account.external_id)
            assert first.outcome in (Outcome.DONE, Outcome.ACCEPTED), verb
            proof = await connector.verify(account.external_id, verb)
            assert proof.verdict is Verdict.CONFIRMED, (verb, proof)
            assert proof.read
            second: Receipt = await act(account.external_id)
            assert second.outcome is Outcome.ALREADY_DONE, verb
            if verb in world.irreversible:
                continue
            await connector.restore(account.external_id, verb, snapshot)
            after = await connector.verify(account.external_id, verb)
            assert after.verdict is not Verdict.CONFIRMED, verb
        restored = await connector.read(account.external_id)
        assert restored is not None
        assert restored.is_active is True
        assert set(restored.entitlements) == set(account.entitlements)
        await connector.close()

    async def test_an_account_that_is_gone_is_already_done_and_confirmed(self, world: World) -> None:
        connector = world.make()
        for verb in _verbs(connector):
            receipt = await getattr(connector, verb.value)(world.missing_id)
            assert receipt.outcome is Outcome.ALREADY_DONE, verb
            assert (await connector.verify(world.missing_id, verb)).verdict is Verdict.CONFIRMED
        await connector.close()

    async def test_a_snapshot_of_nobody_is_not_found(self, world: World) -> None:
        connector = world.make()
        try:
            await connector.snapshot(world.missing_id)
        except ConnectorError as error:
            assert error.kind is ErrorKind.NOT_FOUND
        else:
            raise AssertionError("a snapshot was taken of an account that does not exist")
        await connector.close()

    async def test_a_dry_run_stops_every_write(self, world: World) -> None:
        connector = world.make_read_only()
        account = await _account(connector, world)
        snapshot = await connector.snapshot(account.external_id)
        for verb in _verbs(connector):
            for write in (
                getattr(connector, verb.value)(account.external_id),
                connector.restore(account.external_id, verb, snapshot),
            ):
                try:
                    receipt = await write
                except ConnectorError as error:
                    assert error.kind is ErrorKind.UNSUPPORTED
                else:
                    # nothing to undo is said without a write
                    assert receipt.outcome is Outcome.ALREADY_DONE
        assert await connector.read(account.external_id) == await world.make().read(account.external_id)
        await connector.close()

    async def test_the_calls_that_a_dry_run_shows_are_those_that_are_sent(self, world: World) -> None:
        connector = world.make_read_only()
        if not raw_manifest(type(connector).__module__.rpartition(".")[0]).get("shows_calls"):
            return
        account = await _account(connector, world)
        before = await connector.read(account.external_id)
        connector.connection.transport.notes = Notes()
        shown = {}
        for verb in _verbs(connector):
            await getattr(connector, verb.value)(account.external_id)
            shown[verb], _ = connector.connection.transport.notes.take()
            assert shown[verb], f"nothing is shown of {verb}"
        await connector.close()
        connector = world.make()
        assert await connector.read(account.external_id) == before
        snapshot = await connector.snapshot(account.external_id)
        connector.connection.transport.notes = Notes()
        first = next(iter(shown))
        for verb, calls in shown.items():
            await getattr(connector, verb.value)(account.external_id)
            sent, _ = connector.connection.transport.notes.take()
            # Each was shown of the state before all of them: what one has done, the next need not do.
            assert {*map(_timeless, sent)} <= {*map(_timeless, calls)}, verb
            assert verb is not first or len(sent) == len(calls)
            if verb not in world.irreversible:
                await connector.restore(account.external_id, verb, snapshot)
                connector.connection.transport.notes.take()
        await connector.close()

    async def test_a_call_takes_no_more_requests_than_plans_are_told(self, world: World) -> None:
        connector = world.make()
        account = await _account(connector, world)
        limits = raw_manifest(type(connector).__module__.rpartition(".")[0]).get("limits") or {}
        snapshot = await connector.snapshot(account.external_id)
        connector.connection.transport.limiter = counted = _Counting()
        taken = {}

        async def count(call: str, asked: Awaitable[Any]) -> None:
            counted.by_class.clear()
            await asked
            taken[call] = dict(counted.by_class)

        await count("discover", connector.discover(world.identity))
        await count("snapshot", connector.snapshot(account.external_id))
        for verb in _verbs(connector):
            await count(verb.value, getattr(connector, verb.value)(account.external_id))
            await count("verify", connector.verify(account.external_id, verb))
            told = requests_of(limits, "verify")
            assert all(told.get(name, 0) >= number for name, number in taken["verify"].items()), (verb, taken)
            if verb not in world.irreversible:
                await connector.restore(account.external_id, verb, snapshot)
        for call, by_class in taken.items():
            told = requests_of(limits, call)
            assert all(told.get(name, 0) >= number for name, number in by_class.items()), (call, taken)
        await connector.close()

    async def test_an_error_says_what_and_keeps_secrets_to_itself(self, world: World) -> None:
        connector = world.make()
        reference = next((v for v in connector.connection.settings.values() if _is_secret(v)), None)
        if reference is not None:
            secret = connector.connection.secrets.resolve(reference)
            for told in (
                repr(connector.connection.secrets),
                repr(connector.connection),
                str(vars(connector)),
            ):
                assert secret not in told
        await connector.close()


def _is_secret(value: object) -> bool:
    return isinstance(value, str) and value.startswith(("env:", "file:"))
