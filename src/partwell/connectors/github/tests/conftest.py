"""GitHub's contract, loaded once for each process, and a fresh GitHub behind it for each test."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from partwell.connector_kit.addresses import AllowList
from partwell.connector_kit.contract import Connection
from partwell.connector_kit.secrets import ReferencedSecrets
from partwell.connector_kit.transport import Transport
from partwell.connectors.github.connector import CONNECTOR, GithubConnector
from partwell.connectors.github.tests.model import Github
from partwell.connectors.github.tests.wording import (
    APP,
    ENTERPRISE_TOKEN,
    ERRATA,
    KEY_PEM,
    OWNERS_TOKEN,
    PATHS,
    Connect,
)
from tests.vendor_openapi import Document, ValidatedHttp, VendorContract, read_document
from tests.vendor_specs import require_spec


@pytest.fixture(scope="session")
def github_document(request: pytest.FixtureRequest) -> Document:
    return read_document(require_spec(request, "github-ghec.json").read_text())


@pytest.fixture(scope="session")
def github_contract(github_document: Document) -> VendorContract:
    return VendorContract(github_document, paths=PATHS, errata=ERRATA)


@pytest.fixture
def github(github_contract: VendorContract) -> Github:
    """With one owner besides whoever a test adds."""
    github = Github(github_contract)
    github.own = github.add_member("boss", "admin")
    return github


@pytest.fixture
def wire(github_contract: VendorContract, github: Github) -> Iterator[ValidatedHttp]:
    wire = ValidatedHttp(github_contract, github.answer)
    yield wire
    wire.close()


@pytest.fixture
def connect(github: Github, wire: ValidatedHttp) -> Connect:
    """A connector, as an app unless other credentials are given."""

    def make(*, read_only: bool = False, **given: Any) -> GithubConnector:
        def now() -> datetime:
            return github.now

        secrets = {"KEY": KEY_PEM, "TOKEN": OWNERS_TOKEN, "ENTERPRISE": ENTERPRISE_TOKEN}
        is_other = "token" in given or given.get("managed_users")
        return CONNECTOR(
            Connection(
                name="github",
                settings={**({} if is_other else APP), **given},
                secrets=ReferencedSecrets(secrets),
                transport=Transport(
                    AllowList(), read_only=read_only, resolver=lambda host, port: ["93.184.215.14"], http=wire
                ),
                now=now,
            )
        )

    return make
