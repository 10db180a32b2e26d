"""Rounds: look at what a list would do, prepare it for a second person, read the board, recall."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router
from pydantic import Field

from partwell import clock
from partwell.api.answers import listing, page_of, reply
from partwell.api.authentication import actor_of
from partwell.api.idempotency import idempotent
from partwell.api.shapes import Body, Cursor, Day, Limit, Line, Listing, Moment, Reason
from partwell.api.shapes.rounds import PreviewShape, RoundShape, RoundView
from partwell.journeys.rounds.board import round_view
from partwell.journeys.rounds.operations import prepare_round, recall_round
from partwell.journeys.rounds.preview import Terms, preview_round
from partwell.journeys.rounds.queries import get_round, list_rounds, round_dict
from partwell.people.queries import find_user

router = Router(tags=["rounds"])

Only = Literal["", "waiting", "started", "late", "left_out", "recalling", "recalled"]


class RoundBody(Body):
    """Who leaves, as a list or the text of a CSV file, and what holds for everybody whose line says no
    other."""

    name: Annotated[str, Field(max_length=120)]
    template: Line
    who: Annotated[str, Field(max_length=400_000)]
    last_working_day: Day | None = None
    notice_date: Day | None = None
    reason: Line = ""
    jurisdiction: Annotated[str, Field(max_length=10)] = ""
    confidentiality: Line = ""
    starts_at: Moment | None = None
    batch_size: Annotated[int, Field(ge=1, le=1000)] | None = None

    def terms(self) -> Terms:
        """What holds for everybody."""
        return Terms(
            name=self.name,
            template_id=self.template,
            last_working_date=self.last_working_day,
            notice_date=self.notice_date,
            reason=self.reason,
            jurisdiction=self.jurisdiction,
            confidentiality=self.confidentiality,
            starts_at=self.starts_at,
            batch_size=self.batch_size,
        )


class Preparation(RoundBody):
    """The round, who may approve it, and the digest of the preview that was looked at."""

    approvers: Annotated[list[Line], Field(max_length=20)] = []
    digest: Annotated[str, Field(max_length=64)] | None = None


class Recall(Body):
    """Why, and of whom (`key` of people; without any, of everybody)."""

    reason: Reason
    people: Annotated[list[Annotated[int, Field(ge=1, le=2**31 - 1)]], Field(max_length=1000)] | None = None


@router.get("", response=Listing[RoundShape])
def list_all(request: HttpRequest, cursor: Cursor = None, limit: Limit = 50) -> HttpResponse:
    """The rounds that exist for the caller, newest first."""
    found = list_rounds(actor=actor_of(request))
    page, after = page_of(found, key=lambda each: str(each.pk), cursor=cursor, limit=limit)
    return listing([round_dict(each) for each in page], after)


@router.post("/preview", response=PreviewShape)
def preview(request: HttpRequest, body: RoundBody) -> HttpResponse:
    """Say what this round would be: every bad line, everybody's plan, owners' loads. Nothing is kept."""
    found = preview_round(
        terms=body.terms(), data=body.who.encode(), actor=actor_of(request), now=clock.now()
    )
    return reply(found.as_dict())


@router.post("", response={201: RoundView})
@idempotent
def prepare(request: HttpRequest, body: Preparation) -> HttpResponse:
    """Keep a round for a second person, who approves it on the web. Nobody of it leaves by this."""
    actor, now = actor_of(request), clock.now()
    found = prepare_round(
        terms=body.terms(),
        data=body.who.encode(),
        approvers=[find_user(email, field="approvers") for email in body.approvers],
        digest=body.digest,
        actor=actor,
        now=now,
    )
    return reply(round_view(found, actor, now=now), 201)


@router.get("/{round_id}", response=RoundView)
def show(
    request: HttpRequest,
    round_id: UUID,
    only: Only = "",
    search: Annotated[str, Query(max_length=100)] = "",
    cursor: Cursor = None,
    limit: Limit = 50,
) -> HttpResponse:
    """One round: its sums, and a page of its people with state, phase, what is next and late, and access."""
    actor, now = actor_of(request), clock.now()
    found = get_round(actor, round_id)
    return reply(round_view(found, actor, now=now, only=only, text=search, cursor=cursor, limit=limit))


@router.post("/{round_id}/recall", response=RoundView)
@idempotent
def recall(request: HttpRequest, round_id: UUID, body: Recall) -> HttpResponse:
    """Take a round, or some of it, back. Journeys that run are withdrawn soon afterwards."""
    actor, now = actor_of(request), clock.now()
    found = recall_round(
        found=get_round(actor, round_id), reason=body.reason, people=body.people, actor=actor, now=now
    )
    return reply(round_view(found, actor, now=now))
