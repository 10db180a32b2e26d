"""For each register a file to start from: all columns, and two rows that show what goes where."""

from __future__ import annotations

import csv
import io

from partwell.people.imports.columns import KINDS

_ROWS: dict[str, tuple[dict[str, str], ...]] = {
    "people": (
        {
            "email": "ada.king@example.com",
            "name": "Ada King",
            "department": "Engineering",
            "title": "Head of engineering",
            "start_date": "2019-05-01",
            "country": "GB",
            "timezone": "Europe/London",
            "employment_type": "permanent",
            "username": "aking",
            "employee_number": "1001",
        },
        {
            "email": "jonas.berg@example.com",
            "name": "Jonas Berg",
            "manager_email": "ada.king@example.com",
            "department": "Engineering",
            "title": "Backend engineer",
            "start_date": "2023-02-15",
            "country": "DE",
            "timezone": "Europe/Berlin",
            "employment_type": "permanent",
            "aliases": "jberg@example.com;jonas@example.org",
            "username": "jberg",
            "employee_number": "1002",
        },
    ),
    "clients": (
        {
            "client_ref": "C-001",
            "name": "Northlight Retail",
            "contact_name": "Orla Byrne",
            "contact_email": "orla.byrne@northlight.example",
            "tier": "gold",
            "country": "IE",
        },
        {
            "client_ref": "C-001",
            "name": "Northlight Retail",
            "contact_name": "Piet Maas",
            "contact_email": "piet.maas@northlight.example",
            "tier": "gold",
            "country": "IE",
        },
    ),
    "contracts": (
        {
            "client_ref": "C-001",
            "title": "Support 2026",
            "start_date": "2026-01-01",
            "end_date": "2026-12-31",
            "notice_days": "90",
            "governing_law": "Ireland",
        },
    ),
}


def example_csv(kind: str) -> bytes:
    """A whole file of invented rows, which an import takes as it is: clients after people, contracts after
    clients."""
    names = [column.name for column in KINDS[kind]]
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, names, restval="", lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(_ROWS[kind])
    return text.getvalue().encode("utf-8")
