"""Reading about the kill switch: a cut as people and programs see it, through the eyes of an actor."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any
from uuid import UUID

from django.db.models import Count, Exists, OuterRef, QuerySet

from partwell.access.models import AccountRecord, Cut
from partwell.access.states import SETTLED, AccessState, Link
from partwell.departures.policies import visible_departures
from partwell.people.actors import Actor
from partwell.refusals import NotFound


def visible_cuts(actor: Actor) -> QuerySet[Cut]:
    """The cuts all of whose departures exist for this actor, newest first."""
    outside = Cut.departures.through.objects.filter(cut_id=OuterRef("pk")).exclude(
        departure_id__in=visible_departures(actor, to="access.view").values("pk")
    )
    return Cut.objects.filter(~Exists(outside)).annotate(people=Count("departures"))


def get_cut(actor: Actor, cut_id: UUID | str) -> Cut:
    """One cut; `NotFound` where any of its departures does not exist for the actor."""
    try:
        key = cut_id if isinstance(cut_id, UUID) else UUID(cut_id)
    except ValueError:
        raise NotFound("cut") from None
    found = visible_cuts(actor).filter(pk=key).first()
    if found is None:
        raise NotFound("cut")
    return found


def cut_dict(cut: Cut) -> dict[str, Any]:
    """A cut as the API and the command line list it."""
    return {
        "id": str(cut.pk),
        "title": cut.title,
        "reason": cut.reason,
        "state": cut.state,
        "ordered_by": cut.ordered_by,
        "ordered_at": cut.ordered_at.isoformat(),
        "approved_by": cut.approved_by or None,
        "fire_at": cut.fire_at.isoformat() if cut.fire_at else None,
        "fired_at": cut.fired_at.isoformat() if cut.fired_at else None,
        "stage_size": cut.stage_size,
        "hold_above_percent": cut.hold_above_percent,
        "held_at": cut.held_at.isoformat() if cut.held_at else None,
        "review_due_at": cut.review_due_at.isoformat() if cut.review_due_at else None,
        "reviewed_by": cut.reviewed_by or None,
        "review_note": cut.review_note,
    }


def cut_view(cut: Cut) -> dict[str, Any]:
    """A cut with what became of everybody's accounts: four queries, whatever the size."""
    counts: dict[object, Counter[str]] = defaultdict(Counter)
    departures = list(cut.departures.order_by("subject_name", "pk"))
    begun = set(cut.plans.values_list("departure_id", flat=True))
    for pk, state, count in (
        AccountRecord.objects.filter(departure__in=departures)
        .exclude(link=Link.NOT_OURS)
        .values_list("departure_id", "state")
        .annotate(count=Count("pk"))
        .order_by()
    ):
        counts[pk][state] = count
    people = [
        {
            "id": str(departure.pk),
            "subject": departure.subject_name,
            "is_begun": departure.pk in begun,
            "accounts": sum(counts[departure.pk].values()),
            "verified": counts[departure.pk][AccessState.VERIFIED],
            "settled": sum(counts[departure.pk][state] for state in SETTLED),
            "failed": counts[departure.pk][AccessState.FAILED],
            "unreachable": counts[departure.pk][AccessState.UNREACHABLE],
        }
        for departure in departures
    ]
    total: Counter[str] = Counter()
    for each in counts.values():
        total += each
    return {**cut_dict(cut), "people": people, "counts": dict(total)}
