"""`partwell cuts …`: the kill switch."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any

import typer

from partwell import clock
from partwell.access.cut_queries import cut_dict, cut_view, get_cut, visible_cuts
from partwell.access.models import Cut
from partwell.access.operations.cuts import Stages, cancel_cut, fire_cut, stop_cut
from partwell.cli.acting import As, acting
from partwell.cli.dates import read_moment
from partwell.cli.output import AsJson, answer, listing, speaks, table
from partwell.journeys.groups import read_group, read_lines, time_to_cut
from partwell.journeys.operations.following import ahead_of_a_cut
from partwell.journeys.operations.shutting_out import find_subjects, shut_out
from partwell.people.imports.reading import LARGEST_BYTES
from partwell.refusals import Invalid

app = typer.Typer(help="The kill switch: shut people out of everything now.", no_args_is_help=True)

CutId = Annotated[str, typer.Argument(metavar="CUT", help="As `partwell cuts list` shows it.")]


@app.command()
@speaks
def order(
    reason: Annotated[str, typer.Option(help="Why it cannot wait; whoever reviews it reads this.")],
    person: Annotated[
        list[str] | None, typer.Option(help="E-mail address or number; repeat for more.")
    ] = None,
    client: Annotated[list[str] | None, typer.Option(help="Reference or name; repeat for more.")] = None,
    file: Annotated[
        typer.FileBinaryRead | None,
        typer.Option(help="A CSV file or a list; the first cell of each line says who."),
    ] = None,
    department: Annotated[str, typer.Option(help="Everybody at work in this department.")] = "",
    employment_type: Annotated[str, typer.Option(help="Everybody of this employment type.")] = "",
    stage_size: Annotated[int | None, typer.Option(help="So many people at a time.")] = None,
    hold_above: Annotated[
        int | None, typer.Option(help="Hold where more per cent of a stage's accounts came to nothing.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say who is meant and how long it takes; shut nobody out.")
    ] = False,
    fire_at: Annotated[str, typer.Option(help="A time instead of now, as 2026-11-27T14:00+01:00.")] = "",
    as_email: As = None,
    as_json: AsJson = False,
) -> None:
    """Shut people, or all contacts of clients, out. More than five wait for a second person on the web."""
    actor, now = acting(as_email), clock.now()
    people, clients = find_subjects(people=person or [], clients=client or [])
    lines = read_lines(file.read(LARGEST_BYTES + 1)) if file else []
    group = read_group(lines, department=department, employment_type=employment_type, actor=actor, now=now)
    people += [each for each in group.people if each.pk not in {known.pk for known in people}]
    clients += [each for each in group.clients if each.pk not in {known.pk for known in clients}]
    meant = replace(group, people=tuple(people), clients=tuple(clients))
    if dry_run:
        rows = [(each.name, each.email, "") for each in people]
        rows += [(each.name, each.client_ref, "client") for each in clients]
        rows += [(name, "", f"left out: {reason}") for name, reason in meant.left_out]
        rows += [(p.value, f"line {p.line}", p.reason) for p in meant.problems]
        takes = time_to_cut(meant)
        ahead = ahead_of_a_cut(people=people, clients=clients, actor=actor, now=now)
        dates = [
            (each.departure.subject_name, c.step.title, f"{c.due_before:%Y-%m-%d}", f"{c.due_after:%Y-%m-%d}")
            for each in ahead
            for c in each.steps
        ]
        slowest = [(each["title"], each["says"]) for each in takes["systems"]]
        answer(
            {**meant.as_dict(), "takes": takes, "due_dates": [each.as_dict() for each in ahead]},
            as_json=as_json,
            text=lambda: "\n\n".join(
                [
                    table(rows, ("Who", "Known by", "")),
                    f"It would take {takes['says'] or 'no time: no system is connected'}.",
                    table(slowest, ("System", "Takes")),
                    *([table(dates, ("Who", "Step", "Due", "Then"))] if dates else []),
                ]
            ),
        )
        return
    if meant.problems:
        first = meant.problems[0]
        raise Invalid(
            "group_unclear",
            f"{len(meant.problems)} lines are unclear, the first in line {first.line}: “{first.value}”. "
            f"{first.reason} Nobody was shut out; --dry-run lists them all.",
            field="file",
        )
    moment: datetime | None = read_moment(fire_at, "fire_at") if fire_at else None
    cut = shut_out(
        people=people,
        clients=clients,
        reason=reason,
        fire_at=moment,
        stages=Stages(stage_size, hold_above),
        actor=actor,
        now=now,
    )
    _show(cut, as_json)


@app.command("list")
@speaks
def list_(as_email: As = None, as_json: AsJson = False) -> None:
    """List cuts, newest first."""
    items = [cut_dict(cut) for cut in visible_cuts(acting(as_email))]
    rows = [(i["id"], i["title"], i["state"], i["ordered_by"], i["reviewed_by"] or "–") for i in items]
    answer(
        listing(items),
        as_json=as_json,
        text=lambda: table(rows, ("Cut", "Who", "State", "Ordered by", "Reviewed by")),
    )


@app.command()
@speaks
def show(cut_id: CutId, as_email: As = None, as_json: AsJson = False) -> None:
    """Show one cut, with what became of everybody's accounts."""
    _show(get_cut(acting(as_email), cut_id), as_json)


@app.command()
@speaks
def fire(cut_id: CutId, as_email: As = None, as_json: AsJson = False) -> None:
    """Fire a prepared cut now."""
    actor = acting(as_email)
    _show(fire_cut(cut=get_cut(actor, cut_id), actor=actor, now=clock.now()), as_json)


@app.command()
@speaks
def cancel(cut_id: CutId, as_email: As = None, as_json: AsJson = False) -> None:
    """Call a prepared cut off."""
    actor = acting(as_email)
    _show(cancel_cut(cut=get_cut(actor, cut_id), actor=actor, now=clock.now()), as_json)


@app.command()
@speaks
def stop(cut_id: CutId, as_email: As = None, as_json: AsJson = False) -> None:
    """Stop a cut that is running: nothing more is asked for."""
    actor = acting(as_email)
    _show(stop_cut(cut=get_cut(actor, cut_id), actor=actor, now=clock.now()), as_json)


def _show(cut: Cut, as_json: bool) -> None:
    view: dict[str, Any] = cut_view(cut)
    rows = [
        (p["subject"], f"{p['verified']} of {p['accounts']}", str(p["failed"]), str(p["unreachable"]))
        for p in view["people"]
    ]
    answer(
        view,
        as_json=as_json,
        text=lambda: (
            f"Cut {view['id']} is {view['state']}.\n"
            + table(rows, ("Who", "Read back", "Failed", "No answer"))
        ),
    )
