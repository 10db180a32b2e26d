"""The judge of the connectors that cannot run against their service: it has to find what is not as agreed."""

from __future__ import annotations

import contextlib
from typing import Any

import httpx
import pytest

from tests.vendor_openapi import (
    UNDOCUMENTED,
    Deviation,
    Erratum,
    ValidatedHttp,
    VendorContract,
    read_document,
)

TEXT = """
openapi: 3.0.3
info: {title: t, version: "1"}
servers: [{url: "https://api.test"}]
paths:
  /things:
    get:
      parameters: [{$ref: "#/components/parameters/limit"}]
      responses:
        "200":
          description: all
          content: {application/json: {schema: {type: array, items: {$ref: "#/components/schemas/thing"}}}}
  /things/{id}:
    parameters: [{name: id, in: path, required: true, schema: {type: string}}]
    patch:
      requestBody:
        required: true
        content: {application/json: {schema: {$ref: "#/components/schemas/change"}}}
      responses: {"204": {description: done}}
  /things/mine:
    get:
      security: [{oauth: [things.read]}]
      responses: {"200": {description: text, content: {application/json: {schema: {type: object}}}}}
  /other:
    get: {responses: {"200": {description: other}}}
components:
  parameters:
    limit: {name: limit, in: query, schema: {type: integer, maximum: 10}}
  securitySchemes:
    oauth: {type: http, scheme: bearer}
  schemas:
    thing:
      type: object
      required: [id]
      properties: {id: {type: string}, born: {type: string, format: date-time, example: 2020-01-01T00:00:00Z}}
    change:
      allOf:
        - type: object
          properties: {state: {type: string, enum: [up, down]}}
        - type: object
          properties: {inner: {type: object, properties: {name: {type: string}}}}
"""
PATHS = ("/things", "/things/{id}", "/things/mine")


@pytest.fixture(scope="module")
def contract() -> VendorContract:
    return VendorContract(read_document(TEXT), paths=PATHS)


def request(method: str, path: str, **more: Any) -> httpx.Request:
    return httpx.Request(method, f"https://api.test{path}", **more)


@pytest.mark.parametrize(
    "right",
    [
        request("GET", "/things?limit=3"),
        request("PATCH", "/things/a%40b", json={"state": "up", "inner": {"name": "x"}}),
        request("GET", "/things/mine", headers={"authorization": "Bearer x"}),
    ],
)
def test_what_is_as_agreed_passes(contract, right):
    contract.check_request(right)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (request("GET", "/thing"), "no such path"),
        (request("GET", "/other"), "no such path"),
        (request("DELETE", "/things"), "no such method"),
        (request("GET", "/things?limit=11"), "limit"),
        (request("GET", "/things?limits=1"), "no query parameter ['limits']"),
        (request("GET", "/things", json={}), "takes no body"),
        (request("PATCH", "/things/1"), "body"),
        (request("PATCH", "/things/1", json={"state": "sideways"}), "sideways"),
        (request("PATCH", "/things/1", json={"stat": "up"}), "no property ['stat']"),
        (request("PATCH", "/things/1", json={"inner": {"nam": "x"}}), "no property ['nam']"),
        (request("GET", "/things/mine"), "security"),
    ],
)
def test_what_is_not_as_agreed_is_a_deviation_that_says_where(contract, wrong, words):
    with pytest.raises(Deviation) as found:
        contract.check_request(wrong)
    assert words.lower() in str(found.value).lower()
    assert wrong.url.path in str(found.value)


@pytest.mark.parametrize(
    ("answer", "is_right"),
    [
        (httpx.Response(200, json=[{"id": "1", "born": "2020-01-01T00:00:00Z"}]), True),
        (httpx.Response(200, json=[{"id": 1}]), False),
        (httpx.Response(200, json=[{}]), False),
        (httpx.Response(200, json=[{"id": "1", "colour": "red"}]), False),
        (httpx.Response(200, json=[{"id": "1", "born": "yesterday"}]), False),
        (httpx.Response(404, json={}), False),
    ],
)
def test_a_model_cannot_answer_what_the_vendor_could_not(contract, answer, is_right):
    asked = request("GET", "/things")
    if is_right:
        contract.check_response(asked, answer)
    else:
        with pytest.raises(Deviation):
            contract.check_response(asked, answer)


async def test_a_deviation_that_the_connector_swallows_comes_out_at_the_end(contract):
    wire = ValidatedHttp(contract, lambda asked: httpx.Response(204))
    async with httpx.AsyncClient(transport=wire) as client:
        with contextlib.suppress(AssertionError):
            await client.get("https://api.test/nowhere")
    with pytest.raises(Deviation, match="nowhere"):
        wire.close()


async def test_faults_pass_and_their_requests_are_still_held_to_the_contract(
    contract,
):
    wire = ValidatedHttp(contract, lambda asked: httpx.Response(429, extensions=UNDOCUMENTED))
    async with httpx.AsyncClient(transport=wire) as client:
        assert (await client.get("https://api.test/things")).status_code == 429
        wire.faults.append(lambda asked: httpx.Response(502, html="<p>"))
        assert (await client.get("https://api.test/things")).status_code == 502
        with pytest.raises(Deviation):
            await client.get("https://api.test/things?x=1")


def test_an_erratum_changes_what_is_agreed_and_nothing_else():
    def widen(document: dict[str, Any]) -> None:
        document["components"]["parameters"]["limit"]["schema"]["maximum"] = 20

    document = read_document(TEXT)
    mended = VendorContract(document, paths=PATHS, errata=[Erratum("the vendor takes 20", widen)])
    mended.check_request(request("GET", "/things?limit=20"))
    with pytest.raises(Deviation):
        VendorContract(document, paths=PATHS).check_request(request("GET", "/things?limit=20"))


def test_a_model_knows_what_its_vendor_asks_for(contract):
    assert contract.query_names(request("GET", "/things")) == {"limit"}
    assert contract.scopes(request("GET", "/things/mine")) == {"things.read"}
    assert not contract.has_body(request("PATCH", "/things/1"), 204)
