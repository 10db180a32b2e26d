"""Which hosts the settings of a connection lead to, so that they are checked when they are saved.

A manifest marks each setting that names one, or a list of them, with `address:` and the port that it means
where it names none. It is written as a URL, or as `host` or `host:port`. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

# A scheme of these says more than the manifest's port.
PORTS = {"http": 80, "https": 443, "ldap": 389, "ldaps": 636, "postgresql": 5432, "mysql": 3306}


@dataclass(frozen=True)
class Address:
    """Where one setting leads. `host` is empty where it is no address at all."""

    setting: str
    host: str
    port: int


def addresses_of(schema: Mapping[str, Any], settings: Mapping[str, Any]) -> Iterator[Address]:
    """Every address that these settings name."""
    for name, rule in schema.get("properties", {}).items():
        if "address" not in rule or name not in settings:
            continue
        value = settings[name]
        for number, text in enumerate(value) if isinstance(value, list) else [(None, value)]:
            setting = name if number is None else f"{name}.{number}"
            yield _read(setting, str(text), default=int(rule["address"]))


def _read(setting: str, text: str, *, default: int) -> Address:
    try:
        parts = urlsplit(text if "://" in text else f"//{text}")
        return Address(setting, parts.hostname or "", parts.port or PORTS.get(parts.scheme, default))
    except ValueError:
        return Address(setting, "", default)
