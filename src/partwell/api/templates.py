"""Journey templates: list, read, check a text."""

from __future__ import annotations

from typing import Annotated, Any

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router

from partwell.api.answers import listing, page_of, reply
from partwell.api.authentication import actor_of
from partwell.api.shapes import Body, Cursor, Limit, Listing, TemplateDetail, TemplateProblem, TemplateRow
from partwell.journeys.template.check import check
from partwell.journeys.template_queries import TemplateSummary, list_templates, show_template
from partwell.people.authorisation import check_office

router = Router(tags=["templates"])


class TemplateText(Body):
    """A template's text."""

    source: str


@router.get("", response=Listing[TemplateRow])
def list_all(request: HttpRequest, cursor: Cursor = None, limit: Limit = 50) -> HttpResponse:
    """The latest version of every template."""
    rows = [_summary(found) for found in list_templates(actor=actor_of(request))]
    page, after = page_of(rows, key=lambda row: row["id"], cursor=cursor, limit=limit)
    return listing(page, after)


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
    return reply({**body, **_summary(found), "steps": steps})


def _summary(found: TemplateSummary) -> dict[str, Any]:
    return {
        "id": found.version.template_id,
        "version": found.version.version,
        "digest": found.version.digest,
        "title": found.version.title,
        "audience": found.version.audience,
        "steps": len(found.template.steps),
        "journeys": found.journeys,
        "published_at": found.version.published_at.isoformat(),
    }
