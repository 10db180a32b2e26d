"""Ghost accounts: list them, look for them, decide about one, upload a list of accounts."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from django.http import HttpRequest, HttpResponse
from ninja import Path, Query, Router

from partwell import clock
from partwell.access.ghosts.cutting import call_off_cut, propose_cut, restore_ghost
from partwell.access.ghosts.files import read_account_file, upload_accounts
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
from partwell.access.ghosts.sweeping import start_sweep
from partwell.access.queries import get_system
from partwell.api.answers import listing, page_of, problem, reply
from partwell.api.authentication import actor_of
from partwell.api.bodies import csv_of
from partwell.api.idempotency import idempotent
from partwell.api.registers import CSV_BODY
from partwell.api.shapes import Body, Cursor, Limit, Line, Listing, Reason
from partwell.api.shapes.ghosts import AccountFileShape, CoverageShape, GhostShape, GhostViewShape, SweepShape
from partwell.people.authorisation import check_office
from partwell.people.queries import find_person, find_user

router = Router(tags=["ghosts"])
GhostId = Annotated[int, Path(ge=1, le=2**62)]


class CutOf(Body):
    """What whoever reviews the cut reads, beside what was found."""

    reason: Reason = ""


class DismissalOf(Body):
    """How you know that it is no ghost."""

    reason: Reason


class PersonOf(Body):
    """The address or employee number of whose it is."""

    person: Line


class ServiceOf(Body):
    """Who answers for a service account, by address or employee number; what it is for; when it is looked at
    again."""

    owner: Line
    reason: Reason
    review: date


class ProposalOf(Body):
    """Why nobody needs it; whoever approves it reads this."""

    reason: Reason


class OwnerOf(Body):
    """The address of who takes care of it; empty gives it back to IT/Security."""

    owner: Line


@router.get("", response=Listing[GhostShape])
def list_ghosts(
    request: HttpRequest,
    kind: Annotated[str, Query(max_length=20)] = "",
    system: Annotated[str, Query(max_length=60)] = "",
    state: Annotated[str, Query(max_length=20, description="open, kept, dismissed, gone or live.")] = "open",
    cursor: Cursor = None,
    limit: Limit = 50,
) -> HttpResponse:
    """Ghost accounts that the token's user may see, the worst first."""
    found = list(visible_ghosts(actor_of(request), kind=kind, system=system, state=state))
    page, after = page_of(found, key=lambda ghost: str(ghost.pk), cursor=cursor, limit=limit)
    return listing([ghost_dict(ghost) for ghost in page], after)


@router.get("/coverage", response=Listing[CoverageShape])
def list_coverage(request: HttpRequest) -> HttpResponse:
    """How far each system was read; what was not read to its end shows no more than it did."""
    return listing([each.as_dict() for each in coverage(actor_of(request))], None)


@router.post("/sweep", response={202: SweepShape})
@idempotent
def sweep(request: HttpRequest) -> HttpResponse:
    """Have all accounts of all systems looked through; one that is under way is returned."""
    actor = actor_of(request)
    return reply(sweep_view(start_sweep(actor=actor, now=clock.now()), actor), 202)


@router.post("/upload/{name}", response=AccountFileShape, openapi_extra=CSV_BODY)
@idempotent
def upload(
    request: HttpRequest, name: str, dry_run: bool = False, file: Annotated[str, Query(max_length=200)] = ""
) -> HttpResponse:
    """Sweep a list of all accounts of a system that Partwell cannot ask; `file` is how it is named."""
    actor, data = actor_of(request), csv_of(request)
    check_office(actor, "ghosts.upload")
    system = get_system(name)
    found = read_account_file(data)
    if bad := found.bad_lines:
        return problem(
            422,
            "bad_lines",
            f"{len(bad)} problems were found, so nothing was taken. Correct the file.",
            field=bad[0].field,
            bad_lines=[line.as_dict() for line in bad],
        )
    if not dry_run:
        upload_accounts(system=system, data=data, source=file or "API", actor=actor, now=clock.now())
    return reply(found.as_dict())


