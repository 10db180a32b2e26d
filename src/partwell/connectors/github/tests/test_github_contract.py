"""The GitHub connector against the contract suite, in an organisation with everything switched on."""

from __future__ import annotations

import httpx
import pytest

from partwell.connector_kit.contract import Identity, Verb
from partwell.connector_kit.testing import ConnectorContract, World
from partwell.connectors.github.tests.model import Github
from partwell.connectors.github.tests.wording import PATHS, REPORT, TOKEN, URL, Connect
from tests.vendor_openapi import Deviation, Document, VendorContract


class TestContract(ConnectorContract):
    @pytest.fixture(params=["app", "token"])
    def world(self, request: pytest.FixtureRequest, github: Github, connect: Connect) -> World:
        github.page_size = 2  # every list has several pages
        ana = github.add_member("ana-silva")
        for number in range(4):
            other = github.add_member(f"other-{number}")
            github.add_licence(f"other-{number}", f"other-{number}@firm.test")
            github.add_tokens(other)
        github.add_licence("Ana-Silva", "ana@firm.test")
        outer = github.add_team("Engineering", {github.own: "maintainer"})
        github.add_team("Web", {ana: "maintainer", github.own: "member"}, parent=outer)
        github.add_team("On call", {ana: "member"})
        github.add_role("Security manager", {ana: "direct"})
        github.add_repo("site", {ana: "admin"})
        github.add_repo("docs", {github.own: "admin"})
        github.add_tokens(ana)
        ways = {
            **(TOKEN if request.param == "token" else {}),
            **REPORT,
            "saml": True,
            "scan_repositories": True,
        }
        return World(
            make=lambda: connect(**ways),
            make_read_only=lambda: connect(read_only=True, **ways),
            identity=Identity(emails=("Ana@Firm.test",)),
            unknown=Identity(emails=("nobody@firm.test",), usernames=("nobody",), employee_number="E-0"),
            missing_id="999999999",
            irreversible=frozenset({Verb.REVOKE_TOKENS}),
        )


def test_the_contract_contradicts_itself_where_we_read_it_otherwise(github_document: Document):
    """When GitHub mends its schema, the erratum goes."""
    plain = VendorContract(github_document, paths=PATHS)
    body = plain.document["paths"]["/scim/v2/enterprises/{enterprise}/Users/{scim_user_id}"]["patch"]
    example = body["requestBody"]["content"]["application/json"]["examples"]["disableUser"]["value"]
    request = httpx.Request(
        "PATCH", f"{URL}/scim/v2/enterprises/x/Users/1", json=example, headers={"host": "api.github.com"}
    )
    with pytest.raises(Deviation):
        plain.check_request(request)
