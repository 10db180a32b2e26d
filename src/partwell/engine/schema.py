"""The engine's own tables."""

from __future__ import annotations

import logging

from django.db import connection

from partwell.engine.address import engine_url
from partwell.engine.borrowed import client_for


def ensure() -> None:
    """Create or upgrade the engine's tables in Django's database; does nothing when they are up to date.

    A migration of this room calls it, so that they exist wherever Django's tables do, test databases
    included; every start calls it again, because a new release of DBOS may bring new ones.
    """
    from dbos import DBOS

    silence()
    if connection.vendor == "sqlite":
        # DBOS never sets it. The mode stays with the file, so this makes it hold for every later connection.
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA journal_mode=WAL")
    DBOS.migrate(engine_url())


def is_current() -> bool:
    """Whether the engine's tables are there, in the version that this release needs. Changes nothing."""
    from dbos import error

    try:
        client_for(connection.vendor)._sys_db.verify_migrations()
    except error.DBOSException:
        return False
    return True


def silence() -> None:
    """Let DBOS speak only through our own logging, and only when something is wrong."""
    logger = logging.getLogger("dbos")
    logger.setLevel(logging.WARNING)
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
    logger.propagate = True


def forget_runs() -> None:
    """Remove every run that the engine remembers, in the caller's transaction; its tables stay.

    For an installation that begins anew. What is left behind would ask for journeys that are gone.
    """
    from dbos._schemas.system_database import SystemSchema

    kept = (SystemSchema.application_versions, SystemSchema.queues)
    with client_for(connection.vendor)._sys_db.engine.connect() as borrowed:
        for table in reversed(SystemSchema.metadata_obj.sorted_tables):
            if table not in kept:
                borrowed.execute(table.delete())
