"""`partwell demo …`: building the demo firm anew, and the codes of its people."""

from __future__ import annotations

from typing import Annotated

import typer

from partwell import clock
from partwell.cli.output import say, speaks
from partwell.demo import operations, signin

app = typer.Typer(no_args_is_help=True, help="The demo firm: start it with `partwell up --demo`.")


@app.command()
@speaks
def reset(yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Remove everything that the demo holds, and build it anew around today."""
    operations.check_can_reset()
    if not yes:
        typer.confirm("Remove all that this demo holds, your own changes included?", abort=True, err=True)
    sign_in = operations.reset_demo(clock.now(), say=say)
    say("The demo is as on its first day. Start it with `partwell up --demo`.")
    say(sign_in)


@app.command()
@speaks
def code(email: Annotated[str, typer.Argument(metavar="EMAIL", help="Who is signing in.")]) -> None:
    """Print the code that the sign-in page asks this person of the demo for at present."""
    typer.echo(signin.present_code(email))
