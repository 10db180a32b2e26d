"""Practice systems keep the same promises as real ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from partwell import clock
from partwell.connector_kit.addresses import AllowList
from partwell.connector_kit.contract import Account, Connection, ConnectorError, Identity
from partwell.connector_kit.secrets import ReferencedSecrets
from partwell.connector_kit.testing import ConnectorContract, World
from partwell.connector_kit.transport import Transport
from partwell.connectors.fake.connector import PAGE_SIZE, FakeConnector
from partwell.connectors.fake.store import FakeStore


@pytest.fixture
def store(tmp_path: Path) -> FakeStore:
    store = FakeStore(tmp_path / "practice.sqlite3")
    store.add_account(
        "mail", "1", login="ada", emails=["ada@firm.example"], sessions=2, groups={"staff": "Staff"}
    )
    return store


@pytest.fixture
def world(store: FakeStore) -> World:
    def make(*, read_only: bool = False) -> FakeConnector:
        transport = Transport(AllowList.parse([]), read_only=read_only)
        return FakeConnector(
            Connection("mail", {"store": store.path}, ReferencedSecrets(), transport, clock.now)
        )

    return World(
        make=make,
        make_read_only=lambda: make(read_only=True),
        identity=Identity(emails=("ada@firm.example",)),
        unknown=Identity(emails=("nobody@firm.example",)),
        missing_id="999",
    )


class TestFakeContract(ConnectorContract):
    """The shared suite: each verb is done, confirmed, put back by `.restore(`; dry runs write nothing."""


def test_the_ledger_names_each_effect_once(store: FakeStore) -> None:
    assert store.apply(
        "mail", "1", "suspend", lambda state: bool(state.update(is_active=False)) or True, at=clock.now()
    )
    assert [(effect.account, effect.verb) for effect in store.ledger("mail")] == [("1", "suspend")]


async def test_everybody_is_listed_page_by_page_and_a_list_may_break_off(
    world: World, store: FakeStore
) -> None:
    for number in range(10, 10 + PAGE_SIZE):
        store.add_account("mail", str(number), login=f"u{number}", emails=[])
    connector = world.make()
    pages = [page async for page in connector.list_accounts()]
    assert [len(page) for page in pages] == [PAGE_SIZE, 1]
    store.set_mode("mail", "breaks_off")
    read: list[Account] = []
    with pytest.raises(ConnectorError):
        async for page in connector.list_accounts():
            read += page
    assert len(read) == PAGE_SIZE


async def test_a_new_password_is_put_away_first_and_the_old_one_is_refused_then(
    store: FakeStore, world: World
) -> None:
    kept: dict[str, str] = {}
    connector = world.make()
    first = await connector.rotate("1", old="", keep=kept.update)
    assert first.proof.verdict == "confirmed" and "made-up" in first.proof.probe
    before = kept["password"]
    second = await connector.rotate("1", old=before, keep=kept.update)
    assert second.proof.verdict == "confirmed" and "old password was refused" in second.proof.probe
    assert kept["password"] != before and before not in repr(store.account("mail", "1"))
    store.set_mode("mail", "lies")
    assert (await connector.rotate("1", old=kept["password"], keep=kept.update)).proof.verdict == "failed"


async def test_nothing_changes_when_the_new_password_cannot_be_put_away(
    store: FakeStore, world: World
) -> None:
    def keep(secret: object) -> None:
        raise OSError("the vault says hunter2")

    before = store.account("mail", "1")
    with pytest.raises(ConnectorError) as refusal:
        await world.make().rotate("1", old="", keep=keep)
    assert "hunter2" not in refusal.value.message and store.account("mail", "1") == before
