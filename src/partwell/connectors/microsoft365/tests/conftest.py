"""A tenant of its own for each test, behind a model of Graph that knows Microsoft's contract."""

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
from partwell.connectors.microsoft365.connector import CONNECTOR, Microsoft365Connector
from partwell.connectors.microsoft365.tests.graph_model import CLIENT_ID, SECRET, GraphModel
from partwell.connectors.microsoft365.tests.graph_routes import ROUTES
from partwell.connectors.microsoft365.tests.tenant import Tenant
from tests.vendor_csdl import read_contract
from tests.vendor_specs import require_spec

Connect = Callable[..., Microsoft365Connector]


class Clock:
    """The time, as connector and tenant see it."""

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
def tenant(clock: Clock) -> Tenant:
    return Tenant(clock)


@pytest.fixture
def model(request: pytest.FixtureRequest, tenant: Tenant) -> GraphModel:
    contract = read_contract(require_spec(request, "msgraph-v1.csdl.xml"))
    return GraphModel(tenant, contract, ROUTES)


@pytest.fixture
def connect(model: GraphModel, clock: Clock) -> Connect:
    """A connector to the model. `answer` puts another script in its place; `secrets` are added."""

    def build(
        *,
        read_only: bool = False,
        answer: Any = None,
        limiter: Limiter | None = None,
        secrets: dict[str, str] | None = None,
        without: tuple[str, ...] = (),
        **settings: Any,
    ) -> Microsoft365Connector:
        transport = Transport(
            AllowList(),
            read_only=read_only,
            resolver=lambda host, port: ["93.184.215.14"],
            http=ScriptedHttp(answer or model),
            limiter=limiter,
        )
        given = {"tenant": "firm.test", "client_id": CLIENT_ID, "client_secret": "env:SECRET", **settings}
        return CONNECTOR(
            Connection(
                name="office",
                settings={name: value for name, value in given.items() if name not in without},
                secrets=ReferencedSecrets({"SECRET": SECRET, **(secrets or {})}),
                transport=transport,
                now=clock,
            )
        )

    return build
