"""A Slack of its own for each test, behind a model that knows the published contracts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from partwell.connector_kit.addresses import AllowList
from partwell.connector_kit.contract import Connection
from partwell.connector_kit.limiter import Limiter
from partwell.connector_kit.secrets import ReferencedSecrets
from partwell.connector_kit.testing import ScriptedHttp
from partwell.connector_kit.transport import Transport
from partwell.connectors.slack.connector import CONNECTOR, SlackConnector
from partwell.connectors.slack.tests.slack_model import SCIM_TOKEN, TOKEN, SlackModel
from partwell.connectors.slack.tests.web_contract import WebContract, read_contract
from partwell.connectors.slack.tests.workspace import Workspace
from tests.vendor_specs import require_spec

Connect = Callable[..., SlackConnector]


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


@pytest.fixture
def contract(request: pytest.FixtureRequest) -> WebContract:
    return read_contract(require_spec(request, "slack-web.json"))


@pytest.fixture
def workspace() -> Workspace:
    return Workspace()


@pytest.fixture
def model(workspace: Workspace, contract: WebContract) -> SlackModel:
    return SlackModel(workspace, contract)


@pytest.fixture
def grid() -> Workspace:
    return Workspace(is_grid=True)


@pytest.fixture
def grid_model(grid: Workspace, contract: WebContract) -> SlackModel:
    return SlackModel(grid, contract)


@pytest.fixture
def connect(clock: Clock) -> Connect:
    """A connector to whatever answers; the plan follows from the model unless it is given."""

    def build(
        answer: Any,
        *,
        read_only: bool = False,
        token: str = TOKEN,
        limiter: Limiter | None = None,
        **settings: Any,
    ) -> SlackConnector:
        is_grid = isinstance(answer, SlackModel) and answer.workspace.is_grid
        transport = Transport(
            AllowList(),
            read_only=read_only,
            resolver=lambda host, port: ["93.184.215.14"],
            http=ScriptedHttp(answer),
            limiter=limiter,
        )
        given = {"plan": "enterprise_grid" if is_grid else "business_plus", "token": "env:SLACK", **settings}
        return CONNECTOR(
            Connection(
                name="chat",
                settings=given,
                secrets=ReferencedSecrets({"SLACK": token, "SCIM": SCIM_TOKEN}),
                transport=transport,
                now=clock,
            )
        )

    return build
