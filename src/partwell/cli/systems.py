"""`partwell systems …`: what is connected, and whether the connection works."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from partwell import clock
from partwell.access import operations, queries
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
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid("unreadable_file", f"{file} cannot be read as text.", field="file") from error
    system = operations.add_system(
        description=operations.read_system_file(text), actor=acting(as_email), now=clock.now()
    )
    answer(
        {"name": system.name, "title": system.title, "connector": system.connector},
        as_json=as_json,
        text=f"{system.title} is connected. Test it: partwell systems test {system.name}",
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
