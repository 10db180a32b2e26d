"""A SCIM 2.0 service over the guarded transport: requests, paging, and failures as data (RFC 7644).

Answers are read as plain JSON. scim2-models refuses a resource whole for one unknown extension or one date in
the service's own form, and a refused answer would hide an account that is there.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from json import dumps
from typing import Any
from urllib.parse import quote

from partwell.connector_kit.contract import Connection, ConnectorError, ErrorKind
from partwell.connector_kit.pacing import retry_at
from partwell.connector_kit.transport import Answer, Transport

PATCH_SCHEMA = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
ERROR_SCHEMA = "urn:ietf:params:scim:api:messages:2.0:Error"
PAGE_SIZE = 100
MAX_PAGES = 1000

_KINDS = {
    400: ErrorKind.INVALID,
    401: ErrorKind.DENIED,
    403: ErrorKind.DENIED,
    404: ErrorKind.NOT_FOUND,
    408: ErrorKind.RETRYABLE,
    409: ErrorKind.CONFLICT,
    412: ErrorKind.CONFLICT,
    425: ErrorKind.RETRYABLE,
    429: ErrorKind.THROTTLED,
    501: ErrorKind.UNSUPPORTED,
}


def text_filter(attribute: str, value: str) -> str:
    """`attribute eq "value"`; SCIM quotes text as JSON does."""
    return f"{attribute} eq {dumps(value)}"


class ScimService:
    """The service behind one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        settings = connection.settings
        self._transport: Transport = connection.transport
        self._base = str(settings["url"]).rstrip("/")
        self._ca_file = str(settings.get("ca_file", ""))
        self._allow_plain = bool(settings.get("allow_plain", False))
        self._timeout = float(settings.get("timeout_seconds", 20))

    async def find(self, kind: str, filter_text: str) -> list[dict[str, Any]]:
        """Every resource of this kind (`Users`, `Groups`) that the service returns for the filter."""
        found: dict[str, dict[str, Any]] = {}
        start = 1
        for _ in range(MAX_PAGES):
            params = {"filter": filter_text, "startIndex": str(start), "count": str(PAGE_SIZE)}
            page, _ = await self.call("GET", f"/{kind}", params=params)
            resources, total = _list(page)
            new = {str(r.get("id")): r for r in resources if isinstance(r, dict) and r.get("id")}
            if len(found) + len(resources) < total and not new.keys() - found.keys():
                # It promised more and gives nothing new: saying "that is all" would lose accounts.
                raise ConnectorError(
                    ErrorKind.RETRYABLE, f"The service counts {total} results, but pages end at {len(found)}."
                )
            found |= new
            start += len(resources)
            if start > total:
                return list(found.values())
        raise ConnectorError(ErrorKind.INVALID, f"The service returned more than {MAX_PAGES} pages.")

    async def pages(self, kind: str) -> AsyncIterator[list[dict[str, Any]]]:
        """Every resource of this kind, page by page, and no page kept.

        Raises where a page fails, brings nothing new, or the count shrinks on the way: then somebody may
        have moved from a page to come into one that was read.
        """
        start, expected, before = 1, 0, set[str]()
        while True:
            page, _ = await self.call(
                "GET", f"/{kind}", params={"startIndex": str(start), "count": str(PAGE_SIZE)}
            )
            resources, total = _list(page)
            new = {str(r["id"]): r for r in resources if isinstance(r, dict) and r.get("id")}
            if len(new) != len(resources):
                raise ConnectorError(ErrorKind.RETRYABLE, "The list holds something without an identifier.")
            if total < expected:
                raise ConnectorError(
                    ErrorKind.RETRYABLE, f"The list shrank from {expected} to {total} while it was read."
                )
            if start <= total and not new.keys() - before:
                raise ConnectorError(
                    ErrorKind.RETRYABLE, f"The service counts {total} results, but pages end at {start - 1}."
                )
            if new:
                yield list(new.values())
            start, expected, before = start + len(resources), total, set(new)
            if start > total:
                return

    async def get(self, kind: str, resource_id: str) -> dict[str, Any] | None:
        """One resource afresh; None when the service says that there is none."""
        try:
            resource, _ = await self.call("GET", f"/{kind}/{quoted_id(resource_id)}")
        except ConnectorError as error:
            if error.kind is not ErrorKind.NOT_FOUND:
                raise
            await self._check_that_it_answers(kind)
            return None
        if str(resource.get("id")) != resource_id:
            raise ConnectorError(
                ErrorKind.RETRYABLE, "The service returned another resource than the one asked for."
            )
        return resource

    async def _check_that_it_answers(self, kind: str) -> None:
        """A wrong path answers 404 for everybody; only a service that lists its users may say "gone"."""
        try:
            page, _ = await self.call("GET", f"/{kind}", params={"count": "1"})
        except ConnectorError as error:
            if error.kind is ErrorKind.NOT_FOUND:
                raise _not_scim() from None
            raise
        if not isinstance(page.get("totalResults"), int):
            raise _not_scim()

    async def patch(self, kind: str, resource_id: str, operation: Mapping[str, Any]) -> Answer:
        """Apply one operation. 200, 202 and 204 come back as answers; everything else raises."""
        body = {"schemas": [PATCH_SCHEMA], "Operations": [dict(operation)]}
        _, answer = await self.call("PATCH", f"/{kind}/{quoted_id(resource_id)}", body=body)
        return answer

    async def patch_or_gone(self, kind: str, resource_id: str, operation: Mapping[str, Any]) -> Answer | None:
        """As `patch`, or None when what was to be changed is gone."""
        try:
            return await self.patch(kind, resource_id, operation)
        except ConnectorError as error:
            if error.kind is ErrorKind.NOT_FOUND:
                return None
            raise

    async def call(
        self, method: str, path: str, *, params: Mapping[str, str] | None = None, body: Any = None
    ) -> tuple[dict[str, Any], Answer]:
        """One request. Returns the JSON object (empty for 202 and 204 without one) and the answer itself."""
        token = self._connection.secrets.resolve(str(self._connection.settings["token"]))
        headers = {"authorization": f"Bearer {token}", "accept": "application/scim+json, application/json"}
        if body is not None:
            headers["content-type"] = "application/scim+json"
        answer = await self._transport.request(
            method,
            self._base + path,
            headers=headers,
            params=params,
            json=body,
            ca_file=self._ca_file,
            allow_plain=self._allow_plain,
            timeout=self._timeout,
        )
        self._check(answer.status, answer)
        if method == "PATCH" and not answer.body:
            return {}, answer
        content = answer.json()
        if not isinstance(content, dict):
            raise ConnectorError(ErrorKind.RETRYABLE, "The answer is JSON, but not a SCIM object.")
        if ERROR_SCHEMA in (content.get("schemas") or []):
            # Some services wrap a failure in a 200.
            status = str(content.get("status", ""))
            self._check(int(status) if status.isascii() and status.isdecimal() else 500, answer)
            raise ConnectorError(
                ErrorKind.RETRYABLE, "The service answered with an error that has no status."
            )
        return content, answer

    def _check(self, status: int, answer: Answer) -> None:
        if status in (200, 201, 202, 204):
            return
        kind = _KINDS.get(status, ErrorKind.RETRYABLE if status >= 500 else ErrorKind.INVALID)
        detail = _detail(answer)
        message = f"The service answered {status}" + (f": {detail}" if detail else "") + "."
        if 300 <= status < 400:
            message = (
                f"The service redirects elsewhere ({status}) and is not followed: enter the final address."
            )
        if kind is ErrorKind.DENIED:
            message += " The token is not valid or not allowed to do this."
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


def _list(page: Mapping[str, Any]) -> tuple[list[Any], int]:
    resources, total = page.get("Resources") or [], page.get("totalResults")
    if not isinstance(resources, list) or not isinstance(total, int):
        raise ConnectorError(ErrorKind.RETRYABLE, "The answer is JSON, but not a SCIM list.")
    return resources, total


def _not_scim() -> ConnectorError:
    return ConnectorError(
        ErrorKind.RETRYABLE, "No SCIM service answers at this address; nothing is concluded from its answer."
    )


def quoted_id(resource_id: str) -> str:
    """The identifier as one path segment. Raises INVALID for one that would name another path."""
    if resource_id in ("", ".", "..") or len(resource_id) > 500:
        raise ConnectorError(ErrorKind.INVALID, "This is not an identifier that a SCIM service gives.")
    return quote(resource_id, safe="")


def _detail(answer: Answer) -> str:
    """What the service says of its failure, where it does so as SCIM does; never a page of HTML."""
    try:
        content = answer.json()
    except ConnectorError:
        return ""
    if not isinstance(content, dict):
        return ""
    parts = (content.get("scimType"), content.get("detail"))
    return " ".join(" ".join(str(part).split()) for part in parts if part)[:200]
