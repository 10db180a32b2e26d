"""The connector to practice systems. See README.md for how they can misbehave."""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import secrets
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from partwell.connector_kit.calls import Call
from partwell.connector_kit.contract import (
    Account,
    Connection,
    ConnectorError,
    Entitlement,
    ErrorKind,
    Holding,
    HoldingKind,
    Identity,
    Job,
    JobState,
    Nature,
    Outcome,
    Proof,
    Receipt,
    Rotation,
    Snapshot,
    TestReport,
    TransferRequest,
    Verb,
    Verdict,
)
from partwell.connectors.fake.handover import Handover
from partwell.connectors.fake.store import FakeStore

PAGE_SIZE = 500
NOT_SENT = Receipt(Outcome.DONE, "This is a dry run: nothing was changed.")
NOTHING_GIVEN = Job("", JobState.QUEUED, "A dry run gives nothing and takes nothing back.")


class FakeConnector:
    """Keeps every rule of the contract, unless its mode tells it to misbehave."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.store = FakeStore(connection.settings["store"])
        self.system = connection.name

    async def close(self) -> None:
        """Nothing is held open between calls."""

    async def test(self) -> TestReport:
        await self._answer("test")
        mode, _ = self._mode()
        if mode == "denies":
            return TestReport(False, "It can be read, but refuses writes.", ("our account may not write",))
        return TestReport(True, f"{len(self.store.accounts(self.system))} accounts can be read.")

    async def discover(self, identity: Identity) -> list[Account]:
        await self._answer("discover")
        known = {email.lower() for email in identity.emails}
        found = []
        for account_id, state in self.store.accounts(self.system).items():
            if known & set(state["emails"]):
                matched_by = "e-mail"
            elif state["login"] in identity.usernames:
                matched_by = "user name"
            elif identity.employee_number and state["employee_number"] == identity.employee_number:
                matched_by = "employee number"
            else:
                continue
            found.append(_account(account_id, state, matched_by))
        if found and self._mode()[0] == "two_matches":
            first = found[0]
            found.append(Account(f"{first.external_id}-twin", f"{first.login}-twin", is_active=True))
        return found

    async def read(self, external_id: str) -> Account | None:
        await self._answer("read")
        state = self.store.account(self.system, external_id)
        return None if state is None else _account(external_id, state, "")

    async def list_accounts(self) -> AsyncIterator[list[Account]]:
        after = ""
        while True:
            await self._answer("list")
            page = self.store.page(self.system, after=after, limit=PAGE_SIZE)
            if after and self._mode()[0] == "breaks_off":
                raise ConnectorError(ErrorKind.RETRYABLE, "The connection was reset within the list.")
            if not page:
                return
            yield [_account(account_id, state, "") for account_id, state in page.items()]
            after = max(page)

    async def holdings(self, external_id: str) -> list[Holding]:
        await self._answer("holdings")
        state = self.store.account(self.system, external_id)
        if state is None:
            return []
        sessions = range(1, state["sessions"] + 1)
        held = [Holding(HoldingKind.SESSION, f"s{number}", f"Session {number}") for number in sessions]
        return held + [
            Holding(HoldingKind(kind), key, name)
            for key, (kind, name) in sorted(state.get("holdings", {}).items())
        ]

    async def snapshot(self, external_id: str) -> Snapshot:
        await self._answer("snapshot")
        state = self.store.account(self.system, external_id)
        if state is None:
            raise ConnectorError(ErrorKind.NOT_FOUND, "There is no such account.")
        return Snapshot(self._now(), state)

    async def block_sign_in(self, external_id: str) -> Receipt:
        return await self._write(external_id, Verb.BLOCK_SIGN_IN)

    async def suspend(self, external_id: str) -> Receipt:
        return await self._write(external_id, Verb.SUSPEND)

    async def revoke_sessions(self, external_id: str) -> Receipt:
        return await self._write(external_id, Verb.REVOKE_SESSIONS)

    async def remove_entitlements(self, external_id: str) -> Receipt:
        return await self._write(external_id, Verb.REMOVE_ENTITLEMENTS)

    async def release_licence(self, external_id: str) -> Receipt:
        return await self._write(external_id, Verb.RELEASE_LICENCE)

    async def delete(self, external_id: str) -> Receipt:
        return await self._write(external_id, Verb.DELETE)

    async def verify(self, external_id: str, verb: Verb) -> Proof:
        await self._answer("verify")
        mode, options = self._mode()
        if mode == "accepts_later" and not self._is_done(external_id, verb):
            reads = self.store.count(self.system, f"reads:{external_id}:{verb}")
            if reads < int(options.get("reads", 2)):
                return Proof(
                    Verdict.PENDING,
                    "not yet",
                    retry_until=self._now() + timedelta(seconds=options.get("within", 60)),
                )
            self._perform(external_id, verb)
        state = self.store.account(self.system, external_id)
        sessions = 0 if state is None else state["sessions"]
        if self._is_done(external_id, verb):
            probe = "a new sign-in was refused" if verb in (Verb.BLOCK_SIGN_IN, Verb.SUSPEND) else ""
            return Proof(Verdict.CONFIRMED, _sentence(verb, state), probe, still_open=sessions)
        return Proof(Verdict.FAILED, _sentence(verb, state), still_open=sessions)

    async def restore(self, external_id: str, verb: Verb, snapshot: Snapshot) -> Receipt:
        await self._answer("restore")
        before = snapshot.state
        fields = {
            Verb.BLOCK_SIGN_IN: ("is_blocked",),
            Verb.SUSPEND: ("is_active",),
            Verb.REMOVE_ENTITLEMENTS: ("groups",),
            Verb.RELEASE_LICENCE: ("has_licence",),
        }.get(verb)
        if fields is None:
            raise ConnectorError(ErrorKind.UNSUPPORTED, f"{verb} cannot be undone")

        def put_back(state: dict[str, Any]) -> bool:
            wanted = {name: before.get(name) for name in fields}
            if all(state.get(name) == value for name, value in wanted.items()):
                return False
            state.update(wanted)
            return True

        if not self._may_write(f"restore {verb}", external_id):
            return NOT_SENT
        changed = self.store.apply(self.system, external_id, f"restore:{verb}", put_back, at=self._now())
        return Receipt(Outcome.DONE if changed else Outcome.ALREADY_DONE, f"{verb} was undone")

    async def rotate(
        self, external_id: str, *, old: str, keep: Callable[[Mapping[str, str]], None]
    ) -> Rotation:
        """A new password, of which the file keeps a digest; then the old one, or a made-up one, is tried."""
        await self._answer("write")
        mode, _ = self._mode()
        if mode == "denies":
            raise ConnectorError(ErrorKind.DENIED, "The system refused: our account may not do this.")
        state = self.store.account(self.system, external_id)
        if state is None:
            raise ConnectorError(ErrorKind.NOT_FOUND, "There is no such account.")
        if state["is_protected"]:
            raise ConnectorError(ErrorKind.CONFLICT, "This account is protected. Nothing was changed.")
        if not self._may_write("rotate", external_id):
            raise ConnectorError(ErrorKind.UNSUPPORTED, "A dry run gives nothing a new password.")
        new = secrets.token_urlsafe(24)
        try:
            keep({"password": new})
        except ConnectorError:
            raise
        except Exception as error:
            # Only the kind of the fault: its text may hold the secret.
            raise ConnectorError(
                ErrorKind.RETRYABLE,
                f"The new password could not be put away ({type(error).__name__}). Nothing was changed.",
            ) from None
        if mode != "lies":
            change = {"password_digest": _digest(new)}
            self.store.apply(
                self.system, external_id, "rotate", lambda state: not state.update(change), at=self._now()
            )
        receipt = Receipt(Outcome.DONE, f"{state['login']} has a new password.", self._request_id())
        return Rotation(receipt, self._tried(external_id, new=new, old=old))

    def _tried(self, external_id: str, *, new: str, old: str) -> Proof:
        kept = (self.store.account(self.system, external_id) or {}).get("password_digest", "")
        called = "the old password" if old else "a made-up password (the old one is not known here)"
        if kept != _digest(new):
            return Proof(Verdict.FAILED, "The new password does not work.", "A sign-in with it was refused.")
        if old and kept == _digest(old):
            return Proof(Verdict.FAILED, "Nothing has changed.", f"A sign-in with {called} was let in.")
        return Proof(
            Verdict.CONFIRMED,
            "A sign-in with the new password was let in.",
            f"A sign-in with {called} was refused.",
        )

    async def transfer(self, external_id: str, request: TransferRequest) -> Job:
        await self._answer("write")
        if not self._may_write(f"transfer {request.kind}", external_id):
            return NOTHING_GIVEN
        return self._handover().transfer(external_id, request, at=self._now())

    async def job(self, handle: str) -> Job:
        await self._answer("job")
        return self._handover().job(handle, at=self._now())

    async def end_transfer(self, handle: str) -> Job:
        await self._answer("write")
        if not self._may_write("end_transfer", handle):
            return NOTHING_GIVEN
        return self._handover().end(handle, at=self._now())

    def _handover(self) -> Handover:
        return Handover(self.store, self.system, self._mode(), self._die_if)

    async def _write(self, external_id: str, verb: Verb) -> Receipt:
        await self._answer("write")
        mode, _ = self._mode()
        if mode == "denies":
            raise ConnectorError(ErrorKind.DENIED, "The system refused: our account may not do this.")
        if self._is_done(external_id, verb):
            return Receipt(Outcome.ALREADY_DONE, "It was so before.")
        if not self._may_write(verb, external_id):
            return NOT_SENT
        if mode == "lies":
            return Receipt(Outcome.DONE, "Done.", request_id=self._request_id())
        if mode == "accepts_later":
            return Receipt(Outcome.ACCEPTED, "Accepted, to be done later.", request_id=self._request_id())
        self._die_if("dies_before")
        self._perform(external_id, verb)
        self._die_if("dies_after")
        return Receipt(Outcome.DONE, "Done.", request_id=self._request_id())

    def _may_write(self, what: str, external_id: str) -> bool:
        """A dry run stops here, as it does in real connectors."""
        call = Call(what.replace("_", " "), f"{self.system}: {external_id}")
        return self.connection.transport is None or self.connection.transport.may_write(call)

    def _perform(self, external_id: str, verb: Verb) -> None:
        if verb is Verb.DELETE:
            self.store.delete(self.system, external_id, at=self._now())
        else:
            self.store.apply(self.system, external_id, verb, _CHANGES[verb], at=self._now())

    def _is_done(self, external_id: str, verb: Verb) -> bool:
        state = self.store.account(self.system, external_id)
        return state is None or (verb is not Verb.DELETE and not _CHANGES[verb](state))

    async def _answer(self, call: str) -> None:
        """Wait for one's place, then misbehave as the mode says, before anything is looked at."""
        if self.connection.transport is not None:
            await self.connection.transport.limiter.wait()
        mode, options = self._mode()
        if mode == "slow":
            await asyncio.sleep(float(options.get("seconds", 30)))
        elif mode == "down":
            raise ConnectorError(ErrorKind.RETRYABLE, "The system does not answer (status 500).")
        elif mode == "html":
            raise ConnectorError(ErrorKind.RETRYABLE, "The system answered with a web page instead of data.")
        elif mode == "raises":
            raise RuntimeError("a fault inside the connector")
        elif mode == "throttles" and self.store.count(self.system, "throttled") <= int(
            options.get("times", 2)
        ):
            raise ConnectorError(
                ErrorKind.THROTTLED,
                "Too many requests.",
                retry_at=self._now() + timedelta(seconds=float(options.get("seconds", 1))),
            )
        elif mode == "flaky":
            number = self.store.count(self.system, "flaky")
            seed = self.connection.settings.get("seed", 0)
            # Not for secrets: the same calls have to fail in every run.
            if random.Random(f"{seed}:{number}").random() < float(options.get("share", 0.3)):  # noqa: S311
                raise ConnectorError(ErrorKind.RETRYABLE, f"The connection was reset during {call}.")

    def _die_if(self, mode: str) -> None:
        """Kill this very process, once: what a power cut at this point does, for the proofs."""
        if self._mode()[0] == mode:
            self.store.set_mode(self.system, "ok")
            os.kill(os.getpid(), signal.SIGKILL)

    def _mode(self) -> tuple[str, dict[str, Any]]:
        return self.store.mode(self.system) or (self.connection.settings.get("mode", "ok"), {})

    def _request_id(self) -> str:
        return f"{self.system}-{self.store.count(self.system, 'requests')}"

    def _now(self) -> datetime:
        now: datetime = self.connection.now()
        return now


