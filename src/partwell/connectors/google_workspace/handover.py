"""Giving things to a successor: the mailbox, an automatic reply, files, calendar, and owned groups.

Files and calendar go by Google's data transfer, which takes hours and works for suspended users as well. It
is not allowed while anything of the person is on hold in Vault.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from partwell.connector_kit.contract import (
    ConnectorError,
    ErrorKind,
    Job,
    JobState,
    TransferKind,
    TransferRequest,
)
from partwell.connectors.google_workspace.mailbox import Mailbox
from partwell.connectors.google_workspace.people import People
from partwell.connectors.google_workspace.rights import Rights, is_owner
from partwell.connectors.google_workspace.service import TRANSFERS, Google, as_object, identifier, segment

DATA_TRANSFER = "admin.datatransfer"
FOR_A_TIME = (TransferKind.MAILBOX, TransferKind.AUTO_REPLY)
# As Google numbers the applications whose data it transfers, with what has to be asked for to get all.
_APPLICATIONS: dict[TransferKind, tuple[str, list[dict[str, Any]]]] = {
    TransferKind.FILES: ("55656082996", [{"key": "PRIVACY_LEVEL", "value": ["PRIVATE", "SHARED"]}]),
    TransferKind.CALENDAR: ("435070579839", []),
}
_STATES = {"completed": JobState.DONE, "inProgress": JobState.RUNNING, "failed": JobState.FAILED}
_WHAT = {
    TransferKind.FILES: "Files in My Drive, shared or not; what is in the trash or in shared drives stays",
    TransferKind.CALENDAR: (
        "Future events of the main calendar that are not private and have a guest or a room; others stay"
    ),
}


class Handover:
    """What can be given to a successor in one Workspace."""

    def __init__(self, google: Google, people: People, rights: Rights, mailbox: Mailbox) -> None:
        self._google = google
        self._people = people
        self._rights = rights
        self._mailbox = mailbox

    async def transfer(self, user: Mapping[str, Any], request: TransferRequest) -> Job:
        """Give one kind of thing. Asked again, it finds the same job or shows what is there already."""
        if request.kind is TransferKind.AUTO_REPLY:
            return await self._mailbox.reply(user, request)
        if request.kind not in (TransferKind.MAILBOX, TransferKind.GROUPS, *_APPLICATIONS):
            raise ConnectorError(ErrorKind.UNSUPPORTED, "This connection cannot hand that over.")
        successor = await self._people.successor(request.successor)
        if identifier(successor) == identifier(user):
            raise ConnectorError(ErrorKind.CONFLICT, "The successor is the same user. Name somebody else.")
        if request.kind is TransferKind.MAILBOX:
            return await self._mailbox.give(user, successor)
        if request.kind is TransferKind.GROUPS:
            return await self._groups(user, successor)
        return await self._data(user, successor, request.kind)

    async def job(self, handle: str) -> Job:
        """How far it has come, read afresh."""
        kind, user_id, rest = _parts(handle)
        if kind in _APPLICATIONS:
            found = await self._google.find(f"{TRANSFERS}/transfers/{segment(rest)}", scope=DATA_TRANSFER)
            if found is None:
                return Job(handle, JobState.UNKNOWN, "Google no longer shows this transfer.")
            return _data_job(kind, found)
        user = await self._people.get(user_id)
        if user is None:
            return Job(
                handle, JobState.UNKNOWN, "There is no such user any more, nor what was given with it."
            )
        if kind is TransferKind.GROUPS:
            return await self._groups_job(user_id, rest, "")
        return await self._mailbox.job(kind, user, rest)

    async def end(self, handle: str) -> Job:
        """Take back what was given for a time."""
        kind, user_id, rest = _parts(handle)
        if kind not in FOR_A_TIME:
            raise ConnectorError(ErrorKind.UNSUPPORTED, "That was given for good, and is not taken back.")
        user = await self._people.get(user_id)
        if user is None:
            return Job(handle, JobState.DONE, "Read afresh: the user is gone, and what was given with it.")
        return await self._mailbox.end(kind, user, rest)

    # -- files and calendar ---------------------------------------------------------------------------

    async def _data(self, user: Mapping[str, Any], successor: Mapping[str, Any], kind: TransferKind) -> Job:
        application, parameters = _APPLICATIONS[kind]
        owners = {"oldOwnerUserId": identifier(user), "newOwnerUserId": identifier(successor)}
        earlier = await self._google.all(
            f"{TRANSFERS}/transfers", "dataTransfers", scope=DATA_TRANSFER, params=owners
        )
        ours = [
            each
            for each in earlier
            if {name: each.get(name) for name in owners} == owners
            and _status(each, application) != "failed"
            and any(a.get("applicationId") == application for a in each.get("applicationDataTransfers") or [])
        ]
        if ours:
            return _data_job(kind, max(ours, key=lambda each: str(each.get("requestTime") or "")))
        asked: dict[str, Any] = {"applicationId": application}
        if parameters:
            asked["applicationTransferParams"] = parameters
        answer = await self._google.call(
            "POST",
            f"{TRANSFERS}/transfers",
            scope=DATA_TRANSFER,
            body={**owners, "applicationDataTransfers": [asked]},
        )
        return _data_job(kind, as_object(answer.json()), answer.request_id)

    # -- groups ---------------------------------------------------------------------------------------

    async def _groups(self, user: Mapping[str, Any], successor: Mapping[str, Any]) -> Job:
        user_id, successor_id, stuck = identifier(user), identifier(successor), []
        for right in await self._rights.owned(user_id):
            try:
                await self._rights.make_owner(right.entitlement.external_id, successor_id)
            except ConnectorError as error:
                if not error.is_permanent or error.kind is ErrorKind.DENIED:
                    raise
                stuck.append(f"{right.name} ({error.message})")
        return await self._groups_job(user_id, successor_id, "; ".join(stuck))

    async def _groups_job(self, user_id: str, successor_id: str, stuck: str) -> Job:
        owned = await self._rights.owned(user_id)
        members = await self._rights.memberships(successor_id, owned)
        lacking = [r.name for r, member in zip(owned, members, strict=True) if not is_owner(member)]
        handle = f"{TransferKind.GROUPS}|{user_id}|{successor_id}"
        if lacking:
            why = f" {stuck}" if stuck else ""
            said = f"Read afresh: the successor does not own {', '.join(lacking)}.{why}"
            return Job(handle, JobState.FAILED, said)
        said = f"the successor owns all {len(owned)} groups that the leaver owns" if owned else ""
        return Job(handle, JobState.DONE, f"Read afresh: {said or 'the leaver owns no group'}.")


def _parts(handle: str) -> tuple[TransferKind, str, str]:
    """Kind, user and the rest of a handle. Raises INVALID for one that is not ours."""
    kind, _, rest = handle.partition("|")
    user_id, bar, last = rest.partition("|")
    if kind not in (*FOR_A_TIME, TransferKind.GROUPS, *_APPLICATIONS) or not bar or not user_id:
        raise ConnectorError(ErrorKind.INVALID, "This is not a hand-over that this connection began.")
    return TransferKind(kind), user_id, last


def _status(transfer: Mapping[str, Any], application: str) -> str:
    """The application's own status where it is given, which may be worse than the whole."""
    for each in transfer.get("applicationDataTransfers") or []:
        if each.get("applicationId") == application and each.get("applicationTransferStatus"):
            return str(each["applicationTransferStatus"])
    return str(transfer.get("overallTransferStatusCode") or "")


def _data_job(kind: TransferKind, transfer: Mapping[str, Any], request_id: str = "") -> Job:
    status = _status(transfer, _APPLICATIONS[kind][0])
    state = _STATES.get(status, JobState.UNKNOWN) if status else JobState.QUEUED
    asked_at = str(transfer.get("requestTime") or "")
    said = f"Google shows the transfer as '{status}'" if status else "Google took the transfer"
    return Job(
        f"{kind}|{transfer.get('oldOwnerUserId') or '-'}|{identifier(transfer)}",
        state,
        f"{said}. {_WHAT[kind]}.",
        request_id,
        {name: value for name, value in (("asked_at", asked_at), ("status", status)) if value},
    )
