"""`partwell rounds …`: many departures prepared, approved and started together."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import typer

from partwell import clock
from partwell.cli.acting import As, acting
from partwell.cli.dates import read_date, read_moment
from partwell.cli.output import AsJson, answer, listing, speaks, table
from partwell.journeys.models import Round
from partwell.journeys.rounds.board import round_view
from partwell.journeys.rounds.operations import prepare_round, recall_round
from partwell.journeys.rounds.preview import Terms, preview_round
from partwell.journeys.rounds.queries import get_round, list_rounds, round_dict
from partwell.people.actors import Actor
from partwell.people.imports import read_bytes
from partwell.people.queries import find_user
from partwell.refusals import Invalid

app = typer.Typer(help="Rounds: many departures at once.", no_args_is_help=True)

RoundId = Annotated[str, typer.Argument(metavar="ROUND", help="As `partwell rounds list` shows it.")]
File = Annotated[
    typer.FileBinaryRead, typer.Argument(help="A list of addresses or numbers, or a CSV file; - for stdin.")
]
Name = Annotated[str, typer.Option(help="What its participants call it.")]
Template = Annotated[str, typer.Option(help="Template id, as in `partwell templates list`.")]
LastDay = Annotated[str, typer.Option(help="Last working day of everybody whose line says no other.")]
NoticeDate = Annotated[str, typer.Option(help="Day of the notice; each one's own start unless given.")]
Why = Annotated[str, typer.Option(help="One of the template's reason codes.")]
Jurisdiction = Annotated[str, typer.Option(help="Such as DE; each one's own country unless given.")]
Confidentiality = Annotated[str, typer.Option(help="`need_to_know`, or `normal` once it is announced.")]
StartsAt = Annotated[str, typer.Option(help="First start, as 2026-11-27T09:00+01:00; else the approval.")]
BatchSize = Annotated[int | None, typer.Option(help="So many start on a working day; else all at once.")]


@app.command()
@speaks
def preview(
    file: File,
    name: Name,
    template: Template,
    last_day: LastDay = "",
    notice_date: NoticeDate = "",
    reason: Why = "",
    jurisdiction: Jurisdiction = "",
    confidentiality: Confidentiality = "",
    starts_at: StartsAt = "",
    batch_size: BatchSize = None,
    as_email: As = None,
    as_json: AsJson = False,
) -> None:
    """Show what a round would do: bad lines, everybody's dates, owners' loads. Nothing is kept."""
    terms = _terms(
        name, template, last_day, notice_date, reason, jurisdiction, confidentiality, starts_at, batch_size
    )
    found = preview_round(terms=terms, data=read_bytes(file), actor=acting(as_email), now=clock.now())
    data = found.as_dict()
    answer(data, as_json=as_json, text=lambda: _preview_text(data))
    if data["bad_lines"]:
        raise typer.Exit(1)


@app.command()
@speaks
def prepare(
    file: File,
    name: Name,
    template: Template,
    last_day: LastDay = "",
    notice_date: NoticeDate = "",
    reason: Why = "",
    jurisdiction: Jurisdiction = "",
    confidentiality: Confidentiality = "",
    starts_at: StartsAt = "",
    batch_size: BatchSize = None,
    approver: Annotated[
        list[str] | None, typer.Option(help="Address of who may approve it; repeat for more.")
    ] = None,
    as_email: As = None,
    as_json: AsJson = False,
) -> None:
    """Keep a round for a second person, who approves it on the web. Nobody of it leaves by this."""
    terms = _terms(
        name, template, last_day, notice_date, reason, jurisdiction, confidentiality, starts_at, batch_size
    )
    actor, now = acting(as_email), clock.now()
    found = prepare_round(
        terms=terms,
        data=read_bytes(file),
        approvers=[find_user(email, field="approvers") for email in approver or []],
        actor=actor,
        now=now,
    )
    _show(found, actor, now, as_json)


@app.command("list")
@speaks
def list_(as_email: As = None, as_json: AsJson = False) -> None:
    """List rounds, newest first."""
    items = [round_dict(found) for found in list_rounds(actor=acting(as_email))]
    rows = [(i["id"], i["name"], i["state"], i["prepared_by"], i["approved_by"] or "–") for i in items]
    answer(
        listing(items),
        as_json=as_json,
        text=lambda: table(rows, ("Round", "Name", "State", "Prepared by", "Approved by")),
    )


@app.command()
@speaks
def show(round_id: RoundId, as_email: As = None, as_json: AsJson = False) -> None:
    """Show one round with everybody in it."""
    actor = acting(as_email)
    _show(get_round(actor, round_id), actor, clock.now(), as_json)


@app.command()
@speaks
def recall(
    round_id: RoundId,
    reason: Annotated[str, typer.Option(help="Why; the record keeps it.")],
    person: Annotated[
        list[str] | None, typer.Option(help="Address of one of them; repeat for more. Everybody without.")
    ] = None,
    as_email: As = None,
    as_json: AsJson = False,
) -> None:
    """Take a round, or some of it, back. The worker withdraws the journeys that run."""
    actor, now = acting(as_email), clock.now()
    found = get_round(actor, round_id)
    people = _keys(found, person) if person else None
    found = recall_round(found=found, reason=reason, people=people, actor=actor, now=now)
    _show(found, actor, now, as_json)


def _terms(
    name: str,
    template: str,
    last_day: str,
    notice_date: str,
    reason: str,
    jurisdiction: str,
    confidentiality: str,
    starts_at: str,
    batch_size: int | None,
) -> Terms:
    return Terms(
        name=name,
        template_id=template,
        last_working_date=read_date(last_day, "last_day") if last_day else None,
        notice_date=read_date(notice_date, "notice_date") if notice_date else None,
        reason=reason,
        jurisdiction=jurisdiction,
        confidentiality=confidentiality,
        starts_at=read_moment(starts_at, "starts_at") if starts_at else None,
        batch_size=batch_size,
    )


def _keys(found: Round, people: list[str]) -> list[int]:
    known = dict(found.members.values_list("email", "pk"))
    for email in people:
        if email not in known:
            raise Invalid("not_in_round", f"{email} is not in this round.", field="person")
    return [known[email] for email in people]


def _show(found: Round, actor: Actor, now: datetime, as_json: bool) -> None:
    view = round_view(found, actor, now=now, limit=found.members.count())
    rows = [
        (p["name"], p["state"], p["last_working_day"], f"{p['done']} of {p['total']}", p["late"], p["note"])
        for p in view["people"]
    ]
    answer(
        view,
        as_json=as_json,
        text=lambda: (
            f"Round {view['id']}, {view['name']}, is {view['state']}.\n"
            + table(rows, ("Who", "State", "Last day", "Done", "Late", "Note"))
        ),
    )


def _preview_text(data: dict[str, Any]) -> str:
    parts = []
    if bad := data["bad_lines"]:
        rows = [(b["line"], b["value"], f"{b['reason']}. {b['way_out']}".strip()) for b in bad]
        parts.append(table(rows, ("Line", "Says", "Why not")))
    people = [(p["name"], p["starts_on"], p["last_working_day"], p["steps"]) for p in data["people"]]
    parts.append(table(people, ("Who", "Starts", "Last day", "Steps")))
    if out := data["left_out"]:
        parts.append(table([(o["name"], o["reason"]) for o in out], ("Left out", "Why")))
    loads = [
        (o["owner"], o["steps"], o["already_open"], f"{o['busiest_day']}: {o['on_busiest_day']}")
        for o in data["overview"]["loads"]
    ]
    parts.append(table(loads, ("Owner", "Steps", "Open already", "Fullest day")))
    return "\n\n".join([*parts, "Nothing was kept."])
