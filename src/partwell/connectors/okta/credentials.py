"""How Partwell names itself to Okta: by a service app's access token, or by an API token (SSWS).

An access token lives in this object alone, for as long as the connector is open.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from urllib.parse import urlencode
from uuid import uuid4

from partwell.connector_kit.assertions import signed_assertion
from partwell.connector_kit.contract import Connection, ConnectorError, ErrorKind
from partwell.connector_kit.transport import Transport

TOKEN_PATH = "/oauth2/v1/token"  # noqa: S105 - a path, not a secret
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_LIVES = timedelta(minutes=5)
RENEW_BEFORE = timedelta(minutes=1)
SCOPES = (
    "okta.users.read",
    "okta.users.manage",
    "okta.groups.read",
    "okta.groups.manage",
    "okta.roles.read",
    "okta.roles.manage",
    "okta.logs.read",
)
API_TOKEN_SCOPES = ("okta.apiTokens.read", "okta.apiTokens.manage")


class OktaCredentials:
    """The value of the `Authorization` header, made anew when it has run out."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        settings = connection.settings
        self._transport: Transport = connection.transport
        self._base = str(settings["url"]).rstrip("/")
        self._client_id = str(settings.get("client_id", ""))
        self._token = ""
        self._renew_at: datetime | None = None
        reads_api_tokens = bool(settings.get("api_tokens", True))
        self.scopes = (*SCOPES, *(API_TOKEN_SCOPES if reads_api_tokens else ()))
        if bool(self._client_id) == bool(settings.get("token")):
            raise ConnectorError(
                ErrorKind.INVALID,
                "Set either 'client_id' and 'private_key' (a service app), or 'token' (an API token).",
            )
        if self._client_id and not settings.get("private_key"):
            raise ConnectorError(ErrorKind.INVALID, "'client_id' needs 'private_key' beside it.")

    @property
    def is_service_app(self) -> bool:
        """Whether Okta sees an app, which is nobody's account, and not a user with an API token."""
        return bool(self._client_id)

    def forget(self) -> bool:
        """Let go of an access token that was refused; whether there was one that can be made anew."""
        had_one, self._token = bool(self._token), ""
        return had_one

    async def header(self) -> str:
        """Raises DENIED when the key or the scopes do not suffice."""
        settings, secrets = self._connection.settings, self._connection.secrets
        if not self._client_id:
            return f"SSWS {secrets.resolve(str(settings['token']))}"
        now = self._connection.now()
        if not self._token or self._renew_at is None or now >= self._renew_at:
            await self._ask(now)
        return f"Bearer {self._token}"

    async def _ask(self, now: datetime) -> None:
        settings = self._connection.settings
        url = self._base + TOKEN_PATH
        claims = {
            "iss": self._client_id,
            "sub": self._client_id,
            "aud": url,
            "iat": int(now.timestamp()),
            "exp": int((now + ASSERTION_LIVES).timestamp()),
            "jti": str(uuid4()),
        }
        form = {
            "grant_type": "client_credentials",
            "scope": " ".join(self.scopes),
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": signed_assertion(
                claims,
                key=self._connection.secrets.resolve(str(settings["private_key"])),
                key_id=str(settings.get("key_id", "")),
            ),
        }
        answer = await self._transport.request(
            "POST",
            url,
            headers={"accept": "application/json", "content-type": "application/x-www-form-urlencoded"},
            content=urlencode(form).encode(),
            timeout=float(settings.get("timeout_seconds", 20)),
            changes_nothing=True,
        )
        if answer.status == 429 or answer.status >= 500:
            raise ConnectorError(
                ErrorKind.RETRYABLE,
                f"Okta gave no access token ({answer.status}); it is asked again.",
                request_id=answer.request_id,
            )
        content = answer.json()
        token = content.get("access_token") if isinstance(content, dict) else None
        if answer.status != 200 or not isinstance(token, str) or not token:
            raise _refused(answer.status, content, answer.request_id, self.scopes)
        lives = content.get("expires_in")
        seconds = lives if isinstance(lives, int) and 0 < lives <= 86400 else 300
        self._token, self._renew_at = token, now + timedelta(seconds=seconds) - RENEW_BEFORE


def _refused(status: int, content: object, request_id: str, scopes: tuple[str, ...]) -> ConnectorError:
    code = str(content.get("error", "")) if isinstance(content, dict) else ""
    ways_out = {
        "invalid_scope": f"Grant the app these scopes: {', '.join(scopes)}.",
        "invalid_client": "Check client_id, and that the app has the public key that goes with private_key.",
        "invalid_dpop_proof": "Switch off 'Require DPoP' in the app's general settings.",
    }
    known = ways_out.get(code, "Check the app's client credentials.")
    return ConnectorError(
        ErrorKind.DENIED,
        f"Okta gives the service app no access token ({status}{': ' + code if code in ways_out else ''}). "
        f"{known}",
        request_id=request_id,
    )
