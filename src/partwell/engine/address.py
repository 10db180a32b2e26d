"""Where the engine keeps its state: in Django's own database, so that both commit together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.db import connection

# A new release must find what the old one left behind, so the version that DBOS stores never changes.
APPLICATION = "partwell"
APPLICATION_VERSION = "1"


def engine_url() -> str:
    """SQLAlchemy's URL for the database that Django's connection uses now; in tests, the test database."""
    settings = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{settings['NAME']}"
    from sqlalchemy import URL

    return URL.create(
        "postgresql",
        username=settings["USER"] or None,
        password=settings["PASSWORD"] or None,
        host=settings["HOST"] or None,
        port=int(settings["PORT"]) if settings["PORT"] else None,
        database=settings["NAME"],
        query=_libpq_options(settings["OPTIONS"]),
    ).render_as_string(hide_password=False)


def guard_parameters() -> dict[str, Any]:
    """psycopg's parameters for a connection of our own to the same PostgreSQL database."""
    parameters = connection.get_connection_params()
    return {
        key: value
        for key, value in parameters.items()
        if key not in ("cursor_factory", "context", "prepare_threshold")
    }


def guard_folder() -> Path:
    """Where processes that share one SQLite file keep their locks: beside it."""
    return Path(str(connection.settings_dict["NAME"])).resolve().parent / "engine"


def _libpq_options(options: dict[str, Any]) -> dict[str, str]:
    return {key: str(value) for key, value in options.items() if isinstance(value, str | int)}
