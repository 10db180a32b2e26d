"""The engine's own tables."""

from __future__ import annotations

import logging

from dbos import DBOS
from django.db import connection

from partwell.engine.address import engine_url


def ensure() -> None:
    """Create or upgrade the engine's tables in Django's database; does nothing when they are up to date.

    A migration of this room calls it, so that they exist wherever Django's tables do, test databases
    included; every start calls it again, because a new release of DBOS may bring new ones.
    """
    silence()
    if connection.vendor == "sqlite":
        # DBOS never sets it. The mode stays with the file, so this makes it hold for every later connection.
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA journal_mode=WAL")
    DBOS.migrate(engine_url())


def silence() -> None:
    """Let DBOS speak only through our own logging, and only when something is wrong."""
    logger = logging.getLogger("dbos")
    logger.setLevel(logging.WARNING)
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
    logger.propagate = True
