"""What opens an account without its password: applications with a token, app passwords, backup codes.

Google processes backup codes only of users who are not suspended. Their values are never asked for: of the
list, only how long it is.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from partwell.connector_kit.contract import ConnectorError, ErrorKind, Holding, HoldingKind
from partwell.connector_kit.failures import together
from partwell.connectors.google_workspace.service import DIRECTORY, Google, in_milliseconds, segment

SECURITY = "admin.directory.user.security"
SUSPENDED_CODES = (
    "Google processes backup codes only while a user is not suspended. They are a "
    "second factor, and let nobody in without the password: withdraw them when it is not, or attest it."
)


@dataclass(frozen=True)
class Found:
    """What there is of each."""

    tokens: tuple[dict[str, Any], ...]
    app_passwords: tuple[dict[str, Any], ...]
    backup_codes: int

    def __str__(self) -> str:
        """In words; empty for nothing."""
        counted = (
            (len(self.tokens), "application", "applications"),
            (len(self.app_passwords), "app password", "app passwords"),
            (self.backup_codes, "backup code", "backup codes"),
        )
        return ", ".join(f"{count} {one if count == 1 else many}" for count, one, many in counted if count)


class Credentials:
    """The credentials of users of one customer."""

    def __init__(self, google: Google) -> None:
        self._google = google

    async def of(self, user_id: str) -> Found:
        """All of them, read afresh. A user who has just gone has none."""
        try:
            return Found(
                tuple(await self._list(user_id, "tokens")),
                tuple(await self._list(user_id, "asps")),
                len(await self._list(user_id, "verificationCodes", fields="kind,items/kind")),
            )
        except ConnectorError as error:
            if error.kind is ErrorKind.NOT_FOUND:
                return Found((), (), 0)
            raise

    async def revoke(self, user_id: str, found: Found, *, is_suspended: bool) -> None:
        """Withdraw all. One that refuses does not stop the others, and is named."""
        root, failures, done = self._root(user_id), list[tuple[str, ConnectorError]](), 0
        work: list[tuple[str, Callable[[], Awaitable[object]]]] = []
        for token in found.tokens:
            client = segment(str(token.get("clientId") or ""))
            work.append((_app(token), self._deleting(f"{root}/tokens/{client}")))
        work += [
            (_password(each), self._deleting(f"{root}/asps/{segment(str(each.get('codeId', '')))}"))
            for each in found.app_passwords
        ]
        if found.backup_codes and not is_suspended:
            work.append(("backup codes", self._invalidating(root)))
        for name, act in work:
            try:
                await act()
                done += 1
            except ConnectorError as error:
                failures.append((name, error))
                if error.kind is ErrorKind.THROTTLED:
                    break  # the others would be refused too
        if found.backup_codes and is_suspended:
            failures.append(("Backup codes", ConnectorError(ErrorKind.UNSUPPORTED, SUSPENDED_CODES)))
        if failures:
            raise together(f"{done} of {len(work)} were withdrawn.", failures)

    async def holdings(self, user_id: str) -> list[Holding]:
        """The same, to be shown."""
        found = await self.of(user_id)
        shown = [
            Holding(
                HoldingKind.TOKEN,
                str(token.get("clientId")),
                _app(token),
                details={"scope": " ".join(str(scope) for scope in token.get("scopes") or [])},
            )
            for token in found.tokens
        ]
        shown += [
            Holding(
                HoldingKind.KEY,
                f"asp:{each.get('codeId')}",
                _password(each),
                last_used_at=in_milliseconds(each.get("lastTimeUsed")),
            )
            for each in found.app_passwords
        ]
        if found.backup_codes:
            shown.append(
                Holding(
                    HoldingKind.KEY,
                    "backup-codes",
                    f"{found.backup_codes} backup codes for two-step verification",
                )
            )
        return shown

    async def _list(self, user_id: str, what: str, *, fields: str = "") -> list[dict[str, Any]]:
        params = {"fields": fields} if fields else None
        return await self._google.all(f"{self._root(user_id)}/{what}", "items", scope=SECURITY, params=params)

    def _root(self, user_id: str) -> str:
        return f"{DIRECTORY}/users/{segment(user_id)}"

    def _deleting(self, url: str) -> Callable[[], Awaitable[object]]:
        return lambda: self._google.delete(url, scope=SECURITY)

    def _invalidating(self, root: str) -> Callable[[], Awaitable[object]]:
        url = f"{root}/verificationCodes/invalidate"
        return lambda: self._google.call("POST", url, scope=SECURITY)


def _app(token: dict[str, Any]) -> str:
    return str(token.get("displayText") or token.get("clientId"))[:200]


def _password(each: dict[str, Any]) -> str:
    return f"app password {str(each.get('name') or each.get('codeId'))[:100]}"
