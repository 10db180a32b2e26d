"""`partwell systems …`: what is connected, and whether the connection works."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from partwell import clock
from partwell.access import operations, queries
from partwell.access.operations.system_changes import SystemChange
from partwell.cli.acting import As, acting
from partwell.cli.output import AsJson, answer, listing, speaks, table
from partwell.people.authorisation import check_office
from partwell.refusals import Invalid

app = typer.Typer(name="systems", help="Connected systems.", no_args_is_help=True)


@app.command("list")
@speaks
def list_systems(as_json: AsJson = False, as_email: As = None) -> None:
    """All connected systems."""
    check_office(acting(as_email), "systems.view")
    rows = queries.systems_list()
    answer(
        listing(rows),
        as_json=as_json,
        text=lambda: table(
            [[row["name"], row["title"], row["connector"], row["sla"]] for row in rows],
            ["NAME", "TITLE", "CONNECTOR", "SLA"],
        ),
    )


@app.command("add")
@speaks
def add(
    file: Annotated[Path, typer.Argument(metavar="F.yaml", help="name, connector, settings; title, sla.")],
    as_json: AsJson = False,
    as_email: As = None,
) -> None:
    """Connect a system described in YAML; secrets are references, env:NAME or file:/PATH."""
    system = operations.add_system(
        description=operations.read_system_file(_text(file)), actor=acting(as_email), now=clock.now()
    )
    answer(
        {"name": system.name, "title": system.title, "connector": system.connector},
        as_json=as_json,
        text=f"{system.title} is connected. Test it: partwell systems test {system.name}",
    )


@app.command("change")
@speaks
def change(
    name: Annotated[str, typer.Argument(metavar="NAME")],
    file: Annotated[
        Path | None, typer.Argument(metavar="[F.yaml]", help="As for `add`; what it does not name stays.")
    ] = None,
    values: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="title, sla, time_limit, settings.url, …; the value as in YAML, null takes a setting out.",
        ),
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Say what would change; change nothing.")] = False,
    as_json: AsJson = False,
    as_email: As = None,
) -> None:
    """Change a connected system. Nothing is asked of it. Its name and its connector stay."""
    changes = {} if file is None else operations.read_system_file(_text(file), what="what changes")
    for each in values or []:
        _set(changes, each)
    if not changes:
        raise Invalid("nothing_given", "Name a file, or say with --set what changes.")
    system, actor = queries.get_system(name), acting(as_email)
    if check:
        found = operations.draft_change(system=system, changes=changes, actor=actor)
    else:
        found = operations.change_system(system=system, changes=changes, actor=actor, now=clock.now())
    answer(
        {**found.as_dict(), "is_kept": bool(found.changed) and not check},
        as_json=as_json,
        text=lambda: _told(found, is_kept=not check),
    )


@app.command("test")
@speaks
def test(
    name: Annotated[str, typer.Argument(metavar="NAME")], as_json: AsJson = False, as_email: As = None
) -> None:
    """Check credentials and scopes of a system, without changing anything in it."""
    report = operations.test_system(system=queries.get_system(name), actor=acting(as_email), now=clock.now())
    lines = [report.summary, *(f"- {problem}" for problem in report.problems if problem != report.summary)]
    answer(
        {"name": name, "ok": report.ok, "summary": report.summary, "problems": list(report.problems)},
        as_json=as_json,
        text="\n".join(lines),
    )
    if not report.ok:
        raise typer.Exit(1)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid("unreadable_file", f"{file} cannot be read as text.", field="file") from error


def _set(changes: dict[str, Any], given: str) -> None:
    """Put one KEY=VALUE among the changes; a refusal does not repeat the value."""
    key, has_value, text = given.partition("=")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        has_value = ""
    if not has_value:
        raise Invalid("unreadable_value", f"--set {key}: write KEY=VALUE, the value as in YAML.", field=key)
    top, _, setting = key.partition(".")
    if not setting:
        changes[key] = value
        return
    inside = changes.setdefault(top, {})
    if not isinstance(inside, dict):
        raise Invalid("unreadable_value", f"{top} is no mapping in the file.", field=top)
    inside[setting] = value


def _told(found: SystemChange, *, is_kept: bool) -> str:
    if not found.changed:
        return "Nothing is different, so nothing changes."
    lines = [f"{found.system.title} is changed." if is_kept else "This would change:"]
    for each in found.changed:
        words = "kept in another place" if each.is_secret else f"{each.before} → {each.after}"
        lines.append(f"- {each.field}: {words}")
    if found.needs_approval:
        lines.append("Approved plans that are not carried out there need a fresh plan and a new approval.")
        lines += [f"- {plan.its_departure.subject_name}, plan {plan.version}" for plan in found.plans]
    if found.needs_test:
        lines.append(f"Test it: partwell systems test {found.system.name}")
    return "\n".join(lines)
