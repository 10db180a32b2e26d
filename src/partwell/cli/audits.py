"""`partwell audits …`: who left in a period, samples of them by a seed, and the pack of a sample."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer

from partwell import clock
from partwell.cli.acting import As, acting
from partwell.cli.dates import read_date
from partwell.cli.evidence import check_target, write_whole
from partwell.cli.output import AsJson, answer, listing, say, speaks, table
from partwell.closure.audits.dicts import audit_dict, population_csv, sample_dict
from partwell.closure.audits.packs import export_sample
from partwell.closure.audits.samples import USUAL, Sample, draw, list_samples
from partwell.evidence import verifier

app = typer.Typer(no_args_is_help=True, help="Hold who left against the register, and draw samples of them.")

Since = Annotated[str, typer.Option(help="First day of the period, as 2026-01-31.")]
Until = Annotated[str, typer.Option(help="Last day of the period; not in the future.")]
SampleId = Annotated[UUID, typer.Argument(metavar="SAMPLE", help="As `partwell audits samples` shows it.")]


@app.command()
@speaks
def population(
    since: Since,
    until: Until,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write everybody to this CSV file.")
    ] = None,
    as_email: As = None,
    as_json: AsJson = False,
) -> None:
    """Everybody who left in a period, by the register or by a departure, and how soon access was gone."""
    period: dict[str, Any] = {"since": read_date(since, "since"), "until": read_date(until, "until")}
    actor, now = acting(as_email), clock.now()
    if output is not None:
        check_target(output)
        write_whole(output, population_csv(**period, actor=actor, now=now))
    found = audit_dict(**period, actor=actor, now=now)
    answer(found, as_json=as_json, text=lambda: _period_text(found))


@app.command("draw")
@speaks
def draw_(
    since: Since,
    until: Until,
    size: Annotated[int, typer.Option(help="How many people.")] = USUAL,
    seed: Annotated[str, typer.Option(help="The seed; made and printed where none is given.")] = "",
    as_email: As = None,
    as_json: AsJson = False,
) -> None:
    """Draw a random sample. It stays on the record with its seed; drawing again is visible."""
    sample = draw(
        since=read_date(since, "since"),
        until=read_date(until, "until"),
        size=size,
        seed=seed,
        actor=acting(as_email),
        now=clock.now(),
    )
    answer(sample.as_dict(), as_json=as_json, text=lambda: _sample_text(sample))


@app.command()
@speaks
def samples(as_email: As = None, as_json: AsJson = False) -> None:
    """List every sample that was ever drawn, newest first."""
    found = list_samples(actor=acting(as_email))
    answer(
        listing(sample.as_dict() for sample in found),
        as_json=as_json,
        text=lambda: table(
            [
                (
                    each.id,
                    f"{each.since} to {each.until}",
                    f"{len(each.drawn)} of {each.count}",
                    each.seed,
                    f"{each.number} of {each.of}",
                    f"{each.drawn_at:%Y-%m-%d %H:%M}",
                    each.drawn_by,
                )
                for each in found
            ],
            ("ID", "Period", "Drawn", "Seed", "Draw", "When (UTC)", "Who"),
        ),
    )


@app.command()
@speaks
def show(sample_id: SampleId, as_email: As = None, as_json: AsJson = False) -> None:
    """Show a sample with each control of each of its people."""
    found = sample_dict(sample_id, actor=acting(as_email), now=clock.now())
    answer(found, as_json=as_json, text=lambda: _people_text(found))


@app.command()
@speaks
def export(
    sample_id: SampleId,
    output: Annotated[Path, typer.Option("--output", "-o", help="Where the zip goes.")],
    as_email: As = None,
    as_json: AsJson = False,
) -> None:
    """Export the evidence of a sample as one zip, and print the head to keep apart from it."""
    check_target(output)
    write_whole(output, export_sample(sample_id=sample_id, actor=acting(as_email), now=clock.now()))
    report = verifier.verify_pack(str(output))
    if not report.is_whole:
        typer.echo(report.as_text(), err=True)
        raise typer.Exit(1)
    head, drawn = str(report.figures["head"]), report.figures["sample"]
    found = {"pack": str(output), "head": head, "events": report.figures["events"], "sample": drawn}
    answer(found, as_json=as_json, text=head)
    say(f"{output}: {report.figures['events']} events, read back and whole; {drawn}.")


def _period_text(found: dict[str, Any]) -> str:
    lines = [
        f"{found['count']} left from {found['since']} to {found['until']}; population {found['population']}",
        f"{found['without_journey']} without a departure that you may read, {found['doubtful']} in doubt",
        "",
        table(
            [
                (
                    each["ref"],
                    each["left_on"],
                    each["name"],
                    each["departure"] or "none",
                    "; ".join(each["doubts"]),
                )
                for each in found["leavers"]
            ],
            ("Reference", "Left on", "Who", "Departure", "In doubt"),
        ),
    ]
    if found["time_to_revoke"]:
        rows = [
            (t["sla"], t["accounts"], t["in_time"], t["late"], t["said"], t["overdue"], t["open"])
            for t in found["time_to_revoke"]
        ]
        names = ("Class", "Accounts", "In time", "Late", "Said", "Overdue", "Open")
        lines += ["", table(rows, names)]
    return "\n".join(lines)


def _sample_text(sample: Sample) -> str:
    lines = [
        f"Sample      {sample.id}",
        f"Seed        {sample.seed}",
        f"Population  {sample.count} leavers, {sample.population}",
        f"Draw        {sample.number} of this period",
        "",
        *sample.drawn,
    ]
    return "\n".join(lines)


def _people_text(found: dict[str, Any]) -> str:
    lines = [f"Seed {found['seed']}, population {found['population']}"]
    if not found["population_is_the_same"]:
        lines.append("The population is another one since.")
    for person in found["people"]:
        counts = Counter(each["words"] for each in person["controls"])
        said = ", ".join(f"{count} {words.lower()}" for words, count in counts.items())
        lines += ["", f"{person['ref']}  {person['name'] or '(not in the population any more)'}: {said}"]
        lines += [f"  {each['standard']}: {each['words']}. {each['says']}" for each in person["controls"]]
    return "\n".join(lines)
