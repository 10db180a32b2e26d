"""Steps: those of a journey, and one's own; add, complete, skip, undo, reassign, claim, comment, attach."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from django.http import FileResponse, HttpRequest, HttpResponse
from ninja import Body as JsonBody
from ninja import Query, Router

from partwell import clock
from partwell.api.answers import listing, page_of, reply
from partwell.api.authentication import actor_of
from partwell.api.bodies import UPLOAD, file_of
from partwell.api.idempotency import idempotent
from partwell.api.shapes import Body, Cursor, Day, Limit, Line, Listing, Reason, Text
from partwell.api.shapes.journeys import AttachmentShape, CommentShape, MyStepShape, StepDetail, StepShape
from partwell.documents.operations import download_headers, open_file, store_file
from partwell.journeys import queries, step_dicts
from partwell.journeys.operations import steps as operations
from partwell.journeys.states import StepState
from partwell.paging import decode_place, encode_cursor
from partwell.people.queries import find_user
from partwell.people.roles import Role
from partwell.refusals import NotFound

router = Router(tags=["steps"])
mine = Router(tags=["steps"])

FILE: dict[str, Any] = {
    "responses": {
        200: {
            "description": "The file as it was attached",
            "content": {"*/*": {"schema": {"type": "string", "format": "binary"}}},
        }
    }
}


class NewStep(Body):
    """A step of one's own; due at the end of that day where the leaver is."""

    title: Annotated[str, JsonBody(max_length=140)]
    phase: Annotated[int, JsonBody(ge=1, le=10)]
    due_date: Day
    owner: Annotated[Line, JsonBody(description="E-mail address of whoever does it.")]
    guidance: Text = ""
    required: Annotated[bool, JsonBody(description="The journey cannot close before it is done.")] = False


class Completion(Body):
    """The evidence that the step asks for; files are attached before."""

    note: Text = ""
    link: Annotated[str, JsonBody(max_length=1000)] = ""


class Skipping(Body):
    """Why a step is left out."""

    reason: Reason


class Handing(Body):
    """The new owner's e-mail address."""

    to: Line


class Saying(Body):
    """A comment for the others on the inside."""

    text: Text


