"""A mailbox for a time: reading it by a successor (delegation), and an automatic reply.

Gmail is asked in the name of the mailbox's owner, and answers only while that user is not suspended. Mail to
a suspended user is rejected, so nothing is answered then; what a delegate sees of it, Gmail does not tell.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any

from partwell.connector_kit.contract import (
    Connection,
    ConnectorError,
    ErrorKind,
    Holding,
    HoldingKind,
    Job,
    JobState,
    TransferKind,
    TransferRequest,
)
from partwell.connectors.google_workspace.people import is_shut, login_of, status_of
from partwell.connectors.google_workspace.service import GMAIL, Google, as_list, as_object, segment

SHARING = "gmail.settings.sharing"
BASIC = "gmail.settings.basic"
WHILE_ACTIVE = " Count on it until the user is suspended: from then on, mail is rejected."


class Mailbox:
    """The mailboxes behind one connection."""

    def __init__(self, connection: Connection, google: Google) -> None:
        self._now = connection.now
        self._google = google

    async def give(self, user: Mapping[str, Any], successor: Mapping[str, Any]) -> Job:
        """Let the successor read the mailbox and answer from it."""
        _check_reachable(user)
        delegate = login_of(successor)
        if not await self._is_open_to(user, delegate):
            await self._google.call(
                "POST",
                _settings(user, "delegates"),
                scope=SHARING,
                subject=login_of(user),
                body={"delegateEmail": delegate},
                limit="gmail",
            )
        return await self._open_job(user, delegate)

    async def _open_job(self, user: Mapping[str, Any], delegate: str) -> Job:
        is_open = await self._is_open_to(user, delegate)
        said = (
            "may open it"
            if is_open
            else "is not shown as somebody who may open it (a new one may take a minute)"
        )
        return Job(
            f"{TransferKind.MAILBOX}|{user['id']}|{delegate}",
            JobState.DONE if is_open else JobState.QUEUED,
            f"Read afresh, from the mailbox: {delegate} {said}.{WHILE_ACTIVE}",
        )

    async def _is_open_to(self, user: Mapping[str, Any], delegate: str) -> bool:
        found = await self._google.find(
            _settings(user, f"delegates/{segment(delegate)}"),
            scope=BASIC,
            subject=login_of(user),
            limit="gmail",
        )
        return found is not None and found.get("verificationStatus") == "accepted"

    async def reply(self, user: Mapping[str, Any], request: TransferRequest) -> Job:
        """Tell whoever writes whom to turn to."""
        _check_reachable(user)
        name = user.get("name")
        who = str(name.get("fullName") or "") if isinstance(name, Mapping) else ""
        words = request.text or f"{who or login_of(user)} has left. Please write to {request.successor}."
        if not _says(await self._vacation(user), words, request.ends_at):
            body: dict[str, Any] = {
                "enableAutoReply": True,
                "responseBodyPlainText": words,
                "restrictToContacts": False,
                "restrictToDomain": False,
                "startTime": _milliseconds(self._now()),
            }
            if request.ends_at:
                body["endTime"] = _milliseconds(request.ends_at)
            await self._set_vacation(user, body)
        shows = _says(await self._vacation(user), words, request.ends_at)
        said = "is on" if shows else "was set, and does not show yet"
        until = f" until {request.ends_at:%Y-%m-%d}" if request.ends_at else ""
        return Job(
            f"{TransferKind.AUTO_REPLY}|{user['id']}|",
            JobState.DONE if shows else JobState.QUEUED,
            f"The automatic reply {said}{until}.{WHILE_ACTIVE}",
        )

    async def job(self, kind: TransferKind, user: Mapping[str, Any], delegate: str) -> Job:
        """What the mailbox shows now."""
        if kind is TransferKind.MAILBOX:
            return await self._open_job(user, delegate)
        is_on = (await self._vacation(user)).get("enableAutoReply") is True
        return Job(
            f"{kind}|{user['id']}|",
            JobState.DONE if is_on else JobState.UNKNOWN,
            "The automatic reply is on." if is_on else "Gmail shows no automatic reply.",
        )

    async def end(self, kind: TransferKind, user: Mapping[str, Any], delegate: str) -> Job:
        """Take it back, and read that it is gone. Of a suspended user, Gmail may not be asked."""
        handle = f"{kind}|{user['id']}|{delegate}"
        try:
            gone = await (self._close_to(user, delegate) if delegate else self._be_quiet(user))
        except ConnectorError as error:
            if not error.is_permanent or not is_shut(user):
                raise
            return Job(
                handle,
                JobState.UNKNOWN,
                f"The user is {status_of(user)}, and Gmail does not answer for it: what was given can "
                "neither be taken back nor read. Mail to it is rejected. Take it back when the user is let "
                "in again, or delete the user: it goes with it.",
                error.request_id,
            )
        what = f"{delegate} may no longer open the mailbox" if delegate else "The automatic reply is off"
        if not gone:
            return Job(handle, JobState.FAILED, f"Gmail said yes, and reading back does not show: {what}.")
        return Job(handle, JobState.DONE, f"Read afresh: {what}.")

    async def _close_to(self, user: Mapping[str, Any], delegate: str) -> bool:
        url = _settings(user, f"delegates/{segment(delegate)}")
        await self._google.delete(url, scope=SHARING, subject=login_of(user), limit="gmail")
        found = await self._google.find(url, scope=BASIC, subject=login_of(user), limit="gmail")
        return found is None

    async def _be_quiet(self, user: Mapping[str, Any]) -> bool:
        before = await self._vacation(user)
        if before.get("enableAutoReply") is True:
            await self._set_vacation(user, {**before, "enableAutoReply": False})
        return (await self._vacation(user)).get("enableAutoReply") is not True

    # -- what gets at it ------------------------------------------------------------------------------

    async def holdings(self, user: Mapping[str, Any]) -> list[Holding]:
        """Who else opens the mailbox."""
        return [
            Holding(HoldingKind.TOKEN, f"delegate:{who}", f"mailbox opens to {who}")
            for who in await self._listed(user, "delegates", "delegateEmail")
        ]

    async def forwards(self, user: Mapping[str, Any]) -> list[str]:
        """The addresses that mail may be forwarded to."""
        return await self._listed(user, "forwardingAddresses", "forwardingEmail")

    def stopping(self, user: Mapping[str, Any], address: str) -> Callable[[], Awaitable[object]]:
        """A call that takes back that mail may be forwarded to an address."""

        async def stop() -> object:
            url = _settings(user, f"forwardingAddresses/{segment(address)}")
            return await self._google.delete(url, scope=SHARING, subject=login_of(user), limit="gmail")

        return stop

    async def _listed(self, user: Mapping[str, Any], what: str, name: str) -> list[str]:
        """None for a user who is shut or has no Gmail: there is no mail, and Gmail says nothing."""
        if is_shut(user) or user.get("isMailboxSetup") is False:
            return []
        try:
            answer = await self._google.call(
                "GET", _settings(user, what), scope=BASIC, subject=login_of(user), limit="gmail"
            )
        except ConnectorError as error:
            if error.kind is ErrorKind.CONFLICT:
                return []
            raise
        rows = as_list(as_object(answer.json()).get(what, []))
        return [str(each[name]) for each in rows if each.get(name)]

    # -- the automatic reply --------------------------------------------------------------------------

    async def _vacation(self, user: Mapping[str, Any]) -> dict[str, Any]:
        answer = await self._google.call(
            "GET", _settings(user, "vacation"), scope=BASIC, subject=login_of(user), limit="gmail"
        )
        return as_object(answer.json())

    async def _set_vacation(self, user: Mapping[str, Any], body: Mapping[str, Any]) -> None:
        await self._google.call(
            "PUT",
            _settings(user, "vacation"),
            scope=BASIC,
            subject=login_of(user),
            body=dict(body),
            limit="gmail",
        )


def _settings(user: Mapping[str, Any], what: str) -> str:
    return f"{GMAIL}/users/{segment(login_of(user))}/settings/{what}"


def _check_reachable(user: Mapping[str, Any]) -> None:
    if is_shut(user):
        raise ConnectorError(
            ErrorKind.CONFLICT,
            f"The user is {status_of(user)}: Gmail changes nothing of its mailbox and rejects mail to it. "
            "Route its address elsewhere in the Admin console (Gmail, Default routing), or let the user in "
            "first.",
        )
    if user.get("isMailboxSetup") is False:
        raise ConnectorError(ErrorKind.NOT_FOUND, "The user has no mailbox: no Gmail, or never set up.")


def _milliseconds(at: datetime) -> str:
    return str(int(at.timestamp() * 1000))


def _says(setting: Mapping[str, Any], words: str, ends_at: datetime | None) -> bool:
    """Whether Gmail shows this reply. It may break lines otherwise than they were given."""
    if setting.get("enableAutoReply") is not True:
        return False
    ends = str(setting.get("endTime") or "")
    if ends != (_milliseconds(ends_at) if ends_at else ""):
        return False
    return str(setting.get("responseBodyPlainText") or "").split() == words.split()
