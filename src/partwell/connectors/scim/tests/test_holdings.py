"""What a user of a SCIM service holds, and the roles that stand in the user itself."""

from __future__ import annotations

import base64
import json
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from partwell.connector_kit.contract import ConnectorError, ErrorKind, HoldingKind, Outcome, Verb, Verdict
from partwell.connectors.scim.resources import ENTERPRISE_USER
from partwell.connectors.scim.tests.test_answers import connect, page
from partwell.connectors.scim.tests.test_server import Person
from partwell.connectors.scim.tests.test_server import connect as connect_to
from tests.servers.certificates import certificate_of
from tests.servers.scim import ScimServer

BOSS = {"id": "7", "userName": "bo", "active": True}


@pytest.mark.server("scim2-server")
async def test_roles_and_entitlements_are_shown_beside_groups(scim_server: ScimServer) -> None:
    person = Person(scim_server)
    (account,) = await connect_to(scim_server.url).discover(person.identity)
    assert {(held.kind, held.name) for held in account.entitlements} == {
        ("group", f"group-{person.login}"),
        ("role", "approver"),
        ("entitlement", "Office E5"),
    }


@pytest.mark.server("scim2-server")
async def test_certificates_and_people_without_a_manager_are_listed(scim_server: ScimServer) -> None:
    der = certificate_of("ana").public_bytes(Encoding.DER)
    given = [{"value": base64.b64encode(der).decode()}, {"value": "AAAA", "display": "an old card"}]
    boss = scim_server.add_person("holds-boss", "boss@firm.test", more={"x509Certificates": given})
    report = scim_server.add_person(
        "holds-report", "report@firm.test", more={ENTERPRISE_USER: {"manager": {"value": boss}}}
    )
    scim_server.add_person("holds-other", "other@firm.test", more={ENTERPRISE_USER: {"division": "x"}})

    held = await connect_to(scim_server.url).holdings(boss)

    keys = [each.name for each in held if each.kind is HoldingKind.KEY]
    assert keys[0].startswith("certificate CN=ana, valid until ")
    assert keys[1] == "certificate an old card"
    owned = [(each.external_id, each.name) for each in held if each.kind is HoldingKind.OWNED]
    assert owned == [(f"report:{report}", "manager of Holds-Report")]
    assert await connect_to(scim_server.url).holdings(report) == []


async def test_a_service_that_ignores_the_filter_gives_nobody_a_wrong_manager() -> None:
    others: list[dict[str, Any]] = [
        {"id": "1", "userName": "ana", ENTERPRISE_USER: {"manager": {"value": "7"}}},
        {"id": "2", "userName": "ben", ENTERPRISE_USER: {"manager": {"value": "8"}}},
        {"id": "3", "userName": "cy", ENTERPRISE_USER: {"manager": "7"}},
        {"id": "4", "userName": "di"},
    ]

    def handler(request: httpx.Request) -> httpx.Response:
        return page(*others, BOSS) if request.url.params else httpx.Response(200, json=BOSS)

    held = await connect(handler).holdings("7")
    assert [each.name for each in held] == ["manager of ana", "manager of cy"]


async def test_a_list_of_reports_that_breaks_off_or_is_refused_is_never_nobody() -> None:
    def refusing(request: httpx.Request) -> httpx.Response:
        if not request.url.params:
            return httpx.Response(200, json=BOSS)
        return httpx.Response(400, json={"scimType": "invalidFilter"})

    with pytest.raises(ConnectorError) as failure:
        await connect(refusing).holdings("7")
    assert failure.value.kind is ErrorKind.UNSUPPORTED
    assert "reports: false" in failure.value.message
    assert await connect(refusing, reports=False).holdings("7") == []

    def short(request: httpx.Request) -> httpx.Response:
        return page(total=3) if request.url.params else httpx.Response(200, json=BOSS)

    with pytest.raises(ConnectorError) as failure:
        await connect(short).holdings("7")
    assert failure.value.kind is ErrorKind.RETRYABLE


class Service:
    """One user with roles, in a service that refuses or throttles to change some of them."""

    def __init__(self, *, refuses: dict[str, int]) -> None:
        self.user: dict[str, Any] = {**BOSS, "roles": ["admin"], "entitlements": [{"value": "e5"}]}
        self.refuses, self.asked = refuses, list[str]()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.method == "PATCH":
            path = json.loads(request.content)["Operations"][0]["path"]
            self.asked.append(path)
            if status := self.refuses.get(path):
                return httpx.Response(status, json={"scimType": "mutability", "detail": "read only"})
            self.user.pop(path)
            return httpx.Response(204)
        if request.url.path.endswith("/Groups"):
            return page()
        return httpx.Response(200, json=self.user)


async def test_a_role_that_the_service_will_not_take_away_is_named_and_not_called_gone() -> None:
    service = Service(refuses={"roles": 400})
    connector = connect(service, groups=True)
    with pytest.raises(ConnectorError) as failure:
        await connector.remove_entitlements("7")
    assert failure.value.kind is ErrorKind.INVALID
    assert "1 of 2" in failure.value.message and "roles" in failure.value.message
    assert service.asked == ["roles", "entitlements"]
    proof = await connector.verify("7", Verb.REMOVE_ENTITLEMENTS)
    assert proof.verdict is Verdict.FAILED
    assert "role admin" in proof.read


async def test_a_service_that_says_too_many_is_not_asked_for_the_next() -> None:
    service = Service(refuses={"roles": 429})
    with pytest.raises(ConnectorError) as failure:
        await connect(service, groups=True).remove_entitlements("7")
    assert failure.value.kind is ErrorKind.THROTTLED
    assert service.asked == ["roles"]


async def test_without_groups_roles_go_and_the_rest_stays_unknown() -> None:
    service = Service(refuses={})
    connector = connect(service, groups=False)
    assert (await connector.remove_entitlements("7")).outcome is Outcome.DONE
    assert service.user == BOSS
    assert (await connector.verify("7", Verb.REMOVE_ENTITLEMENTS)).verdict is Verdict.UNVERIFIABLE
