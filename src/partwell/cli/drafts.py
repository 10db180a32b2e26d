"""`partwell drafts …`: templates while they are written. Export one, change the file, put it back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from pydantic import TypeAdapter, ValidationError

from partwell import clock
from partwell.cli.acting import As, acting
from partwell.cli.dates import read_date
from partwell.cli.output import AsJson, answer, listing, say, speaks, table
from partwell.cli.template_words import dependencies_as_text
from partwell.cli.templates import read_template
from partwell.departures.states import SubjectKind
from partwell.journeys import draft_operations as operations
from partwell.journeys.draft_queries import DraftView, changes_since, list_drafts, show_draft
from partwell.journeys.draft_trial import Trial, try_draft
from partwell.journeys.intake import Intake
from partwell.journeys.template.drafting import Change, Replace
from partwell.journeys.template.text import as_yaml
from partwell.people.authorisation import check_office
from partwell.people.queries import find_client, find_person
from partwell.people.roles import ROLE_LABELS, Role
from partwell.refusals import Invalid

app = typer.Typer(help="Templates while they are written.", no_args_is_help=True)

DraftId = Annotated[str, typer.Argument(metavar="ID", help="The template's id, as `drafts list` shows it.")]
Revision = Annotated[int, typer.Option(min=0, help="The revision that you saw.")]


@app.command("list")
@speaks
def list_(as_email: As = None, as_json: AsJson = False) -> None:
    """List the drafts, with the number of problems that keep each from being published."""
    items = [found.as_row() for found in list_drafts(actor=acting(as_email))]
    columns = ("id", "revision", "steps", "problems", "begun_from", "edited_by")
    answer(
        listing(items),
        as_json=as_json,
        text=lambda: table(([item[c] for c in columns] for item in items), columns),
    )


@app.command("show")
@speaks
def show(
    draft_id: DraftId,
    since: Annotated[
        int | None, typer.Option(min=0, help="Only who changed what after this revision.")
    ] = None,
    as_email: As = None,
    as_json: AsJson = False,
) -> None:
    """Print a draft as YAML; what keeps it from being published goes to stderr."""
    actor = acting(as_email)
    if since is not None:
        changes = [
            each.as_dict() for each in changes_since(template_id=draft_id, actor=actor, revision=since)
        ]
        rows = [
            (c["revision"], c["changed_at"], c["changed_by"], ", ".join(d["path"] for d in c["differences"]))
            for c in changes
        ]
        answer(
            listing(changes),
            as_json=as_json,
            text=lambda: table(rows, ("Revision", "When", "Who", "Changed")),
        )
        return
    found = show_draft(template_id=draft_id, actor=actor)
    answer(found.as_dict(), as_json=as_json, text=lambda: as_yaml(found.content).rstrip("\n"))
    if not as_json:
        _say_problems(found)


@app.command("dependencies")
@speaks
def dependencies(draft_id: DraftId, as_email: As = None, as_json: AsJson = False) -> None:
    """Show what waits for what in a draft, the longest chain, and steps that wait for each other."""
    found = show_draft(template_id=draft_id, actor=acting(as_email))
    answer(
        {"id": found.row.template_id, "revision": found.row.revision, **found.dependencies.as_dict()},
        as_json=as_json,
        text=lambda: dependencies_as_text(found.content, found.dependencies),
    )


@app.command("begin")
@speaks
def begin(
    template: Annotated[
        str, typer.Option(help="The template to begin from, as `templates list` names it.")
    ] = "",
    version: Annotated[int | None, typer.Option(min=1, help="Its version; the latest without it.")] = None,
    file: Annotated[Path | None, typer.Option(metavar="F", help="A template in YAML to begin from.")] = None,
    template_id: Annotated[
        str, typer.Option("--id", help="The id of a new template; without it, the next version of the same.")
    ] = "",
    title: Annotated[str, typer.Option(help="The title, when it begins from nothing.")] = "",
    audience: Annotated[
        SubjectKind, typer.Option(help="For whom, when it begins from nothing.")
    ] = SubjectKind.STAFF,
    as_email: As = None,
    as_json: AsJson = False,
) -> None:
    """Begin a draft from a published template, from a file, or from nothing."""
    actor = acting(as_email)
    origin = operations.Origin(
        template=template,
        version=version,
        source=read_template(file) if file else None,
        file=str(file) if file else "template",
        title=title,
        audience=audience,
    )
    row = operations.begin_draft(origin=origin, template_id=template_id, actor=actor, now=clock.now())
    _shown(show_draft(template_id=row.template_id, actor=actor), as_json)


@app.command("change")
@speaks
def change(
    draft_id: DraftId,
    revision: Revision,
    file: Annotated[
        Path | None, typer.Option(metavar="F", help="A YAML file that replaces all but the id.")
    ] = None,
    change_: Annotated[
        str,
        typer.Option(
            "--change", metavar="JSON", help="One change, as `PATCH /template-drafts/{id}` takes it."
        ),
    ] = "",
    as_email: As = None,
    as_json: AsJson = False,
) -> None:
    """Change a draft: one change, or the whole from a file."""
    if bool(file) == bool(change_):
        raise Invalid("change_missing", "Say what to change: one of --file and --change.", field="change")
    wanted: Change = Replace(source=read_template(file), file=str(file)) if file else _read_change(change_)
    found = operations.change_draft(
        template_id=draft_id, seen=revision, change=wanted, actor=acting(as_email), now=clock.now()
    )
    _shown(found, as_json)


@app.command("try")
@speaks
def try_(
    draft_id: DraftId,
    last_day: Annotated[str, typer.Option(help="The last working day, as 2027-02-26.")],
    person: Annotated[str, typer.Option(help="E-mail address or employee number of a colleague.")] = "",
    client: Annotated[str, typer.Option(help="Reference or name of a client.")] = "",
    notice: Annotated[str, typer.Option(help="The day of the notice; today without it.")] = "",
    as_email: As = None,
    as_json: AsJson = False,
) -> None:
    """Show the plan that a draft would make for somebody, and what it leaves out. Nothing is stored."""
    actor = acting(as_email)
    check_office(actor, "templates.try_draft")
    intake = Intake(
        person=find_person(person) if person else None,
        client=find_client(client) if client else None,
        last_working_date=read_date(last_day, "last_day"),
        notice_date=read_date(notice, "notice") if notice else None,
    )
    trial = try_draft(template_id=draft_id, intake=intake, actor=actor, now=clock.now())
    answer(trial.as_dict(), as_json=as_json, text=lambda: _trial_text(trial))


@app.command("publish")
@speaks
def publish(
    draft_id: DraftId,
    revision: Revision,
    over: Annotated[int, typer.Option(min=0, help="The version that you know to be replaced; 0 for none.")],
    as_email: As = None,
    as_json: AsJson = False,
) -> None:
    """Publish a draft as the next version; journeys that run keep theirs."""
    version = operations.publish_draft(
        template_id=draft_id, seen=revision, over=over, actor=acting(as_email), now=clock.now()
    )
    answer(
        {"id": version.template_id, "version": version.version, "digest": version.digest},
        as_json=as_json,
        text=f"{version} is published; its digest is {version.digest}.",
    )


@app.command("discard")
@speaks
def discard(draft_id: DraftId, revision: Revision, as_email: As = None, as_json: AsJson = False) -> None:
    """Throw a draft away; published versions stay."""
    operations.discard_draft(template_id=draft_id, seen=revision, actor=acting(as_email), now=clock.now())
    answer({"id": draft_id}, as_json=as_json, text=f"The draft of {draft_id} is discarded.")


def _read_change(text: str) -> Change:
    adapter: TypeAdapter[Change] = TypeAdapter(Change)
    try:
        return adapter.validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Invalid(
            "change_broken", f"This is no change: {where} {first['msg']}.", field="change"
        ) from error


def _shown(found: DraftView, as_json: bool) -> None:
    row = found.row
    count = len(found.content.steps)
    text = f"The draft of {row.template_id} is at revision {row.revision}; it has {count} steps."
    answer(found.as_dict(), as_json=as_json, text=text)
    if not as_json:
        _say_problems(found)


def _say_problems(found: DraftView) -> None:
    for field, message in found.problems:
        say(f"{field}: {message}" if field else message)


def _trial_text(trial: Trial) -> str:
    rows = [
        (
            step.key,
            f"{step.due_at:%Y-%m-%d %H:%M} UTC",
            step.owner_name or ROLE_LABELS[Role(step.role)],
            step.title,
        )
        for step in trial.steps
    ]
    lines = [table(rows, ("Step", "Due", "Who", "What"))]
    for role, count in trial.plan.vacancies.items():
        lines.append(f"Nobody holds {ROLE_LABELS[role]}, whom {count} step{'' if count == 1 else 's'} need.")
    for each in trial.left_out:
        facts = ", ".join(f"{name} is {value!r}" for name, value in each.facts.items())
        lines.append(f"Left out: {each.step.key}, when {each.step.condition}; {facts}.")
    return "\n".join([*lines, "Nothing was stored."])
