"""How the process goes: the view of a period, and the steps behind its figures."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router

from partwell import clock
from partwell.api.answers import listing, reply
from partwell.api.authentication import actor_of
from partwell.api.shapes import Cursor, Day, Limit, Listing
from partwell.api.shapes.process import ListedStepShape, ProcessShape
from partwell.insights.listing import Standing, list_steps, listed_dict
from partwell.insights.questions import Question, usual_period
from partwell.insights.report import report_dict, view_process
from partwell.paging import decode_place, encode_cursor
from partwell.people.queries import usual_place
from partwell.people.roles import Role

router = Router(tags=["process"])

FirstDay = Annotated[Day | None, Query(description="First day; twelve months before today without it.")]
LastDay = Annotated[Day | None, Query(description="Last day; today without it.")]
Zone = Annotated[
    str, Query(max_length=64, description="The timezone in which days begin; `PARTWELL_TIMEZONE` without it.")
]
Template = Annotated[str, Query(max_length=60, description="Journeys on this template alone.")]
Audience = Annotated[str, Query(max_length=10, description="staff or client; both without it.")]
Department = Annotated[str, Query(max_length=120, description="Who left this department alone.")]


@router.get("", response=ProcessShape)
def view(
    request: HttpRequest,
    since: FirstDay = None,
    until: LastDay = None,
    timezone: Zone = "",
    template: Template = "",
    audience: Audience = "",
    department: Department = "",
) -> HttpResponse:
    """Late by role and step, left out, past a rule, phases, loads and templates, as far as you may read."""
    question = _question(since, until, timezone, template, audience, department)
    return reply(report_dict(view_process(question, actor=actor_of(request), now=clock.now())))


@router.get("/steps", response=Listing[ListedStepShape])
def steps(
    request: HttpRequest,
    standing: Annotated[Standing, Query(description="Which of the steps that were due.")],
    since: FirstDay = None,
    until: LastDay = None,
    timezone: Zone = "",
    template: Template = "",
    audience: Audience = "",
    department: Department = "",
    role: Annotated[Role | None, Query(description="Those of this role alone.")] = None,
    step: Annotated[str, Query(max_length=60, description="This step alone; `own` for added ones.")] = "",
    cursor: Cursor = None,
    limit: Limit = 50,
) -> HttpResponse:
    """The steps behind a figure, soonest due first."""
    found, after = list_steps(
        _question(since, until, timezone, template, audience, department),
        standing=standing,
        role=role or "",
        key=step,
        actor=actor_of(request),
        now=clock.now(),
        after=decode_place(cursor),
        limit=limit,
    )
    return listing([listed_dict(each) for each in found], encode_cursor(after))


def _question(
    since: date | None, until: date | None, timezone: str, template: str, audience: str, department: str
) -> Question:
    zone = timezone or usual_place().timezone
    first, last = usual_period(zone if clock.is_timezone(zone) else "UTC", now=clock.now())
    return Question(since or first, until or last, zone, template, audience, department)
