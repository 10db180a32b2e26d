"""Connecting systems, and testing the connection."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from partwell.access import descriptions
from partwell.access.connections import Session, Target, target_of
from partwell.access.models import System
from partwell.connector_kit import registry
from partwell.connector_kit.contract import ConnectorError, TestReport
from partwell.evidence.operations import record
from partwell.people.actors import Actor
from partwell.people.authorisation import check_office, operation
from partwell.refusals import Conflict, Invalid


@operation("systems.add")
def add_system(*, description: Mapping[str, Any], actor: Actor, now: datetime) -> System:
    """Connect a system as described (see `descriptions`). Nothing is asked of it yet, but its address must
    be one that Partwell may reach.

    Raises `Invalid` naming the setting, `Conflict` when the name is taken.
    """
    check_office(actor, "systems.add")
    descriptions.check_fields(description)
    name = descriptions.read_name(description.get("name"))
    registered = registry.find(str(description.get("connector", "")))
    if registered is None:
        known = ", ".join(sorted(registry.connectors()))
        raise Invalid(
            "unknown_connector",
            f"There is no connector {description.get('connector')!r}. There are {known}.",
            field="connector",
        )
    settings = descriptions.read_settings(description.get("settings") or {})
    descriptions.check_settings(registered.manifest, settings)
    if System.objects.filter(name=name).exists():
        raise Conflict(
            "system_exists", f"There is a system called {name!r} already. Choose another name.", field="name"
        )
    # What is left empty is as usual.
    given = {key: value for key, value in description.items() if value not in (None, "", [])}
    details = {"title": name, **descriptions.read_details(given)}
    system = System.objects.create(
        name=name, connector=registered.manifest.id, settings=settings, created_at=now, **details
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


def test_system(*, system: System, actor: Actor, now: datetime) -> TestReport:
    """Ask the system whether our credentials and scopes suffice. Changes nothing there; leaves evidence.

    Raises `Conflict` when the connection was changed meanwhile: the answer is of the one before.
    """
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
    _record_test(system=system, target=target, report=report, actor=actor, now=now)
    return report


@operation("systems.test")
def _record_test(*, system: System, target: Target, report: TestReport, actor: Actor, now: datetime) -> None:
    check_office(actor, "systems.test")
    latest = System.objects.filter(pk=system.pk).first()
    if latest is not None and latest.connection_digest != target.digest:
        raise Conflict(
            "changed_meanwhile", f"{latest.title} was changed while it was being tested. Test it again."
        )
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
