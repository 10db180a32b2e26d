"""Reading the registers: the installation, people, clients and who holds which role."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from django.conf import settings
from django.db.models import Model, Q, QuerySet
from django.db.models.functions import Lower

from partwell.paging import decode_cursor, encode_cursor
from partwell.people.actors import Actor
from partwell.people.authorisation import check_allowed, reading
from partwell.people.models import (
    Client,
    Contact,
    Contract,
    Installation,
    Person,
    PersonAlias,
    RoleGrant,
    User,
    fold,
)
from partwell.people.roles import GRANTABLE, Role
from partwell.refusals import Conflict, Invalid, NotFound

LONGEST_PAGE = 200
M = TypeVar("M", bound=Model)


def installation() -> Installation | None:
    """Whose installation this is; None until it was initialised. Asked anew each time, in one small query."""
    return Installation.objects.filter(pk=Installation.ONLY).first()


@dataclass(frozen=True)
class Place:
    """Where people are of whom nothing else is known: a country (ISO 3166, may be empty) and a timezone."""

    country: str
    timezone: str


def usual_place() -> Place:
    """Where the firm is, by its settings; where those are empty, by the environment. Asked anew each time, in
    one small query."""
    here = installation()
    return Place(
        country=(here.country if here else "") or settings.DEFAULT_COUNTRY,
        timezone=usual_timezone(here.timezone if here else ""),
    )


def usual_timezone(of_firm: str | None) -> str:
    """The timezone of `usual_place`, for who has read the firm's already: empty or None where it has none."""
    return of_firm or settings.DEFAULT_PERSON_TIMEZONE


@reading("settings.view")
def view_settings(*, actor: Actor) -> Installation:
    """Whose installation this is, for those who look after it. Raises `NotFound` before the first run."""
    check_allowed(actor, "settings.view", frozenset(grant.role.value for grant in actor.grants))
    if (here := installation()) is None:
        raise NotFound("installation")
    return here


def role_holders(role: Role | str, department: str = "") -> list[User]:
    """The users with an open account who hold `role`: first those for `department`, then firm-wide ones."""
    grants = (
        RoleGrant.objects.filter(role=Role(role).value, department__in={department, ""}, user__is_active=True)
        .select_related("user__person")
        .order_by("granted_at", "pk")
    )
    nearest_first = sorted(grants, key=lambda grant: grant.department == "")
    return list({grant.user_id: grant.user for grant in nearest_first}.values())


def nearest_holders(department: str = "", *, roles: Iterable[Role | str] = Role) -> dict[Role, list[User]]:
    """Who answers for each role in `department`, in one query: the department's own holders, or the firm-wide
    ones where it has none. All roles unless said otherwise; a role that nobody holds is left out."""
    grants = (
        RoleGrant.objects.filter(
            role__in=[Role(role).value for role in roles],
            department__in={department, ""},
            user__is_active=True,
        )
        .select_related("user")
        .order_by("granted_at", "pk")
    )
    own: dict[Role, list[User]] = {}
    firm_wide: dict[Role, list[User]] = {}
    for grant in grants:
        (own if grant.department else firm_wide).setdefault(Role(grant.role), []).append(grant.user)
    return firm_wide | own


def stand_ins(roles: Iterable[Role | str]) -> list[User]:
    """Who could take over steps of these roles, by name: everybody who may sign in and holds one of
    them; for roles that follow from the register, whoever answers for a colleague or client there."""
    wanted = {Role(role) for role in roles}
    could = Q(grants__role__in=[role.value for role in wanted & GRANTABLE])
    if Role.LINE_MANAGER in wanted:
        could |= Q(person__reports__isnull=False)
    if Role.ACCOUNT_MANAGER in wanted:
        could |= Q(person__clients__isnull=False)
    return list(User.objects.filter(could, is_active=True).distinct().order_by("name", "email"))


def list_grants() -> list[RoleGrant]:
    """Every role that is held, with its user, by e-mail address."""
    return list(RoleGrant.objects.select_related("user").order_by("user__email", "role", "department"))


