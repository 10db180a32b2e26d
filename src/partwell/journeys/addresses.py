"""Addresses of pages, for mails. This room does not know the web room, only the names of its pages."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from uuid import UUID

from django.conf import settings
from django.urls import NoReverseMatch, reverse

from partwell.departures.models import Departure
from partwell.people.invitations import invitation_token
from partwell.people.models import User


def page(name: str, *args: object) -> str:
    """The whole address of a page, or of the first page where this installation has no such page."""
    return f"{settings.BASE_URL}{_path(name, *args)}"


# All owners of a departure are written to at once, with the same address.
@lru_cache(maxsize=256)
def _path(name: str, *args: object) -> str:
    try:
        return reverse(name, args=args)
    except NoReverseMatch:
        return "/"


def first_page() -> str:
    """Where everybody begins."""
    return page("web:home")


def my_steps_page() -> str:
    """Where everybody has their own steps, of all journeys."""
    return page("web:my_steps")


def round_page(round_id: UUID) -> str:
    """Where a round is approved, and its board is."""
    return page("web:round", round_id)


def journey_page(departure: Departure) -> str:
    """Where those on the inside see the journey."""
    return page("web:journey", departure.pk)


def upkeep_page(template_id: str) -> str:
    """Where a template's owner says that it still holds."""
    return page("web:template_upkeep", template_id)


def guest_page(token: str) -> str:
    """Where a guest opens their page."""
    return page("web:guest_open", token)


def invitation_page(user: User, *, now: datetime) -> str:
    """Where somebody sets their first password."""
    return page("web:invitation", invitation_token(user, now=now))
