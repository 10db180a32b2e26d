"""`partwell journeys …`"""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

import typer

from partwell import clock
from partwell.cli.acting import As, acting
from partwell.cli.dates import day_there, read_date, read_moment, time_there
from partwell.cli.output import AsJson, answer, listing, say, speaks, table
from partwell.cli.version_words import behind_as_text, change_as_text, outcomes_as_text
from partwell.closure.statements import closing_statement, head_to_keep
from partwell.departures.models import Departure, Notice
from partwell.departures.states import DepartureState
from partwell.evidence.heads import head_text
from partwell.evidence.sequencer import sequence_pending
from partwell.journeys import queries
from partwell.journeys.earlier_versions import list_behind
from partwell.journeys.intake import Intake
from partwell.journeys.operations import changing_version, ending, moving, starting
from partwell.journeys.operations.advancing import advance
from partwell.journeys.version_drafts import draft_version_change
from partwell.people.queries import find_client, find_person
from partwell.refusals import Conflict, Invalid, NotFound

app = typer.Typer(help="Departures and their journeys.", no_args_is_help=True)

JourneyId = Annotated[str, typer.Argument(metavar="ID", help="A journey's id, or the first part of it.")]


@app.command()
@speaks
def start(
    template: Annotated[str, typer.Option(help="Template id, as in `partwell templates list`.")],
    last_day: Annotated[str, typer.Option(help="Last working day, as 2026-11-27.")],
    person: Annotated[str, typer.Option(help="E-mail, alias or employee number.")] = "",
    client: Annotated[str, typer.Option(help="Client reference or name.")] = "",
    notice_date: Annotated[str, typer.Option(help="Day of the notice; today unless given.")] = "",
    access_end: Annotated[
        str, typer.Option(help="When access ends; 17:30 on the last day unless given.")
    ] = "",
    contract_end: Annotated[str, typer.Option(help="Last day of the contract.")] = "",
    reason: Annotated[str, typer.Option(help="One of the template's reason codes.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan, store nothing.")] = False,
    as_email: As = None,
    as_json: AsJson = False,
) -> None:
    """Start the journey of somebody who leaves, or of a client."""
    intake = Intake(
        person=find_person(person) if person else None,
        client=find_client(client) if client else None,
        last_working_date=read_date(last_day, "last_day"),
        notice_date=read_date(notice_date, "notice_date") if notice_date else None,
        access_end_at=read_moment(access_end, "access_end") if access_end else None,
        contract_end_date=read_date(contract_end, "contract_end") if contract_end else None,
        reason=reason,
    )
    actor, now = acting(as_email), clock.now()
    if dry_run:
        draft = starting.draft_journey(template_id=template, intake=intake, actor=actor, now=now)
        data = draft.as_dict()
        answer(data, as_json=as_json, text=lambda: _plan_text(data) + "\nNothing was stored.")
        return
    begun = starting.start_or_give_notice(template_id=template, intake=intake, actor=actor, now=now)
    if isinstance(begun, Notice):
        answer({"notice": str(begun.pk)}, as_json=as_json, text="HR has your notice.")
        return
    departure = queries.get_departure(actor, begun.pk)
    data = queries.journey_dict(departure, actor)
    answer(data, as_json=as_json, text=lambda: _plan_text(data))


@app.command("list")
@speaks
def list_(
    everything: Annotated[bool, typer.Option("--all", help="Closed and withdrawn ones too.")] = False,
    as_email: As = None,
    as_json: AsJson = False,
) -> None:
    """List journeys, nearest last day first."""
    actor, now = acting(as_email), clock.now()
    states = list(DepartureState) if everything else [DepartureState.ACTIVE]
    rows, after = [], None
    while True:
        page, after = queries.list_departures(actor, now=now, states=states, after=after, limit=200)
        rows += page
        if after is None:
            break
    items = [queries.row_dict(row) for row in rows]
    answer(
        listing(items),
        as_json=as_json,
        text=lambda: table(
            [
                (
                    i["id"],
                    i["subject"],
                    i["template"],
                    i["last_working_day"],
                    f"{i['done']} of {i['total']}",
                    i["state"],
                )
                for i in items
            ],
            ("ID", "Who", "Template", "Last day", "Done", "State"),
        ),
    )


@app.command()
@speaks
def show(journey_id: JourneyId, as_email: As = None, as_json: AsJson = False) -> None:
    """Show one journey with its steps."""
    actor = acting(as_email)
    data = queries.journey_dict(find(journey_id, actor), actor)
    answer(data, as_json=as_json, text=lambda: _plan_text(data))