def grant_dict(grant: RoleGrant) -> dict[str, Any]:
    """A held role as the API and the command line show it."""
    return {
        "email": grant.user.email,
        "name": grant.user.name,
        "role": grant.role,
        "department": grant.department,
        "granted_at": grant.granted_at.isoformat(),
        "granted_by": grant.granted_by,
    }


def settings_dict(here: Installation) -> dict[str, Any]:
    """Whose installation this is, as the API and the command line show it."""
    return {
        "company": here.company_name,
        "country": here.country,
        "timezone": here.timezone,
        "is_practice": here.is_practice,
    }


def people_by_address(email: str) -> QuerySet[Person]:
    """The person whose own address this is, whatever its case."""
    return Person.objects.annotate(own_address=Lower("email")).filter(own_address=email.strip().lower())


def find_person(text: str, *, field: str = "person") -> Person:
    """The one person with this e-mail address, alias or employee number.

    Raises `Invalid` for the named field when there is none, `Conflict` when it could mean two people.
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
            field=field,
        )
    if len(found) > 1:
        raise Conflict(
            "ambiguous_person",
            f"“{text}” could mean {' or '.join(sorted(p.email for p in found.values()))}. "
            "Use the e-mail address of the one you mean.",
            field=field,
        )
    return next(iter(found.values()))


def find_user(email: str, *, field: str = "email") -> User:
    """The account with this address that may sign in. Raises `Invalid` for the named field."""
    user = User.objects.filter(email__iexact=email.strip(), is_active=True).first()
    if user is None:
        raise Invalid(
            "user_unknown", f"Nobody here signs in as {email}. An administrator can let them in.", field=field
        )
    return user


def find_colleague(text: str, *, field: str = "person") -> Person | User:
    """The one colleague with this name, e-mail address, alias or employee number: their account, or their
    entry in the register where they have none.

    Raises `Invalid` when there is none, naming those whose names are near; `Conflict` when several are meant.
    """
    text = text.strip()
    account = User.objects.select_related("person").filter(email__iexact=text).first()
    if account is not None:
        return account
    found: list[Person | User] = []
    try:
        found.append(find_person(text))
    except Invalid:
        if text:
            found += Person.objects.filter(name_folded=fold(text)).order_by("email")
            # An account of its own has no folded name; there are few, and names are compared as they stand.
            found += User.objects.filter(person=None, name=text)
    if len(found) > 1:
        addresses = " or ".join(each.email for each in found[:5])
        raise Conflict(
            "ambiguous_person",
            f"Several are called “{text}”: {addresses}. Use the address of the one you mean.",
            field=field,
        )
    if not found:
        raise Invalid("unknown_person", f"Nobody here is called “{text}”. {_near(text)}", field=field)
    if isinstance(entry := found[0], Person):
        return User.objects.select_related("person").filter(person=entry).first() or entry
    return entry


def _near(text: str) -> str:
    """Who might be meant, or what to do where nobody is near."""
    people = Person.objects.order_by("name_folded", "pk")
    for word in fold(text).split():
        people = people.filter(name_folded__contains=word)
    near = [f"{person.name} <{person.email}>" for person in people[:3]] if text else []
    if near:
        return f"Did you mean {' or '.join(near)}?"
    return "Use a whole name or an e-mail address from the register."


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


@reading("people.view")
def list_people(
    *, actor: Actor, search: str = "", department: str = "", after: str | None = None, limit: int = 50
) -> tuple[list[Person], str | None]:
    """A page of the staff register by name, managers loaded, and the cursor of the next page or None.

    Every word of `search` must occur in a name, address, alias, title, department, username or number.
    """
    _check_may_read(actor, "people.view")
    people = Person.objects.select_related("manager")
    for word in fold(search).split():
        known_as = PersonAlias.objects.filter(email__icontains=word).values("person")
        people = people.filter(Q(search_text__contains=word) | Q(pk__in=known_as))
    if department:
        people = people.filter(department=department)
    return _page(people, after, limit)


@reading("clients.view")
def list_clients(
    *, actor: Actor, search: str = "", after: str | None = None, limit: int = 50
) -> tuple[list[Client], str | None]:
    """A page of the clients by name, account managers loaded, and the cursor of the next page or None.

    Every word of `search` must occur in the name, the reference or a contact.
    """
    _check_may_read(actor, "clients.view")
    clients = Client.objects.select_related("account_manager")
    for word in fold(search).split():
        contacts = Contact.objects.filter(Q(email__icontains=word) | Q(name__icontains=word)).values("client")
        clients = clients.filter(Q(search_text__contains=word) | Q(pk__in=contacts))
    return _page(clients, after, limit)


def view_person(person_id: int, *, actor: Actor) -> Person:
    """The register entry with `manager`, `aliases` and `reports` loaded. Raises `NotFound`.

    Whether somebody leaves is not the register's to tell: it stands in rooms above this one.
    """
    _check_may_read(actor, "people.view")
    people = Person.objects.select_related("manager").prefetch_related("aliases", "reports")
    if (person := people.filter(pk=person_id).first()) is None:
        raise NotFound("person")
    return person


def view_client(client_id: int, *, actor: Actor) -> Client:
    """The client with `account_manager`, `contacts` and `contracts` loaded. Raises `NotFound`."""
    _check_may_read(actor, "clients.view")
    clients = Client.objects.select_related("account_manager").prefetch_related("contacts", "contracts")
    if (client := clients.filter(pk=client_id).first()) is None:
        raise NotFound("client")
    return client


def list_contracts(
    *, actor: Actor, client_id: int | None = None, after: str | None = None, limit: int = 50
) -> tuple[list[Contract], str | None]:
    """A page of the contracts, of one client or of all, oldest entry first, and the next page's cursor."""
    _check_may_read(actor, "clients.view")
    contracts = Contract.objects.select_related("client").order_by("pk")
    if client_id is not None:
        contracts = contracts.filter(client_id=client_id)
    if key := decode_cursor(after, 1):
        contracts = contracts.filter(pk__gt=_number(key[0]))
    limit = min(max(limit, 1), LONGEST_PAGE)
    page = list(contracts[: limit + 1])
    return page[:limit], encode_cursor((page[limit - 1].pk,)) if len(page) > limit else None


