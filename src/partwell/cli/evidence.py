"""`partwell evidence …`: verifying the record or a pack, exporting a pack, reading events, erasing values."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer

from partwell import clock
from partwell.cli.acting import As, acting
from partwell.cli.journeys import JourneyId, find
from partwell.cli.output import AsJson, answer, listing, say, speaks, table
from partwell.closure.audiences import Audience
from partwell.closure.operations import erase_field, export_pack
from partwell.closure.queries import events_as_dicts, verify_record
from partwell.evidence import verifier
from partwell.refusals import Invalid

app = typer.Typer(no_args_is_help=True, help="Verify the record, and export evidence packs.")


@app.command()
@speaks
def verify(
    pack: Annotated[
        Path | None, typer.Argument(help="A pack; without it, this installation's record.")
    ] = None,
    head: Annotated[str | None, typer.Option(help="SIZE:ROOT:FINGERPRINT as printed at closing.")] = None,
    as_email: As = None,
    as_json: AsJson = False,
) -> None:
    """Verify the record of this installation, or an exported pack. Exit status 1 when anything is wrong."""
    if pack is None:
        report = verify_record(actor=acting(as_email), now=clock.now(), head=head)
    else:
        report = _verify_pack(pack, head)
    answer(report.as_dict(), as_json=as_json, text=report.as_text)
    if not report.is_whole:
        raise typer.Exit(1)


def _verify_pack(pack: Path, head: str | None) -> verifier.Report:
    try:
        return verifier.verify_pack(str(pack), head)
    except OSError as error:
        raise Invalid("unreadable", f"{pack} cannot be read: {error.strerror}.", field="pack") from None
    except ValueError as error:
        raise Invalid("bad_head", f"{error}. Copy it as it was printed at closing.", field="head") from None


@app.command()
@speaks
def export(
    journey_id: JourneyId,
    output: Annotated[Path, typer.Option("--output", "-o", help="Where the zip goes.")],
    audience: Annotated[Audience, typer.Option(help="Who will read it.")] = Audience.INTERNAL,
    as_email: As = None,
    as_json: AsJson = False,
) -> None:
    """Export the evidence of one departure as a zip, and print the head to keep apart from it."""
    check_target(output)
    actor = acting(as_email)
    content = export_pack(departure=find(journey_id, actor), audience=audience, actor=actor, now=clock.now())
    write_whole(output, content)
    report = verifier.verify_pack(str(output))
    if not report.is_whole:
        typer.echo(report.as_text(), err=True)
        raise typer.Exit(1)
    head, count = str(report.figures["head"]), report.figures["events"]
    answer({"pack": str(output), "head": head, "events": count}, as_json=as_json, text=head)
    say(f"{output}: {count} events, read back and whole.")
    say("Keep the head apart from the pack; `partwell evidence verify` takes it as --head.")


@app.command()
@speaks
def events(journey_id: JourneyId, as_email: As = None, as_json: AsJson = False) -> None:
    """List what happened in a departure, newest first, with what was said of it."""
    actor = acting(as_email)
    departure = find(journey_id, actor)
    items: list[dict[str, Any]] = []
    after = None
    while True:
        page, after = events_as_dicts(departure=departure, actor=actor, after=after, limit=200)
        items += page
        if after is None:
            break
    answer(
        listing(items),
        as_json=as_json,
        text=lambda: table(
            [(i["id"], i["at"][:19], i["kind"], i["fields"].get("actor") or "(erased)") for i in items],
            ("ID", "When (UTC)", "What", "Who"),
        ),
    )


@app.command()
@speaks
def erase(
    journey_id: JourneyId,
    event: Annotated[UUID, typer.Argument(metavar="EVENT", help="As `partwell evidence events` shows it.")],
    field: Annotated[list[str], typer.Option(help="A field whose value goes; repeat for more.")],
    basis: Annotated[str, typer.Option(help="On what basis it may go; stays on the record.")],
    as_email: As = None,
    as_json: AsJson = False,
) -> None:
    """Erase values from one event, for good. That they were there stays on record; proofs go on verifying."""
    actor = acting(as_email)
    erased = erase_field(
        departure=find(journey_id, actor),
        event_id=event,
        names=field,
        basis=basis,
        actor=actor,
        now=clock.now(),
    )
    answer(
        {"event": str(event), "erased": field, "recorded": str(erased.pk)},
        as_json=as_json,
        text=f"Erased from {event}: {', '.join(field)}.",
    )


def check_target(output: Path) -> None:
    """Raise `Invalid` where the folder of a file to be written is not there."""
    if not output.parent.is_dir():
        raise Invalid(
            "no_such_folder", f"The folder {output.parent} is not there. Make it first.", field="output"
        )


def write_whole(output: Path, content: bytes) -> None:
    """Write so that a crash leaves the old file or the new one, never half of one; readable by us alone."""
    try:
        number, draft = tempfile.mkstemp(dir=output.parent, prefix=f".{output.name}.")
        with os.fdopen(number, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(draft).replace(output)
    except OSError as error:
        raise Invalid(
            "not_written", f"{output} cannot be written: {error.strerror}.", field="output"
        ) from None