@app.command()
@speaks
def move(
    journey_id: JourneyId,
    last_day: Annotated[str, typer.Option(help="The new last working day.")],
    access_end: Annotated[str, typer.Option(help="The new end of access; keeps its hour unless given.")] = "",
    contract_end: Annotated[str, typer.Option(help="The new end of the contract.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the difference, change nothing.")] = False,
    as_email: As = None,
    as_json: AsJson = False,
) -> None:
    """Move the last day and plan again what is still open."""
    actor = acting(as_email)
    departure = find(journey_id, actor)
    change = moving.draft_move if dry_run else moving.move
    draft = change(
        departure=departure,
        last_working_date=read_date(last_day, "last_day"),
        access_end_at=read_moment(access_end, "access_end") if access_end else None,
        contract_end_date=read_date(contract_end, "contract_end") if contract_end else None,
        actor=actor,
        now=clock.now(),
    )
    for warning in draft.warnings:
        say(warning)
    data = draft.as_dict()
    if not dry_run:
        data = {**queries.journey_dict(queries.get_departure(actor, departure.pk), actor), "changed": data}
    answer(data, as_json=as_json, text=lambda: _move_text(draft, stored=not dry_run))


@app.command("change-version")
@speaks
def change_version(
    journey_id: JourneyId,
    to: Annotated[int | None, typer.Option(min=1, help="The version; the latest unless given.")] = None,
    seen: Annotated[str, typer.Option(help="The digest of the difference, as --dry-run prints it.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the difference, change nothing.")] = False,
    as_email: As = None,
    as_json: AsJson = False,
) -> None:
    """Move a journey to another version of its template. Look at the difference first."""
    actor, now = acting(as_email), clock.now()
    departure = find(journey_id, actor)
    if dry_run:
        shown = draft_version_change(departure=departure, actor=actor, now=now, version=to)
        answer(
            shown.as_dict(),
            as_json=as_json,
            text=lambda: f"{change_as_text(shown)}\nNothing was changed. Digest {shown.digest}",
        )
        return
    if not seen:
        raise Invalid(
            "digest_missing",
            "Look at the difference first: --dry-run prints it with its digest, which confirms it.",
            field="seen",
        )
    moved = changing_version.change_version(departure=departure, seen=seen, actor=actor, now=now, version=to)
    answer(moved.as_dict(), as_json=as_json, text=lambda: f"{change_as_text(moved)}\nMoved.")


@app.command("change-versions")
@speaks
def change_versions(
    template: Annotated[str, typer.Argument(metavar="TEMPLATE", help="As `templates list` names it.")],
    to: Annotated[int | None, typer.Option(min=1, help="The version; the latest unless given.")] = None,
    seen: Annotated[
        list[str] | None, typer.Option(metavar="ID=DIGEST", help="Move this one; can be given several times.")
    ] = None,
    as_email: As = None,
    as_json: AsJson = False,
) -> None:
    """List the journeys on earlier versions of a template with what would change in each, or move some of
    them."""
    actor, now = acting(as_email), clock.now()
    if seen:
        outcomes = changing_version.change_versions(
            seen=read_seen(seen), actor=actor, now=now, version=to, template_id=template
        )
        items = [each.as_dict() for each in outcomes]
        answer(listing(items), as_json=as_json, text=lambda: outcomes_as_text(outcomes))
        if any(each.refusal for each in outcomes):
            raise typer.Exit(1)
        return
    rows, after = [], None
    while True:
        _, page, after = list_behind(template_id=template, actor=actor, now=now, version=to, after=after)
        rows += page
        if after is None:
            break
    answer(listing(row.as_dict() for row in rows), as_json=as_json, text=lambda: behind_as_text(rows))


@app.command()
@speaks
def edit(
    journey_id: JourneyId,
    reason: Annotated[str | None, typer.Option(help="One of the template's reason codes.")] = None,
    initiated_by: Annotated[str | None, typer.Option(help="leaver, organisation, mutual or expiry.")] = None,
    confidentiality: Annotated[str | None, typer.Option(help="normal or need_to_know.")] = None,
    rehire: Annotated[str | None, typer.Option(help="undecided, welcome, review or no.")] = None,
    jurisdiction: Annotated[str | None, typer.Option(help="A country or a part of one, as DE.")] = None,
    timezone: Annotated[str | None, typer.Option(help="The leaver's, as Europe/Berlin.")] = None,
    as_email: As = None,
    as_json: AsJson = False,
) -> None:
    """Change facts other than dates; only those that are given change."""
    given = {
        "reason": reason,
        "initiated_by": initiated_by,
        "confidentiality": confidentiality,
        "rehire": rehire,
        "jurisdiction": jurisdiction,
        "timezone": timezone,
    }
    actor = acting(as_email)
    draft = moving.edit(
        departure=find(journey_id, actor),
        changes={name: value for name, value in given.items() if value is not None},
        actor=actor,
        now=clock.now(),
    )
    for warning in draft.warnings:
        say(warning)
    answer(draft.as_dict(), as_json=as_json, text=lambda: _move_text(draft, stored=True, done="Changed."))


