"""DBOS writing through Django's connection, inside Django's transaction.

DBOS speaks SQLAlchemy. It gets a connection whose commit, rollback and close do nothing, because the
transaction is Django's: what DBOS inserts commits or rolls back with the rows that it is about.

DBOS and SQLAlchemy are imported when they are first needed: it takes a second that most commands can save.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from django.db import connection

from partwell.engine.address import APPLICATION

if TYPE_CHECKING:
    import sqlalchemy as sa
    from dbos import DBOSClient


class Borrowed:
    """A DB-API connection that somebody else owns: it may be used, but not ended and not changed."""

    def __init__(self, raw: Any) -> None:
        self.__dict__["raw"] = raw

    def commit(self) -> None:
        """Nothing: the owner commits."""

    def rollback(self) -> None:
        """Nothing: the owner rolls back."""

    def close(self) -> None:
        """Nothing: the owner closes."""

    def create_function(self, *args: object, **kwargs: object) -> None:
        """Nothing: SQLAlchemy would replace Django's own SQL functions on SQLite."""

    def add_notice_handler(self, handler: object) -> None:
        """Nothing: on PostgreSQL one handler would be added with every call and never removed."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self.raw, name)

    def __setattr__(self, name: str, value: object) -> None:
        """Nothing: isolation level and autocommit are the owner's."""


def _lend() -> Borrowed:
    connection.ensure_connection()
    return Borrowed(connection.connection)


@lru_cache(maxsize=2)
def _sql_engine(vendor: str) -> sa.Engine:
    """One for the process: it holds SQLAlchemy's dialect and compiled statements, and no connection."""
    import sqlalchemy as sa
    from sqlalchemy.pool import NullPool

    if vendor == "postgresql":
        return sa.create_engine(
            "postgresql+psycopg://",
            creator=_lend,
            poolclass=NullPool,
            pool_reset_on_return=None,
            use_native_hstore=False,
        )
    return sa.create_engine("sqlite://", creator=_lend, poolclass=NullPool, pool_reset_on_return=None)


@lru_cache(maxsize=2)
def client_for(vendor: str) -> DBOSClient:
    """A client that owns no connection; it works where the engine itself does not run: web, CLI, tests."""
    from dbos import DBOSClient

    return DBOSClient(
        system_database_engine=_sql_engine(vendor),
        application_name=APPLICATION,
        lazy=True,
        retry_connection_errors=False,
    )


@contextmanager
def borrowed_connection() -> Iterator[tuple[DBOSClient, sa.Connection]]:
    """The client, and Django's connection of this thread as SQLAlchemy sees it."""
    vendor = connection.vendor
    with _sql_engine(vendor).connect() as borrowed:
        yield client_for(vendor), borrowed
