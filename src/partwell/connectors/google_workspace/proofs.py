"""What reading back shows of each verb. A password cannot be read, nor sessions: Google's log shows both."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from partwell.connector_kit.contract import Connection, ConnectorError, ErrorKind, Proof, Verb, Verdict
from partwell.connector_kit.settling import Settling
from partwell.connectors.google_workspace.audit import (
    NOT_ASKED,
    PASSWORD_CHANGED,
    SIGNED_OUT,
    AuditLog,
    Event,
)
from partwell.connectors.google_workspace.credentials import SUSPENDED_CODES, Credentials
from partwell.connectors.google_workspace.licences import AUTOMATIC, Licences
from partwell.connectors.google_workspace.people import is_suspended, status_of
from partwell.connectors.google_workspace.rights import Rights
from partwell.connectors.google_workspace.service import moment

SINGLE_SIGN_ON = (
    "Where people sign in by another identity provider, the password keeps nobody out: cut that system too."
)
# Sessions that were ended so lately need not be ended again.
LATELY = timedelta(minutes=15)


class Proofs:
    """Reads back for one connection, and remembers what this process asked for."""

    def __init__(
        self,
        connection: Connection,
        *,
        log: AuditLog,
        rights: Rights,
        credentials: Credentials,
        licences: Licences,
    ) -> None:
        self._now = connection.now
        self._admin = str(connection.settings["admin"]).lower()
        self._settling = Settling(connection.settings, connection.now)
        self._log = log
        self._rights = rights
        self._credentials = credentials
        self._licences = licences

    def note(self, user: Mapping[str, Any], verb: Verb) -> None:
        """Remember that this was asked for just now."""
        self._settling.accepted(str(user["id"]), verb)

    def forget(self, user: Mapping[str, Any], verb: Verb) -> None:
        """It was undone."""
        self._settling.forget(str(user["id"]), verb)

    async def of(self, verb: Verb, user: Mapping[str, Any]) -> Proof:
        """What a user that was just read shows of a verb."""
        if verb is Verb.BLOCK_SIGN_IN:
            return await self._block(user)
        if verb is Verb.REVOKE_SESSIONS:
            return await self._sessions(user)
        if verb is Verb.REVOKE_TOKENS:
            return await self._tokens(user)
        if verb is Verb.SUSPEND:
            return self._suspension(user)
        if verb is Verb.REMOVE_ENTITLEMENTS:
            return await self._entitlements(user)
        if verb is Verb.RELEASE_LICENCE:
            return await self._held_licences(user)
        return self._not_yet(user, verb, "Read afresh: the user is still there.")

    async def is_blocked(self, user: Mapping[str, Any]) -> bool:
        """Whether the password is one that nobody knows, as far as can be read."""
        try:
            return (await self._block(user)).verdict is Verdict.CONFIRMED
        except ConnectorError as error:
            if error.kind is ErrorKind.DENIED:
                return False  # without the log nothing is known, and a second new password harms nobody
            raise

    @property
    def sees_passwords(self) -> bool:
        """Whether the log is asked when passwords were changed."""
        return self._log.is_asked

    async def password_given_by_others(self, user: Mapping[str, Any]) -> Event | None:
        """When somebody else than us has set the password since, by the log."""
        event = await self._log.latest(PASSWORD_CHANGED, user)
        return event if event is not None and event.actor.lower() != self._admin else None

    async def sessions_ended_lately(self, user: Mapping[str, Any]) -> datetime | None:
        """When sessions were ended, if that was just now and nobody signed in since."""
        try:
            event = await self._log.latest(SIGNED_OUT, user)
        except ConnectorError as error:
            if error.kind is ErrorKind.DENIED:
                return None
            raise
        if event is None or _signed_in_since(user, event) or self._now() - event.at > LATELY:
            return None
        return event.at

    # -- each verb ------------------------------------------------------------------------------------

    async def _block(self, user: Mapping[str, Any]) -> Proof:
        ways = [name for name in ("recoveryEmail", "recoveryPhone") if user.get(name)]
        if ways:
            read = f"Read afresh: the password can be reset by the recovery address ({', '.join(ways)})."
            return self._not_yet(user, Verb.BLOCK_SIGN_IN, read)
        event = await self._in_log(PASSWORD_CHANGED, user)
        if isinstance(event, str):
            return self._not_shown(user, Verb.BLOCK_SIGN_IN, event, "a new password")
        read = f"Read afresh: the password was last changed at {_written(event.at)} by {event.actor}"
        if event.actor.lower() != self._admin:
            return self._not_yet(user, Verb.BLOCK_SIGN_IN, f"{read}, which is not Partwell.")
        if at := _signed_in_since(user, event):
            return self._not_yet(
                user,
                Verb.BLOCK_SIGN_IN,
                f"{read}, and a sign-in followed at {_written(at)}. {SINGLE_SIGN_ON}",
            )
        return Proof(
            Verdict.CONFIRMED,
            f"{read}, to one that nobody knows; no recovery address is left, and nobody signed in since. "
            f"{SINGLE_SIGN_ON}",
        )

    async def _sessions(self, user: Mapping[str, Any]) -> Proof:
        event = await self._in_log(SIGNED_OUT, user)
        if isinstance(event, str):
            return self._not_shown(user, Verb.REVOKE_SESSIONS, event, "that sessions were ended")
        read = f"Read afresh: all sessions were ended at {_written(event.at)}"
        if at := _signed_in_since(user, event):
            return self._not_yet(
                user, Verb.REVOKE_SESSIONS, f"{read}, and a sign-in followed at {_written(at)}."
            )
        return Proof(
            Verdict.CONFIRMED,
            f"{read}, and nobody signed in since. Other services that people sign in to with Google keep "
            "their own sessions.",
        )

    async def _tokens(self, user: Mapping[str, Any]) -> Proof:
        found = await self._credentials.of(user)
        if not str(found):
            return Proof(
                Verdict.CONFIRMED,
                "Read afresh: no application, no app password and no backup code is left. "
                f"{self._credentials.about_mail(user)}",
            )
        read = f"Read afresh: {found} left."
        if found.backup_codes and is_suspended(user):
            read += f" {SUSPENDED_CODES}"
        return self._not_yet(user, Verb.REVOKE_TOKENS, read)

    def _suspension(self, user: Mapping[str, Any]) -> Proof:
        if is_suspended(user):
            return Proof(Verdict.CONFIRMED, "Read afresh: the user is suspended, so Google lets nobody in.")
        if user.get("archived") is True:
            return Proof(
                Verdict.CONFIRMED,
                "Read afresh: the user is archived, so Google lets nobody in. It is not suspended as well: "
                "whoever takes it out of the archive lets it in again.",
            )
        if not isinstance(user.get("suspended"), bool):
            return Proof(Verdict.UNVERIFIABLE, "Read afresh: Google does not show whether it is suspended.")
        return self._not_yet(user, Verb.SUSPEND, f"Read afresh: the user is {status_of(user)}.")

    async def _entitlements(self, user: Mapping[str, Any]) -> Proof:
        rights = await self._rights.of(str(user["id"]))
        if not rights:
            return Proof(Verdict.CONFIRMED, "Read afresh: in no group, and without administrator roles.")
        names = ", ".join(sorted(right.name for right in rights)[:10])
        staying = "; ".join(f"{r.name}: {r.stays_because}" for r in rights if r.stays_because)
        read = f"Read afresh: {len(rights)} groups and roles are left ({names})."
        return self._not_yet(user, Verb.REMOVE_ENTITLEMENTS, f"{read} {staying}".strip())

    async def _held_licences(self, user: Mapping[str, Any]) -> Proof:
        held = await self._licences.of(user)
        if not held:
            return Proof(Verdict.CONFIRMED, "Read afresh: none of the licences in the settings is assigned.")
        read = f"Read afresh: still assigned: {', '.join(held)}. {AUTOMATIC}"
        return self._not_yet(user, Verb.RELEASE_LICENCE, read)

    # -- what does not show ---------------------------------------------------------------------------

    async def _in_log(self, name: str, user: Mapping[str, Any]) -> Event | str:
        """The event, or in words why it is not known."""
        if not self._log.is_asked:
            return NOT_ASKED
        try:
            event = await self._log.latest(name, user)
        except ConnectorError as error:
            if error.kind is ErrorKind.DENIED:
                return f"The log may not be read: {error.message}"
            raise
        return event or "Read afresh: Google's log does not show it."

    def _not_yet(self, user: Mapping[str, Any], verb: Verb, read: str) -> Proof:
        return self._settling.not_yet(str(user["id"]), verb, read)

    def _not_shown(self, user: Mapping[str, Any], verb: Verb, why: str, what: str) -> Proof:
        """Pending while the log may lag; after that, nothing is known, which is no failure and no proof."""
        proof = self._not_yet(user, verb, why)
        if proof.verdict is Verdict.PENDING and self._log.is_asked:
            return proof
        return Proof(Verdict.UNVERIFIABLE, f"{why} Nothing else at Google shows {what}.")


def _signed_in_since(user: Mapping[str, Any], event: Event) -> datetime | None:
    last = moment(user.get("lastLoginTime"))
    return last if last is not None and last > event.at else None


def _written(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