@app.command()
@speaks
def withdraw(
    journey_id: JourneyId,
    reason: Annotated[str, typer.Option(help="Why the notice was taken back.")],
    as_email: As = None,
    as_json: AsJson = False,
) -> None:
    """End a journey because the notice was taken back."""
    actor = acting(as_email)
    result = ending.withdraw(departure=find(journey_id, actor), reason=reason, actor=actor, now=clock.now())
    data = {
        "id": str(result.journey.pk),
        "state": result.journey.state,
        "done": [step.key for step in result.done],
        "restorable": list(result.restorable),
        "given": list(result.given),
    }
    answer(
        data,
        as_json=as_json,
        text=f"Withdrawn. {len(result.done)} steps were done and stay on the record; "
        f"{len(result.restorable)} accounts can be restored (partwell access restore {journey_id})."
        + (f" Successors have {len(result.given)} things of theirs still." if result.given else ""),
    )


@app.command()
@speaks
def close(
    journey_id: JourneyId,
    override_reason: Annotated[
        str, typer.Option(help="Ask a second person to let it close with things open.")
    ] = "",
    as_email: As = None,
    as_json: AsJson = False,
) -> None:
    """Close a journey in which nothing is open any more."""
    actor = acting(as_email)
    departure = find(journey_id, actor)
    if override_reason:
        ending.request_override(departure=departure, reason=override_reason, actor=actor, now=clock.now())
        answer(
            {"id": str(departure.pk), "state": departure.state, "override": "requested"},
            as_json=as_json,
            text="Asked. A second person approves it on the journey's page, signed in.",
        )
        return
    advance(departure_id=departure.pk, now=clock.now())
    journey = ending.close(departure=departure, actor=actor, now=clock.now())
    # The head to keep covers the closing itself, so it is signed now, whether or not a worker runs.
    sequence_pending(now=clock.now())
    head, statement = head_to_keep(departure), closing_statement(departure)
    answer(
        {
            "id": str(journey.pk),
            "state": journey.state,
            "ended_at": journey.ended_at,
            "head": head_text(head) if head else None,
            "statement": statement,
        },
        as_json=as_json,
        text=f"Closed.\n{statement}",
    )


def read_seen(pairs: list[str]) -> dict[UUID, str]:
    """Journeys and the digests that confirm their differences, from `ID=DIGEST`."""
    read = {}
    for pair in pairs:
        journey_id, _, digest = pair.partition("=")
        try:
            read[UUID(journey_id)] = digest
        except ValueError as error:
            raise Invalid("seen_unreadable", f"“{pair}” is not ID=DIGEST.", field="seen") from error
    return read


def find(text: str, actor: Any) -> Departure:
    """The departure with this id or unambiguous beginning of an id, if the actor sees it."""
    text = text.strip().lower()
    if len(text) >= 32:
        return queries.get_departure(actor, text)
    if len(text) < 4 or not all(c in "0123456789abcdef-" for c in text):
        raise NotFound("departure")
    found = [
        pk
        for pk in queries.visible_departures(actor).values_list("pk", flat=True)
        if str(pk).startswith(text)
    ]
    if len(found) > 1:
        raise Conflict("id_ambiguous", f"“{text}” begins {len(found)} ids; write more of it.", field="id")
    if not found:
        raise NotFound("departure")
    return queries.get_departure(actor, found[0])


def _plan_text(data: dict[str, Any]) -> str:
    zone = data["timezone"]
    head = (
        f"{data['subject']['name']} · {data['template']} · {data['state']}\n"
        f"Last working day {data['last_working_day']}, access ends {time_there(data['access_end'], zone)}"
        + (f"\nID {data['id']}" if data["id"] else "")
    )
    rows = [
        (
            s["phase"],
            s["key"],
            s["title"],
            s["owner"] or "nobody yet",
            day_there(s["due_at"], zone),
            s["state"],
        )
        for s in data["steps"]
    ]
    return f"{head}\n\n{table(rows, ('Ph', 'Key', 'Step', 'Owner', 'Due', 'State'))}"


def _move_text(draft: moving.MoveDraft, *, stored: bool, done: str = "Moved.") -> str:
    zone = draft.departure.timezone
    lines = [f"{c.field.replace('_', ' ')}: {c.before} → {c.after}" for c in draft.dates]
    lines += [
        f"{c.step.title}: {day_there(c.due_before, zone)} → {day_there(c.due_after, zone)}"
        + (f" ({c.state_before} → {c.state_after})" if c.state_before != c.state_after else "")
        for c in draft.steps
    ]
    return "\n".join([*lines, done if stored else "Nothing was changed."])
