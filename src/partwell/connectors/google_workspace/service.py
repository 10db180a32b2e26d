"""Google's APIs over the guarded transport: requests, pages, and failures as data."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from partwell.connector_kit.contract import Connection, ConnectorError, ErrorKind
from partwell.connector_kit.pacing import retry_at
from partwell.connector_kit.shapes import Shapes
from partwell.connector_kit.transport import Answer, Transport
from partwell.connectors.google_workspace.sign_in import SCOPE_ROOT, ServiceAccount

_shapes = Shapes("Google")
as_object, as_list, identifier = _shapes.as_object, _shapes.as_list, _shapes.identifier

DIRECTORY = "https://admin.googleapis.com/admin/directory/v1"
TRANSFERS = "https://admin.googleapis.com/admin/datatransfer/v1"
REPORTS = "https://admin.googleapis.com/admin/reports/v1"
GMAIL = "https://gmail.googleapis.com/gmail/v1"
LICENSING = "https://licensing.googleapis.com/apps/licensing/v1"
MAX_PAGES = 5000

# A 403 with one of these is "slow down", and no missing right.
_TOO_OFTEN = frozenset(
    {
        "rateLimitExceeded",
        "userRateLimitExceeded",
        "quotaExceeded",
        "dailyLimitExceeded",
        "concurrentLimitExceeded",
    }
)
# Gmail says so of a user who is suspended, or has no mailbox.
NOT_IN_THIS_STATE = "failedPrecondition"
_SWITCHED_OFF = frozenset({"accessNotConfigured", "SERVICE_DISABLED"})
_KINDS = {
    400: ErrorKind.INVALID,
    401: ErrorKind.DENIED,
    403: ErrorKind.DENIED,
    404: ErrorKind.NOT_FOUND,
    408: ErrorKind.RETRYABLE,
    409: ErrorKind.CONFLICT,
    412: ErrorKind.CONFLICT,
    429: ErrorKind.THROTTLED,
    501: ErrorKind.UNSUPPORTED,
}


def segment(value: str) -> str:
    """A value as one segment of a path. Raises INVALID for one that would name another path."""
    if value in ("", ".", "..") or len(value) > 320 or "/" in value or not value.isprintable():
        raise ConnectorError(ErrorKind.INVALID, "This is not an identifier that Google gives.")
    return quote(value, safe="@")


def moment(text: object) -> datetime | None:
    """A point in time as Google writes it. None for none: Google writes 1970 where something never was."""
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found if found.tzinfo and found.year > 1970 else None


def in_milliseconds(text: object) -> datetime | None:
    """The same, written as milliseconds since 1970."""
    digits = str(text)
    if not digits.isdecimal() or len(digits) > 14 or int(digits) == 0:
        return None
    return datetime.fromtimestamp(int(digits) / 1000, UTC)


class Google:
    """Google's APIs for one customer, asked for the administrator unless another `subject` is named."""

    def __init__(self, connection: Connection) -> None:
        settings = connection.settings
        self._connection = connection
        self._transport: Transport = connection.transport
        self._timeout = float(settings.get("timeout_seconds", 20))
        self.admin = str(settings["admin"])
        self.customer = str(settings.get("customer", "my_customer"))
        self.account = ServiceAccount(connection)

    async def find(
        self,
        url: str,
        *,
        scope: str,
        params: Mapping[str, str] | None = None,
        subject: str = "",
        limit: str = "default",
    ) -> dict[str, Any] | None:
        """One thing, or None when Google itself says that there is none."""
        try:
            answer = await self.call("GET", url, scope=scope, params=params, subject=subject, limit=limit)
        except ConnectorError as error:
            if error.kind is ErrorKind.NOT_FOUND:
                return None
            raise
        return as_object(answer.json())

    async def pages(
        self,
        url: str,
        name: str,
        *,
        scope: str,
        params: Mapping[str, str] | None = None,
        limit: str = "default",
    ) -> AsyncIterator[list[dict[str, Any]]]:
        """A list page by page; `name` is what Google calls it. An empty list is left out by Google.

        Raises where a page is broken or pages repeat: what breaks off is never "all there are".
        """
        token, seen = "", set[str]()
        for _ in range(MAX_PAGES):
            asked = {**(params or {}), **({"pageToken": token} if token else {})}
            answer = await self.call("GET", url, scope=scope, params=asked, limit=limit)
            content = as_object(answer.json())
            if name not in content and "#" not in str(content.get("kind", "")):
                raise ConnectorError(ErrorKind.RETRYABLE, "The answer is JSON, but not a list of Google's.")
            yield as_list(content.get(name, []))
            token = content.get("nextPageToken", "")
            if not isinstance(token, str):
                raise ConnectorError(ErrorKind.RETRYABLE, "Google's next page has no token that can be used.")
            if not token:
                return
            if token in seen:
                raise ConnectorError(
                    ErrorKind.RETRYABLE, "Google's pages lead back to one that was read before."
                )
            seen.add(token)
        raise ConnectorError(ErrorKind.INVALID, f"Google returned more than {MAX_PAGES} pages.")

    async def all(
        self,
        url: str,
        name: str,
        *,
        scope: str,
        params: Mapping[str, str] | None = None,
        limit: str = "default",
    ) -> list[dict[str, Any]]:
        """All pages together. Raises NOT_FOUND when what they belong to is gone."""
        pages = self.pages(url, name, scope=scope, params=params, limit=limit)
        return [each async for page in pages for each in page]

    async def delete(self, url: str, *, scope: str, subject: str = "", limit: str = "default") -> str:
        """Delete what is there; the request's id. What is gone already is no failure."""
        try:
            answer = await self.call("DELETE", url, scope=scope, subject=subject, limit=limit)
        except ConnectorError as error:
            if error.kind is ErrorKind.NOT_FOUND:
                return error.request_id
            raise
        return answer.request_id

    async def call(
        self,
        method: str,
        url: str,
        *,
        scope: str,
        params: Mapping[str, str] | None = None,
        body: Any = None,
        subject: str = "",
        limit: str = "default",
    ) -> Answer:
        """One request, signed in anew once when the token is refused. Raises for all but 200 and 204."""
        who = subject or self.admin
        for anew in (False, True):
            token = await self.account.token(who, scope, anew=anew)
            headers = {"authorization": f"Bearer {token}", "accept": "application/json"}
            answer = await self._transport.request(
                method, url, headers=headers, params=params, json=body, timeout=self._timeout, limit=limit
            )
            if answer.status != 401:
                break
        if answer.status not in (200, 204):
            raise self._failure(answer, scope, who)
        return answer

    def _failure(self, answer: Answer, scope: str, who: str) -> ConnectorError:
        status = answer.status
        reason, said = _told(answer)
        kind = _KINDS.get(status, ErrorKind.RETRYABLE if status >= 500 else ErrorKind.INVALID)
        if reason in _TOO_OFTEN:
            kind = ErrorKind.THROTTLED
        elif reason == NOT_IN_THIS_STATE:
            kind = ErrorKind.CONFLICT
        detail = ": ".join(part for part in (reason, said) if part)
        message = f"Google answered {status}" + (f" ({detail})" if detail else "") + "."
        if status == 404 and not reason:
            kind = ErrorKind.RETRYABLE
            message = "A 404 that is not in Google's words; nothing is concluded from it."
        elif status == 404 and said.casefold().startswith("domain not found"):
            # What was asked about belongs to no domain of ours: that is said of a customer, too.
            kind = ErrorKind.INVALID
        elif 300 <= status < 400:
            message = f"Google redirects elsewhere ({status}) and is not followed."
        elif reason in _SWITCHED_OFF:
            message += " Switch this API on in the Google Cloud project of the service account."
        elif status == 401:
            message += " Signing in anew did not help: see whether the service account is still allowed in."
        elif kind is ErrorKind.DENIED:
            message += (
                f" It needs the scope {SCOPE_ROOT}{scope}, and {who} the administrator's right to do this."
            )
        again = None
        if kind is ErrorKind.THROTTLED:
            again = retry_at(answer.headers.get("retry-after", ""), now=self._connection.now())
        return ConnectorError(kind, message, retry_at=again, request_id=answer.request_id)


def _told(answer: Answer) -> tuple[str, str]:
    """Reason and message of Google's error, where it is one; never a page of HTML."""
    try:
        content = answer.json()
    except ConnectorError:
        return "", ""
    error = content.get("error") if isinstance(content, dict) else None
    if not isinstance(error, dict):
        return "", ""
    listed = error.get("errors")
    first = listed[0] if isinstance(listed, list) and listed and isinstance(listed[0], dict) else {}
    reason = str(first.get("reason") or error.get("status") or "")
    said = " ".join(str(error.get("message") or "").split())
    return reason[:100], said[:200].rstrip(".")
