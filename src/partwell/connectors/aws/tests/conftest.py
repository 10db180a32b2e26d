"""An AWS account of its own for each test, behind a model that knows AWS's published contract."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from partwell.connector_kit.addresses import AllowList
from partwell.connector_kit.contract import Connection
from partwell.connector_kit.secrets import ReferencedSecrets
from partwell.connector_kit.testing import ScriptedHttp
from partwell.connector_kit.transport import Transport
from partwell.connectors.aws.connector import CONNECTOR, AwsConnector
from partwell.connectors.aws.tests.account import AwsAccount, Member
from partwell.connectors.aws.tests.aws_model import AwsModel

Connect = Callable[..., AwsConnector]


class Clock:
    """The time, as the connector sees it."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 27, 16, 30, 12, 345, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def goes_on(self, **by: float) -> None:
        self.now += timedelta(**by)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def account() -> AwsAccount:
    account = AwsAccount()
    account.add("partwell")
    return account


@pytest.fixture
def model(account: AwsAccount) -> AwsModel:
    return AwsModel(account)


@pytest.fixture
def ana(account: AwsAccount) -> Member:
    return account.add("ana", mail="ana@firm.test", number="E-7")


@pytest.fixture
def connect(clock: Clock, account: AwsAccount) -> Connect:
    """A connector to whatever answers."""
    (own,) = account.users["partwell"].of_kind("access_key")

    def build(answer: Any, *, read_only: bool = False, **settings: Any) -> AwsConnector:
        return CONNECTOR(
            Connection(
                name="cloud",
                settings={"access_key": "env:AWS_ID", "secret_key": "env:AWS_SECRET", **settings},
                secrets=ReferencedSecrets({"AWS_ID": own.id, "AWS_SECRET": own.secret}),
                transport=Transport(
                    AllowList(),
                    read_only=read_only,
                    resolver=lambda host, port: ["93.184.215.14"],
                    http=ScriptedHttp(answer),
                ),
                now=clock,
            )
        )

    return build
