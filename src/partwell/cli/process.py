"""`partwell process …`: what is late, left out or past a rule, how long phases take, who carries how much."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from partwell import clock
from partwell.cli.acting import As, acting
from partwell.cli.dates import read_date
from partwell.cli.evidence import check_target, write_whole
from partwell.cli.output import AsJson, answer, listing, say, speaks, table
from partwell.insights.listing import Standing, list_steps, listed_dict
from partwell.insights.questions import Question, usual_period
from partwell.insights.report import report_dict, view_process
from partwell.insights.tables import TABLES, table_csv
from partwell.paging import decode_place, encode_cursor
from partwell.people.queries import usual_place

app = typer.Typer(no_args_is_help=True, help="How the process goes, over a period.")

Since = Annotated[str, typer.Option(help="First day; twelve months before today without it.")]
Until = Annotated[str, typer.Option(help="Last day; today without it.")]
Zone = Annotated[str, typer.Option(help="The timezone in which days begin; PARTWELL_TIMEZONE without it.")]
Template = Annotated[str, typer.Option(help="Journeys on this template alone.")]
Audience = Annotated[str, typer.Option(help="staff or client; both without it.")]
Department = Annotated[str, typer.Option(help="Who left this department alone.")]


@app.command()
@speaks
def show(
    since: Since = "",
    until: Until = "",
    timezone: Zone = "",
    template: Template = "",
    audience: Audience = "",
    department: Department = "",
    as_email: As = None,
    as_json: AsJson = False,
) -> None:
    """Show the process over a period: late, left out, past a rule, phases, loads, templates."""
    question = _question(since, until, timezone, template, audience, department)
    found = report_dict(view_process(question, actor=acting(as_email), now=clock.now()))
    answer(found, as_json=as_json, text=lambda: _as_text(found))


@app.command()
@speaks
def steps(
    standing: Annotated[Standing, typer.Argument(help="Which of the steps that were due.")],
    since: Since = "",
    until: Until = "",
    timezone: Zone = "",
    template: Template = "",
    audience: Audience = "",
    department: Department = "",
    role: Annotated[str, typer.Option(help="Those of this role alone.")] = "",
    step: Annotated[str, typer.Option(help="This step alone, by its key; `own` for added ones.")] = "",
    cursor: Annotated[str, typer.Option(help="`next` of the page before.")] = "",
    as_email: As = None,
    as_json: AsJson = False,
) -> None:
    """List the steps behind a figure, soonest due first."""
    found, after = list_steps(
        _question(since, until, timezone, template, audience, department),
        standing=standing,
        role=role,
        key=step,
        actor=acting(as_email),
        now=clock.now(),
        after=decode_place(cursor),
    )
    rows = [listed_dict(each) for each in found]
    columns = ("subject", "title", "role", "owner", "due_at", "state", "settled_at", "skip_reason")
    answer(
        listing(rows, encode_cursor(after)),
        as_json=as_json,
        text=lambda: table(([row[name] or "" for name in columns] for row in rows), columns),
    )
    if after is not None and not as_json:
        say(f"There are more: --cursor {encode_cursor(after)}")


@app.command()
@speaks
def export(
    name: Annotated[str, typer.Argument(metavar="TABLE", help=f"One of {', '.join(TABLES)}.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where the CSV file goes.")],
    since: Since = "",
    until: Until = "",
    timezone: Zone = "",
    template: Template = "",
    audience: Audience = "",
    department: Department = "",
    as_email: As = None,
) -> None:
    """Write one table of the view to a CSV file."""
    question = _question(since, until, timezone, template, audience, department)
    report = view_process(question, actor=acting(as_email), now=clock.now())
    content = table_csv(report, name)
    check_target(output)
    write_whole(output, content)
    say(f"{output}: {name}.")


def _question(
    since: str, until: str, timezone: str, template: str, audience: str, department: str
) -> Question:
    zone = timezone or usual_place().timezone
    first, last = usual_period(zone if clock.is_timezone(zone) else "UTC", now=clock.now())
    return Question(
        read_date(since, "since") if since else first,
        read_date(until, "until") if until else last,
        zone,
        template,
        audience,
        department,
    )


def _as_text(found: dict[str, Any]) -> str:
    journeys = found["journeys"]
    lines = [
        f"{found['since']} to {found['until']} ({found['timezone']}): {journeys['under_way']} journeys, "
        f"{journeys['begun']} begun, {journeys['closed']} closed, {journeys['withdrawn']} withdrawn; "
        f"{journeys['running']} run now",
        found["about"],
    ]
    for title, name, columns in _SECTIONS:
        rows = [[_cell(row.get(column)) for column in columns] for row in found[name]]
        if rows:
            lines += ["", title, table(rows, columns)]
    if found["too_few"]:
        lines += ["", "Fewer than five journeys of this department: nothing of the past is told."]
    return "\n".join(lines)


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        return "too few" if value["journeys"] is None else f"{value['median_days']} / {value['p90_days']}"
    if isinstance(value, list):
        return ", ".join(value)
    return "" if value is None else str(value)


_LATENESS = ("missed_percent", "late", "median_days_late", "open_late", "due")
_SECTIONS = (
    ("People", "people", ("name", "late", "due_soon", "open", "blocked", "overloaded")),
    ("Not claimed", "queues", ("name", "late", "due_soon", "open", "oldest_due_at")),
    ("Late by role", "late_by_role", ("role", *_LATENESS)),
    ("Late by step", "late_by_step", ("step", "role", *_LATENESS)),
    ("Left out", "skipped_steps", ("step", "template", "skipped")),
    ("The newest reasons", "skipped_newest", ("title", "subject", "reason", "settled_by")),
    ("Closed with things open", "closed_with_override", ("subject", "reason", "asked_by", "approved_by")),
    ("Would close with things open", "override_asked", ("subject", "reason", "asked_by")),
    ("Kill switch", "cuts", ("title", "reason", "ordered_by", "reviewed_by")),
    (
        "Phases, days: middle / nine in ten",
        "phases",
        ("title", "worked_on", "finished_after_start", "running_now"),
    ),
    ("Templates", "templates", ("id", "owner", "last_read_at", "lacks")),
)
