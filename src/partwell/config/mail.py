"""From a mail server's URL to what it takes to reach it."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlsplit

ANSWER_WITHIN_SECONDS = 20


def mail_server(url: str) -> dict[str, Any] | None:
    """The arguments of Django's SMTP connection for `url`; None without one: mail stays in the outbox.

    `smtp://` upgrades to TLS where it carries a password, so that no password travels in the open;
    `smtps://` is TLS from the start. Raises `ValueError` for another scheme or a missing host.
    """
    if not url:
        return None
    parts = urlsplit(url)
    if parts.scheme not in ("smtp", "smtps"):
        raise ValueError(f"PARTWELL_SMTP_URL: {parts.scheme!r} is neither smtp nor smtps")
    if not parts.hostname:
        raise ValueError("PARTWELL_SMTP_URL: the host is missing; write smtp://host:port")
    from_start = parts.scheme == "smtps"
    return {
        "host": parts.hostname,
        "port": parts.port or (465 if from_start else 587 if parts.password else 25),
        "username": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
        "use_ssl": from_start,
        "use_tls": not from_start and bool(parts.password),
        "timeout": ANSWER_WITHIN_SECONDS,
    }
