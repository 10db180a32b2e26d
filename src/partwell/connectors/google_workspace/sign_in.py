"""How Partwell signs in to Google: as a service account that may act for people (domain-wide delegation).

One access token for each person acted for and each scope: so a request holds no more than it needs, and a
scope that was not granted is named when it is missing. Tokens live in this object only.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from partwell.connector_kit.assertions import signed_assertion
from partwell.connector_kit.contract import Connection, ConnectorError, ErrorKind
from partwell.connector_kit.pacing import retry_at
from partwell.connector_kit.transport import Answer, Transport

# Fixed, and not what the key file says: whoever could write there would be sent a signed assertion.
TOKEN_URL = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address, not a secret
GRANT_TYPE = "urn:ietf:params:oauth:grant-type:jwt-bearer"
SCOPE_ROOT = "https://www.googleapis.com/auth/"
ASSERTION_LIVES = timedelta(minutes=5)
RENEWED_BEFORE_END = timedelta(minutes=2)


@dataclass(frozen=True)
class _Token:
    value: str
    until: datetime


class ServiceAccount:
    """The service account of one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._transport: Transport = connection.transport
        self._timeout = float(connection.settings.get("timeout_seconds", 20))
        self._tokens: dict[tuple[str, str], _Token] = {}
        # Many requests begin at once: the first asks for the token, the others wait for it.
        self._turns: dict[tuple[str, str], asyncio.Lock] = defaultdict(asyncio.Lock)

    def __repr__(self) -> str:
        return "ServiceAccount()"

    async def token(self, subject: str, scope: str, *, anew: bool = False) -> str:
        """An access token to act for `subject` within `scope` (its last part, such as `apps.licensing`).

        Raises DENIED where Google gives none, naming the scope.
        """
        async with self._turns[subject, scope]:
            now = self._connection.now()
            held = self._tokens.get((subject, scope))
            if held is None or anew or now >= held.until:
                content = await self._ask(subject, scope, now)
                until = now + timedelta(seconds=int(content["expires_in"])) - RENEWED_BEFORE_END
                held = self._tokens[subject, scope] = _Token(str(content["access_token"]), until)
            return held.value

    async def _ask(self, subject: str, scope: str, now: datetime) -> dict[str, Any]:
        key = self._key()
        claims = {
            "iss": key["client_email"],
            "sub": subject,
            "scope": SCOPE_ROOT + scope,
            "aud": TOKEN_URL,
            "iat": int(now.timestamp()),
            "exp": int((now + ASSERTION_LIVES).timestamp()),
        }
        assertion = signed_assertion(claims, key=key["private_key"], key_id=key["private_key_id"])
        answer = await self._transport.request(
            "POST",
            TOKEN_URL,
            headers={"accept": "application/json", "content-type": "application/x-www-form-urlencoded"},
            content=urlencode({"grant_type": GRANT_TYPE, "assertion": assertion}).encode(),
            timeout=self._timeout,
            changes_nothing=True,
        )
        if answer.status != 200:
            raise _refusal(answer, subject, scope, now)
        content = answer.json()
        if not isinstance(content, dict) or not content.get("access_token"):
            raise ConnectorError(ErrorKind.RETRYABLE, "Google's sign-in answered without a token.")
        if not str(content.get("expires_in", "")).isdecimal():
            raise ConnectorError(ErrorKind.RETRYABLE, "Google's sign-in gave a token without an end.")
        return content

    def _key(self) -> dict[str, str]:
        text = self._connection.secrets.resolve(str(self._connection.settings["key"]))
        try:
            given = json.loads(text)
            names = ("client_email", "private_key", "private_key_id")
            return {name: str(given[name]) for name in names}
        except (ValueError, KeyError, TypeError):
            raise ConnectorError(
                ErrorKind.DENIED,
                "The setting 'key' has to lead to the JSON file with the service account's key, as Google "
                "Cloud gave it.",
            ) from None


def _refusal(answer: Answer, subject: str, scope: str, now: datetime) -> ConnectorError:
    """What the token endpoint said, without its description: that may quote the request."""
    if answer.status == 429:
        again = retry_at(answer.headers.get("retry-after", ""), now=now)
        return ConnectorError(ErrorKind.THROTTLED, "Google's sign-in is asked too often.", retry_at=again)
    try:
        content = answer.json()
    except ConnectorError:
        content = None
    code = str(content.get("error", "")) if isinstance(content, dict) else ""
    if answer.status >= 500 or not code:
        return ConnectorError(ErrorKind.RETRYABLE, f"Google's sign-in answered {answer.status}.")
    known = {
        "unauthorized_client": (
            f"In the Admin console, under domain-wide delegation, grant the service account the scope "
            f"{SCOPE_ROOT}{scope}. A new grant may take a day to count."
        ),
        "access_denied": f"The service account may not act with the scope {SCOPE_ROOT}{scope}.",
        "invalid_grant": (
            f"The key was deleted, the clock of this machine is wrong, or {subject} does not exist or is "
            "suspended."
        ),
        "invalid_scope": f"Google knows no scope {SCOPE_ROOT}{scope}.",
    }
    said = f" ({code})" if code in known else ""
    return ConnectorError(
        ErrorKind.DENIED,
        f"Google gives the service account no access token to act for {subject}{said}. "
        f"{known.get(code, 'Check the service account and its key.')}",
    )
