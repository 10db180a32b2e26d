"""The editor of templates: drafts, their own fields, their order, publishing and discarding."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from partwell import clock
from partwell.departures.states import SubjectKind
from partwell.journeys import draft_operations as operations
from partwell.journeys.draft_queries import DraftView, changes_since, list_drafts, show_draft
from partwell.journeys.template.drafting import DraftTemplate, MoveStep, SetFields
from partwell.journeys.template.model import PHASES, TemplateStep
from partwell.journeys.template.text import as_yaml
from partwell.journeys.template_queries import list_templates
from partwell.people.authorisation import check_office
from partwell.people.roles import ROLE_LABELS, Role
from partwell.refusals import Conflict, FreshSignInNeeded, Invalid, Refusal
from partwell.web import presenting
from partwell.web.draft_forms import AboutForm, BeginForm
from partwell.web.draft_words import change_rows, problem_rows
from partwell.web.session import actor_of
from partwell.web.template_maps import map_of
from partwell.web.template_wording import due_words
from partwell.web.translate import is_htmx, put_refusal

_SHOWN_CHANGES = 12


@require_http_methods(["GET", "POST"])
def drafts(request: HttpRequest) -> HttpResponse:
    """All drafts, and how a new one begins."""
    actor = actor_of(request)
    found = list_drafts(actor=actor)
    known = [(each.version.template_id, each.version.title) for each in list_templates(actor=actor)]
    chosen = request.GET.get("template", "")
    form = BeginForm(known, initial={"template": chosen, "how": request.GET.get("how", "next")})
    status = 200
    if request.method == "POST":
        form = BeginForm(known, request.POST, request.FILES)
        if form.is_valid():
            try:
                row = operations.begin_draft(**_beginning(form.cleaned_data), actor=actor, now=clock.now())
                return HttpResponseRedirect(reverse("web:draft", args=[row.template_id]))
            except FreshSignInNeeded:
                raise
            except (Invalid, Conflict) as refusal:
                if refusal.code == "template_broken":
                    refusal.field = "file"
                put_refusal(form, refusal)
        status = 422
    rows = [
        {"view": each, "who": presenting.name_of(each.row.edited_by), "count": len(each.problems)}
        for each in found
    ]
    crumbs = [{"title": "Templates", "url": reverse("web:templates")}, {"title": "Drafts"}]
    return render(request, "drafts/list.html", {"rows": rows, "form": form, "crumbs": crumbs}, status=status)


def _beginning(data: dict[str, Any]) -> dict[str, Any]:
    match data["how"]:
        case "file":
            return {"origin": _uploaded(data), "template_id": data["id"]}
        case "nothing":
            origin = operations.Origin(title=data["title"], audience=SubjectKind(data["audience"]))
            return {"origin": origin, "template_id": data["id"]}
        case "copy" if not data["id"]:
            raise Invalid(
                "id_missing", "Give the copy an id of its own, as in “staff-sabbatical”.", field="id"
            )
    template_id = data["id"] if data["how"] == "copy" else ""
    return {"origin": operations.Origin(template=data["template"]), "template_id": template_id}


def _uploaded(data: dict[str, Any]) -> operations.Origin:
    if data["file"] is None:
        raise Invalid("file_missing", "Choose the YAML file to begin with.", field="file")
    try:
        return operations.Origin(source=data["file"].read().decode("utf-8"), file=data["file"].name)
    except UnicodeDecodeError as error:
        raise Invalid(
            "file_unreadable", "This file is not UTF-8 text. Choose a YAML file.", field="file"
        ) from error


@require_GET
def draft(request: HttpRequest, template_id: str) -> HttpResponse:
    """A draft: phases as lanes, its steps in order, its problems, and who changed what."""
    return _page(request, show_draft(template_id=template_id, actor=actor_of(request)))


@require_GET
def waits(request: HttpRequest, template_id: str) -> HttpResponse:
    """What waits for what in a draft; a step's box leads to its form."""
    view = show_draft(template_id=template_id, actor=actor_of(request))

    def address_of(key: str) -> str:
        return reverse("web:draft_step", args=[template_id, key])

    found = map_of(view.content, view.dependencies, address_of=address_of)
    context = {"view": view, "map": found, "crumbs": crumbs(view, "What waits for what")}
    return render(request, "drafts/waits.html", context)


