"""Departures and their journeys: the list, one journey, and the part of it that refreshes by itself."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from partwell import clock
from partwell.access import summaries
from partwell.closure.queries import readable_events
from partwell.departures.models import Departure, Participant
from partwell.departures.policies import authorise, can_read
from partwell.departures.states import DepartureState
from partwell.evidence.models import Event
from partwell.evidence.operations import departure_scope
from partwell.journeys import queries
from partwell.journeys.operations.ending import obstacles
from partwell.journeys.states import SETTLED, StepState
from partwell.paging import encode_cursor
from partwell.people.authorisation import load_matrix
from partwell.people.roles import ROLE_LABELS, Role
from partwell.refusals import Invalid
from partwell.web import presenting
from partwell.web.session import actor_of, signed_in
from partwell.web.timeline import timeline

STATES = {
    "active": ("In flight", [DepartureState.ACTIVE]),
    "closed": ("Closed", [DepartureState.CLOSED]),
    "withdrawn": ("Withdrawn", [DepartureState.WITHDRAWN]),
}
KINDS = {"": "All", "staff": "Staff", "client": "Clients"}


@require_GET
def departures(request: HttpRequest) -> HttpResponse:
    """A page of departures, nearest last day first."""
    actor, now = actor_of(request), clock.now()
    state = request.GET.get("state", "active")
    kind = request.GET.get("kind", "")
    text = request.GET.get("q", "").strip()[:100]
    if state not in STATES or kind not in KINDS:
        raise Invalid("filter_unknown", "There is no such list. Choose one of those above.", field="state")
    rows, after = queries.list_departures(
        actor,
        now=now,
        states=STATES[state][1],
        kind=kind,
        text=text,
        after=queries.read_cursor(request.GET.get("after")),
    )
    return render(
        request,
        "journeys/list.html",
        {
            "rows": departure_rows(rows),
            "next": encode_cursor(after),
            "state": state,
            "states": {code: title for code, (title, _) in STATES.items()},
            "kind": kind,
            "kinds": KINDS,
            "q": text,
        },
    )


@require_GET
def journey(request: HttpRequest, departure_id: UUID) -> HttpResponse:
    """One departure: dates, phase line, checklist and what stands beside it."""
    departure, held = queries.open_departure(actor_of(request), departure_id)
    context = _journey_context(request, departure, held)
    context["crumbs"] = [
        {"title": "Journeys", "url": reverse("web:departures")},
        {"title": departure.subject_name},
    ]
    return render(request, "journeys/journey.html", context)


@require_GET
def journey_live(request: HttpRequest, departure_id: UUID) -> HttpResponse:
    """The living part of a journey, or 204 while nothing has happened since `rev`."""
    departure, held = queries.open_departure(actor_of(request), departure_id)
    if request.GET.get("rev") == revision_of(departure):
        return HttpResponse(status=204)
    return render(request, "journeys/_live.html", _journey_context(request, departure, held))


def revision_of(departure: Departure) -> str:
    """What changes whenever something happens in the departure: its newest event."""
    newest = Event.objects.filter(scope=departure_scope(departure.pk)).order_by("-occurred_at", "-pk")
    return str(newest.values_list("pk", flat=True).first() or "")


ACCESS_MARKS = {"none": "planned", "manual": "manual", "impossible": "cannot"}


def departure_rows(rows: list[queries.Row]) -> list[dict[str, Any]]:
    """The lines of a list of departures, each with its access at a glance."""
    access = summaries.at_a_glance(row.departure.pk for row in rows)
    return [_row(row, access[row.departure.pk]) for row in rows]


def _row(row: queries.Row, access: summaries.AtAGlance) -> dict[str, Any]:
    departure = row.departure
    return {
        "access": access,
        "access_mark": ACCESS_MARKS.get(access.state, access.state),
        "departure": departure,
        "kind": presenting.subject_kind(departure),
        "why": presenting.words(departure.scenario.removeprefix("staff-").removeprefix("client-")),
        "phases": presenting.phase_stops(row.phases),
        "words": presenting.strip_words(row.phases),
        "late": row.late,
        "late_words": f"{row.late} step{'' if row.late == 1 else 's'} overdue",
        "is_restricted": departure.is_restricted,
    }


def _journey_context(request: HttpRequest, departure: Departure, held: frozenset[str]) -> dict[str, Any]:
    actor, now = actor_of(request), clock.now()
    newest = list(
        Event.objects.filter(scope=departure_scope(departure.pk)).order_by("-occurred_at", "-pk")[:6]
    )
    steps = queries.steps_of(departure)
    access = summaries.picture(departure)
    phases = queries.phases_of(steps, now=now)
    role = request.GET.get("role", "")
    at = presenting.current_phase(phases)
    may = _allowed(held, departure)
    return {
        "departure": departure,
        "journey": departure.journey,
        "kind": presenting.subject_kind(departure),
        "scenario": presenting.words(departure.scenario),
        "reason": presenting.words(departure.reason) if can_read(actor, "departure.reason", held) else "",
        "is_restricted": departure.is_restricted,
        "phases": presenting.phase_stops(phases, here=at.number if at else None),
        "groups": presenting.groups_of(steps, phases, viewer_id=signed_in(request).pk, role=role, now=now),
        "chips": _chips(steps),
        "role": role,
        "done": sum(s.state in SETTLED and s.state != StepState.NOT_NEEDED for s in steps),
        "total": sum(p.total for p in phases),
        "late": sum(p.late for p in phases),
        "obstacles": obstacles(departure, steps=steps, access=access, held=held) if departure.is_open else [],
        "access": access.overview,
        "handovers": len(access.transfers),
        "people": _people(departure),
        "events": timeline(
            newest, readable_events(events=newest, departure=departure, actor=actor, held=held)
        )
        if may["evidence"]
        else [],
        "newer_version_at": queries.newer_version_at(departure) if may["change_version"] else None,
        "rev": str(newest[0].pk) if newest else "",
        "may": may,
        "now": now,
    }


def _chips(steps: list[Any]) -> list[dict[str, Any]]:
    counts = queries.count_open_by_role(steps)
    return [
        {"code": role.value, "title": ROLE_LABELS[role], "count": counts[role.value]}
        for role in Role
        if counts[role.value]
    ]


def _people(departure: Departure) -> list[dict[str, str]]:
    found: dict[int, dict[str, str]] = {}
    for part in Participant.objects.filter(departure=departure).select_related("user"):
        if part.capacity == Role.DEPARTING:
            continue
        entry = found.setdefault(part.user_id, {"name": str(part.user), "email": part.user.email, "what": ""})
        label = ROLE_LABELS[Role(part.capacity)] if part.capacity in list(Role) else "owns a step"
        entry["what"] = f"{entry['what']}, {label}" if entry["what"] else label
    return list(found.values())


def _allowed(held: frozenset[str], departure: Departure) -> dict[str, bool]:
    """Which buttons to show; the operations decide again."""
    rows = load_matrix().operations
    names = {
        "move": "journeys.move",
        "change_version": "journeys.change_version",
        "edit": "journeys.edit",
        "withdraw": "journeys.withdraw",
        "close": "journeys.close",
        "add": "steps.add",
        "access": "access.view",
        "invite": "guests.invite",
        "evidence": "evidence.view",
        "override": "journeys.approve_override",
    }
    return {
        short: bool(held & rows[name].allow) and (departure.is_open or rows[name].on_closed)
        for short, name in names.items()
    }


def check_may(request: HttpRequest, name: str, departure_id: UUID) -> Departure:
    """The departure, if the one who looks may do `name` to it; for pages that show a form first."""
    actor = actor_of(request)
    departure = queries.get_departure(actor, departure_id)
    authorise(actor, name, departure)
    return departure
