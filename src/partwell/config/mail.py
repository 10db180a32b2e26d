"""From a mail server's URL to Django's mail settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit


def mail_settings(url: str, data_dir: Path) -> dict[str, Any]:
    """Send through the server that `url` names; without one, keep each mail as a file in the outbox.

    `smtp://` upgrades to TLS where it carries a password, `smtps://` is TLS from the start. Raises
    `ValueError` for another scheme.
    """
    if not url:
        return {
            "EMAIL_BACKEND": "django.core.mail.backends.filebased.EmailBackend",
            "EMAIL_FILE_PATH": str(data_dir / "outbox"),
        }
    parts = urlsplit(url)
    if parts.scheme not in ("smtp", "smtps"):
        raise ValueError(f"PARTWELL_SMTP_URL: {parts.scheme!r} is neither smtp nor smtps")
    from_start = parts.scheme == "smtps"
    return {
        "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "EMAIL_HOST": parts.hostname or "",
        "EMAIL_PORT": parts.port or (465 if from_start else 587 if parts.password else 25),
        "EMAIL_HOST_USER": unquote(parts.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
        "EMAIL_USE_SSL": from_start,
        "EMAIL_USE_TLS": not from_start and bool(parts.password),
        "EMAIL_TIMEOUT": 20,
    }
