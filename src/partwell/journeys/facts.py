"""What a template's conditions may know of a departure."""

from __future__ import annotations

from datetime import date
from typing import Any

from partwell.departures.models import Departure


def facts_of(departure: Departure) -> dict[str, Any]:
    """The values that conditions read. The reason is HR's alone, so no condition can tell it."""
    person, client = departure.person, departure.client
    return {
        "departure": {
            "subject_kind": departure.subject_kind,
            "scenario": departure.scenario,
            "initiated_by": departure.initiated_by,
            "jurisdiction": departure.jurisdiction,
            "confidentiality": departure.confidentiality,
            "notice_days": (departure.last_working_date - departure.notice_date).days,
        },
        "person": {
            "employment_type": person.employment_type if person else "",
            "country": person.country if person else "",
            "department": departure.subject_department,
            "title": departure.subject_title,
            "tenure_years": _years(person.start_date, departure.last_working_date) if person else 0,
            "manages_people": bool(person and person.reports.filter(left_on_date__isnull=True).exists()),
        },
        "client": {
            "tier": client.tier if client else "",
            "country": client.country if client else "",
            "contacts": client.contacts.count() if client else 0,
        },
    }


def _years(start: date | None, end: date) -> int:
    if start is None or end < start:
        return 0
    return end.year - start.year - ((end.month, end.day) < (start.month, start.day))
