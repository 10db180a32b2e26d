"""How Partwell names itself to GitHub: by a token, or by a GitHub App's installation in the organisation.

An installation's token lives in this object alone, for as long as the connector is open.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from partwell.connector_kit.assertions import signed_assertion
from partwell.connector_kit.contract import Connection, ConnectorError, ErrorKind
from partwell.connector_kit.transport import Answer, Transport

# GitHub allows ten minutes, by its clock; ours may go a little otherwise.
ASSERTION_LIVES = timedelta(minutes=8)
CLOCKS_DIFFER = timedelta(minutes=1)
RENEW_BEFORE = timedelta(minutes=2)
HEADERS = {
    "accept": "application/vnd.github+json",
    "x-github-api-version": "2022-11-28",
    "user-agent": "partwell",
}


class GithubCredentials:
    """The value of the `Authorization` header, made anew when it has run out.

    `setting` names the setting with the token; the app's settings stand in for `token` where they are given.
    """

    def __init__(self, connection: Connection, setting: str = "token") -> None:
        self._connection = connection
        settings = connection.settings
        self._setting = setting
        self._transport: Transport = connection.transport
        self._app = str(settings.get("app_id", "")) if setting == "token" else ""
        self._token = ""
        self._renew_at: datetime | None = None
        self.permissions: Mapping[str, str] = {}
        if setting == "token" and bool(self._app) == bool(settings.get("token")):
            raise ConnectorError(
                ErrorKind.INVALID, "Set either 'app_id' and 'private_key' (a GitHub App), or 'token'."
            )
        if self._app and not settings.get("private_key"):
            raise ConnectorError(ErrorKind.INVALID, "'app_id' needs 'private_key' beside it.")

    @property
    def is_app(self) -> bool:
        """Whether GitHub sees an app, which is nobody's account, and not a user with a token."""
        return bool(self._app)

    def forget(self) -> bool:
        """Let go of a token that was refused; whether there was one that can be made anew."""
        had_one, self._token = bool(self._token), ""
        return had_one

    async def header(self) -> str:
        """Raises DENIED when the key or the installation does not suffice."""
        settings = self._connection.settings
        if not self._app:
            return f"Bearer {self._connection.secrets.resolve(str(settings[self._setting]))}"
        now = self._connection.now()
        if not self._token or self._renew_at is None or now >= self._renew_at:
            await self._ask(now)
        return f"Bearer {self._token}"

    async def _ask(self, now: datetime) -> None:
        settings = self._connection.settings
        claims = {
            "iss": self._app,
            "iat": int((now - CLOCKS_DIFFER).timestamp()),
            "exp": int((now + ASSERTION_LIVES).timestamp()),
        }
        key = self._connection.secrets.resolve(str(settings["private_key"]))
        headers = {**HEADERS, "authorization": f"Bearer {signed_assertion(claims, key=key)}"}
        installation = settings.get("installation_id")
        if not installation:
            organisation = quote(str(settings["organization"]), safe="")
            found = await self._request("GET", f"/orgs/{organisation}/installation", headers)
            installation = found.get("id")
        given = await self._request("POST", f"/app/installations/{installation}/access_tokens", headers)
        token, until = given.get("token"), str(given.get("expires_at", ""))
        if not isinstance(token, str) or not token:
            raise ConnectorError(ErrorKind.RETRYABLE, "GitHub's answer holds no installation token.")
        try:
            expires_at = datetime.fromisoformat(until)
        except ValueError:
            expires_at = now + timedelta(minutes=10)
        permissions = given.get("permissions")
        self.permissions = permissions if isinstance(permissions, dict) else {}
        self._token, self._renew_at = token, expires_at - RENEW_BEFORE

    async def _request(self, method: str, path: str, headers: Mapping[str, str]) -> dict[str, Any]:
        base = base_address(self._connection)
        answer = await self._transport.request(
            method,
            base + path,
            headers=headers,
            timeout=float(self._connection.settings.get("timeout_seconds", 20)),
            changes_nothing=True,
        )
        if answer.status == 429 or answer.status >= 500:
            raise ConnectorError(
                ErrorKind.RETRYABLE,
                f"GitHub gave no installation token ({answer.status}); it is asked again.",
                request_id=answer.request_id,
            )
        content = answer.json() if answer.status in (200, 201) else {}
        if not isinstance(content, dict) or not content:
            raise _refused(answer)
        return content


def base_address(connection: Connection) -> str:
    """Where GitHub's API is: an enterprise with data residency has one of its own."""
    return str(connection.settings.get("url", "https://api.github.com")).rstrip("/")


def _refused(answer: Answer) -> ConnectorError:
    ways_out = {
        401: "Check app_id, and that private_key is one of the app's keys.",
        403: "The installation is suspended, or the app may not do this.",
        404: "The app is not installed in this organisation: check organization and installation_id.",
    }
    return ConnectorError(
        ErrorKind.DENIED,
        f"GitHub gives the app no token ({answer.status}). "
        f"{ways_out.get(answer.status, 'Check the settings of the app.')}",
        request_id=answer.request_id,
    )
