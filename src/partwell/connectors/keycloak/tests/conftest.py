"""A fresh realm for each test, behind a description of Keycloak's admin API."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from partwell.connector_kit.addresses import AllowList
from partwell.connector_kit.contract import Connection
from partwell.connector_kit.secrets import ReferencedSecrets
from partwell.connector_kit.transport import Transport
from partwell.connectors.keycloak.connector import CONNECTOR, KeycloakConnector
from partwell.connectors.keycloak.tests.model import CLIENT_ID, REALM, SECRET, TOKEN_PATH, URL, KeycloakRealm
from tests.vendor_openapi import ValidatedHttp, VendorContract, read_document

Connect = Callable[..., KeycloakConnector]


class Clock:
    """The time, as the connector sees it."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 27, 16, 30, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def goes_on(self, **by: float) -> None:
        self.now += timedelta(**by)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def admin_api() -> VendorContract:
    document = read_document((Path(__file__).parent / "admin_api.yaml").read_text())
    return VendorContract(document, paths=document["paths"])


@pytest.fixture
def realm() -> KeycloakRealm:
    return KeycloakRealm()


@pytest.fixture
def wire(admin_api: VendorContract, realm: KeycloakRealm) -> Iterator[ValidatedHttp]:
    wire = ValidatedHttp(admin_api, realm.answer, outside=[TOKEN_PATH])
    yield wire
    wire.close()


@pytest.fixture
def connect(wire: ValidatedHttp, clock: Clock) -> Connect:
    """A connector to the realm."""

    def make(*, read_only: bool = False, secret: str = SECRET, **settings: Any) -> KeycloakConnector:
        return CONNECTOR(
            Connection(
                name="keycloak",
                settings={
                    "url": URL,
                    "realm": REALM,
                    "client_id": CLIENT_ID,
                    "client_secret": "env:SECRET",
                    **settings,
                },
                secrets=ReferencedSecrets({"SECRET": secret}),
                transport=Transport(
                    AllowList(), read_only=read_only, resolver=lambda host, port: ["93.184.215.14"], http=wire
                ),
                now=clock,
            )
        )

    return make
