"""Synapse over the guarded transport: requests as its administrator, and failures as data.

Synapse publishes no machine-readable contract of its admin API; what is asked here was tried on the server.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import Any
from urllib.parse import quote

from partwell.connector_kit.contract import Connection, ConnectorError, ErrorKind
from partwell.connector_kit.pacing import retry_at
from partwell.connector_kit.shapes import Shapes
from partwell.connector_kit.transport import Answer, Transport

ADMIN = "/_synapse/admin"
CLIENT = "/_matrix/client/v3"
LOCKED, SUSPENDED, NOT_FOUND = "M_USER_LOCKED", "M_USER_SUSPENDED", "M_NOT_FOUND"

shapes = Shapes("Synapse")

_KINDS = {
    401: ErrorKind.DENIED,
    403: ErrorKind.DENIED,
    404: ErrorKind.NOT_FOUND,
    408: ErrorKind.RETRYABLE,
    409: ErrorKind.CONFLICT,
    429: ErrorKind.THROTTLED,
}


class MatrixService:
    """The homeserver behind one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        settings = connection.settings
        self._transport: Transport = connection.transport
        self._base = str(settings["url"]).rstrip("/")
        self._ca_file = str(settings.get("ca_file", ""))
        self._allow_plain = bool(settings.get("allow_plain", False))
        self._timeout = float(settings.get("timeout_seconds", 20))

    async def get(self, path: str, params: Mapping[str, str] | None = None) -> dict[str, Any]:
        """The object at `path`."""
        return shapes.as_object((await self.call("GET", path, params=params)).json())

    async def find(self, path: str) -> dict[str, Any] | None:
        """As `get`; None where Synapse itself says that there is no such thing."""
        try:
            return await self.get(path)
        except ConnectorError as error:
            if error.kind is ErrorKind.NOT_FOUND:
                return None
            raise

    async def listed(self, path: str, name: str) -> list[dict[str, Any]]:
        """The list called `name` at `path`, which comes whole; nothing for a user who is not there."""
        found = await self.find(path)
        if found is None:
            return []
        things = shapes.as_list(found.get(name))
        check_complete(found, len(things))
        return things

    async def call(
        self, method: str, path: str, *, params: Mapping[str, str] | None = None, body: Any = None
    ) -> Answer:
        """One request as the administrator. Raises for every status but 200 and 201."""
        token = self._connection.secrets.resolve(str(self._connection.settings["token"]))
        answer = await self._request(method, path, token=token, params=params, body=body)
        if answer.status not in (200, 201):
            raise self._failure(answer)
        return answer

    async def call_as(self, token: str, method: str, path: str) -> tuple[int, str]:
        """One request with another token than the administrator's: its status, and Synapse's code where it
        refused. Raises where Synapse did not decide: too many requests, or a failure of its own."""
        answer = await self._request(method, path, token=token)
        code, _ = _told(answer)
        if answer.status != 200 and (answer.status == 429 or answer.status >= 500 or not code):
            raise self._failure(answer)
        return answer.status, code

    async def _request(
        self,
        method: str,
        path: str,
        *,
        token: str,
        params: Mapping[str, str] | None = None,
        body: Any = None,
    ) -> Answer:
        return await self._transport.request(
            method,
            self._base + path,
            headers={"authorization": f"Bearer {token}", "accept": "application/json"},
            params=params,
            json={} if body is None and method == "POST" else body,
            ca_file=self._ca_file,
            allow_plain=self._allow_plain,
            timeout=self._timeout,
        )

    def _failure(self, answer: Answer) -> ConnectorError:
        code, said = _told(answer)
        kind = _KINDS.get(answer.status, ErrorKind.RETRYABLE if answer.status >= 500 else ErrorKind.INVALID)
        message = " ".join(filter(None, (f"Synapse answered {answer.status}", code))) + (
            f": {said}." if said else "."
        )
        again = None
        if kind is ErrorKind.NOT_FOUND and code != NOT_FOUND:
            # A proxy that passes only /_matrix answers so for everybody; so does an older Synapse.
            kind = ErrorKind.RETRYABLE
            message = "Synapse's admin API does not answer at this address; nothing is concluded from that."
        elif 300 <= answer.status < 400:
            message = (
                f"The address redirects elsewhere ({answer.status}) and is not followed: enter the last."
            )
        elif code == SUSPENDED:
            kind = ErrorKind.CONFLICT
        elif answer.status == 401:
            message += " The token is not valid, or no longer."
        elif kind is ErrorKind.DENIED:
            message += " The token's user has to be a server administrator."
        elif kind is ErrorKind.THROTTLED:
            again = retry_at(_pause(answer), now=self._connection.now())
        return ConnectorError(kind, message, retry_at=again, request_id=answer.request_id)


def segment(text: str) -> str:
    """`text` as one segment of a path. Raises INVALID for what would name another path."""
    if text in ("", ".", "..") or len(text) > 255:
        raise ConnectorError(ErrorKind.INVALID, "This is not an identifier that Matrix gives.")
    try:
        return quote(text, safe="")
    except UnicodeEncodeError:
        raise ConnectorError(ErrorKind.INVALID, "This is not an identifier that Matrix gives.") from None


def check_complete(answer: Mapping[str, Any], count: int) -> None:
    """Raises RETRYABLE where Synapse counts more than it listed."""
    total = answer.get("total", count)
    if total != count:
        raise ConnectorError(ErrorKind.RETRYABLE, f"Synapse counts {total}, but listed {count}.")


def _told(answer: Answer) -> tuple[str, str]:
    """Synapse's code and words for a failure; never a page of HTML."""
    content = _content(answer)
    code = content.get("errcode")
    if not isinstance(code, str) or not code.startswith(("M_", "ORG.MATRIX")):
        return "", ""
    return code[:60], " ".join(str(content.get("error") or "").split())[:200].rstrip(".")


def _pause(answer: Answer) -> str:
    """Whole seconds to wait: the header's, or what the body says in milliseconds."""
    milliseconds = _content(answer).get("retry_after_ms")
    if isinstance(milliseconds, int) and not isinstance(milliseconds, bool) and milliseconds >= 0:
        return str(ceil(milliseconds / 1000))
    return answer.headers.get("retry-after", "")


def _content(answer: Answer) -> Mapping[str, Any]:
    try:
        content = answer.json()
    except ConnectorError:
        return {}
    return content if isinstance(content, dict) else {}
