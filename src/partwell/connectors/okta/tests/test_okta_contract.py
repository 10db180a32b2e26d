"""The Okta connector against the contract suite, on both ways to sign in."""

from __future__ import annotations

from datetime import timedelta

import pytest

from partwell.connector_kit.contract import Identity, Verb
from partwell.connector_kit.testing import ConnectorContract, World
from partwell.connectors.okta.tests.model import OktaOrg
from partwell.connectors.okta.tests.wording import NOW, Connect, at


class TestContract(ConnectorContract):
    @pytest.fixture(params=["service app", "API token"])
    def world(self, request: pytest.FixtureRequest, org: OktaOrg, connect: Connect) -> World:
        org.page_size = 2  # every list has several pages
        org.own_user = org.add_user("partwell@firm.test")
        boss = org.add_user("boss@firm.test")
        org.add_role(boss, "SUPER_ADMIN")
        person = org.add_user("ana@firm.test", profile={"employeeNumber": "E-7"})
        for name in ("Sales", "Office", "Wiki"):
            org.add_group(name, [person, boss])
        org.add_group("Everyone", list(org.users), kind="BUILT_IN")
        org.add_role(person, "HELP_DESK_ADMIN")
        org.add_role(person, "CUSTOM", role="cr0Desk", **{"resource-set": "iamRoom"})
        org.add_tokens(person)
        org.factors[person] = [
            {"id": "fac1", "factorType": "push", "provider": "OKTA", "status": "ACTIVE"},
            {"id": "fac2", "factorType": "webauthn", "provider": "FIDO", "status": "ACTIVE"},
        ]
        org.apps[person] = [{"id": "00ub0", "appAssignmentId": "0ua1", "label": "Mail", "appName": "mail"}]
        org.devices[person] = [
            {
                "created": at(NOW - timedelta(days=30)),
                "deviceUserId": "du1",
                "device": {
                    "id": "guo1",
                    "status": "ACTIVE",
                    "profile": {"displayName": "Ana's laptop", "platform": "MACOS", "registered": True},
                },
            }
        ]
        way = {"token": "env:TOKEN"} if request.param == "API token" else {}
        return World(
            make=lambda: connect(**way),
            make_read_only=lambda: connect(read_only=True, **way),
            identity=Identity(emails=("Ana@Firm.test",)),
            unknown=Identity(emails=("nobody@firm.test",), usernames=("nobody",), employee_number="E-0"),
            missing_id="00u00000000000000000",
            irreversible=frozenset({Verb.REVOKE_SESSIONS, Verb.REVOKE_TOKENS}),
        )
