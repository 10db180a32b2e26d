"""Who takes part in a departure: the list, letting somebody in, taking a part back."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from partwell import clock
from partwell.departures.models import Departure
from partwell.departures.policies import capacities
from partwell.journeys import queries
from partwell.journeys.operations.participating import add_participant, remove_participant
from partwell.journeys.participants import GIVEN_PARTS, find_part, part_title, parts_of, roles_that_see
from partwell.people.actors import Actor
from partwell.people.authorisation import load_matrix
from partwell.people.queries import nearest_holders
from partwell.people.roles import ROLE_LABELS
from partwell.refusals import FreshSignInNeeded, Refusal
from partwell.web.journeys import check_may
from partwell.web.session import actor_of
from partwell.web.translate import put_refusal


class LetInForm(forms.Form):
    """Whom to let in, and as what."""

    person = forms.CharField(
        label="Who",
        max_length=320,
        help_text="A name or an e-mail address, as in the register.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "list": "holders"}),
    )
    part = forms.ChoiceField(
        label="Part",
        choices=[("", "Choose a part"), *((part, part_title(part)) for part in GIVEN_PARTS)],
        help_text="They see the inside of this departure, and may do here what this part may do.",
    )


@require_http_methods(["GET", "HEAD", "POST"])
def participants(request: HttpRequest, departure_id: UUID) -> HttpResponse:
    """Everybody who takes part, and the form by which one more is let in."""
    actor = actor_of(request)
    departure = queries.get_departure(actor, departure_id)
    form = LetInForm(request.POST or None)
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                let_in = add_participant(
                    departure=departure, **form.cleaned_data, actor=actor, now=clock.now()
                )
            except FreshSignInNeeded:
                raise
            except Refusal as refusal:
                put_refusal(form, refusal)
                status = refusal.status
            else:
                messages.success(request, f"{let_in.user} takes part: {part_title(let_in.capacity)}.")
                return HttpResponseRedirect(reverse("web:participants", args=[departure.pk]))
    parts = parts_of(departure)
    inside = {part.participant.user_id for part in parts if not part.is_leaver}
    context = {
        "form": form,
        "parts": parts,
        "inside": len(inside),
        "others": roles_that_see(departure),
        "holders": _holders(departure) if _may(actor, "participants.add", departure) else [],
        "may_add": _may(actor, "participants.add", departure),
        "may_remove": _may(actor, "participants.remove", departure),
        "may_invite": _may(actor, "guests.invite", departure),
    }
    return _render(request, departure, "journeys/participants.html", "Who takes part", context, status)


@require_http_methods(["GET", "HEAD", "POST"])
def remove(request: HttpRequest, departure_id: UUID, participant_id: int) -> HttpResponse:
    """Take a part back; what that means is said first."""
    departure = check_may(request, "participants.remove", departure_id)
    part = find_part(departure, participant_id)
    refusal: Refusal | None = None
    if request.method == "POST":
        try:
            remove_participant(participant=part.participant, actor=actor_of(request), now=clock.now())
        except FreshSignInNeeded:
            raise
        except Refusal as refused:
            refusal = refused
        else:
            messages.success(request, f"{part.participant.user} is taken out: {part.title}.")
            return HttpResponseRedirect(reverse("web:participants", args=[departure.pk]))
    others = [
        other.title
        for other in parts_of(departure)
        if other.participant.user_id == part.participant.user_id and other != part
    ]
    return _render(
        request,
        departure,
        "journeys/participant_remove.html",
        "Take out",
        {
            "part": part,
            "other_parts": others,
            "sees_as": sorted(_roles_of(part.participant.user_id, departure)),
            "refusal": refusal,
        },
        refusal.status if refusal else 200,
    )


def _holders(departure: Departure) -> list[dict[str, str]]:
    """Whom the form suggests: those who hold a role where the subject works."""
    titles: dict[str, list[str]] = {}
    for role, users in nearest_holders(departure.subject_department).items():
        for user in users:
            titles.setdefault(user.email, [str(user)]).append(ROLE_LABELS[role])
    leaver = departure.subject_email.lower()
    return [
        {"email": email, "words": f"{name}, {', '.join(roles)}"}
        for email, (name, *roles) in sorted(titles.items())
        if email != leaver
    ]


def _roles_of(user_id: int, departure: Departure) -> set[str]:
    """The titles of the user's roles by which they see a normal departure without taking part."""
    see = roles_that_see(departure)
    holders = nearest_holders(departure.subject_department) if see else {}
    return {
        ROLE_LABELS[role]
        for role, users in holders.items()
        if ROLE_LABELS[role] in see and any(user.pk == user_id for user in users)
    }


def _may(actor: Actor, operation: str, departure: Departure) -> bool:
    """Whether to offer it; the operation itself decides again."""
    held = capacities(actor, departure)
    return departure.is_open and bool(held & load_matrix().operations[operation].allow)


def _render(
    request: HttpRequest,
    departure: Departure,
    template: str,
    title: str,
    context: dict[str, Any],
    status: int,
) -> HttpResponse:
    crumbs = [
        {"title": "Journeys", "url": reverse("web:departures")},
        {"title": departure.subject_name, "url": reverse("web:journey", args=[departure.pk])},
        {"title": title},
    ]
    context |= {
        "departure": departure,
        "crumbs": crumbs,
        "is_restricted": departure.is_restricted,
    }
    return render(request, template, context, status=status)
