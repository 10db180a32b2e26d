"""The columns of the CSV files: the one table that import, export and the reference page share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from partwell.people.imports import values


@dataclass(frozen=True)
class Column:
    """One column. `parse` is None for text of at most `longest` characters.

    A cell left blank in a column that is there clears the value, unless `keeps_blank`: what identifies a
    row is not lost by leaving it out.
    """

    name: str
    meaning: str
    parse: Callable[[str], Any] | None = None
    longest: int = 254
    is_required: bool = False
    keeps_blank: bool = False
    empty: Any = ""


def _text(name: str, longest: int, meaning: str, **options: Any) -> Column:
    return Column(name, meaning, longest=longest, **options)


PEOPLE = (
    Column("email", "The main address, which also identifies the person.", values.email, is_required=True),
    _text("name", 200, "The full name, as colleagues write it.", is_required=True),
    Column("manager_email", "Address or alias of the line manager; may stand further down.", values.email),
    _text("department", 120, "The department, which decides who of HR, IT and finance is asked."),
    _text("title", 160, "The job title."),
    Column("start_date", "First working day.", values.iso_date, empty=None),
    Column(
        "end_date",
        "Last working day of somebody who has left, never a day to come; blank leaves it as it is.",
        values.iso_date,
        keeps_blank=True,
        empty=None,
    ),
    Column("country", "Where the person works, for public holidays: ISO 3166, two letters.", values.country),
    Column("timezone", "The person's timezone: a name of the IANA database.", values.timezone),
    _text("employment_type", 40, "For example permanent, fixed-term, contractor."),
    Column("aliases", "Further addresses of the person, separated by `;`.", values.emails, empty=()),
    _text("username", 150, "The name that systems know the person by."),
    _text("employee_number", 60, "Identifies the person where present.", keeps_blank=True),
)

CLIENTS = (
    _text("client_ref", 60, "Your reference; identifies the client where present.", keeps_blank=True),
    _text(
        "name", 200, "The client's name; identifies the client where there is no reference.", is_required=True
    ),
    Column("account_manager_email", "Address or alias of a colleague in the register.", values.email),
    _text("contact_name", 200, "Somebody at the client; several contacts are several rows."),
    Column("contact_email", "Their address, which identifies the contact.", values.email),
    _text("tier", 40, "For example gold, standard."),
    Column("country", "Where the client is: ISO 3166, two letters.", values.country),
)

CONTRACTS = (
    _text("client_ref", 200, "The client's reference, or its name where it has none.", is_required=True),
    _text("title", 200, "What the contract is called; identifies it at its client.", is_required=True),
    Column("start_date", "First day of the contract.", values.iso_date, empty=None),
    Column("end_date", "Last day of the contract.", values.iso_date, empty=None),
    Column("notice_days", "Days of notice.", values.days, empty=None),
    _text("governing_law", 60, "For example England and Wales."),
)

KINDS: dict[str, tuple[Column, ...]] = {"people": PEOPLE, "clients": CLIENTS, "contracts": CONTRACTS}