@router.get("/{ghost_id}", response=GhostViewShape)
def show(request: HttpRequest, ghost_id: GhostId) -> HttpResponse:
    """One ghost account, whatever became of it."""
    return _seen(request, ghost_id)


@router.post("/{ghost_id}/whose", response=GhostViewShape)
@idempotent
def whose(request: HttpRequest, ghost_id: GhostId, body: PersonOf) -> HttpResponse:
    """Say that an account of nobody is somebody's who is here."""
    actor = actor_of(request)
    ghost = get_ghost(actor, ghost_id)
    say_whose(ghost=ghost, person=find_person(body.person), actor=actor, now=clock.now())
    return _seen(request, ghost_id)


@router.post("/{ghost_id}/keep", response=GhostViewShape)
@idempotent
def keep(request: HttpRequest, ghost_id: GhostId, body: ServiceOf) -> HttpResponse:
    """Say that an account of nobody is a service account, and who answers for it until when."""
    actor = actor_of(request)
    ghost = get_ghost(actor, ghost_id)
    keep_service_account(
        ghost=ghost,
        owner=find_person(body.owner, field="owner"),
        reason=body.reason,
        review_date=body.review,
        actor=actor,
        now=clock.now(),
    )
    return _seen(request, ghost_id)


@router.post("/{ghost_id}/propose-cut", response={202: GhostViewShape})
@idempotent
def propose(request: HttpRequest, ghost_id: GhostId, body: ProposalOf) -> HttpResponse:
    """Propose that an account of nobody is cut; its system is asked, and a person on the web approves it."""
    actor = actor_of(request)
    ghost = get_ghost(actor, ghost_id)
    propose_cut(ghost=ghost, reason=body.reason, actor=actor, now=clock.now())
    return _seen(request, ghost_id, 202)


@router.post("/{ghost_id}/call-off", response=GhostViewShape)
@idempotent
def call_off(request: HttpRequest, ghost_id: GhostId) -> HttpResponse:
    """Take back, before anybody has approved it, that an account of nobody is cut."""
    actor = actor_of(request)
    call_off_cut(ghost=get_ghost(actor, ghost_id), actor=actor, now=clock.now())
    return _seen(request, ghost_id)


@router.post("/{ghost_id}/restore", response={202: GhostViewShape})
@idempotent
def restore(request: HttpRequest, ghost_id: GhostId) -> HttpResponse:
    """Put an account of nobody back from its snapshot; each effect is read back."""
    actor = actor_of(request)
    restore_ghost(ghost=get_ghost(actor, ghost_id), actor=actor, now=clock.now())
    return _seen(request, ghost_id, 202)


@router.post("/{ghost_id}/cut", response=GhostShape)
@idempotent
def cut(request: HttpRequest, ghost_id: GhostId, body: CutOf) -> HttpResponse:
    """Have it cut now, as the kill switch does; another person reviews it."""
    actor = actor_of(request)
    return _done(
        cut_ghost(ghost=get_ghost(actor, ghost_id), reason=body.reason, actor=actor, now=clock.now())
    )


@router.post("/{ghost_id}/dismiss", response=GhostShape)
@idempotent
def dismiss(request: HttpRequest, ghost_id: GhostId, body: DismissalOf) -> HttpResponse:
    """Say, with the reason, that it is no ghost."""
    actor = actor_of(request)
    ghost = get_ghost(actor, ghost_id)
    return _done(dismiss_ghost(ghost=ghost, reason=body.reason, actor=actor, now=clock.now()))


@router.post("/{ghost_id}/assign", response=GhostShape)
@idempotent
def assign(request: HttpRequest, ghost_id: GhostId, body: OwnerOf) -> HttpResponse:
    """Give it to somebody who may see it."""
    actor = actor_of(request)
    ghost = get_ghost(actor, ghost_id)
    owner = find_user(body.owner, field="owner") if body.owner else None
    return _done(assign_ghost(ghost=ghost, owner=owner, actor=actor, now=clock.now()))


def _seen(request: HttpRequest, ghost_id: int, status: int = 200) -> HttpResponse:
    return reply(ghost_view(get_ghost(actor_of(request), ghost_id)), status)


def _done(ghost: Any) -> HttpResponse:
    return reply(ghost_dict(ghost))
