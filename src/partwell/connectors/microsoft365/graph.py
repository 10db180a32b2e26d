"""Microsoft Graph v1.0 over the guarded transport: requests, pages, and failures as data."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlsplit

from partwell.connector_kit.contract import Connection, ConnectorError, ErrorKind
from partwell.connector_kit.transport import Answer, Transport
from partwell.connectors.microsoft365.sign_in import AppSignIn
from partwell.connectors.scim.service import retry_at

MAX_PAGES = 2000
NOT_PREMIUM = "Authentication_RequestFromNonPremiumTenantOrB2CTenant"
# Only Graph itself says "there is none" in these words; any other 404 proves nothing.
_GONE = frozenset(
    {
        "Request_ResourceNotFound",
        "ResourceNotFound",
        "NotFound",
        "itemNotFound",
        "ErrorItemNotFound",
        "MailboxNotEnabledForRESTAPI",
    }
)
_KINDS = {
    400: ErrorKind.INVALID,
    401: ErrorKind.DENIED,
    403: ErrorKind.DENIED,
    408: ErrorKind.RETRYABLE,
    409: ErrorKind.CONFLICT,
    412: ErrorKind.CONFLICT,
    423: ErrorKind.CONFLICT,
    425: ErrorKind.RETRYABLE,
    429: ErrorKind.THROTTLED,
    501: ErrorKind.UNSUPPORTED,
}


def text(value: str) -> str:
    """A text for `$filter`: quotes are doubled."""
    return "'" + value.replace("'", "''") + "'"


def segment(identifier: str) -> str:
    """An identifier as one path segment. Raises INVALID for one that would name another path."""
    if identifier in ("", ".", "..") or len(identifier) > 500:
        raise ConnectorError(ErrorKind.INVALID, "This is not an identifier that Microsoft Graph gives.")
    return quote(identifier, safe="@")


def moment(value: object) -> datetime | None:
    """A point in time as Graph writes it; None for everything else."""
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return found if found.tzinfo and found.year > 1 else None


class Graph:
    """One tenant's Graph. `needs` names the permission that a refused request wants."""

    def __init__(self, connection: Connection) -> None:
        settings = connection.settings
        self._connection = connection
        self._transport: Transport = connection.transport
        self._sign_in = AppSignIn(connection)
        self.root = str(settings.get("graph_url", "https://graph.microsoft.com")).rstrip("/") + "/v1.0"
        self._timeout = float(settings.get("timeout_seconds", 20))

    async def get(
        self, path: str, *, needs: str, params: Mapping[str, str] | None = None, limit: str = "default"
    ) -> dict[str, Any] | None:
        """One thing, or None when Graph says that there is none."""
        try:
            answer = await self.call("GET", path, needs=needs, params=params, limit=limit)
        except ConnectorError as error:
            if error.kind is ErrorKind.NOT_FOUND:
                return None
            raise
        return _object(answer)

    async def pages(
        self,
        path: str,
        *,
        needs: str,
        params: Mapping[str, str] | None = None,
        eventual: bool = False,
        limit: str = "default",
    ) -> AsyncIterator[list[dict[str, Any]]]:
        """A list page by page. `eventual` asks the index that can filter by more, and may lag behind.

        Raises where a page is broken: what breaks off is never "all there are".
        """
        url, seen = self.root + path, set[str]()
        for _ in range(MAX_PAGES):
            answer = await self.call(
                "GET", url, needs=needs, params=params if not seen else None, eventual=eventual, limit=limit
            )
            content = _object(answer)
            found = content.get("value")
            if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
                raise ConnectorError(
                    ErrorKind.RETRYABLE, "The answer is JSON, but not a list as Graph gives it."
                )
            yield found
            following = content.get("@odata.nextLink")
            if following is None:
                return
            self._check_link(following)
            if following in seen:
                raise ConnectorError(
                    ErrorKind.RETRYABLE, "Graph's pages lead back to one that was read before."
                )
            seen.add(following)
            url = following
        raise ConnectorError(ErrorKind.INVALID, f"Graph returned more than {MAX_PAGES} pages.")

    async def all(
        self,
        path: str,
        *,
        needs: str,
        params: Mapping[str, str] | None = None,
        eventual: bool = False,
        limit: str = "default",
    ) -> list[dict[str, Any]]:
        """A whole list; empty when what it belongs to is gone."""
        found: list[dict[str, Any]] = []
        try:
            pages = self.pages(path, needs=needs, params=params, eventual=eventual, limit=limit)
            async for page in pages:
                found += page
        except ConnectorError as error:
            if error.kind is ErrorKind.NOT_FOUND and not found:
                return []
            raise
        return found

    async def call(
        self,
        method: str,
        path: str,
        *,
        needs: str,
        params: Mapping[str, str] | None = None,
        body: Any = None,
        eventual: bool = False,
        limit: str = "default",
    ) -> Answer:
        """One request, signed in anew once when the token is refused. Raises for all but 200 to 204."""
        url = path if path.startswith("https://") else self.root + path
        for anew in (False, True):
            token = await self._sign_in.token(anew=anew)
            headers = {"authorization": f"Bearer {token}", "accept": "application/json"}
            if eventual:
                headers["consistencylevel"] = "eventual"
            answer = await self._transport.request(
                method, url, headers=headers, params=params, json=body, timeout=self._timeout, limit=limit
            )
            if answer.status != 401:
                break
        self._check(answer, needs)
        return answer

    def _check_link(self, link: object) -> None:
        ours, theirs = urlsplit(self.root), urlsplit(str(link))
        is_ours = (theirs.scheme, theirs.netloc) == (ours.scheme, ours.netloc)
        if not is_ours or not theirs.path.startswith(ours.path + "/"):
            raise ConnectorError(
                ErrorKind.INVALID,
                "The next page is said to be at another address than Graph's; it is not followed, as our "
                "token would go there.",
            )

    def _check(self, answer: Answer, needs: str) -> None:
        status = answer.status
        if status in (200, 201, 202, 204):
            return
        code, said = _error(answer)
        kind = _KINDS.get(status, ErrorKind.RETRYABLE if status >= 500 else ErrorKind.INVALID)
        if status == 404:
            kind = ErrorKind.NOT_FOUND if code in _GONE else ErrorKind.RETRYABLE
        if status == 503 and "retry-after" in answer.headers:
            kind = ErrorKind.THROTTLED
        if code == NOT_PREMIUM:
            kind = ErrorKind.UNSUPPORTED
        detail = ": ".join(part for part in (code, said) if part)
        message = f"Microsoft Graph answered {status}" + (f" ({detail})" if detail else "") + "."
        if 300 <= status < 400:
            message = f"Microsoft Graph redirects elsewhere ({status}) and is not followed."
        if status == 401:
            message += " Signing in anew did not help: see whether the app registration is still allowed in."
        elif kind is ErrorKind.DENIED:
            message += f" The app registration needs {needs}, with an administrator's consent."
        raise ConnectorError(
            kind,
            message,
            retry_at=(
                retry_at(answer.headers.get("retry-after", ""), now=self._connection.now())
                if kind is ErrorKind.THROTTLED
                else None
            ),
            request_id=answer.request_id,
        )


def _object(answer: Answer) -> dict[str, Any]:
    content = answer.json()
    if not isinstance(content, dict):
        raise ConnectorError(ErrorKind.RETRYABLE, "The answer is JSON, but not an object as Graph gives it.")
    return content


def _error(answer: Answer) -> tuple[str, str]:
    """Code and message of Graph's error, where it is one; never a page of HTML."""
    try:
        content = answer.json()
    except ConnectorError:
        return "", ""
    error = content.get("error") if isinstance(content, dict) else None
    if not isinstance(error, dict):
        return "", ""
    said = " ".join(str(error.get("message") or "").split())
    return str(error.get("code") or "")[:100], said[:200].rstrip(".")
