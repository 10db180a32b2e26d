"""`partwell notices …`: notices that wait for HR."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import typer

from partwell import clock
from partwell.cli.acting import As, acting
from partwell.cli.journeys import find
from partwell.cli.output import AsJson, answer, listing, speaks, table
from partwell.departures.notices import get_notice, notice_dict, visible_notices
from partwell.journeys.operations.starting import settle_notice
from partwell.people.authorisation import check_office

app = typer.Typer(help="Notices that wait for HR.", no_args_is_help=True)


@app.command("list")
@speaks
def list_(as_email: As = None, as_json: AsJson = False) -> None:
    """List the notices that nobody has settled yet, oldest first."""
    actor = acting(as_email)
    check_office(actor, "notices.settle")
    items = [notice_dict(notice) for notice in visible_notices(actor).select_related("person", "client")]
    answer(
        listing(items),
        as_json=as_json,
        text=lambda: table(
            [(i["id"], i["subject"], i["template"], i["last_working_day"], i["given_by"]) for i in items],
            ("ID", "Who", "Template", "Last day", "Given by"),
        ),
    )


@app.command()
@speaks
def settle(
    notice_id: Annotated[UUID, typer.Argument(metavar="NOTICE", help="As `partwell notices list` shows it.")],
    journey: Annotated[
        str, typer.Option(metavar="ID", help="The journey that answers it; without one it is declined.")
    ] = "",
    as_email: As = None,
    as_json: AsJson = False,
) -> None:
    """Settle a notice: a journey answers it, or nothing follows from it."""
    actor = acting(as_email)
    check_office(actor, "notices.settle")
    notice = settle_notice(
        notice=get_notice(actor, notice_id),
        journey=find(journey, actor).journey if journey else None,
        actor=actor,
        now=clock.now(),
    )
    answer(notice_dict(notice), as_json=as_json, text=f"The notice about {notice.subject_name} is settled.")
