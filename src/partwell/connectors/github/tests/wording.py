"""What of GitHub's contract the tests use, where it contradicts itself, and answers as GitHub words them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from partwell.connectors.github.connector import GithubConnector
from tests.vendor_openapi import UNDOCUMENTED, Document, Erratum

Connect = Callable[..., GithubConnector]
URL = "https://api.github.com"
ORG, ENTERPRISE = "firm", "firm-group"
OWNERS_TOKEN, ENTERPRISE_TOKEN = "github_pat_canary_owner", "ghp_canary_enterprise"
APP_ID, INSTALLATION = "Iv1.partwell", 42
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
KEY_PEM = KEY.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()
NOW = datetime(2026, 11, 27, 16, 30, tzinfo=UTC)
APP = {"organization": ORG, "app_id": APP_ID, "private_key": "env:KEY"}
TOKEN = {"organization": ORG, "token": "env:TOKEN"}
REPORT = {"enterprise": ENTERPRISE, "enterprise_token": "env:ENTERPRISE"}
MANAGED = {**REPORT, "managed_users": True}
PATHS = (
    "/app/installations/{installation_id}/access_tokens",
    "/enterprises/{enterprise}/consumed-licenses",
    "/orgs/{org}/credential-authorizations",
    "/orgs/{org}/credential-authorizations/{credential_id}",
    "/orgs/{org}/installation",
    "/orgs/{org}/invitations",
    "/orgs/{org}/invitations/{invitation_id}",
    "/orgs/{org}/invitations/{invitation_id}/teams",
    "/orgs/{org}/members",
    "/orgs/{org}/memberships/{username}",
    "/orgs/{org}/organization-roles",
    "/orgs/{org}/organization-roles/{role_id}/users",
    "/orgs/{org}/organization-roles/users/{username}/{role_id}",
    "/orgs/{org}/outside_collaborators",
    "/orgs/{org}/outside_collaborators/{username}",
    "/orgs/{org}/personal-access-tokens",
    "/orgs/{org}/personal-access-tokens/{pat_id}",
    "/orgs/{org}/repos",
    "/orgs/{org}/teams",
    "/orgs/{org}/teams/{team_slug}/members",
    "/orgs/{org}/teams/{team_slug}/memberships/{username}",
    "/repos/{owner}/{repo}/collaborators",
    "/repos/{owner}/{repo}/collaborators/{username}",
    "/repos/{owner}/{repo}/invitations",
    "/repos/{owner}/{repo}/invitations/{invitation_id}",
    "/repos/{owner}/{repo}/keys",
    "/repos/{owner}/{repo}/teams",
    "/scim/v2/enterprises/{enterprise}/Users",
    "/scim/v2/enterprises/{enterprise}/Users/{scim_user_id}",
    "/user",
    "/user/{account_id}",
    "/users/{username}",
)


def _take_booleans(document: Document) -> None:
    operation = document["components"]["schemas"]["patch-schema"]["properties"]["Operations"]["items"]
    operation["properties"]["value"] = {"anyOf": [{"type": "string"}, {"type": "boolean"}]}


ERRATA = (
    Erratum(
        "The schema of a SCIM patch takes text alone, and its own example 'disableUser' sends a boolean.",
        _take_booleans,
    ),
)


def at(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def answer(status: int, content: Any = None, **headers: str) -> httpx.Response:
    sent = {"x-github-request-id": "0001:CAFE", **headers}
    return (
        httpx.Response(status, headers=sent)
        if content is None
        else httpx.Response(status, json=content, headers=sent)
    )


def refusal(status: int, message: str, **headers: str) -> httpx.Response:
    """A failure that the contract does not describe where it happens."""
    body = {"message": message, "documentation_url": "https://docs.github.com/rest"}
    sent = {"x-github-request-id": "0001:CAFE", **headers}
    return httpx.Response(status, json=body, headers=sent, extensions=UNDOCUMENTED)
