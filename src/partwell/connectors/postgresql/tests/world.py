"""What the tests of this connector share: a connection, and a fresh person for each test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from typing import Any

import psycopg
import pytest

from partwell.connector_kit.addresses import AllowList
from partwell.connector_kit.contract import Account, Connection, ConnectorError, ErrorKind, Identity
from partwell.connector_kit.secrets import ReferencedSecrets
from partwell.connector_kit.transport import Transport
from partwell.connectors.postgresql.connector import CONNECTOR, PostgresqlConnector
from tests.servers.postgresql import BOSS_PASSWORD, SERVICE, SERVICE_PASSWORD, PostgresqlServer

PASSWORD = "correct horse"
LOOPBACK = AllowList.parse(["127.0.0.0/8", "::1"])
_numbers = count(1)


def connect(
    server: PostgresqlServer, *, transport: Transport | None = None, **settings: Any
) -> PostgresqlConnector:
    """The connector, as the how-to connects it."""
    door = {"ca_file": str(server.ca_file)} if server.ca_file else {"allow_plain": True}
    return CONNECTOR(
        Connection(
            name="database",
            settings={"url": server.url, **door, "user": SERVICE, "password": "env:PG", **settings},
            secrets=ReferencedSecrets({"PG": SERVICE_PASSWORD, "BOSS": BOSS_PASSWORD}),
            transport=transport or Transport(LOOPBACK),
            now=lambda: datetime.now(UTC),
        )
    )


class Person:
    """A fresh role that may sign in, in a group that somebody else is in too."""

    def __init__(self, server: PostgresqlServer, *, name: str = "", admin: bool = False) -> None:
        self.server = server
        self.name = name or f"person{next(_numbers)}"
        self.mail = f"{self.name}@firm.test"
        self.oid = server.add_person(self.name, password=PASSWORD, comment=f"{self.name} <{self.mail}>")
        self.group = f"{self.name}_group"
        server.add_group(self.group, [self.name], admin=admin)
        self.identity = Identity(emails=(self.mail,))

    def sign_in(self, *, database: str = "postgres") -> psycopg.Connection:
        """A session of this person, left open."""
        return self.server.connect(self.name, PASSWORD, database=database)

    async def account(self, connector: PostgresqlConnector) -> Account:
        """The one account that discovery finds."""
        (account,) = await connector.discover(self.identity)
        return account


def is_alive(session: psycopg.Connection) -> bool:
    """Whether a session still answers."""
    try:
        session.execute("SELECT 1")
    except psycopg.OperationalError:
        return False
    return True


@contextmanager
def refused(kind: ErrorKind) -> Iterator[pytest.ExceptionInfo[ConnectorError]]:
    """What is done within is refused, and for this kind of reason."""
    with pytest.raises(ConnectorError) as refusal:
        yield refusal
    assert refusal.value.kind is kind, refusal.value
