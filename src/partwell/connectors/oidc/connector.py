"""People's sessions and tokens at an OpenID provider that has no connector of its own.

OpenID Connect knows no list of people, of sessions or of tokens. So an account here is a name under which the
provider may know somebody; whether it exists stays open; and what was revoked can be seen only by a token
that the firm holds itself. What cannot be seen is never called done.
"""

from __future__ import annotations

from collections.abc import Sequence

from partwell.connector_kit.contract import (
    Account,
    Connection,
    ConnectorError,
    ErrorKind,
    Holding,
    HoldingKind,
    Identity,
    Outcome,
    Proof,
    Receipt,
    TestReport,
    Verb,
    Verdict,
)
from partwell.connector_kit.failures import together
from partwell.connector_kit.protection import Protection
from partwell.connector_kit.settling import Settling
from partwell.connector_kit.transport import Answer, Transport
from partwell.connectors.oidc.held import Ending, HeldToken, HeldTokens, Reading, State
from partwell.connectors.oidc.provider import INTROSPECTION, NO_GLOBAL, OidcProvider
from partwell.connectors.oidc.subjects import Subjects

NO_SESSIONS = (
    "OpenID Connect shows no sessions, so whether they ended cannot be read back; the provider's own pages "
    "may tell."
)
NOBODY = (
    "The provider answered 404: it knows nobody by this name, or there is no such endpoint. It does not say "
    "which."
)


