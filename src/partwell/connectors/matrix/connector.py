"""Accounts on a Matrix homeserver (Synapse).

Locking lets nobody in and makes every token answer M_USER_LOCKED; it can be undone. Suspending alone
(MSC3823) only stops writing: the person goes on reading and may sign in. To suspend here means both.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from typing import Any

from partwell.connector_kit.contract import (
    Account,
    Connection,
    ConnectorError,
    ErrorKind,
    Holding,
    HoldingKind,
    Identity,
    Job,
    Outcome,
    Proof,
    Receipt,
    Snapshot,
    TestReport,
    TransferRequest,
    Verb,
    Verdict,
)
from partwell.connector_kit.transport import Transport
from partwell.connectors.matrix.people import People, User, is_deactivated, moment
from partwell.connectors.matrix.rooms import Rooms
from partwell.connectors.matrix.service import ADMIN, CLIENT, LOCKED, MatrixService, segment

GONE = "There is no such user on the homeserver."
DEACTIVATED = "The user is deactivated, which ends everything."
PROBE_LASTS = timedelta(minutes=5)
BRIDGES = "A bridge (application service) goes on acting for its own users."


class MatrixConnector:
    """See the manifest for settings and the README for the account that the token needs."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._transport: Transport = connection.transport
        self._service = MatrixService(connection)
        self._people = People(self._service, connection.settings)
        self._rooms = Rooms(self._service, self._people)
        self._erases = bool(connection.settings.get("erase_on_delete", False))

    async def close(self) -> None:
        """Nothing to let go of: connections belong to the transport."""

    # -- asking ---------------------------------------------------------------------------------------

    async def test(self) -> TestReport:
        """Read the token's own user by the admin API. Changes nothing."""
        try:
            own = await self._people.must_read(await self._people.own_id())
        except ConnectorError as error:
            return TestReport(False, error.message, (error.message,))
        missing = [word for word in ("locked", "suspended") if word not in own]
        if missing:
            problem = f"This Synapse is too old: its users cannot be {' and '.join(missing)}."
            return TestReport(False, problem, (problem,))
        server = str(own["name"]).partition(":")[2]
        return TestReport(True, f"Synapse answers for {server}, and the token is an administrator's.")

    async def discover(self, identity: Identity) -> list[Account]:
        """All users that match one fact about the person exactly."""
        found = await self._people.matching(identity)
        return [replace(await self._account(user), matched_by=reason) for user, reason in found]

    async def read(self, external_id: str) -> Account | None:
        """The user afresh, with rooms and the number of sessions."""
        user = await self._people.read(external_id)
        return await self._account(user) if user else None

    async def _account(self, user: User) -> Account:
        user_id = str(user["name"])
        account = await self._people.account(user, await self._rooms.joined(user_id))
        devices = await self._devices(user_id)
        return await self._people.protect(replace(account, open_sessions=len(devices)), user)

    async def list_accounts(self) -> AsyncIterator[list[Account]]:
        """Everybody, without rooms."""
        async for page in self._people.pages():
            yield page

    async def holdings(self, external_id: str) -> list[Holding]:
        """Sessions, where notifications go, and rooms that nobody else administers."""
        user = f"{ADMIN}/v1/users/{segment(external_id)}"
        held = [
            Holding(
                HoldingKind.SESSION,
                _text(device, "device_id"),
                str(device.get("display_name") or device.get("device_id")),
                moment(device.get("last_seen_ts")),
                {"address": str(device.get("last_seen_ip") or "")},
            )
            for device in await self._devices(external_id)
        ]
        for pusher in await self._service.listed(f"{user}/pushers", "pushers"):
            app, key = _text(pusher, "app_id"), _text(pusher, "pushkey")
            # The key lets its holder be written to, so it is told apart without being kept.
            which = sha256(f"{app}\0{key}".encode()).hexdigest()[:16]
            where = pusher.get("device_display_name") or pusher.get("app_display_name") or app
            name = f"notifications to {where}"
            held.append(Holding(HoldingKind.DEVICE, which, name, details={"kind": str(pusher.get("kind"))}))
        held += [
            Holding(HoldingKind.OWNED, room.room_id, f"room {room.name}")
            for room in await self._rooms.owned(external_id)
        ]
        return held

    async def snapshot(self, external_id: str) -> Snapshot:
        """What `restore` needs, and the rooms as they were."""
        user = await self._people.must_read(external_id)
        rooms = await self._rooms.joined(external_id)
        state = {
            "login": external_id,
            "locked": user.get("locked") is True,
            "suspended": user.get("suspended") is True,
            "deactivated": is_deactivated(user),
            "rooms": [{"id": room.external_id, "name": room.name} for room in rooms],
        }
        return Snapshot(self.connection.now(), state)

    # -- changing -------------------------------------------------------------------------------------

    async def block_sign_in(self, external_id: str) -> Receipt:
        """Lock the user: no sign-in, and every token is refused until it is unlocked."""
        user = await self._to_change(external_id)
        if isinstance(user, Receipt):
            return user
        if user.get("locked") is True:
            return Receipt(Outcome.ALREADY_DONE, "It was locked before.")
        return Receipt(Outcome.DONE, "Asked to lock; Synapse said yes.", await self._lock(external_id, True))

    async def suspend(self, external_id: str) -> Receipt:
        """Lock the user, and suspend it, so that nothing is written in its name either."""
        user = await self._to_change(external_id)
        if isinstance(user, Receipt):
            return user
        missing = [word for word in ("locked", "suspended") if user.get(word) is not True]
        if not missing:
            return Receipt(Outcome.ALREADY_DONE, "It was locked and suspended before.")
        request_id = ""
        if "locked" in missing:
            request_id = await self._lock(external_id, True)
        if "suspended" in missing:
            request_id = await self._suspend(external_id, True)
        asked = "lock and suspend" if len(missing) == 2 else missing[0].removesuffix("ed")
        return Receipt(
            Outcome.DONE, f"Asked to {asked}; Synapse said yes.", request_id, dict.fromkeys(missing, True)
        )

    async def revoke_sessions(self, external_id: str) -> Receipt:
        """Delete all devices, and with each its access and refresh tokens."""
        user = await self._to_change(external_id)
        if isinstance(user, Receipt):
            return user
        devices = [_text(device, "device_id") for device in await self._devices(external_id)]
        if not devices:
            return Receipt(Outcome.ALREADY_DONE, "It had no open sessions.")
        path = f"{ADMIN}/v2/users/{segment(external_id)}/delete_devices"
        answer = await self._service.call("POST", path, body={"devices": devices})
        return Receipt(
            Outcome.DONE, f"Asked to delete {len(devices)} devices; Synapse said yes.", answer.request_id
        )

    async def delete(self, external_id: str) -> Receipt:
        """Deactivate for good: password, addresses, sessions and rooms go. With `erase_on_delete`, others see
        the user's messages no more than those who had them."""
        user = await self._to_change(external_id)
        if isinstance(user, Receipt):
            return user
        path = f"{ADMIN}/v1/deactivate/{segment(external_id)}"
        answer = await self._service.call("POST", path, body={"erase": self._erases})
        return Receipt(
            Outcome.DONE,
            f"Asked to deactivate{' and erase' if self._erases else ''}; Synapse said yes.",
            answer.request_id,
            {"erase": self._erases},
        )

    async def _to_change(self, external_id: str) -> User | Receipt:
        """The user, or why there is nothing to do. Raises CONFLICT for one who is never touched."""
        user = await self._people.read(external_id)
        if user is None or is_deactivated(user):
            return Receipt(Outcome.ALREADY_DONE, GONE if user is None else DEACTIVATED)
        rooms = await self._rooms.joined(external_id)
        await self._people.refuse(await self._people.account(user, rooms), user)
        return user

    async def _lock(self, user_id: str, is_locked: bool) -> str:
        path = f"{ADMIN}/v2/users/{segment(user_id)}"
        # The same request makes a user who is not there: it was read just before.
        return (await self._service.call("PUT", path, body={"locked": is_locked})).request_id

    async def _suspend(self, user_id: str, is_suspended: bool) -> str:
        path = f"{ADMIN}/v1/suspend/{segment(user_id)}"
        return (await self._service.call("PUT", path, body={"suspend": is_suspended})).request_id

    # -- handing over and putting back ----------------------------------------------------------------

    async def transfer(self, external_id: str, request: TransferRequest) -> Job:
        """Give rooms that nobody else administers to a successor; before the user is suspended."""
        return await self._rooms.transfer(external_id, request)

    async def job(self, handle: str) -> Job:
        """How far it has come."""
        return await self._rooms.job(handle)

    async def restore(self, external_id: str, verb: Verb, snapshot: Snapshot) -> Receipt:
        """Unlock, and lift the suspension, as far as `snapshot` shows that it was so. Sessions stay ended."""
        self._transport.check_write()
        if verb not in (Verb.BLOCK_SIGN_IN, Verb.SUSPEND):
            raise ConnectorError(ErrorKind.UNSUPPORTED, f"Synapse cannot undo '{verb}'.")
        user = await self._people.must_read(external_id)
        if is_deactivated(user):
            raise ConnectorError(ErrorKind.CONFLICT, f"{DEACTIVATED} Unlocking would change nothing.")
        words = ("locked",) if verb is Verb.BLOCK_SIGN_IN else ("suspended", "locked")
        undone = [w for w in words if user.get(w) is True and snapshot.state.get(w) is not True]
        if not undone:
            return Receipt(Outcome.ALREADY_DONE, "It is as it was before the cut.")
        request_id = ""
        if "suspended" in undone:
            request_id = await self._suspend(external_id, False)
        if "locked" in undone:
            request_id = await self._lock(external_id, False)
        return Receipt(
            Outcome.DONE,
            f"Asked to have it no longer {' and '.join(undone)}; Synapse said yes.",
            request_id,
            dict.fromkeys(undone, False),
        )

    # -- proving --------------------------------------------------------------------------------------

    async def verify(self, external_id: str, verb: Verb) -> Proof:
        """Read afresh what `verb` was about; of a lock, also try to get in."""
        user = await self._people.read(external_id)
        if user is None:
            return Proof(Verdict.CONFIRMED, f"Read afresh: {GONE}")
        devices = len(await self._devices(external_id))
        if verb is Verb.REVOKE_SESSIONS:
            if devices:
                return Proof(Verdict.FAILED, f"Read afresh: {devices} devices are signed in.", "", devices)
            return Proof(Verdict.CONFIRMED, f"Read afresh: no device is signed in. {BRIDGES}", "", 0)
        if verb is Verb.DELETE:
            return self._deactivation(user)
        if verb not in (Verb.BLOCK_SIGN_IN, Verb.SUSPEND):
            return Proof(Verdict.UNVERIFIABLE, f"Synapse cannot be asked about '{verb}'.")
        if is_deactivated(user):
            return Proof(Verdict.CONFIRMED, f"Read afresh: {DEACTIVATED}", "", devices)
        words = ("locked",) if verb is Verb.BLOCK_SIGN_IN else ("locked", "suspended")
        read = "Read afresh: " + ", ".join(
            f"{word if user.get(word) is True else f'not {word}'}" for word in words
        )
        if not all(user.get(word) is True for word in words):
            return Proof(Verdict.FAILED, f"{read}.", "", devices)
        if devices:
            read += f"; {devices} devices are still there, and refused as long as it is locked"
        was_refused, probe = await self._probe(external_id)
        return Proof(Verdict.CONFIRMED if was_refused else Verdict.FAILED, f"{read}.", probe, devices)

    async def _probe(self, user_id: str) -> tuple[bool, str]:
        """Have Synapse make a token for the user that lasts minutes, and try to get in with it. A made-up
        password would prove nothing: it is refused to everybody."""
        until = int((self.connection.now() + PROBE_LASTS).timestamp() * 1000)
        path = f"{ADMIN}/v1/users/{segment(user_id)}/login"
        answer = await self._service.call("POST", path, body={"valid_until_ms": until})
        token = answer.json().get("access_token")
        if not isinstance(token, str) or not token:
            raise ConnectorError(ErrorKind.RETRYABLE, "Synapse made no token to try to get in with.")
        try:
            status, code = await self._service.call_as(token, "GET", f"{CLIENT}/account/whoami")
        finally:
            # Signing out is allowed to locked users too; if it fails, the token ends by itself.
            with suppress(ConnectorError):
                await self._service.call_as(token, "POST", f"{CLIENT}/logout")
        if status == 200:
            return False, "A new session, made by the administrator to try, was let in."
        if code == LOCKED:
            return True, f"A new session, made by the administrator to try, was refused: {LOCKED}."
        raise ConnectorError(
            ErrorKind.RETRYABLE,
            f"The try to get in was refused for another reason ({code}), which proves nothing.",
        )

    def _deactivation(self, user: User) -> Proof:
        erased = ", and erased" if user.get("erased") is True else ""
        if not is_deactivated(user):
            return Proof(Verdict.FAILED, "Read afresh: it is not deactivated.")
        if self._erases and not erased:
            return Proof(Verdict.FAILED, "Read afresh: it is deactivated, but not erased.")
        return Proof(Verdict.CONFIRMED, f"Read afresh: it is deactivated{erased}.")

    async def _devices(self, user_id: str) -> list[dict[str, Any]]:
        return await self._service.listed(f"{ADMIN}/v2/users/{segment(user_id)}/devices", "devices")


def _text(thing: dict[str, Any], name: str) -> str:
    """A text that Synapse always gives. Raises RETRYABLE without it."""
    value = thing.get(name)
    if not isinstance(value, str) or not value:
        raise ConnectorError(ErrorKind.RETRYABLE, f"Synapse listed something without its {name}.")
    return value


CONNECTOR = MatrixConnector
