"""Today: what needs action, my steps, what waits for others, what is in flight."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from partwell import clock
from partwell.access import queries as access_queries
from partwell.access import summaries
from partwell.access.timing import recent_times
from partwell.departures.notices import visible_notices
from partwell.first_run.guide import is_set_up_open
from partwell.journeys import queries
from partwell.journeys.states import StepState
from partwell.people.actors import Actor
from partwell.web.journeys import departure_rows
from partwell.web.navigation import may_follow
from partwell.web.nothing_here import who_can
from partwell.web.session import actor_of, signed_in
from partwell.web.steps import due_groups, rows_of
from partwell.web.time_to_revoke import figure_of

_NOT_YOURS = "When a step of one is yours, or somebody lets you in, it stands here."


def home(request: HttpRequest) -> HttpResponse:
    """The page that a working day begins with; at most 15 queries, whatever the size."""
    actor = actor_of(request)
    is_open = may_follow(actor, "setup.view") and is_set_up_open()
    return render(request, "web/home.html", {**_context(request), "is_set_up_open": is_open})


def home_live(request: HttpRequest) -> HttpResponse:
    """The living part of today."""
    return render(request, "web/_home_live.html", _context(request))


def _context(request: HttpRequest) -> dict[str, Any]:
    actor, now = actor_of(request), clock.now()
    viewer = signed_in(request).pk
    mine = queries.my_steps(actor, limit=40)
    claimable = queries.claimable_steps(actor, limit=10)
    rows, after = queries.list_departures(actor, now=now, limit=10)
    waiting = queries.waiting_for_others([row.departure.pk for row in rows], actor, limit=5)
    return {
        "now": now,
        "lead": _lead(mine, now),
        "alerts": _alerts(actor),
        "revoking": figure_of(recent_times(actor, now=now)),
        "notices": list(visible_notices(actor)[:5]),
        "groups": due_groups(mine[:12], now=now, viewer_id=viewer),
        "mine_count": len(mine),
        "mine_open": sum(s.state == StepState.OPEN for s in mine),
        "mine_blocked": sum(s.state == StepState.BLOCKED for s in mine),
        "mine_journeys": len({s.journey_id for s in mine}),
        "claimable": rows_of(claimable, viewer_id=None),
        "waiting": waiting,
        "rows": departure_rows(rows),
        "not_yours": f"{_NOT_YOURS} {who_can('journeys.start')} can start one.",
        "has_more": after is not None,
        "next_days": [row.departure for row in rows if row.departure.last_working_date >= now.date()][:4],
    }


def _lead(mine: list[Any], now: Any) -> str:
    mine = [s for s in mine if s.state == StepState.OPEN]
    late = sum(s.due_at < now for s in mine)
    today = sum(now <= s.due_at and s.due_at.date() == now.date() for s in mine)
    if not mine:
        return "Nothing waits for you."
    said = []
    if late:
        said.append(f"{late} of your steps {'is' if late == 1 else 'are'} overdue")
    if today:
        said.append(f"{today} {'is' if today == 1 else 'are'} due today")
    return (", ".join(said) + ".") if said else f"{len(mine)} steps can be done now; none is due today."


def _alerts(actor: Actor) -> list[dict[str, Any]]:
    """Open alerts of departures that exist for the actor."""
    return [summaries.alert_row(alert) for alert in access_queries.open_alerts(actor)[:6]]
