"""The steps of a journey: list, complete, skip, undo, reassign, claim, comment, attach."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Body as JsonBody
from ninja import Router

from partwell import clock
from partwell.api.answers import listing, page_of, reply
from partwell.api.authentication import actor_of
from partwell.api.bodies import file_of
from partwell.api.idempotency import idempotent
from partwell.api.shapes import (
    AttachmentShape,
    Body,
    CommentShape,
    Cursor,
    Limit,
    Line,
    Listing,
    Reason,
    StepShape,
    Text,
)
from partwell.documents.operations import store_file
from partwell.journeys import queries
from partwell.journeys.operations import steps as operations
from partwell.people.queries import find_user

router = Router(tags=["steps"])

UPLOAD: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "string", "format": "binary"}},
                }
            }
        },
    }
}


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


@router.get("/{journey_id}/steps", response=Listing[StepShape])
def list_steps(
    request: HttpRequest, journey_id: UUID, cursor: Cursor = None, limit: Limit = 200
) -> HttpResponse:
    """The steps in their order."""
    steps = queries.steps_of(queries.get_departure(actor_of(request), journey_id))
    page, after = page_of(steps, key=lambda step: step.key, cursor=cursor, limit=limit)
    return listing([queries.step_dict(step) for step in page], after)


@router.get("/{journey_id}/steps/{key}", response=StepShape)
def show(request: HttpRequest, journey_id: UUID, key: str) -> HttpResponse:
    """One step."""
    return reply(queries.step_dict(queries.get_step(actor_of(request), journey_id, key)))


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
    return reply({"author": said.author, "text": said.text, "written_at": said.written_at}, 201)


@router.post("/{journey_id}/steps/{key}/files", response={201: AttachmentShape}, openapi_extra=UPLOAD)
@idempotent
def attach(request: HttpRequest, journey_id: UUID, key: str) -> HttpResponse:
    """Attach a file, sent as the part `file` of a multipart body."""
    actor, now = actor_of(request), clock.now()
    step = queries.get_step(actor, journey_id, key)
    upload = file_of(request)
    stored = store_file(name=str(upload.name), stream=upload, actor_label=actor.label, now=now)
    operations.attach_file(step=step, file=stored, actor=actor, now=now)
    return reply(
        {"id": str(stored.pk), "name": stored.name, "size": stored.size, "sha256": stored.sha256}, 201
    )
