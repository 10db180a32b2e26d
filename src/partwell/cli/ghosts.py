"""`partwell ghosts …`: accounts that outlive their people."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from partwell import clock
from partwell.access.ghosts.cutting import call_off_cut, look_at_ghost, propose_cut, restore_ghost
from partwell.access.ghosts.files import AccountFile, read_account_file, upload_accounts
from partwell.access.ghosts.keeping import keep_service_account, say_whose
from partwell.access.ghosts.operations import assign_ghost, cut_ghost, dismiss_ghost
from partwell.access.ghosts.queries import (
    coverage,
    get_ghost,
    ghost_dict,
    ghost_view,
    sweep_view,
    visible_ghosts,
)
from partwell.access.ghosts.sweeping import start_sweep, sweep_system
from partwell.access.models import Ghost
from partwell.access.queries import get_system
from partwell.access.states import SweepState
from partwell.cli.acting import As, acting
from partwell.cli.output import AsJson, answer, listing, say, speaks, table
from partwell.people.actors import Actor
from partwell.people.authorisation import check_office
from partwell.people.imports.reading import LARGEST_BYTES
from partwell.people.queries import find_person, find_user
from partwell.refusals import Invalid

app = typer.Typer(help="Ghost accounts: everybody's accounts against who has left.", no_args_is_help=True)

GhostId = Annotated[int, typer.Argument(metavar="GHOST", help="As `partwell ghosts list` shows it.", min=1)]


@app.command()
@speaks
def sweep(as_email: As = None, as_json: AsJson = False) -> None:
    """Look through all accounts of all systems, here and now, and show what was found.

    Names each system that was not read to its end: what such a system does not show is unknown.
    """
    actor, now = acting(as_email), clock.now()
    started = start_sweep(actor=actor, now=now, here=True)
    if started.started_at == now:
        for row in started.systems.filter(state=SweepState.WAITING).select_related("system"):
            say(f"Reading {row.system.title} …")
            sweep_system(str(row.pk))
    else:
        say(f"A sweep is under way since {started.started_at:%Y-%m-%d %H:%M %Z}; this is how far it is.")
    started.refresh_from_db()
    view = sweep_view(started, actor)
    answer(view, as_json=as_json, text=lambda: _sweep_text(view))


def _sweep_text(view: dict[str, Any]) -> str:
    rows = [(s["title"], s["read"], f"{s['accounts']:,}", s["reason"]) for s in view["systems"]]
    read = table(rows, ("System", "Read", "Accounts", "Reason"))
    not_read = view["not_wholly_read"]
    warning = f"\n\nNot read to the end: {', '.join(not_read)}. What is there is unknown." if not_read else ""
    return f"{read}{warning}\n\n{_ghost_table(view['ghosts'])}"


@app.command("list")
@speaks
def list_(
    kind: Annotated[str, typer.Option(help="came_back, still_used, never_known, suggested or nobodys.")] = "",
    system: Annotated[str, typer.Option(help="Only in this system.")] = "",
    state: Annotated[str, typer.Option(help="open, kept, dismissed, gone or live.")] = "open",
    as_email: As = None,
    as_json: AsJson = False,
) -> None:
    """List ghost accounts, the worst first."""
    actor = acting(as_email)
    items = [ghost_dict(ghost) for ghost in visible_ghosts(actor, kind=kind, system=system, state=state)]
    answer(listing(items), as_json=as_json, text=lambda: _ghost_table(items))


@app.command("coverage")
@speaks
def coverage_(as_email: As = None, as_json: AsJson = False) -> None:
    """Show how far each system was read when it was last looked through."""
    items = [each.as_dict() for each in coverage(acting(as_email))]
    rows = [
        (i["title"], i["read"] or "never", f"{i['accounts']:,}", i["read_to_the_end_at"] or "–", i["reason"])
        for i in items
    ]
    headings = ("System", "Read", "Accounts", "Last read to the end", "Reason")
    answer(listing(items), as_json=as_json, text=lambda: table(rows, headings))


@app.command()
@speaks
def show(ghost_id: GhostId, as_email: As = None, as_json: AsJson = False) -> None:
    """Show one ghost account, whatever became of it."""
    _show_one(acting(as_email), ghost_id, as_json)


@app.command()
@speaks
def whose(
    ghost_id: GhostId,
    person: Annotated[str, typer.Argument(metavar="PERSON", help="Their address or employee number.")],
    as_email: As = None,
    as_json: AsJson = False,
) -> None:
    """Say that an account of nobody is somebody's who is here. It is cut with theirs when they leave."""
    actor = acting(as_email)
    ghost = get_ghost(actor, ghost_id)
    say_whose(ghost=ghost, person=find_person(person), actor=actor, now=clock.now())
    _show_one(actor, ghost_id, as_json)


