"""Tokens that the firm itself keeps, such as an integration's refresh token: read, tried and revoked.

Introspection answers "inactive" to a token that has ended, to one that has run out before, and to one that
this client may not look at, all alike. So a token proves something only when it was seen to be active, or its
revocation was taken, by the same connection, before it was found dead; `seen` remembers that, for as long as
the connector lives. What is remembered never makes a dead token of a living one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any

from partwell.connector_kit.contract import Connection, ConnectorError, ErrorKind
from partwell.connector_kit.failures import try_each
from partwell.connectors.oidc.provider import INTROSPECTION, USERINFO, OidcProvider

ACCESS, REFRESH = "access_token", "refresh_token"
_WORDS = {ACCESS: "access token", REFRESH: "refresh token"}


class State(StrEnum):
    """What is known of a token now. `UNKNOWN` is one that cannot be asked about without using it up."""

    ACTIVE = "active"
    INACTIVE = "inactive"
    UNKNOWN = "unknown"


class Ending(StrEnum):
    """What a token was seen to end by."""

    EVERYTHING = "everything"  # by the provider, when everything of the person was revoked
    ITSELF = "itself"  # by its own revocation


@dataclass(frozen=True)
class HeldToken:
    """One token: `account` is the name under which the provider knows whose it is."""

    label: str
    account: str
    reference: str
    kind: str

    def __str__(self) -> str:
        return f"'{self.label}' ({_WORDS[self.kind]})"


@dataclass(frozen=True)
class Reading:
    """What is known of a token: what the provider says, and how trying to get in with it went, in words."""

    token: HeldToken
    state: State
    read: str = ""
    probe: str = ""


class HeldTokens:
    """The tokens in a connection's setting `held_tokens`."""

    def __init__(self, connection: Connection, provider: OidcProvider, *, accounts_are_subs: bool) -> None:
        self._secrets = connection.secrets
        self._provider = provider
        self._accounts_are_subs = accounts_are_subs
        self.all = tuple(_held(each) for each in connection.settings.get("held_tokens", ()))
        self.seen: dict[HeldToken, Ending] = {}

    def of(self, account: str) -> list[HeldToken]:
        """The tokens of one account."""
        return [token for token in self.all if token.account.casefold() == account.casefold()]

    async def read(self, token: HeldToken) -> Reading:
        """What is known of a token, as far as finding out does not use it up.

        Raises CONFLICT for a token that is somebody else's than the settings say.
        """
        if await self._provider.endpoint(INTROSPECTION):
            found = await self._provider.introspect(self._secret(token), token.kind)
            self._check_whose(token, found)
            state = State.ACTIVE if found["active"] else State.INACTIVE
            return Reading(token, state, f"{token} is {state} by introspection")
        if token.kind == ACCESS:
            return await self._try_userinfo(token)
        return Reading(token, State.UNKNOWN, f"{token} cannot be asked about")

    async def inspect(self, token: HeldToken) -> Reading:
        """`read`, and a try to get in with a token that this connection saw end. One that it did not is left
        alone: if it lived, the try would use it up."""
        reading = await self.read(token)
        if reading.state is State.ACTIVE or reading.probe or token not in self.seen:
            return reading
        tried = await (self._try_refresh(token) if token.kind == REFRESH else self._try_userinfo(token))
        state = reading.state if tried.state is State.UNKNOWN else tried.state
        return Reading(token, state, tried.read or reading.read, tried.probe)

    async def end(self, tokens: list[HeldToken]) -> tuple[list[str], list[tuple[str, ConnectorError]]]:
        """Have each revoked by itself: those for which the provider took it, and the failures."""

        async def revoke(token: HeldToken) -> None:
            await self._provider.revoke(self._secret(token), token.kind)
            self.seen.setdefault(token, Ending.ITSELF)

        done, failures = await try_each((str(token), partial(revoke, token)) for token in tokens)
        return [name for name, _ in done], failures

    async def _try_userinfo(self, token: HeldToken) -> Reading:
        if not await self._provider.endpoint(USERINFO):
            return Reading(token, State.UNKNOWN, f"{token} cannot be asked about")
        if await self._provider.is_taken_at_userinfo(self._secret(token)):
            return Reading(token, State.ACTIVE, f"{token} is active", f"{token} was let in at userinfo")
        return Reading(token, State.INACTIVE, f"{token} is inactive", f"{token} was refused at userinfo")

    async def _try_refresh(self, token: HeldToken) -> Reading:
        try:
            new = await self._provider.refresh(self._secret(token))
        except ConnectorError as error:
            if not error.is_permanent:
                raise
            # Another client's, as a rule: it can be asked about, and not tried.
            return Reading(token, State.UNKNOWN, probe=f"{token} could not be tried")
        if not new:
            return Reading(token, State.INACTIVE, probe=f"{token} was refused new tokens")
        # Nobody is to have what the try brought; the verdict is the same whether that works or not.
        got = [(kind, new[kind]) for kind in (REFRESH, ACCESS) if isinstance(new.get(kind), str)]
        await try_each((kind, partial(self._provider.revoke, secret, kind)) for kind, secret in got)
        return Reading(token, State.ACTIVE, f"{token} is active", f"{token} was given new tokens")

    def _secret(self, token: HeldToken) -> str:
        return self._secrets.resolve(token.reference)

    def _check_whose(self, token: HeldToken, found: Mapping[str, Any]) -> None:
        """A token of somebody else would sign the wrong person out."""
        sub = found.get("sub")
        if self._accounts_are_subs and isinstance(sub, str) and sub.casefold() != token.account.casefold():
            raise ConnectorError(
                ErrorKind.CONFLICT,
                f"{token} is of another account than the setting held_tokens says. It was left alone.",
            )


def _held(given: Mapping[str, Any]) -> HeldToken:
    return HeldToken(
        str(given["label"]), str(given["account"]), str(given["token"]), str(given.get("kind", REFRESH))
    )
