"""Giving things to a successor: an automatic reply, the OneDrive, the groups that the leaver owns.

Graph cannot give a mailbox to somebody; Exchange's own tools can.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from html import escape
from typing import Any

from partwell.connector_kit.contract import (
    Connection,
    ConnectorError,
    ErrorKind,
    Job,
    JobState,
    TransferKind,
    TransferRequest,
)
from partwell.connectors.microsoft365.graph import Graph, segment
from partwell.connectors.microsoft365.people import People

CHANGES_MAILBOX_SETTINGS = "MailboxSettings.ReadWrite"
CHANGES_FILES = "Files.ReadWrite.All"
READS_OWNED = "Directory.Read.All"
CHANGES_OWNERS = "Group.ReadWrite.All"
NO_MAILBOX = (
    "Microsoft Graph cannot give a mailbox to somebody. In the Exchange admin centre, make it a shared "
    "mailbox or give the successor full access, before the licence is released."
)


class Handover:
    """What can be given to a successor in one tenant."""

    def __init__(self, connection: Connection, graph: Graph, people: People) -> None:
        self._now = connection.now
        self._graph = graph
        self._people = people

    async def transfer(self, user: Mapping[str, Any], request: TransferRequest) -> Job:
        """Give one kind of thing. Asked again, it shows what is there already."""
        if request.kind is TransferKind.AUTO_REPLY:
            return await self._reply(user, request)
        if request.kind is TransferKind.GROUPS:
            return await self._groups(user, request)
        if request.kind is TransferKind.FILES:
            return await self._files(user, request)
        words = (
            NO_MAILBOX if request.kind is TransferKind.MAILBOX else "This connection cannot hand that over."
        )
        raise ConnectorError(ErrorKind.UNSUPPORTED, words)

    async def job(self, handle: str) -> Job:
        """How far it has come, read afresh."""
        kind, _, rest = handle.partition("|")
        user_id, _, successor_id = rest.partition("|")
        if kind == TransferKind.AUTO_REPLY:
            return await self._reply_job(user_id)
        if kind == TransferKind.FILES and successor_id:
            return await self._files_job(user_id, successor_id, "")
        if kind == TransferKind.GROUPS and successor_id:
            return await self._groups_job(user_id, successor_id, "")
        raise ConnectorError(ErrorKind.INVALID, "This is not a hand-over that this connection began.")

    async def end(self, handle: str) -> Job:
        """Switch the automatic reply off, whoever wrote it since, and read that it is off. Files and groups
        are given for good."""
        kind, _, user_id = handle.partition("|")
        if kind != TransferKind.AUTO_REPLY:
            raise ConnectorError(ErrorKind.UNSUPPORTED, "This was given for good; take it away by hand.")
        try:
            if (await self._reply_settings(user_id)).get("status") != "disabled":
                await self._graph.call(
                    "PATCH",
                    f"/users/{segment(user_id)}/mailboxSettings",
                    needs=CHANGES_MAILBOX_SETTINGS,
                    body={"automaticRepliesSetting": {"status": "disabled"}},
                    limit="mailbox",
                )
            status = (await self._reply_settings(user_id)).get("status")
        except ConnectorError as error:
            if error.kind is not ErrorKind.NOT_FOUND:
                raise
            return Job(handle, JobState.DONE, "Read afresh: the mailbox is gone, and its reply with it.")
        if status == "disabled":
            return Job(handle, JobState.DONE, "Read afresh: the automatic reply is off.")
        return Job(handle, JobState.RUNNING, "The automatic reply was switched off, and shows still.")

    # -- automatic reply ------------------------------------------------------------------------------

    async def _reply(self, user: Mapping[str, Any], request: TransferRequest) -> Job:
        user_id = str(user["id"])
        words = request.text or f"{user.get('displayName')} has left. Please write to {request.successor}."
        message = escape(words).replace("\n", "<br>")
        before = await self._reply_settings(user_id)
        if not _says(before, message, request.ends_at):
            setting: dict[str, Any] = {
                "status": "scheduled" if request.ends_at else "alwaysEnabled",
                "externalAudience": "all",
                "internalReplyMessage": message,
                "externalReplyMessage": message,
            }
            if request.ends_at:
                setting["scheduledStartDateTime"] = _utc(self._now())
                setting["scheduledEndDateTime"] = _utc(request.ends_at)
            await self._graph.call(
                "PATCH",
                f"/users/{segment(user_id)}/mailboxSettings",
                needs=CHANGES_MAILBOX_SETTINGS,
                body={"automaticRepliesSetting": setting},
                limit="mailbox",
            )
        shows = _says(await self._reply_settings(user_id), message, request.ends_at)
        until = f" until {request.ends_at:%Y-%m-%d}" if request.ends_at else ""
        return Job(
            f"{TransferKind.AUTO_REPLY}|{user_id}",
            JobState.DONE if shows else JobState.QUEUED,
            f"The automatic reply {'is on' if shows else 'was set, but does not show yet'}{until}. It lives "
            "as long as the mailbox does: not beyond the licence.",
        )

    async def _reply_job(self, user_id: str) -> Job:
        status = (await self._reply_settings(user_id)).get("status")
        is_on = status in ("alwaysEnabled", "scheduled")
        return Job(
            f"{TransferKind.AUTO_REPLY}|{user_id}",
            JobState.DONE if is_on else JobState.UNKNOWN,
            "The automatic reply is on." if is_on else "Exchange shows no automatic reply.",
        )

    async def _reply_settings(self, user_id: str) -> dict[str, Any]:
        found = await self._graph.get(
            f"/users/{segment(user_id)}/mailboxSettings",
            needs=CHANGES_MAILBOX_SETTINGS,
            params={"$select": "automaticRepliesSetting"},
            limit="mailbox",
        )
        if found is None:
            raise ConnectorError(
                ErrorKind.NOT_FOUND, "There is no mailbox: no licence, or it is gone already."
            )
        setting = found.get("automaticRepliesSetting")
        return setting if isinstance(setting, dict) else {}

    # -- groups ---------------------------------------------------------------------------------------

    async def _groups(self, user: Mapping[str, Any], request: TransferRequest) -> Job:
        user_id, successor = str(user["id"]), await self._people.successor(request.successor)
        successor_id, stuck = str(successor["id"]), []
        for group in await self._owned_groups(user_id):
            name, path = str(group.get("displayName") or group["id"]), f"/groups/{segment(str(group['id']))}"
            if group.get("onPremisesSyncEnabled") is True:
                stuck.append(f"{name} (kept by on-premises Active Directory)")
                continue
            try:
                await self._own(path, user_id, successor_id)
            except ConnectorError as error:
                if not error.is_permanent or error.kind is ErrorKind.DENIED:
                    raise
                stuck.append(f"{name} ({error.message})")
        return await self._groups_job(user_id, successor_id, "; ".join(stuck))

    async def _own(self, path: str, user_id: str, successor_id: str) -> None:
        owners = await self._graph.all(f"{path}/owners", needs=READS_OWNED, params={"$select": "id"})
        ids = {str(owner["id"]) for owner in owners}
        if successor_id not in ids:
            await self._graph.call(
                "POST",
                f"{path}/owners/$ref",
                needs=CHANGES_OWNERS,
                body={"@odata.id": f"{self._graph.root}/users/{segment(successor_id)}"},
                limit="write",
            )
        # Only now: a group may not lose its last owner.
        if user_id in ids:
            try:
                ref = f"{path}/owners/{segment(user_id)}/$ref"
                await self._graph.call("DELETE", ref, needs=CHANGES_OWNERS, limit="write")
            except ConnectorError as error:
                if error.kind is not ErrorKind.NOT_FOUND:
                    raise

    async def _groups_job(self, user_id: str, successor_id: str, stuck: str) -> Job:
        handle = f"{TransferKind.GROUPS}|{user_id}|{successor_id}"
        left = await self._owned_groups(user_id)
        if not left:
            return Job(handle, JobState.DONE, "Read afresh: the person owns no group any more.")
        names = ", ".join(sorted(str(group.get("displayName") or group["id"]) for group in left)[:10])
        if stuck:
            return Job(handle, JobState.FAILED, f"Still owned: {names}. By hand: {stuck}.")
        return Job(handle, JobState.RUNNING, f"Read afresh: {len(left)} groups are still owned ({names}).")

    async def _owned_groups(self, user_id: str) -> list[dict[str, Any]]:
        listed = await self._graph.all(
            f"/users/{segment(user_id)}/ownedObjects",
            needs=READS_OWNED,
            params={"$select": "id,displayName,onPremisesSyncEnabled"},
        )
        return [each for each in listed if each.get("@odata.type") == "#microsoft.graph.group"]

    # -- files ----------------------------------------------------------------------------------------

    async def _files(self, user: Mapping[str, Any], request: TransferRequest) -> Job:
        user_id, successor = str(user["id"]), await self._people.successor(request.successor)
        successor_id = str(successor["id"])
        if not await self._may_write(user_id, successor_id):
            await self._graph.call(
                "POST",
                f"/users/{segment(user_id)}/drive/root/invite",
                needs=CHANGES_FILES,
                body={
                    "recipients": [{"objectId": successor_id}],
                    "roles": ["write"],
                    "requireSignIn": True,
                    "sendInvitation": False,
                },
                limit="write",
            )
        # OneDrive for work ends only links by a date, not permissions.
        until = request.ends_at
        ends = f" It does not end by itself on {until:%Y-%m-%d}: take it away by hand." if until else ""
        return await self._files_job(user_id, successor_id, ends)

    async def _files_job(self, user_id: str, successor_id: str, ends: str) -> Job:
        shows = await self._may_write(user_id, successor_id)
        said = (
            "may read and change the whole OneDrive" if shows else "does not show among its permissions yet"
        )
        return Job(
            f"{TransferKind.FILES}|{user_id}|{successor_id}",
            JobState.DONE if shows else JobState.RUNNING,
            f"Read afresh: the successor {said}.{ends} What is not copied goes when the account is deleted.",
        )

    async def _may_write(self, user_id: str, successor_id: str) -> bool:
        path = f"/users/{segment(user_id)}/drive/root"
        if await self._graph.get(path, needs=CHANGES_FILES, params={"$select": "id"}) is None:
            raise ConnectorError(ErrorKind.NOT_FOUND, "There is no OneDrive: never opened, or gone already.")
        for each in await self._graph.all(f"{path}/permissions", needs=CHANGES_FILES):
            granted = each.get("grantedToV2") or {}
            holder = (granted.get("user") or {}).get("id")
            if holder == successor_id and {"write", "owner"} & set(each.get("roles") or []):
                return True
        return False


def _utc(at: datetime) -> dict[str, str]:
    return {"dateTime": at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.0000000"), "timeZone": "UTC"}


def _says(setting: Mapping[str, Any], message: str, ends_at: datetime | None) -> bool:
    """Whether Exchange shows this reply. It puts the message into a page of its own."""
    if setting.get("status") != ("scheduled" if ends_at else "alwaysEnabled"):
        return False
    if ends_at is not None:
        shown = str((setting.get("scheduledEndDateTime") or {}).get("dateTime") or "")
        if shown[:19] != _utc(ends_at)["dateTime"][:19]:
            return False
    return all(
        message in str(setting.get(name) or "") for name in ("internalReplyMessage", "externalReplyMessage")
    )
