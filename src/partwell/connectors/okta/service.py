"""Okta's management API over the guarded transport: requests, pages, and failures as data."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from partwell.connector_kit.contract import Connection, ConnectorError, ErrorKind
from partwell.connector_kit.pacing import next_link, resets_at, retry_at
from partwell.connector_kit.shapes import Shapes
from partwell.connector_kit.transport import Answer, Transport
from partwell.connectors.okta.credentials import OktaCredentials

_shapes = Shapes("Okta")
as_object, as_list, identifier = _shapes.as_object, _shapes.as_list, _shapes.identifier

PAGE_SIZE = 200
MAX_PAGES = 5000
NOT_FOUND_CODE = "E0000007"

_KINDS = {
    400: ErrorKind.INVALID,
    401: ErrorKind.DENIED,
    403: ErrorKind.DENIED,
    404: ErrorKind.NOT_FOUND,
    405: ErrorKind.UNSUPPORTED,
    408: ErrorKind.RETRYABLE,
    409: ErrorKind.CONFLICT,
    429: ErrorKind.THROTTLED,
    501: ErrorKind.UNSUPPORTED,
}


def quoted(value: str) -> str:
    """A value in a filter or a search, quotes and backslashes escaped. It has no control characters in it."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def segment(value: str) -> str:
    """A value as one segment of a path. Raises INVALID for one that would name another path."""
    if value in ("", ".", "..") or len(value) > 300 or "/" in value or not value.isprintable():
        raise ConnectorError(ErrorKind.INVALID, "This is not an identifier that Okta gives.")
    return quote(value, safe="")


