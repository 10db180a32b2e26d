"""Small, explicit makers of domain rows for tests. Nothing here bypasses an operation that matters."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from partwell.departures.models import Departure
from partwell.journeys.intake import Intake
from partwell.journeys.models import Journey, Step, TemplateVersion
from partwell.journeys.operations.starting import start
from partwell.journeys.template_operations import publish_template
from partwell.people.actors import Actor, Channel, actor_for_user, console_actor
from partwell.people.models import Client, Contact, Person, User
from partwell.people.operations import grant_role
from partwell.people.roles import Role

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
LAST_DAY = date(2026, 11, 27)

SMALL_TEMPLATE = """
id: small
title: A small journey
summary: Enough steps to show planning, blocking and settling in tests.
audience: staff
initiated_by: leaver
reasons: [pay, moving]
empty_phases: {2: not needed in a test, 5: not needed in a test, 8: not needed in a test, 9: not needed in a test, 10: not needed in a test}
empty_roles: {account_manager: no clients here, executive: not in a test, finance: not in a test, legal: not in a test, departing: not in a test}
steps:
  - {key: confirm, phase: 1, title: Confirm the notice, role: hr, due: notice +1 working_day, evidence: note, guide: [M1, J1], guidance: "Write down what was agreed, and when. Good is a date that both sides repeat. Avoid promises about pay."}
  - {key: initiate, phase: 3, title: Tell those who need to know, role: line_manager, due: notice +2 working_days, needs: [confirm], guide: [J3], guidance: "Tell the team who covers what. Good is that nobody is surprised. Avoid reasons."}
  - {key: extra, phase: 4, title: Hand over the team, role: line_manager, due: last_working_day -5 working_days, when: "person.manages_people", guide: [J4], guidance: "Name who leads the team from now on. Good is one name. Avoid a gap."}
  - {key: approve-access-plan, phase: 6, title: Approve the access plan, role: it_security, due: access_end -24 hours, kind: access_approval, needs: [confirm], guide: [J6], guidance: "Read the plan and approve it as a second person. Good is a plan read line by line. Avoid approving your own."}
  - {key: cut-access, phase: 6, title: Cut all access, role: it_security, due: access_end, kind: deprovision, needs: [approve-access-plan], guide: [P1], guidance: "Apply the approved plan and watch it being read back. Good is green everywhere. Avoid ticking by hand."}
  - {key: close-journey, phase: 7, title: Close the journey, role: hr, due: contract_end +5 working_days, needs: [initiate], required: false, guide: [J7], guidance: "Look through the record once more and close. Good is nothing open. Avoid haste."}
"""


def make_person(name: str = "Marit Lindqvist", **fields: Any) -> Person:
    email = fields.pop("email", f"{name.lower().replace(' ', '.')}@harbour.example")
    fields.setdefault("department", "Platform")
    fields.setdefault("timezone", "Europe/Berlin")
    fields.setdefault("country", "DE")
    return Person.objects.create(name=name, email=email, **fields)


def make_client(name: str = "Brightwater Dental", *, manager: Person | None = None, **fields: Any) -> Client:
    client = Client.objects.create(name=name, account_manager=manager, **fields)
    Contact.objects.create(client=client, name="Orla Byrne", email="orla@brightwater.example")
    return client


def make_holder(role: Role, name: str, *, department: str = "", now: datetime = NOW) -> User:
    """Somebody in the register who holds a role."""
    person = make_person(name, department="Office")
    grant = grant_role(email=person.email, role=role, department=department, actor=console_actor(), now=now)
    return grant.user


def as_actor(user: User, *, channel: Channel = Channel.WEB, is_fresh: bool = True) -> Actor:
    return actor_for_user(User.objects.get(pk=user.pk), channel=channel, is_fresh=is_fresh)


def publish(text: str = SMALL_TEMPLATE, *, now: datetime = NOW) -> TemplateVersion:
    return publish_template(text=text, actor=console_actor(), now=now)


def start_journey(
    person: Person, *, template: str = "small", actor: Actor | None = None, now: datetime = NOW, **fields: Any
) -> Journey:
    fields.setdefault("last_working_date", LAST_DAY)
    intake = Intake(person=person, notice_date=fields.pop("notice_date", now.date()), **fields)
    return start(template_id=template, intake=intake, actor=actor or console_actor(), now=now)


def step_of(departure: Departure | Journey, key: str) -> Step:
    return Step.objects.select_related("journey__departure").get(journey_id=departure.pk, key=key)
