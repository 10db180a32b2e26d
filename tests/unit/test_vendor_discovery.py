"""The judge of the connector to Google: it has to find what is not as agreed."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.vendor_discovery import DiscoveryContract, mask_tree, shipped
from tests.vendor_openapi import Deviation, ValidatedHttp

DOCUMENT = {
    "rootUrl": "https://api.test/",
    "servicePath": "v1/",
    "parameters": {"fields": {"type": "string", "location": "query"}},
    "resources": {
        "things": {
            "methods": {
                "list": {
                    "id": "api.things.list",
                    "httpMethod": "GET",
                    "path": "things",
                    "parameters": {
                        "max": {"type": "integer", "location": "query"},
                        "order": {"type": "string", "enum": ["up", "down"], "location": "query"},
                        "of": {"type": "string", "required": True, "pattern": "C.+", "location": "query"},
                        "deep": {"type": "boolean", "location": "query"},
                    },
                    "response": {"$ref": "Things"},
                    "scopes": ["https://api.test/auth/things"],
                },
                "insert": {
                    "id": "api.things.insert",
                    "httpMethod": "POST",
                    "path": "things",
                    "request": {"$ref": "Thing"},
                    "response": {"$ref": "Thing"},
                },
                "delete": {
                    "id": "api.things.delete",
                    "httpMethod": "DELETE",
                    "path": "things/{id}",
                    "parameters": {"id": {"type": "string", "format": "int64", "location": "path"}},
                },
            },
            "resources": {
                "parts": {
                    "methods": {
                        "mine": {
                            "id": "api.things.parts.mine",
                            "httpMethod": "DELETE",
                            "path": "things/mine",
                        }
                    }
                }
            },
        }
    },
    "schemas": {
        "Things": {
            "type": "object",
            "properties": {"items": {"type": "array", "items": {"$ref": "Thing"}}},
        },
        "Thing": {
            "type": "object",
            "properties": {
                "id": {"type": "string", "format": "int64", "readOnly": True},
                "name": {"type": "string", "annotations": {"required": ["api.things.insert"]}},
                "on": {"type": "boolean"},
                "size": {"type": "integer"},
                "born": {"type": "string", "format": "date-time"},
                "state": {"type": "string", "enum": ["new", "old"]},
                "more": {"type": "any"},
                "labels": {"type": "object", "additionalProperties": {"type": "string"}},
            },
        },
    },
}


@pytest.fixture
def contract() -> DiscoveryContract:
    return DiscoveryContract([DOCUMENT])


def request(method: str, path: str, **more: Any) -> httpx.Request:
    return httpx.Request(method, f"https://api.test/v1{path}", **more)


INSERT = {"name": "a", "on": True, "size": 3, "born": "2026-11-27T16:30:00.000Z", "more": [1, {"b": 2}]}


@pytest.mark.parametrize(
    "right",
    [
        request("GET", "/things?of=C1&max=3&order=up&deep=true&fields=items(name,more/b)"),
        request("POST", "/things", json={**INSERT, "state": "new", "labels": {"a": "b"}}),
        request("DELETE", "/things/12"),
        request("DELETE", "/things/mine"),
    ],
)
def test_what_is_as_agreed_passes(contract, right):
    contract.check_request(right)


@pytest.mark.parametrize(
    "wrong",
    [
        request("GET", "/thing?of=C1"),
        request("PUT", "/things/12"),
        request("GET", "/things"),
        request("GET", "/things?of=my"),
        request("GET", "/things?of=C1&maximum=3"),
        request("GET", "/things?of=C1&max=three"),
        request("GET", "/things?of=C1&max=3&max=4"),
        request("GET", "/things?of=C1&fields=items(nmae)"),
        request("GET", "/things?of=C1&fields=items(name"),
        request("GET", "/things?of=C1&fields=thing"),
        request("GET", "/things?of=C1&order=sideways"),
        request("GET", "/things?of=C1&deep=yes"),
        request("DELETE", "/things/twelve"),
        request("DELETE", "/things/12", json={}),
        request("POST", "/things"),
        request("POST", "/things", json={"on": True}),
        request("POST", "/things", json={"name": "a", "id": "12"}),
        request("POST", "/things", json={"name": "a", "nmae": "b"}),
        request("POST", "/things", json={"name": 3}),
        request("POST", "/things", json={"name": "a", "on": 1}),
        request("POST", "/things", json={"name": "a", "size": True}),
        request("POST", "/things", json={"name": "a", "born": "yesterday"}),
        request("POST", "/things", json={"name": "a", "state": "lost"}),
        request("POST", "/things", json={"name": "a", "labels": {"a": 1}}),
        request("POST", "/things", content=b'{"name": "a"}', headers={"content-type": "text/plain"}),
        httpx.Request("GET", "https://elsewhere.test/v1/things?of=C1"),
    ],
)
def test_what_is_not_as_agreed_is_found(contract, wrong):
    with pytest.raises(Deviation):
        contract.check_request(wrong)


FAILURE = {"error": {"code": 404, "message": "gone", "errors": [{"reason": "notFound", "message": "gone"}]}}


@pytest.mark.parametrize(
    ("asked", "answer", "is_right"),
    [
        (request("GET", "/things?of=C1"), httpx.Response(200, json={"items": [{"id": "1"}]}), True),
        (request("GET", "/things?of=C1"), httpx.Response(200, json={"items": [{"id": 1}]}), False),
        (request("GET", "/things?of=C1"), httpx.Response(200, json={"things": []}), False),
        (request("GET", "/things?of=C1"), httpx.Response(204), False),
        (request("DELETE", "/things/12"), httpx.Response(204), True),
        (request("DELETE", "/things/12"), httpx.Response(200, json={}), False),
        (request("DELETE", "/things/12"), httpx.Response(404, json=FAILURE), True),
        (request("DELETE", "/things/12"), httpx.Response(403, json=FAILURE), False),
        (request("DELETE", "/things/12"), httpx.Response(404, json={"message": "gone"}), False),
    ],
)
def test_answers_of_a_model_are_held_to_the_contract_as_well(contract, asked, answer, is_right):
    if is_right:
        contract.check_response(asked, answer)
        return
    with pytest.raises(Deviation):
        contract.check_response(asked, answer)


async def test_a_deviation_that_the_connector_swallowed_comes_out_at_the_end(contract):
    wire = ValidatedHttp(contract, lambda asked: httpx.Response(200, json={"items": []}))
    with pytest.raises(Deviation):
        await wire.handle_async_request(request("GET", "/things"))
    with pytest.raises(Deviation):
        wire.close()


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("a", {"a": {}}),
        ("a,b", {"a": {}, "b": {}}),
        ("a/b/c,d", {"a": {"b": {"c": {}}}, "d": {}}),
        ("a,b(c,d/e),f", {"a": {}, "b": {"c": {}, "d": {"e": {}}}, "f": {}}),
        ("a(b(c),d)", {"a": {"b": {"c": {}}, "d": {}}}),
    ],
)
def test_the_part_of_an_answer_that_is_asked_for_is_read(text, tree):
    assert mask_tree(text) == tree


def test_the_scopes_of_a_method_are_told(contract):
    assert contract.scopes(request("GET", "/things?of=C1")) == {"https://api.test/auth/things"}


def test_the_documents_that_ship_with_googles_client_are_read():
    contract = DiscoveryContract([shipped("admin.directory_v1"), shipped("licensing.v1")])
    user = "https://admin.googleapis.com/admin/directory/v1/users/ana%40firm.test"
    contract.check_request(httpx.Request("PATCH", user, json={"suspended": True}))
    with pytest.raises(Deviation, match="suspend"):
        contract.check_request(httpx.Request("PATCH", user, json={"suspend": True}))
    with pytest.raises(Deviation, match="only be read"):
        contract.check_request(httpx.Request("PATCH", user, json={"isAdmin": False}))
