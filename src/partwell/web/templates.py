"""Journey templates, to read: the list, and one version with its phases, steps and what waits for what."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from partwell import clock
from partwell.documents.markdown import render_markdown
from partwell.journeys.draft_queries import has_draft
from partwell.journeys.earlier_versions import count_behind
from partwell.journeys.models import TemplateVersion
from partwell.journeys.template.model import PHASES, Template, TemplateStep
from partwell.journeys.template_comparisons import diff_versions, show_dependencies
from partwell.journeys.template_queries import list_templates
from partwell.journeys.upkeep_queries import list_upkeep, upkeep_of
from partwell.people.actors import Actor
from partwell.people.roles import ROLE_LABELS, Role
from partwell.web import presenting
from partwell.web.navigation import may_follow
from partwell.web.session import actor_of
from partwell.web.template_comparisons import version_asked
from partwell.web.template_maps import map_of
from partwell.web.template_wording import change_lines, due_words
from partwell.web.upkeep import upkeep_row

MOST_LINES = 8


@require_GET
def templates(request: HttpRequest) -> HttpResponse:
    """The latest version of every template."""
    actor = actor_of(request)
    found = list_templates(actor=actor)
    now = clock.now()
    upkeep = {each.version.template_id: upkeep_row(each, now) for each in list_upkeep(actor=actor)}
    rows = [
        {"version": each.version, "summary": each.template.summary, "steps": len(each.template.steps)}
        | {"journeys": each.journeys, "audience": each.template.audience.value}
        | {"upkeep": upkeep.get(each.version.template_id)}
        for each in found
    ]
    return render(
        request,
        "templates/list.html",
        {"rows": rows, "may_write": may_follow(actor, "templates.view_drafts")},
    )


@require_GET
def template(request: HttpRequest, template_id: str) -> HttpResponse:
    """One version: phases as lanes, every step with who, when, what it needs and what proves it."""
    actor = actor_of(request)
    found, dependencies = show_dependencies(
        template_id=template_id, actor=actor, version=version_asked(request, "version")
    )
    versions = list(
        TemplateVersion.objects.filter(template_id=template_id).order_by("-version").defer("source")
    )
    return render(
        request,
        "templates/template.html",
        {
            "version": found.version,
            "template": found.template,
            "journeys": found.journeys,
            "versions": versions,
            "phases": _phases(found.template),
            "map": map_of(found.template, dependencies, address_of="#step-{}".format),
            "changes": _changes(found.version, actor),
            "behind": count_behind(version=found.version, actor=actor),
            "may_write": (may_write := may_follow(actor, "templates.view_drafts")),
            "has_draft": may_write and has_draft(template_id),
            "upkeep": upkeep_row(upkeep_of(versions[0], actor=actor), clock.now()),
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


def _phases(found: Template) -> list[dict[str, Any]]:
    numbers = found.numbers
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
        "due": due_words(step.due),
        "needs": [numbers[key] for key in step.needs],
        "when": step.when,
        "evidence": presenting.words(step.evidence),
        "kind": presenting.words(step.kind),
        "required": step.required,
        "guidance": render_markdown(step.guidance),
    }


def _changes(version: TemplateVersion, actor: Actor) -> dict[str, Any] | None:
    """What a version changed of the one before it; None for the first."""
    if version.version == 1:
        return None
    found = diff_versions(template_id=version.template_id, actor=actor, new=version.version)
    lines = change_lines(found.found, found.old_template, found.new_template)
    return {"before": found.old.version, "lines": lines[:MOST_LINES], "more": len(lines[MOST_LINES:])}
