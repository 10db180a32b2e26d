"""`partwell participants …`"""

from __future__ import annotations

from typing import Annotated

import typer

from partwell import clock
from partwell.cli.acting import As, acting
from partwell.cli.journeys import JourneyId, find
from partwell.cli.output import AsJson, answer, listing, speaks, table
from partwell.journeys.operations.participating import add_participant, remove_participant
from partwell.journeys.participants import GIVEN_PARTS, Part, find_part, parts_of
from partwell.refusals import Conflict, Invalid

app = typer.Typer(help="Who takes part in a journey.", no_args_is_help=True)

AnyPart = Annotated[str, typer.Option(help="Needed only where they have several parts.")]
Someone = Annotated[str, typer.Option(help="Name, e-mail, alias or employee number.")]


@app.command("list")
@speaks
def list_(journey_id: JourneyId, as_email: As = None, as_json: AsJson = False) -> None:
    """List everybody who takes part, with why; a need-to-know journey exists for them alone."""
    items = [part.as_dict() for part in parts_of(find(journey_id, acting(as_email)))]
    answer(
        listing(items),
        as_json=as_json,
        text=lambda: table(
            [(i["name"], i["email"], i["title"], i["since"][:10], i["why"]) for i in items],
            ("Who", "Address", "Part", "Since", "Why"),
        ),
    )


@app.command()
@speaks
def add(
    journey_id: JourneyId,
    person: Someone,
    part: Annotated[str, typer.Option(help=f"One of: {', '.join(GIVEN_PARTS)}.")],
    as_email: As = None,
    as_json: AsJson = False,
) -> None:
    """Let somebody take part in a journey. Who does so already stays."""
    actor = acting(as_email)
    departure = find(journey_id, actor)
    participant = add_participant(departure=departure, person=person, part=part, actor=actor, now=clock.now())
    data = find_part(departure, participant.pk).as_dict()
    answer(data, as_json=as_json, text=f"{data['name']} takes part: {data['title']}.")


@app.command()
@speaks
def remove(
    journey_id: JourneyId,
    email: Annotated[str, typer.Option(help="Their e-mail address, as in `participants list`.")],
    part: AnyPart = "",
    as_email: As = None,
    as_json: AsJson = False,
) -> None:
    """Take somebody out of a journey, or one of their parts back."""
    actor = acting(as_email)
    departure = find(journey_id, actor)
    found = _one(parts_of(departure), email.strip().lower(), part)
    data = found.as_dict()
    remove_participant(participant=found.participant, actor=actor, now=clock.now())
    answer(data, as_json=as_json, text=f"{data['name']} is taken out: {data['title']}.")


def _one(parts: list[Part], email: str, wanted: str) -> Part:
    theirs = [part for part in parts if part.participant.user.email.lower() == email]
    if not theirs:
        raise Invalid(
            "takes_no_part", f"{email} takes no part here. `participants list` shows who does.", field="email"
        )
    chosen = [part for part in theirs if part.participant.capacity == wanted] if wanted else theirs
    if len(chosen) == 1:
        return chosen[0]
    known = ", ".join(part.participant.capacity for part in theirs)
    raise Conflict("part_unclear", f"{email} takes part as: {known}. Say which.", field="part")
