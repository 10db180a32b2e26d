"""Connections to the OpenID provider of the tests, and what lives there of somebody."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from partwell.connector_kit.addresses import AllowList
from partwell.connector_kit.calls import Notes, NotingSecrets
from partwell.connector_kit.contract import Connection, ConnectorError, Verb
from partwell.connector_kit.registry import find, settings_problems
from partwell.connector_kit.secrets import ReferencedSecrets
from partwell.connector_kit.transport import Transport
from partwell.connectors.oidc.connector import CONNECTOR, OidcConnector
from tests.servers.oidc import OidcServer, SignedIn

BOTH = (Verb.REVOKE_SESSIONS, Verb.REVOKE_TOKENS)


def connect(
    server: OidcServer,
    *persons: SignedIn,
    kind: str = "refresh_token",
    read_only: bool = False,
    notes: Notes | None = None,
    now=lambda: datetime.now(UTC),
    **settings,
) -> OidcConnector:
    """A connection as the application, which holds one token of each of these people."""
    environ = {"SECRET": server.secret, "BEARER": server.bearer}
    held = []
    for number, person in enumerate(persons):
        environ[f"TOKEN_{number}"] = getattr(person, kind)
        account = person.email if settings.get("subject", "email") == "email" else person.sub
        held.append(
            {"label": f"mail {number}", "account": account, "token": f"env:TOKEN_{number}", "kind": kind}
        )
    secrets = ReferencedSecrets(environ)
    given = {
        "issuer_url": server.url,
        "allow_plain": True,
        "client_id": "app",
        "client_secret": "env:SECRET",
        "held_tokens": held,
        **({} if server.is_plain else {"token": "env:BEARER"}),
        **settings,
    }
    given = {name: value for name, value in given.items() if value is not None}
    assert settings_problems(find("oidc").manifest, given) == []
    return CONNECTOR(
        Connection(
            name="sign-in",
            settings=given,
            secrets=NotingSecrets(secrets, notes) if notes else secrets,
            transport=Transport(AllowList.parse(["127.0.0.1"]), read_only=read_only, notes=notes),
            now=now,
        )
    )


def lives(server: OidcServer, person: SignedIn) -> tuple[bool, bool, bool]:
    """Whether the session, the access token and the refresh token still work; as the provider shows it."""
    session = server.has_session(person)
    return session, server.is_active(person.access_token), server.is_active(person.refresh_token)


async def failure(awaitable) -> ConnectorError:
    with pytest.raises(ConnectorError) as caught:
        await awaitable
    return caught.value
