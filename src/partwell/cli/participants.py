"""`partwell participants …`: who takes part in a departure."""

from __future__ import annotations

from typing import Annotated

import typer

from partwell import clock
from partwell.cli.acting import As, acting
from partwell.cli.journeys import JourneyId, find
from partwell.cli.output import AsJson, answer, listing, speaks, table
from partwell.departures.participation import (
    add_participant,
    get_participant,
    participant_dict,
    participants_of,
    remove_participant,
)
from partwell.people.queries import find_user

app = typer.Typer(help="Who takes part in a departure.", no_args_is_help=True)


@app.command("list")
@speaks
def list_(journey_id: JourneyId, as_email: As = None, as_json: AsJson = False) -> None:
    """List who takes part, and as what; the one who leaves is not among them."""
    items = [participant_dict(part) for part in participants_of(find(journey_id, acting(as_email)))]
    answer(
        listing(items),
        as_json=as_json,
        text=lambda: table(
            [(i["id"], i["user"], i["name"], i["capacity"]) for i in items], ("ID", "Address", "Name", "As")
        ),
    )


@app.command()
@speaks
def add(
    journey_id: JourneyId,
    email: Annotated[str, typer.Argument(metavar="EMAIL", help="Somebody who can sign in.")],
    capacity: Annotated[str, typer.Argument(metavar="ROLE", help="In the part of which role.")],
    as_email: As = None,
    as_json: AsJson = False,
) -> None:
    """Let somebody in; on a need-to-know departure nobody else sees anything."""
    actor = acting(as_email)
    part = add_participant(
        departure=find(journey_id, actor),
        user=find_user(email, field="user"),
        capacity=capacity,
        actor=actor,
        now=clock.now(),
    )
    answer(participant_dict(part), as_json=as_json, text=f"{part} takes part.")


@app.command()
@speaks
def remove(
    journey_id: JourneyId,
    participant_id: Annotated[
        int, typer.Argument(metavar="PARTICIPANT", help="As `partwell participants list` shows it.")
    ],
    as_email: As = None,
    as_json: AsJson = False,
) -> None:
    """Take a part back; steps are given to somebody else first."""
    actor = acting(as_email)
    part = get_participant(find(journey_id, actor), participant_id)
    data, words = participant_dict(part), f"{part} takes no part any more."
    remove_participant(participant=part, actor=actor, now=clock.now())
    answer(data, as_json=as_json, text=words)
