"""What the tests of this connector share: a connection, and a fresh person for each test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pymysql
import pytest

from partwell.connector_kit.addresses import AllowList
from partwell.connector_kit.contract import Account, Connection, ConnectorError, ErrorKind, Identity
from partwell.connector_kit.secrets import ReferencedSecrets
from partwell.connector_kit.transport import Transport
from partwell.connectors.mysql.connector import CONNECTOR, MysqlConnector
from tests.servers.mariadb import DATABASE, SERVICE, SERVICE_PASSWORD, MariaDbServer

PASSWORD = "correct horse"
LOOPBACK = AllowList.parse(["127.0.0.0/8", "::1"])
_numbers = count(1)


def connect(server: MariaDbServer, *, transport: Transport | None = None, **settings: Any) -> MysqlConnector:
    """The connector, as the how-to connects it."""
    return CONNECTOR(
        Connection(
            name="database",
            settings={
                "url": server.url,
                "ca_file": str(server.ca_file),
                "user": SERVICE,
                "password": "env:MYSQL",
                **settings,
            },
            secrets=ReferencedSecrets({"MYSQL": SERVICE_PASSWORD}),
            transport=transport or Transport(LOOPBACK),
            now=lambda: datetime.now(UTC),
        )
    )


class Person:
    """A fresh login with rights and a role."""

    def __init__(
        self,
        server: MariaDbServer,
        *,
        name: str = "",
        hosts: tuple[str, ...] = ("%",),
        with_rights: bool = True,
    ) -> None:
        self.server = server
        number = next(_numbers)
        self.name = name or f"person{number}"
        self.role = f"role{number}"
        server.add_person(self.name, hosts=hosts, password=PASSWORD)
        if with_rights:
            server.add_role(self.role, [(self.name, hosts[0])])
            server.ask(f"GRANT SELECT, UPDATE (note) ON {DATABASE}.orders TO %s@%s", self.name, hosts[0])
            server.ask(f"GRANT INSERT ON {DATABASE}.* TO %s@%s WITH GRANT OPTION", self.name, hosts[0])
        self.identity = Identity(emails=(), usernames=(self.name,))

    def sign_in(self) -> pymysql.Connection:
        """A session of this person, left open."""
        return self.server.connect(self.name, PASSWORD)

    async def account(self, connector: MysqlConnector) -> Account:
        """The one account that discovery finds."""
        (account,) = await connector.discover(self.identity)
        return account


def is_alive(session: pymysql.Connection) -> bool:
    """Whether a session still answers."""
    try:
        with session.cursor() as cursor:
            cursor.execute("SELECT 1")
    except pymysql.MySQLError:
        return False
    return True


@contextmanager
def refused(kind: ErrorKind) -> Iterator[pytest.ExceptionInfo[ConnectorError]]:
    """What is done within is refused, and for this kind of reason."""
    with pytest.raises(ConnectorError) as refusal:
        yield refusal
    assert refusal.value.kind is kind, refusal.value
