"""How the process goes: late, left out, past a rule, how long phases take, who carries how much."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods

from partwell import clock
from partwell.insights.lateness import Lateness
from partwell.insights.listing import Standing, list_load, list_steps
from partwell.insights.loads import SOON_DAYS
from partwell.insights.questions import Question, usual_period
from partwell.insights.report import ABOUT, Report, departments, step_titles, view_process
from partwell.insights.tables import table_csv
from partwell.journeys.models import Step
from partwell.journeys.operations.reassigning import reassign_steps
from partwell.journeys.template.model import PHASES
from partwell.journeys.template_queries import latest_versions
from partwell.journeys.upkeep_queries import Upkeep
from partwell.paging import decode_place, encode_cursor
from partwell.people.actors import Actor
from partwell.people.authorisation import check_office
from partwell.people.models import User
from partwell.people.queries import stand_ins
from partwell.people.roles import ROLE_LABELS, Role
from partwell.refusals import Invalid, NotFound
from partwell.web import presenting
from partwell.web.navigation import may_follow
from partwell.web.process_drawing import draw_phases
from partwell.web.session import actor_of
from partwell.web.translate import put_refusal
from partwell.web.upkeep import upkeep_row

MOST_STEPS, MOST_SKIPS = 15, 10
# A number that every database can hold as a key.
MOST_DIGITS = 18
STANDINGS = {
    Standing.DUE: "All that were due",
    Standing.IN_TIME: "Settled in time",
    Standing.LATE: "Settled late",
    Standing.OPEN_LATE: "Late and still open",
    Standing.SKIPPED: "Left out",
}


def _day(label: str) -> forms.DateField:
    return forms.DateField(label=label, widget=forms.DateInput(attrs={"type": "date"}))


class QuestionForm(forms.Form):
    since = _day("First day")
    until = _day("Last day")
    template = forms.ChoiceField(label="Template", required=False)
    audience = forms.ChoiceField(
        label="Who leaves",
        required=False,
        choices=[("", "Colleagues and clients"), ("staff", "Colleagues"), ("client", "Clients")],
    )
    department = forms.ChoiceField(label="Department", required=False)

    def __init__(self, *args: Any, actor: Actor, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        titles = [(version.template_id, version.title) for version in latest_versions().defer("source")]
        names = [(name, name) for name in departments(actor)]
        self.fields["template"].choices = [("", "All templates"), *titles]  # type: ignore[attr-defined]
        self.fields["department"].choices = [("", "All departments"), *names]  # type: ignore[attr-defined]

    @property
    def question(self) -> Question:
        return Question(**self.cleaned_data, timezone=timezone.get_current_timezone_name())


class ReassignForm(forms.Form):
    to = forms.ChoiceField(label="Give the chosen steps to")

    def __init__(self, *args: Any, people: list[User], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        named = [(str(user.pk), user.name or user.email) for user in people]
        self.fields["to"].choices = [("", "Choose somebody"), *named]  # type: ignore[attr-defined]


@require_GET
def process(request: HttpRequest) -> HttpResponse:
    """The whole view over a period."""
    actor, now = actor_of(request), clock.now()
    form = _form(request, actor)
    context: dict[str, Any] = {"form": form, "about": ABOUT, "crumbs": [{"title": "How it goes"}]}
    if form.is_valid():
        try:
            report = view_process(form.question, actor=actor, now=now)
        except Invalid as refusal:
            put_refusal(form, refusal)
        else:
            context |= _shown(report)
    return render(request, "process/process.html", context, status=422 if form.errors else 200)


@require_GET
def steps(request: HttpRequest) -> HttpResponse:
    """The steps behind one figure."""
    actor, now = actor_of(request), clock.now()
    form = _form(request, actor)
    if not form.is_valid():
        return HttpResponseRedirect(reverse("web:process"))
    standing, role, key = (request.GET.get(name, "") for name in ("standing", "role", "step"))
    found, after = list_steps(
        form.question,
        standing=standing,
        role=role,
        key=key,
        actor=actor,
        now=now,
        after=decode_place(request.GET.get("after")),
    )
    context = {
        "rows": [_row(step) for step in found],
        "standing": STANDINGS[Standing(standing)],
        "role": ROLE_LABELS[Role(role)] if role in list(Role) else "",
        "step": step_titles(form.question.template).get(key, key),
        "question": form.question,
        "asked": _asked(form.question, standing=standing, role=role, step=key),
        "next": encode_cursor(after),
        "crumbs": [_back(form.question), {"title": STANDINGS[Standing(standing)]}],
    }
    return render(request, "process/steps.html", context)


@require_http_methods(["GET", "POST"])
def load(request: HttpRequest) -> HttpResponse:
    """What one person carries now, or what waits in a queue; and giving some of it to somebody else."""
    actor, now = actor_of(request), clock.now()
    owner_id, queue = request.GET.get("owner", ""), request.GET.get("queue", "")
    check_office(actor, "process.view")
    is_number = owner_id.isdecimal() and len(owner_id) <= MOST_DIGITS
    owner = User.objects.filter(pk=int(owner_id)).first() if is_number else None
    if owner is None and queue not in list(Role):
        raise NotFound("list of steps")
    question = Question(*usual_period("UTC", now=now), "UTC")
    found, after = list_load(
        owner_id=owner.pk if owner else None,
        queue=queue,
        question=question,
        actor=actor,
        after=decode_place(request.GET.get("after")),
    )
    people = [user for user in stand_ins({step.role for step in found}) if user != owner]
    form = ReassignForm(request.POST or None, people=people)
    if request.method == "POST" and form.is_valid():
        chosen = set(request.POST.getlist("step"))
        picked = [step for step in found if str(step.pk) in chosen]
        if not chosen:
            form.add_error(None, "Choose at least one step.")
        else:
            to = next(user for user in people if str(user.pk) == form.cleaned_data["to"])
            _reassign(request, picked, to, actor, gone=len(chosen) - len(picked))
            return HttpResponseRedirect(request.get_full_path())
    context = {
        "name": (owner.name or owner.email) if owner else f"{ROLE_LABELS[Role(queue)]}, not claimed",
        "rows": [_row(step) for step in found],
        "now": now,
        "form": form,
        "may_reassign": may_follow(actor, "steps.reassign") and bool(people),
        "next": encode_cursor(after),
        "query": urlencode({"owner": owner.pk} if owner else {"queue": queue}),
        "crumbs": [{"title": "How it goes", "url": reverse("web:process")}, {"title": "Steps"}],
    }
    return render(request, "process/load.html", context, status=422 if form.errors else 200)


@require_GET
def table(request: HttpRequest, table: str) -> HttpResponse:
    """One table of the view as a file."""
    actor = actor_of(request)
    form = _form(request, actor)
    if not form.is_valid():
        return HttpResponseRedirect(reverse("web:process"))
    content = table_csv(view_process(form.question, actor=actor, now=clock.now()), table)
    headers = {
        "Content-Disposition": f'attachment; filename="{table}-{form.question.until}.csv"',
        "Cache-Control": "private, no-store",
        "X-Content-Type-Options": "nosniff",
    }
    return HttpResponse(content, content_type="text/csv", headers=headers)


def _form(request: HttpRequest, actor: Actor) -> QuestionForm:
    check_office(actor, "process.view")
    since, until = usual_period(timezone.get_current_timezone_name(), now=clock.now())
    usual = {"since": since.isoformat(), "until": until.isoformat()}
    return QuestionForm({**usual, **request.GET.dict()}, actor=actor)


def _shown(report: Report) -> dict[str, Any]:
    past, fewest, question = report.past, report.fewest, report.question
    found: dict[str, Any] = {
        "report": report,
        "question": question,
        "asked": _asked(question),
        "counts": report.counts,
        "loads": report.loads,
        "soon_days": SOON_DAYS,
        "templates": [upkeep_row(each, report.now) for each in _lacking_first(report)],
        "lacking": len(report.lacking),
        "past": past,
    }
    if past is not None:
        phases = past.phases
        found |= {
            "roles": [_line(each, question, fewest) for each in past.roles],
            "steps": [_line(each, question, fewest) for each in past.steps if each.missed][:MOST_STEPS],
            "missed_steps": sum(1 for each in past.steps if each.missed),
            "skipped": past.skips.steps[:MOST_SKIPS],
            "reasons": past.skips.newest[:MOST_SKIPS],
            "overrides": past.overrides,
            "phases": [(each, each.worked.count >= max(fewest, 1)) for each in phases],
            "drawing": draw_phases(phases, fewest),
            "open_late": sum(each.open_late for each in past.roles),
            "missed": past.due - past.in_time,
        }
    return found


def _lacking_first(report: Report) -> list[Upkeep]:
    return sorted(report.templates, key=lambda each: not each.lacks(report.now))


def _line(line: Lateness, question: Question, fewest: int) -> dict[str, Any]:
    asked = {"role": line.role} | ({"step": line.key} if line.key else {})
    return {
        "line": line,
        "title": line.title or ROLE_LABELS[Role(line.role)],
        "role": ROLE_LABELS[Role(line.role)],
        "is_told": line.total >= fewest,
        "links": {each.value: _asked(question, standing=each.value, **asked) for each in Standing},
    }


def _row(step: Step) -> dict[str, Any]:
    state, says = presenting.step_mark(step)
    return {
        "step": step,
        "state": state,
        "says": says,
        "role": ROLE_LABELS[Role(step.role)],
        "phase": PHASES[step.phase],
        "subject": step.journey.departure.subject_name,
        "url": presenting.step_url(step),
        "settled_by": presenting.name_of(step.settled_by),
    }


def _reassign(request: HttpRequest, picked: list[Step], to: User, actor: Actor, *, gone: int) -> None:
    """Give the steps away and say what came of each; `gone` were chosen and are not in the list any more."""
    outcome = reassign_steps(steps=picked, to=to, actor=actor, now=clock.now())
    done = [each for each in outcome if each.refusal is None]
    if done:
        messages.success(request, f"{to} has {len(done)} of {len(outcome) + gone} chosen steps now.")
    if gone:
        messages.error(
            request,
            f"{gone} of the chosen steps were settled or given to somebody else meanwhile; nothing was done "
            "to them.",
        )
    for each in outcome:
        if each.refusal is not None:
            messages.error(request, f"“{each.step.title}” stayed where it was: {each.refusal.message}")


def _asked(question: Question, **more: str) -> str:
    """The question as the query of an address."""
    values = {
        "since": question.since.isoformat(),
        "until": question.until.isoformat(),
        "template": question.template,
        "audience": question.audience,
        "department": question.department,
        **more,
    }
    return urlencode({name: value for name, value in values.items() if value})


def _back(question: Question) -> dict[str, str]:
    return {"title": "How it goes", "url": f"{reverse('web:process')}?{_asked(question)}"}