@require_POST
def move(request: HttpRequest, template_id: str) -> HttpResponse:
    """Move a step up or down (`up`, `down`), or drop it at a place (`drop`: key, phase and place)."""
    actor = actor_of(request)
    view = show_draft(template_id=template_id, actor=actor)
    change = _wanted_move(request, view.content)
    moved = operations.change_draft(
        template_id=template_id,
        seen=number_in(request, "revision"),
        change=change,
        actor=actor,
        now=clock.now(),
    )
    number = moved.content.numbers[change.key]
    words = f"{moved.content.step(change.key).title or change.key} is {number} now"
    if is_htmx(request):
        return _page(request, moved, template="drafts/_live.html", announce=words)
    return HttpResponseRedirect(f"{reverse('web:draft', args=[template_id])}#step-{change.key}")


def _wanted_move(request: HttpRequest, content: DraftTemplate) -> MoveStep:
    if dropped := request.POST.get("drop"):
        key, phase, place = (*dropped.split(":"), "", "")[:3]
        if not (phase.isascii() and phase.isdigit() and place.isascii() and place.isdigit()):
            raise Invalid("place_broken", "This is no place. Drop the step on another one.", field="drop")
        return MoveStep(
            key=key, phase=min(max(int(phase[:2]), 1), 10), place=min(max(int(place[:3]), 1), 400)
        )
    is_up = "up" in request.POST
    key = request.POST.get("up") or request.POST.get("down", "")
    number = content.numbers.get(key, "1.1")
    phase_now, place_now = map(int, number.split("."))
    count = sum(step.phase == phase_now for step in content.steps)
    if is_up and place_now == 1 and phase_now > 1:
        return MoveStep(key=key, phase=phase_now - 1)
    if not is_up and place_now == count and phase_now < len(PHASES):
        return MoveStep(key=key, phase=phase_now + 1, place=1)
    return MoveStep(key=key, phase=phase_now, place=max(place_now + (-1 if is_up else 1), 1))


@require_http_methods(["GET", "POST"])
def about(request: HttpRequest, template_id: str) -> HttpResponse:
    """The template's own fields."""
    actor = actor_of(request)
    view = show_draft(template_id=template_id, actor=actor)
    values = view.content.model_dump(mode="json")
    form = AboutForm(view.content, initial=AboutForm.initial_of(values, view.row.revision))
    context: dict[str, Any] = {"view": view, "crumbs": crumbs(view, "About it")}
    status = 200
    if request.method == "POST":
        form = AboutForm(view.content, request.POST)
        status = 422
        if form.is_valid():
            seen, typed = form.cleaned_data["revision"], form.values()
            try:
                operations.change_draft(
                    template_id=template_id,
                    seen=seen,
                    change=SetFields(**typed),
                    actor=actor,
                    now=clock.now(),
                )
                messages.success(request, "Kept.")
                return HttpResponseRedirect(reverse("web:draft", args=[template_id]))
            except FreshSignInNeeded:
                raise
            except (Invalid, Conflict) as refusal:
                if refusal.code == operations.CHANGED_MEANWHILE:
                    merged = merge_with_theirs(view, actor, seen, values, typed, prefix="")
                    form = AboutForm(view.content, initial=AboutForm.initial_of(merged, view.row.revision))
                    context["theirs"] = change_rows(_since(view, actor, seen), view.content)
                    status = 409
                else:
                    put_refusal(form, refusal)
    return render(request, "drafts/about.html", {**context, "form": form}, status=status)


def merge_with_theirs(
    view: DraftView, actor: Any, seen: int, now: dict[str, Any], typed: dict[str, Any], *, prefix: str
) -> dict[str, Any]:
    """What was typed, and where nothing was, what the draft says now; the log says what was there before."""
    was = dict(now)
    for change in _since(view, actor, seen):
        for each in change.differences:
            name = each["path"].removeprefix(prefix)
            if each["path"].startswith(prefix) and name in was:
                was[name] = each["before"]
    return {**now, **{name: value for name, value in typed.items() if value != was.get(name)}}


def _since(view: DraftView, actor: Any, seen: int) -> list[Any]:
    return changes_since(template_id=view.row.template_id, actor=actor, revision=seen)


