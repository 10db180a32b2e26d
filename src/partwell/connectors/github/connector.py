"""Accounts on GitHub: people of an organisation, or managed users of an enterprise.

The two are different worlds. People of an organisation own their accounts, and are removed and invited;
managed users belong to the enterprise, and are suspended. The settings say which of them a connection is for.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from partwell.connector_kit.contract import (
    Account,
    Connection,
    ConnectorError,
    ErrorKind,
    Holding,
    Identity,
    Proof,
    Receipt,
    Snapshot,
    TestReport,
    Verb,
)
from partwell.connector_kit.transport import Transport
from partwell.connectors.github.managed import ManagedUsers
from partwell.connectors.github.organisation import Organisation


class GithubConnector:
    """See the manifest for settings and the README for the rights that the credentials need."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._transport: Transport = connection.transport
        settings = connection.settings
        if (settings.get("managed_users") or settings.get("enterprise_token")) and not (
            settings.get("enterprise") and settings.get("enterprise_token")
        ):
            raise ConnectorError(
                ErrorKind.INVALID,
                "'enterprise' and 'enterprise_token' belong together, and managed users need both.",
            )
        self._world: Organisation | ManagedUsers
        if settings.get("managed_users"):
            self._world = ManagedUsers(connection)
        elif settings.get("organization"):
            self._world = Organisation(connection)
        else:
            raise ConnectorError(
                ErrorKind.INVALID, "Set 'organization', or 'managed_users' with 'enterprise'."
            )

    async def close(self) -> None:
        """Nothing to let go of: connections belong to the transport."""

    async def test(self) -> TestReport:
        """Read one of each thing that the connector looks at. Changes nothing."""
        try:
            problems = await self._world.problems()
        except ConnectorError as error:
            problems = [error.message]
        if problems:
            return TestReport(False, problems[0], tuple(dict.fromkeys(problems)))
        return TestReport(
            True,
            "GitHub answers and lets us read all that is needed. An app's rights to change were compared; "
            "whether a token may change things shows with the first one.",
        )

    async def discover(self, identity: Identity) -> list[Account]:
        """Everybody whom one fact about the person matches exactly."""
        return await self._world.discover(identity)

    async def read(self, external_id: str) -> Account | None:
        """The person afresh, with what they hold."""
        return await self._world.read(external_id)

    async def list_accounts(self) -> AsyncIterator[list[Account]]:
        """Everybody, invited people included. Only listed accounts are marked as protected here."""
        async for page in self._world.list_accounts():
            yield page

    async def holdings(self, external_id: str) -> list[Holding]:
        """Tokens and keys that GitHub shows, and what nobody else looks after."""
        return await self._world.holdings(external_id)

    async def snapshot(self, external_id: str) -> Snapshot:
        """What `restore` needs."""
        return await self._world.snapshot(external_id)

    async def suspend(self, external_id: str) -> Receipt:
        """Managed users: suspend. Others: take the membership away, which GitHub keeps for three months."""
        self._transport.check_write()
        return await self._world.suspend(external_id)

    async def revoke_tokens(self, external_id: str) -> Receipt:
        """Take back what tokens and keys may do here."""
        self._transport.check_write()
        return await self._world.revoke_tokens(external_id)

    async def remove_entitlements(self, external_id: str) -> Receipt:
        """Take roles, teams and direct access to repositories away."""
        self._transport.check_write()
        return await self._world.remove_entitlements(external_id)

    async def restore(self, external_id: str, verb: Verb, snapshot: Snapshot) -> Receipt:
        """Put back what `snapshot` shows for `verb`; who was removed has to accept an invitation."""
        self._transport.check_write()
        return await self._world.restore(external_id, verb, snapshot)

    async def verify(self, external_id: str, verb: Verb) -> Proof:
        """Read afresh. GitHub lets nobody try another person's access, and the sentence says so."""
        return await self._world.verify(external_id, verb)


CONNECTOR = GithubConnector
