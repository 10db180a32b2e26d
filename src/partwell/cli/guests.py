"""`partwell guests …`"""

from __future__ import annotations

from typing import Annotated

import typer

from partwell import clock
from partwell.cli.acting import As, acting
from partwell.cli.journeys import JourneyId, find
from partwell.cli.output import AsJson, answer, listing, speaks, table
from partwell.departures.guests import link_dict, links_of
from partwell.departures.models import Departure, GuestLink
from partwell.departures.states import GuestCapacity
from partwell.journeys.addresses import guest_page
from partwell.journeys.guests import invite_guest, revoke_guest
from partwell.people.actors import Actor
from partwell.refusals import NotFound

app = typer.Typer(help="People without an account, who come in by a link.", no_args_is_help=True)


@app.command()
@speaks
def invite(
    journey_id: JourneyId,
    email: Annotated[str, typer.Option(help="Where the link is sent.")],
    name: Annotated[str, typer.Option(help="What they are called.")] = "",
    helper: Annotated[bool, typer.Option("--helper", help="Somebody who does single steps.")] = False,
    steps: Annotated[str, typer.Option(help="Keys of the helper's steps, separated by commas.")] = "",
    as_email: As = None,
    as_json: AsJson = False,
) -> None:
    """Invite the one who leaves, the client's contact, or a helper; prints the link this once."""
    actor, now = acting(as_email), clock.now()
    invitation = invite_guest(
        departure=find(journey_id, actor),
        email=email,
        name=name,
        capacity=GuestCapacity.HELPER if helper else GuestCapacity.DEPARTING,
        step_keys=[key.strip() for key in steps.split(",") if key.strip()],
        actor=actor,
        now=now,
    )
    address = guest_page(invitation.token)
    answer(
        {**link_dict(invitation.link, now=now), "url": address},
        as_json=as_json,
        text=f"{address}\nIt opens once. It is mailed to {invitation.link.email}, and shown here this once.",
    )


@app.command("list")
@speaks
def list_(journey_id: JourneyId, as_email: As = None, as_json: AsJson = False) -> None:
    """List the links of a journey, latest first, without what opens them."""
    actor = acting(as_email)
    items = [link_dict(link, now=clock.now()) for link in links_of(find(journey_id, actor), actor=actor)]
    answer(
        listing(items),
        as_json=as_json,
        text=lambda: table(
            [(i["id"], i["email"], i["capacity"], i["state"], i["ends_at"][:16]) for i in items],
            ("ID", "Address", "As", "State", "Ends"),
        ),
    )


@app.command()
@speaks
def revoke(
    journey_id: JourneyId,
    link: Annotated[str, typer.Argument(metavar="LINK", help="A link's id, as in `guests list`.")],
    as_email: As = None,
    as_json: AsJson = False,
) -> None:
    """Take a link back; the session opened from it ends too."""
    actor, now = acting(as_email), clock.now()
    found = revoke_guest(link=_link(find(journey_id, actor), link, actor), actor=actor, now=now)
    answer(
        link_dict(found, now=now), as_json=as_json, text=f"The link for {found.email} opens nothing any more."
    )


def _link(departure: Departure, text: str, actor: Actor) -> GuestLink:
    wanted = text.strip().lower()
    found = [link for link in links_of(departure, actor=actor) if str(link.pk).startswith(wanted)]
    if len(found) != 1 or len(text.strip()) < 4:
        raise NotFound("link")
    return found[0]
