"""Whether the database can be reached: processes wait for it instead of failing without it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import psycopg
from django.db import InterfaceError, OperationalError, connection

AGAIN_SECONDS = 0.5
SAY_EVERY_SECONDS = 60.0

log = logging.getLogger(__name__)


def wait_for_database(is_stopping: Callable[[], bool]) -> bool:
    """Return True when the database answers, False when the process has to stop before that.

    A database that starts after us, or again, is no failure of ours: whoever gave up would have to be
    started by somebody.
    """
    said = -SAY_EVERY_SECONDS
    while not is_stopping():
        try:
            connection.close()
            connection.ensure_connection()
            return True
        except (OperationalError, InterfaceError) as error:
            if time.monotonic() - said >= SAY_EVERY_SECONDS:
                said = time.monotonic()
                log.warning("the database does not answer; waiting for it: %s", error)
            time.sleep(AGAIN_SECONDS)
    return False


def is_loss(error: BaseException | None) -> bool:
    """Whether this error, or what led to it, is that the connection to the database broke or was refused."""
    while error is not None:
        if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
            return True
        error = error.__cause__ or error.__context__
    return False
