"""What is really there of each part of the set-up, in one query, so that Today can ask it each time."""

from __future__ import annotations

from dataclasses import dataclass

from allauth.mfa.models import Authenticator
from django.db.models import Exists, OuterRef, QuerySet

from partwell.access.systems import answering
from partwell.clock import is_known_country
from partwell.first_run.models import Practice, PutAside
from partwell.first_run.states import Part
from partwell.people.models import Client, Installation, Person, RoleGrant
from partwell.people.roles import Role

ROLES_TO_FILL: dict[Role, str] = {
    Role.HR: "Plans departures and sees all that are not confidential. Empty: notices wait, and nobody "
    "starts one.",
    Role.IT_SECURITY: "Approves and cuts access. Empty: access plans wait for somebody who may.",
    Role.FINANCE: "Settles final pay and open invoices. Empty: those steps have no owner.",
    Role.LEGAL: "Looks after holds and disputes. Empty: those steps have no owner.",
    Role.EXECUTIVE: "Agrees when a journey closes with things open. Empty: HR or Legal must.",
}
"""Who has to be named, the one who is needed soonest first, and what it means that nobody is."""


@dataclass(frozen=True)
class Facts:
    """The installation, which parts are done, which somebody put aside, and which roles nobody holds for the
    whole firm."""

    here: Installation
    done: frozenset[Part]
    put_aside: frozenset[Part]
    empty_roles: tuple[Role, ...]

    @property
    def open(self) -> tuple[Part, ...]:
        """The parts that wait to be done, in their order."""
        return tuple(part for part in Part if part not in self.done and part not in self.put_aside)


def read_facts() -> Facts | None:
    """How far the set-up is; None before the first run."""
    row = (
        Installation.objects.filter(pk=Installation.ONLY)
        .annotate(
            has_admin=Exists(_holders(Role.ADMIN)),
            has_unprotected_admin=Exists(_holders(Role.ADMIN).exclude(Exists(_second_factors()))),
            has_people=Exists(Person.objects.all()),
            has_clients=Exists(Client.objects.all()),
            has_answering_system=Exists(answering()),
            was_practised=Exists(Practice.objects.filter(ended_at__isnull=False)),
            **{f"has_{role}": Exists(_holders(role)) for role in ROLES_TO_FILL},
            **{f"without_{part}": Exists(PutAside.objects.filter(part=part)) for part in Part},
        )
        .first()
    )
    if row is None:
        return None
    empty = tuple(role for role in ROLES_TO_FILL if not getattr(row, f"has_{role}"))
    done = {
        Part.COMPANY: bool(row.company_name),
        Part.SECOND_FACTOR: row.has_admin and not row.has_unprotected_admin,
        Part.CALENDAR: bool(row.timezone) and is_known_country(row.country),
        Part.ROLES: not empty,
        Part.PEOPLE: row.has_people,
        Part.CLIENTS: row.has_clients,
        Part.SYSTEM: row.has_answering_system,
        Part.PRACTICE: row.was_practised,
    }
    return Facts(
        here=row,
        done=frozenset(part for part, is_done in done.items() if is_done),
        put_aside=frozenset(part for part in Part if getattr(row, f"without_{part}")),
        empty_roles=empty,
    )


def _holders(role: Role) -> QuerySet[RoleGrant]:
    """Who holds a role for the whole firm and can sign in."""
    return RoleGrant.objects.filter(role=role.value, department="", user__is_active=True)


def _second_factors() -> QuerySet[Authenticator]:
    factors: QuerySet[Authenticator] = Authenticator.objects.filter(
        user=OuterRef("user"), type=Authenticator.Type.TOTP
    )
    return factors
