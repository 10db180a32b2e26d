"""`partwell steps …`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from partwell import clock
from partwell.cli.acting import As, acting
from partwell.cli.dates import day_there, read_date
from partwell.cli.journeys import JourneyId, find
from partwell.cli.output import AsJson, answer, listing, speaks, table
from partwell.departures.models import Departure
from partwell.documents.operations import store_file
from partwell.journeys import queries, step_dicts
from partwell.journeys.models import Step
from partwell.journeys.operations import steps as operations
from partwell.people.actors import Actor
from partwell.people.queries import find_user
from partwell.refusals import NotFound

app = typer.Typer(help="The steps of a journey.", no_args_is_help=True)

StepKey = Annotated[str, typer.Argument(metavar="KEY", help="A step's key, as in `partwell steps list`.")]


@app.command("list")
@speaks
def list_(journey_id: JourneyId, as_email: As = None, as_json: AsJson = False) -> None:
    """List the steps of a journey."""
    actor = acting(as_email)
    departure = find(journey_id, actor)
    items = [queries.step_dict(step) for step in queries.steps_of(departure)]
    answer(
        listing(items),
        as_json=as_json,
        text=lambda: table(
            [
                (
                    i["phase"],
                    i["key"],
                    i["title"],
                    i["owner"] or "nobody yet",
                    day_there(i["due_at"], departure.timezone),
                    i["state"],
                )
                for i in items
            ],
            ("Ph", "Key", "Step", "Owner", "Due", "State"),
        ),
    )


@app.command()
@speaks
def show(journey_id: JourneyId, key: StepKey, as_email: As = None, as_json: AsJson = False) -> None:
    """Show one step with how to do it, its files and its comments."""
    step = _step(journey_id, key, as_email)
    data = step_dicts.step_detail_dict(step)
    answer(data, as_json=as_json, text=lambda: _as_text(data, step.journey.departure.timezone))


@app.command()
@speaks
def add(
    journey_id: JourneyId,
    title: Annotated[str, typer.Option(help="Begins with a verb: “Collect the parking card”.")],
    phase: Annotated[int, typer.Option(min=1, max=10, help="One of the ten phases.")],
    owner: Annotated[str, typer.Option(help="E-mail address of whoever does it.")],
    due: Annotated[str, typer.Option(help="As 2026-11-27; the end of the last day unless given.")] = "",
    guidance: Annotated[str, typer.Option(help="How to do it.")] = "",
    required: Annotated[bool, typer.Option("--required", help="No closing before it is done.")] = False,
    as_email: As = None,
    as_json: AsJson = False,
) -> None:
    """Add a step of one's own to a running journey."""
    actor, now = acting(as_email), clock.now()
    departure = find(journey_id, actor)
    due_at = operations.default_due(departure, now=now)
    if due:
        due_at = clock.at_local(read_date(due, "due"), clock.DEFAULT_WORKDAY_END, departure.timezone)
    step = operations.add_step(
        departure=departure,
        title=title,
        phase=phase,
        due_at=due_at,
        owner=find_user(owner, field="owner"),
        guidance=guidance,
        is_required=required,
        actor=actor,
        now=now,
    )
    answer(queries.step_dict(step), as_json=as_json, text=f"Added as {step.key}: {step.title}.")


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
def reassign(
    journey_id: JourneyId,
    key: StepKey,
    to: Annotated[str, typer.Option(help="E-mail address of the new owner.")],
    as_email: As = None,
    as_json: AsJson = False,
) -> None:
    """Give a pending step to somebody else."""
    step = operations.reassign_step(
        step=_step(journey_id, key, as_email),
        to=find_user(to, field="to"),
        actor=acting(as_email),
        now=clock.now(),
    )
    answer(queries.step_dict(step), as_json=as_json, text=f"{step.owner_name} has it: {step.title}.")


@app.command()
@speaks
def comment(
    journey_id: JourneyId,
    key: StepKey,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What the others on the inside should know.")],
    as_email: As = None,
    as_json: AsJson = False,
) -> None:
    """Say something about a step to the others on the inside."""
    said = operations.comment_on_step(
        step=_step(journey_id, key, as_email), text=text, actor=acting(as_email), now=clock.now()
    )
    answer(step_dicts.comment_dict(said), as_json=as_json, text="Comment kept.")


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


def _as_text(data: dict[str, Any], timezone: str) -> str:
    due = day_there(data["due_at"], timezone)
    lines = [data["title"], f"{data['owner'] or 'Nobody yet'}, due {due}, {data['state']}"]
    lines += [data["guidance"]] if data["guidance"] else []
    lines += [f"Note: {data['note']}"] if data["note"] else []
    lines += [f"Link: {data['link']}"] if data["link"] else []
    lines += [f"File: {each['name']} (sha256 {each['sha256']})" for each in data["files"]]
    lines += [f"{each['author']}: {each['text']}" for each in data["comments"]]
    return "\n".join(lines)


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
