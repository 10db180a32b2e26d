"""What a connector promises: capabilities as small Protocols over the values of `values.py`.

A connector talks to one kind of target (SCIM, LDAP, …) and knows no Django. It is built from a
`Connection` and offers only those capabilities that its manifest declares; what it does not declare
becomes a manual task, never a silent skip. All methods are async; a blocking library runs in a thread.

Rules that every connector keeps (a shared test suite runs them against each):
read before write; "not found" and "already so" are `Outcome.ALREADY_DONE` and are verified all the same;
suspend, revoke sessions and remove entitlements are separate verbs, separately verified; `verify` is a
fresh read plus, where the target allows one, a negative probe; nothing raises but `ConnectorError`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Protocol, runtime_checkable

from partwell.connector_kit.values import (
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
    Reversibility,
    Rotation,
    Secrets,
    Snapshot,
    TestReport,
    TransferKind,
    TransferRequest,
    Verb,
    Verdict,
)

# Connectors find the whole contract here, values included.
__all__ = [
    "PROTOCOLS",
    "Account",
    "CanBlockSignIn",
    "CanDelete",
    "CanDiscover",
    "CanEndTransfer",
    "CanListAccounts",
    "CanListHoldings",
    "CanReleaseLicence",
    "CanRemoveEntitlements",
    "CanRestore",
    "CanRevokeSessions",
    "CanRevokeTokens",
    "CanRotate",
    "CanSnapshot",
    "CanSuspend",
    "CanTransfer",
    "CanVerify",
    "CanWipe",
    "Connection",
    "Connector",
    "ConnectorError",
    "Entitlement",
    "ErrorKind",
    "Holding",
    "HoldingKind",
    "Identity",
    "Job",
    "JobState",
    "Nature",
    "Outcome",
    "Proof",
    "Receipt",
    "Reversibility",
    "Rotation",
    "Secrets",
    "Snapshot",
    "TestReport",
    "TransferKind",
    "TransferRequest",
    "Verb",
    "Verdict",
]


class Connector(Protocol):
    """What every connector has."""

    connection: Connection

    async def test(self) -> TestReport:
        """Check credentials and scopes without changing anything."""
        ...

    async def close(self) -> None:
        """Let go of connections. Called once, also after errors."""
        ...


@runtime_checkable
class CanDiscover(Protocol):
    async def discover(self, identity: Identity) -> list[Account]:
        """All accounts of this identity. More than one is for a person to decide. A failure raises;
        an empty list means that the target was asked and has none."""
        ...

    async def read(self, external_id: str) -> Account | None:
        """One account afresh, or None when the target says that there is none."""
        ...


@runtime_checkable
class CanListAccounts(Protocol):
    def list_accounts(self) -> AsyncIterator[list[Account]]:
        """Every account of the target, page by page, each page let go before the next is asked for.

        Raises where a page fails: a list that broke off is never "all there are". `entitlements` may be
        left empty here; identifiers, `is_active`, `nature` and, where the target knows it, `last_used_at`
        are filled.
        """
        ...


@runtime_checkable
class CanListHoldings(Protocol):
    async def holdings(self, external_id: str) -> list[Holding]:
        """Sessions, tokens, keys, devices and owned things of one account. A failure raises."""
        ...


@runtime_checkable
class CanSnapshot(Protocol):
    async def snapshot(self, external_id: str) -> Snapshot: ...


@runtime_checkable
class CanBlockSignIn(Protocol):
    async def block_sign_in(self, external_id: str) -> Receipt:
        """Keep the account alive, but let nobody in. Reversible."""
        ...


@runtime_checkable
class CanRevokeTokens(Protocol):
    async def revoke_tokens(self, external_id: str) -> Receipt: ...


@runtime_checkable
class CanSuspend(Protocol):
    async def suspend(self, external_id: str) -> Receipt: ...


@runtime_checkable
class CanRevokeSessions(Protocol):
    async def revoke_sessions(self, external_id: str) -> Receipt: ...


@runtime_checkable
class CanRemoveEntitlements(Protocol):
    async def remove_entitlements(self, external_id: str) -> Receipt: ...


@runtime_checkable
class CanReleaseLicence(Protocol):
    async def release_licence(self, external_id: str) -> Receipt:
        """Give back what is paid for by the seat. Data that hangs on the licence may go with it: last."""
        ...


@runtime_checkable
class CanDelete(Protocol):
    async def delete(self, external_id: str) -> Receipt:
        """Irreversible, and never part of a plan by default."""
        ...


@runtime_checkable
class CanVerify(Protocol):
    async def verify(self, external_id: str, verb: Verb) -> Proof: ...


@runtime_checkable
class CanRestore(Protocol):
    async def restore(self, external_id: str, verb: Verb, snapshot: Snapshot) -> Receipt: ...


@runtime_checkable
class CanTransfer(Protocol):
    async def transfer(self, external_id: str, request: TransferRequest) -> Job:
        """Give something of the account to a successor. Asked again, it finds the same job or shows that it
        is done. UNSUPPORTED for a kind that the manifest does not list under `transfer.kinds`."""
        ...

    async def job(self, handle: str) -> Job:
        """How far it has come."""
        ...


@runtime_checkable
class CanEndTransfer(Protocol):
    async def end_transfer(self, handle: str) -> Job:
        """Take back what was given only for a time: reading somebody's mailbox, an automatic reply. `DONE`
        only when the target was read afresh and shows it no more, also where it was gone before."""
        ...


@runtime_checkable
class CanRotate(Protocol):
    async def rotate(
        self, external_id: str, *, old: str, keep: Callable[[Mapping[str, str]], None]
    ) -> Rotation:
        """Give a shared credential a new secret.

        `keep` puts the new secret (by field name) where its users find it, and is called before the old one
        stops working; when it raises, the old one goes on working. `old` is the secret so far, for the
        probe that it is refused; empty when nobody here knows it. No secret is in what is returned.
        """
        ...


@runtime_checkable
class CanWipe(Protocol):
    async def wipe(self, external_id: str, device_id: str) -> Job:
        """Erase a device. Irreversible, and never asked for twice: an unknown outcome stays unknown until
        `job` shows it. `DONE` only when the target shows that the device was wiped, not that it was told."""
        ...

    async def lock(self, external_id: str, device_id: str) -> Job:
        """Lock a device, so that it opens to nobody."""
        ...

    async def job(self, handle: str) -> Job:
        """How far it has come."""
        ...


PROTOCOLS: dict[str, type] = {
    "discover": CanDiscover,
    "list_accounts": CanListAccounts,
    "holdings": CanListHoldings,
    "snapshot": CanSnapshot,
    Verb.BLOCK_SIGN_IN: CanBlockSignIn,
    Verb.REVOKE_SESSIONS: CanRevokeSessions,
    Verb.REVOKE_TOKENS: CanRevokeTokens,
    Verb.SUSPEND: CanSuspend,
    Verb.REMOVE_ENTITLEMENTS: CanRemoveEntitlements,
    Verb.RELEASE_LICENCE: CanReleaseLicence,
    Verb.DELETE: CanDelete,
    "transfer": CanTransfer,
    "end_transfer": CanEndTransfer,
    "rotate": CanRotate,
    "wipe": CanWipe,
    "verify": CanVerify,
    "restore": CanRestore,
}
