"""How far the set-up is: each part with its state, read from what is really there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from allauth.mfa.models import Authenticator
from django.conf import settings
from django.db.models import Count

from partwell.access.models import System, SystemSweep
from partwell.access.systems import last_tests
from partwell.clock import is_known_country
from partwell.first_run.models import Practice, PutAside
from partwell.first_run.states import Part, PartState
from partwell.people.actors import Actor
from partwell.people.authorisation import check_office, reading
from partwell.people.models import Client, Installation, Person, User
from partwell.people.queries import installation, nearest_holders, role_holders
from partwell.people.roles import ROLE_LABELS, Role
from partwell.refusals import NotFound

ROLES_TO_FILL: dict[Role, str] = {
    Role.HR: "Plans departures and sees all that are not confidential. Empty: nobody can start one.",
    Role.IT_SECURITY: "Approves and cuts access. Empty: access plans wait for somebody who may.",
    Role.FINANCE: "Settles final pay and open invoices. Empty: those steps have no owner.",
    Role.LEGAL: "Looks after holds and disputes. Empty: those steps have no owner.",
    Role.EXECUTIVE: "Agrees when a journey closes with things open. Empty: HR or Legal must.",
}
"""Who has to be named, the one who is needed soonest first, and what it means that nobody is."""


@dataclass(frozen=True)
class About:
    """What a part is called, why it is worth doing, and about how many minutes it takes."""

    title: str
    why: str
    minutes: int


ABOUT: dict[Part, About] = {
    Part.COMPANY: About("Say whose Partwell this is", "Pages, mails and evidence carry the name.", 1),
    Part.SECOND_FACTOR: About(
        "Protect the administrators’ sign-in",
        "Roles and settings are changed only by somebody who has just shown a second factor.",
        2,
    ),
    Part.CALENDAR: About(
        "Set calendar and country",
        "Due dates count the working days of somebody’s country; this is the one for whoever has none.",
        1,
    ),
    Part.ROLES: About("Name who does what", "Steps go to whoever holds their role.", 2),
    Part.PEOPLE: About("Import your people", "Who leads whom decides who gets which step.", 3),
    Part.CLIENTS: About("Import your clients", "A contract that ends is a departure too.", 1),
    Part.SYSTEM: About("Connect the first system", "Only what is connected is asked, cut and read back.", 3),
    Part.PRACTICE: About(
        "Try it on yourself",
        "You see what a departure asks of people before anybody else does; nothing of it happens.",
        2,
    ),
}


@dataclass(frozen=True)
class GuidePart:
    """One part: its state, and in words what is there. `is_next` marks the first that waits to be done."""

    part: Part
    state: PartState
    said: str
    is_next: bool = False

    @property
    def about(self) -> About:
        return ABOUT[self.part]

    def as_dict(self) -> dict[str, Any]:
        """The part as the API and the command line show it."""
        return {
            "part": self.part.value,
            "title": self.about.title,
            "why": self.about.why,
            "minutes": self.about.minutes,
            "state": self.state.value,
            "said": self.said,
            "is_next": self.is_next,
        }


@dataclass(frozen=True)
class Guide:
    """The whole set-up."""

    parts: tuple[GuidePart, ...]

    @property
    def done(self) -> int:
        """How many parts are done."""
        return sum(each.state is PartState.DONE for each in self.parts)

    @property
    def next(self) -> GuidePart | None:
        """What to do now; None once everything is done or put aside."""
        return next((each for each in self.parts if each.is_next), None)

    @property
    def is_finished(self) -> bool:
        """Whether nothing waits to be done."""
        return self.next is None

    @property
    def minutes_left(self) -> int:
        """About how long the parts take that are neither done nor put aside."""
        return sum(each.about.minutes for each in self.parts if each.state in _OPEN)

    def as_dict(self) -> dict[str, Any]:
        """The set-up as the API and the command line show it."""
        return {
            "done": self.done,
            "total": len(self.parts),
            "is_finished": self.is_finished,
            "minutes_left": self.minutes_left,
            "parts": [each.as_dict() for each in self.parts],
        }


_OPEN = (PartState.TO_DO, PartState.BEGUN)
Found = tuple[PartState, str]


@reading("setup.view")
def view_guide(*, actor: Actor) -> Guide:
    """How far the set-up is. Raises `NotFound` before the first run."""
    check_office(actor, "setup.view")
    if (here := installation()) is None:
        raise NotFound("installation")
    aside = {row.part: row for row in PutAside.objects.all()}
    parts: list[GuidePart] = []
    is_next_known = False
    for part in Part:
        state, said = _LOOK[part](here)
        if state in _OPEN and part.value in aside:
            state = PartState.PUT_ASIDE
        is_next = state in _OPEN and not is_next_known
        is_next_known = is_next_known or is_next
        parts.append(GuidePart(part, state, said, is_next))
    return Guide(tuple(parts))


def is_set_up_open() -> bool:
    """Whether a part waits to be done, in as few queries as that takes. For whom it is shown, the caller
    asks."""
    if (here := installation()) is None:
        return False
    aside = set(PutAside.objects.values_list("part", flat=True))
    return any(_LOOK[part](here)[0] in _OPEN for part in Part if part.value not in aside)


def _company(here: Installation) -> Found:
    mail = (
        f"Mail goes out as {settings.DEFAULT_FROM_EMAIL}."
        if settings.MAIL_SERVER
        else "No mail server is set yet, so mail stays in the outbox folder."
    )
    return PartState.DONE, f"{here.company_name}. {mail}"


def _second_factor(here: Installation) -> Found:
    admins = role_holders(Role.ADMIN)
    protected = set(
        Authenticator.objects.filter(user__in=admins, type=Authenticator.Type.TOTP).values_list(
            "user_id", flat=True
        )
    )
    said = f"{len(protected)} of {_count(len(admins), 'administrator')} {_has(len(protected))} one."
    if admins and len(protected) == len(admins):
        return PartState.DONE, said
    return (PartState.BEGUN if protected else PartState.TO_DO), said


def _calendar(here: Installation) -> Found:
    if here.country and here.timezone:
        # A country may have been set before its calendar was asked about.
        if is_known_country(here.country):
            return PartState.DONE, f"{here.country}, {here.timezone}."
        return PartState.BEGUN, f"No public holidays are known for “{here.country}”."
    if here.country or here.timezone:
        missing = "the timezone" if here.country else "the country"
        return PartState.BEGUN, f"{here.country or here.timezone}; {missing} is missing."
    return (
        PartState.TO_DO,
        "Not said yet: no public holidays, and times in UTC unless somebody has their own.",
    )


def _roles(here: Installation) -> Found:
    held = firm_wide_holders()
    empty = [ROLE_LABELS[role] for role in ROLES_TO_FILL if role not in held]
    if not empty:
        return PartState.DONE, "Every role has somebody."
    return (
        PartState.BEGUN if held else PartState.TO_DO
    ), f"Nobody holds {_listed(empty)} for the whole firm."


def _people(here: Installation) -> Found:
    count = Person.objects.count()
    if not count:
        return PartState.TO_DO, "Nobody is in the register."
    led = Person.objects.filter(manager__isnull=False).exists()
    said = f"{count:,} {'person' if count == 1 else 'people'} in the register."
    return PartState.DONE, said if led else f"{said} Nobody has a manager there yet."


def _clients(here: Installation) -> Found:
    count = Client.objects.count()
    if not count:
        return PartState.TO_DO, "No client is in the register."
    return PartState.DONE, f"{_count(count, 'client')} in the register."


def _system(here: Installation) -> Found:
    enabled = list(System.objects.filter(is_enabled=True))
    tests = last_tests()
    answering = [
        system
        for system in enabled
        if (test := tests.get(system.name)) is not None and test.is_ok and test.is_of(system)
    ]
    if answering:
        more = f" and {len(answering) - 1} more" if len(answering) > 1 else ""
        return PartState.DONE, f"{answering[0].title}{more} answered the last test."
    by_file = SystemSweep.objects.exclude(source="").select_related("system").first()
    if by_file is not None:
        return (
            PartState.BEGUN,
            f"A list of the accounts in {by_file.system.title} was uploaded; no system answers.",
        )
    if enabled:
        tested = any(system.name in tests for system in enabled)
        why = "none passed its last test as it is now" if tested else "none was tested yet"
        return PartState.BEGUN, f"{_count(len(enabled), 'system')} connected; {why}."
    return PartState.TO_DO, "No system is connected."


def _practice(here: Installation) -> Found:
    ended = Practice.objects.filter(ended_at__isnull=False).order_by("-ended_at").select_related("user")
    if (last := ended.first()) is not None:
        return PartState.DONE, f"{last.user} tried it."
    if (running := Practice.objects.select_related("user").first()) is not None:
        return PartState.BEGUN, f"{running.user} is trying it, and has not ended it yet."
    return PartState.TO_DO, "Nobody has tried it."


_LOOK: dict[Part, Callable[[Installation], Found]] = {
    Part.COMPANY: _company,
    Part.SECOND_FACTOR: _second_factor,
    Part.CALENDAR: _calendar,
    Part.ROLES: _roles,
    Part.PEOPLE: _people,
    Part.CLIENTS: _clients,
    Part.SYSTEM: _system,
    Part.PRACTICE: _practice,
}


def firm_wide_holders() -> dict[Role, list[User]]:
    """Who holds each role that has to be filled, for the whole firm; a role of nobody is left out."""
    return nearest_holders(roles=ROLES_TO_FILL)


def countries_of_work() -> list[tuple[str, int]]:
    """In which countries people of the register work, and how many in each, most first; those who have left
    do not count, and an empty country stands for those of whom none is known."""
    rows = (
        Person.objects.filter(left_on_date=None)
        .values_list("country")
        .annotate(people=Count("pk"))
        .order_by("-people", "country")
    )
    return [(country, people) for country, people in rows]


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _has(number: int) -> str:
    return "has" if number == 1 else "have"


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
