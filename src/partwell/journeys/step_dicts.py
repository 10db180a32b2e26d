"""One step, its files and its comments as the API and the command line show them."""

from __future__ import annotations

from typing import Any

from partwell.journeys.models import Attachment, Comment, Step
from partwell.journeys.queries import Around, step_dict


def step_detail_dict(step: Step) -> dict[str, Any]:
    """A step with all that stands on its page: how to do it, what proves it, what people said."""
    return {
        **step_dict(step),
        "guidance": step.guidance,
        "due_rule": step.due_rule,
        "needs": list(step.needs),
        "link": step.link,
        "files": [attachment_dict(each) for each in step.attachments.select_related("file")],
        "comments": [comment_dict(each) for each in step.comments.all()],
    }


def attachment_dict(attachment: Attachment) -> dict[str, Any]:
    """A file that is attached to a step; `id` is the file's, by which its content is asked for."""
    file = attachment.file
    return {
        "id": str(file.pk),
        "name": file.name,
        "size": file.size,
        "sha256": file.sha256,
        "attached_by": attachment.attached_by,
        "attached_at": attachment.attached_at.isoformat(),
    }


def comment_dict(comment: Comment) -> dict[str, Any]:
    """What somebody said about a step."""
    return {"author": comment.author, "text": comment.text, "written_at": comment.written_at.isoformat()}


def my_step_dict(step: Step, *, around: Around) -> dict[str, Any]:
    """A step in a list over several journeys: with whose it is."""
    return {**step_dict(step), "journey": str(step.journey_id), "subject": around.subject}
