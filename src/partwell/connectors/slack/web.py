"""Slack's Web API over the guarded transport: methods, pages, and failures as data.

Slack answers 200 to nearly everything: only `ok: true` is a success.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import urlencode

from partwell.connector_kit.contract import Connection, ConnectorError, ErrorKind
from partwell.connector_kit.transport import Answer, Transport
from partwell.connectors.scim.service import retry_at

PAGE_SIZE = 200
MAX_PAGES = 1000

_KINDS = {
    ErrorKind.RETRYABLE: (
        "internal_error",
        "fatal_error",
        "request_timeout",
        "service_unavailable",
        "team_added_to_org",
        "user_session_reset_failed",
    ),
    ErrorKind.THROTTLED: ("ratelimited", "rate_limited"),
    ErrorKind.NOT_FOUND: ("user_not_found", "users_not_found", "no_such_subteam", "subteam_not_found"),
    ErrorKind.CONFLICT: ("cannot_reset_primary_owner", "session_reset_not_allowed", "cannot_reset_bot"),
    ErrorKind.UNSUPPORTED: (
        "feature_not_enabled",
        "enterprise_is_restricted",
        "not_an_enterprise",
        "paid_only",
        "paid_teams_only",
        "unknown_method",
        "method_deprecated",
        "deprecated_endpoint",
        "unsupported_team_type",
    ),
    ErrorKind.DENIED: (
        "missing_scope",
        "not_allowed_token_type",
        "not_authed",
        "invalid_auth",
        "account_inactive",
        "token_revoked",
        "token_expired",
        "no_permission",
        "permission_denied",
        "not_allowed",
        "not_an_admin",
        "admin_unauthorized",
        "restricted_action",
        "access_denied",
        "accesslimited",
        "org_login_required",
        "two_factor_setup_required",
        "ekm_access_denied",
        "team_access_not_granted",
        "user_not_visible",
        "user_is_bot",
        "user_is_restricted",
    ),
}
_KIND_OF = {code: kind for kind, codes in _KINDS.items() for code in codes}


class SlackWeb:
    """The Web API behind one connection."""

    def __init__(self, connection: Connection) -> None:
        settings = connection.settings
        self._connection = connection
        self._transport: Transport = connection.transport
        self._base = str(settings.get("api_url", "https://slack.com/api")).rstrip("/")
        self._timeout = float(settings.get("timeout_seconds", 20))

    async def ask(self, method: str, **arguments: str) -> dict[str, Any]:
        """Call a method that only reads."""
        content, _ = await self._call("GET", method, arguments)
        return content

    async def scopes(self) -> tuple[dict[str, Any], frozenset[str]]:
        """Who the token is (`auth.test`), and the scopes that Slack says it has."""
        content, answer = await self._call("GET", "auth.test", {})
        given = answer.headers.get("x-oauth-scopes", "")
        return content, frozenset(scope.strip() for scope in given.split(",") if scope.strip())

    async def tell(self, method: str, **arguments: str) -> tuple[dict[str, Any], Answer]:
        """Call a method that changes something."""
        return await self._call("POST", method, arguments)

    async def pages(self, method: str, name: str, **arguments: str) -> AsyncIterator[list[Any]]:
        """The list `name` of a method with cursors, page by page. Raises where a page is broken."""
        cursor, seen = "", set[str]()
        for _ in range(MAX_PAGES):
            asked = arguments | {"limit": str(PAGE_SIZE)} | ({"cursor": cursor} if cursor else {})
            content = await self.ask(method, **asked)
            found = content.get(name)
            if not isinstance(found, list):
                raise ConnectorError(ErrorKind.RETRYABLE, f"Slack's {method} answered without '{name}'.")
            yield found
            metadata = content.get("response_metadata")
            cursor = str((metadata if isinstance(metadata, dict) else {}).get("next_cursor") or "")
            if not cursor:
                return
            if cursor in seen:
                raise ConnectorError(ErrorKind.RETRYABLE, f"Slack's pages of {method} repeat themselves.")
            seen.add(cursor)
        raise ConnectorError(ErrorKind.INVALID, f"Slack's {method} returned more than {MAX_PAGES} pages.")

    async def all(self, method: str, name: str, **arguments: str) -> list[Any]:
        """The whole list `name` of a method with cursors."""
        return [each async for page in self.pages(method, name, **arguments) for each in page]

    async def _call(
        self, verb: str, method: str, arguments: Mapping[str, str]
    ) -> tuple[dict[str, Any], Answer]:
        token = self._connection.secrets.resolve(str(self._connection.settings["token"]))
        headers = {"authorization": f"Bearer {token}", "accept": "application/json"}
        if verb == "POST":
            headers["content-type"] = "application/x-www-form-urlencoded"
        answer = await self._transport.request(
            verb,
            f"{self._base}/{method}",
            headers=headers,
            params=arguments if verb == "GET" else None,
            content=urlencode(arguments).encode() if verb == "POST" else None,
            timeout=self._timeout,
            limit=method,
        )
        if answer.status == 429:
            raise self._error(method, "ratelimited", {}, answer)
        if answer.status != 200:
            kind = ErrorKind.RETRYABLE if answer.status >= 500 else ErrorKind.INVALID
            raise ConnectorError(
                kind, f"Slack answered {answer.status} to {method}.", request_id=_request_id(answer)
            )
        content = answer.json()
        if not isinstance(content, dict) or not isinstance(content.get("ok"), bool):
            raise ConnectorError(
                ErrorKind.RETRYABLE, f"The answer to {method} is not Slack's: it has no 'ok'."
            )
        if not content["ok"]:
            raise self._error(method, str(content.get("error") or "no reason given"), content, answer)
        return content, answer

    def _error(self, method: str, code: str, content: Mapping[str, Any], answer: Answer) -> ConnectorError:
        kind = _KIND_OF.get(code, ErrorKind.INVALID)
        message = f"Slack refused {method}: {code[:100]}."
        if code == "missing_scope":
            message += f" The token needs the scope {str(content.get('needed') or '')[:100]}."
        elif code == "not_allowed_token_type":
            message += " It takes the token of a person who is an owner (xoxp-), not of a bot."
        elif kind is ErrorKind.UNSUPPORTED:
            message += " Slack offers this only on a larger plan; see the setting 'plan'."
        elif kind is ErrorKind.DENIED:
            message += " The token is not valid or not allowed to do this."
        return ConnectorError(
            kind,
            message,
            retry_at=(
                retry_at(answer.headers.get("retry-after", ""), now=self._connection.now())
                if kind is ErrorKind.THROTTLED
                else None
            ),
            request_id=_request_id(answer),
        )


def _request_id(answer: Answer) -> str:
    return str(answer.headers.get("x-slack-req-id", ""))[:200] or answer.request_id
