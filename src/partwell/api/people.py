"""The staff register: list, look up, import, export; and whom a token acts as."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from django.http import HttpRequest, HttpResponse
from ninja import Path, Query, Router

from partwell.api.answers import listing, reply
from partwell.api.authentication import actor_of, caller_of
from partwell.api.idempotency import idempotent
from partwell.api.registers import CSV_BODY, CSV_FILE, export, import_
from partwell.api.shapes import Cursor, Limit, Listing
from partwell.api.shapes.office import ImportShape, MeShape, PersonDetail, PersonShape
from partwell.people import queries
from partwell.people.models import Person

router = Router(tags=["people"])
RowId = Annotated[int, Path(ge=1, le=2**62)]


@router.get("/me", response=MeShape, tags=["tokens"])
def me(request: HttpRequest) -> HttpResponse:
    """Whom this token acts as, and its scopes."""
    caller = caller_of(request)
    return reply(
        {
            "user": caller.token.user.email,
            "name": caller.token.user.name,
            "scopes": caller.token.scopes,
            "roles": sorted({grant.role.value for grant in caller.actor.grants}),
            "token": caller.token.name,
            "expires_at": caller.token.expires_at,
        }
    )


@router.get("/people", response=Listing[PersonShape])
def list_people(
    request: HttpRequest,
    search: Annotated[str, Query(max_length=100)] = "",
    department: Annotated[str, Query(max_length=120)] = "",
    cursor: Cursor = None,
    limit: Limit = 50,
) -> HttpResponse:
    """The staff register by name."""
    people, after = queries.list_people(
        actor=actor_of(request), search=search, department=department, after=cursor, limit=limit
    )
    return listing([person_dict(person) for person in people], after)


@router.get("/people/export", openapi_extra=CSV_FILE)
def export_people(request: HttpRequest) -> HttpResponse:
    """The staff register as CSV."""
    return export(request, "people")


@router.post("/people/import", response=ImportShape, openapi_extra=CSV_BODY)
@idempotent
def import_people(request: HttpRequest, dry_run: bool = False) -> HttpResponse:
    """Bring the staff register up to date from CSV, all or nothing."""
    return import_(request, "people", dry_run)


@router.get("/people/{person_id}", response=PersonDetail)
def show_person(request: HttpRequest, person_id: RowId) -> HttpResponse:
    """One entry of the staff register."""
    person = queries.view_person(person_id, actor=actor_of(request))
    return reply(
        {
            **person_dict(person),
            "aliases": [alias.email for alias in person.aliases.all()],
            "reports": [report.email for report in person.reports.all()],
        }
    )


def person_dict(person: Person) -> dict[str, Any]:
    """A register entry as a program reads it."""
    return {
        "id": person.pk,
        "email": person.email,
        "name": person.name,
        "department": person.department,
        "title": person.title,
        "country": person.country,
        "timezone": person.timezone,
        "employment_type": person.employment_type,
        "username": person.username,
        "employee_number": person.employee_number,
        "start_date": _day(person.start_date),
        "left_on": _day(person.left_on_date),
        "manager_email": person.manager.email if person.manager else None,
    }


def _day(day: date | None) -> str | None:
    return day.isoformat() if day else None
