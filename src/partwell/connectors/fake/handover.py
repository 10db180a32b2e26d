"""What practice systems give to a successor: the mailbox, an automatic reply, the files."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from partwell.connector_kit.contract import (
    ConnectorError,
    ErrorKind,
    Job,
    JobState,
    TransferKind,
    TransferRequest,
)
from partwell.connectors.fake.store import FakeStore

KINDS = (TransferKind.MAILBOX, TransferKind.AUTO_REPLY, TransferKind.FILES)
FOR_A_TIME = (TransferKind.MAILBOX, TransferKind.AUTO_REPLY)
WORDS = {
    TransferKind.MAILBOX: "{to} reads the mailbox",
    TransferKind.AUTO_REPLY: "the automatic reply is on",
    TransferKind.FILES: "{to} owns the files",
}


class Handover:
    """Giving and taking back in one practice system, as its `mode` lets it."""

    def __init__(
        self, store: FakeStore, system: str, mode: tuple[str, dict[str, Any]], die_if: Callable[[str], None]
    ) -> None:
        self._store, self._system, self._die_if = store, system, die_if
        self._mode, self._options = mode

    def transfer(self, external_id: str, request: TransferRequest, *, at: datetime) -> Job:
        """Give one kind of thing; what is there already is shown."""
        if request.kind not in KINDS:
            raise ConnectorError(ErrorKind.UNSUPPORTED, "Practice systems have nothing of that kind.")
        state = self._check(external_id)
        given = {
            "to": request.successor,
            "ends_at": request.ends_at.isoformat() if request.ends_at else "",
            "text": request.text,
        }
        handle = f"{request.kind}|{external_id}|{request.successor}"
        if (state.get("handed") or {}).get(request.kind) == given:
            return self._shown(handle, state)
        if request.kind is TransferKind.MAILBOX and not state["is_active"]:
            raise ConnectorError(ErrorKind.CONFLICT, "The account is suspended; its mailbox opens to nobody.")
        self._die_if("dies_before")
        if self._mode == "jobs_fail":
            return Job(handle, JobState.FAILED, "The job failed: nothing was given.")
        if self._mode == "lies":
            # It says so and does not do it, as `job` finds out.
            return Job(handle, JobState.RUNNING, "Nearly done.")
        if self._mode == "accepts_later":
            asked = {f"asked:{request.kind}": given}
            self._store.edit(self._system, external_id, **asked)
            return Job(handle, JobState.QUEUED, "Taken, to be done later.")
        self._give(external_id, request.kind, given, at)
        self._die_if("dies_after")
        return self._shown(handle, self._check(external_id))

    def job(self, handle: str, *, at: datetime) -> Job:
        """How far it has come, read afresh."""
        kind, external_id, _ = self._parts(handle)
        state = self._store.account(self._system, external_id)
        if state is None:
            return Job(handle, JobState.UNKNOWN, "There is no such account any more.")
        asked = state.get(f"asked:{kind}")
        if asked and (state.get("handed") or {}).get(kind) != asked:
            reads = self._store.count(self._system, f"looks:{handle}")
            if reads < int(self._options.get("reads", 2)):
                return Job(handle, JobState.RUNNING, "Still at it.")
            self._give(external_id, kind, asked, at)
            state = self._store.account(self._system, external_id) or {}
        return self._shown(handle, state)

    def end(self, handle: str, *, at: datetime) -> Job:
        """Take back what was given for a time, and read that it is gone."""
        kind, external_id, _ = self._parts(handle)
        if kind not in FOR_A_TIME:
            raise ConnectorError(ErrorKind.UNSUPPORTED, "This was given for good.")
        if self._store.account(self._system, external_id) is None:
            return Job(handle, JobState.DONE, "There is no such account any more.")
        if self._mode == "denies":
            raise ConnectorError(ErrorKind.DENIED, "The system refused: our account may not do this.")

        def take(state: dict[str, Any]) -> bool:
            return (state.get("handed") or {}).pop(kind.value, None) is not None

        if self._mode != "lies":
            self._store.apply(self._system, external_id, f"end:{kind.value}", take, at=at)
        state = self._store.account(self._system, external_id) or {}
        if kind in (state.get("handed") or {}):
            return Job(handle, JobState.RUNNING, "Read afresh: it is given still.")
        return Job(handle, JobState.DONE, "Read afresh: it is given to nobody any more.")

    def _check(self, external_id: str) -> dict[str, Any]:
        state = self._store.account(self._system, external_id)
        if state is None:
            raise ConnectorError(ErrorKind.NOT_FOUND, "There is no such account.")
        if self._mode == "denies":
            raise ConnectorError(ErrorKind.DENIED, "The system refused: our account may not do this.")
        if state["is_protected"]:
            raise ConnectorError(ErrorKind.CONFLICT, "This account is protected. Nothing was changed.")
        return state

    def _give(self, external_id: str, kind: TransferKind, given: dict[str, str], at: datetime) -> None:
        def put(state: dict[str, Any]) -> bool:
            state["handed"] = {**(state.get("handed") or {}), kind.value: given}
            return True

        self._store.apply(self._system, external_id, f"give:{kind.value}", put, at=at)

    def _shown(self, handle: str, state: dict[str, Any]) -> Job:
        kind, _, to = self._parts(handle)
        given = (state.get("handed") or {}).get(kind)
        if given and given["to"] == to:
            return Job(handle, JobState.DONE, f"Read afresh: {WORDS[kind].format(to=to)}.")
        return Job(handle, JobState.UNKNOWN, "Read afresh: it was not given, and no job is known.")

    def _parts(self, handle: str) -> tuple[TransferKind, str, str]:
        kind, _, rest = handle.partition("|")
        external_id, _, to = rest.rpartition("|")
        if kind not in {each.value for each in KINDS}:
            raise ConnectorError(ErrorKind.INVALID, "This is no hand-over of a practice system.")
        return TransferKind(kind), external_id, to
