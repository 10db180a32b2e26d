"""Moving journeys to another version of their template: the difference first, then a confirmation of exactly
that."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from partwell import clock
from partwell.journeys import queries
from partwell.journeys.earlier_versions import Behind, list_behind
from partwell.journeys.models import TemplateVersion
from partwell.journeys.operations import changing_version
from partwell.journeys.states import PENDING, StepState
from partwell.journeys.template.model import PHASES
from partwell.journeys.version_change import Fate, Standing, StepChange
from partwell.journeys.version_drafts import VersionChange, draft_version_change
from partwell.paging import encode_cursor
from partwell.people.roles import ROLE_LABELS, Role
from partwell.refusals import Conflict, FreshSignInNeeded, NotFound, Refusal
from partwell.web import presenting
from partwell.web.journey_sentences import counted
from partwell.web.journeys import check_may
from partwell.web.session import actor_of
from partwell.web.template_comparisons import version_asked
from partwell.web.template_wording import change_rows

COUNTED = {
    Fate.ADDED: "added",
    Fate.CHANGED: "changed",
    Fate.FALLS_AWAY: "no longer asked",
    Fate.SET_ASIDE: "set aside",
}


@require_http_methods(["GET", "POST"])
def version(request: HttpRequest, departure_id: UUID) -> HttpResponse:
    """What moving one journey would change, step by step; confirmed, it is moved."""
    departure = check_may(request, "journeys.change_version", departure_id)
    actor, now, to = actor_of(request), clock.now(), version_asked(request, "to")
    refusal: Refusal | None = None
    if request.method == "POST":
        try:
            moved = changing_version.change_version(
                departure=departure, seen=request.POST.get("seen", ""), actor=actor, now=now, version=to
            )
        except (FreshSignInNeeded, NotFound):
            raise
        except Refusal as problem:
            refusal, departure = problem, queries.get_departure(actor, departure_id)
        else:
            said = f"Moved to version {moved.new.version}. {_summary(moved)}."
            messages.success(request, said)
            return HttpResponseRedirect(reverse("web:journey", args=[departure.pk]))
    draft = None
    try:
        draft = draft_version_change(departure=departure, actor=actor, now=now, version=to)
    except Conflict as problem:
        refusal = refusal or problem
    template = departure.journey.template
    versions = TemplateVersion.objects.filter(template_id=template.template_id).exclude(pk=template.pk)
    context = {
        "departure": departure,
        "journey": departure.journey,
        "draft": draft,
        "groups": _groups(draft) if draft else [],
        "summary": _summary(draft) if draft else "",
        "refusal": refusal,
        "versions": list(versions.values_list("version", flat=True).order_by("-version")),
        "to": draft.new.version if draft else to,
        "crumbs": [
            {"title": "Journeys", "url": reverse("web:departures")},
            {"title": departure.subject_name, "url": reverse("web:journey", args=[departure.pk])},
            {"title": "Version of the template"},
        ],
    }
    status = refusal.status if refusal and request.method == "POST" else 200
    return render(request, "journeys/version.html", context, status=status)


@require_http_methods(["GET", "POST"])
def journeys_behind(request: HttpRequest, template_id: str) -> HttpResponse:
    """The journeys on earlier versions, each with what would change; those that are chosen are moved."""
    actor, now, to = actor_of(request), clock.now(), version_asked(request, "to")
    outcomes = []
    if request.method == "POST":
        outcomes = changing_version.change_versions(
            template_id=template_id, seen=_chosen(request), actor=actor, now=now, version=to
        )
    target, rows, after = list_behind(
        template_id=template_id,
        actor=actor,
        now=now,
        version=to,
        after=queries.read_cursor(request.GET.get("after")),
    )
    context = {
        "target": target,
        "rows": [_row(row) for row in rows],
        "may_choose": any(row.change for row in rows),
        "next": encode_cursor(after),
        "outcomes": [_outcome(each) for each in outcomes],
        "moved": sum(1 for each in outcomes if each.change),
        "was_asked": request.method == "POST",
        "crumbs": [
            {"title": "Templates", "url": reverse("web:templates")},
            {"title": target.title, "url": reverse("web:template", args=[template_id])},
            {"title": "Journeys on earlier versions"},
        ],
    }
    return render(request, "templates/journeys.html", context)


def _chosen(request: HttpRequest) -> dict[UUID, str]:
    """The journeys that were ticked, with the digests of what was shown. Raises `NotFound` for what is none
    of ours."""
    chosen = {}
    for value in request.POST.getlist("journey"):
        journey_id, _, digest = value.partition("=")
        try:
            chosen[UUID(journey_id)] = digest
        except ValueError as error:
            raise NotFound("journey") from error
    return chosen


def _row(row: Behind) -> dict[str, Any]:
    return {
        "departure": row.departure,
        "version": row.departure.journey.template.version,
        "value": f"{row.departure.pk}={row.change.digest}" if row.change else "",
        "summary": _summary(row.change) if row.change else "",
        "stays": len(row.change.merged.of(Fate.STAYS)) if row.change else 0,
        "refusal": row.refusal,
    }


def _outcome(outcome: changing_version.Outcome) -> dict[str, Any]:
    said = outcome.refusal.message if outcome.refusal else ""
    return {
        "id": outcome.departure_id,
        "subject": outcome.subject,
        "is_refused": outcome.refusal is not None,
        "said": f"{_summary(outcome.change)}." if outcome.change else said,
    }


def _summary(change: VersionChange) -> str:
    """“2 steps added, 1 changed”."""
    counts = [(len(change.merged.of(fate)), word) for fate, word in COUNTED.items()]
    said = [f"{count} {word}" for count, word in counts if count]
    if not said:
        return "Only the order of steps changes" if change.merged.is_reordered else "No step changes"
    return f"{counted(change.count, 'step')}: {', '.join(said)}"


def _groups(draft: VersionChange) -> list[dict[str, Any]]:
    """The difference in four parts, each of which says what its steps have in common."""
    number = draft.new.version
    parts = (
        ("added", "Added", f"Version {number} asks for these, and the journey has them not.", (Fate.ADDED,)),
        (
            "gone",
            "No longer asked",
            "What nobody has begun falls away. What something hangs on is set aside and stays on record.",
            (Fate.FALLS_AWAY, Fate.SET_ASIDE),
        ),
        ("changed", "Changed", "Nobody has done these yet.", (Fate.CHANGED,)),
        (
            "stays",
            f"Stays, although version {number} has it otherwise",
            "Nothing changes in these steps.",
            (Fate.STAYS,),
        ),
    )
    return [
        {"id": code, "title": title, "about": about, "rows": [_step(each) for each in found]}
        for code, title, about, fates in parts
        if (found := draft.merged.of(*fates))
    ]


def _step(each: StepChange) -> dict[str, Any]:
    step, before, after = each.step, each.before, each.after
    is_settled = each.fate is Fate.STAYS
    return {
        "title": step.title,
        "phase": f"{step.phase} {PHASES[step.phase]}",
        "role": ROLE_LABELS[Role(step.role)],
        "is_leaver": step.role == Role.DEPARTING,
        "changes": [] if is_settled else change_rows(each.fields),
        "fate": each.fate.value,
        "why": each.why,
        "owner": (after or before or Standing.of(step)).owner or "nobody yet",
        "due": step.due_at,
        "meant_for": each.meant_for,
        "is_needed": step.state in PENDING,
        "moves": _moves(before, after) if each.fate is Fate.CHANGED else [],
        "old_due": before.due_at if before and after and before.due_at != after.due_at else None,
    }


def _moves(before: Standing | None, after: Standing | None) -> list[tuple[str, str, str]]:
    """What becomes of owner and state, in words."""
    if before is None or after is None:
        return []
    pairs = (
        ("Owner", before.owner or "nobody yet", after.owner or "nobody yet"),
        ("State", _state(before), _state(after)),
    )
    return [(label, old, new) for label, old, new in pairs if old != new]


def _state(standing: Standing) -> str:
    return {StepState.OPEN: "To do", StepState.BLOCKED: "Blocked"}.get(
        StepState(standing.state), presenting.words(standing.state)
    )
