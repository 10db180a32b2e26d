"""Every setting comes from the environment; this table is all of them. The reference page is checked
against it, so a setting that is not documented fails a test."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Setting:
    """One environment variable: its name, its default and what it means."""

    name: str
    default: str
    meaning: str


SETTINGS: tuple[Setting, ...] = (
    Setting("PARTWELL_DATA_DIR", "data", "Folder for the SQLite database, uploads and keys."),
    Setting(
        "PARTWELL_DATABASE_URL",
        "",
        "`postgresql://user:password@host/name`; empty means SQLite in the data folder.",
    ),
    Setting(
        "PARTWELL_SECRET_KEY",
        "",
        "Signs sessions and encrypts keys at rest; empty: made once, kept in the data folder.",
    ),
    Setting(
        "PARTWELL_SECRET_KEY_FALLBACKS",
        "",
        "Secret keys from before, the newest first, separated by commas: what they signed or sealed still "
        "opens. Needed until `partwell keys renew` has sealed everything anew.",
    ),
    Setting(
        "PARTWELL_BASE_URL",
        "http://localhost:8765",
        "The address that people type; links in mail start with it.",
    ),
    Setting("PARTWELL_ALLOWED_HOSTS", "", "Further host names to answer to, separated by commas."),
    Setting("PARTWELL_BEHIND_PROXY", "0", "`1` when a proxy ends TLS and sets X-Forwarded-Proto."),
    Setting("PARTWELL_LANGUAGE", "en-gb", "Language of dates and numbers."),
    Setting(
        "PARTWELL_TIMEZONE",
        "UTC",
        "Timezone of people whose own is not known, until the firm's is set in Settings.",
    ),
    Setting(
        "PARTWELL_COUNTRY",
        "",
        "Country (ISO 3166) of people whose own is not known, for working days; until the firm's is set in "
        "Settings.",
    ),
    Setting("PARTWELL_LOG_LEVEL", "INFO", "DEBUG, INFO, WARNING or ERROR."),
    Setting(
        "PARTWELL_SMTP_URL",
        "",
        "`smtp://user:password@host:port` or `smtps://…`; empty: mail stays in the outbox.",
    ),
    Setting("PARTWELL_MAIL_FROM", "Partwell <partwell@localhost>", "Sender of mail."),
    Setting(
        "PARTWELL_OUTBOUND_ALLOW",
        "",
        "Private networks or host:port pairs that connectors may reach, separated by commas.",
    ),
    Setting(
        "PARTWELL_GHOST_SWEEP_HOURS",
        "24",
        "Hours from one sweep for ghost accounts to the next; `0`: only when somebody asks for one.",
    ),
    Setting(
        "PARTWELL_CONNECTORS_DIR",
        "",
        "Folder with connectors that you declare in files; empty: none. Read when a process starts.",
    ),
)

_BY_NAME = {setting.name: setting for setting in SETTINGS}


def read(name: str) -> str:
    """The value of a listed setting. Raises `KeyError` for one that the table does not have."""
    return os.environ.get(name, _BY_NAME[name].default)


def read_flag(name: str) -> bool:
    """The value as yes or no."""
    return read(name).strip().lower() in ("1", "true", "yes", "on")


def read_number(name: str) -> float:
    """The value as a number. Raises `ValueError`, which names the setting, for one that is none."""
    text = read(name)
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{name} is {text!r}; write a number.") from None


def read_list(name: str) -> list[str]:
    """The value split at commas, without blanks."""
    return [part.strip() for part in read(name).split(",") if part.strip()]
