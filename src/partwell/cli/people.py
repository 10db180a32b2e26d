"""`partwell people|clients|contracts import|export` and `partwell roles …`"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from partwell import clock
from partwell.cli.acting import As, acting
from partwell.cli.output import AsJson, answer, listing, say, speaks, table
from partwell.people import imports, operations, queries
from partwell.people.exports import EXPORTS
from partwell.people.imports.report import ImportReport
from partwell.people.models import RoleGrant
from partwell.refusals import Invalid

people_app = typer.Typer(help="The staff register.", no_args_is_help=True)
clients_app = typer.Typer(help="Clients and their contacts.", no_args_is_help=True)
contracts_app = typer.Typer(help="Contracts with clients.", no_args_is_help=True)
roles_app = typer.Typer(help="Who plays which part.", no_args_is_help=True)

SPOKEN_EVERY = 5000

CsvFile = Annotated[Path, typer.Argument(metavar="F.csv", help="The CSV file; - reads standard input.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show every change and bad line, change nothing.")]
Output = Annotated[Path | None, typer.Option("-o", "--output", help="Write here instead of standard output.")]


@people_app.command("import")
@speaks
def import_people(
    file: CsvFile, dry_run: DryRun = False, as_email: As = None, as_json: AsJson = False
) -> None:
    """Bring the staff register up to date from a CSV file."""
    _import("people", file, dry_run, as_email, as_json)


@clients_app.command("import")
@speaks
def import_clients(
    file: CsvFile, dry_run: DryRun = False, as_email: As = None, as_json: AsJson = False
) -> None:
    """Bring clients and contacts up to date from a CSV file."""
    _import("clients", file, dry_run, as_email, as_json)


@contracts_app.command("import")
@speaks
def import_contracts(
    file: CsvFile, dry_run: DryRun = False, as_email: As = None, as_json: AsJson = False
) -> None:
    """Bring contracts up to date from a CSV file."""
    _import("contracts", file, dry_run, as_email, as_json)


@people_app.command("export")
@speaks
def export_people(output: Output = None, as_email: As = None) -> None:
    """Write the staff register as CSV."""
    _export("people", output, as_email)


@clients_app.command("export")
@speaks
def export_clients(output: Output = None, as_email: As = None) -> None:
    """Write clients and contacts as CSV."""
    _export("clients", output, as_email)


@contracts_app.command("export")
@speaks
def export_contracts(output: Output = None, as_email: As = None) -> None:
    """Write contracts as CSV."""
    _export("contracts", output, as_email)


@roles_app.command()
@speaks
def grant(
    email: Annotated[str, typer.Argument(metavar="EMAIL")],
    role: Annotated[str, typer.Argument(metavar="ROLE", help="For example hr, it_security, finance, admin.")],
    department: Annotated[str, typer.Option(help="Only there; the whole firm unless given.")] = "",
    as_email: As = None,
    as_json: AsJson = False,
) -> None:
    """Give somebody a role."""
    given = operations.grant_role(
        email=email, role=role, department=department, actor=acting(as_email), now=clock.now()
    )
    answer(queries.grant_dict(given), as_json=as_json, text=f"{given.user.email} holds {_where(given)}.")


@roles_app.command()
@speaks
def revoke(
    email: Annotated[str, typer.Argument(metavar="EMAIL")],
    role: Annotated[str, typer.Argument(metavar="ROLE")],
    department: Annotated[str, typer.Option(help="The department it was granted for.")] = "",
    as_email: As = None,
    as_json: AsJson = False,
) -> None:
    """Take a role back."""
    operations.revoke_role(
        email=email, role=role, department=department, actor=acting(as_email), now=clock.now()
    )
    data = {"email": email, "role": role, "department": department, "held": False}
    answer(data, as_json=as_json, text=f"{email} no longer holds {role}.")


@roles_app.command("list")
@speaks
def list_(as_json: AsJson = False) -> None:
    """List who holds which role."""
    grants = queries.list_grants()
    rows = [(g.user.email, g.role, g.department or "whole firm", g.granted_by) for g in grants]
    answer(
        listing(queries.grant_dict(grant) for grant in grants),
        as_json=as_json,
        text=lambda: table(rows, ("EMAIL", "ROLE", "WHERE", "GRANTED BY")),
    )


def _import(kind: str, file: Path, is_dry_run: bool, as_email: str | None, as_json: bool) -> None:
    actor, now = acting(as_email), clock.now()
    try:
        with sys.stdin.buffer if str(file) == "-" else file.open("rb") as stream:
            if is_dry_run:
                report = imports.preview(kind, stream, actor=actor, now=now, on_progress=_tell)
            else:
                data = imports.read_bytes(stream)
                run = operations.IMPORTS[kind]
                report = run(data=data, actor=actor, now=now, on_progress=_tell)
    except OSError as error:
        raise Invalid(
            "file_unreadable", f"{file} cannot be read: {error.strerror}. Check the path.", field="file"
        ) from None
    _show(report, as_json)
    if not report.is_ok:
        raise typer.Exit(1)


def _show(report: ImportReport, as_json: bool) -> None:
    if as_json:
        data: dict[str, Any] = report.as_dict()
        if not report.is_ok:
            data = {"error": _refusal(report), **data}
        typer.echo(json.dumps(data, ensure_ascii=False))
        return
    if report.is_dry_run:
        for change in report.changes:
            sign = "+" if change.is_new else "~"
            fields = ", ".join(f"{f.field}: “{f.old}” → “{f.new}”" for f in change.fields)
            typer.echo(f"{sign} line {change.line} {change.key}: {fields}")
    for bad in report.bad_lines:
        typer.echo(f"! {bad}")
    say(_summary(report))


def _refusal(report: ImportReport) -> dict[str, str]:
    first = report.bad_lines[0]
    return {"code": "bad_lines", "field": first.field, "message": _summary(report)}


def _summary(report: ImportReport) -> str:
    counts = f"{report.created:,} new, {report.updated:,} changed, {report.unchanged:,} unchanged"
    if not report.is_ok:
        found = len(report.bad_lines)
        return (
            f"{found:,} problem{'s' if found > 1 else ''} found, so nothing was imported. Correct the file."
        )
    return f"{counts}. Dry run: nothing was imported." if report.is_dry_run else f"Imported: {counts}."


def _tell(what: str, done: int, total: int) -> None:
    """Progress, in place on a terminal, now and then elsewhere."""
    if sys.stderr.isatty():
        typer.echo(f"\r{what}: {done:,} of {total:,}\033[K", err=True, nl=done >= total)
    elif done % SPOKEN_EVERY == 0 and done:
        say(f"{what}: {done:,} of {total:,}")


def _export(kind: str, output: Path | None, as_email: str | None) -> None:
    data = EXPORTS[kind](actor=acting(as_email), now=clock.now())
    if output is None:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    try:
        output.write_bytes(data)
    except OSError as error:
        raise Invalid(
            "file_unwritable", f"{output} cannot be written: {error.strerror}.", field="output"
        ) from None
    say(f"{output} written.")


def _where(grant: RoleGrant) -> str:
    return f"{grant.role} in {grant.department}" if grant.department else f"{grant.role} for the whole firm"
