"""How far the set-up is: each part with its state, read from what is really there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from allauth.mfa.models import Authenticator
from django.conf import settings
from django.db.models import Count

from partwell.access.models import System, SystemSweep
from partwell.access.systems import answering, last_tests
from partwell.clock import is_known_country
from partwell.first_run.facts import ROLES_TO_FILL, Facts, read_facts
from partwell.first_run.models import Practice
from partwell.first_run.states import Part, PartState
from partwell.people.actors import Actor
from partwell.people.authorisation import check_office, reading
from partwell.people.models import Client, Person, User
from partwell.people.queries import nearest_holders, role_holders
from partwell.people.roles import ROLE_LABELS, Role
from partwell.refusals import NotFound


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


@reading("setup.view")
def view_guide(*, actor: Actor) -> Guide:
    """How far the set-up is. Raises `NotFound` before the first run."""
    check_office(actor, "setup.view")
    if (facts := read_facts()) is None:
        raise NotFound("installation")
    following = next(iter(facts.open), None)
    parts = []
    for part in Part:
        is_begun, said = _SAID[part](facts)
        if part in facts.done:
            state = PartState.DONE
        elif part in facts.put_aside:
            state = PartState.PUT_ASIDE
        else:
            state = PartState.BEGUN if is_begun else PartState.TO_DO
        parts.append(GuidePart(part, state, said, part is following))
    return Guide(tuple(parts))


def is_set_up_open() -> bool:
    """Whether a part waits to be done, in one query. For whom it is shown, the caller asks."""
    facts = read_facts()
    return facts is not None and bool(facts.open)


# Of each part in words what is there; and whether it is begun, where it is not done.
Said = tuple[bool, str]


def _company(facts: Facts) -> Said:
    mail = (
        f"Mail goes out as {settings.DEFAULT_FROM_EMAIL}."
        if settings.MAIL_SERVER
        else "No mail server is set yet, so mail stays in the outbox folder."
    )
    return False, f"{facts.here.company_name}. {mail}"


def _second_factor(facts: Facts) -> Said:
    admins = role_holders(Role.ADMIN)
    factors = Authenticator.objects.filter(user__in=admins, type=Authenticator.Type.TOTP)
    protected = len(set(factors.values_list("user_id", flat=True)))
    return protected > 0, f"Set up by {protected} of {_count(len(admins), 'administrator')}."


def _calendar(facts: Facts) -> Said:
    country, timezone = facts.here.country, facts.here.timezone
    if not country and not timezone:
        return False, "Not said yet: no public holidays, and times in UTC unless somebody has their own."
    if country and not is_known_country(country):
        # It may have been set before calendars were asked about.
        return True, f"No public holidays are known for “{country}”."
    if country and timezone:
        return True, f"{country}, {timezone}."
    return True, f"{country or timezone}; {'the timezone' if country else 'the country'} is missing."


def _roles(facts: Facts) -> Said:
    if not facts.empty_roles:
        return True, "Every role has somebody."
    names = _listed([ROLE_LABELS[role] for role in facts.empty_roles])
    return len(facts.empty_roles) < len(ROLES_TO_FILL), f"Nobody holds {names} for the whole firm."


def _people(facts: Facts) -> Said:
    count = Person.objects.count()
    if not count:
        return False, "Nobody is in the register."
    said = f"{count:,} {'person' if count == 1 else 'people'} in the register."
    led = Person.objects.filter(manager__isnull=False).exists()
    return True, said if led else f"{said} Nobody has a manager there yet."


def _clients(facts: Facts) -> Said:
    count = Client.objects.count()
    return bool(count), f"{_count(count, 'client') if count else 'No client is'} in the register."


def _system(facts: Facts) -> Said:
    names = list(answering().values_list("title", flat=True))
    if names:
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        return True, f"{names[0]}{more} answered the last test."
    by_file = SystemSweep.objects.exclude(source="").select_related("system").first()
    if by_file is not None:
        return True, f"A list of accounts in {by_file.system.title} was uploaded; no system answers."
    enabled = list(System.objects.filter(is_enabled=True))
    if not enabled:
        return False, "No system is connected."
    tests = last_tests()
    is_tested = any(system.name in tests for system in enabled)
    why = "none passed its last test as it is now" if is_tested else "none was tested yet"
    return True, f"{_count(len(enabled), 'system')} connected; {why}."


def _practice(facts: Facts) -> Said:
    ended = Practice.objects.filter(ended_at__isnull=False).order_by("-ended_at").select_related("user")
    if (last := ended.first()) is not None:
        return True, f"{last.user} tried it."
    if (running := Practice.objects.select_related("user").first()) is not None:
        return True, f"{running.user} is trying it, and has not ended it yet."
    return False, "Nobody has tried it."


_SAID: dict[Part, Callable[[Facts], Said]] = {
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


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
