"""What a guest sees: the link's page, their own page, and their steps. Nobody here has an account."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from zoneinfo import ZoneInfo

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from partwell import clock
from partwell.departures import guests
from partwell.departures.models import Departure
from partwell.documents.markdown import render_markdown
from partwell.documents.operations import store_file
from partwell.journeys.guests import guest_page, guest_step, renew_link, task_of
from partwell.journeys.operations.steps import attach_file, complete_step
from partwell.journeys.template.model import EvidenceKind
from partwell.people.actors import Actor
from partwell.refusals import NotFound, Refusal
from partwell.web.guest_session import forget, guest_of, remember, source_of
from partwell.web.translate import put_refusal


class OwnStepForm(forms.Form):
    """What somebody says and sends with a step of theirs."""

    note = forms.CharField(
        label="A note for us", required=False, max_length=5000, widget=forms.Textarea(attrs={"rows": 4})
    )
    link = forms.CharField(label="Web address", required=False, max_length=1000)
    file = forms.FileField(label="File", required=False)


@login_not_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_variables("token")
def open_link(request: HttpRequest, token: str) -> HttpResponse:
    """Open a guest's page, by a press on the button only.

    Mail scanners follow links before people do. So looking does nothing, and looks the same whatever the
    token is: it is not even looked up.
    """
    if request.method != "POST":
        return render(request, "guest/open.html")
    try:
        opened = guests.open_link(token=token, source=source_of(request), now=clock.now())
    except Refusal as refusal:
        return _ended(request, refusal, token=token)
    response = HttpResponseRedirect(reverse("web:guest_page"))
    remember(response, opened)
    return response


@login_not_required
@never_cache
@require_POST
@sensitive_post_parameters("token")
def renew(request: HttpRequest) -> HttpResponse:
    """Send a new link to where the spent one was sent."""
    token = request.POST.get("token", "")
    try:
        renew_link(token=token, source=source_of(request), now=clock.now())
    except Refusal as refusal:
        return _ended(request, refusal)
    return render(request, "guest/link_sent.html")


@login_not_required
@never_cache
@require_GET
def page(request: HttpRequest) -> HttpResponse:
    """The guest's own page."""
    now = clock.now()
    try:
        link = guest_of(request, now=now)
    except Refusal as refusal:
        return _ended(request, refusal)
    return show_page(
        request,
        link.departure,
        guests.guest_actor(link),
        now=now,
        step_page="web:guest_step",
        more={"ends_at": guests.ends_at(link), "guest_name": link.name, "invited_by": link.invited_by},
    )


@login_not_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def step(request: HttpRequest, key: str) -> HttpResponse:
    """One of the guest's own steps."""
    now = clock.now()
    try:
        link = guest_of(request, now=now)
    except Refusal as refusal:
        return _ended(request, refusal)
    return show_step(request, link.departure, key, guests.guest_actor(link), now=now, back="web:guest_page")


@login_not_required
@never_cache
@require_POST
def leave(request: HttpRequest) -> HttpResponse:
    """End the guest's session in this browser."""
    with suppress(Refusal):  # it may have ended already
        guests.end_session(link=guest_of(request, now=clock.now()))
    response = render(request, "guest/left.html")
    forget(response)
    return response


def show_page(
    request: HttpRequest,
    departure: Departure,
    actor: Actor,
    *,
    now: datetime,
    step_page: str,
    more: dict[str, object] | None = None,
) -> HttpResponse:
    """The page of the leaving side or of a helper, in the departure's own timezone."""
    shown = guest_page(departure, actor, now=now)
    with timezone.override(ZoneInfo(shown.timezone)):
        return render(request, "guest/page.html", {"page": shown, "step_page": step_page, **(more or {})})


def show_step(
    request: HttpRequest, departure: Departure, key: str, actor: Actor, *, now: datetime, back: str
) -> HttpResponse:
    """One own step: how to do it, and a form to confirm it, say something and attach a file."""
    found = guest_step(departure, key, actor)
    form = OwnStepForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        try:
            if file := form.cleaned_data["file"]:
                stored = store_file(name=file.name or "", stream=file, actor_label=actor.label, now=now)
                attach_file(step=found, file=stored, actor=actor, now=now)
                messages.success(request, f"{stored.name} is attached.")
            if request.POST.get("do") == "attach":
                return HttpResponseRedirect(request.path)
            complete_step(
                step=found,
                actor=actor,
                now=now,
                note=form.cleaned_data["note"],
                link=form.cleaned_data["link"],
            )
        except Refusal as refusal:
            if isinstance(refusal, NotFound):
                raise
            put_refusal(form, refusal)
        else:
            messages.success(request, f"Thank you. “{found.title}” is done.")
            return HttpResponseRedirect(reverse(back))
    task = task_of(found)
    # Told on the page, asked by the step itself: “attach, confirm later” needs no note yet.
    form.fields["note"].required = found.evidence == EvidenceKind.NOTE
    form.fields["link"].required = found.evidence == EvidenceKind.LINK
    form.fields["file"].required = task.needs_file
    context = {
        "task": task,
        "guidance": render_markdown(found.guidance),
        "form": form,
        "asks_link": found.evidence == EvidenceKind.LINK,
        "back": back,
    }
    with timezone.override(ZoneInfo(departure.timezone)):
        return render(request, "guest/step.html", context, status=422 if form.errors else 200)


def _ended(request: HttpRequest, refusal: Refusal, *, token: str = "") -> HttpResponse:
    """Why there is nothing behind a link, in kind words, and how to get a new one."""
    can_renew = bool(token) and getattr(refusal, "can_renew", False)
    context = {"refusal": refusal, "can_renew": can_renew, "token": token if can_renew else ""}
    return render(request, "guest/link_ended.html", context, status=refusal.status)
