"""The staff register: the list, and one person."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from partwell.departures.models import Departure
from partwell.departures.policies import visible_departures
from partwell.people import queries
from partwell.people.models import RoleGrant
from partwell.people.roles import ROLE_LABELS, Role
from partwell.web.navigation import may_follow
from partwell.web.session import actor_of


@require_GET
def people(request: HttpRequest) -> HttpResponse:
    """A page of the staff register by name."""
    actor = actor_of(request)
    words = request.GET.get("q", "").strip()[:100]
    found, after = queries.list_people(actor=actor, search=words, after=request.GET.get("after"))
    return render(
        request,
        "people/list.html",
        {
            "people": found,
            "next": after,
            "q": words,
            "may_import": may_follow(actor, "people.import"),
            "may_export": may_follow(actor, "people.export"),
        },
    )


@require_GET
def person(request: HttpRequest, person_id: int) -> HttpResponse:
    """One register entry. Whether they leave is said to those alone who see that departure anyway."""
    actor = actor_of(request)
    found = queries.view_person(person_id, actor=actor)
    grants = [
        (ROLE_LABELS[Role(grant.role)], grant.department or "whole firm")
        for grant in RoleGrant.objects.filter(user__person=found)
    ]
    return render(
        request,
        "people/person.html",
        {
            "person": found,
            "grants": grants,
            "departures": departures_of(request, person=found),
            "may_start": may_follow(actor, "journeys.start") and actor.person_id != found.pk,
            "may_see_map": may_follow(actor, "access.view_map"),
            "may_shut_out": may_follow(actor, "access.shut_out") and actor.person_id != found.pk,
            "crumbs": [{"title": "People", "url": reverse("web:people")}, {"title": found.name}],
        },
    )


def departures_of(request: HttpRequest, **subject: Any) -> list[Departure]:
    """The departures of this person or client that the viewer sees, newest first."""
    return list(visible_departures(actor_of(request)).filter(**subject).order_by("-created_at")[:20])