@app.command()
@speaks
def keep(
    ghost_id: GhostId,
    owner: Annotated[str, typer.Option(help="Address or employee number of who answers for it.")],
    reason: Annotated[str, typer.Option(help="What it is for; it becomes evidence.")],
    review: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="When somebody looks at it again.")],
    as_email: As = None,
    as_json: AsJson = False,
) -> None:
    """Say that an account of nobody is a service account. It is off the list until its day."""
    actor = acting(as_email)
    keep_service_account(
        ghost=get_ghost(actor, ghost_id),
        owner=find_person(owner, field="owner"),
        reason=reason,
        review_date=review.date(),
        actor=actor,
        now=clock.now(),
    )
    _show_one(actor, ghost_id, as_json)


@app.command("propose-cut")
@speaks
def propose(
    ghost_id: GhostId,
    reason: Annotated[str, typer.Option(help="Why nobody needs it; whoever approves it reads this.")],
    as_email: As = None,
    as_json: AsJson = False,
) -> None:
    """Propose that an account of nobody is cut, and ask its system here what it is.

    Somebody else approves it on the web.
    """
    actor = acting(as_email)
    ghost = get_ghost(actor, ghost_id)
    plan = propose_cut(ghost=ghost, reason=reason, actor=actor, now=clock.now(), here=True)
    look_at_ghost(str(plan.pk))
    _show_one(actor, ghost_id, as_json)


@app.command("call-off")
@speaks
def call_off(ghost_id: GhostId, as_email: As = None, as_json: AsJson = False) -> None:
    """Take back, before anybody has approved it, that an account of nobody is cut."""
    actor = acting(as_email)
    call_off_cut(ghost=get_ghost(actor, ghost_id), actor=actor, now=clock.now())
    _show_one(actor, ghost_id, as_json)


@app.command()
@speaks
def restore(ghost_id: GhostId, as_email: As = None, as_json: AsJson = False) -> None:
    """Put an account of nobody back from its snapshot. A worker does it, and reads each effect back."""
    actor = acting(as_email)
    restore_ghost(ghost=get_ghost(actor, ghost_id), actor=actor, now=clock.now())
    _show_one(actor, ghost_id, as_json)


@app.command()
@speaks
def cut(
    ghost_id: GhostId,
    reason: Annotated[str, typer.Option(help="What whoever reviews it reads, beside what was found.")] = "",
    as_email: As = None,
    as_json: AsJson = False,
) -> None:
    """Have it cut now, as the kill switch does. A worker does it; another person reviews it."""
    actor = acting(as_email)
    _show(cut_ghost(ghost=get_ghost(actor, ghost_id), reason=reason, actor=actor, now=clock.now()), as_json)


@app.command()
@speaks
def dismiss(
    ghost_id: GhostId,
    reason: Annotated[str, typer.Option(help="How you know that it is none; it becomes evidence.")],
    as_email: As = None,
    as_json: AsJson = False,
) -> None:
    """Say that it is no ghost. It holds until something else is found of the account."""
    actor = acting(as_email)
    ghost = get_ghost(actor, ghost_id)
    _show(dismiss_ghost(ghost=ghost, reason=reason, actor=actor, now=clock.now()), as_json)


