"""What the tests of this connector share: a connection, a fresh login for each test, and a host by script."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import asyncssh
import pytest

from partwell.connector_kit.addresses import AllowList
from partwell.connector_kit.contract import Account, Connection, ConnectorError, ErrorKind, Identity
from partwell.connector_kit.secrets import ReferencedSecrets
from partwell.connector_kit.transport import Transport
from partwell.connectors.ssh.connector import CONNECTOR, SshConnector
from tests.servers.sshd import SshdServer

LOOPBACK = AllowList.parse(["127.0.0.0/8", "::1"])
# "correct horse", as /etc/shadow has it.
PASSWORD_HASH = (
    "$6$partwell$TieHidtKVGDoDYGWV.5PsaomVzDf0Hw1sf8ewVxaDQAx5MBWePWr86WNbt6/2.6AXotq2a7s4f/MZa7PAOh1O0"
)


def connect(server: SshdServer, *, transport: Transport | None = None, **settings: Any) -> SshConnector:
    """The connector, as the how-to connects it."""
    return CONNECTOR(
        Connection(
            name="servers",
            settings={
                "hosts": [server.address],
                "known_hosts": server.known_hosts,
                "user": server.service,
                "private_key": "env:SSH_KEY",
                **settings,
            },
            secrets=ReferencedSecrets({"SSH_KEY": server.service_key}),
            transport=transport or Transport(LOOPBACK),
            now=lambda: datetime.now(UTC),
        )
    )


class Person:
    """A fresh login with a password, a key and a group."""

    def __init__(self, server: SshdServer, *, comment: str = "Ana Lima,4711") -> None:
        self.server = server
        self.name = server.name()
        self.group = server.name()
        self.home = server.add_login(self.name, comment=comment, password=PASSWORD_HASH)
        server.add_group(self.group, self.name)
        self.key = asyncssh.generate_private_key("ssh-ed25519")
        self.key_file = server.let_in(self.name, self.key)
        self.identity = Identity(emails=(), usernames=(self.name,))

    async def sign_in(self) -> asyncssh.SSHClientConnection:
        """A connection of this person, left open."""
        return await self.server.connect(self.name, self.key)

    async def gets_in(self) -> bool:
        """Whether a new sign-in by the key works."""
        return await self.server.lets_in(self.name, self.key)

    async def account(self, connector: SshConnector) -> Account:
        """The one account that discovery finds."""
        (account,) = await connector.discover(self.identity)
        return account


async def is_alive(connection: asyncssh.SSHClientConnection) -> bool:
    """Whether an open connection still runs commands."""
    try:
        return (await connection.run("/bin/echo alive")).stdout == "alive\n"
    except (asyncssh.Error, OSError):
        return False


@contextmanager
def refused(kind: ErrorKind) -> Iterator[pytest.ExceptionInfo[ConnectorError]]:
    """What is done within is refused, and for this kind of reason."""
    with pytest.raises(ConnectorError) as refusal:
        yield refusal
    assert refusal.value.kind is kind, refusal.value