def _digest(password: str) -> str:
    return hashlib.sha256(password.encode()).hexdigest()


def _block(state: dict[str, Any]) -> bool:
    was, state["is_blocked"] = state["is_blocked"], True
    return not was


def _suspend(state: dict[str, Any]) -> bool:
    was, state["is_active"] = state["is_active"], False
    return bool(was)


def _revoke(state: dict[str, Any]) -> bool:
    was, state["sessions"] = state["sessions"], 0
    return bool(was)


def _strip(state: dict[str, Any]) -> bool:
    was, state["groups"] = state["groups"], {}
    return bool(was)


def _release(state: dict[str, Any]) -> bool:
    # A store that an earlier version filled knows no licences.
    was, state["has_licence"] = state.get("has_licence", False), False
    return bool(was)


# Each makes its change in the given state, and says whether there was anything to change.
_CHANGES: dict[Verb, Callable[[dict[str, Any]], bool]] = {
    Verb.BLOCK_SIGN_IN: _block,
    Verb.SUSPEND: _suspend,
    Verb.REVOKE_SESSIONS: _revoke,
    Verb.REMOVE_ENTITLEMENTS: _strip,
    Verb.RELEASE_LICENCE: _release,
}


def _account(account_id: str, state: dict[str, Any], matched_by: str) -> Account:
    return Account(
        external_id=account_id,
        login=state["login"],
        display_name=state["name"],
        is_active=state["is_active"],
        matched_by=matched_by,
        entitlements=tuple(
            Entitlement("group", group_id, name) for group_id, name in sorted(state["groups"].items())
        ),
        open_sessions=state["sessions"],
        is_protected=state["is_protected"],
        emails=tuple(state["emails"]),
        employee_number=state["employee_number"],
        # A store that an earlier version filled has neither.
        last_used_at=datetime.fromisoformat(used) if (used := state.get("last_used_at")) else None,
        nature=Nature(state.get("nature", Nature.PERSON)),
    )


def _sentence(verb: Verb, state: dict[str, Any] | None) -> str:
    if state is None:
        return "there is no such account any more"
    return {
        Verb.BLOCK_SIGN_IN: "sign-in is blocked" if state["is_blocked"] else "sign-in is open",
        Verb.SUSPEND: "suspended" if not state["is_active"] else "active",
        Verb.REVOKE_SESSIONS: f"{state['sessions']} sessions open",
        Verb.REMOVE_ENTITLEMENTS: f"{len(state['groups'])} groups left",
        Verb.RELEASE_LICENCE: "holds a licence" if state.get("has_licence") else "no licence is held",
        Verb.DELETE: "the account exists",
    }[verb]


CONNECTOR = FakeConnector
