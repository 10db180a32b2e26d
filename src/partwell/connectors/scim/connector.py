"""Accounts in any service that speaks SCIM 2.0.

SCIM knows users and groups. It knows no sessions and no sign-in, so a suspension is proven by reading back
only, and whoever is signed in may stay so until the service itself ends the session: `verify` says both.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
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
    TestReport,
    Verb,
    Verdict,
)
from partwell.connector_kit.transport import Answer, Transport
from partwell.connectors.scim.holdings import certificates, reports
from partwell.connectors.scim.resources import active as is_active
from partwell.connectors.scim.resources import employee_number, members, name, values
from partwell.connectors.scim.rights import Rights, names, own_rights, saved
from partwell.connectors.scim.service import ScimService, text_filter

MATCH_ON = ("userName", "emails", "externalId")
NO_GROUPS = "This connection has no groups (settings: groups: false), so nothing is known of memberships."
SESSIONS = "SCIM does not show open sessions: whoever is signed in may stay so until the service ends it."


class ScimConnector:
    """See the manifest for settings and the README for the rights that the token needs."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        settings = connection.settings
        self._transport: Transport = connection.transport
        self._service = ScimService(connection)
        self._match_on = tuple(settings.get("match_on", MATCH_ON))
        self._has_groups = bool(settings.get("groups", True))
        self._asks_for_reports = bool(settings.get("reports", True))
        self._rights = Rights(self._service, has_groups=self._has_groups)
        self._protected = {name.lower() for name in settings.get("protected", [])}
        self._admin_groups = {name.lower() for name in settings.get("admin_groups", [])}
        self._settles_within = timedelta(seconds=float(settings.get("settles_within_seconds", 300)))
        self._accepted: dict[tuple[str, Verb], datetime] = {}

    async def close(self) -> None:
        """Nothing to let go of: connections belong to the transport."""

    # -- asking ---------------------------------------------------------------------------------------

    async def test(self) -> TestReport:
        """Read the service's own description, one user and one group. Changes nothing."""
        problems: list[str] = []
        try:
            description, _ = await self._service.call("GET", "/ServiceProviderConfig")
            if not (description.get("patch") or {}).get("supported"):
                problems.append("The service does not support PATCH, so it cannot suspend or change groups.")
            if not (description.get("filter") or {}).get("supported"):
                problems.append("The service does not support filters, so nobody can be found.")
            kinds = ("Users", "Groups") if self._has_groups else ("Users",)
            for kind in kinds:
                await self._service.call("GET", f"/{kind}", params={"count": "1"})
        except ConnectorError as error:
            return TestReport(False, error.message, (error.message,))
        if problems:
            return TestReport(
                False, "The service answers, but cannot do all that is needed.", tuple(problems)
            )
        return TestReport(
            True,
            "The service answers and lets us read. Whether writes are allowed shows with the first one: SCIM "
            "has no way to ask beforehand.",
        )

    async def discover(self, identity: Identity) -> list[Account]:
        """All users that match one fact about the person exactly, compared here as well.

        A service that ignores a filter returns everybody; without our comparison the wrong people are cut.
        """
        wanted = [("externalId", identity.employee_number)] if identity.employee_number else []
        wanted += [("userName", name) for name in (*identity.usernames, *identity.emails)]
        wanted += [("emails", mail) for mail in identity.emails]
        found: dict[str, tuple[dict[str, Any], str]] = {}
        for attribute, value in wanted:
            if attribute not in self._match_on:
                continue
            path = "emails.value" if attribute == "emails" else attribute
            for user in await self._service.find("Users", text_filter(path, value)):
                if value.lower() in values(user, attribute):
                    found.setdefault(str(user["id"]), (user, f"{attribute} {value}"))
        return [await self._account(user, matched_by) for user, matched_by in found.values()]

    async def read(self, external_id: str) -> Account | None:
        """The user afresh, with groups, roles and entitlements."""
        user = await self._service.get("Users", external_id)
        return await self._account(user) if user else None

    async def list_accounts(self) -> AsyncIterator[list[Account]]:
        """Every user, in the service's own order. Groups are not asked for, so of the protected accounts
        only those that the settings name are marked."""
        async for users in self._service.pages("Users"):
            yield [self._summary(user) for user in users]

    async def holdings(self, external_id: str) -> list[Holding]:
        """Certificates, and the people who report to this one. Roles and groups are entitlements."""
        user = await self._service.get("Users", external_id)
        if user is None:
            return []
        found = certificates(user)
        return found + (await reports(self._service, external_id) if self._asks_for_reports else [])

    async def snapshot(self, external_id: str) -> Snapshot:
        """What `restore` needs: whether the user was active, the groups, roles and entitlements."""
        user = await self._must_get(external_id)
        groups = [{"id": str(g["id"]), "name": name(g)} for g in await self._rights.groups(external_id)]
        state = {"userName": str(user.get("userName", "")), "active": is_active(user), "groups": groups}
        return Snapshot(self.connection.now(), {**state, **saved(user)})

    # -- changing -------------------------------------------------------------------------------------

    async def suspend(self, external_id: str) -> Receipt:
        """Set `active` to false."""
        self._transport.check_write()
        user = await self._service.get("Users", external_id)
        if user is None:
            return Receipt(Outcome.ALREADY_DONE, "There is no such user any more.")
        if is_active(user) is False:
            return Receipt(Outcome.ALREADY_DONE, "It was inactive before.")
        await self._refuse_protected(user)
        operation = {"op": "replace", "path": "active", "value": False}
        answer = await self._service.patch_or_gone("Users", external_id, operation)
        if answer is None:
            return Receipt(Outcome.ALREADY_DONE, "The user was deleted meanwhile.")
        return self._receipt(external_id, Verb.SUSPEND, [answer], "Asked to set active to false", operation)

    async def remove_entitlements(self, external_id: str) -> Receipt:
        """Take the user out of every group, and roles and entitlements away. One that refuses does not stop
        the others."""
        self._transport.check_write()
        user = await self._service.get("Users", external_id)
        if user is None:
            return Receipt(Outcome.ALREADY_DONE, "There is no such user any more.")
        groups, own = await self._rights.groups(external_id), own_rights(user)
        if not groups and not own:
            if not self._has_groups:
                raise ConnectorError(ErrorKind.UNSUPPORTED, NO_GROUPS)
            return Receipt(Outcome.ALREADY_DONE, "It was in no group, and had no role or entitlement.")
        await self._refuse_protected(user)
        answers, asked = await self._rights.take(external_id, groups)
        what = f"Asked to leave {len(groups)} groups and to lose {len(own)} roles and entitlements"
        return self._receipt(external_id, Verb.REMOVE_ENTITLEMENTS, answers, what, asked)

    async def restore(self, external_id: str, verb: Verb, snapshot: Snapshot) -> Receipt:
        """Put back what `snapshot` shows for `verb`. Groups deleted since are named, not made anew."""
        self._transport.check_write()
        if verb is Verb.SUSPEND:
            user = await self._must_get(external_id)
            if is_active(user) is True:
                return Receipt(Outcome.ALREADY_DONE, "It is active.")
            if snapshot.state.get("active") is False:
                return Receipt(Outcome.ALREADY_DONE, "It was inactive before the cut, and stays so.")
            operation = {"op": "replace", "path": "active", "value": True}
            answer = await self._service.patch("Users", external_id, operation)
            self._accepted.pop((external_id, verb), None)
            outcome = Outcome.ACCEPTED if answer.status == 202 else Outcome.DONE
            return Receipt(outcome, "Asked to set active to true.", answer.request_id, operation)
        if verb is not Verb.REMOVE_ENTITLEMENTS:
            raise ConnectorError(ErrorKind.UNSUPPORTED, f"SCIM cannot undo '{verb}'.")
        given = await self._rights.give(await self._must_get(external_id), snapshot.state)
        if not given:
            return Receipt(Outcome.ALREADY_DONE, "It has all of its groups, roles and entitlements.")
        return Receipt(Outcome.DONE, f"Asked for what was taken away, in {given} requests.")

    # -- proving --------------------------------------------------------------------------------------

    async def verify(self, external_id: str, verb: Verb) -> Proof:
        """Read afresh. There is no negative probe in SCIM; the sentence says what was and was not proven."""
        if verb not in (Verb.SUSPEND, Verb.REMOVE_ENTITLEMENTS):
            return Proof(Verdict.UNVERIFIABLE, f"SCIM cannot be asked whether '{verb}' holds.")
        user = await self._service.get("Users", external_id)
        if user is None:
            return Proof(Verdict.CONFIRMED, f"Read afresh: there is no such user any more. {SESSIONS}")
        if verb is Verb.REMOVE_ENTITLEMENTS:
            return await self._rights_proof(user)
        active = is_active(user)
        if active is False:
            return Proof(Verdict.CONFIRMED, f"Read afresh: active is false. {SESSIONS}")
        if active is None:
            return Proof(
                Verdict.UNVERIFIABLE, "Read afresh: the service does not show whether the user is active."
            )
        return self._not_yet(external_id, verb, "Read afresh: active is still true.")

    async def _rights_proof(self, user: Mapping[str, Any]) -> Proof:
        held = _held(await self._rights.groups(str(user["id"])), user)
        if held:
            read = f"Read afresh: it still has {len(held)} ({names(held)})."
            return self._not_yet(str(user["id"]), Verb.REMOVE_ENTITLEMENTS, read)
        if not self._has_groups:
            return Proof(Verdict.UNVERIFIABLE, NO_GROUPS)
        return Proof(
            Verdict.CONFIRMED,
            "Read afresh: no group has this user as a member, and it has no role or entitlement.",
        )

    def _not_yet(self, external_id: str, verb: Verb, read: str) -> Proof:
        accepted_at = self._accepted.get((external_id, verb))
        if accepted_at and self.connection.now() < accepted_at + self._settles_within:
            return Proof(Verdict.PENDING, read, retry_until=accepted_at + self._settles_within)
        return Proof(Verdict.FAILED, read)

    # -- reading --------------------------------------------------------------------------------------

    async def _account(self, user: Mapping[str, Any], matched_by: str = "") -> Account:
        user_id = str(user["id"])
        groups = await self._rights.groups(user_id)
        return Account(
            external_id=user_id,
            login=str(user.get("userName") or user_id),
            display_name=str(user.get("displayName") or ""),
            is_active=is_active(user),
            matched_by=matched_by,
            entitlements=tuple(_held(groups, user)),
            is_protected=await self._why_protected(user, groups) != "",
        )

    def _summary(self, user: Mapping[str, Any]) -> Account:
        return Account(
            external_id=str(user["id"]),
            login=str(user.get("userName") or user["id"]),
            display_name=str(user.get("displayName") or ""),
            is_active=is_active(user),
            is_protected=self._is_listed_as_protected(user),
            emails=tuple(sorted(values(user, "emails") - {""})),
            employee_number=employee_number(user),
        )

    async def _must_get(self, external_id: str) -> dict[str, Any]:
        user = await self._service.get("Users", external_id)
        if user is None:
            raise ConnectorError(ErrorKind.NOT_FOUND, "There is no such user any more.")
        return user

    def _receipt(
        self, external_id: str, verb: Verb, answers: list[Answer], what: str, request: Mapping[str, Any]
    ) -> Receipt:
        statuses = [answer.status for answer in answers]
        outcome = Outcome.ACCEPTED if 202 in statuses else Outcome.DONE
        if outcome is Outcome.ACCEPTED:
            self._accepted[(external_id, verb)] = self.connection.now()
        return Receipt(
            outcome,
            f"{what}; the service answered {', '.join(map(str, sorted(set(statuses)))) or 'nothing'}.",
            next((answer.request_id for answer in answers if answer.request_id), ""),
            request,
            {"statuses": statuses},
        )

    # -- protecting -----------------------------------------------------------------------------------

    async def _refuse_protected(self, user: Mapping[str, Any]) -> None:
        reason = await self._why_protected(user, await self._rights.groups(str(user["id"])))
        if reason:
            raise ConnectorError(
                ErrorKind.CONFLICT,
                f"{user.get('userName', 'This user')} is protected: {reason}. Nothing was changed.",
            )

    async def _why_protected(self, user: Mapping[str, Any], groups: list[dict[str, Any]]) -> str:
        user_id = str(user["id"])
        if self._is_listed_as_protected(user):
            return "it is on this connection's list of protected accounts"
        for group in groups:
            if name(group).lower() not in self._admin_groups:
                continue
            others = [member for member in members(group) if member != user_id]
            if not await self._any_active(others):
                return f"it is the last active administrator in {name(group)}"
        return ""

    def _is_listed_as_protected(self, user: Mapping[str, Any]) -> bool:
        return bool({str(user["id"]).lower(), str(user.get("userName", "")).lower()} & self._protected)

    async def _any_active(self, user_ids: list[str]) -> bool:
        for user_id in user_ids:
            other = await self._service.get("Users", user_id)
            if other is not None and is_active(other):
                return True
        return False


def _held(groups: list[dict[str, Any]], user: Mapping[str, Any]) -> list[Entitlement]:
    return [Entitlement("group", str(each["id"]), name(each)) for each in groups] + own_rights(user)


CONNECTOR = ScimConnector
