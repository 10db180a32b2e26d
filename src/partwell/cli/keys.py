"""`partwell keys …`"""

from __future__ import annotations

from dataclasses import asdict

import typer

from partwell import clock
from partwell.cli.acting import acting
from partwell.cli.output import AsJson, answer, listing, speaks, table
from partwell.sealing import Renewal
from partwell.signals.resealing import renew_seals

app = typer.Typer(help="The installation's secret key.", no_args_is_help=True)


@app.command()
@speaks
def renew(as_json: AsJson = False) -> None:
    """Seal everything under the present secret key, so that the keys from before are needed no more.

    Ends with status 1 where something opens under none of the keys.
    """
    found = renew_seals(actor=acting(None), now=clock.now())
    answer(listing(asdict(each) for each in found), as_json=as_json, text=lambda: _text(found))
    if any(each.unreadable for each in found):
        raise typer.Exit(1)


def _text(found: list[Renewal]) -> str:
    rows = table(
        [(each.what, str(each.renewed), str(each.unreadable)) for each in found],
        ("What", "Sealed anew", "Opens under no key"),
    )
    if any(each.unreadable for each in found):
        return (
            f"{rows}\n\nWhat opens under no key was left as it is. Name the key that it was sealed under in "
            "PARTWELL_SECRET_KEY_FALLBACKS, and run this again."
        )
    return f"{rows}\n\nEverything opens under PARTWELL_SECRET_KEY alone. You can take the old keys away."
