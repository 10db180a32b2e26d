"""Drafts of journey templates: begin, read, change, try, publish, discard."""

from __future__ import annotations

from typing import Annotated

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router
from pydantic import Field

from partwell import clock
from partwell.api.answers import listing, page_of, reply
from partwell.api.authentication import actor_of
from partwell.api.idempotency import idempotent
from partwell.api.shapes import Body, Cursor, Day, Limit, Line, Listing
from partwell.api.shapes.office import (
    DiscardedDraft,
    DraftChangeShape,
    DraftDetail,
    DraftRow,
    PublishedTemplate,
    TrialShape,
)
from partwell.api.shapes.templates import DraftDependencies
from partwell.departures.states import SubjectKind
from partwell.journeys import draft_operations as operations
from partwell.journeys.draft_queries import changes_since, list_drafts, show_draft
from partwell.journeys.draft_trial import try_draft
from partwell.journeys.intake import Intake
from partwell.journeys.template.drafting import Change
from partwell.people.authorisation import check_office
from partwell.people.queries import find_client, find_person

router = Router(tags=["templates"])

Revision = Annotated[int, Query(ge=0, le=2**31 - 1)]


class NewDraft(Body):
    """Begin from `template` (its latest version, unless `version` names one), from `source`, a text in
    YAML, or
    from nothing. Without `id` it becomes the next version of what it begins from."""

    id: Line = ""
    template: Line = ""
    version: Annotated[int, Query(ge=1, le=2**31 - 1)] | None = None
    source: str | None = None
    title: Annotated[str, Query(max_length=140)] = ""
    audience: SubjectKind = SubjectKind.STAFF


class DraftChanges(Body):
    """One change, and the revision of the draft that the caller saw."""

    revision: Revision
    change: Change


class DraftPublication(Body):
    """The revision that the caller saw, and the version that they know to be replaced; 0 for none."""

    revision: Revision
    over: Revision


class DraftTrial(Body):
    """On whom to try it. Exactly one of `person` and `client`."""

    person: Line = ""
    client: Line = ""
    last_working_day: Day
    notice_date: Day | None = None


@router.get("", response=Listing[DraftRow])
def list_all(request: HttpRequest, cursor: Cursor = None, limit: Limit = 50) -> HttpResponse:
    """Every draft, by its template's id."""
    rows = [found.as_row() for found in list_drafts(actor=actor_of(request))]
    page, after = page_of(rows, key=lambda row: row["id"], cursor=cursor, limit=limit)
    return listing(page, after)


@router.post("", response={201: DraftDetail})
@idempotent
def begin(request: HttpRequest, body: NewDraft) -> HttpResponse:
    """Begin a draft."""
    origin = operations.Origin(
        template=body.template,
        version=body.version,
        source=body.source,
        title=body.title,
        audience=body.audience,
    )
    actor = actor_of(request)
    row = operations.begin_draft(origin=origin, template_id=body.id, actor=actor, now=clock.now())
    return reply(show_draft(template_id=row.template_id, actor=actor).as_dict(), 201)


@router.get("/{template_id}", response=DraftDetail)
def show(request: HttpRequest, template_id: str) -> HttpResponse:
    """A whole draft, as values and as YAML, with what keeps it from being published."""
    return reply(show_draft(template_id=template_id, actor=actor_of(request)).as_dict())


@router.get("/{template_id}/dependencies", response=DraftDependencies)
def dependencies(request: HttpRequest, template_id: str) -> HttpResponse:
    """What waits for what, the longest chain, and the steps that hold up most or wait for each other."""
    found = show_draft(template_id=template_id, actor=actor_of(request))
    head = {"id": found.row.template_id, "revision": found.row.revision}
    return reply({**head, **found.dependencies.as_dict()})


@router.patch("/{template_id}", response=DraftDetail)
@idempotent
def change(request: HttpRequest, template_id: str, body: DraftChanges) -> HttpResponse:
    """Make one change."""
    found = operations.change_draft(
        template_id=template_id,
        seen=body.revision,
        change=body.change,
        actor=actor_of(request),
        now=clock.now(),
    )
    return reply(found.as_dict())


@router.delete("/{template_id}", response=DiscardedDraft)
@idempotent
def discard(request: HttpRequest, template_id: str, revision: Revision) -> HttpResponse:
    """Throw a draft away; published versions stay."""
    operations.discard_draft(template_id=template_id, seen=revision, actor=actor_of(request), now=clock.now())
    return reply({"id": template_id, "revision": revision})


@router.post("/{template_id}/publish", response={201: PublishedTemplate})
@idempotent
def publish(request: HttpRequest, template_id: str, body: DraftPublication) -> HttpResponse:
    """Publish a draft as the next version; journeys that run keep theirs."""
    version = operations.publish_draft(
        template_id=template_id,
        seen=body.revision,
        over=body.over,
        actor=actor_of(request),
        now=clock.now(),
    )
    return reply({"id": version.template_id, "version": version.version, "digest": version.digest}, 201)


@router.post("/{template_id}/try", response=TrialShape)
def try_it(request: HttpRequest, template_id: str, body: DraftTrial) -> HttpResponse:
    """The plan that the draft would make for somebody, and what it leaves out and why. Nothing is stored."""
    actor = actor_of(request)
    check_office(actor, "templates.try_draft")
    intake = Intake(
        person=find_person(body.person) if body.person else None,
        client=find_client(body.client) if body.client else None,
        last_working_date=body.last_working_day,
        notice_date=body.notice_date,
    )
    return reply(try_draft(template_id=template_id, intake=intake, actor=actor, now=clock.now()).as_dict())


@router.get("/{template_id}/changes", response=Listing[DraftChangeShape])
def changes(
    request: HttpRequest,
    template_id: str,
    since: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0,
) -> HttpResponse:
    """Who changed what after the revision `since`, the latest change first."""
    found = changes_since(template_id=template_id, actor=actor_of(request), revision=since)
    return listing(each.as_dict() for each in found)
