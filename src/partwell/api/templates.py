"""Journey templates: list, read, check a text, publish it."""

from __future__ import annotations

from typing import Annotated

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router

from partwell import clock
from partwell.api.answers import listing, page_of, reply
from partwell.api.authentication import actor_of
from partwell.api.idempotency import idempotent
from partwell.api.shapes import Body, Cursor, Limit, Listing
from partwell.api.shapes.office import PublishedTemplate, TemplateDetail, TemplateProblem, TemplateRow
from partwell.journeys.template.check import check
from partwell.journeys.template_operations import publish_template
from partwell.journeys.template_queries import list_templates, show_template
from partwell.people.authorisation import check_office

router = Router(tags=["templates"])


class TemplateText(Body):
    """A template's text."""

    source: str


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
    version: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
) -> HttpResponse:
    """A template with all its steps; the latest version unless another is named."""
    found = show_template(template_id=template_id, actor=actor_of(request), version=version)
    body = found.template.model_dump(mode="json", exclude={"steps"})
    steps = [step.model_dump(mode="json") for step in found.template.steps]
    return reply({**body, **found.as_dict(), "steps": steps})
