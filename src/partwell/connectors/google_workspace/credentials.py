"""What gets at an account without its password: applications, app passwords, backup codes, forwarded mail.

Google processes backup codes only of users who are not suspended. Their values are never asked for: of the
list, only how long it is. An address that mail may be forwarded to serves rules and filters alike: without
it, neither sends anything there.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from partwell.connector_kit.contract import ConnectorError, ErrorKind, Holding, HoldingKind
from partwell.connector_kit.failures import together, try_each
from partwell.connectors.google_workspace.mailbox import Mailbox
from partwell.connectors.google_workspace.people import is_shut, status_of
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
    forwards: tuple[str, ...]

    def __str__(self) -> str:
        """In words; empty for nothing."""
        counted = (
            (len(self.tokens), "application", "applications"),
            (len(self.app_passwords), "app password", "app passwords"),
            (self.backup_codes, "backup code", "backup codes"),
            (len(self.forwards), "address that mail is forwarded to", "addresses that mail is forwarded to"),
        )
        return ", ".join(f"{count} {one if count == 1 else many}" for count, one, many in counted if count)


class Credentials:
    """The credentials of users of one customer. Without a `mailbox`, nothing is asked of Gmail."""

    def __init__(self, google: Google, mailbox: Mailbox | None) -> None:
        self._google = google
        self._mailbox = mailbox

    async def of(self, user: Mapping[str, Any]) -> Found:
        """All of them, read afresh. A user who has just gone has none."""
        user_id = str(user["id"])
        try:
            return Found(
                tuple(await self._list(user_id, "tokens")),
                tuple(await self._list(user_id, "asps")),
                len(await self._list(user_id, "verificationCodes", fields="kind,items/kind")),
                tuple(await self._mailbox.forwards(user)) if self._mailbox else (),
            )
        except ConnectorError as error:
            if error.kind is ErrorKind.NOT_FOUND:
                return Found((), (), 0, ())
            raise

    def about_mail(self, user: Mapping[str, Any]) -> str:
        """What an empty list of forwards means, in words."""
        if self._mailbox is None:
            return "Whether mail is forwarded was not asked (settings: gmail: false)."
        if is_shut(user):
            return f"The user is {status_of(user)}, so no mail comes that could be forwarded."
        return "Mail is forwarded nowhere."

    async def revoke(self, user: Mapping[str, Any], found: Found) -> None:
        """Withdraw all. One that refuses does not stop the others, and is named."""
        root = self._root(str(user["id"]))
        is_suspended = user.get("suspended") is True
        work: list[tuple[str, Callable[[], Awaitable[object]]]] = []
        work += [
            (_app(each), self._deleting(f"{root}/tokens", each.get("clientId"))) for each in found.tokens
        ]
        work += [
            (_password(each), self._deleting(f"{root}/asps", each.get("codeId")))
            for each in found.app_passwords
        ]
        if found.backup_codes and not is_suspended:
            work.append(("backup codes", self._invalidating(root)))
        if self._mailbox:
            work += [(to, self._mailbox.stopping(user, to)) for to in found.forwards]
        done, failures = await try_each(work)
        if found.backup_codes and is_suspended:
            failures.append(("Backup codes", ConnectorError(ErrorKind.UNSUPPORTED, SUSPENDED_CODES)))
        if failures:
            raise together(f"{len(done)} of {len(work)} were withdrawn.", failures)

    async def holdings(self, user: Mapping[str, Any]) -> list[Holding]:
        """The same, to be shown."""
        found = await self.of(user)
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
        shown += [Holding(HoldingKind.TOKEN, f"forward:{to}", f"mail goes to {to}") for to in found.forwards]
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

    def _deleting(self, where: str, which: object) -> Callable[[], Awaitable[object]]:
        async def delete() -> object:
            return await self._google.delete(f"{where}/{segment(str(which))}", scope=SECURITY)

        return delete

    def _invalidating(self, root: str) -> Callable[[], Awaitable[object]]:
        url = f"{root}/verificationCodes/invalidate"
        return lambda: self._google.call("POST", url, scope=SECURITY)


def _app(token: dict[str, Any]) -> str:
    return str(token.get("displayText") or token.get("clientId"))[:200]


def _password(each: dict[str, Any]) -> str:
    return f"app password {str(each.get('name') or each.get('codeId'))[:100]}"