class OktaService:
    """One Okta organisation."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._transport: Transport = connection.transport
        self._base = str(connection.settings["url"]).rstrip("/")
        self._timeout = float(connection.settings.get("timeout_seconds", 20))
        self.credentials = OktaCredentials(connection)

    async def get(self, path: str, *, about: str, params: Mapping[str, str] | None = None) -> Any:
        """What is at `path`, as JSON."""
        return (await self.call("GET", path, about=about, params=params)).json()

    async def find(self, path: str, *, about: str) -> dict[str, Any] | None:
        """One thing, or None when Okta itself says that there is none.

        A wrong address answers 404 as well, but not with Okta's code; nothing is concluded from that.
        """
        try:
            found = await self.get(path, about=about)
        except ConnectorError as error:
            if error.kind is ErrorKind.NOT_FOUND:
                return None
            raise
        return as_object(found)

    async def pages(
        self, path: str, *, about: str, params: Mapping[str, str] | None = None, limit: str = "default"
    ) -> AsyncIterator[list[dict[str, Any]]]:
        """A list page by page, by the address that Okta gives for the next one.

        Raises RETRYABLE where pages break off, repeat themselves or lead elsewhere: a list that is cut short
        must not look like all there is.
        """
        address, seen = self._base + path, set[str]()
        asked: Mapping[str, str] | None = params
        for _ in range(MAX_PAGES):
            answer = await self.call("GET", address, about=about, params=asked, limit=limit)
            page = as_list(answer.json())
            yield page
            link = answer.headers.get("link", "")
            following = next_link(link)
            if not following:
                if not link and params and len(page) >= int(params.get("limit", len(page) + 1)):
                    raise ConnectorError(
                        ErrorKind.RETRYABLE, "Okta's answer lost the address of its next page on the way."
                    )
                return
            if following in seen or not self._is_ours(following, address):
                raise ConnectorError(
                    ErrorKind.RETRYABLE,
                    "Okta's pages repeat themselves or lead elsewhere; nothing is concluded.",
                )
            seen.add(following)
            address, asked = following, None
        raise ConnectorError(ErrorKind.INVALID, f"Okta returned more than {MAX_PAGES} pages.")

    async def listed(
        self, path: str, *, about: str, params: Mapping[str, str] | None = None, limit: str = "default"
    ) -> list[dict[str, Any]]:
        """All pages together."""
        return [
            each async for page in self.pages(path, about=about, params=params, limit=limit) for each in page
        ]

    async def listed_once(self, path: str, *, about: str, params: Mapping[str, str]) -> list[dict[str, Any]]:
        """One page alone: a log has a next one for as long as it is written."""
        return as_list(await self.get(path, about=about, params=params))

    async def delete(self, path: str, *, about: str) -> str:
        """Delete what is at `path`; the request's id. What is gone already is no failure."""
        try:
            return (await self.call("DELETE", path, about=about)).request_id
        except ConnectorError as error:
            if error.kind is ErrorKind.NOT_FOUND:
                return error.request_id
            raise

    async def call(
        self,
        method: str,
        path: str,
        *,
        about: str,
        params: Mapping[str, str] | None = None,
        body: Any = None,
        limit: str = "default",
    ) -> Answer:
        """One request. `about` is the kind of thing by which Okta names the scope that it needs. An access
        token that has run out meanwhile is replaced once."""
        url = path if path.startswith("https://") else self._base + path
        for is_last in (False, True):
            headers = {"authorization": await self.credentials.header(), "accept": "application/json"}
            answer = await self._transport.request(
                method, url, headers=headers, params=params, json=body, timeout=self._timeout, limit=limit
            )
            if answer.status != 401 or is_last or not self.credentials.forget():
                break
        if answer.status not in (200, 201, 204):
            raise self._failure(answer, f"okta.{about}.{'read' if method == 'GET' else 'manage'}")
        return answer

    def _is_ours(self, following: str, asked: str) -> bool:
        # The token goes with every request: a page on another host would be given it.
        there, here = urlsplit(following), urlsplit(asked)
        return (there.scheme, there.netloc.lower(), there.path) == (
            here.scheme,
            here.netloc.lower(),
            here.path,
        )

    def _failure(self, answer: Answer, scope: str) -> ConnectorError:
        code, summary = _told(answer)
        kind = _KINDS.get(answer.status, ErrorKind.RETRYABLE if answer.status >= 500 else ErrorKind.INVALID)
        message = f"Okta answered {answer.status}" + (f" {code}" if code else "")
        message += f": {summary}." if summary else "."
        again = None
        if kind is ErrorKind.NOT_FOUND and code != NOT_FOUND_CODE:
            kind, message = (
                ErrorKind.RETRYABLE,
                "No Okta answers at this address; nothing is concluded from it.",
            )
        if 300 <= answer.status < 400:
            message = (
                f"The address redirects elsewhere ({answer.status}) and is not followed: enter Okta's own."
            )
        if answer.status == 401:
            message += " The token is not valid, or no longer."
        elif kind is ErrorKind.DENIED:
            who = "app" if self.credentials.is_service_app else "user of the API token"
            message += f" It needs the scope {scope}, and the {who} an administrator role that covers this."
        elif kind is ErrorKind.THROTTLED:
            again = self._again_at(answer)
        return ConnectorError(kind, message, retry_at=again, request_id=answer.request_id)

    def _again_at(self, answer: Answer) -> Any:
        now = self._connection.now()
        if "x-rate-limit-reset" in answer.headers:
            date = answer.headers.get("date", "")
            return resets_at(answer.headers["x-rate-limit-reset"], date=date, now=now)
        return retry_at(answer.headers.get("retry-after", ""), now=now)


def _told(answer: Answer) -> tuple[str, str]:
    """Okta's code and summary of a failure, where it says one as Okta does; never a page of HTML."""
    try:
        content = answer.json()
    except ConnectorError:
        return "", ""
    if not isinstance(content, dict) or not str(content.get("errorCode", "")).startswith("E0"):
        return "", ""
    causes = content.get("errorCauses")
    parts = [content.get("errorSummary")]
    if isinstance(causes, list):
        parts += [cause.get("errorSummary") for cause in causes if isinstance(cause, dict)]
    text = "; ".join(" ".join(str(part).split()) for part in parts if part)
    return str(content["errorCode"])[:12], text[:200].rstrip(".")
