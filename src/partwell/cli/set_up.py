"""`partwell set-up …`: how far this installation is set up, and what is not for now."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from partwell import clock
from partwell.cli.acting import As, acting
from partwell.cli.output import AsJson, answer, speaks, table
from partwell.first_run import operations
from partwell.first_run.guide import view_guide
from partwell.people.actors import Actor

app = typer.Typer(help="How far this installation is set up.", no_args_is_help=True)

PartName = Annotated[str, typer.Argument(metavar="PART", help="As `partwell set-up show` calls it.")]


@app.command()
@speaks
def show(as_email: As = None, as_json: AsJson = False) -> None:
    """Show every part of the set-up, what is there, and what comes next."""
    _show(acting(as_email), as_json)


@app.command("put-aside")
@speaks
def put_aside(part: PartName, as_email: As = None, as_json: AsJson = False) -> None:
    """Say that a part is not for now."""
    actor = acting(as_email)
    operations.put_aside(part=part, actor=actor, now=clock.now())
    _show(actor, as_json)


@app.command("take-up")
@speaks
def take_up(part: PartName, as_email: As = None, as_json: AsJson = False) -> None:
    """Take a part up again that was put aside."""
    actor = acting(as_email)
    operations.take_up(part=part, actor=actor, now=clock.now())
    _show(actor, as_json)


def _show(actor: Actor, as_json: bool) -> None:
    data = view_guide(actor=actor).as_dict()
    answer(data, as_json=as_json, text=lambda: _as_text(data))


def _as_text(data: dict[str, Any]) -> str:
    rows = [
        (
            ">" if part["is_next"] else "",
            part["part"],
            part["state"].replace("_", " "),
            f"{part['minutes']} min",
            part["said"],
        )
        for part in data["parts"]
    ]
    left = (
        "Nothing waits to be done." if data["is_finished"] else f"About {data['minutes_left']} minutes left."
    )
    done = f"{data['done']} of {data['total']} done. {left}"
    return f"{table(rows, ('', 'PART', 'STATE', 'TAKES', 'WHAT IS THERE'))}\n{done}"
