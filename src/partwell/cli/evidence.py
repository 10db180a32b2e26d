"""`partwell evidence …`: verifying the record or a pack, and exporting a pack."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from partwell import clock
from partwell.closure.audiences import Audience
from partwell.closure.operations import export_pack
from partwell.closure.queries import verify_record
from partwell.departures.models import Departure
from partwell.evidence import verifier
from partwell.people.actors import console_actor
from partwell.refusals import Invalid, NotFound, Refusal

app = typer.Typer(no_args_is_help=True, help="Verify the record, and export evidence packs.")

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.command()
def verify(
    pack: Annotated[
        Path | None, typer.Argument(help="A pack; without it, this installation's record.")
    ] = None,
    head: Annotated[str | None, typer.Option(help="SIZE:ROOT:FINGERPRINT as printed at closing.")] = None,
    as_json: AsJson = False,
) -> None:
    """Verify the record of this installation, or an exported pack. Exit status 1 when anything is wrong."""
    with _refusals(as_json):
        if pack is None:
            report = verify_record(actor=console_actor(), now=clock.now(), head=head)
        else:
            report = _verify_pack(pack, head)
    typer.echo(json.dumps(report.as_dict()) if as_json else report.as_text())
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
def export(
    departure_id: Annotated[str, typer.Argument(metavar="ID", help="The journey's or departure's id.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where the zip goes.")],
    audience: Annotated[Audience, typer.Option(help="Who will read it.")] = Audience.INTERNAL,
    as_json: AsJson = False,
) -> None:
    """Export the evidence of one departure as a zip, and print the head to keep apart from it."""
    with _refusals(as_json):
        _check_target(output)
        content = export_pack(
            departure=_find(departure_id), audience=audience, actor=console_actor(), now=clock.now()
        )
        _write_whole(output, content)
    report = verifier.verify_pack(str(output))
    if not report.is_whole:
        typer.echo(report.as_text(), err=True)
        raise typer.Exit(1)
    head = str(report.figures["head"])
    if as_json:
        typer.echo(json.dumps({"pack": str(output), "head": head, "events": report.figures["events"]}))
        return
    typer.echo(head)
    typer.echo(f"{output}: {report.figures['events']} events, read back and whole.", err=True)
    typer.echo("Keep the head apart from the pack; `partwell evidence verify` takes it as --head.", err=True)


def _find(departure_id: str) -> Departure:
    try:
        return Departure.objects.get(pk=UUID(departure_id))
    except (ValueError, Departure.DoesNotExist):
        raise NotFound("departure") from None


def _check_target(output: Path) -> None:
    if not output.parent.is_dir():
        raise Invalid(
            "no_such_folder", f"The folder {output.parent} is not there. Make it first.", field="output"
        )


def _write_whole(output: Path, content: bytes) -> None:
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


@contextmanager
def _refusals(as_json: bool) -> Iterator[None]:
    """Turn a refusal into what the console shows and its exit status."""
    try:
        yield
    except Refusal as refusal:
        if as_json:
            typer.echo(json.dumps({"error": refusal.as_dict()}))
        else:
            typer.echo(refusal.message, err=True)
        raise typer.Exit(refusal.exit_code) from None
