"""GitHub's REST API over the guarded transport: requests, pages, and failures as data."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

from partwell.connector_kit.contract import Connection, ConnectorError, ErrorKind
from partwell.connector_kit.pacing import next_link, resets_at, retry_at
from partwell.connector_kit.shapes import Shapes
from partwell.connector_kit.transport import Answer, Transport
from partwell.connectors.github.credentials import HEADERS, GithubCredentials, base_address

_shapes = Shapes("GitHub")
as_object, as_list = _shapes.as_object, _shapes.as_list

PAGE_SIZE = 100
MAX_PAGES = 2000
AT_ONCE = 8

_KINDS = {
    400: ErrorKind.INVALID,
    401: ErrorKind.DENIED,
    403: ErrorKind.DENIED,
    404: ErrorKind.NOT_FOUND,
    408: ErrorKind.RETRYABLE,
    409: ErrorKind.CONFLICT,
    410: ErrorKind.UNSUPPORTED,
    422: ErrorKind.INVALID,
    429: ErrorKind.THROTTLED,
}


def segment(value: str) -> str:
    """A value as one segment of a path. Raises INVALID for one that would name another path."""
    if value in ("", ".", "..") or len(value) > 200 or "/" in value or not value.isprintable():
        raise ConnectorError(ErrorKind.INVALID, "This is not a name that GitHub gives.")
    return quote(value, safe="")


class GithubService:
    """GitHub, as one token sees it."""

    def __init__(self, connection: Connection, credentials: GithubCredentials) -> None:
        self._connection = connection
        self._transport: Transport = connection.transport
        self._base = base_address(connection)
        self._timeout = float(connection.settings.get("timeout_seconds", 20))
        self.credentials = credentials

    async def get(self, path: str, *, params: Mapping[str, str] | None = None) -> Any:
        """What is at `path`, as JSON. GitHub hides with a 404 what a token may not see."""
        return (await self.call("GET", path, params=params)).json()

    async def find(self, path: str) -> dict[str, Any] | None:
        """One thing, or None for a 404. Whoever draws a conclusion from None has to look whether this token
        sees such things at all."""
        try:
            return as_object(await self.get(path))
        except ConnectorError as error:
            if error.kind is ErrorKind.NOT_FOUND:
                return None
            raise

    async def pages(
        self, path: str, *, params: Mapping[str, str] | None = None, within: str = ""
    ) -> AsyncIterator[list[dict[str, Any]]]:
        """A list page by page, by number: GitHub's own addresses of pages lead by other paths.

        `within` names the list in an object that holds it. Raises RETRYABLE where pages repeat themselves,
        and DENIED for a 404: a list that is hidden is not an empty one.
        """
        seen: set[str] = set()
        for number in range(1, MAX_PAGES + 1):
            asked = {**(params or {}), "per_page": str(PAGE_SIZE), "page": str(number)}
            answer = await self._asked_for_a_list(path, asked)
            content = answer.json()
            page = as_list(content.get(within) if within and isinstance(content, dict) else content)
            if page and repr(page) in seen:
                raise ConnectorError(
                    ErrorKind.RETRYABLE, "GitHub's pages repeat themselves; nothing is concluded from them."
                )
            yield page
            seen.add(repr(page))
            link = answer.headers.get("link", "")
            # Some lists come without addresses: there, a full page may have another after it.
            if not (next_link(link) if link else len(page) >= PAGE_SIZE):
                return
        raise ConnectorError(ErrorKind.INVALID, f"GitHub returned more than {MAX_PAGES} pages.")

    async def listed(
        self, path: str, *, params: Mapping[str, str] | None = None, within: str = ""
    ) -> list[dict[str, Any]]:
        """All pages together."""
        return [each async for page in self.pages(path, params=params, within=within) for each in page]

    async def delete(self, path: str) -> str:
        """Delete what is at `path`; the request's id. What is gone already is no failure."""
        try:
            return (await self.call("DELETE", path)).request_id
        except ConnectorError as error:
            if error.kind is ErrorKind.NOT_FOUND:
                return error.request_id
            raise

    async def call(
        self, method: str, path: str, *, params: Mapping[str, str] | None = None, body: Any = None
    ) -> Answer:
        """One request. An installation's token that has run out meanwhile is replaced once."""
        for is_last in (False, True):
            answer = await self._transport.request(
                method,
                self._base + path,
                headers={**HEADERS, "authorization": await self.credentials.header()},
                params=params,
                json=body,
                timeout=self._timeout,
                limit="default" if method == "GET" else "writes",
            )
            if answer.status != 401 or is_last or not self.credentials.forget():
                break
        if answer.status not in (200, 201, 202, 204):
            raise self._failure(answer)
        return answer

    async def _asked_for_a_list(self, path: str, params: Mapping[str, str]) -> Answer:
        try:
            return await self.call("GET", path, params=params)
        except ConnectorError as error:
            if error.kind is not ErrorKind.NOT_FOUND:
                raise
            what = path.rpartition("/")[2]
            raise ConnectorError(
                ErrorKind.DENIED,
                f"GitHub hides {what} from this token (404): it lacks the permission, the organisation has "
                "no such thing, or its name is wrong.",
                request_id=error.request_id,
            ) from None

    def _failure(self, answer: Answer) -> ConnectorError:
        kind = _KINDS.get(answer.status, ErrorKind.RETRYABLE if answer.status >= 500 else ErrorKind.INVALID)
        told = _told(answer)
        again = self._again_at(answer, told)
        if again is not None:
            kind = ErrorKind.THROTTLED
        message = f"GitHub answered {answer.status}" + (f": {told}." if told else ".")
        if kind is ErrorKind.NOT_FOUND and not told and "x-github-request-id" not in answer.headers:
            kind, message = ErrorKind.RETRYABLE, "No GitHub answers at this address; nothing is concluded."
        if 300 <= answer.status < 400:
            message = (
                f"GitHub redirects elsewhere ({answer.status}) and is not followed: the organisation or the "
                "person may have a new name."
            )
        if answer.status == 401:
            message += " The token is not valid, or no longer."
        elif kind is ErrorKind.DENIED:
            message += _lacking(answer)
        return ConnectorError(kind, message, retry_at=again, request_id=answer.request_id)

    def _again_at(self, answer: Answer, told: str) -> datetime | None:
        """When a refusal for too many requests ends; None for any other answer. GitHub says both with 403."""
        if answer.status not in (403, 429):
            return None
        headers, now = answer.headers, self._connection.now()
        if "retry-after" in headers:
            return retry_at(headers["retry-after"], now=now)
        if headers.get("x-ratelimit-remaining") == "0":
            return resets_at(headers.get("x-ratelimit-reset", ""), date=headers.get("date", ""), now=now)
        if answer.status == 429 or "rate limit" in told.lower():
            return retry_at("", now=now)
        return None


