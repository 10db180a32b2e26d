"""What reading back shows of each verb. Graph's copies differ for a while: a fresh change may be pending."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from partwell.connector_kit.contract import Connection, Proof, Verb, Verdict
from partwell.connectors.microsoft365.grants import AppNames, grants_of
from partwell.connectors.microsoft365.graph import Graph, moment
from partwell.connectors.microsoft365.licences import MAILBOX, licences_of
from partwell.connectors.microsoft365.rights import Rights

TOKENS = (
    "An access token that was given out before works until it ends, usually within 60 to 90 minutes; apps "
    "with continuous access evaluation refuse it at once."
)
GUEST = (
    "This is a guest: its sessions belong to its home organisation, and Microsoft does not end them from "
    "here. Suspending keeps it out of this tenant."
)
# Our clock and Microsoft's may differ by so much.
CLOCKS_DIFFER = timedelta(minutes=5)
# Without a note of when we asked (another process did), sessions ended so lately count as ended by us.
LATELY = timedelta(minutes=15)


@dataclass(frozen=True)
class Asked:
    """When a change was asked for, and since when sessions counted before it."""

    at: datetime
    sessions_valid_from: datetime | None


class Proofs:
    """Reads back for one connection, and remembers what this process asked for."""

    def __init__(self, connection: Connection, graph: Graph, rights: Rights) -> None:
        self._now = connection.now
        self._graph = graph
        self._rights = rights
        seconds = float(connection.settings.get("settles_within_seconds", 300))
        self._settles_within = timedelta(seconds=seconds)
        self._asked: dict[tuple[str, Verb], Asked] = {}

    def note(self, user: Mapping[str, Any], verb: Verb) -> None:
        """Remember that this was asked for just now, on a user that was as given."""
        key = (str(user["id"]), verb)
        self._asked[key] = Asked(self._now(), moment(user.get("signInSessionsValidFromDateTime")))

    def forget(self, user_id: str, verb: Verb) -> None:
        """It was undone."""
        self._asked.pop((user_id, verb), None)

    async def of(self, verb: Verb, user: Mapping[str, Any]) -> Proof:
        """What a user that was just read shows of a verb."""
        if verb is Verb.SUSPEND:
            return self._suspension(user)
        if verb is Verb.REVOKE_SESSIONS:
            return self._sessions(user)
        if verb is Verb.REVOKE_TOKENS:
            return await self._tokens(user)
        if verb is Verb.REMOVE_ENTITLEMENTS:
            return await self._entitlements(user)
        if verb is Verb.RELEASE_LICENCE:
            return self._licences(user)
        return Proof(Verdict.UNVERIFIABLE, f"Microsoft Graph cannot be asked whether '{verb}' holds.")

    def sessions_ended_by_us(self, user: Mapping[str, Any]) -> bool:
        """Whether this process asked, and the user shows it."""
        asked = self._asked.get((str(user["id"]), Verb.REVOKE_SESSIONS))
        since = moment(user.get("signInSessionsValidFromDateTime"))
        if asked is None or since is None:
            return False
        moved = asked.sessions_valid_from is None or since > asked.sessions_valid_from
        return moved and since >= asked.at - CLOCKS_DIFFER

    # -- each verb ------------------------------------------------------------------------------------

    def _suspension(self, user: Mapping[str, Any]) -> Proof:
        enabled = user.get("accountEnabled")
        if enabled is False:
            read = "Read afresh: accountEnabled is false, so Entra lets nobody in and gives no new token."
            return Proof(Verdict.CONFIRMED, f"{read} {TOKENS}")
        if enabled is None:
            return Proof(
                Verdict.UNVERIFIABLE, "Read afresh: Graph does not show whether the account is enabled."
            )
        return self._not_yet(user, Verb.SUSPEND, "Read afresh: accountEnabled is still true.")

    def _sessions(self, user: Mapping[str, Any]) -> Proof:
        if user.get("userType") == "Guest":
            return Proof(Verdict.UNVERIFIABLE, GUEST)
        since = moment(user.get("signInSessionsValidFromDateTime"))
        if since is None:
            return Proof(
                Verdict.UNVERIFIABLE, "Read afresh: Graph does not show since when sessions are valid."
            )
        read = f"Read afresh: sessions and refresh tokens from before {since:%Y-%m-%d %H:%M:%S} UTC are void."
        if self.sessions_ended_by_us(user):
            return Proof(Verdict.CONFIRMED, f"{read} {TOKENS}")
        if (str(user["id"]), Verb.REVOKE_SESSIONS) in self._asked:
            return self._not_yet(user, Verb.REVOKE_SESSIONS, f"{read} That is from before we asked.")
        if -CLOCKS_DIFFER <= self._now() - since <= LATELY:
            return Proof(Verdict.CONFIRMED, f"{read} {TOKENS}")
        if user.get("accountEnabled") is False:
            # Nothing goes on that has to be refreshed; whether a session began in between is not shown.
            return Proof(
                Verdict.UNVERIFIABLE,
                f"{read} The account is suspended, so none is renewed; whether one began between then and "
                "the suspension is not shown.",
            )
        return Proof(Verdict.FAILED, f"{read} Sessions that began since then may go on.")

    async def _tokens(self, user: Mapping[str, Any]) -> Proof:
        grants = await grants_of(self._graph, str(user["id"]))
        if not grants:
            return Proof(
                Verdict.CONFIRMED,
                "Read afresh: no application acts in the person's name by their own consent. App passwords "
                "are not shown by Graph; they end with the suspension.",
            )
        names = AppNames(self._graph)
        apps = ", ".join(sorted([await names.name(str(grant["clientId"])) for grant in grants[:10]]))
        read = f"Read afresh: {len(grants)} grants to applications are left ({apps})."
        return self._not_yet(user, Verb.REVOKE_TOKENS, read)

    async def _entitlements(self, user: Mapping[str, Any]) -> Proof:
        rights = await self._rights.of(str(user["id"]))
        if not rights:
            return Proof(
                Verdict.CONFIRMED, "Read afresh: in no group, and without any role in Entra or in an app."
            )
        names = ", ".join(sorted(right.name for right in rights)[:10])
        read = f"Read afresh: {len(rights)} groups and roles are left ({names})."
        staying = [f"{right.name}: {right.stays_because}" for right in rights if right.stays_because]
        if len(staying) == len(rights):
            return Proof(Verdict.FAILED, f"{read} They cannot be taken away from here. {'; '.join(staying)}.")
        return self._not_yet(user, Verb.REMOVE_ENTITLEMENTS, read)

    def _licences(self, user: Mapping[str, Any]) -> Proof:
        licences = licences_of(user)
        if not licences.count:
            return Proof(Verdict.CONFIRMED, f"Read afresh: the account has no licence. {MAILBOX}")
        read = f"Read afresh: {licences.count} licences are left"
        if licences.by_group:
            read += f", {len(licences.by_group)} of them given by a group"
        return self._not_yet(user, Verb.RELEASE_LICENCE, f"{read}.")

    def _not_yet(self, user: Mapping[str, Any], verb: Verb, read: str) -> Proof:
        asked = self._asked.get((str(user["id"]), verb))
        if asked and self._now() < asked.at + self._settles_within:
            return Proof(Verdict.PENDING, read, retry_until=asked.at + self._settles_within)
        return Proof(Verdict.FAILED, read)
