"""Whom a list or a filter means, for a cut of many: everybody once, and every line that names nobody."""

from __future__ import annotations

import csv
import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models.functions import Lower

from partwell import clock
from partwell.access.forecasting import time_of_cut
from partwell.people.actors import Actor
from partwell.people.authorisation import check_office
from partwell.people.imports.reading import Unreadable, decode
from partwell.people.models import Client, Contact, Person, PersonAlias
from partwell.refusals import Invalid

# What the first line of a file says where it names its column and nobody.
HEADINGS = {"email", "e-mail", "person", "employee_number", "client_ref", "client", "who"}
AT_ONCE = 500
NOBODY = "Nobody in the registers has this address, number or name."


@dataclass(frozen=True)
class Problem:
    """A line that names nobody, or several. Lines count from 1."""

    line: int
    value: str
    reason: str


@dataclass(frozen=True)
class Group:
    """Who is meant, and who is not although the list or the filter names them."""

    people: tuple[Person, ...]
    clients: tuple[Client, ...]
    problems: tuple[Problem, ...]
    left_out: tuple[tuple[str, str], ...]

    @property
    def size(self) -> int:
        return len(self.people) + len(self.clients)

    @property
    def digest(self) -> str:
        """Names exactly these, so that what is ordered is what was looked at."""
        keys = [f"person {p.pk}" for p in self.people] + [f"client {c.pk}" for c in self.clients]
        return hashlib.sha256("\n".join(sorted(keys)).encode()).hexdigest()[:16]

    def as_dict(self) -> dict[str, object]:
        """The shape that programs read."""
        return {
            "people": [{"name": p.name, "email": p.email} for p in self.people],
            "clients": [{"name": c.name, "client_ref": c.client_ref} for c in self.clients],
            "problems": [vars(problem) for problem in self.problems],
            "left_out": [{"name": name, "reason": reason} for name, reason in self.left_out],
            "digest": self.digest,
        }


def time_to_cut(group: Group) -> dict[str, Any]:
    """How long the kill switch on this group will take, as `access.forecasting.time_of_cut` says it."""
    contacts = Contact.objects.filter(client__in=group.clients).count() if group.clients else 0
    return time_of_cut(len(group.people) + contacts)


def read_lines(data: bytes) -> list[tuple[int, str]]:
    """The first cell of each line of a CSV file or a plain list, with the line's number.

    Raises `Invalid` for what is no text.
    """
    try:
        text = decode(data)
    except Unreadable as problem:
        raise Invalid("unreadable", f"{problem}. {problem.bad.way_out}", field="file") from None
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        cells = next(csv.reader([line], delimiter=";" if ";" in line and "," not in line else ","), [])
        cell = cells[0].strip() if cells else ""
        if cell and not (number == 1 and cell.lower() in HEADINGS):
            found.append((number, cell))
    return found


def read_group(
    lines: Sequence[tuple[int, str]] = (),
    *,
    department: str = "",
    employment_type: str = "",
    actor: Actor,
    now: datetime,
) -> Group:
    """Everybody whom the lines name by e-mail address, alias, number, reference or a client's name; and,
    where a department or an employment type is given, everybody at work who has them.

    Few queries, whatever the size. Raises `NotAllowed` as for the kill switch.
    """
    check_office(actor, "access.shut_out")
    people, clients, problems = _named(lines)
    if department or employment_type:
        matching = Person.objects.order_by("name_folded", "pk")
        if department:
            matching = matching.filter(department__iexact=department.strip())
        if employment_type:
            matching = matching.filter(employment_type__iexact=employment_type.strip())
        people |= {person.pk: person for person in matching}
    kept, left_out = [], []
    today = clock.today_in("UTC", now=now)
    for person in people.values():
        if person.pk == actor.person_id:
            left_out.append((person.name, "This is you. Ask somebody in IT/security or HR."))
        elif person.left_on_date is not None and person.left_on_date < today:
            left_out.append((person.name, f"Left on {person.left_on_date}."))
        else:
            kept.append(person)
    return Group(tuple(kept), tuple(clients.values()), tuple(problems), tuple(left_out))


def _named(
    lines: Sequence[tuple[int, str]],
) -> tuple[dict[int, Person], dict[int, Client], list[Problem]]:
    people: dict[int, Person] = {}
    clients: dict[int, Client] = {}
    problems = []
    persons, firms = persons_by({text for _, text in lines}), _clients_by({text for _, text in lines})
    for number, text in lines:
        found: list[Person | Client] = [*persons[text.lower()].values()]
        found = found or [*firms[text.lower()].values()]
        if not found:
            problems.append(Problem(number, text, NOBODY))
        elif len(found) > 1:
            names = " or ".join(sorted(each.name for each in found))
            problems.append(Problem(number, text, f"This could mean {names}. Use an address or a reference."))
        elif isinstance(found[0], Person):
            people.setdefault(found[0].pk, found[0])
        else:
            clients.setdefault(found[0].pk, found[0])
    return people, clients, problems


def persons_by(texts: set[str]) -> dict[str, dict[int, Person]]:
    """People by what they are called here (address, alias or number), in small letters. Few queries."""
    found: dict[str, dict[int, Person]] = defaultdict(dict)
    for chunk in _chunks(texts):
        small = [text.lower() for text in chunk]
        numbered = Person.objects.filter(employee_number__in=chunk)
        addressed = Person.objects.alias(address=Lower("email")).filter(address__in=small)
        found_here: list[tuple[str, Person]] = [(person.employee_number, person) for person in numbered]
        found_here += [(person.email, person) for person in addressed]
        for name, person in found_here:
            found[name.lower()][person.pk] = person
        aliases = PersonAlias.objects.alias(address=Lower("email")).filter(address__in=small)
        for alias in aliases.select_related("person"):
            found[alias.email.lower()][alias.person_id] = alias.person
    return found


def _clients_by(texts: set[str]) -> dict[str, dict[int, Client]]:
    found: dict[str, dict[int, Client]] = defaultdict(dict)
    for chunk in _chunks(texts):
        for client in Client.objects.filter(client_ref__in=chunk):
            found[client.client_ref.lower()][client.pk] = client
        named = Client.objects.alias(small=Lower("name"))
        for client in named.filter(small__in=[text.lower() for text in chunk]):
            found[client.name.lower()][client.pk] = client
    return found


def _chunks(texts: Iterable[str]) -> Iterable[list[str]]:
    ordered = sorted(texts)
    return (ordered[start : start + AT_ONCE] for start in range(0, len(ordered), AT_ONCE))
