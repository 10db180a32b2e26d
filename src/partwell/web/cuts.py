"""The kill switch: from a person's or a client's page to one more look, and what became of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from partwell import clock
from partwell.access.cut_queries import cut_view, get_cut, visible_cuts
from partwell.access.models import Cut, System
from partwell.access.operations import cuts
from partwell.access.states import CutState
from partwell.journeys.operations.following import ahead_of_a_cut
from partwell.journeys.operations.shutting_out import shut_out
from partwell.people import queries
from partwell.people.actors import Actor
from partwell.people.authorisation import check_office
from partwell.refusals import FreshSignInNeeded, Refusal
from partwell.web.fields import MOMENT, TypedWordForm
from partwell.web.session import actor_of, signed_in
from partwell.web.translate import put_refusal

STATE_WORDS = {
    CutState.WAITING: ("approval", "Waits for a second person"),
    CutState.READY: ("planned", "Ready"),
    CutState.FIRED: ("accepted", "Fired"),
    CutState.HELD: ("late", "Held"),
    CutState.STOPPED: ("failed", "Stopped"),
    CutState.CANCELLED: ("none", "Called off"),
}


class ShutOutForm(TypedWordForm):
    """Why, when, and the name that guards against the wrong person."""

    reason = forms.CharField(
        label="Why can it not wait?",
        widget=forms.Textarea(attrs={"rows": 3}),
        max_length=2000,
        help_text="Whoever reviews it reads this. It is kept as evidence, with your name.",
    )
    fire_at = forms.DateTimeField(
        label="At a time",
        required=False,
        widget=MOMENT,
        help_text="Left empty, it happens now. Until then it can be called off, or fired sooner.",
    )
    word = forms.CharField(max_length=300)


class ReviewForm(forms.Form):
    note = forms.CharField(
        label="What did you look at, and was it right?",
        widget=forms.Textarea(attrs={"rows": 3}),
        max_length=2000,
        help_text="If it was not, restore access on each person’s access page.",
    )


@require_http_methods(["GET", "HEAD", "POST"])
def person(request: HttpRequest, person_id: int) -> HttpResponse:
    """One more look before a colleague is shut out of everything. The second factor is asked for before it,
    so that nothing typed is lost to it."""
    actor = actor_of(request)
    check_office(actor, "access.shut_out")
    found = queries.view_person(person_id, actor=actor)
    back = reverse("web:person", args=[found.pk])
    return _confirm(request, actor, found.name, back, {"people": [found]})


@require_http_methods(["GET", "HEAD", "POST"])
def client(request: HttpRequest, client_id: int) -> HttpResponse:
    """One more look before all contacts of a client are shut out."""
    actor = actor_of(request)
    check_office(actor, "access.shut_out")
    found = queries.view_client(client_id, actor=actor)
    back = reverse("web:client", args=[found.pk])
    return _confirm(request, actor, found.name, back, {"clients": [found]})


def _confirm(request: HttpRequest, actor: Actor, name: str, back: str, whom: dict[str, Any]) -> HttpResponse:
    form = ShutOutForm(request.POST or None, wanted=name)
    status = 200
    if request.method == "POST" and form.is_valid():
        try:
            cut = shut_out(
                reason=form.cleaned_data["reason"],
                fire_at=form.cleaned_data["fire_at"],
                actor=actor,
                now=clock.now(),
                **whom,
            )
        except FreshSignInNeeded:
            raise
        except Refusal as refusal:
            put_refusal(form, refusal)
            status = refusal.status
        else:
            return HttpResponseRedirect(reverse("web:cut", args=[cut.pk]))
    if form.errors and status == 200:
        status = 422
    systems = list(System.objects.filter(is_enabled=True))
    context = {
        "name": name,
        "form": form,
        "systems": systems,
        "ahead": ahead_of_a_cut(**whom, actor=actor, now=clock.now()),
        "contacts": [contact for each in whom.get("clients", ()) for contact in each.contacts.all()],
        "back": back,
        "crumbs": [{"title": name, "url": back}, {"title": "Kill switch"}],
    }
    return render(request, "cuts/confirm.html", context, status=status)


@require_GET
def cut(request: HttpRequest, cut_id: UUID) -> HttpResponse:
    """What was ordered, and how far it is."""
    return _show(request, get_cut(actor_of(request), cut_id))


@require_GET
def live(request: HttpRequest, cut_id: UUID) -> HttpResponse:
    """The living part of the page."""
    found = get_cut(actor_of(request), cut_id)
    return render(request, "cuts/_people.html", {**_context(request, found), "is_part": True})


@require_POST
def approve(request: HttpRequest, cut_id: UUID) -> HttpResponse:
    """Approve a cut of many, as a second person."""
    return _do(request, cut_id, cuts.approve_cut, "Approved.")


@require_POST
def fire(request: HttpRequest, cut_id: UUID) -> HttpResponse:
    """Fire a prepared cut now."""
    return _do(request, cut_id, cuts.fire_cut, "Fired. Each account is read back.")


@require_POST
def cancel(request: HttpRequest, cut_id: UUID) -> HttpResponse:
    """Call a prepared cut off."""
    return _do(request, cut_id, cuts.cancel_cut, "Called off. Nobody was shut out.")


@require_POST
def stop(request: HttpRequest, cut_id: UUID) -> HttpResponse:
    """Stop a cut that is running."""
    return _do(request, cut_id, cuts.stop_cut, "Stopped. Nothing more is asked for.")


@require_POST
def resume(request: HttpRequest, cut_id: UUID) -> HttpResponse:
    """Go on with a cut that was held."""
    return _do(request, cut_id, cuts.resume_cut, "Going on with the next stage.")


@require_POST
def review(request: HttpRequest, cut_id: UUID) -> HttpResponse:
    """Say, as another person, that it was looked at."""
    found = get_cut(actor_of(request), cut_id)
    form = ReviewForm(request.POST)
    if not form.is_valid():
        return _show(request, found, form=form, status=422)
    try:
        cuts.review_cut(cut=found, note=form.cleaned_data["note"], actor=actor_of(request), now=clock.now())
    except FreshSignInNeeded:
        raise
    except Refusal as refusal:
        put_refusal(form, refusal)
        return _show(request, found, form=form, status=refusal.status)
    messages.success(request, "Your review is kept.")
    return HttpResponseRedirect(reverse("web:cut", args=[found.pk]))


def cuts_to_show(actor: Actor) -> list[dict[str, Any]]:
    """Cuts that wait for somebody or that nobody has reviewed, for the page that IT/security begins with."""
    waiting = visible_cuts(actor).filter(reviewed_at__isnull=True).exclude(state=CutState.CANCELLED)
    return [{"cut": found, "status": _status(found)} for found in waiting[:12]]


def _do(request: HttpRequest, cut_id: UUID, operation: Callable[..., Cut], said: str) -> HttpResponseRedirect:
    operation(cut=get_cut(actor_of(request), cut_id), actor=actor_of(request), now=clock.now())
    messages.success(request, said)
    return HttpResponseRedirect(reverse("web:cut", args=[cut_id]))


def _show(
    request: HttpRequest, found: Cut, *, form: ReviewForm | None = None, status: int = 200
) -> HttpResponse:
    context = {**_context(request, found), "form": form or ReviewForm()}
    return render(request, "cuts/cut.html", context, status=status)


def _context(request: HttpRequest, found: Cut) -> dict[str, Any]:
    view = cut_view(found)
    waiting = sum(not person["is_begun"] for person in view["people"])
    now: datetime = clock.now()
    return {
        "cut": found,
        "view": view,
        "status": _status(found),
        "accounts": sum(view["counts"].values()),
        "is_running": found.plans.filter(state="applying").exists()
        or (found.state == CutState.FIRED and waiting > 0),
        "waiting": waiting,
        "is_own": found.ordered_by_id == signed_in(request).pk,
        "is_late": found.review_due_at is not None
        and found.reviewed_at is None
        and now > found.review_due_at,
        "crumbs": [{"title": "Access", "url": reverse("web:access_overview")}, {"title": found.title}],
    }


def _status(found: Cut) -> tuple[str, str]:
    if found.reviewed_at is not None:
        return ("verified", "Fired and reviewed")
    return STATE_WORDS[CutState(found.state)]
