"""What reading back shows of each verb."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from partwell.connector_kit.contract import Connection, Proof, Verb, Verdict
from partwell.connectors.slack.rights import Right
from partwell.connectors.slack.sessions import open_sessions
from partwell.connectors.slack.web import SlackWeb

NO_SESSIONS = (
    "Slack shows and ends sessions by an interface on Enterprise Grid only (setting 'plan'). Deactivating "
    "signs the person out of every device."
)
SIGNED_OUT = "Slack signs a deactivated person out of every device and revokes their tokens."


class Proofs:
    """Judges readings for one connection, and remembers what this process asked for."""

    def __init__(self, connection: Connection, web: SlackWeb, *, is_grid: bool) -> None:
        self._now = connection.now
        self._web = web
        self._is_grid = is_grid
        seconds = float(connection.settings.get("settles_within_seconds", 300))
        self._settles_within = timedelta(seconds=seconds)
        self._asked: dict[tuple[str, Verb], datetime] = {}

    def note(self, user_id: str, verb: Verb) -> None:
        """Remember that this was asked for just now."""
        self._asked[(user_id, verb)] = self._now()

    def forget(self, user_id: str, verb: Verb) -> None:
        """It was undone."""
        self._asked.pop((user_id, verb), None)

    async def suspension(self, user: Mapping[str, Any], provisioned: Mapping[str, Any] | None) -> Proof:
        """Whether all interfaces show the account as deactivated, and which sessions are open still."""
        shown = {"the Web API": user.get("deleted")}
        if provisioned is not None:
            active = provisioned.get("active")
            shown["SCIM"] = not active if isinstance(active, bool) else None
        if any(off is None for off in shown.values()):
            read = "Read afresh: Slack does not show whether the account is active."
            return Proof(Verdict.UNVERIFIABLE, read)
        still_on = [name for name, off in shown.items() if not off]
        if still_on:
            read = f"Read afresh: still active by {' and '.join(still_on)}."
            return self._not_yet(user, Verb.SUSPEND, read)
        read = f"Read afresh: deactivated, by {' and '.join(shown)}."
        if not self._is_grid:
            return Proof(Verdict.CONFIRMED, f"{read} {SIGNED_OUT}")
        still_open = len(await open_sessions(self._web, user))
        return Proof(Verdict.CONFIRMED, f"{read} {still_open} sessions are open.", still_open=still_open)

    async def sessions(self, user: Mapping[str, Any]) -> Proof:
        """Whether no session is open any more."""
        if not self._is_grid:
            return Proof(Verdict.UNVERIFIABLE, NO_SESSIONS)
        still_open = len(await open_sessions(self._web, user))
        if not still_open:
            return Proof(Verdict.CONFIRMED, "Read afresh: no session is open.", still_open=0)
        read = f"Read afresh: {still_open} sessions are open."
        return self._not_yet(user, Verb.REVOKE_SESSIONS, read, still_open)

    def entitlements(self, user: Mapping[str, Any], rights: list[Right]) -> Proof:
        """Whether no group and no role is left."""
        if not rights:
            return Proof(Verdict.CONFIRMED, "Read afresh: in no group, and without any role.")
        names = ", ".join(sorted(right.name for right in rights)[:10])
        read = f"Read afresh: {len(rights)} groups and roles are left ({names})."
        staying = [f"{right.name}: {right.stays_because}" for right in rights if right.stays_because]
        if len(staying) == len(rights):
            read += f" They cannot be taken away from here. {'; '.join(staying)}."
            return Proof(Verdict.FAILED, read)
        return self._not_yet(user, Verb.REMOVE_ENTITLEMENTS, read)

    def _not_yet(
        self, user: Mapping[str, Any], verb: Verb, read: str, still_open: int | None = None
    ) -> Proof:
        asked_at = self._asked.get((str(user["id"]), verb))
        if asked_at and self._now() < asked_at + self._settles_within:
            until = asked_at + self._settles_within
            return Proof(Verdict.PENDING, read, still_open=still_open, retry_until=until)
        return Proof(Verdict.FAILED, read, still_open=still_open)