@require_http_methods(["GET", "POST"])
def publish(request: HttpRequest, template_id: str) -> HttpResponse:
    """What publishing would do, then it is done."""
    actor = actor_of(request)
    view = show_draft(template_id=template_id, actor=actor)
    check_office(actor, "templates.publish_draft")
    refusal: Refusal | None = None
    if request.method == "POST":
        try:
            version = operations.publish_draft(
                template_id=template_id,
                seen=number_in(request, "revision"),
                over=number_in(request, "over"),
                actor=actor,
                now=clock.now(),
            )
            messages.success(
                request, f"Version {version.version} is published. Journeys that run keep theirs."
            )
            return HttpResponseRedirect(reverse("web:template", args=[template_id]))
        except FreshSignInNeeded:
            raise
        except (Invalid, Conflict) as refused:
            refusal = refused
    context = {
        "view": view,
        "next": view.latest.version + 1 if view.latest else 1,
        "problems": problem_rows(view.content, view.problems),
        "refusal": refusal,
        "crumbs": crumbs(view, "Publish"),
    }
    return render(request, "drafts/publish.html", context, status=refusal.status if refusal else 200)


@require_http_methods(["GET", "POST"])
def discard(request: HttpRequest, template_id: str) -> HttpResponse:
    """Asks once more, then throws the draft away."""
    actor = actor_of(request)
    view = show_draft(template_id=template_id, actor=actor)
    if request.method == "POST":
        operations.discard_draft(
            template_id=template_id, seen=number_in(request, "revision"), actor=actor, now=clock.now()
        )
        messages.success(request, f"The draft of {template_id} is discarded.")
        return HttpResponseRedirect(reverse("web:drafts"))
    changed = len(changes_since(template_id=template_id, actor=actor))
    context = {"view": view, "changed": changed, "crumbs": crumbs(view, "Discard")}
    return render(request, "drafts/discard.html", context)


@require_GET
def export(request: HttpRequest, template_id: str) -> HttpResponse:
    """The draft as a YAML file."""
    view = show_draft(template_id=template_id, actor=actor_of(request))
    answer = HttpResponse(as_yaml(view.content), content_type="application/yaml; charset=utf-8")
    answer.headers["Content-Disposition"] = f'attachment; filename="{view.row.template_id}.yaml"'
    return answer


def crumbs(view: DraftView, title: str) -> list[dict[str, str]]:
    """The way back to the list of drafts and to the draft."""
    return [
        {"title": "Drafts", "url": reverse("web:drafts")},
        {
            "title": view.content.title or view.row.template_id,
            "url": reverse("web:draft", args=[view.row.template_id]),
        },
        {"title": title},
    ]


def _page(
    request: HttpRequest, view: DraftView, *, template: str = "drafts/draft.html", announce: str = ""
) -> HttpResponse:
    content = view.content
    problems = problem_rows(content, view.problems)
    broken = {row["key"] for row in problems if row["key"]}
    numbers = content.numbers
    context = {
        "view": view,
        "phases": [_phase(content, phase, numbers, broken) for phase in PHASES],
        "problems": problems,
        "announce": announce,
        "changes": change_rows(
            changes_since(template_id=content.id, actor=actor_of(request), most=_SHOWN_CHANGES), content
        ),
        "edited_by": presenting.name_of(view.row.edited_by),
        "crumbs": [
            {"title": "Templates", "url": reverse("web:templates")},
            {"title": "Drafts", "url": reverse("web:drafts")},
            {"title": content.title or content.id},
        ],
    }
    return render(request, template, context)


def _phase(content: DraftTemplate, phase: int, numbers: dict[str, str], broken: set[str]) -> dict[str, Any]:
    return {
        "number": phase,
        "title": PHASES[phase],
        "why_empty": content.empty_phases.get(phase, ""),
        "steps": [_row(step, numbers, broken) for step in content.steps if step.phase == phase],
    }


def _row(step: TemplateStep, numbers: dict[str, str], broken: set[str]) -> dict[str, Any]:
    return {
        "number": numbers[step.key],
        "place": numbers[step.key].split(".")[1],
        "key": step.key,
        "title": step.title or step.key,
        "role": ROLE_LABELS[step.role],
        "is_leaver": step.role is Role.DEPARTING,
        "due": due_words(step.due),
        "needs": [numbers.get(key, key) for key in step.needs],
        "when": step.when,
        "evidence": presenting.words(step.evidence),
        "kind": "" if step.kind == "task" else presenting.words(step.kind),
        "required": step.required,
        "is_broken": step.key in broken,
        "is_first": numbers[step.key] == "1.1",
    }


def number_in(request: HttpRequest, name: str) -> int:
    """A number that a form holds; 0, which no draft and no version has, for anything else."""
    typed = request.POST.get(name, "")
    return int(typed) if typed.isascii() and typed.isdigit() and len(typed) < 10 else 0
