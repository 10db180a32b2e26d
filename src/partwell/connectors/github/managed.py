"""Managed users of an enterprise: accounts that the enterprise owns, kept by SCIM.

They can be suspended, and everything of theirs comes back with them. Their groups and their tokens are not
for us: groups belong to the identity provider, and tokens rest while the user is suspended.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from partwell.connector_kit.contract import (
    Account,
    Connection,
    ConnectorError,
    Entitlement,
    ErrorKind,
    Holding,
    Identity,
    Outcome,
    Proof,
    Receipt,
    Snapshot,
    Verb,
    Verdict,
)
from partwell.connector_kit.pacing import side_by_side
from partwell.connectors.github.credentials import GithubCredentials
from partwell.connectors.github.service import AT_ONCE, PAGE_SIZE, GithubService, as_list, as_object, segment

PATCH_SCHEMA = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
# SCIM names the role by its word, or by the number that identity providers use for it.
OWNER_ROLES = {"enterprise_owner", "981df190-8801-4618-a08a-d91f6206c954"}
GONE = "There is no such managed user in the enterprise."
TOKENS = (
    "GitHub shows no tokens of managed users here. They open nothing while the user is suspended, and come "
    "back with the user."
)
GROUPS = (
    "Groups of managed users belong to the identity provider, which would put the person back: take them out "
    "there."
)


class ManagedUsers:
    """The verbs for managed users of one enterprise."""

    def __init__(self, connection: Connection) -> None:
        settings = connection.settings
        self._connection = connection
        self._service = GithubService(connection, GithubCredentials(connection, "enterprise_token"))
        self._path = f"/scim/v2/enterprises/{segment(str(settings['enterprise']))}/Users"
        self._listed = {name.lower() for name in settings.get("protected", [])}
        self._admin_groups = {name.lower() for name in settings.get("admin_groups", [])}

    # -- asking ---------------------------------------------------------------------------------------

    async def problems(self) -> list[str]:
        try:
            await self._page(1, size=1)
        except ConnectorError as error:
            return [error.message]
        return []

    async def discover(self, identity: Identity) -> list[Account]:
        """SCIM here cannot be asked for an address, so all users are read and compared."""
        facts = {
            "user name": {name.lower() for name in (*identity.usernames, *identity.emails)},
            "address": {address.lower() for address in identity.emails},
            "externalId": {identity.employee_number.lower()} - {""},
        }
        if not any(facts.values()):
            return []
        everybody = await self._everybody()
        found = []
        for user in everybody:
            seen = {
                "user name": {str(user.get("userName") or "").lower()},
                "address": _addresses(user),
                "externalId": {str(user.get("externalId") or "").lower()},
            }
            if shared := next(((f, v) for f in facts for v in sorted(facts[f] & seen[f])), None):
                found.append(_account(user, " ".join(shared), bool(self._why_protected(user, everybody))))
        return found

    async def read(self, external_id: str) -> Account | None:
        user = await self._find(external_id)
        return _account(user, "", bool(self._why_protected(user, await self._everybody()))) if user else None

    async def list_accounts(self) -> AsyncIterator[list[Account]]:
        users = await self._everybody()
        for start in range(0, len(users), PAGE_SIZE):
            yield [_account(user, "", self._is_listed(user)) for user in users[start : start + PAGE_SIZE]]

    async def holdings(self, external_id: str) -> list[Holding]:
        if await self._find(external_id) is None:
            return []
        raise ConnectorError(ErrorKind.UNSUPPORTED, TOKENS)

    async def snapshot(self, external_id: str) -> Snapshot:
        user = await self._find(external_id)
        if user is None:
            raise ConnectorError(ErrorKind.NOT_FOUND, GONE)
        state = {"userName": str(user.get("userName") or ""), "active": user.get("active") is True}
        return Snapshot(self._connection.now(), state)

    # -- changing -------------------------------------------------------------------------------------

    async def suspend(self, external_id: str) -> Receipt:
        user = await self._find(external_id)
        if user is None:
            return Receipt(Outcome.ALREADY_DONE, GONE)
        if user.get("active") is False:
            return Receipt(Outcome.ALREADY_DONE, "It was suspended before.")
        if reason := self._why_protected(user, await self._everybody()):
            name = user.get("userName") or external_id
            raise ConnectorError(ErrorKind.CONFLICT, f"{name} is protected: {reason}. Nothing was changed.")
        return await self._set_active(external_id, False)

    async def revoke_tokens(self, external_id: str) -> Receipt:
        if await self._find(external_id) is None:
            return Receipt(Outcome.ALREADY_DONE, GONE)
        raise ConnectorError(ErrorKind.UNSUPPORTED, TOKENS)

    async def remove_entitlements(self, external_id: str) -> Receipt:
        user = await self._find(external_id)
        if user is None:
            return Receipt(Outcome.ALREADY_DONE, GONE)
        if user.get("active") is True and not _groups(user):
            return Receipt(Outcome.ALREADY_DONE, "It was in no group.")
        raise ConnectorError(ErrorKind.UNSUPPORTED, GROUPS)

    async def restore(self, external_id: str, verb: Verb, snapshot: Snapshot) -> Receipt:
        if verb is not Verb.SUSPEND:
            raise ConnectorError(
                ErrorKind.UNSUPPORTED, f"'{verb}' of a managed user is not undone from here."
            )
        user = await self._find(external_id)
        if user is None:
            raise ConnectorError(ErrorKind.NOT_FOUND, GONE)
        if user.get("active") is True:
            return Receipt(Outcome.ALREADY_DONE, "It is active.")
        if snapshot.state.get("active") is False:
            return Receipt(Outcome.ALREADY_DONE, "It was suspended before the cut, and stays so.")
        return await self._set_active(external_id, True)

    async def _set_active(self, external_id: str, active: bool) -> Receipt:
        operation = {"op": "replace", "path": "active", "value": active}
        answer = await self._service.call(
            "PATCH",
            f"{self._path}/{segment(external_id)}",
            body={"schemas": [PATCH_SCHEMA], "Operations": [operation]},
        )
        word = "true" if active else "false"
        return Receipt(
            Outcome.DONE, f"Asked to set active to {word}; GitHub said yes.", answer.request_id, operation
        )

    # -- proving --------------------------------------------------------------------------------------

    async def verify(self, external_id: str, verb: Verb) -> Proof:
        user = await self._find(external_id)
        if user is None:
            return Proof(Verdict.CONFIRMED, f"Read afresh: {GONE}")
        groups = ", ".join(sorted(group.name for group in _groups(user))[:10])
        is_suspended = user.get("active") is False
        if verb is Verb.SUSPEND:
            if is_suspended:
                return Proof(
                    Verdict.CONFIRMED,
                    "Read afresh: active is false. The identity provider makes it active again at its next "
                    "run, unless the person is cut there too.",
                )
            return Proof(Verdict.FAILED, "Read afresh: active is still true.")
        if verb is Verb.REVOKE_TOKENS:
            return Proof(Verdict.UNVERIFIABLE, TOKENS)
        if verb is Verb.REMOVE_ENTITLEMENTS:
            if groups:
                return Proof(Verdict.FAILED, f"Read afresh: still in {groups}. {GROUPS}")
            if is_suspended:
                return Proof(Verdict.UNVERIFIABLE, f"GitHub hides the groups of a suspended user. {GROUPS}")
            return Proof(Verdict.CONFIRMED, "Read afresh: in no group.")
        return Proof(Verdict.UNVERIFIABLE, f"GitHub cannot be asked whether '{verb}' holds.")

    # -- reading --------------------------------------------------------------------------------------

    async def _find(self, external_id: str) -> dict[str, Any] | None:
        user = await self._service.find(f"{self._path}/{segment(external_id)}")
        if user is None:
            # A wrong name of the enterprise answers 404 for everybody.
            if not (await self._page(1, size=1))[0]:
                raise ConnectorError(
                    ErrorKind.DENIED, "GitHub shows this token no managed user at all; nothing is concluded."
                )
            return None
        if str(user.get("id")) != external_id:
            raise ConnectorError(ErrorKind.RETRYABLE, "GitHub returned somebody else than was asked for.")
        return user

    async def _everybody(self) -> list[dict[str, Any]]:
        """All managed users. Raises RETRYABLE when fewer come than GitHub counts."""
        total, first = await self._page(1)
        step = len(first) or PAGE_SIZE

        async def page(start: int) -> list[dict[str, Any]]:
            return (await self._page(start, size=step))[1]

        starts = range(1 + step, total + 1, step)
        pages = [first, *await side_by_side(page, starts, at_once=AT_ONCE)]
        users = {str(user.get("id")): user for each in pages for user in each if user.get("id")}
        if len(users) < total:
            raise ConnectorError(
                ErrorKind.RETRYABLE, f"GitHub counts {total} managed users and showed {len(users)}."
            )
        return list(users.values())

    async def _page(self, start: int, *, size: int = PAGE_SIZE) -> tuple[int, list[dict[str, Any]]]:
        params = {"startIndex": str(start), "count": str(size)}
        try:
            content = as_object(await self._service.get(self._path, params=params))
        except ConnectorError as error:
            if error.kind is not ErrorKind.NOT_FOUND:
                raise
            raise ConnectorError(
                ErrorKind.DENIED,
                "GitHub hides the managed users from this token (404): it needs the scope scim:enterprise, "
                "or the enterprise's name is wrong.",
            ) from None
        total = content.get("totalResults")
        if not isinstance(total, int):
            raise ConnectorError(ErrorKind.RETRYABLE, "The answer is JSON, but not a list as SCIM gives one.")
        return total, as_list(content.get("Resources"))

    # -- protecting -----------------------------------------------------------------------------------

    def _is_listed(self, user: Mapping[str, Any]) -> bool:
        return bool({str(user.get("id")).lower(), str(user.get("userName")).lower()} & self._listed)

    def _why_protected(self, user: Mapping[str, Any], everybody: list[dict[str, Any]]) -> str:
        if self._is_listed(user):
            return "it is on this connection's list of protected accounts"
        others = [o for o in everybody if o.get("id") != user.get("id") and o.get("active") is True]
        if _is_owner(user) and not any(_is_owner(other) for other in others):
            return "it is the last active owner of the enterprise among the managed users"
        for group in _groups(user):
            if group.name.lower() in self._admin_groups and not any(
                group.external_id == held.external_id for other in others for held in _groups(other)
            ):
                return f"it is the last active member of {group.name}"
        return ""


def _account(user: Mapping[str, Any], matched_by: str, is_protected: bool) -> Account:
    active = user.get("active")
    return Account(
        external_id=str(user.get("id")),
        login=str(user.get("userName") or user.get("id")),
        display_name=str(user.get("displayName") or ""),
        is_active=active if isinstance(active, bool) else None,
        matched_by=matched_by,
        entitlements=tuple(_groups(user)),
        is_protected=is_protected,
        emails=tuple(sorted(_addresses(user))),
        employee_number=str(user.get("externalId") or ""),
    )


def _groups(user: Mapping[str, Any]) -> list[Entitlement]:
    groups = user.get("groups")
    return [
        Entitlement(
            "identity provider group", str(group["value"]), str(group.get("display") or group["value"])
        )
        for group in (groups if isinstance(groups, list) else [])
        if isinstance(group, Mapping) and group.get("value")
    ]


def _addresses(user: Mapping[str, Any]) -> set[str]:
    emails = user.get("emails")
    listed = emails if isinstance(emails, list) else []
    return {str(e["value"]).lower() for e in listed if isinstance(e, Mapping) and e.get("value")}


def _is_owner(user: Mapping[str, Any]) -> bool:
    roles = user.get("roles")
    listed = roles if isinstance(roles, list) else []
    return any(isinstance(role, Mapping) and role.get("value") in OWNER_ROLES for role in listed)
