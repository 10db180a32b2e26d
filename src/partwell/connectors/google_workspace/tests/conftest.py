"""Google's contracts, loaded once for each process, and a fresh workspace behind them for each test."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import cache
from typing import Any

import pytest

from partwell.connector_kit import assertions
from partwell.connector_kit.addresses import AllowList
from partwell.connector_kit.contract import Connection
from partwell.connector_kit.secrets import ReferencedSecrets
from partwell.connector_kit.transport import Transport
from partwell.connectors.google_workspace.connector import CONNECTOR, GoogleWorkspaceConnector
from partwell.connectors.google_workspace.tests.model import Model
from partwell.connectors.google_workspace.tests.wording import ADMIN, DOCUMENTS, KEY_FILE, TOKEN_PATH, Connect
from partwell.connectors.google_workspace.tests.workspace import Workspace
from tests.vendor_discovery import DiscoveryContract, shipped
from tests.vendor_openapi import ValidatedHttp


@pytest.fixture(scope="session")
def google_contract() -> DiscoveryContract:
    return DiscoveryContract([shipped(name) for name in DOCUMENTS])


@pytest.fixture(scope="module", autouse=True)
def key_checked_once() -> Iterator[None]:
    """Loading an RSA key checks its primes, which is slow; here it is the same one each time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(assertions, "_load", cache(assertions._load))
        yield


@pytest.fixture
def firm() -> Workspace:
    workspace = Workspace()
    workspace.add_super_admin(ADMIN)
    return workspace


@pytest.fixture
def wire(google_contract: DiscoveryContract, firm: Workspace) -> Iterator[ValidatedHttp]:
    wire = ValidatedHttp(google_contract, Model(firm, google_contract).answer, outside=[TOKEN_PATH])
    yield wire
    wire.close()


@pytest.fixture
def connect(firm: Workspace, wire: ValidatedHttp) -> Connect:
    """A connector to the workspace. `key` is what the key file says."""

    def make(*, read_only: bool = False, key: str = KEY_FILE, **given: Any) -> GoogleWorkspaceConnector:
        def now() -> datetime:
            return firm.now

        return CONNECTOR(
            Connection(
                name="google",
                settings={"admin": ADMIN, "key": "env:KEY", **given},
                secrets=ReferencedSecrets({"KEY": key}),
                transport=Transport(
                    AllowList(), read_only=read_only, resolver=lambda host, port: ["93.184.215.14"], http=wire
                ),
                now=now,
            )
        )

    return make
