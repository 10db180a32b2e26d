"""Reading the registers: the installation, people, clients and who holds which role."""

from __future__ import annotations

from django.db.models import QuerySet
from django.db.models.functions import Lower

from partwell.people.models import Client, Installation, Person, RoleGrant, User, fold
from partwell.people.roles import Role
from partwell.refusals import Conflict, Invalid, NotFound


def installation() -> Installation | None:
    """Whose installation this is; None until it was initialised. Asked anew each time, in one small query."""
    return Installation.objects.filter(pk=Installation.ONLY).first()


def role_holders(role: Role | str, department: str = "") -> list[User]:
    """The users with an open account who hold `role`: first those for `department`, then firm-wide ones."""
    grants = (
        RoleGrant.objects.filter(role=Role(role).value, department__in={department, ""}, user__is_active=True)
        .select_related("user__person")
        .order_by("granted_at", "pk")
    )
    nearest_first = sorted(grants, key=lambda grant: grant.department == "")
    return list({grant.user_id: grant.user for grant in nearest_first}.values())


def nearest_role_holders(role: Role | str, department: str = "") -> list[User]:
    """Who answers for `role` in `department`: its own holders, or the firm-wide ones where it has none."""
    grants = list(
        RoleGrant.objects.filter(role=Role(role).value, department__in={department, ""}, user__is_active=True)
        .select_related("user")
        .order_by("granted_at", "pk")
    )
    own = [grant.user for grant in grants if grant.department]
    return own or [grant.user for grant in grants]


def list_grants() -> list[RoleGrant]:
    """Every role that is held, with its user, by e-mail address."""
    return list(RoleGrant.objects.select_related("user").order_by("user__email", "role", "department"))


def people_by_address(email: str) -> QuerySet[Person]:
    """The person whose own address this is, whatever its case."""
    return Person.objects.annotate(own_address=Lower("email")).filter(own_address=email.strip().lower())


def find_person(text: str) -> Person:
    """The one person with this e-mail address, alias or employee number.

    Raises `Invalid` when there is none, `Conflict` when it could mean two people.
    """
    text = text.strip()
    found = {person.pk: person for person in people_by_address(text)}
    known_as = Person.objects.annotate(alias=Lower("aliases__email")).filter(alias=text.lower())
    found |= {person.pk: person for person in known_as}
    if text:
        found |= {person.pk: person for person in Person.objects.filter(employee_number=text)}
    if not found:
        raise Invalid(
            "unknown_person",
            f"Nobody in the register has the e-mail address, alias or employee number “{text}”. "
            "Check it, or import them first.",
            field="person",
        )
    if len(found) > 1:
        raise Conflict(
            "ambiguous_person",
            f"“{text}” could mean {' or '.join(sorted(p.email for p in found.values()))}. "
            "Use the e-mail address of the one you mean.",
            field="person",
        )
    return next(iter(found.values()))


def find_client(ref_or_name: str) -> Client:
    """The one client with this `client_ref` or, when no reference matches, this name.

    Raises `Invalid` when there is none, `Conflict` when several clients have the name.
    """
    text = ref_or_name.strip()
    if text and (by_ref := Client.objects.filter(client_ref=text).first()):
        return by_ref
    named = list(Client.objects.filter(name_folded=fold(text))[:5]) if text else []
    if not named:
        raise Invalid(
            "unknown_client",
            f"No client has the reference or name “{text}”. Check it, or import the client first.",
            field="client",
        )
    if len(named) > 1:
        refs = ", ".join(sorted(client.client_ref or "(no reference)" for client in named))
        raise Conflict(
            "ambiguous_client",
            f"Several clients are called “{text}” ({refs}). Use the reference of the one you mean.",
            field="client",
        )
    return named[0]


def get_person(person_id: int) -> Person:
    """The register entry with its manager. Raises `NotFound`."""
    person = Person.objects.select_related("manager").filter(pk=person_id).first()
    if person is None:
        raise NotFound("person")
    return person
