"""Steps: my list, one step opened, and what can be done to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from partwell import clock
from partwell.access.credentials.rotation_queries import my_rotations
from partwell.departures.models import Departure, Participant
from partwell.departures.policies import capacities
from partwell.documents.markdown import render_markdown
from partwell.documents.operations import download_headers, open_file, store_file
from partwell.journeys import queries
from partwell.journeys.models import Step
from partwell.journeys.operations import steps as operations
from partwell.journeys.policies import step_capacities
from partwell.journeys.states import PENDING, StepState
from partwell.journeys.step_kinds import rule_of
from partwell.journeys.template.model import PHASES, EvidenceKind
from partwell.people.authorisation import load_matrix
from partwell.people.queries import find_user
from partwell.people.roles import Role
from partwell.refusals import NotFound, Refusal
from partwell.web import presenting
from partwell.web.fields import DATE
from partwell.web.rotations import rows_of as rotation_rows
from partwell.web.session import actor_of, signed_in
from partwell.web.translate import put_refusal

# How many of somebody's steps are listed.
LISTED = 100


class CompleteForm(forms.Form):
    """What a step may ask for as evidence; which field is shown follows from the step."""

    note = forms.CharField(required=False, max_length=5000, widget=forms.Textarea(attrs={"rows": 4}))
    link = forms.CharField(required=False, max_length=1000, label="Web address of the proof")
    file = forms.FileField(required=False, label="File")


class ReasonForm(forms.Form):
    reason = forms.CharField(
        label="Why is it left out?", widget=forms.Textarea(attrs={"rows": 3}), max_length=2000
    )


class CommentForm(forms.Form):
    text = forms.CharField(label="Comment", widget=forms.Textarea(attrs={"rows": 3}), max_length=5000)


class AssignForm(forms.Form):
    to = forms.EmailField(label="E-mail address of the new owner")


class OwnStepForm(forms.Form):
    """A step of one's own."""

    title = forms.CharField(max_length=140, help_text="Begin with a verb: “Collect the parking card”.")
    phase = forms.TypedChoiceField(coerce=int, choices=[(n, f"{n} {t}") for n, t in PHASES.items()])
    due_date = forms.DateField(label="Due", widget=DATE)
    owner = forms.EmailField(label="Who does it", help_text="Their e-mail address.")
    guidance = forms.CharField(required=False, label="How to do it", widget=forms.Textarea(attrs={"rows": 4}))
    is_required = forms.BooleanField(required=False, label="The journey cannot close before it is done")


def complete_form(step: Step) -> CompleteForm:
    """The form of a step, saying which evidence it cannot do without."""
    form = CompleteForm()
    form.fields["note"].required = step.evidence == EvidenceKind.NOTE
    form.fields["link"].required = step.evidence == EvidenceKind.LINK
    form.fields["file"].required = step.evidence == EvidenceKind.FILE and not step.attachments.exists()
    return form


@require_GET
def my_steps(request: HttpRequest) -> HttpResponse:
    """All pending steps of the one who looks, and those that their teams can claim."""
    actor, now = actor_of(request), clock.now()
    mine, claimable = queries.my_steps(actor, limit=LISTED), queries.claimable_steps(actor)
    around = queries.around([*mine, *claimable])
    return render(
        request,
        "journeys/my_steps.html",
        {
            "groups": due_groups(mine, around=around, now=now, viewer_id=signed_in(request).pk),
            "claimable": rows_of(claimable, around=around, viewer_id=None),
            "said": in_words(mine, of=LISTED),
            "rotations": rotation_rows(my_rotations(actor, now=now)),
        },
    )


@require_GET
def step(request: HttpRequest, departure_id: UUID, key: str) -> HttpResponse:
    """One step with its guidance, evidence, comments and what can be done now."""
    return _show(request, queries.get_step(actor_of(request), departure_id, key))


@require_POST
def complete(request: HttpRequest, departure_id: UUID, key: str) -> HttpResponse:
    """Complete with evidence; a file is stored and attached first."""
    actor, now = actor_of(request), clock.now()
    found = queries.get_step(actor, departure_id, key)
    form = CompleteForm(request.POST, request.FILES)
    if not form.is_valid():
        return _show(request, found, form=form, status=422)
    try:
        if upload := form.cleaned_data["file"]:
            stored = store_file(name=upload.name, stream=upload.file, actor_label=actor.label, now=now)
            operations.attach_file(step=found, file=stored, actor=actor, now=now)
        operations.complete_step(
            step=found,
            actor=actor,
            now=now,
            note=form.cleaned_data["note"],
            link=form.cleaned_data["link"],
        )
    except Refusal as refusal:
        return _refused(request, found, form, refusal)
    messages.success(request, f"Done: {found.title}.")
    return _back(found)


