"""The Google Workspace connector against the contract suite."""

from __future__ import annotations

import pytest

from partwell.connector_kit.contract import Identity, Verb
from partwell.connector_kit.testing import ConnectorContract, World
from partwell.connectors.google_workspace.tests.wording import SKU, Connect
from partwell.connectors.google_workspace.tests.workspace import Workspace


class TestContract(ConnectorContract):
    @pytest.fixture
    def world(self, firm: Workspace, connect: Connect) -> World:
        firm.page_size = 2  # every list has several pages
        person = firm.add_user(
            "ana@firm.test",
            aliases=["ana.silva@firm.test"],
            externalIds=[{"type": "organization", "value": "E-7"}],
            recoveryEmail="ana@home.test",
            recoveryPhone="+351910000000",
            sshPublicKeys=[{"key": "ssh-ed25519 AAAA ana@laptop", "fingerprint": "SHA256:1"}],
        )
        boss = firm.add_super_admin("boss@firm.test")
        for name in ("Sales", "Office", "Wiki"):
            firm.add_group(name, [person, boss])
        firm.add_group("Crew", [person], role="OWNER", delivery_settings="DIGEST")
        firm.add_role(person, orgUnitId="03ph8a2z", scopeType="ORG_UNIT")
        firm.add_credentials(person)
        firm.add_phone(person)
        firm.delegates["ana@firm.test"] = {"boss@firm.test": "accepted"}
        firm.forwarding["ana@firm.test"] = ["ana@home.test"]
        firm.licences.add((SKU, "ana@firm.test"))
        return World(
            make=lambda: connect(licences=[SKU]),
            make_read_only=lambda: connect(read_only=True, licences=[SKU]),
            identity=Identity(emails=("Ana@Firm.test",)),
            unknown=Identity(emails=("nobody@firm.test",), usernames=("nobody",), employee_number="E-0"),
            missing_id="117999999999999999999",
            # Of a block, recovery addresses come back; the password has to be given by an administrator.
            irreversible=frozenset({Verb.BLOCK_SIGN_IN, Verb.REVOKE_SESSIONS, Verb.REVOKE_TOKENS}),
        )
