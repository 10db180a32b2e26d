"""What the tests know of a Workspace: its key, its scopes, and answers as Google words them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from partwell.connectors.google_workspace.connector import GoogleWorkspaceConnector
from partwell.connectors.google_workspace.permissions import LICENSING, PERMISSIONS

Connect = Callable[..., GoogleWorkspaceConnector]

ADMIN = "partwell@firm.test"
SERVICE = "partwell@project.iam.gserviceaccount.test"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PRIVATE = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
KEY_FILE = json.dumps(
    {
        "type": "service_account",
        "client_email": SERVICE,
        "private_key_id": "key-1",
        "private_key": PRIVATE,
        "token_uri": "https://elsewhere.test/token",
    }
)
NOW = datetime(2026, 11, 27, 16, 30, tzinfo=UTC)
SKU = "Google-Apps/1010020020"
ALL_SCOPES = frozenset(each.scope for each in (*PERMISSIONS, LICENSING))
DOCUMENTS = ("admin.directory_v1", "admin.datatransfer_v1", "admin.reports_v1", "gmail.v1", "licensing.v1")
TOKEN_PATH = "/token"
SUPER, HELP = "101", "102"
ROLES = [
    {"roleId": SUPER, "roleName": "_SEED_ADMIN_ROLE", "isSuperAdminRole": True, "isSystemRole": True},
    {"roleId": HELP, "roleName": "_HELP_DESK_ADMIN_ROLE", "isSystemRole": True},
]


def at(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def failure(status: int, reason: str, message: str, **headers: str) -> httpx.Response:
    errors = [{"domain": "global", "reason": reason, "message": message}]
    body = {"error": {"code": status, "message": message, "errors": errors}}
    return httpx.Response(status, json=body, headers=headers)


def missing(what: str) -> httpx.Response:
    return failure(404, "notFound", f"Resource Not Found: {what}")


def pruned(value: Any, tree: dict[str, Any]) -> Any:
    """The part of an answer that `fields` asked for."""
    if not tree:
        return value
    if isinstance(value, list):
        return [pruned(each, tree) for each in value]
    if not isinstance(value, dict):
        return value
    return {name: pruned(value[name], below) for name, below in tree.items() if name in value}
