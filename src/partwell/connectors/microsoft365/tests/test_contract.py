"""What every connector promises, against a model of Microsoft 365 that knows Graph's published contract."""

from __future__ import annotations

import pytest

from partwell.connector_kit.contract import Identity
from partwell.connector_kit.testing import ConnectorContract, World
from partwell.connectors.microsoft365.tests.tenant import E3, HELPDESK, MISSING


class TestContract(ConnectorContract):
    @pytest.fixture
    def world(self, tenant, connect) -> World:
        ana = tenant.add_user("ana")
        tenant.add_user("ben")
        tenant.add_group("Sales", [ana])
        tenant.add_role(ana, HELPDESK)
        crm, mail = tenant.add_app("CRM"), tenant.add_app("Mail reader")
        tenant.add_app_role(ana, crm, tenant.new_id())
        tenant.add_grant(ana, mail, crm, "Mail.Read")
        tenant.add_licence(ana, E3)
        tenant.add_managed_device(ana, "ana-laptop")
        tenant.methods[ana] = [
            {"@odata.type": "#microsoft.graph.passwordAuthenticationMethod", "id": "p-1"},
            {"@odata.type": "#microsoft.graph.fido2AuthenticationMethod", "id": "k-1", "displayName": "blue"},
        ]
        tenant.owners[tenant.add_group("Owned", [])] = [ana]
        return World(
            make=connect,
            make_read_only=lambda: connect(read_only=True),
            identity=Identity(emails=("Ana@firm.test",)),
            unknown=Identity(emails=("nobody@firm.test",), usernames=("nobody@firm.test",)),
            missing_id=MISSING,
        )
