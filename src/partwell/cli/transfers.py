"""`partwell transfers …`: what goes from a leaver to a successor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer

from partwell import clock
from partwell.access.models import Transfer
from partwell.access.queries import get_system
from partwell.access.transfers import operations, receipts
from partwell.access.transfers.queries import get_transfer, list_transfers, transfer_dict
from partwell.cli.acting import As, acting
from partwell.cli.dates import read_date
from partwell.cli.journeys import find
from partwell.cli.output import AsJson, answer, listing, speaks, table
from partwell.departures.policies import sees_inside
from partwell.people.actors import Actor

app = typer.Typer(help="What goes from a leaver to a successor, with a receipt.", no_args_is_help=True)

TransferId = Annotated[str, typer.Argument(metavar="TRANSFER", help="As `partwell transfers list` shows it.")]
JourneyId = Annotated[str, typer.Argument(metavar="ID", help="A journey's id, or the first part of it.")]
Note = Annotated[str, typer.Option(help="A sentence that stays on record.")]


@app.command("list")
@speaks
def list_(
    journey: Annotated[str, typer.Option(metavar="ID", help="Only of this journey.")] = "",
    mine: Annotated[bool, typer.Option("--mine", help="Only what comes to whoever asks.")] = False,
    all_: Annotated[bool, typer.Option("--all", help="Also what is settled.")] = False,
    as_email: As = None,
    as_json: AsJson = False,
) -> None:
    """List what is handed over, by access end."""
    actor, now = acting(as_email), clock.now()
    key = find(journey, actor).pk if journey else None
    found = list_transfers(actor, state="all" if all_ else "open", journey=key, mine=mine, now=now)
    inside = sees_inside(actor, found, to="access.view")
    items = [transfer_dict(each, is_inside=each.departure_id in inside) for each in found]
    rows = [
        (i["id"], i["subject"], i["what"], i["system_title"] or "by hand", i["successor"] or "–", i["state"])
        for i in items
    ]
    answer(
        listing(items),
        as_json=as_json,
        text=lambda: table(rows, ("Transfer", "Of", "What", "System", "Successor", "State")),
    )


@app.command("open")
@speaks
def open_(
    journey_id: JourneyId,
    what: Annotated[str, typer.Argument(metavar="WHAT", help="What it is, in a few words.")],
    kind: Annotated[str, typer.Option(help="For example mailbox, files, tickets, other.")] = "other",
    system: Annotated[str, typer.Option(help="Name of the system that it is in.")] = "",
    as_email: As = None,
    as_json: AsJson = False,
) -> None:
    """Say that something has to be handed over."""
    actor = acting(as_email)
    made = operations.open_transfer(
        departure=find(journey_id, actor),
        kind=kind,
        what=what,
        system=get_system(system) if system else None,
        actor=actor,
        now=clock.now(),
    )
    _say(actor, made, as_json)


@app.command()
@speaks
def name(
    transfer_id: TransferId,
    email: Annotated[str, typer.Argument(metavar="EMAIL", help="A colleague in the register.")],
    login: Annotated[str, typer.Option(help="What they are called in the system, if not by address.")] = "",
    ends_on: Annotated[str, typer.Option(help="Last day of a mailbox or a reply, as 2026-12-31.")] = "",
    text: Annotated[str, typer.Option(help="What an automatic reply says.")] = "",
    as_email: As = None,
    as_json: AsJson = False,
) -> None:
    """Say who gets it; said again after it failed, it is handed over anew."""
    day = read_date(ends_on, "ends_on") if ends_on else None
    _do(
        transfer_id,
        operations.name_successor,
        as_email,
        as_json,
        email=email,
        login=login,
        ends_on=day,
        text=text,
    )


@app.command("hand-over")
@speaks
def hand_over(transfer_id: TransferId, as_email: As = None, as_json: AsJson = False) -> None:
    """Have the system hand it over at once; a worker does it."""
    _do(transfer_id, operations.hand_over_now, as_email, as_json)


@app.command()
@speaks
def attest(
    transfer_id: TransferId,
    note: Note,
    link: Annotated[str, typer.Option(help="Web address of the proof.")] = "",
    as_email: As = None,
    as_json: AsJson = False,
) -> None:
    """Say that it is handed over, and where the successor finds it."""
    _do(transfer_id, operations.attest_transfer, as_email, as_json, note=note, link=link)


@app.command()
@speaks
def leave(
    transfer_id: TransferId,
    reason: Annotated[str, typer.Option(help="Why nobody needs it.")],
    as_email: As = None,
    as_json: AsJson = False,
) -> None:
    """Say that nobody needs it."""
    _do(transfer_id, operations.leave_transfer, as_email, as_json, reason=reason)


@app.command()
@speaks
def accept(
    transfer_id: TransferId,
    note: Annotated[str, typer.Option(help="Anything to note.")] = "",
    as_email: As = None,
    as_json: AsJson = False,
) -> None:
    """Say, as the successor, that you have it. The console is nobody's successor."""
    _do(transfer_id, receipts.accept, as_email, as_json, note=note)


@app.command()
@speaks
def missing(
    transfer_id: TransferId,
    note: Annotated[str, typer.Option(help="What is missing.")],
    as_email: As = None,
    as_json: AsJson = False,
) -> None:
    """Say, as the successor, what is missing."""
    _do(transfer_id, receipts.report_missing, as_email, as_json, note=note)


@app.command("take-back")
@speaks
def take_back(transfer_id: TransferId, as_email: As = None, as_json: AsJson = False) -> None:
    """Have the system take it back at once; a worker does it."""
    _do(transfer_id, operations.take_back_now, as_email, as_json)


@app.command()
@speaks
def end(transfer_id: TransferId, note: Note, as_email: As = None, as_json: AsJson = False) -> None:
    """Say that the successor has it no more."""
    _do(transfer_id, operations.attest_end, as_email, as_json, note=note)


@app.command()
@speaks
def mailbox(transfer_id: TransferId, note: Note, as_email: As = None, as_json: AsJson = False) -> None:
    """Say that a mailbox whose time is over is deleted, or why it stays."""
    _do(transfer_id, operations.settle_mailbox, as_email, as_json, note=note)


def _do(
    transfer_id: str, operation: Callable[..., Transfer], as_email: str | None, as_json: bool, **given: Any
) -> None:
    actor, now = acting(as_email), clock.now()
    found = get_transfer(actor, transfer_id, now=now)
    _say(actor, operation(transfer=found, actor=actor, now=now, **given), as_json)


def _say(actor: Actor, transfer: Transfer, as_json: bool) -> None:
    view = transfer_dict(transfer, is_inside=bool(sees_inside(actor, [transfer], to="access.view")))
    to = f", for {view['successor']}" if view["successor"] else ""
    said = f"{transfer} of {view['subject']}{to}: {view['state'].replace('_', ' ')}."
    answer(view, as_json=as_json, text=" ".join(filter(None, (said, view["reason"]))))
