"""From the few fields that people fill in to a whole departure: every default in one place."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from partwell import clock
from partwell.departures.models import Departure
from partwell.departures.states import Confidentiality, InitiatedBy, Rehire, SubjectKind
from partwell.journeys.template.model import Template
from partwell.people.models import Client, Person
from partwell.people.queries import Place, usual_place
from partwell.refusals import Invalid

NOT_STATED = "not_stated"


@dataclass(frozen=True)
class Intake:
    """What may be said when somebody leaves. Five fields are asked; the rest has defaults.

    Exactly one of `person` and `client` is given. `access_end_at` without a timezone is meant in the
    leaver's own.
    """

    last_working_date: date
    person: Person | None = None
    client: Client | None = None
    notice_date: date | None = None
    reason: str = ""
    access_end_at: datetime | None = None
    contract_end_date: date | None = None
    jurisdiction: str = ""
    initiated_by: str = ""
    confidentiality: str = ""
    rehire: str = ""


def draft_departure(intake: Intake, template: Template, *, now: datetime) -> Departure:
    """The departure that an intake means, unsaved.

    Raises `Invalid`, naming the field, for a subject that does not fit the template, dates in the wrong
    order, or a code that is not known.
    """
    _check_subject(intake, template)
    place = _place(intake)
    notice_date = intake.notice_date or clock.today_in(place.timezone, now=now)
    _check_dates(intake, notice_date)
    departure = Departure(
        subject_kind=template.audience,
        person=intake.person,
        client=intake.client,
        scenario=template.id,
        reason=_code(intake.reason or NOT_STATED, (*template.reasons, NOT_STATED), "reason"),
        initiated_by=_code(intake.initiated_by or template.initiated_by, InitiatedBy, "initiated_by"),
        confidentiality=_code(
            intake.confidentiality or template.confidentiality, Confidentiality, "confidentiality"
        ),
        rehire=_code(intake.rehire or Rehire.UNDECIDED, Rehire, "rehire"),
        notice_date=notice_date,
        last_working_date=intake.last_working_date,
        access_end_at=access_end_moment(intake.access_end_at, intake.last_working_date, place.timezone),
        timezone=place.timezone,
        contract_end_date=_contract_end(intake),
        jurisdiction=place.country.upper(),
        created_at=now,
        **_subject_as_text(intake),
    )
    if departure.contract_end_date < notice_date:
        raise Invalid(
            "contract_ends_before_notice",
            f"The contract end {departure.contract_end_date} is before the notice of {notice_date}.",
            field="contract_end",
        )
    return departure


def access_end_moment(asked: datetime | None, last_working_date: date, timezone: str) -> datetime:
    """When access ends: as asked, else 17:30 on the last working day, there."""
    if asked is None:
        return clock.at_local(last_working_date, clock.DEFAULT_WORKDAY_END, timezone)
    if asked.tzinfo is None:
        return clock.at_local(asked.date(), asked.time(), timezone)
    return asked.astimezone(ZoneInfo("UTC"))


def _check_subject(intake: Intake, template: Template) -> None:
    given = SubjectKind.STAFF if intake.person else SubjectKind.CLIENT
    if bool(intake.person) == bool(intake.client):
        raise Invalid("subject_missing", "Say who leaves: one person or one client.", field="person")
    if given != template.audience:
        who = "a person" if template.audience == SubjectKind.STAFF else "a client"
        raise Invalid(
            "template_audience", f"“{template.id}” is for {who}. Choose another template.", field="template"
        )
    if intake.person and intake.person.left_on_date and intake.person.left_on_date < intake.last_working_date:
        raise Invalid(
            "already_left",
            f"{intake.person.name} left on {intake.person.left_on_date}. If they have returned, import "
            "them again with their new start date first.",
            field="person",
        )


def _check_dates(intake: Intake, notice_date: date) -> None:
    if intake.last_working_date < notice_date:
        raise Invalid(
            "last_day_before_notice",
            f"The last working day {intake.last_working_date} is before the notice of {notice_date}. "
            "Change one of the two.",
            field="last_day",
        )
    if (intake.last_working_date - notice_date).days > 5 * 366:
        raise Invalid(
            "last_day_too_far",
            f"The last working day {intake.last_working_date} is more than five years after the notice.",
            field="last_day",
        )


def _place(intake: Intake) -> Place:
    """Whose law and whose clock count: as asked, else the subject's own, else the firm's."""
    subject = intake.person or intake.client
    country = intake.jurisdiction or (subject.country if subject else "")
    manager = intake.client.account_manager if intake.client else None
    people = (intake.person, manager)
    timezone = next((person.timezone for person in people if person and person.timezone), "")
    if country and timezone:
        return Place(country, timezone)
    usual = usual_place()
    return Place(country or usual.country, timezone or usual.timezone)


def _contract_end(intake: Intake) -> date:
    if intake.contract_end_date:
        return intake.contract_end_date
    if intake.client:
        ends = intake.client.contracts.filter(end_date__gte=intake.last_working_date)
        latest = ends.order_by("-end_date").values_list("end_date", flat=True).first()
        return latest or intake.last_working_date
    return intake.last_working_date


def _subject_as_text(intake: Intake) -> dict[str, str]:
    if intake.person:
        person = intake.person
        return {
            "subject_name": person.name,
            "subject_email": person.email,
            "subject_title": person.title,
            "subject_department": person.department,
        }
    client = intake.client
    contact = client.contacts.first() if client else None
    manager = client.account_manager if client else None
    return {
        "subject_name": client.name if client else "",
        "subject_email": contact.email if contact else "",
        "subject_title": client.tier if client else "",
        "subject_department": manager.department if manager else "",
    }


def _code(value: str, known: object, field: str) -> str:
    allowed = [str(getattr(item, "value", item)) for item in known]  # type: ignore[attr-defined]
    if value not in allowed:
        raise Invalid(
            f"{field}_unknown", f"“{value}” is not known here. Known are: {', '.join(allowed)}.", field=field
        )
    return str(value)
