"""What every page of the shell needs to know, in a handful of queries."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.db.models import Exists, IntegerField, QuerySet, Subquery, Value
from django.http import HttpRequest

from partwell import clock
from partwell.access.transfers.queries import coming_to
from partwell.departures.models import Departure
from partwell.departures.policies import visible_departures
from partwell.departures.states import DepartureState
from partwell.journeys.guests import own_departures
from partwell.journeys.queries import steps_of_mine
from partwell.journeys.states import StepState
from partwell.people.models import Installation, User
from partwell.people.roles import ROLE_LABELS
from partwell.web.navigation import address_of, may_follow, sections_for
from partwell.web.session import actor_of

MOST_COUNTED = 99


@dataclass(frozen=True)
class _Frame:
    """Whose installation this is, and the figures of the side bar; `is_leaving`: a journey of mine runs;
    `receives`: something is handed over to me."""

    company: str | None = ""
    is_practice: bool | None = False
    steps: int = 0
    departures: int = 0
    is_leaving: bool = False
    receives: bool = False


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
    def _frame(self) -> _Frame:
        """One query for all that the frame says, whoever looks."""
        here = Installation.objects.filter(pk=Installation.ONLY)
        if self._user is None:
            found = here.values_list("company_name", "is_practice").first()
            return _Frame(*found) if found else _Frame()
        actor = actor_of(self._request)
        asked = User.objects.filter(pk=self._user.pk).values_list(
            Subquery(here.values("company_name")),
            Subquery(here.values("is_practice")),
            _count_of(steps_of_mine(actor, StepState.OPEN)),
            _count_of(visible_departures(actor).filter(state=DepartureState.ACTIVE)),
            Exists(Departure.objects.filter(person_id=actor.person_id, state=DepartureState.ACTIVE))
            if actor.person_id
            else Value(False),
            Exists(coming_to(actor, now=clock.now())) if actor.person_id else Value(False),
        )
        return _Frame(*asked.get())

    @cached_property
    def _leaves(self) -> bool:
        """Whether the viewer's own departure has a page; only the few who leave cost the question."""
        return self._frame.is_leaving and own_departures(actor_of(self._request)).exists()

    @property
    def company(self) -> str:
        """Whose installation this is; empty before the first run."""
        return self._frame.company or ""

    @property
    def is_practice(self) -> bool:
        """Whether everything here is invented, for trying things out."""
        return bool(self._frame.is_practice)

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
        counts = {
            "web:my_steps": (_in_words(self._frame.steps), "open steps of yours"),
            "web:departures": (_in_words(self._frame.departures), "departures in flight"),
        }
        actor = actor_of(self._request)
        return sections_for(
            actor, self._request.path, counts, leaves=self._leaves, receives=self._frame.receives
        )

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


def _count_of(rows: QuerySet[Any]) -> Subquery:
    """How many there are, for a query of several such figures; never counts more than a side bar shows."""
    return Subquery(
        rows.order_by().values("pk")[: MOST_COUNTED + 1],
        output_field=IntegerField(),
        template="(SELECT COUNT(*) FROM (%(subquery)s) AS counted)",
    )


def _in_words(count: int) -> str:
    return f"{MOST_COUNTED}+" if count > MOST_COUNTED else str(count or "")


def shell(request: HttpRequest) -> dict[str, Shell]:
    """Context processor: `shell` in every template."""
    return {"shell": Shell(request)}
