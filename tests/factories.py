"""Small, explicit makers of domain rows for tests. Nothing here bypasses an operation that matters."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
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

SMALL_TEMPLATE = Path(__file__).with_name("small.yaml").read_text(encoding="utf-8")


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