@require_POST
def skip(request: HttpRequest, departure_id: UUID, key: str) -> HttpResponse:
    """Leave it out, with a reason."""
    return _act(request, departure_id, key, ReasonForm, operations.skip_step, "Left out: {}.", "skip_form")


@require_POST
def comment(request: HttpRequest, departure_id: UUID, key: str) -> HttpResponse:
    """Say something to the others on the inside."""
    return _act(
        request, departure_id, key, CommentForm, operations.comment_on_step, "Comment kept.", "comment_form"
    )


@require_POST
def undo(request: HttpRequest, departure_id: UUID, key: str) -> HttpResponse:
    """Take back a completion or a skip."""
    found = queries.get_step(actor_of(request), departure_id, key)
    operations.undo_step(step=found, actor=actor_of(request), now=clock.now())
    messages.success(request, f"Open again: {found.title}.")
    return HttpResponseRedirect(presenting.step_url(found))


@require_POST
def claim(request: HttpRequest, departure_id: UUID, key: str) -> HttpResponse:
    """Take it from the team's queue."""
    found = queries.get_step(actor_of(request), departure_id, key)
    operations.claim_step(step=found, actor=actor_of(request), now=clock.now())
    messages.success(request, f"Yours now: {found.title}.")
    return HttpResponseRedirect(presenting.step_url(found))


@require_POST
def reassign(request: HttpRequest, departure_id: UUID, key: str) -> HttpResponse:
    """Give it to somebody else."""
    actor = actor_of(request)
    found = queries.get_step(actor, departure_id, key)
    form = AssignForm(request.POST)
    if not form.is_valid():
        return _show(request, found, assign_form=form, status=422)
    try:
        to = find_user(form.cleaned_data["to"], field="to")
        operations.reassign_step(step=found, to=to, actor=actor, now=clock.now())
    except Refusal as refusal:
        put_refusal(form, refusal)
        return _show(request, found, assign_form=form, status=refusal.status)
    messages.success(request, f"{to} has it now.")
    return _back(found)


@require_http_methods(["GET", "POST"])
def add(request: HttpRequest, departure_id: UUID) -> HttpResponse:
    """Add a step of one's own."""
    actor, now = actor_of(request), clock.now()
    departure = queries.get_departure(actor, departure_id)
    due = clock.today_in(departure.timezone, now=operations.default_due(departure, now=now))
    form = OwnStepForm(request.POST or None, initial={"owner": signed_in(request).email, "due_date": due})
    status = 200
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            operations.add_step(
                departure=departure,
                title=data["title"],
                phase=data["phase"],
                due_at=clock.at_local(data["due_date"], clock.DEFAULT_WORKDAY_END, departure.timezone),
                owner=find_user(data["owner"], field="owner"),
                guidance=data["guidance"],
                is_required=data["is_required"],
                actor=actor,
                now=now,
            )
        except Refusal as refusal:
            put_refusal(form, refusal)
            status = refusal.status
        else:
            messages.success(request, f"Added: {data['title']}.")
            return HttpResponseRedirect(reverse("web:journey", args=[departure.pk]))
    elif request.method == "POST":
        status = 422
    crumbs = [*_crumbs(departure), {"title": "Add a step"}]
    return render(
        request,
        "journeys/add_step.html",
        {"form": form, "departure": departure, "crumbs": crumbs},
        status=status,
    )


@require_GET
def attachment(request: HttpRequest, departure_id: UUID, key: str, file_id: UUID) -> FileResponse:
    """Download a file that is attached to a step one sees; never shown inside the page."""
    found = queries.get_step(actor_of(request), departure_id, key)
    attached = found.attachments.select_related("file").filter(file_id=file_id).first()
    if attached is None:
        raise NotFound("file")
    response = FileResponse(open_file(attached.file))
    for name, value in download_headers(attached.file).items():
        response[name] = value
    return response


def due_groups(
    steps: list[Step], *, around: Mapping[UUID, queries.Around], now: datetime, viewer_id: int | None
) -> list[dict[str, Any]]:
    """Steps as a to-do list by the viewer's calendar: overdue, due today, this week, later."""
    names = (("late", "Overdue"), ("today", "Due today"), ("", "This week"), ("", "Later"))
    groups: list[list[Step]] = [[], [], [], []]
    today = timezone.localdate(now)
    for each in steps:
        days = (timezone.localdate(each.due_at) - today).days
        groups[0 if each.due_at < now else 1 if days <= 0 else 2 if days <= 7 else 3].append(each)
    return [
        {
            "kind": kind,
            "title": title,
            "rows": rows_of(found, around=around, viewer_id=viewer_id),
            "count": len(found),
        }
        for (kind, title), found in zip(names, groups, strict=True)
        if found
    ]


