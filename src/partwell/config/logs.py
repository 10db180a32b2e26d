"""Logs: JSON lines for machines, colours for people at a terminal. On stderr; stdout is for data."""

from __future__ import annotations

from typing import Any

import structlog


def log_settings(level: str, *, pretty: bool) -> dict[str, Any]:
    """Django's LOGGING for `level`. Also configures structlog, so that both kinds of logger look alike."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    ending: list[Any] = (
        [structlog.dev.ConsoleRenderer()]
        if pretty
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=False)]
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "structured": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": shared,
                "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *ending],
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "structured"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # They speak at every step of their own work; here only when something is wrong.
            "dbos": {"level": "WARNING"},
            "sqlalchemy": {"level": "WARNING"},
            "asyncio": {"level": "WARNING"},
            "granian.access": {"level": "WARNING"},
            # At INFO it writes whole addresses, with the e-mail addresses that connectors look for in them.
            "httpx": {"level": "WARNING"},
            "httpcore": {"level": "WARNING"},
        },
    }