class OidcConnector:
    """See the manifest for settings and the README for what is proven by what."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._transport: Transport = connection.transport
        self._provider = OidcProvider(connection)
        self._subjects = Subjects(connection.settings)
        self._held = HeldTokens(connection, self._provider, accounts_are_subs=self._subjects.are_subs)
        self._protection = Protection(connection.settings)
        self._settling = Settling(connection.settings, connection.now)

    async def close(self) -> None:
        """Nothing to let go of: connections belong to the transport."""

    # -- asking ---------------------------------------------------------------------------------------

    async def test(self) -> TestReport:
        """Read the provider's metadata, and ask about the held tokens. Changes nothing."""
        problems: list[str] = []
        has_global = False
        try:
            await self._provider.metadata()
            has_global = await self._provider.offers_global()
            if has_global:
                await self._provider.global_endpoint()
        except ConnectorError as error:
            problems.append(error.message)
        else:
            if not has_global and not self._held.all:
                problems.append(f"{NO_GLOBAL} No tokens are held here either: there is nothing to revoke.")
            for token in self._held.all:
                problems += await self._problems_of(token, has_global=has_global)
        if problems:
            return TestReport(False, "It cannot do all that is needed.", tuple(problems))
        summary = (
            "The provider answers. Whether it lets us revoke all of somebody shows only when it is asked to."
            if has_global
            else f"The provider answers. {NO_GLOBAL} Connect with 'without: [revoke_sessions]'."
        )
        return TestReport(True, f"{summary} {self._said_of_held(await self._can_introspect())}")

    async def discover(self, identity: Identity) -> list[Account]:
        """The account that the provider has, if it has one, for each name under which it may know somebody.

        Nobody can be looked up, so this says nothing of whether it exists. Raises where no name is on record,
        and where the provider does not answer.
        """
        names = self._subjects.of(identity)
        await self._provider.metadata()
        return [self._account(name, matched_by) for name, matched_by in names.items()]

    async def read(self, external_id: str) -> Account | None:
        """The same account again; nothing more can be known of it, and never that it is gone."""
        await self._provider.metadata()
        return self._account(external_id) if external_id else None

    async def holdings(self, external_id: str) -> list[Holding]:
        """The tokens of this account that are held here, but for those that have ended. The provider lists
        none, so there may be others."""
        found = []
        for token in self._held.of(external_id):
            reading = await self._held.read(token)
            if reading.state is not State.INACTIVE:
                found.append(
                    Holding(
                        HoldingKind.TOKEN, token.label, str(token), details={"state": reading.state.value}
                    )
                )
        return found

    # -- changing -------------------------------------------------------------------------------------

    async def revoke_sessions(self, external_id: str) -> Receipt:
        """Have everything of this account revoked, so that the person has to sign in anew everywhere."""
        await self._begin(external_id)
        before, _ = await self._look(self._held.of(external_id))
        answer = await self._provider.revoke_everything(self._subjects.identifier(external_id))
        if answer is None:
            return Receipt(Outcome.ALREADY_DONE, NOBODY)
        self._settling.accepted(external_id, Verb.REVOKE_SESSIONS)
        return self._accepted(external_id, answer, await self._see_what_ended(before))

    async def revoke_tokens(self, external_id: str) -> Receipt:
        """Have everything revoked, and then each token that is held here and still alive by itself.

        One that cannot be revoked does not stop the others.
        """
        await self._begin(external_id)
        held = self._held.of(external_id)
        has_global = await self._provider.offers_global()
        if not has_global and not held:
            raise ConnectorError(
                ErrorKind.UNSUPPORTED, f"{NO_GLOBAL} No token of this account is held here either."
            )
        before, failures = await self._look(held)
        answer: Answer | None = None
        if has_global:
            try:
                answer = await self._provider.revoke_everything(self._subjects.identifier(external_id))
            except ConnectorError as error:
                # What is held here is ended all the same.
                failures.append(("everything of the account", error))
        alive = await self._see_what_ended(before) if answer else _not_dead(before)
        ended, refused = await self._held.end(alive)
        failures += refused
        if failures:
            raise together(f"{len(ended)} of {len(held)} tokens that are held here were revoked.", failures)
        if answer is not None:
            self._settling.accepted(external_id, Verb.REVOKE_TOKENS)
            return self._accepted(external_id, answer, alive)
        if not ended:
            return Receipt(Outcome.ALREADY_DONE, NOBODY if has_global else "They were inactive before.")
        return Receipt(Outcome.DONE, f"The provider took the revocation of {', '.join(ended)}.")

    async def _begin(self, external_id: str) -> None:
        self._transport.check_write()
        self._protection.refuse(self._account(external_id))
        await self._provider.metadata()

    async def _look(
        self, held: Sequence[HeldToken]
    ) -> tuple[list[Reading], list[tuple[str, ConnectorError]]]:
        """What is known of each token before a revocation, which a reading that fails must not hold up. A
        token that is somebody else's is left out, and named."""
        readings, others = [], []
        for token in held:
            try:
                readings.append(await self._held.read(token))
            except ConnectorError as error:
                if error.kind is ErrorKind.CONFLICT:
                    others.append((str(token), error))
                else:
                    readings.append(Reading(token, State.UNKNOWN))
        return readings, others

    async def _see_what_ended(self, before: Sequence[Reading]) -> list[HeldToken]:
        """Note which tokens ended when everything was revoked; those that are not known to have ended."""
        after, _ = await self._look([r.token for r in before if r.state is State.ACTIVE])
        ended = {reading.token for reading in after if reading.state is State.INACTIVE}
        self._held.seen |= dict.fromkeys(ended, Ending.EVERYTHING)
        return [token for token in _not_dead(before) if token not in ended]

    def _accepted(self, external_id: str, answer: Answer, alive: Sequence[HeldToken]) -> Receipt:
        """That the provider took it up. A 204 says that it has begun, and nothing is concluded from it."""
        ended = [str(t) for t in self._held.of(external_id) if self._held.seen.get(t) is Ending.EVERYTHING]
        summary = "The provider took up the revocation of everything of this account (204)."
        if ended:
            summary += f" {', '.join(ended)} ended with it."
        if alive:
            summary += f" Not seen to end with it: {', '.join(map(str, alive))}."
        request = {"sub_id": self._subjects.identifier(external_id)}
        return Receipt(Outcome.ACCEPTED, summary, answer.request_id, request, {"status": answer.status})

    # -- proving --------------------------------------------------------------------------------------

    async def verify(self, external_id: str, verb: Verb) -> Proof:
        """Ask about the tokens that are held here, and try those that were seen to end."""
        held = self._held.of(external_id)
        if verb is Verb.REVOKE_SESSIONS:
            readings = [await self._held.read(token) for token in held]
            return self._still_active(external_id, verb, readings) or Proof(
                Verdict.UNVERIFIABLE, " ".join(filter(None, (NO_SESSIONS, _read(readings))))
            )
        if verb is not Verb.REVOKE_TOKENS:
            return Proof(Verdict.UNVERIFIABLE, f"OpenID Connect cannot be asked whether '{verb}' holds.")
        if not held:
            return Proof(
                Verdict.UNVERIFIABLE,
                "OpenID Connect lists no tokens, and none of this account is held here to read it back by.",
            )
        readings = [await self._held.inspect(token) for token in held]
        return self._still_active(external_id, verb, readings) or await self._judge(readings)

    async def _judge(self, readings: Sequence[Reading]) -> Proof:
        """What tokens show of which none is active."""
        read, probe = _read(readings), _probed(readings)
        unseen = [r.token for r in readings if r.token not in self._held.seen or r.state is State.UNKNOWN]
        if unseen:
            why = (
                f"{', '.join(map(str, unseen))}: this connection did not see it end. A token that ran out "
                "before, or that this client may not ask about, is answered in the same way."
            )
            return Proof(Verdict.UNVERIFIABLE, f"{read} {why}", probe)
        if not await self._provider.offers_global():
            others = "Tokens that others hold are not seen from here."
            return Proof(Verdict.CONFIRMED, f"{read} {others}", probe)
        by_itself = [t for t in (r.token for r in readings) if self._held.seen[t] is Ending.ITSELF]
        if by_itself:
            why = (
                f"{', '.join(map(str, by_itself))} ended only when it was revoked by itself, so whether the "
                "provider revoked the others is not known."
            )
            return Proof(Verdict.UNVERIFIABLE, f"{read} {why}", probe)
        return Proof(
            Verdict.CONFIRMED, f"{read} It was active until everything of the account was revoked.", probe
        )

    def _still_active(self, external_id: str, verb: Verb, readings: Sequence[Reading]) -> Proof | None:
        if not any(reading.state is State.ACTIVE for reading in readings):
            return None
        proof = self._settling.not_yet(external_id, verb, _read(readings))
        return Proof(proof.verdict, proof.read, _probed(readings), retry_until=proof.retry_until)

    # -- reading --------------------------------------------------------------------------------------

    def _account(self, name: str, matched_by: str = "") -> Account:
        held = ", ".join(str(token) for token in self._held.of(name))
        details = {"held_tokens": held} if held else {}
        emails = () if self._subjects.are_subs else (name,)
        account = Account(name, name, is_active=None, matched_by=matched_by, details=details, emails=emails)
        return self._protection.mark(account)

    async def _can_introspect(self) -> bool:
        return bool(await self._provider.endpoint(INTROSPECTION))

    async def _problems_of(self, token: HeldToken, *, has_global: bool) -> list[str]:
        try:
            reading = await self._held.read(token)
        except ConnectorError as error:
            return [f"{token}: {error.message}"]
        if not self._provider.has_client and not has_global:
            return [f"{token}: to revoke it by itself takes the client that it was issued to: set client_id."]
        if reading.state is State.INACTIVE:
            return [
                f"{token} is not active, or this client may not ask about it: it can prove nothing. Take it "
                "out of held_tokens, or put the one there that is in use."
            ]
        return []

    def _said_of_held(self, can_introspect: bool) -> str:
        if not self._held.all:
            return "No tokens are held here, so what was revoked cannot be read back: a person looks."
        how = "asked about" if can_introspect else "tried once they were revoked"
        return f"Tokens that are held here: {len(self._held.all)}, which can be {how}."


def _not_dead(readings: Sequence[Reading]) -> list[HeldToken]:
    return [reading.token for reading in readings if reading.state is not State.INACTIVE]


def _read(readings: Sequence[Reading]) -> str:
    said = "; ".join(reading.read for reading in readings if reading.read)
    return f"Read afresh: {said}." if said else ""


def _probed(readings: Sequence[Reading]) -> str:
    return "; ".join(reading.probe for reading in readings if reading.probe)


CONNECTOR = OidcConnector
