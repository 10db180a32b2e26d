"""What every page of the shell needs to know, in a handful of queries."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest

from partwell.departures.policies import visible_departures
from partwell.departures.states import DepartureState
from partwell.journeys.queries import steps_of_mine
from partwell.journeys.states import StepState
from partwell.people.models import Installation, User
from partwell.people.roles import ROLE_LABELS
from partwell.web.navigation import address_of, may_follow, sections_for
from partwell.web.session import actor_of

MOST_COUNTED = 99


class Shell:
    """The frame around a page. Each part is worked out when a template first asks for it, and only then:
    an entrance page or a fragment costs nothing."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request

    @cached_property
    def _user(self) -> User | None:
        user = getattr(self._request, "user", None)
        return user if isinstance(user, User) and user.is_authenticated else None

    @cached_property
    def _installation(self) -> Installation | None:
        return Installation.objects.first()

    @property
    def company(self) -> str:
        """Whose installation this is; empty before the first run."""
        return self._installation.company_name if self._installation else ""

    @property
    def is_practice(self) -> bool:
        """Whether everything here is invented, for trying things out."""
        return bool(self._installation and self._installation.is_practice)

    @cached_property
    def me(self) -> dict[str, str] | None:
        """The signed-in user's name, and what they are in a few words."""
        if self._user is None:
            return None
        roles = sorted({ROLE_LABELS[grant.role] for grant in actor_of(self._request).grants})
        what = ", ".join(roles[:2]) + (f" and {len(roles) - 2} more" if len(roles) > 2 else "")
        without_roles = self._user.email if self._user.name else ""
        return {"name": self._user.name or self._user.email, "what": what or without_roles}

    @cached_property
    def sections(self) -> list[dict[str, object]]:
        """The side bar, with how much waits behind each link."""
        if self._user is None:
            return []
        actor = actor_of(self._request)
        mine = steps_of_mine(actor).filter(state=StepState.OPEN)
        open_departures = visible_departures(actor).filter(state=DepartureState.ACTIVE)
        counts = {
            "web:my_steps": (_count(mine), "open steps of yours"),
            "web:departures": (_count(open_departures), "departures in flight"),
        }
        return sections_for(actor, self._request.path, counts)

    @cached_property
    def start_url(self) -> str:
        """Where a departure is started, for those who may; line managers follow from the register."""
        if self._user is None or not (url := address_of("web:departure_start")):
            return ""
        actor = actor_of(self._request)
        if may_follow(actor, "journeys.start"):
            return url
        leads = self._user.person is not None and self._user.person.reports.exists()
        return url if leads else ""


def _count(rows: QuerySet[Any]) -> str:
    """How many there are, as far as a side bar needs to know; never counts more than it shows."""
    found = rows.order_by()[: MOST_COUNTED + 1].count()
    return f"{MOST_COUNTED}+" if found > MOST_COUNTED else str(found or "")


def shell(request: HttpRequest) -> dict[str, Shell]:
    """Context processor: `shell` in every template."""
    return {"shell": Shell(request)}
