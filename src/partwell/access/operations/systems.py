"""Connecting systems, and testing the connection."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import yaml
from django.core.validators import validate_slug

from partwell.access.connections import Session, target_of, transport
from partwell.access.models import System
from partwell.access.states import MOST_ACCOUNTS, MOST_PERCENT, SlaClass
from partwell.connector_kit import registry
from partwell.connector_kit.contract import PROTOCOLS, ConnectorError, TestReport
from partwell.connector_kit.targets import addresses_of
from partwell.evidence.operations import record
from partwell.people.actors import Actor
from partwell.people.authorisation import check_office, operation
from partwell.refusals import Conflict, Invalid

FIELDS = frozenset(
    {
        "name",
        "connector",
        "settings",
        "title",
        "sla",
        "without",
        "time_limit",
        "most_accounts",
        "most_percent",
    }
)
MANY = 10_000
LONGEST_SECONDS = 120


def read_system_file(text: str) -> dict[str, Any]:
    """The description of a system from YAML. Raises `Invalid`."""
    try:
        raw = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise Invalid("unreadable_yaml", f"This is not readable as YAML: {error}") from error
    if not isinstance(raw, Mapping):
        raise Invalid("unreadable_yaml", "Write one mapping with name, connector and settings.")
    if unknown := sorted(str(key) for key in set(raw) - FIELDS):
        known = ", ".join(sorted(FIELDS))
        raise Invalid(
            "unknown_field", f"There is no field {unknown[0]!r}. Known are {known}.", field=unknown[0]
        )
    return dict(raw)


@operation("systems.add")
def add_system(*, description: Mapping[str, Any], actor: Actor, now: datetime) -> System:
    """Connect a system as described (see `read_system_file`). Nothing is asked of it yet, but its address
    must be one that Partwell may reach.

    Raises `Invalid` naming the setting, `Conflict` when the name is taken.
    """
    check_office(actor, "systems.add")
    name = _name(description.get("name"))
    registered = registry.find(str(description.get("connector", "")))
    if registered is None:
        known = ", ".join(sorted(registry.connectors()))
        raise Invalid(
            "unknown_connector",
            f"There is no connector {description.get('connector')!r}. There are {known}.",
            field="connector",
        )
    settings = description.get("settings") or {}
    if not isinstance(settings, Mapping):
        raise Invalid("settings_invalid", "Settings are a mapping of names to values.", field="settings")
    for setting, problem in registry.settings_problems(registered.manifest, settings):
        field = f"settings.{setting}" if setting else "settings"
        raise Invalid("settings_invalid", f"{field}: {problem}", field=field)
    _check_addresses(registered.manifest.settings, settings)
    if System.objects.filter(name=name).exists():
        raise Conflict(
            "system_exists", f"There is a system called {name!r} already. Choose another name.", field="name"
        )
    system = System.objects.create(
        name=name,
        title=str(description.get("title") or name)[:120],
        connector=registered.manifest.id,
        settings=dict(settings),
        without=_without(description.get("without") or []),
        sla_class=_sla(description.get("sla") or SlaClass.NORMAL),
        time_limit_seconds=_time_limit(description.get("time_limit", 20)),
        most_accounts=_whole(description, "most_accounts", MOST_ACCOUNTS, upto=MANY),
        most_percent=_whole(description, "most_percent", MOST_PERCENT, upto=100),
        created_at=now,
    )
    record(
        "system.added",
        scope=f"system:{name}",
        actor=actor.label,
        at=now,
        fields={
            "name": name,
            "connector": system.connector,
            "settings": sorted(settings),
            "most_accounts": system.most_accounts,
            "most_percent": system.most_percent,
            "declaration": registered.digest,
        },
    )
    return system


def _name(name: object) -> str:
    if not isinstance(name, str) or not name or len(name) > 60:
        raise Invalid("name_missing", "Give the system a name of at most 60 characters.", field="name")
    try:
        validate_slug(name)
    except Exception as error:
        raise Invalid(
            "name_invalid", f"{name!r} is no name here: use letters, digits, hyphens.", field="name"
        ) from error
    return name


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


def _whole(description: Mapping[str, Any], field: str, default: int, *, upto: int) -> int:
    value = description.get(field, default)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= upto:
        raise Invalid(f"{field}_invalid", f"{value!r}: write a whole number from 1 to {upto}.", field=field)
    return value


def _check_addresses(schema: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
    """Refuse settings that lead where Partwell may not go. A name that DNS does not know right now is no
    refusal: the same check is made again at each connection."""
    _refuse_credentials_in_addresses(settings)
    for address in addresses_of(schema, settings):
        field = f"settings.{address.setting}"
        try:
            transport().check_host(address.host, address.port)
        except ConnectorError as error:
            if error.is_permanent:
                raise Invalid("target_refused", f"{field}: {error.message}", field=field) from error


def _refuse_credentials_in_addresses(settings: Mapping[str, Any]) -> None:
    """What stands in a setting can be read, a password in an address too. The refusal does not repeat it."""
    for name, value in settings.items():
        for text in value if isinstance(value, list) else [value]:
            if isinstance(text, str) and "@" in text.partition("://")[2].partition("/")[0]:
                raise Invalid(
                    "target_refused",
                    f"settings.{name}: the address holds a user name or a password. Write only host and "
                    "path, and say in the settings for it where the secret is kept.",
                    field=f"settings.{name}",
                )


def test_system(*, system: System, actor: Actor, now: datetime) -> TestReport:
    """Ask the system whether our credentials and scopes suffice. Changes nothing there; leaves evidence."""
    check_office(actor, "systems.test")
    target = target_of(system)
    if registry.find(system.connector) is not None and not target.capabilities:
        report = TestReport(True, "There is nothing to ask: people look into this system by hand.")
    else:
        try:
            with Session(target) as session:
                report = session.call(lambda connector: connector.test())
        except ConnectorError as error:
            report = TestReport(False, error.message, (error.message,))
    _record_test(system=system, report=report, actor=actor, now=now)
    return report


@operation("systems.test")
def _record_test(*, system: System, report: TestReport, actor: Actor, now: datetime) -> None:
    check_office(actor, "systems.test")
    record(
        "system.tested",
        scope=f"system:{system.name}",
        actor=actor.label,
        at=now,
        fields={
            "name": system.name,
            "ok": report.ok,
            "summary": report.summary,
            "problems": list(report.problems),
            "declaration": "" if (found := registry.find(system.connector)) is None else found.digest,
        },
    )
