"""Connected systems: list, connect, change, test."""

from __future__ import annotations

from typing import Annotated, Any

from django.http import HttpRequest, HttpResponse
from ninja import Body as JsonBody
from ninja import Router

from partwell import clock
from partwell.access.operations import add_system, change_system, draft_change, test_system
from partwell.access.queries import get_system, systems_list
from partwell.access.states import MOST_ACCOUNTS, MOST_PERCENT
from partwell.api.answers import listing, page_of, reply
from partwell.api.authentication import actor_of
from partwell.api.idempotency import idempotent, idempotent_outside
from partwell.api.shapes import Body, Cursor, Limit, Listing
from partwell.api.shapes.access import SystemChangeShape, SystemShape, SystemTest
from partwell.people.authorisation import check_office

router = Router(tags=["systems"])


class NewSystem(Body):
    """A system to connect; secrets in `settings` only by reference: `env:NAME` or `file:PATH`."""

    name: Annotated[str, JsonBody(max_length=60)]
    connector: Annotated[str, JsonBody(max_length=60)]
    settings: dict[str, Any] = {}
    title: Annotated[str, JsonBody(max_length=120)] = ""
    sla: str = ""
    without: list[str] = []
    time_limit: float = 20
    most_accounts: int = MOST_ACCOUNTS
    most_percent: int = MOST_PERCENT


class SystemChanges(Body):
    """What is given is changed, and of `settings` what is named; a setting given as null is taken out.

    With `revision`, refused where the system is another one by now; with `check`, nothing is changed.
    """

    title: Annotated[str, JsonBody(max_length=120)] = ""
    sla: str = ""
    without: list[str] = []
    time_limit: float = 20
    most_accounts: int = MOST_ACCOUNTS
    most_percent: int = MOST_PERCENT
    settings: dict[str, Any] = {}
    revision: str = ""
    check: bool = False


@router.get("", response=Listing[SystemShape])
def list_systems(request: HttpRequest, cursor: Cursor = None, limit: Limit = 50) -> HttpResponse:
    """Connected systems, without their settings."""
    check_office(actor_of(request), "systems.view")
    page, after = page_of(systems_list(), key=lambda row: row["name"], cursor=cursor, limit=limit)
    return listing(page, after)


@router.post("", response={201: SystemShape})
@idempotent
def add(request: HttpRequest, body: NewSystem) -> HttpResponse:
    """Connect a system. Nothing is asked of it yet."""
    system = add_system(description=body.dict(), actor=actor_of(request), now=clock.now())
    return reply(next(row for row in systems_list() if row["name"] == system.name), 201)


@router.patch("/{name}", response=SystemChangeShape)
@idempotent
def change(request: HttpRequest, name: str, body: SystemChanges) -> HttpResponse:
    """Change a system. Nothing is asked of it; where what is asked changes, its approved plans need a new
    approval. Name and connector stay."""
    changes = body.dict(exclude_unset=True)
    wanted = {
        "system": get_system(name),
        "revision": changes.pop("revision", ""),
        "actor": actor_of(request),
    }
    if changes.pop("check", False):
        return reply({**draft_change(**wanted, changes=changes).as_dict(), "is_kept": False})
    kept = change_system(**wanted, changes=changes, now=clock.now())
    return reply({**kept.as_dict(), "is_kept": bool(kept.changed)})


@router.post("/{name}/test", response=SystemTest)
@idempotent_outside
def test(request: HttpRequest, name: str) -> HttpResponse:
    """Ask the system whether our credentials suffice; changes nothing there."""
    actor = actor_of(request)
    check_office(actor, "systems.test")
    report = test_system(system=get_system(name), actor=actor, now=clock.now())
    return reply({"ok": report.ok, "summary": report.summary, "problems": list(report.problems)})