def in_words(steps: list[Step], *, of: int) -> str:
    """How many of somebody's steps can be done and how many wait. Where there may be more than the first
    `of`, it says that these are the next ones."""
    if not steps:
        return ""
    states = Counter(step.state for step in steps)
    journeys = len({step.journey_id for step in steps})
    said = f"{states[StepState.OPEN]} to do, {states[StepState.BLOCKED]} blocked"
    said += f", in {journeys} journey{'' if journeys == 1 else 's'}"
    return f"The next {of}: {said}" if len(steps) >= of else said


def rows_of(
    steps: list[Step], *, around: Mapping[UUID, queries.Around], viewer_id: int | None
) -> list[dict[str, Any]]:
    """Steps of several journeys, each saying whose it is."""
    rows = []
    for each in steps:
        here = around[each.journey_id]
        whose = "Restricted journey" if here.is_restricted else here.subject
        row = presenting.step_row(
            each, titles=here.titles, viewer_id=viewer_id, about=f"{whose} · {PHASES[each.phase]}"
        ) | {"is_listed": True}
        if each.state == StepState.OPEN:
            row |= {"action_url": row["url"], "action": "Open"}
        rows.append(row)
    return rows


def _act(
    request: HttpRequest,
    departure_id: UUID,
    key: str,
    form_class: type[forms.Form],
    act: Any,
    said: str,
    slot: str,
) -> HttpResponse:
    """One form, one operation that takes the form's fields, one sentence."""
    actor = actor_of(request)
    found = queries.get_step(actor, departure_id, key)
    form = form_class(request.POST)
    if not form.is_valid():
        return _show(request, found, status=422, **{slot: form})
    try:
        act(step=found, actor=actor, now=clock.now(), **form.cleaned_data)
    except Refusal as refusal:
        put_refusal(form, refusal)
        return _show(request, found, status=refusal.status, **{slot: form})
    messages.success(request, said.format(found.title))
    return HttpResponseRedirect(presenting.step_url(found))


def _refused(request: HttpRequest, found: Step, form: CompleteForm, refusal: Refusal) -> HttpResponse:
    put_refusal(form, refusal)
    return _show(
        request,
        queries.get_step(actor_of(request), found.journey_id, found.key),
        form=form,
        status=refusal.status,
    )


def _show(request: HttpRequest, found: Step, *, status: int = 200, **given: Any) -> HttpResponse:
    actor = actor_of(request)
    departure = found.journey.departure
    held = capacities(actor, departure) | step_capacities(actor, found)
    rows = load_matrix().operations
    is_open = departure.is_open
    may = {
        name: is_open and bool(held & rows[f"steps.{name}"].allow)
        for name in ("complete", "skip", "undo", "reassign", "comment", "attach")
    }
    may["claim"] = bool(
        is_open
        and found.owner_id is None
        and found.queue
        and Role(found.queue) in actor.roles_in(departure.subject_department)
    )
    siblings = list(departure.journey.steps.all())
    titles = {each.key: each for each in siblings}
    mark, says = presenting.step_mark(found)
    context = {
        "step": found,
        "departure": departure,
        "mark": mark,
        "says": says,
        "row": presenting.step_row(
            found, titles={k: s.title for k, s in titles.items()}, viewer_id=actor.user_id
        ),
        "guidance": render_markdown(found.guidance),
        "phase": PHASES[found.phase],
        "needs": [_link(titles[key]) for key in found.needs if key in titles],
        "needed_by": [_link(each) for each in siblings if found.key in each.needs],
        "by_hand": rule_of(found.kind).by_hand,
        "way": rule_of(found.kind).way,
        "is_pending": found.state in PENDING,
        "may": may,
        "files": list(found.attachments.select_related("file")),
        "comments": list(found.comments.all()),
        "form": complete_form(found),
        "skip_form": ReasonForm(),
        "comment_form": CommentForm(),
        "assign_form": AssignForm(),
        "crumbs": [*_crumbs(departure), {"title": found.title}],
        "members": Participant.objects.filter(departure=departure)
        .exclude(capacity=Role.DEPARTING)
        .select_related("user"),
        **given,
    }
    return render(request, "journeys/step.html", context, status=status)


def _link(found: Step) -> dict[str, Any]:
    mark, says = presenting.step_mark(found)
    return {"title": found.title, "url": presenting.step_url(found), "mark": mark, "says": says}


def _crumbs(departure: Departure) -> list[dict[str, str]]:
    return [
        {"title": "Journeys", "url": reverse("web:departures")},
        {"title": departure.subject_name, "url": reverse("web:journey", args=[departure.pk])},
    ]


def _back(found: Step) -> HttpResponseRedirect:
    return HttpResponseRedirect(reverse("web:journey", args=[found.journey_id]) + f"#phase-{found.phase}")