def number_of(thing: Any) -> int:
    """Its id. Raises RETRYABLE for something without one: nothing can be concluded about it."""
    found = thing.get("id") if isinstance(thing, Mapping) else None
    if not isinstance(found, int) or isinstance(found, bool):
        raise ConnectorError(ErrorKind.RETRYABLE, "GitHub listed something without an identifier.")
    return found


def login_of(thing: Any) -> str:
    """Its login. Raises RETRYABLE for somebody without one."""
    found = thing.get("login") if isinstance(thing, Mapping) else None
    if not isinstance(found, str) or not found:
        raise ConnectorError(ErrorKind.RETRYABLE, "GitHub listed somebody without a login.")
    return found


def _told(answer: Answer) -> str:
    """What GitHub says of a failure, where it says it as GitHub does; never a page of HTML."""
    try:
        content = answer.json()
    except ConnectorError:
        return ""
    if not isinstance(content, dict):
        return ""
    text = content.get("message") or content.get("detail") or ""
    return " ".join(str(text).split())[:200].rstrip(".")


def _lacking(answer: Answer) -> str:
    """What the token lacks, as GitHub's headers say it."""
    if "x-github-sso" in answer.headers:
        return " The token is not authorised for the organisation's single sign-on: authorise it in GitHub."
    for name, what in (("x-accepted-github-permissions", "permission"), ("x-accepted-oauth-scopes", "scope")):
        if wanted := " ".join(answer.headers.get(name, "").split())[:120]:
            return f" It needs the {what} {wanted}."
    return " The token is not allowed to do this; it has to be an owner's, or an app's with the permissions."