@mine.get("", response=Listing[MyStepShape])
def list_mine(
    request: HttpRequest,
    claimable: Annotated[bool, Query(description="Instead, those that one's teams can claim.")] = False,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> HttpResponse:
    """The pending steps of the token's user in all journeys, soonest first."""
    steps_for = queries.claimable_steps if claimable else queries.my_steps
    found = steps_for(actor_of(request), after=decode_place(cursor), limit=limit + 1)
    page = found[:limit]
    after = (page[-1].due_at.isoformat(), page[-1].pk) if len(found) > limit else None
    around = queries.around(page)
    items = [step_dicts.my_step_dict(step, around=around[step.journey_id]) for step in page]
    return listing(items, encode_cursor(after))


@router.get("/{journey_id}/steps", response=Listing[StepShape])
def list_steps(
    request: HttpRequest,
    journey_id: UUID,
    state: Annotated[StepState | None, Query(description="Those in this state alone.")] = None,
    role: Annotated[Role | None, Query(description="Those of this role alone.")] = None,
    cursor: Cursor = None,
    limit: Limit = 200,
) -> HttpResponse:
    """The steps in their order."""
    steps = [
        step
        for step in queries.steps_of(queries.get_departure(actor_of(request), journey_id))
        if state in (None, step.state) and role in (None, step.role)
    ]
    page, after = page_of(steps, key=lambda step: step.key, cursor=cursor, limit=limit)
    return listing([queries.step_dict(step) for step in page], after)


@router.post("/{journey_id}/steps", response={201: StepShape})
@idempotent
def add(request: HttpRequest, journey_id: UUID, body: NewStep) -> HttpResponse:
    """Add a step of one's own to a running journey."""
    actor = actor_of(request)
    departure = queries.get_departure(actor, journey_id)
    step = operations.add_step(
        departure=departure,
        title=body.title,
        phase=body.phase,
        due_at=clock.at_local(body.due_date, clock.DEFAULT_WORKDAY_END, departure.timezone),
        owner=find_user(body.owner, field="owner"),
        guidance=body.guidance,
        is_required=body.required,
        actor=actor,
        now=clock.now(),
    )
    return reply(queries.step_dict(step), 201)


@router.get("/{journey_id}/steps/{key}", response=StepDetail)
def show(request: HttpRequest, journey_id: UUID, key: str) -> HttpResponse:
    """One step with its guidance, files and comments."""
    return reply(step_dicts.step_detail_dict(queries.get_step(actor_of(request), journey_id, key)))


@router.get("/{journey_id}/steps/{key}/files/{file_id}", openapi_extra=FILE)
def download(request: HttpRequest, journey_id: UUID, key: str, file_id: UUID) -> FileResponse:
    """The content of a file that is attached to the step."""
    step = queries.get_step(actor_of(request), journey_id, key)
    attached = step.attachments.select_related("file").filter(file_id=file_id).first()
    if attached is None:
        raise NotFound("file")
    response = FileResponse(open_file(attached.file))
    for name, value in download_headers(attached.file).items():
        response[name] = value
    return response


@router.post("/{journey_id}/steps/{key}/complete", response=StepShape)
@idempotent
def complete(request: HttpRequest, journey_id: UUID, key: str, body: Completion) -> HttpResponse:
    """Complete an open step with the evidence that it asks for."""
    actor = actor_of(request)
    step = operations.complete_step(
        step=queries.get_step(actor, journey_id, key),
        note=body.note,
        link=body.link,
        actor=actor,
        now=clock.now(),
    )
    return reply(queries.step_dict(step))


@router.post("/{journey_id}/steps/{key}/skip", response=StepShape)
@idempotent
def skip(request: HttpRequest, journey_id: UUID, key: str, body: Skipping) -> HttpResponse:
    """Leave a step out, with a reason that stays on the record."""
    actor = actor_of(request)
    step = operations.skip_step(
        step=queries.get_step(actor, journey_id, key), reason=body.reason, actor=actor, now=clock.now()
    )
    return reply(queries.step_dict(step))


@router.post("/{journey_id}/steps/{key}/undo", response=StepShape)
@idempotent
def undo(request: HttpRequest, journey_id: UUID, key: str) -> HttpResponse:
    """Take back a completion or a skip."""
    actor = actor_of(request)
    step = operations.undo_step(step=queries.get_step(actor, journey_id, key), actor=actor, now=clock.now())
    return reply(queries.step_dict(step))


@router.post("/{journey_id}/steps/{key}/reassign", response=StepShape)
@idempotent
def reassign(request: HttpRequest, journey_id: UUID, key: str, body: Handing) -> HttpResponse:
    """Give a pending step to somebody else."""
    actor = actor_of(request)
    found = queries.get_step(actor, journey_id, key)
    step = operations.reassign_step(
        step=found, to=find_user(body.to, field="to"), actor=actor, now=clock.now()
    )
    return reply(queries.step_dict(step))


@router.post("/{journey_id}/steps/{key}/claim", response=StepShape)
@idempotent
def claim(request: HttpRequest, journey_id: UUID, key: str) -> HttpResponse:
    """Take a step from the queue of a team that the token's user belongs to."""
    actor = actor_of(request)
    step = operations.claim_step(step=queries.get_step(actor, journey_id, key), actor=actor, now=clock.now())
    return reply(queries.step_dict(step))


@router.post("/{journey_id}/steps/{key}/comments", response={201: CommentShape})
@idempotent
def comment(request: HttpRequest, journey_id: UUID, key: str, body: Saying) -> HttpResponse:
    """Say something about a step to the others on the inside."""
    actor = actor_of(request)
    said = operations.comment_on_step(
        step=queries.get_step(actor, journey_id, key), text=body.text, actor=actor, now=clock.now()
    )
    return reply(step_dicts.comment_dict(said), 201)


@router.post("/{journey_id}/steps/{key}/files", response={201: AttachmentShape}, openapi_extra=UPLOAD)
@idempotent
def attach(request: HttpRequest, journey_id: UUID, key: str) -> HttpResponse:
    """Attach a file, sent as the part `file` of a multipart body."""
    actor, now = actor_of(request), clock.now()
    step = queries.get_step(actor, journey_id, key)
    upload = file_of(request)
    stored = store_file(name=str(upload.name), stream=upload, actor_label=actor.label, now=now)
    attached = operations.attach_file(step=step, file=stored, actor=actor, now=now)
    return reply(step_dicts.attachment_dict(attached), 201)
