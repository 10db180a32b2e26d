"""Journey templates: list, read, compare, check a text, publish it."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router

from partwell import clock
from partwell.api.answers import listing, page_of, reply
from partwell.api.authentication import actor_of
from partwell.api.idempotency import idempotent
from partwell.api.shapes import Body, Cursor, Limit, Listing
from partwell.api.shapes.journeys import BehindShape, VersionOutcome
from partwell.api.shapes.office import PublishedTemplate, TemplateDetail, TemplateProblem, TemplateRow
from partwell.api.shapes.process import OwnerBody, ReviewBody, UpkeepShape
from partwell.api.shapes.templates import TemplateComparison, TemplateDependencies, TemplateDifference
from partwell.journeys.earlier_versions import list_behind
from partwell.journeys.operations import changing_version
from partwell.journeys.queries import read_cursor
from partwell.journeys.template.check import check
from partwell.journeys.template_comparisons import compare_templates, diff_versions, show_dependencies
from partwell.journeys.template_operations import publish_template
from partwell.journeys.template_queries import list_templates, show_template
from partwell.journeys.upkeep_operations import confirm_template_review, set_template_owner
from partwell.journeys.upkeep_queries import show_upkeep
from partwell.paging import encode_cursor
from partwell.people.authorisation import check_office
from partwell.people.queries import find_user

router = Router(tags=["templates"])

Version = Annotated[int | None, Query(ge=1, le=2**31 - 1)]


class TemplateText(Body):
    """A template's text."""

    source: str


class SeenJourney(Body):
    """A journey, and the digest of the difference that was looked at."""

    id: UUID
    seen: Annotated[str, Query(max_length=64)]


class ChangeVersions(Body):
    """The version, or the latest; and which journeys, at most 50 at once."""

    version: Annotated[int, Query(ge=1, le=2**31 - 1)] | None = None
    journeys: Annotated[list[SeenJourney], Query(min_length=1, max_length=50)]


@router.get("", response=Listing[TemplateRow])
def list_all(request: HttpRequest, cursor: Cursor = None, limit: Limit = 50) -> HttpResponse:
    """The latest version of every template."""
    rows = [found.as_dict() for found in list_templates(actor=actor_of(request))]
    page, after = page_of(rows, key=lambda row: row["id"], cursor=cursor, limit=limit)
    return listing(page, after)


@router.post("", response={201: PublishedTemplate})
@idempotent
def publish(request: HttpRequest, body: TemplateText) -> HttpResponse:
    """Publish a text as the next version of its template; journeys that run keep theirs."""
    version = publish_template(text=body.source, actor=actor_of(request), now=clock.now())
    return reply({"id": version.template_id, "version": version.version, "digest": version.digest}, 201)


@router.post("/check", response=Listing[TemplateProblem])
def check_text(request: HttpRequest, body: TemplateText) -> HttpResponse:
    """The problems of a template in YAML; none when it can be published. Nothing is stored."""
    check_office(actor_of(request), "templates.view")
    problems = check(body.source, file="template")
    return listing({"line": p.line, "field": p.field, "message": p.message} for p in problems)


@router.get("/{template_id}", response=TemplateDetail)
def show(
    request: HttpRequest,
    template_id: str,
    version: Version = None,
) -> HttpResponse:
    """A template with all its steps; the latest version unless another is named."""
    found = show_template(template_id=template_id, actor=actor_of(request), version=version)
    body = found.template.model_dump(mode="json", exclude={"steps"})
    steps = [step.model_dump(mode="json") for step in found.template.steps]
    return reply({**body, **found.as_dict(), "steps": steps})


@router.get("/{template_id}/upkeep", response=UpkeepShape)
def upkeep(request: HttpRequest, template_id: str) -> HttpResponse:
    """Who answers for a template, and when somebody last read it."""
    return _upkeep(request, template_id)


@router.post("/{template_id}/owner", response=UpkeepShape)
@idempotent
def set_owner(request: HttpRequest, template_id: str, body: OwnerBody) -> HttpResponse:
    """Say who answers for a template, all its versions."""
    to = find_user(body.owner, field="owner") if body.owner else None
    set_template_owner(template_id=template_id, to=to, actor=actor_of(request), now=clock.now())
    return _upkeep(request, template_id)


@router.post("/{template_id}/review", response=UpkeepShape)
@idempotent
def review(request: HttpRequest, template_id: str, body: ReviewBody) -> HttpResponse:
    """Say that you have read this version and that it still holds."""
    confirm_template_review(
        template_id=template_id,
        version=body.version,
        note=body.note,
        actor=actor_of(request),
        now=clock.now(),
    )
    return _upkeep(request, template_id)


def _upkeep(request: HttpRequest, template_id: str) -> HttpResponse:
    found = show_upkeep(template_id=template_id, actor=actor_of(request))
    return reply(found.as_dict(clock.now()))


@router.get("/{template_id}/difference", response=TemplateDifference)
def difference(
    request: HttpRequest,
    template_id: str,
    old: Annotated[int | None, Query(ge=1, le=2**31 - 1, alias="from")] = None,
    new: Annotated[int | None, Query(ge=1, le=2**31 - 1, alias="to")] = None,
) -> HttpResponse:
    """What one version changed of another: the latest, and the one before it, unless others are named."""
    found = diff_versions(template_id=template_id, actor=actor_of(request), old=old, new=new)
    return reply(found.as_dict())


@router.get("/{template_id}/comparison", response=TemplateComparison)
def comparison(
    request: HttpRequest,
    template_id: str,
    other: Annotated[str, Query(alias="with", max_length=80)],
    version: Version = None,
) -> HttpResponse:
    """A template beside another, named by its id, or by id and version as in `staff-resignation@2`."""
    left = template_id if version is None else f"{template_id}@{version}"
    return reply(compare_templates(left=left, right=other, actor=actor_of(request)).as_dict())


@router.get("/{template_id}/journeys", response=Listing[BehindShape])
def journeys_behind(
    request: HttpRequest,
    template_id: str,
    version: Version = None,
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=50, description="How many, at most.")] = 25,
) -> HttpResponse:
    """Running journeys that the caller may move and that follow a version before this one, or before the
    latest: nearest last day first, each with what moving it would change, counted."""
    _, rows, after = list_behind(
        template_id=template_id,
        actor=actor_of(request),
        now=clock.now(),
        version=version,
        after=read_cursor(cursor),
        limit=limit,
    )
    return listing([row.as_dict() for row in rows], encode_cursor(after))


@router.post("/{template_id}/journeys", response=Listing[VersionOutcome])
@idempotent
def change_versions(request: HttpRequest, template_id: str, body: ChangeVersions) -> HttpResponse:
    """Move several journeys to a version of their template, each by itself: one that is refused holds up no
    other, and the answer says so."""
    outcomes = changing_version.change_versions(
        template_id=template_id,
        seen={each.id: each.seen for each in body.journeys},
        actor=actor_of(request),
        now=clock.now(),
        version=body.version,
    )
    return listing([each.as_dict() for each in outcomes])


@router.get("/{template_id}/dependencies", response=TemplateDependencies)
def dependencies(request: HttpRequest, template_id: str, version: Version = None) -> HttpResponse:
    """What waits for what, the longest chain, and the steps that hold up most."""
    found, links = show_dependencies(template_id=template_id, actor=actor_of(request), version=version)
    return reply({"id": found.version.template_id, "version": found.version.version, **links.as_dict()})
