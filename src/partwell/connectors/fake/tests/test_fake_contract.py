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
