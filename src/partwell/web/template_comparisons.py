"""Templates beside each other: any two with what they share, and two versions of one word by word."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from partwell.departures.states import SubjectKind
from partwell.journeys.models import TemplateVersion
from partwell.journeys.template.comparison import Counts, Likeness, Pair
from partwell.journeys.template.difference import Difference, StepChange
from partwell.journeys.template.guide import GUIDE_ROWS
from partwell.journeys.template.model import PHASES, Template, TemplateStep
from partwell.journeys.template_comparisons import (
    SideBySide,
    compare_templates,
    diff_versions,
    usual_pair,
    versions_to_choose,
)
from partwell.people.roles import ROLE_LABELS, Role
from partwell.refusals import NotFound
from partwell.web.session import actor_of
from partwell.web.template_wording import change_rows, due_words, label_of

LIKENESS = {
    Likeness.SAME_KEY: "In both",
    Likeness.COUNTERPARTS: "Counterparts",
    Likeness.ONLY_LEFT: "Only left",
    Likeness.ONLY_RIGHT: "Only right",
}


@require_GET
def compare(request: HttpRequest) -> HttpResponse:
    """Two templates side by side; client against staff where nobody chose."""
    actor = actor_of(request)
    versions = versions_to_choose(actor=actor)
    left, right = request.GET.get("left", ""), request.GET.get("right", "")
    if not (left and right):
        usual = usual_pair(actor=actor)
        if usual and left:
            right = usual[_is_client(left, versions)]
        elif usual:
            left, right = usual
    role = request.GET.get("role", "")
    if role and role not in set(Role):
        raise NotFound("role")
    found = compare_templates(left=left, right=right, actor=actor) if left and right else None
    context = {
        "choices": _choices(versions),
        "found": found,
        "left_named": left,
        "right_named": right,
        "crumbs": [{"title": "Templates", "url": reverse("web:templates")}, {"title": "Compare"}],
    }
    if found:
        context |= _side_by_side(found, role)
    return render(request, "templates/compare.html", context)


@require_GET
def difference(request: HttpRequest, template_id: str) -> HttpResponse:
    """What one version of a template changed of another, field by field and word by word."""
    actor = actor_of(request)
    found = diff_versions(
        template_id=template_id,
        actor=actor,
        old=version_asked(request, "from"),
        new=version_asked(request, "to"),
    )
    versions = TemplateVersion.objects.filter(template_id=template_id).values_list("version", flat=True)
    return render(
        request,
        "templates/difference.html",
        {
            "old": found.old,
            "new": found.new,
            "versions": sorted(versions, reverse=True),
            "count": found.found.count,
            **_difference(found.found, found.old_template, found.new_template),
            "crumbs": [
                {"title": "Templates", "url": reverse("web:templates")},
                {"title": found.new.title, "url": reverse("web:template", args=[template_id])},
                {"title": "Difference"},
            ],
        },
    )


def version_asked(request: HttpRequest, name: str) -> int | None:
    """The version that an address names, None where it names none; raises `NotFound` for no number."""
    asked = request.GET.get(name, "")
    if not asked:
        return None
    if not (asked.isascii() and asked.isdigit() and len(asked) < 10):
        raise NotFound("template version")
    return int(asked)


def _is_client(named: str, versions: list[TemplateVersion]) -> bool:
    template_id = named.partition("@")[0]
    return any(v.template_id == template_id and v.audience == SubjectKind.CLIENT for v in versions)


def _choices(versions: list[TemplateVersion]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Every version to choose from, by audience; the value names it as addresses do."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for each in versions:
        group = "For a client" if each.audience == SubjectKind.CLIENT else "For a colleague"
        groups.setdefault(group, []).append((_named(each), f"{each.title}, version {each.version}"))
    return list(groups.items())


def _named(version: TemplateVersion) -> str:
    return f"{version.template_id}@{version.version}"


def _side_by_side(found: SideBySide, role: str) -> dict[str, Any]:
    comparison = found.found
    pairs = comparison.of_role(Role(role)) if role else list(comparison.pairs)
    places = (found.left.template.numbers, found.right.template.numbers)
    roles = [(each.value, ROLE_LABELS[each], Counts.of(comparison.of_role(each))) for each in Role]
    return {
        "left": found.left.version,
        "right": found.right.version,
        "left_named": _named(found.left.version),
        "right_named": _named(found.right.version),
        "role": role,
        "role_words": ROLE_LABELS[Role(role)] if role else "",
        "counts": Counts.of(comparison.pairs),
        "roles": [each for each in roles if each[2].total],
        "phases": [
            {
                "number": phase,
                "title": title,
                "counts": Counts.of(each for each in pairs if each.phase == phase),
                "rows": [_row(each, places) for each in pairs if each.phase == phase],
                "left_empty": found.left.template.empty_phases.get(phase, ""),
                "right_empty": found.right.template.empty_phases.get(phase, ""),
            }
            for phase, title in PHASES.items()
        ],
        "practice": [
            (words, [(row, GUIDE_ROWS[row]) for row in rows])
            for words, rows in (
                ("Both serve", comparison.practice.both),
                (f"Only “{found.left.version.title}” serves", comparison.practice.only_left),
                (f"Only “{found.right.version.title}” serves", comparison.practice.only_right),
            )
        ],
    }


def _row(pair: Pair, places: tuple[dict[str, str], dict[str, str]]) -> dict[str, Any]:
    is_same = pair.likeness == Likeness.SAME_KEY
    return {
        "likeness": pair.likeness.value,
        "words": LIKENESS[pair.likeness],
        "left": _cell(pair.left, places[0]),
        "right": _cell(pair.right, places[1]),
        "differs": ", ".join(label_of(change.field).lower() for change in pair.changes),
        "changes": change_rows(pair.changes) if is_same else [],
    }


def _cell(step: TemplateStep | None, numbers: dict[str, str]) -> dict[str, Any] | None:
    if step is None:
        return None
    return {
        "key": step.key,
        "number": numbers[step.key],
        "title": step.title,
        "role": ROLE_LABELS[step.role],
        "is_leaver": step.role == Role.DEPARTING,
        "due": due_words(step.due),
    }


def _difference(found: Difference, old: Template, new: Template) -> dict[str, Any]:
    was, now = old.numbers, new.numbers
    return {
        "fields": change_rows(found.fields),
        "added": [_cell(step, now) for step in found.added],
        "removed": [_cell(step, was) for step in found.removed],
        "changed": [_changed(each, now) for each in found.changed],
        "moved": [
            {"title": each.step.title, "old": was[each.step.key], "new": now[each.step.key]}
            for each in found.moved
        ],
        "is_mixed_anew": found.is_mixed_anew,
    }


def _changed(each: StepChange, numbers: dict[str, str]) -> dict[str, Any]:
    return {"number": numbers[each.new.key], "title": each.new.title, "changes": change_rows(each.fields)}
