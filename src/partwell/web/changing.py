"""Changing and ending a journey: dates with their difference first, facts, withdrawing, closing."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from partwell import clock
from partwell.access import summaries
from partwell.access.transfers.opening import given_rows
from partwell.closure.statements import closing_statement, head_to_keep
from partwell.departures.models import Departure
from partwell.departures.policies import can_read, capacities
from partwell.departures.states import Confidentiality, InitiatedBy, Rehire
from partwell.journeys import queries
from partwell.journeys.intake import NOT_STATED
from partwell.journeys.operations import ending, moving
from partwell.journeys.states import StepState
from partwell.journeys.template_queries import load_version
from partwell.refusals import FreshSignInNeeded, Refusal
from partwell.web import presenting
from partwell.web.fields import DATE, MOMENT
from partwell.web.journeys import check_may
from partwell.web.session import actor_of
from partwell.web.translate import put_refusal


class DatesForm(forms.Form):
    last_day = forms.DateField(label="Last working day", widget=DATE)
    access_end = forms.DateTimeField(
        label="Access ends",
        required=False,
        widget=MOMENT,
        help_text="In the leaver’s timezone. Left empty, it keeps its hour and moves with the last day.",
    )
    contract_end = forms.DateField(label="Contract ends", required=False, widget=DATE)
    revision = forms.IntegerField(widget=forms.HiddenInput)


class ReasonForm(forms.Form):
    reason = forms.CharField(widget=forms.Textarea(attrs={"rows": 3}), max_length=2000)


class FactsForm(forms.Form):
    """What can be edited beside the dates; fields that one may not read are not there."""

    reason = forms.ChoiceField(help_text="HR alone reads it.")
    initiated_by = forms.ChoiceField(choices=[(c.value, presenting.words(c)) for c in InitiatedBy])
    confidentiality = forms.ChoiceField(
        label="Who may know", choices=[(c.value, presenting.words(c)) for c in Confidentiality]
    )
    rehire = forms.ChoiceField(
        label="Work together again?", choices=[(c.value, presenting.words(c)) for c in Rehire]
    )
    jurisdiction = forms.CharField(max_length=10, required=False)
    timezone = forms.CharField(max_length=64, help_text="Such as Europe/Berlin.")


@require_http_methods(["GET", "POST"])
def dates(request: HttpRequest, departure_id: UUID) -> HttpResponse:
    """Move the last day: form, difference, then it applies."""
    departure = check_may(request, "journeys.move", departure_id)
    form = DatesForm(
        request.POST or None,
        initial={"last_day": departure.last_working_date, "revision": departure.revision},
    )
    if request.method == "GET":
        return _render(request, departure, "journeys/dates.html", "Change dates", form=form)
    if not form.is_valid():
        return _render(request, departure, "journeys/dates.html", "Change dates", form=form, status=422)
    data = form.cleaned_data
    access_end = data["access_end"]
    wanted: dict[str, Any] = {
        "departure": departure,
        "last_working_date": data["last_day"],
        "access_end_at": access_end.replace(tzinfo=None) if access_end else None,
        "contract_end_date": data["contract_end"],
        "actor": actor_of(request),
        "now": clock.now(),
    }
    try:
        if "apply" in request.POST:
            draft = moving.move(**wanted, expected_revision=data["revision"])
            messages.success(request, f"Moved. {len(draft.steps)} steps have a new date or state.")
            return _to_journey(departure)
        draft = moving.draft_move(**wanted)
    except FreshSignInNeeded:
        raise
    except Refusal as refusal:
        put_refusal(form, refusal)
        return _render(
            request, departure, "journeys/dates.html", "Change dates", form=form, status=refusal.status
        )
    return _render(request, departure, "journeys/dates.html", "Change dates", form=form, draft=draft)


@require_http_methods(["GET", "POST"])
def facts(request: HttpRequest, departure_id: UUID) -> HttpResponse:
    """Edit facts other than dates."""
    departure = check_may(request, "journeys.edit", departure_id)
    actor = actor_of(request)
    held = capacities(actor, departure)
    names = [n for n in FactsForm.base_fields if can_read(actor, f"departure.{n}", held)]
    form = FactsForm(request.POST or None, initial={n: getattr(departure, n) for n in names})
    known = load_version(departure.journey.template).reasons
    # A version that the journey was moved to may not have the reason that it was started with.
    reasons = dict.fromkeys((*known, NOT_STATED, departure.reason))
    form.fields["reason"].choices = [(r, presenting.words(r)) for r in reasons]  # type: ignore[attr-defined]
    for name in set(FactsForm.base_fields) - set(names):
        del form.fields[name]
    if request.method == "POST" and form.is_valid():
        try:
            draft = moving.edit(
                departure=departure, changes=dict(form.cleaned_data), actor=actor, now=clock.now()
            )
        except FreshSignInNeeded:
            raise
        except Refusal as refusal:
            put_refusal(form, refusal)
        else:
            messages.success(request, f"Kept. {len(draft.steps)} steps changed because of it.")
            return _to_journey(departure)
    return _render(
        request, departure, "journeys/facts.html", "Edit facts", form=form, status=422 if form.errors else 200
    )


@require_http_methods(["GET", "POST"])
def withdraw(request: HttpRequest, departure_id: UUID) -> HttpResponse:
    """End it because the notice was taken back; what was done and can be restored is listed first."""
    departure = check_may(request, "journeys.withdraw", departure_id)
    form = ReasonForm(request.POST or None)
    form.fields["reason"].label = "Why is the notice withdrawn?"
    if request.method == "POST" and form.is_valid():
        try:
            ending.withdraw(
                departure=departure,
                reason=form.cleaned_data["reason"],
                actor=actor_of(request),
                now=clock.now(),
            )
        except FreshSignInNeeded:
            raise
        except Refusal as refusal:
            put_refusal(form, refusal)
        else:
            messages.success(request, "The notice is withdrawn. What was done stays on the record.")
            return _to_journey(departure)
    done = list(departure.journey.steps.filter(state=StepState.DONE))
    return _render(
        request,
        departure,
        "journeys/withdraw.html",
        "Withdraw",
        form=form,
        done=done,
        restorable=summaries.restorable(departure),
        given=given_rows(departure),
        status=422 if form.errors else 200,
    )


@require_http_methods(["GET", "POST"])
def close(request: HttpRequest, departure_id: UUID) -> HttpResponse:
    """Close it, or see what stands in the way and ask for an override."""
    departure = check_may(request, "journeys.close", departure_id)
    form = ReasonForm(request.POST if "override" in request.POST else None)
    form.fields["reason"].label = "Why should it close with these open?"
    actor, now = actor_of(request), clock.now()
    status = 200
    try:
        if request.method == "POST" and "override" in request.POST:
            if form.is_valid():
                ending.request_override(
                    departure=departure, reason=form.cleaned_data["reason"], actor=actor, now=now
                )
                messages.success(request, "Asked. A second person approves it on this page.")
                return _to_journey(departure)
            status = 422
        elif request.method == "POST":
            ending.close(departure=departure, actor=actor, now=now)
            return HttpResponseRedirect(reverse("web:journey_closed", args=[departure.pk]))
    except FreshSignInNeeded:
        raise
    except Refusal as refusal:
        status = refusal.status
        if form.is_bound:
            put_refusal(form, refusal)
        else:
            messages.error(request, refusal.message)
    return _render(
        request,
        departure,
        "journeys/close.html",
        "Close",
        form=form,
        obstacles=ending.obstacles(departure),
        status=status,
    )


@require_http_methods(["GET", "POST"])
def override(request: HttpRequest, departure_id: UUID) -> HttpResponse:
    """A second person reads why it should close with things open, and approves or leaves it."""
    actor = actor_of(request)
    departure, held = queries.open_departure(actor, departure_id)
    if request.method == "POST":
        ending.approve_override(departure=departure, actor=actor, now=clock.now())
        return HttpResponseRedirect(reverse("web:journey_closed", args=[departure.pk]))
    return _render(
        request,
        departure,
        "journeys/override.html",
        "Approve",
        obstacles=ending.obstacles(departure, held=held),
    )


@require_GET
def closed(request: HttpRequest, departure_id: UUID) -> HttpResponse:
    """What both parties keep: the fingerprint and the head of the record at closing."""
    departure = queries.get_departure(actor_of(request), departure_id)
    return _render(
        request,
        departure,
        "journeys/closed.html",
        "Closed",
        statement=closing_statement(departure),
        is_signed=head_to_keep(departure) is not None,
    )


def _render(
    request: HttpRequest,
    departure: Departure,
    template: str,
    title: str,
    *,
    status: int = 200,
    **context: Any,
) -> HttpResponse:
    crumbs = [
        {"title": "Journeys", "url": reverse("web:departures")},
        {"title": departure.subject_name, "url": reverse("web:journey", args=[departure.pk])},
        {"title": title},
    ]
    context |= {"departure": departure, "journey": departure.journey, "crumbs": crumbs}
    return render(request, template, context, status=status)


def _to_journey(departure: Departure) -> HttpResponseRedirect:
    return HttpResponseRedirect(reverse("web:journey", args=[departure.pk]))
