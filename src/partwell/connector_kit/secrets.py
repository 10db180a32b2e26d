"""Secrets by reference only: `env:NAME` or `file:PATH`, read at the moment of use and kept nowhere.

Settings hold the reference; a literal secret in settings is refused before it can be stored.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from partwell.connector_kit.contract import ConnectorError, ErrorKind

_REFERENCE = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*|file:/[^\0\n]+")
MAX_SECRET_BYTES = 64 * 1024


def is_reference(value: object) -> bool:
    """Whether `value` is written as `env:NAME` or `file:/absolute/path`."""
    return isinstance(value, str) and _REFERENCE.fullmatch(value) is not None


def secret_names(schema: Mapping[str, Any]) -> tuple[str, ...]:
    """The settings that a manifest's JSON Schema marks `secret: true`."""
    return tuple(name for name, rule in schema.get("properties", {}).items() if rule.get("secret") is True)


def secrets_in(schema: Mapping[str, Any], settings: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    """What stands where a secret's place belongs, by setting; within a list of groups of settings, by its
    path, such as `held_tokens.0.token`."""
    secret = secret_names(schema)
    for name, rule in schema.get("properties", {}).items():
        value = settings.get(name)
        if name in secret and name in settings:
            yield name, value
        elif secret_names(rule.get("items", {})) and isinstance(value, list):
            for number, group in enumerate(value):
                if isinstance(group, Mapping):
                    for inner, found in secrets_in(rule["items"], group):
                        yield f"{name}.{number}.{inner}", found


def check_no_literal_secrets(settings: Mapping[str, Any], schema: Mapping[str, Any]) -> None:
    """Refuse settings that hold a secret itself. The refusal never repeats the value."""
    for name, value in secrets_in(schema, settings):
        if value not in (None, "") and not is_reference(value):
            raise ConnectorError(
                ErrorKind.INVALID,
                f"'{name}' holds a secret itself. Put it into the environment or a file and write "
                "'env:NAME' or 'file:/path' here.",
            )


class ReferencedSecrets:
    """Resolves references against this process's environment and file system."""

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        self._environ = os.environ if environ is None else environ

    def __repr__(self) -> str:
        return "ReferencedSecrets()"

    def resolve(self, reference: str) -> str:
        """The secret behind `reference`. Raises `ConnectorError(DENIED)` that names the reference only."""
        if not is_reference(reference):
            # The text may be the secret itself, so it is not repeated.
            raise ConnectorError(ErrorKind.INVALID, "A secret is written 'env:NAME' or 'file:/path'.")
        kind, _, rest = reference.partition(":")
        value = self._environ.get(rest, "") if kind == "env" else self._read(Path(rest), reference)
        if not value:
            raise ConnectorError(ErrorKind.DENIED, f"The secret '{reference}' is missing or empty here.")
        return value

    @staticmethod
    def _read(path: Path, reference: str) -> str:
        try:
            with path.open("rb") as file:
                raw = file.read(MAX_SECRET_BYTES + 1)
            if len(raw) > MAX_SECRET_BYTES:
                raise ConnectorError(ErrorKind.DENIED, f"The secret '{reference}' is over 64 KiB.")
            return raw.decode("utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise ConnectorError(
                ErrorKind.DENIED, f"The secret '{reference}' could not be read ({type(error).__name__})."
            ) from None
