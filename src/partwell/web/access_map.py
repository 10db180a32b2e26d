"""What somebody has everywhere: asked of all systems, drawn, and listed by risk."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from partwell import clock
from partwell.access import questions
from partwell.access.map_queries import latest_map, map_view
from partwell.access.models import System
from partwell.people import queries
from partwell.people.authorisation import check_office
from partwell.people.models import Client, Person
from partwell.web.map_drawing import drawing
from partwell.web.navigation import may_follow
from partwell.web.session import actor_of

# Icon and words of a level, and the tone of its mark; never the tone alone.
LEVELS = {
    "high": ("alert-triangle", "High", "failed"),
    "raised": ("flag", "Raised", "care"),
    "ordinary": ("user", "Ordinary", "asked"),
    "closed": ("lock", "Closed", "proven"),
}
NATURES = {"person": "", "service": "runs unattended", "linked": "a second account"}
HOLDING_WORDS = {
    "session": ("open session", "open sessions"),
    "token": ("token", "tokens"),
    "key": ("key", "keys"),
    "device": ("device", "devices"),
    "owned": ("thing to hand over", "things to hand over"),
}


@require_GET
def person(request: HttpRequest, person_id: int) -> HttpResponse:
    """A colleague's map, or how to take it."""
    found = queries.view_person(person_id, actor=actor_of(request))
    return _show(request, found, person=found)


@require_GET
def client(request: HttpRequest, client_id: int) -> HttpResponse:
    """The map of all contacts of a client."""
    found = queries.view_client(client_id, actor=actor_of(request))
    return _show(request, found, client=found)


@require_POST
def take_person(request: HttpRequest, person_id: int) -> HttpResponse:
    """Ask every system what this colleague has."""
    actor = actor_of(request)
    found = queries.view_person(person_id, actor=actor)
    questions.ask_for_map(person=found, actor=actor, now=clock.now())
    return HttpResponseRedirect(reverse("web:person_map", args=[found.pk]))


@require_POST
def take_client(request: HttpRequest, client_id: int) -> HttpResponse:
    """Ask every system what this client's contacts have."""
    actor = actor_of(request)
    found = queries.view_client(client_id, actor=actor)
    questions.ask_for_map(client=found, actor=actor, now=clock.now())
    return HttpResponseRedirect(reverse("web:client_map", args=[found.pk]))


@require_GET
def person_live(request: HttpRequest, person_id: int) -> HttpResponse:
    """204 while systems are asked; then the browser is asked to read the page again."""
    return _live(request, person=queries.view_person(person_id, actor=actor_of(request)))


@require_GET
def client_live(request: HttpRequest, client_id: int) -> HttpResponse:
    """204 while systems are asked; then the browser is asked to read the page again."""
    return _live(request, client=queries.view_client(client_id, actor=actor_of(request)))


def _live(request: HttpRequest, **subject: Any) -> HttpResponse:
    check_office(actor_of(request), "access.view_map")
    if questions.open_map_question(**subject):
        return HttpResponse(status=204)
    return HttpResponse(status=204, headers={"HX-Refresh": "true"})


def _show(
    request: HttpRequest,
    found: Person | Client,
    *,
    person: Person | None = None,
    client: Client | None = None,
) -> HttpResponse:
    actor = actor_of(request)
    latest = latest_map(actor, person=person, client=client)
    kind = "person" if person else "client"
    name = found.name or str(found)
    view = map_view(latest) if latest else None
    context: dict[str, Any] = {
        "name": name,
        "is_client": client is not None,
        "view": view,
        "taken_at": latest.taken_at if latest else None,
        "rows": [_row(account) for account in view["accounts"]] if view else [],
        "levels": [(*LEVELS[level], view["counts"][level]) for level in LEVELS if view["counts"].get(level)]
        if view
        else [],
        "drawing": drawing(name, latest.systems) if latest else None,
        "systems": System.objects.filter(is_enabled=True).count(),
        "is_asking": questions.open_map_question(person=person, client=client) is not None,
        "may_take": may_follow(actor, "access.take_map"),
        "take_url": reverse(f"web:{kind}_map_take", args=[found.pk]),
        "live_url": reverse(f"web:{kind}_map_live", args=[found.pk]),
        "back": reverse(f"web:{kind}", args=[found.pk]),
        "crumbs": [
            {
                "title": "Clients" if client else "People",
                "url": reverse("web:clients" if client else "web:people"),
            },
            {"title": name, "url": reverse(f"web:{kind}", args=[found.pk])},
            {"title": "Access map"},
        ],
    }
    return render(request, "maps/map.html", context)


def _row(account: dict[str, Any]) -> dict[str, Any]:
    icon, words, tone = LEVELS[account["risk"]]
    counts: dict[str, int] = {}
    for held in account["holdings"]:
        counts[held["kind"]] = counts.get(held["kind"], 0) + 1
    return {
        **account,
        "icon": icon,
        "words": words,
        "tone": tone,
        "nature_words": NATURES[account["nature"]],
        "used_at": datetime.fromisoformat(account["last_used_at"]) if account["last_used_at"] else None,
        "counted": [f"{count} {HOLDING_WORDS[kind][count != 1]}" for kind, count in counts.items()],
        "has_more": bool(account["entitlements"] or account["holdings"]),
    }
