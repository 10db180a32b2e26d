"""`partwell steps …`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from partwell import clock
from partwell.cli.acting import As, acting
from partwell.cli.journeys import JourneyId, find
from partwell.cli.output import AsJson, answer, listing, speaks, table
from partwell.departures.models import Departure
from partwell.documents.operations import store_file
from partwell.journeys import queries
from partwell.journeys.models import Step
from partwell.journeys.operations import steps as operations
from partwell.people.actors import Actor
from partwell.refusals import NotFound

app = typer.Typer(help="The steps of a journey.", no_args_is_help=True)

StepKey = Annotated[str, typer.Argument(metavar="KEY", help="A step's key, as in `partwell steps list`.")]


@app.command("list")
@speaks
def list_(journey_id: JourneyId, as_email: As = None, as_json: AsJson = False) -> None:
    """List the steps of a journey."""
    actor = acting(as_email)
    items = [queries.step_dict(step) for step in queries.steps_of(find(journey_id, actor))]
    answer(
        listing(items),
        as_json=as_json,
        text=lambda: table(
            [
                (i["phase"], i["key"], i["title"], i["owner"] or "nobody yet", i["due_at"][:10], i["state"])
                for i in items
            ],
            ("Ph", "Key", "Step", "Owner", "Due", "State"),
        ),
    )


@app.command()
@speaks
def complete(
    journey_id: JourneyId,
    key: StepKey,
    note: Annotated[str, typer.Option(help="What was done.")] = "",
    link: Annotated[str, typer.Option(help="A web address that proves it.")] = "",
    file: Annotated[
        Path | None, typer.Option(help="A file that proves it.", exists=True, dir_okay=False)
    ] = None,
    as_email: As = None,
    as_json: AsJson = False,
) -> None:
    """Complete a step with the evidence that it asks for."""
    actor, now = acting(as_email), clock.now()
    step = _step(journey_id, key, as_email)
    if file is not None:
        with file.open("rb") as stream:
            stored = store_file(name=file.name, stream=stream, actor_label=actor.label, now=now)
        operations.attach_file(step=step, file=stored, actor=actor, now=now)
    done = operations.complete_step(step=step, actor=actor, now=now, note=note, link=link)
    answer(queries.step_dict(done), as_json=as_json, text=f"Done: {done.title}.")


@app.command()
@speaks
def claim(journey_id: JourneyId, key: StepKey, as_email: As = None, as_json: AsJson = False) -> None:
    """Take a step from the queue of your team; the console has no team, so it plays a part."""
    step = operations.claim_step(
        step=_step(journey_id, key, as_email), actor=acting(as_email), now=clock.now()
    )
    answer(queries.step_dict(step), as_json=as_json, text=f"{step.owner_name} has it: {step.title}.")


@app.command()
@speaks
def skip(
    journey_id: JourneyId,
    key: StepKey,
    reason: Annotated[str, typer.Option(help="Why it is left out; stays on the record.")],
    as_email: As = None,
    as_json: AsJson = False,
) -> None:
    """Leave a step out, with a reason."""
    actor = acting(as_email)
    step = operations.skip_step(
        step=_step(journey_id, key, as_email), reason=reason, actor=actor, now=clock.now()
    )
    answer(queries.step_dict(step), as_json=as_json, text=f"Skipped: {step.title}.")


@app.command()
@speaks
def undo(journey_id: JourneyId, key: StepKey, as_email: As = None, as_json: AsJson = False) -> None:
    """Take back a completion or a skip."""
    actor = acting(as_email)
    step = operations.undo_step(step=_step(journey_id, key, as_email), actor=actor, now=clock.now())
    answer(queries.step_dict(step), as_json=as_json, text=f"Open again: {step.title}.")


def _step(journey_id: str, key: str, as_email: str | None) -> Step:
    departure = _departure(journey_id, acting(as_email))
    step = departure.journey.steps.filter(key=key).first()
    if step is None:
        raise NotFound("step")
    return step


def _departure(journey_id: str, actor: Actor) -> Departure:
    """The departure, for the one who leaves as well: the inside does not exist for them, their own steps do,
    and the operation knows which those are."""
    try:
        return find(journey_id, actor)
    except NotFound:
        own = Departure.objects.filter(person_id=actor.person_id) if actor.person_id else []
        for departure in own:
            if str(departure.pk) == journey_id.strip().lower():
                return departure
        raise
