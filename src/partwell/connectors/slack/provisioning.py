"""Slack's SCIM 2.0 API: accounts on and off, and the groups of an identity provider."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from partwell.connector_kit.contract import Connection, ConnectorError, ErrorKind
from partwell.connector_kit.transport import Answer, Transport
from partwell.connectors.scim.service import ScimService, text_filter

T = TypeVar("T")

PAGE_SIZE = 200
MAX_PAGES = 1000
GUEST = "urn:ietf:params:scim:schemas:extension:slack:guest:2.0:User"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"


@dataclass(frozen=True)
class _Paced:
    """The transport, with each request in its class of Slack's limits."""

    transport: Transport

    async def request(self, method: str, url: str, **given: Any) -> Answer:
        if method == "GET":
            limit = "scim_read"
        else:
            limit = "scim_user_write" if "/Users/" in url else "scim_write"
        return await self.transport.request(method, url, limit=limit, **given)


class Provisioning:
    """The SCIM API behind one connection."""

    def __init__(self, connection: Connection) -> None:
        settings = connection.settings
        scim = {
            "url": settings.get("scim_url", "https://api.slack.com/scim/v2"),
            "token": settings.get("scim_token") or settings["token"],
            "timeout_seconds": settings.get("timeout_seconds", 20),
        }
        self._service = ScimService(
            replace(connection, settings=scim, transport=_Paced(connection.transport))
        )

    async def check(self) -> None:
        """See that the token may list users. Changes nothing."""
        await _in_words(self._service.call("GET", "/Users", params={"count": "1"}))

    async def user(self, user_id: str) -> dict[str, Any] | None:
        """One user afresh; None when Slack says that it provisions none with this id."""
        return await _in_words(self._service.get("Users", user_id))

    async def find(self, attribute: str, value: str) -> list[dict[str, Any]]:
        """Users whose attribute is exactly this, deactivated ones among them. Compared here as well."""
        found = await _in_words(self._service.find("Users", text_filter(attribute, value)))
        return [user for user in found if value.lower() in values_of(user, attribute)]

    async def pages(self) -> AsyncIterator[list[dict[str, Any]]]:
        """All users, page by page. Raises where pages end before what Slack counts."""
        start = 1
        for _ in range(MAX_PAGES):
            params = {"startIndex": str(start), "count": str(PAGE_SIZE)}
            page, _ = await _in_words(self._service.call("GET", "/Users", params=params))
            found, total = page.get("Resources") or [], page.get("totalResults")
            if not isinstance(found, list) or not isinstance(total, int):
                raise ConnectorError(ErrorKind.RETRYABLE, "Slack's SCIM API answered without a list.")
            yield [user for user in found if isinstance(user, dict) and user.get("id")]
            start += len(found)
            if start > total:
                return
            if not found:
                raise ConnectorError(
                    ErrorKind.RETRYABLE,
                    f"Slack's SCIM API counts {total} users, but its pages end at {start - 1}.",
                )
        raise ConnectorError(ErrorKind.INVALID, f"Slack returned more than {MAX_PAGES} pages of users.")

    async def set_active(self, user_id: str, active: bool) -> Answer:
        """Switch an account on or off. Raises NOT_FOUND."""
        operation = {"op": "replace", "path": "active", "value": active}
        return await _in_words(self._service.patch("Users", user_id, operation))

    async def leave(self, group_id: str, user_id: str) -> Answer:
        """Take one member out of a group; the others are not touched."""
        operation = {"op": "remove", "path": f"members[{text_filter('value', user_id)}]"}
        return await _in_words(self._service.patch("Groups", group_id, operation))

    async def join(self, group_id: str, user_id: str) -> Answer:
        """Put one member into a group."""
        operation = {"op": "add", "path": "members", "value": [{"value": user_id}]}
        return await _in_words(self._service.patch("Groups", group_id, operation))


def values_of(user: dict[str, Any], attribute: str) -> set[str]:
    """What a user has of an attribute, in small letters."""
    if attribute != "emails":
        return {str(user.get(attribute) or "").lower()} - {""}
    emails = user.get("emails") or []
    return {str(e["value"]).lower() for e in emails if isinstance(e, dict) and e.get("value")}


async def _in_words(call: Awaitable[T]) -> T:
    """The same failure, with the name of the interface that it comes from."""
    try:
        return await call
    except ConnectorError as error:
        message = f"Slack's SCIM API: {error.message}"
        if error.kind is ErrorKind.DENIED:
            message += " It needs an owner's token with the scope 'admin', on Business+ or Enterprise Grid."
        raise ConnectorError(
            error.kind, message, retry_at=error.retry_at, request_id=error.request_id
        ) from None
