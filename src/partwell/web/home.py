"""Today: what needs action, my steps, what waits for others, what is in flight."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from partwell import clock
from partwell.access import queries as access_queries
from partwell.access import summaries
from partwell.access.timing import recent_times
from partwell.departures.notices import visible_notices
from partwell.first_run.guide import is_set_up_open
from partwell.journeys import queries
from partwell.journeys.models import Step
from partwell.journeys.states import StepState
from partwell.people.actors import Actor
from partwell.web.journeys import departure_rows
from partwell.web.navigation import may_follow
from partwell.web.nothing_here import who_can
from partwell.web.session import actor_of, signed_in
from partwell.web.steps import due_groups, in_words, rows_of
from partwell.web.time_to_revoke import figure_of

# How many of somebody's steps are looked at, and how many of those are shown.
LOOKED_AT, SHOWN = 40, 12

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
    today = timezone.localdate(now)
    viewer = signed_in(request).pk
    mine = queries.my_steps(actor, limit=LOOKED_AT)
    claimable = queries.claimable_steps(actor, limit=10)
    around = queries.around([*mine[:SHOWN], *claimable])
    rows, after = queries.list_departures(actor, now=now, limit=10)
    subjects = {row.departure.pk: row.departure.subject_name for row in rows}
    waiting = queries.waiting_for_others(subjects, actor, limit=5)
    return {
        "now": now,
        "lead": _lead(mine, now),
        "alerts": _alerts(actor),
        "revoking": figure_of(recent_times(actor, now=now)),
        "notices": list(visible_notices(actor)[:5]),
        "groups": due_groups(mine[:SHOWN], around=around, now=now, viewer_id=viewer),
        "mine_said": in_words(mine, of=LOOKED_AT),
        "claimable": rows_of(claimable, around=around, viewer_id=None),
        "waiting": [{"step": step, "subject": subjects[step.journey_id]} for step in waiting],
        "rows": departure_rows(rows),
        "not_yours": f"{_NOT_YOURS} {who_can('journeys.start')} can start one.",
        "has_more": after is not None,
        "next_days": [row.departure for row in rows if row.departure.last_working_date >= today][:4],
    }


def _lead(mine: list[Step], now: datetime) -> str:
    """What of the viewer's steps is late or due today, by their calendar."""
    can_be_done = [step for step in mine if step.state == StepState.OPEN]
    if not can_be_done:
        return "Nothing waits for you."
    today = timezone.localdate(now)
    late = sum(step.due_at < now for step in can_be_done)
    due = sum(step.due_at >= now and timezone.localdate(step.due_at) == today for step in can_be_done)
    whose = f"of your next {LOOKED_AT} steps" if len(mine) == LOOKED_AT else "of your steps"
    said = []
    if late:
        said.append(f"{late} {whose} {'is' if late == 1 else 'are'} overdue")
    if due:
        said.append(f"{due} {'' if late else whose + ' '}{'is' if due == 1 else 'are'} due today")
    if not said:
        return f"{len(can_be_done)} {whose} can be done now; none is due today."
    return ", ".join(said) + "."


def _alerts(actor: Actor) -> list[dict[str, Any]]:
    """Open alerts of departures that exist for the actor."""
    return [summaries.alert_row(alert) for alert in access_queries.open_alerts(actor)[:6]]
