"""Journey templates, to read: the list, and one version with its phases and steps."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from partwell.documents.markdown import render_markdown
from partwell.journeys.draft_queries import has_draft
from partwell.journeys.models import TemplateVersion
from partwell.journeys.template.model import PHASES, Template, TemplateStep
from partwell.journeys.template_queries import list_templates, show_template
from partwell.people.authorisation import check_office
from partwell.people.roles import ROLE_LABELS, Role
from partwell.refusals import NotAllowed, NotFound
from partwell.web import presenting
from partwell.web.session import actor_of


@require_GET
def templates(request: HttpRequest) -> HttpResponse:
    """The latest version of every template."""
    found = list_templates(actor=actor_of(request))
    rows = [
        {"version": each.version, "summary": each.template.summary, "steps": len(each.template.steps)}
        | {"journeys": each.journeys, "audience": each.template.audience.value}
        for each in found
    ]
    return render(request, "templates/list.html", {"rows": rows, "may_write": _may_write(request)})


@require_GET
def template(request: HttpRequest, template_id: str) -> HttpResponse:
    """One version: phases as lanes, every step with who, when, what it needs and what proves it."""
    wanted = request.GET.get("version", "")
    if wanted and not (wanted.isascii() and wanted.isdigit() and len(wanted) < 10):
        raise NotFound("template version")
    found = show_template(
        template_id=template_id, actor=actor_of(request), version=int(wanted) if wanted else None
    )
    versions = TemplateVersion.objects.filter(template_id=template_id).order_by("-version")
    return render(
        request,
        "templates/template.html",
        {
            "version": found.version,
            "template": found.template,
            "journeys": found.journeys,
            "versions": list(versions.only("version", "published_at", "published_by", "template_id")),
            "phases": _phases(found.template),
            "may_write": (may_write := _may_write(request)),
            "has_draft": may_write and has_draft(template_id),
            "count": len(found.template.steps),
            "reasons": [presenting.words(reason) for reason in found.template.reasons],
            "empty_roles": [
                (ROLE_LABELS[Role(role)], why) for role, why in found.template.empty_roles.items()
            ],
            "crumbs": [
                {"title": "Templates", "url": reverse("web:templates")},
                {"title": found.version.title},
            ],
        },
    )


def _may_write(request: HttpRequest) -> bool:
    """Whether they see and begin drafts."""
    try:
        check_office(actor_of(request), "templates.view_drafts")
    except NotAllowed:
        return False
    return True


def _phases(found: Template) -> list[dict[str, Any]]:
    numbers = {}
    for phase in PHASES:
        for place, step in enumerate((s for s in found.steps if s.phase == phase), start=1):
            numbers[step.key] = f"{phase}.{place}"
    return [
        {
            "number": phase,
            "title": title,
            "why_empty": found.empty_phases.get(phase, ""),
            "steps": [_row(step, numbers) for step in found.steps if step.phase == phase],
        }
        for phase, title in PHASES.items()
    ]


def _row(step: TemplateStep, numbers: dict[str, str]) -> dict[str, Any]:
    return {
        "number": numbers[step.key],
        "key": step.key,
        "title": step.title,
        "role": ROLE_LABELS[step.role],
        "is_leaver": step.role == Role.DEPARTING,
        "due": step.due.replace("_", " "),
        "needs": [numbers[key] for key in step.needs],
        "when": step.when,
        "evidence": presenting.words(step.evidence),
        "kind": presenting.words(step.kind),
        "required": step.required,
        "guidance": render_markdown(step.guidance),
    }
