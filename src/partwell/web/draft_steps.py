"""One step of a draft: add, change, check while it is typed, take out; and trying the draft on somebody."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from partwell import clock
from partwell.departures.states import SubjectKind
from partwell.journeys import draft_operations as operations
from partwell.journeys.draft_queries import DraftView, changes_since, show_draft
from partwell.journeys.draft_trial import LeftOut, try_draft
from partwell.journeys.intake import Intake
from partwell.journeys.queries import phases_of
from partwell.journeys.template.drafting import AddStep, ChangeStep, RemoveStep, apply, problems_of
from partwell.journeys.template.model import TemplateStep
from partwell.people.actors import Actor
from partwell.people.authorisation import check_office
from partwell.people.queries import find_client, find_person
from partwell.refusals import Conflict, FreshSignInNeeded, Invalid, NotFound, Refusal
from partwell.web import presenting
from partwell.web.draft_forms import NEW_STEP, StepForm, TrialForm
from partwell.web.draft_words import change_rows, field_name, problem_rows
from partwell.web.drafts import crumbs, merge_with_theirs, number_in
from partwell.web.session import actor_of
from partwell.web.translate import put_refusal


@require_http_methods(["GET", "POST"])
def add(request: HttpRequest, template_id: str) -> HttpResponse:
    """A new step."""
    actor = actor_of(request)
    view = show_draft(template_id=template_id, actor=actor)
    asked = request.GET.get("phase", "")
    values = {**NEW_STEP, "phase": int(asked) if asked in map(str, range(1, 11)) else 1}
    if request.method == "GET":
        return _form(request, view, _unbound(view, "", values), key="")
    return _keep(request, view, actor, key="", now=values)


@require_http_methods(["GET", "POST"])
def step(request: HttpRequest, template_id: str, key: str) -> HttpResponse:
    """One step, to change."""
    actor = actor_of(request)
    view = show_draft(template_id=template_id, actor=actor)
    found = _step_of(view, key)
    if found is None and request.method == "GET":
        raise NotFound(f"step “{key}” in this draft")
    if found is None:
        # Somebody took it out meanwhile: what was typed becomes a new step, if they want one.
        return _keep(request, view, actor, key="", now=NEW_STEP, is_gone=True)
    values = found.model_dump(mode="json")
    if request.method == "GET":
        return _form(request, view, _unbound(view, key, values), key=key)
    return _keep(request, view, actor, key=key, now=values)


def _step_of(view: DraftView, key: str) -> TemplateStep | None:
    return next((each for each in view.content.steps if each.key == key), None)


def _unbound(view: DraftView, key: str, values: dict[str, Any]) -> StepForm:
    return StepForm(view.content, key, values, initial=StepForm.initial_of(values, view.row.revision))


def _keep(
    request: HttpRequest,
    view: DraftView,
    actor: Actor,
    *,
    key: str,
    now: dict[str, Any],
    is_gone: bool = False,
) -> HttpResponse:
    form = StepForm(view.content, key, now, request.POST)
    if not form.is_valid():
        return _form(request, view, form, key=key, status=422)
    seen, typed = form.cleaned_data["revision"], form.values()
    change = ChangeStep(key=key, fields=typed) if key else AddStep(step=typed)
    try:
        operations.change_draft(
            template_id=view.row.template_id, seen=seen, change=change, actor=actor, now=clock.now()
        )
    except FreshSignInNeeded:
        raise
    except (Invalid, Conflict) as refusal:
        if refusal.code != operations.CHANGED_MEANWHILE:
            form.put(refusal)
            return _form(request, view, form, key=key, status=refusal.status)
        merged = typed
        if key:
            merged = merge_with_theirs(view, actor, seen, now, typed, prefix=f"steps.{key}.")
        theirs = changes_since(template_id=view.row.template_id, actor=actor, revision=seen)
        return _form(
            request,
            view,
            _unbound(view, key, {**now, **merged}),
            key=key,
            status=409,
            theirs=change_rows(theirs, view.content),
            is_gone=is_gone,
        )
    messages.success(request, "Kept.")
    anchor = f"#step-{key}" if key else ""
    return HttpResponseRedirect(reverse("web:draft", args=[view.row.template_id]) + anchor)


def _form(
    request: HttpRequest, view: DraftView, form: StepForm, *, key: str, status: int = 200, **more: Any
) -> HttpResponse:
    found = _step_of(view, key)
    context = {
        "view": view,
        "form": form,
        "step": found,
        "when": found.when if found else "",
        "number": view.content.numbers.get(key, ""),
        "problems": [row for row in problem_rows(view.content, view.problems) if key and row["key"] == key],
        "crumbs": crumbs(view, found.title or key if found else "New step"),
        **more,
    }
    return render(request, "drafts/step.html", context, status=status)


@require_POST
def check(request: HttpRequest, template_id: str) -> HttpResponse:
    """While somebody types: the condition that is made, and what would be wrong. Nothing is kept."""
    view = show_draft(template_id=template_id, actor=actor_of(request))
    key = request.POST.get("step", "")
    found = _step_of(view, key)
    form = StepForm(view.content, key, found.model_dump(mode="json") if found else NEW_STEP, request.POST)
    context: dict[str, Any] = {}
    if not form.is_valid():
        context["mistakes"] = [
            (form.fields[name].label if name in form.fields else "The step", error)
            for name, errors in form.errors.items()
            for error in errors
        ]
        return render(request, "drafts/_checked.html", context)
    typed = form.values()
    try:
        after = apply(view.content, ChangeStep(key=key, fields=typed) if found else AddStep(step=typed))
    except Refusal as refusal:
        return render(request, "drafts/_checked.html", {"mistakes": [("", refusal.message)]})
    made = key if found else next(s.key for s in after.steps if s.key not in view.content.numbers)
    known = set(view.problems)
    problems = [
        each for each in problems_of(after) if each not in known or each[0].startswith(f"steps.{made}.")
    ]
    context = {
        "problems": problem_rows(after, problems),
        "when": typed["when"],
        "number": after.numbers[made],
    }
    return render(request, "drafts/_checked.html", context)


@require_http_methods(["GET", "POST"])
def remove(request: HttpRequest, template_id: str, key: str) -> HttpResponse:
    """Names the steps that need this one, then takes it out, together with their need."""
    actor = actor_of(request)
    view = show_draft(template_id=template_id, actor=actor)
    found = _step_of(view, key)
    if found is None:
        raise NotFound(f"step “{key}” in this draft")
    numbers = view.content.numbers
    others = [(numbers[each.key], each) for each in view.content.needed_by(frozenset({key}))]
    refusal: Refusal | None = None
    if request.method == "POST":
        try:
            operations.change_draft(
                template_id=template_id,
                seen=number_in(request, "revision"),
                change=RemoveStep(key=key, let_go="let_go" in request.POST),
                actor=actor,
                now=clock.now(),
            )
            messages.success(request, f"“{found.title or key}” is taken out.")
            return HttpResponseRedirect(reverse("web:draft", args=[template_id]))
        except FreshSignInNeeded:
            raise
        except Conflict as refused:
            refusal = refused
    context = {
        "view": view,
        "step": found,
        "number": numbers[key],
        "others": others,
        "refusal": refusal,
        "crumbs": crumbs(view, "Take out"),
    }
    return render(request, "drafts/remove.html", context, status=refusal.status if refusal else 200)


@require_http_methods(["GET", "POST"])
def trial(request: HttpRequest, template_id: str) -> HttpResponse:
    """The plan that the draft would make for somebody: dates, owners, what is left out and why."""
    actor, now = actor_of(request), clock.now()
    view = show_draft(template_id=template_id, actor=actor)
    check_office(actor, "templates.try_draft")
    context: dict[str, Any] = {"view": view, "form": TrialForm(), "crumbs": crumbs(view, "Try it")}
    status = 200
    if request.method == "POST":
        context["form"] = form = TrialForm(request.POST)
        status = 422
        if form.is_valid():
            try:
                tried = try_draft(
                    template_id=template_id, intake=_intake(view, form.cleaned_data), actor=actor, now=now
                )
                status = 200
            except FreshSignInNeeded:
                raise
            except Refusal as refusal:
                if refusal.field in ("person", "client"):
                    refusal.field = "subject"
                put_refusal(form, refusal)
                status = refusal.status
            else:
                phases = phases_of(tried.steps, now=now)
                context |= {
                    "departure": tried.plan.departure,
                    "groups": presenting.groups_of(tried.steps, phases, viewer_id=None, role="", now=now),
                    "count": len(tried.steps),
                    "plan": tried.plan,
                    "vacancies": presenting.vacancy_rows(tried.plan, actor),
                    "left_out": [_left_out(each) for each in tried.left_out],
                }
    return render(request, "drafts/try.html", context, status=status)


def _intake(view: DraftView, data: dict[str, Any]) -> Intake:
    is_client = view.content.audience is SubjectKind.CLIENT
    return Intake(
        client=find_client(data["subject"]) if is_client else None,
        person=None if is_client else find_person(data["subject"]),
        notice_date=data["notice_date"],
        last_working_date=data["last_day"],
    )


def _left_out(each: LeftOut) -> dict[str, Any]:
    return {
        "title": each.step.title,
        "when": each.step.condition,
        "facts": [f"{field_name(name)} is {_shown(value)}" for name, value in each.facts.items()],
    }


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "so" if value else "not so"
    return str(value) or "not known"
