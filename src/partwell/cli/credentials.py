"""`partwell credentials …`: shared secrets, and who knows each. Never their values."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from partwell import clock
from partwell.access.credentials import imports, operations, queries, settling
from partwell.access.credentials.files import LARGEST_BYTES
from partwell.access.credentials.rotation_queries import (
    get_rotation,
    list_rotations,
    rotation_dict,
)
from partwell.access.credentials.states import RotationState
from partwell.access.models import Credential, CredentialRotation
from partwell.cli.acting import As, acting
from partwell.cli.dates import read_date
from partwell.cli.output import AsJson, answer, listing, speaks, table
from partwell.connector_kit.contract import ConnectorError
from partwell.connector_kit.secrets import ReferencedSecrets
from partwell.departures.policies import sees_inside
from partwell.people.actors import Actor
from partwell.refusals import Invalid, NotFound

app = typer.Typer(help="Shared secrets, and who knows each. Never their values.", no_args_is_help=True)

CredentialId = Annotated[str, typer.Argument(metavar="ID", help="As `partwell credentials list` shows it.")]
RotationId = Annotated[
    str, typer.Argument(metavar="ROTATION", help="As `partwell credentials rotations` shows it.")
]
Reason = Annotated[str, typer.Option(help="Why; it stays on record.")]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="FIELD=TEXT",
        help="kind, used_at, login, owner_email, client_ref, direction, system, account, rotated_on, "
        "rotate_every_days; repeat for more.",
    ),
]


@app.command("list")
@speaks
def list_(
    search: Annotated[str, typer.Option(help="Words of its name, place, login, owner or client.")] = "",
    kind: Annotated[str, typer.Option(help="For example password, api_key, door_code.")] = "",
    only: Annotated[str, typer.Option(help="mine, due, unowned or retired.")] = "",
    as_email: As = None,
    as_json: AsJson = False,
) -> None:
    """List shared credentials by name."""
    actor, today = acting(as_email), clock.today_in("UTC", now=clock.now())
    found: list[Credential] = []
    after = None
    while True:
        page, after = queries.list_credentials(
            actor=actor, today=today, search=search, kind=kind, only=only, after=after, limit=200
        )
        found += page
        if after is None:
            break
    items = [queries.credential_dict(each, today=today) for each in found]
    rows = [(i["id"], i["name"], i["kind"], i["owner"] or "–", i["rotated_on"] or "–") for i in items]
    answer(
        listing(items),
        as_json=as_json,
        text=lambda: table(rows, ("Id", "Name", "Kind", "Owner", "Changed last")),
    )


@app.command()
@speaks
def show(credential_id: CredentialId, as_email: As = None, as_json: AsJson = False) -> None:
    """Show one credential and who knows it."""
    actor = acting(as_email)
    _show(actor, queries.get_credential(actor, credential_id), as_json)


@app.command()
@speaks
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What people call it, never the secret.")],
    fields: Set = None,
    as_email: As = None,
    as_json: AsJson = False,
) -> None:
    """Put a credential on record."""
    actor = acting(as_email)
    given = {**_pairs(fields), "name": name}
    _show(actor, operations.add_credential(given=given, actor=actor, now=clock.now()), as_json)


@app.command()
@speaks
def change(
    credential_id: CredentialId, fields: Set = None, as_email: As = None, as_json: AsJson = False
) -> None:
    """Change what is on record of a credential."""
    actor = acting(as_email)
    changed = operations.change_credential(
        credential=queries.get_credential(actor, credential_id),
        given=_pairs(fields),
        actor=actor,
        now=clock.now(),
    )
    _show(actor, changed, as_json)


@app.command()
@speaks
def retire(credential_id: CredentialId, reason: Reason, as_email: As = None, as_json: AsJson = False) -> None:
    """Take a credential off the register because it opens nothing any more."""
    actor = acting(as_email)
    found = queries.get_credential(actor, credential_id)
    retired = operations.retire_credential(credential=found, reason=reason, actor=actor, now=clock.now())
    _show(actor, retired, as_json)


@app.command("add-holder")
@speaks
def add_holder(
    credential_id: CredentialId,
    email: Annotated[str, typer.Argument(metavar="EMAIL", help="A colleague, or a contact of the client.")],
    since: Annotated[str, typer.Option(help="A day, as 2026-03-31; today unless given.")] = "",
    as_email: As = None,
    as_json: AsJson = False,
) -> None:
    """Say that somebody knows a credential."""
    actor = acting(as_email)
    found = queries.get_credential(actor, credential_id)
    operations.add_holder(
        credential=found,
        email=email,
        since=read_date(since, "since") if since else None,
        actor=actor,
        now=clock.now(),
    )
    _show(actor, found, as_json)


@app.command("end-holder")
@speaks
def end_holder(
    credential_id: CredentialId,
    email: Annotated[str, typer.Argument(metavar="EMAIL")],
    reason: Reason,
    as_email: As = None,
    as_json: AsJson = False,
) -> None:
    """Say that somebody does not know a credential any more, and how that can be."""
    actor = acting(as_email)
    found = queries.get_credential(actor, credential_id)
    holder = found.holders.filter(email__iexact=email.strip(), until_date__isnull=True).first()
    if holder is None:
        raise NotFound("holder")
    operations.end_holder(
        holder=queries.get_holder(actor, found, holder.pk), reason=reason, actor=actor, now=clock.now()
    )
    _show(actor, found, as_json)


@app.command("import")
@speaks
def import_(
    file: Annotated[Path, typer.Argument(metavar="F", help="CSV, JSON or XML; - reads standard input.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show every change and bad line, change nothing.")
    ] = False,
    owner: Annotated[str, typer.Option(help="Owner of entries that have none, by e-mail address.")] = "",
    holders: Annotated[
        str, typer.Option(help="Who knows all of them: e-mail addresses, separated by semicolons.")
    ] = "",
    as_email: As = None,
    as_json: AsJson = False,
) -> None:
    """Import the register's own CSV, or a password manager's export without any of its secrets."""
    report = imports.import_credentials(
        data=_bytes_of(file),
        for_all=imports.ForAll(owner, holders),
        actor=acting(as_email),
        now=clock.now(),
        dry_run=dry_run,
    )
    answer(report.as_dict(), as_json=as_json, text=lambda: _in_words(report))
    if not report.is_ok:
        raise typer.Exit(1)


@app.command()
@speaks
def export(
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Write here instead of standard output.")
    ] = None,
    as_email: As = None,
) -> None:
    """Write the credentials in use as CSV, with who knows each."""
    data = imports.export_credentials(actor=acting(as_email), now=clock.now())
    if output is None:
        sys.stdout.buffer.write(data)
    else:
        output.write_bytes(data)


@app.command()
@speaks
def rotations(
    all_: Annotated[bool, typer.Option("--all", help="Also what is settled.")] = False,
    as_email: As = None,
    as_json: AsJson = False,
) -> None:
    """List secrets that have to be changed because somebody leaves, what is due first."""
    actor, now = acting(as_email), clock.now()
    found = list_rotations(actor, state="all" if all_ else "open", now=now)
    named = sees_inside(actor, found, to="access.view")
    items = [rotation_dict(each, names_departure=each.departure_id in named) for each in found]
    rows = [
        (i["id"], i["credential"], i["subject"] or "–", i["owner"] or "IT/Security", i["due_at"], i["state"])
        for i in items
    ]
    answer(
        listing(items),
        as_json=as_json,
        text=lambda: table(rows, ("Rotation", "Secret", "Leaves", "Owner", "Due", "State")),
    )


@app.command()
@speaks
def rotate(
    rotation_id: RotationId,
    output: Annotated[
        Path, typer.Option("-o", "--output", help="A file that is not there yet, for the new secret alone.")
    ],
    old: Annotated[
        str, typer.Option(help="Where the secret so far is kept, env:NAME or file:/PATH; it is tried.")
    ] = "",
    as_email: As = None,
    as_json: AsJson = False,
) -> None:
    """Have the connector change a secret. The new one is written into a file that only you can read."""
    actor, now = acting(as_email), clock.now()
    found = get_rotation(actor, rotation_id, now=now)
    try:
        known = ReferencedSecrets().resolve(old) if old else ""
    except ConnectorError as error:
        raise Invalid("secret_unreadable", error.message, field="old") from None
    try:
        handle = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise Invalid(
            "unwritable_file", f"{output} cannot be made, or is there already.", field="output"
        ) from error
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        came = settling.rotate(rotation=found, old=known, actor=actor, now=now)
        file.writelines(f"{value}\n" for value in came.secret.values())
    if not came.secret:
        output.unlink()
    _say(actor, came.rotation, as_json)
    if came.rotation.state == RotationState.FAILED:
        raise typer.Exit(1)


@app.command()
@speaks
def attest(
    rotation_id: RotationId,
    note: Annotated[str, typer.Option(help="How one can see that it is changed. Never the secret itself.")],
    link: Annotated[str, typer.Option(help="Web address of the proof.")] = "",
    as_email: As = None,
    as_json: AsJson = False,
) -> None:
    """Say that a secret is changed. It counts as said, not as verified."""
    actor, now = acting(as_email), clock.now()
    found = get_rotation(actor, rotation_id, now=now)
    done = settling.attest_rotation(rotation=found, note=note, link=link, actor=actor, now=now)
    _say(actor, done, as_json)


@app.command()
@speaks
def leave(rotation_id: RotationId, reason: Reason, as_email: As = None, as_json: AsJson = False) -> None:
    """Say that a secret need not be changed."""
    actor, now = acting(as_email), clock.now()
    found = get_rotation(actor, rotation_id, now=now)
    _say(actor, settling.leave_rotation(rotation=found, reason=reason, actor=actor, now=now), as_json)


def _say(actor: Actor, rotation: CredentialRotation, as_json: bool) -> None:
    view = rotation_dict(rotation, names_departure=bool(sees_inside(actor, [rotation], to="access.view")))
    probe = (view["proof"] or {}).get("probe", "")
    words = " ".join(filter(None, (f"{view['credential']}: {view['state']}.", view["reason"], probe)))
    answer(view, as_json=as_json, text=words)


def _bytes_of(file: Path) -> bytes:
    try:
        with sys.stdin.buffer if str(file) == "-" else file.open("rb") as stream:
            return stream.read(LARGEST_BYTES + 1)
    except OSError as error:
        raise Invalid("unreadable_file", f"{file} cannot be read.", field="file") from error


def _in_words(report: imports.CredentialReport) -> str:
    if report.bad_lines:
        lines = [str(bad) for bad in report.bad_lines]
        return "\n".join([*lines, f"{len(lines)} problems, nothing was imported."])
    lines = [f"{change.what} {change.key}" for change in report.changes]
    done = "Imported" if report.is_applied else "Would import"
    lines.append(
        f"{done} {report.created} new and {report.updated} changed from {report.read_as}; "
        f"{report.unchanged} as before, {report.left_out} left out."
    )
    return "\n".join(lines)


def _pairs(fields: list[str] | None) -> dict[str, str]:
    found = {}
    for each in fields or []:
        name, mark, text = each.partition("=")
        if not mark:
            raise Invalid("no_pair", "Write --set as FIELD=TEXT.", field="set")
        found[name.strip()] = text
    return found


def _show(actor: Actor, credential: Credential, as_json: bool) -> None:
    view: dict[str, Any] = queries.credential_view(
        actor, credential, today=clock.today_in("UTC", now=clock.now())
    )
    holders = view["holders"] or []
    rows = [(h["name"], h["email"], h["since"], h["until"] or "knows it") for h in holders]
    state = "is retired" if view["is_retired"] else f"is owned by {view['owner'] or 'nobody'}"
    answer(
        view,
        as_json=as_json,
        text=lambda: (
            f"{view['name']} ({view['id']}) {state}.\n" + table(rows, ("Who", "Address", "Since", "Until"))
        ),
    )
