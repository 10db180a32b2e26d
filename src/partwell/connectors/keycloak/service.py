"""Keycloak's admin REST API over the guarded transport: token, requests, pages, and failures as data."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

import jwt

from partwell.connector_kit.contract import Connection, ConnectorError, ErrorKind
from partwell.connector_kit.pacing import retry_at
from partwell.connector_kit.shapes import Shapes
from partwell.connector_kit.transport import Answer, Transport

_shapes = Shapes("Keycloak")
as_object, as_list, identifier = _shapes.as_object, _shapes.as_list, _shapes.identifier

PAGE_SIZE = 100
MAX_PAGES = 10_000
RENEW_BEFORE = timedelta(seconds=10)
# Without one of each pair, Keycloak leaves out of its lists what may not be seen, and says nothing of it.
NEEDED_TO_SEE = (
    ("view-users", "manage-users"),
    ("view-realm", "manage-realm"),
    ("view-clients", "manage-clients"),
)
NEEDED_TO_CHANGE = "manage-users"
# What Keycloak itself says of something that is not there. A proxy and a wrong realm answer 404 as well.
ABSENT = (
    "User not found",
    "Client not found",
    "Could not find client",
    "Role not found",
    "Group not found",
    "Consent nor offline token not found",
)

_KINDS = {
    400: ErrorKind.INVALID,
    401: ErrorKind.DENIED,
    403: ErrorKind.DENIED,
    404: ErrorKind.NOT_FOUND,
    405: ErrorKind.UNSUPPORTED,
    408: ErrorKind.RETRYABLE,
    409: ErrorKind.CONFLICT,
    429: ErrorKind.THROTTLED,
}


def segment(value: str) -> str:
    """A value as one segment of a path. Raises INVALID for one that would name another path."""
    if value in ("", ".", "..") or len(value) > 300 or not value.isprintable():
        raise ConnectorError(ErrorKind.INVALID, "This is not an identifier that Keycloak gives.")
    return quote(value, safe="")


class KeycloakService:
    """One realm, as the service account of one client sees it."""

    def __init__(self, connection: Connection) -> None:
        settings = connection.settings
        self._connection = connection
        self._transport: Transport = connection.transport
        self._url = str(settings["url"]).rstrip("/")
        self._realm = str(settings["realm"])
        self._login_realm = str(settings.get("login_realm", self._realm))
        self._base = f"{self._url}/admin/realms/{segment(self._realm)}"
        self._options: dict[str, Any] = {
            "ca_file": str(settings.get("ca_file", "")),
            "allow_plain": bool(settings.get("allow_plain", False)),
            "timeout": float(settings.get("timeout_seconds", 20)),
        }
        # The client whose roles are the rights of administrators of this realm.
        is_at_home = self._login_realm == self._realm and self._realm != "master"
        self._management = "realm-management" if is_at_home else f"{self._realm}-realm"
        self._token = ""
        self._renew_at: datetime | None = None

    async def get(self, path: str, params: Mapping[str, str] | None = None) -> Any:
        """What is at `path` below the realm, as JSON."""
        return (await self.call("GET", path, params=params)).json()

    async def find(self, path: str) -> dict[str, Any] | None:
        """One thing, or None when Keycloak itself says that there is none."""
        try:
            return as_object(await self.get(path))
        except ConnectorError as error:
            if error.kind is ErrorKind.NOT_FOUND:
                return None
            raise

    async def pages(
        self, path: str, params: Mapping[str, str] | None = None
    ) -> AsyncIterator[list[dict[str, Any]]]:
        """A list page by page, each thing once, until a page is empty.

        Raises RETRYABLE where a page brings nothing new: a list that turns in circles is not all there is.
        """
        first, seen = 0, set[str]()
        for _ in range(MAX_PAGES):
            asked = {**(params or {}), "first": str(first), "max": str(PAGE_SIZE)}
            page = as_list(await self.get(path, asked))
            if not page:
                return
            new = {identifier(each): each for each in page if identifier(each) not in seen}
            if not new:
                raise ConnectorError(
                    ErrorKind.RETRYABLE, "Keycloak's pages repeat themselves; nothing is concluded from them."
                )
            seen |= set(new)
            # By what came, not by what was asked for: a server that gives less leaves nothing out so.
            first += len(page)
            yield list(new.values())
        raise ConnectorError(ErrorKind.INVALID, f"Keycloak returned more than {MAX_PAGES} pages.")

    async def listed(self, path: str, params: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
        """All pages together."""
        return [each async for page in self.pages(path, params) for each in page]

    async def write(self, method: str, path: str, body: Any = None) -> str:
        """Change something; the request's id. To delete what is gone already is no failure."""
        try:
            return (await self.call(method, path, body=body)).request_id
        except ConnectorError as error:
            if method == "DELETE" and error.kind is ErrorKind.NOT_FOUND:
                return error.request_id
            raise

    async def call(
        self, method: str, path: str, *, params: Mapping[str, str] | None = None, body: Any = None
    ) -> Answer:
        """One request. A token that has run out meanwhile is replaced once."""
        for is_last in (False, True):
            headers = {"authorization": f"Bearer {await self._bearer()}", "accept": "application/json"}
            answer = await self._transport.request(
                method, self._base + path, headers=headers, params=params, json=body, **self._options
            )
            if answer.status != 401 or is_last:
                break
            self._token = ""
        if answer.status not in (200, 201, 204):
            raise self._failure(answer)
        return answer

    async def may_change(self) -> bool:
        """Whether the client's token lets it change users."""
        return NEEDED_TO_CHANGE in _rights(await self._bearer(), self._management)

    # -- the token ----------------------------------------------------------------------------------------

    async def _bearer(self) -> str:
        now = self._connection.now()
        if not self._token or self._renew_at is None or now >= self._renew_at:
            await self._ask(now)
        return self._token

    async def _ask(self, now: datetime) -> None:
        settings = self._connection.settings
        form = {
            "grant_type": "client_credentials",
            "client_id": str(settings["client_id"]),
            "client_secret": self._connection.secrets.resolve(str(settings["client_secret"])),
        }
        answer = await self._transport.request(
            "POST",
            f"{self._url}/realms/{segment(self._login_realm)}/protocol/openid-connect/token",
            headers={"accept": "application/json", "content-type": "application/x-www-form-urlencoded"},
            content=urlencode(form).encode(),
            changes_nothing=True,
            **self._options,
        )
        if answer.status in (400, 401, 403):
            raise ConnectorError(
                ErrorKind.DENIED,
                f"Keycloak gives the client no token ({answer.status}). Check client_id and client_secret, "
                "and that the client has client authentication and service account roles switched on.",
                request_id=answer.request_id,
            )
        if answer.status != 200:
            raise self._failure(answer)
        content = as_object(answer.json())
        token, lives = content.get("access_token"), content.get("expires_in")
        if not isinstance(token, str) or not token:
            raise ConnectorError(
                ErrorKind.RETRYABLE, "What answers for Keycloak's token endpoint gives none."
            )
        rights = _rights(token, self._management)
        if missing := [pair[0] for pair in NEEDED_TO_SEE if not rights & set(pair)]:
            raise ConnectorError(
                ErrorKind.DENIED,
                f"Partwell's service account lacks {', '.join(missing)} of {self._management}: Keycloak "
                "would leave out what it may not see, as if it were not there.",
            )
        seconds = lives if isinstance(lives, int) and 0 < lives <= 86400 else 60
        self._token, self._renew_at = token, now + timedelta(seconds=seconds) - RENEW_BEFORE

    def _failure(self, answer: Answer) -> ConnectorError:
        said = _told(answer)
        kind = _KINDS.get(answer.status, ErrorKind.RETRYABLE if answer.status >= 500 else ErrorKind.INVALID)
        message, again = f"Keycloak answered {answer.status}" + (f": {said}." if said else "."), None
        if kind is ErrorKind.NOT_FOUND and said not in ABSENT:
            kind = ErrorKind.RETRYABLE
            message += " This is not about a user: check url and realm. Nothing is concluded from it."
        elif 300 <= answer.status < 400:
            message += " The address redirects elsewhere and is not followed: enter Keycloak's own."
        elif kind is ErrorKind.DENIED:
            message += (
                " Partwell's service account needs the roles view-users, query-users, manage-users, "
                "view-realm and view-clients of realm-management."
            )
        elif kind is ErrorKind.THROTTLED:
            again = retry_at(answer.headers.get("retry-after", ""), now=self._connection.now())
        return ConnectorError(kind, message, retry_at=again, request_id=answer.request_id)


def _rights(token: str, client: str) -> set[str]:
    """The roles of a client that an access token of our own carries. It came from Keycloak just now, and
    Keycloak decides by it; so nothing is verified here. Empty for a token that tells none."""
    try:
        claims = jwt.decode(token, options={"verify_signature": False})
        return set(claims["resource_access"][client]["roles"])
    except (jwt.PyJWTError, KeyError, TypeError):
        return set()


def _told(answer: Answer) -> str:
    try:
        content = answer.json()
    except ConnectorError:
        return ""
    said = (content.get("errorMessage") or content.get("error")) if isinstance(content, dict) else ""
    return " ".join(str(said or "").split())[:200]
