"""`partwell connectors …`: connectors that the operator declares in files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from partwell.access.models import System
from partwell.access.systems import declared_by
from partwell.cli.output import AsJson, answer, listing, say, speaks, table
from partwell.connector_kit import registry
from partwell.connector_kit.declared_registry import find_declared

app = typer.Typer(name="connectors", help="Connectors: list, check declared ones.", no_args_is_help=True)


@app.command("list")
@speaks
def list_(as_json: AsJson = False) -> None:
    """List what systems can be connected with, and the digest of each file that declares one."""
    changed = {
        system.connector for system in System.objects.all() if (by := declared_by(system)) and by.is_changed
    }
    rows = [
        {
            "id": each.manifest.id,
            "title": each.manifest.title,
            "digest": each.digest,
            "file": each.source,
            "changed": each.manifest.id in changed,
        }
        for each in registry.connectors().values()
    ]
    answer(
        listing(rows),
        as_json=as_json,
        text=lambda: table(
            (
                [
                    row["id"],
                    row["title"],
                    str(row["digest"])[:16],
                    row["file"],
                    "changed since it was tested" if row["changed"] else "",
                ]
                for row in rows
            ),
            ["ID", "TITLE", "DIGEST", "FILE", ""],
        ),
    )


@app.command("check")
@speaks
def check(
    path: Annotated[
        Path, typer.Argument(metavar="PATH", help="A declaration, or a folder with declarations.")
    ],
    as_json: AsJson = False,
) -> None:
    """Check declarations: problems with file and line, none when they can be used. Asks no system."""
    found = find_declared(path)
    data = listing(
        {"file": p.file, "line": p.line, "field": p.field, "message": p.message} for p in found.problems
    )
    data["connectors"] = [{"id": name, "digest": each.digest} for name, each in found.connectors.items()]
    if found.problems:
        first = found.problems[0]
        count = f"{len(found.problems)} problem{'' if len(found.problems) == 1 else 's'}"
        message = f"{count}, the first in {first.file} on line {first.line}: {first.message}"
        data["error"] = {"code": "declaration_broken", "field": first.field, "message": message}
    good = [f"{name}: no problems; digest {each.digest}" for name, each in found.connectors.items()]
    answer(data, as_json=as_json, text="\n".join([*map(str, found.problems), *good]))
    if not found.problems and not found.connectors and not as_json:
        say(f"There is no declaration in {path}.")
    if found.problems:
        raise typer.Exit(1)
