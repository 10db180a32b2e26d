"""Reading how people describe a connected system, and refusing what cannot be so. Writes nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import yaml
from django.core.validators import validate_slug

from partwell.access.connections import transport
from partwell.access.states import SlaClass
from partwell.connector_kit import registry
from partwell.connector_kit.contract import PROTOCOLS, ConnectorError
from partwell.connector_kit.targets import addresses_of
from partwell.refusals import Invalid

MANY = 10_000
LONGEST_SECONDS = 120
LONGEST_TITLE = 120


def read_system_file(text: str, *, what: str = "name, connector and settings") -> dict[str, Any]:
    """The description of a system from YAML; `what` says what it should have. Raises `Invalid`."""
    try:
        raw = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise Invalid("unreadable_yaml", f"This is not readable as YAML: {error}") from error
    if not isinstance(raw, Mapping):
        raise Invalid("unreadable_yaml", f"Write one mapping with {what}.")
    check_fields(raw)
    return dict(raw)


def check_fields(description: Mapping[str, Any]) -> None:
    """Raise `Invalid` for a field that no description has."""
    if unknown := sorted(str(key) for key in set(description) - FIELDS):
        known = ", ".join(sorted(FIELDS))
        raise Invalid(
            "unknown_field", f"There is no field {unknown[0]!r}. Known are {known}.", field=unknown[0]
        )


def read_details(description: Mapping[str, Any]) -> dict[str, Any]:
    """What a description says beside name, connector and settings, by the fields of `System`. Raises
    `Invalid` naming the field."""
    return {
        stored: read(description[name]) for name, (stored, read) in DETAILS.items() if name in description
    }


def read_name(name: object) -> str:
    """The name of a new system. Raises `Invalid`."""
    if not isinstance(name, str) or not name or len(name) > 60:
        raise Invalid("name_missing", "Give the system a name of at most 60 characters.", field="name")
    try:
        validate_slug(name)
    except Exception as error:
        raise Invalid(
            "name_invalid", f"{name!r} is no name here: use letters, digits, hyphens.", field="name"
        ) from error
    return name


def read_settings(settings: object) -> dict[str, Any]:
    """Settings as a mapping. Raises `Invalid`."""
    if not isinstance(settings, Mapping):
        raise Invalid("settings_invalid", "Settings are a mapping of names to values.", field="settings")
    return {str(name): value for name, value in settings.items()}


def check_settings(manifest: registry.Manifest, settings: Mapping[str, Any]) -> None:
    """Refuse settings that the connector does not take, or that lead where Partwell may not go. A name that
    DNS does not know right now is no refusal: the same check is made again at each connection.

    Raises `Invalid` naming the setting.
    """
    for setting, problem in registry.settings_problems(manifest, settings):
        field = f"settings.{setting}" if setting else "settings"
        raise Invalid("settings_invalid", f"{field}: {problem}", field=field)
    for name, value in settings.items():
        if holds_credentials(value):
            raise Invalid(
                "target_refused",
                f"settings.{name}: the address holds a user name or a password. Write only host and "
                "path, and say in the settings for it where the secret is kept.",
                field=f"settings.{name}",
            )
    for address in addresses_of(manifest.settings, settings):
        field = f"settings.{address.setting}"
        try:
            transport().check_host(address.host, address.port)
        except ConnectorError as error:
            if error.is_permanent:
                raise Invalid("target_refused", f"{field}: {error.message}", field=field) from error


def holds_credentials(value: object) -> bool:
    """Whether an address in a setting holds a user name or a password. What stands there can be read."""
    texts = value if isinstance(value, list) else [value]
    return any(isinstance(t, str) and "@" in t.partition("://")[2].partition("/")[0] for t in texts)


def _title(value: object) -> str:
    text = "" if value is None else str(value).strip()
    if not text:
        raise Invalid("title_missing", "Say what people call it.", field="title")
    return text[:LONGEST_TITLE]


def _sla(value: object) -> SlaClass:
    try:
        return SlaClass(str(value))
    except ValueError as error:
        raise Invalid("sla_unknown", f"{value!r}: write critical, high or normal.", field="sla") from error


def _without(value: object) -> list[str]:
    if not isinstance(value, list) or (unknown := [v for v in value if v not in PROTOCOLS]):
        raise Invalid(
            "capability_unknown",
            f"{value!r}: list capabilities, of {', '.join(sorted(PROTOCOLS))}.",
            field="without",
        )
    return [str(name) for name in value if name not in unknown]


def _time_limit(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= LONGEST_SECONDS:
        raise Invalid(
            "time_limit_invalid",
            f"{value!r}: write seconds, above 0 and at most {LONGEST_SECONDS}.",
            field="time_limit",
        )
    return float(value)


def _whole(field: str, upto: int) -> Callable[[object], int]:
    def read(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= upto:
            raise Invalid(
                f"{field}_invalid", f"{value!r}: write a whole number from 1 to {upto}.", field=field
            )
        return value

    return read


DETAILS: dict[str, tuple[str, Callable[[object], Any]]] = {
    "title": ("title", _title),
    "sla": ("sla_class", _sla),
    "without": ("without", _without),
    "time_limit": ("time_limit_seconds", _time_limit),
    "most_accounts": ("most_accounts", _whole("most_accounts", MANY)),
    "most_percent": ("most_percent", _whole("most_percent", 100)),
}
"""What a description says beside name, connector and settings: the field of `System`, and how it is read."""
FIELDS = frozenset({"name", "connector", "settings", *DETAILS})
