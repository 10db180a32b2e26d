"""From a database URL to Django's DATABASES, with what both databases need to behave alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

# For every connection to PostgreSQL: a server that vanished without a word is noticed within half a minute,
# whether a question is under way (tcp_user_timeout, Linux) or not (keepalives). Seconds, and milliseconds.
NOTICE_LOSS = {
    "connect_timeout": "10",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "25000",
}


def database_settings(url: str, data_dir: Path) -> dict[str, Any]:
    """SQLite in the data folder when `url` is empty, else what the URL says.

    Raises `ValueError` for a scheme that is neither `sqlite` nor `postgresql`.
    """
    if not url:
        return _sqlite(data_dir / "partwell.sqlite3")
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        return _sqlite(Path(unquote(parts.path)))
    if parts.scheme in ("postgresql", "postgres"):
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": unquote(parts.path.lstrip("/")),
            "USER": unquote(parts.username or ""),
            "PASSWORD": unquote(parts.password or ""),
            "HOST": unquote(parts.hostname or ""),
            "PORT": str(parts.port or ""),
            "OPTIONS": NOTICE_LOSS | dict(parse_qsl(parts.query)),
            "CONN_MAX_AGE": 60,
            "CONN_HEALTH_CHECKS": True,
        }
    raise ValueError(f"PARTWELL_DATABASE_URL: {parts.scheme!r} is neither sqlite nor postgresql")


def _sqlite(path: Path) -> dict[str, Any]:
    return {
        "ENGINE": "partwell.config.sqlite",
        "NAME": str(path),
        "OPTIONS": {
            # Writers queue at BEGIN instead of failing half way; WAL lets readers go on beside them.
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;",
        },
        "TEST": {"NAME": str(path.with_name("test.sqlite3"))},
    }
