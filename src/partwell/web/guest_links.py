"""Inviting guests, seen from the inside: the list of links, a new one, taking one back."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from partwell import clock
from partwell.departures.guests import Invitation, ends_at, get_link, link_state, links_of
from partwell.departures.models import Departure, GuestLink
from partwell.departures.policies import capacities
from partwell.departures.states import GuestCapacity
from partwell.journeys import queries
from partwell.journeys.addresses import guest_page
from partwell.journeys.guests import has_leavers_page, invite_guest, revoke_guest, steps_for_helpers
from partwell.people.actors import Actor
from partwell.people.authorisation import load_matrix
from partwell.refusals import NotFound, Refusal
from partwell.signals.sending import is_configured
from partwell.web.session import actor_of
from partwell.web.translate import put_refusal

_STATE_WORDS = {
    "waiting": ("requested", "Not opened yet"),
    "open": ("accepted", "Opened"),
    "expired": ("none", "Expired"),
    "revoked": ("none", "Taken back"),
}

_CHECK = {"class": "form-check-input"}


class InviteForm(forms.Form):
    """Whom to invite, and as what."""

    email = forms.EmailField(label="E-mail address")
    name = forms.CharField(label="Name", max_length=200, required=False)
    capacity = forms.ChoiceField(label="As", widget=forms.RadioSelect(attrs=_CHECK))
    steps = forms.MultipleChoiceField(
        label="Steps of the helper", required=False, widget=forms.CheckboxSelectMultiple(attrs=_CHECK)
    )

    def __init__(self, departure: Departure, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        offered = [(GuestCapacity.HELPER.value, "A helper, for single steps")]
        if has_leavers_page(departure):
            offered.insert(0, (GuestCapacity.DEPARTING.value, f"The leaving side: {departure.subject_name}"))
        self.fields["capacity"].choices = offered  # type: ignore[attr-defined]
        self.fields["capacity"].initial = offered[0][0]
        self.fields["steps"].choices = [  # type: ignore[attr-defined]
            (step.key, step.title) for step in steps_for_helpers(departure)
        ]


def guest_panel(departure: Departure, actor: Actor, *, now: datetime) -> dict[str, Any]:
    """What `guests/_panel.html` needs, for any page that includes it.

    The caller has shown the departure to this actor already (`queries.get_departure`).
    """
    return {
        "departure": departure,
        "guest_links": [_row(link, now=now) for link in links_of(departure, actor=actor)],
        "can_invite": _may(actor, "guests.invite", departure),
        "can_revoke": _may(actor, "guests.revoke", departure),
    }


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def links(request: HttpRequest, departure_id: UUID) -> HttpResponse:
    """All links of a departure, and the form for one more.

    A new link is shown in the answer to the form and nowhere else, so there is no redirect to lose it.
    """
    actor, now = actor_of(request), clock.now()
    departure = queries.get_departure(actor, departure_id)
    form = InviteForm(departure, request.POST or None)
    invitation: Invitation | None = None
    if request.method == "POST" and form.is_valid():
        try:
            invitation = invite_guest(
                departure=departure,
                email=form.cleaned_data["email"],
                name=form.cleaned_data["name"],
                capacity=form.cleaned_data["capacity"],
                step_keys=form.cleaned_data["steps"],
                actor=actor,
                now=now,
            )
        except NotFound:
            raise
        except Refusal as refusal:
            put_refusal(form, refusal)
        else:
            form = InviteForm(departure)
    context = {
        **guest_panel(departure, actor, now=now),
        "form": form,
        "invitation": invitation,
        "address": guest_page(invitation.token) if invitation else "",
        "is_mailed": is_configured(),
    }
    return render(request, "guests/links.html", context, status=422 if form.errors else 200)


@require_POST
def revoke(request: HttpRequest, departure_id: UUID, link_id: UUID) -> HttpResponse:
    """Take a link back; its session ends with it."""
    actor = actor_of(request)
    departure = queries.get_departure(actor, departure_id)
    link = get_link(departure, link_id)
    revoke_guest(link=link, actor=actor, now=clock.now())
    messages.success(request, f"The link for {link.email} is taken back, and opens nothing any more.")
    return HttpResponseRedirect(reverse("web:guest_links", args=[departure.pk]))


def _row(link: GuestLink, *, now: datetime) -> dict[str, Any]:
    state = link_state(link, now=now)
    status, words = _STATE_WORDS[state]
    return {
        "link": link,
        "what": "helper" if link.capacity == GuestCapacity.HELPER else "leaving side",
        "status": status,
        "words": words,
        "ends_at": ends_at(link),
        "is_alive": state in ("waiting", "open"),
    }


def _may(actor: Actor, operation: str, departure: Departure) -> bool:
    """Whether to offer it; the operation itself decides again."""
    return departure.is_open and bool(
        capacities(actor, departure) & load_matrix().operations[operation].allow
    )
