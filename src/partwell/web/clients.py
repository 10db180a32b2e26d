"""Clients: the list, and one client with contacts and contracts."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from partwell.people import queries
from partwell.web.navigation import may_follow
from partwell.web.people import departures_of
from partwell.web.session import actor_of


@require_GET
def clients(request: HttpRequest) -> HttpResponse:
    """A page of the clients by name."""
    actor = actor_of(request)
    words = request.GET.get("q", "").strip()[:100]
    found, after = queries.list_clients(actor=actor, search=words, after=request.GET.get("after"))
    names = ("clients.import", "clients.export", "contracts.import", "contracts.export")
    return render(
        request,
        "clients/list.html",
        {
            "clients": found,
            "next": after,
            "q": words,
            "may": {name.replace(".", "_"): may_follow(actor, name) for name in names},
        },
    )


@require_GET
def client(request: HttpRequest, client_id: int) -> HttpResponse:
    """One client."""
    actor = actor_of(request)
    found = queries.view_client(client_id, actor=actor)
    return render(
        request,
        "clients/client.html",
        {
            "client": found,
            "departures": departures_of(request, client=found),
            "may_start": may_follow(actor, "journeys.start"),
            "may_see_map": may_follow(actor, "access.view_map"),
            "may_shut_out": may_follow(actor, "access.shut_out"),
            "crumbs": [{"title": "Clients", "url": reverse("web:clients")}, {"title": found.name}],
        },
    )
