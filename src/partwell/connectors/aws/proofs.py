"""What reading back shows of each verb, and what AWS's simulator says of what the user could still do."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from partwell.connector_kit.contract import Proof, Verb, Verdict
from partwell.connector_kit.settling import Settling
from partwell.connectors.aws.credentials import Credentials
from partwell.connectors.aws.policies import DENY_ALL, END_SESSIONS, Policies
from partwell.connectors.aws.rights import Rights
from partwell.connectors.aws.users import User

ROLES = (
    "Sessions of roles that were assumed before are the roles' own: they end when they expire, or when the "
    "role's sessions are revoked."
)

NONE_TRIED = "Nobody's secret is known here, so none was tried."


class Proofs:
    """Judges readings for one connection."""

    def __init__(
        self,
        settling: Settling,
        credentials: Credentials,
        policies: Policies,
        rights: Rights,
        *,
        unseen: str,
    ) -> None:
        self._settling = settling
        self._credentials = credentials
        self._policies = policies
        self._rights = rights
        self._unseen = unseen
        self._asked_to_end_before: dict[str, datetime] = {}

    def ends_sessions_before(self, user_id: str, moment: datetime) -> None:
        """Remember which moment this process asked for: an older policy is not what was asked."""
        self._asked_to_end_before[user_id] = moment

    async def prove(self, user: User, verb: Verb) -> Proof:
        """Whether `verb` holds for a user that is there."""
        if verb is Verb.BLOCK_SIGN_IN:
            return await self._block(user)
        if verb is Verb.REVOKE_SESSIONS:
            return await self._sessions(user)
        if verb is Verb.REVOKE_TOKENS:
            return await self._tokens(user)
        if verb is Verb.SUSPEND:
            return await self._suspension(user)
        if verb is Verb.REMOVE_ENTITLEMENTS:
            return await self._entitlements(user)
        if verb is Verb.DELETE:
            return self._settling.not_yet(user.id, verb, f"Read afresh: the user {user.name} exists.")
        return Proof(Verdict.UNVERIFIABLE, f"AWS IAM cannot be asked whether '{verb}' holds.")

    async def _block(self, user: User) -> Proof:
        if not await self._policies.is_denied(user.name):
            read = f"Read afresh: the user has no policy {DENY_ALL} as Partwell writes it."
            return self._settling.not_yet(user.id, Verb.BLOCK_SIGN_IN, read)
        read = f"Read afresh: {DENY_ALL} denies the user every action on everything."
        return await self._probe_refusal(user, Verb.BLOCK_SIGN_IN, Proof(Verdict.CONFIRMED, read))

    async def _sessions(self, user: User) -> Proof:
        before = await self._policies.ended_before(user.name)
        asked = self._asked_to_end_before.get(user.id)
        if before is None or (asked is not None and before < asked):
            read = f"Read afresh: the user has no policy {END_SESSIONS} that names the moment of this cut."
            return self._settling.not_yet(user.id, Verb.REVOKE_SESSIONS, read)
        read = (
            f"Read afresh: {END_SESSIONS} denies everything to the user's own sessions opened before "
            f"{before:%Y-%m-%d %H:%M:%S} UTC. {ROLES}"
        )
        proof = Proof(Verdict.CONFIRMED, read)
        return await self._probe_refusal(
            user, Verb.REVOKE_SESSIONS, proof, opened_at=before - timedelta(seconds=1)
        )

    async def _tokens(self, user: User) -> Proof:
        ways = await self._credentials.of(user.name)
        if ways.open:
            names = ", ".join(each.label for each in ways.open)
            return self._settling.not_yet(user.id, Verb.REVOKE_TOKENS, f"Read afresh: still active: {names}.")
        count = len(ways.credentials)
        read = f"Read afresh: no key or credential is active; {count} are inactive.{self._unseen}"
        return Proof(Verdict.CONFIRMED, f"{read} {NONE_TRIED}")

    async def _suspension(self, user: User) -> Proof:
        ways = await self._credentials.of(user.name)
        if ways.any:
            return self._settling.not_yet(user.id, Verb.SUSPEND, f"Read afresh: {ways.said}.{self._unseen}")
        read = f"Read afresh: {ways.said}.{self._unseen}"
        if await self._policies.is_denied(user.name):
            proof = Proof(Verdict.CONFIRMED, f"{read} {DENY_ALL} denies everything besides.")
            return await self._probe_refusal(user, Verb.SUSPEND, proof)
        read += (
            " Sessions that the user opened before go on until they are ended or expire (36 hours at most)."
        )
        return Proof(Verdict.CONFIRMED, f"{read} {NONE_TRIED}")

    async def _entitlements(self, user: User) -> Proof:
        held = await self._rights.of(user.name)
        if held:
            names = ", ".join(sorted(right.name for right in held)[:10])
            read = f"Read afresh: {len(held)} groups and policies are left ({names})."
            return self._settling.not_yet(user.id, Verb.REMOVE_ENTITLEMENTS, read)
        read = "Read afresh: in no group, and without any policy that allows something."
        read += " The permissions boundary stays; it allows nothing by itself." if user.boundary else ""
        return Proof(Verdict.CONFIRMED, read)

    async def _probe_refusal(
        self, user: User, verb: Verb, proof: Proof, *, opened_at: datetime | None = None
    ) -> Proof:
        """The proof, with what AWS's simulator says. A simulator that cannot be asked leaves the reading."""
        simulated = await self._policies.simulate(user.arn, opened_at=opened_at)
        if simulated.refused is False:
            return self._settling.not_yet(user.id, verb, f"{proof.read} {simulated.said}")
        if simulated.refused is None:
            return replace(proof, read=f"{proof.read} The reading stands alone: {simulated.said}")
        return replace(proof, probe=simulated.said)
