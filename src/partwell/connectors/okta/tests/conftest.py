"""Okta's contract, loaded once for each process, and a fresh organisation behind it for each test."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from partwell.connector_kit.addresses import AllowList
from partwell.connector_kit.contract import Connection
from partwell.connector_kit.secrets import ReferencedSecrets
from partwell.connector_kit.transport import Transport
from partwell.connectors.okta.connector import CONNECTOR, OktaConnector
from partwell.connectors.okta.tests.model import OktaOrg
from partwell.connectors.okta.tests.wording import (
    API_TOKEN,
    APP,
    KEY_PEM,
    PATHS,
    TOKEN_PATH,
    URL,
    Connect,
)
from tests.vendor_openapi import ValidatedHttp, VendorContract, read_document
from tests.vendor_specs import require_spec


@pytest.fixture(scope="session")
def okta_contract(request: pytest.FixtureRequest) -> VendorContract:
    text = require_spec(request, "okta-management.yaml").read_text()
    return VendorContract(read_document(text), paths=PATHS, validates_itself=False)


@pytest.fixture
def org(okta_contract: VendorContract) -> OktaOrg:
    return OktaOrg(okta_contract)


@pytest.fixture
def wire(okta_contract: VendorContract, org: OktaOrg) -> Iterator[ValidatedHttp]:
    wire = ValidatedHttp(okta_contract, org.answer, outside=[TOKEN_PATH])
    yield wire
    wire.close()


@pytest.fixture
def connect(org: OktaOrg, wire: ValidatedHttp) -> Connect:
    """A connector to the organisation, as a service app unless `token` is among the settings."""

    def make(
        *, read_only: bool = False, secrets: dict[str, str] | None = None, **given: Any
    ) -> OktaConnector:
        def now() -> datetime:
            return org.now

        return CONNECTOR(
            Connection(
                name="okta",
                settings={"url": URL, **({} if "token" in given else APP), **given},
                secrets=ReferencedSecrets({"KEY": KEY_PEM, "TOKEN": API_TOKEN}),
                transport=Transport(
                    AllowList(), read_only=read_only, resolver=lambda host, port: ["93.184.215.14"], http=wire
                ),
                now=now,
            )
        )

    return make
