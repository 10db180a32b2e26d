"""What every connector promises, against a model of Enterprise Grid that knows the published contracts."""

from __future__ import annotations

import pytest

from partwell.connector_kit.contract import Identity
from partwell.connector_kit.testing import ConnectorContract, World
from partwell.connectors.slack.tests.workspace import MISSING, TEAM


class TestContract(ConnectorContract):
    @pytest.fixture
    def world(self, grid, grid_model, connect) -> World:
        ana, ben = grid.add_user("ana"), grid.add_user("ben")
        grid.add_user_group("Sales", [ana, ben])
        grid.add_provider_group("Everybody", [ana, ben])
        grid.admins[TEAM] = [ana, ben]
        grid.owners[TEAM] = [ben]
        grid.add_session(ana)
        grid.add_session(ana)
        return World(
            make=lambda: connect(grid_model),
            make_read_only=lambda: connect(grid_model, read_only=True),
            identity=Identity(emails=("Ana@firm.example",)),
            unknown=Identity(emails=("nobody@firm.example",), usernames=("nobody",)),
            missing_id=MISSING,
        )
