"""How every command speaks: data on stdout, talk on stderr, refusals with a stable exit code.

With `--json` a command prints exactly one JSON object, a refusal included: `{"error": {"code", "field",
"message"}}`. Exit codes: 1 refused or failed, 2 bad usage, 3 not allowed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Annotated, Any, ParamSpec, TypeVar

import typer
from django.db import OperationalError, ProgrammingError

from partwell.refusals import Refusal

P = ParamSpec("P")
R = TypeVar("R")

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def say(text: str) -> None:
    """Talk to the person, not to the pipe."""
    typer.echo(text, err=True)


def answer(data: Any, *, as_json: bool, text: str | Callable[[], str]) -> None:
    """Print the answer: `data` as one JSON object, or `text` (a string, or a function that makes it)."""
    if as_json:
        typer.echo(json.dumps(data, ensure_ascii=False, default=str))
    else:
        typer.echo(text() if callable(text) else text)


def listing(items: Iterable[Any], next_cursor: str | None = None) -> dict[str, Any]:
    """A list as every face shows it."""
    return {"items": list(items), "next": next_cursor}


def table(rows: Iterable[Iterable[Any]], headings: Iterable[str]) -> str:
    """Rows as aligned columns for people; wide enough for its content, and no wider."""
    lines = [[str(cell) for cell in row] for row in [list(headings), *rows]]
    if len(lines) == 1:
        return "Nothing here."
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def speaks(command: Callable[P, R]) -> Callable[P, R]:
    """Turn a refusal into words or JSON and its exit code. The command has an `as_json` parameter or none."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except (OperationalError, ProgrammingError) as error:
            if "no such table" not in str(error) and "does not exist" not in str(error):
                raise
            say("The database is not set up yet. Run `partwell init`, then repeat this.")
            raise typer.Exit(1) from error
        except Refusal as refusal:
            if kwargs.get("as_json"):
                typer.echo(json.dumps({"error": refusal.as_dict()}, ensure_ascii=False))
            else:
                where = f"{refusal.field}: " if refusal.field else ""
                say(f"{where}{refusal.message}")
            raise typer.Exit(refusal.exit_code) from refusal

    return run
