"""Practice: one's own departure, walked through without any of it happening."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from partwell import clock
from partwell.documents.markdown import render_markdown
from partwell.first_run import practice as operations
from partwell.first_run.practice import PracticePlan, latest_to_practise, view_practice
from partwell.journeys.models import Step
from partwell.journeys.queries import PhaseCount, phases_of
from partwell.journeys.states import StepState
from partwell.journeys.step_kinds import rule_of
from partwell.refusals import Refusal
from partwell.web import presenting
from partwell.web.fields import DATE
from partwell.web.navigation import may_follow
from partwell.web.session import actor_of
from partwell.web.set_up import crumbs
from partwell.web.starting import USUAL
from partwell.web.translate import put_refusal

USUAL_DAYS = 28

MARKS = {
    StepState.DONE: ("attested", "Done in practice"),
    StepState.SKIPPED: ("cannot", "Left out in practice"),
}


class BeginForm(forms.Form):
    """What is practised, and until when."""

    template = forms.ChoiceField(label="What happens", choices=())
    last_day = forms.DateField(label="Last working day", widget=DATE)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        versions = latest_to_practise()
        self.fields["template"].choices = [(v.template_id, v.title) for v in versions]  # type: ignore[attr-defined]
        self.fields["template"].initial = USUAL


class MoveForm(forms.Form):
    """Another last day."""

    last_day = forms.DateField(label="Last working day", widget=DATE)


@require_http_methods(["GET", "POST"])
def practice(request: HttpRequest) -> HttpResponse:
    """The practice as it stands; without one, the form that begins it."""
    actor, now = actor_of(request), clock.now()
    running = view_practice(actor=actor)
    if running is not None:
        return _walk(request, running)
    usual = {"last_day": timezone.localdate(now) + timedelta(days=USUAL_DAYS)}
    form = BeginForm(request.POST or None, initial=usual)
    status = 422 if form.errors else 200
    if request.method == "POST" and form.is_valid():
        try:
            operations.begin(
                template_id=form.cleaned_data["template"],
                last_working_date=form.cleaned_data["last_day"],
                actor=actor,
                now=now,
            )
        except Refusal as refusal:
            put_refusal(form, refusal)
            status = refusal.status
        else:
            return HttpResponseRedirect(reverse("web:practice"))
    context = {"form": form, "crumbs": _crumbs(request)}
    return render(request, "set_up/practice_begin.html", context, status=status)


@require_POST
def settle(request: HttpRequest, key: str) -> HttpResponse:
    """Do a step, or leave it out."""
    operations.settle_step(key=key, way=request.POST.get("way", ""), actor=actor_of(request), now=clock.now())
    return _back_to(key)


@require_POST
def reopen(request: HttpRequest, key: str) -> HttpResponse:
    """Open a step again."""
    operations.reopen_step(key=key, actor=actor_of(request), now=clock.now())
    return _back_to(key)


@require_POST
def move(request: HttpRequest) -> HttpResponse:
    """Another last day, and what follows from it."""
    actor = actor_of(request)
    running = view_practice(actor=actor)
    form = MoveForm(request.POST)
    if running is None:
        return HttpResponseRedirect(reverse("web:practice"))
    if not form.is_valid():
        return _walk(request, running, form=form, status=422)
    try:
        moved = operations.move(last_working_date=form.cleaned_data["last_day"], actor=actor, now=clock.now())
    except Refusal as refusal:
        put_refusal(form, refusal)
        return _walk(request, running, form=form, status=refusal.status)
    before = {step.key: step.due_at for step in running.steps}
    count = sum(before[step.key] != step.due_at for step in moved.steps)
    messages.success(request, f"{count} step{'' if count == 1 else 's'} got another date.")
    return HttpResponseRedirect(reverse("web:practice"))


@require_POST
def end(request: HttpRequest) -> HttpResponse:
    """Throw it away."""
    actor = actor_of(request)
    operations.end(actor=actor, now=clock.now())
    messages.success(request, "The practice is over, and what you did in it is forgotten.")
    return HttpResponseRedirect(reverse("web:set_up" if may_follow(actor, "setup.view") else "web:home"))


def _walk(
    request: HttpRequest, running: PracticePlan, *, form: MoveForm | None = None, status: int = 200
) -> HttpResponse:
    now = clock.now()
    phases = phases_of(running.steps, now=now)
    context = {
        "form": form or MoveForm(initial={"last_day": running.departure.last_working_date}),
        "departure": running.departure,
        "template": running.practice.template,
        "groups": _groups(running.steps, phases),
        "phases": presenting.phase_stops(phases),
        "done": sum(phase.done for phase in phases),
        "count": sum(phase.total for phase in phases),
        "crumbs": _crumbs(request),
    }
    return render(request, "set_up/practice.html", context, status=status)


def _groups(steps: list[Step], phases: list[PhaseCount]) -> list[dict[str, Any]]:
    titles = {step.key: step.title for step in steps}
    here = presenting.current_phase(phases)
    return [
        {
            "phase": phase,
            "is_open": phase is here,
            "rows": [_row(step, titles) for step in steps if step.phase == phase.number],
        }
        for phase in phases
    ]


def _row(step: Step, titles: dict[str, str]) -> dict[str, Any]:
    """As in a journey; but nothing was proven here, and nobody else did it."""
    row = presenting.step_row(step, titles=titles, viewer_id=step.owner_id)
    state = StepState(step.state)
    if state in MARKS:
        row["state"], row["says"] = MARKS[state]
        row["truth"] = ""
    return {
        **row,
        "guidance": render_markdown(step.guidance),
        "in_earnest": rule_of(step.kind).way,
        "can_do": state is StepState.OPEN,
        "can_skip": state in (StepState.OPEN, StepState.BLOCKED),
        "can_reopen": state in MARKS,
    }


def _back_to(key: str) -> HttpResponseRedirect:
    return HttpResponseRedirect(f"{reverse('web:practice')}#step-{key}")


def _crumbs(request: HttpRequest) -> list[dict[str, str]]:
    if may_follow(actor_of(request), "setup.view"):
        return crumbs("Practice")
    return [{"title": "Practice"}]