def view_contract(contract_id: int, *, actor: Actor) -> Contract:
    """The contract with its client. Raises `NotFound`."""
    _check_may_read(actor, "clients.view")
    contract = Contract.objects.select_related("client").filter(pk=contract_id).first()
    if contract is None:
        raise NotFound("contract")
    return contract


def _check_may_read(actor: Actor, name: str) -> None:
    """The office's roles, and those whom the register itself names as somebody's manager."""
    held = {grant.role.value for grant in actor.grants}
    if actor.person_id is not None and not held:
        if Person.objects.filter(manager_id=actor.person_id).exists():
            held.add(Role.LINE_MANAGER.value)
        elif Client.objects.filter(account_manager_id=actor.person_id).exists():
            held.add(Role.ACCOUNT_MANAGER.value)
    check_allowed(actor, name, frozenset(held))


def _page(rows: QuerySet[M], after: str | None, limit: int) -> tuple[list[M], str | None]:
    if key := decode_cursor(after, 2):
        name, pk = key
        rows = rows.filter(Q(name_folded__gt=name) | Q(name_folded=name, pk__gt=_number(pk)))
    limit = min(max(limit, 1), LONGEST_PAGE)
    page = list(rows.order_by("name_folded", "pk")[: limit + 1])
    if len(page) <= limit:
        return page, None
    last: Any = page[limit - 1]
    return page[:limit], encode_cursor((last.name_folded, last.pk))


def _number(pk: str) -> int:
    if not (pk.isascii() and pk.isdigit() and len(pk) < 19):
        raise Invalid("cursor_unknown", "This cursor is not one of ours. Begin without one.", field="cursor")
    return int(pk)
