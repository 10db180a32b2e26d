"""Putting a part of the set-up aside, and taking it up again."""

from __future__ import annotations

from datetime import datetime

from partwell.evidence.operations import record
from partwell.first_run.guide import ABOUT, view_guide
from partwell.first_run.models import PutAside
from partwell.first_run.states import Part, PartState
from partwell.people.actors import Actor
from partwell.people.authorisation import check_office, operation
from partwell.refusals import Conflict, Invalid

SCOPE = "installation"


@operation("setup.put_aside")
def put_aside(*, part: Part | str, actor: Actor, now: datetime) -> PutAside:
    """Say of a part that is not done that it is not for now; whoever looks is told, and may take it up.

    Raises `Invalid` for an unknown part, `Conflict` for one that is done or put aside already.
    """
    check_office(actor, "setup.put_aside")
    wanted = _part(part)
    state = next(each.state for each in view_guide(actor=actor).parts if each.part is wanted)
    if state is PartState.DONE:
        raise Conflict("part_done", f"“{ABOUT[wanted].title}” is done already.", field="part")
    if state is PartState.PUT_ASIDE:
        raise Conflict("put_aside_already", f"“{ABOUT[wanted].title}” is put aside already.", field="part")
    row = PutAside.objects.create(part=wanted.value, put_aside_at=now, put_aside_by=actor.label[:300])
    record("setup.put_aside", scope=SCOPE, actor=actor.label, at=now, fields={"part": wanted.value})
    return row


@operation("setup.take_up")
def take_up(*, part: Part | str, actor: Actor, now: datetime) -> None:
    """Want a part again that was put aside. Raises `Invalid` for an unknown part, `Conflict` for one that
    nobody put aside."""
    check_office(actor, "setup.take_up")
    wanted = _part(part)
    if not PutAside.objects.filter(part=wanted.value).delete()[0]:
        raise Conflict("not_put_aside", f"“{ABOUT[wanted].title}” is not put aside.", field="part")
    record("setup.taken_up", scope=SCOPE, actor=actor.label, at=now, fields={"part": wanted.value})


def _part(text: Part | str) -> Part:
    try:
        return Part(text)
    except ValueError:
        raise Invalid(
            "part_unknown",
            f"“{text}” is no part of the set-up. Choose one of: {', '.join(Part)}.",
            field="part",
        ) from None