@app.command()
@speaks
def assign(
    ghost_id: GhostId,
    to: Annotated[str, typer.Option(help="Address of who takes care of it; IT/Security unless given.")] = "",
    as_email: As = None,
    as_json: AsJson = False,
) -> None:
    """Give it to somebody who may see it, or back to IT/Security."""
    actor = acting(as_email)
    owner = find_user(to, field="to") if to else None
    _show(assign_ghost(ghost=get_ghost(actor, ghost_id), owner=owner, actor=actor, now=clock.now()), as_json)


@app.command()
@speaks
def upload(
    system: Annotated[str, typer.Argument(metavar="SYSTEM")],
    file: Annotated[Path, typer.Argument(metavar="F.csv", help="The CSV file; - reads standard input.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what it holds, change nothing.")] = False,
    as_email: As = None,
    as_json: AsJson = False,
) -> None:
    """Sweep a list of all accounts of a system that Partwell cannot ask."""
    actor = acting(as_email)
    check_office(actor, "ghosts.upload")
    found_system = get_system(system)
    try:
        with sys.stdin.buffer if str(file) == "-" else file.open("rb") as stream:
            data = stream.read(LARGEST_BYTES + 1)
    except OSError as error:
        raise Invalid(
            "file_unreadable", f"{file} cannot be read: {error.strerror}. Check the path.", field="file"
        ) from None
    found = read_account_file(data)
    if found.is_ok and not dry_run:
        upload_accounts(system=found_system, data=data, source=file.name, actor=actor, now=clock.now())
    shown = found.as_dict()
    if not found.is_ok:
        message = f"{len(found.bad_lines)} problems were found, so nothing was taken. Correct the file."
        shown = {"error": {"code": "bad_lines", "field": "file", "message": message}, **shown}
    answer(shown, as_json=as_json, text=lambda: _file_text(found, dry_run))
    if not found.is_ok:
        raise typer.Exit(1)


def _file_text(found: AccountFile, dry_run: bool) -> str:
    if not found.is_ok:
        return "\n".join([*(f"! {bad}" for bad in found.bad_lines), "Nothing was taken."])
    active, inactive, unknown = (found.count(each) for each in (True, False, None))
    counts = f"{active:,} active, {inactive:,} inactive, {unknown:,} unknown"
    return f"{len(found.accounts):,} accounts ({counts}). {'Nothing was changed.' if dry_run else 'Swept.'}"


def _show(ghost: Ghost, as_json: bool) -> None:
    found = ghost_dict(ghost)
    answer(
        found,
        as_json=as_json,
        text=lambda: f"{found['says']} {found['state'].capitalize()}. {found['reason']}",
    )


def _show_one(actor: Actor, ghost_id: int, as_json: bool) -> None:
    view = ghost_view(get_ghost(actor, ghost_id))
    answer(view, as_json=as_json, text=lambda: _view_text(view))


def _view_text(view: dict[str, Any]) -> str:
    lines = [f"{view['says']} {view['state'].capitalize()}. {view['reason']}".strip()]
    if view["person"]:
        until = f" until {view['review_date']}" if view["review_date"] else ""
        lines.append(f"{'Answers for it' if until else 'Whose'}: {view['person']}{until}.")
    if plan := view["plan"]:
        what = "Putting it back" if plan["restores"] else "Its cut"
        lines.append(f"{what}: {plan['state']}. {plan['note']}".strip())
        lines += [f"  {row['verb'].replace('_', ' ')}: {row['state']}" for row in plan["changes"]]
        if plan["state"] == "proposed":
            lines.append(f"Another person approves it on the web, at /ghosts/{view['id']}/.")
    return "\n".join(lines)


def _ghost_table(items: list[dict[str, Any]]) -> str:
    rows = [
        (
            i["id"],
            i["kind"],
            i["title"],
            i["login"] or i["account"],
            i["subject"] or "–",
            i["owner"] or "IT/Security",
            i["state"],
        )
        for i in items
    ]
    return table(rows, ("Ghost", "Kind", "System", "Account", "Left", "Owner", "State"))
