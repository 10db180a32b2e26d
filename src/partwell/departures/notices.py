"""Notices: somebody says that a person or client leaves, and HR decides what follows.

Whoever may not start a journey alone (a line manager, say) gives notice, and always gets the same neutral
answer. So nobody learns from the answer that a need-to-know departure is under way already.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet

from partwell.departures.models import Departure, Notice
from partwell.departures.policies import visibility
from partwell.departures.states import Confidentiality, DepartureState, NoticeState
from partwell.people.actors import Actor, Channel
from partwell.people.roles import Role
from partwell.refusals import NotFound


def hidden_departures(actor: Actor) -> QuerySet[Departure]:
    """Active need-to-know departures that do not exist for this actor."""
    return Departure.objects.filter(
        state=DepartureState.ACTIVE, confidentiality=Confidentiality.NEED_TO_KNOW
    ).exclude(visibility(actor))


def visible_notices(actor: Actor) -> QuerySet[Notice]:
    """Notices that this actor settles: those of the departments whose journeys they may start as HR, but
    not those about somebody whose departure is hidden from them; those wait for the participants of that
    departure."""
    notices = Notice.objects.filter(state=NoticeState.WAITING)
    if actor.channel in (Channel.CONSOLE, Channel.ENGINE):
        return notices
    departments = [grant.department for grant in actor.grants if grant.role is Role.HR]
    if not departments:
        return notices.none()
    if "" not in departments:
        notices = notices.filter(
            Q(person__department__in=departments) | Q(client__account_manager__department__in=departments)
        )
    hidden = hidden_departures(actor)
    about_hidden = Q(Exists(hidden.filter(person_id=OuterRef("person_id")))) | Q(
        Exists(hidden.filter(client_id=OuterRef("client_id")))
    )
    own = Q(person_id=actor.person_id) if actor.person_id is not None else Q(pk__in=[])
    return notices.exclude(about_hidden).exclude(own)


def get_notice(actor: Actor, notice_id: UUID) -> Notice:
    """A waiting notice that this actor settles. Raises `NotFound`."""
    notice = visible_notices(actor).select_related("person", "client").filter(pk=notice_id).first()
    if notice is None:
        raise NotFound("notice")
    return notice


def notice_dict(notice: Notice) -> dict[str, Any]:
    """A notice as the API and the command line show it, to those who settle it."""
    return {
        "id": str(notice.pk),
        "subject": notice.subject_name,
        "person": notice.person.email if notice.person else None,
        "client": notice.client.client_ref if notice.client else None,
        "template": notice.scenario,
        "notice_date": notice.notice_date.isoformat(),
        "last_working_day": notice.last_working_date.isoformat(),
        "reason": notice.reason,
        "given_by": notice.given_by,
        "given_at": notice.given_at.isoformat(),
        "state": notice.state,
        "journey": str(notice.departure_id) if notice.departure_id else None,
    }
