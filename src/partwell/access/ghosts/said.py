"""Whose accounts are that nobody was known by, as people said: for whoever asks systems about somebody."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from partwell.access.models import Ghost
from partwell.access.states import GhostState, KeptAs
from partwell.people.models import Person


def said_to_be_of(person: Person) -> list[tuple[int, str]]:
    """The accounts that somebody said are this person's, by system and identifier there."""
    return list(_theirs().filter(person=person).values_list("system_id", "external_id"))


def said_to_be_of_leavers(departures: Collection[UUID], **where: Any) -> list[tuple[UUID, int, str]]:
    """The same of everybody whom these departures are of, with the departure first."""
    found = _theirs().filter(person__departures__in=departures, **where)
    return list(found.values_list("person__departures__pk", "system_id", "external_id"))


def _theirs() -> QuerySet[Ghost]:
    return Ghost.objects.filter(state=GhostState.KEPT, kept_as=KeptAs.THEIRS).order_by()
