"""What Okta's contract is used for in the tests, and answers as Okta words them."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from partwell.connectors.okta.connector import OktaConnector
from tests.vendor_openapi import UNDOCUMENTED

Connect = Callable[..., OktaConnector]

URL = "https://firm.okta.com"
TOKEN_PATH = "/oauth2/v1/token"
API_TOKEN = "00canaryApiTokenOfPartwell"
CLIENT_ID = "0oaPartwell"
APP = {"client_id": CLIENT_ID, "private_key": "env:KEY"}
NOW = datetime(2026, 11, 27, 16, 30, tzinfo=UTC)
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
KEY_PEM = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
ALL_SCOPES = frozenset(
    f"okta.{what}.{may}"
    for what in ("users", "groups", "roles", "apiTokens", "logs")
    for may in ("read", "manage")
) - {"okta.logs.manage"}
PATHS = (
    "/api/v1/users",
    "/api/v1/users/{id}",
    "/api/v1/users/{id}/groups",
    "/api/v1/users/{id}/appLinks",
    "/api/v1/users/{id}/lifecycle/suspend",
    "/api/v1/users/{id}/lifecycle/unsuspend",
    "/api/v1/users/{id}/lifecycle/unlock",
    "/api/v1/users/{userId}/sessions",
    "/api/v1/users/{userId}/grants",
    "/api/v1/users/{userId}/clients",
    "/api/v1/users/{userId}/clients/{clientId}/tokens",
    "/api/v1/users/{userId}/devices",
    "/api/v1/users/{userId}/factors",
    "/api/v1/users/{userId}/roles",
    "/api/v1/users/{userId}/roles/{roleAssignmentId}",
    "/api/v1/groups",
    "/api/v1/groups/rules",
    "/api/v1/groups/{groupId}/users",
    "/api/v1/groups/{groupId}/users/{userId}",
    "/api/v1/groups/{groupId}/owners",
    "/api/v1/iam/assignees/users",
    "/api/v1/api-tokens",
    "/api/v1/api-tokens/{apiTokenId}",
    "/api/v1/logs",
)


def at(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def failure(status: int, code: str, summary: str) -> httpx.Response:
    body = {
        "errorCode": code,
        "errorSummary": summary,
        "errorLink": code,
        "errorId": "oae1",
        "errorCauses": [],
    }
    return httpx.Response(
        status,
        json=body,
        headers={"x-okta-request-id": "req-1"},
        extensions=UNDOCUMENTED if status in (401, 429) else {},
    )


def missing(what: str) -> httpx.Response:
    return failure(404, "E0000007", f"Not found: Resource not found: {what} (User)")


def matches(user: dict[str, Any], expression: str, *, minds_case: bool) -> bool:
    """`or` of comparisons, as far as the connector uses them: `a eq "b"`, `lastUpdated gt "…"`."""
    comparison = r'([\w.]+) (eq|gt) "((?:[^"\\]|\\.)*)"'
    assert re.fullmatch(rf"{comparison}(?: or {comparison})*", expression), expression
    for name, operator, literal in re.findall(comparison, expression):
        value: Any = user
        for part in name.split("."):
            value = (value or {}).get(part)
        wanted = re.sub(r"\\(.)", r"\1", literal)
        found = str(value or "")
        if operator == "gt":
            assert name == "lastUpdated"
            if found > wanted:
                return True
        elif (found == wanted) if minds_case else (found.lower() == wanted.lower()):
            return True
    return False
