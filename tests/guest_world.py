"""A journey with steps on both sides, full of words that nobody outside may ever read."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Any

from django.test import Client

from partwell.departures.guests import Invitation
from partwell.departures.models import Departure
from partwell.journeys.guests import invite_guest
from partwell.people.actors import console_actor
from partwell.people.models import Installation, Person
from partwell.people.roles import Role
from tests.factories import NOW, make_holder, make_person, publish, start_journey

PRIVATE = "marit@home.example"
WORK = "marit.lindqvist@harbour.example"

# Words of the inside: a canary in a guest's page or in a mail is a leak.
CANARIES = ("CANARYTITLE", "CANARYGUIDANCE", "CANARYNOTE", "CANARYCOMMENT", "CANARYOWNGUIDANCE", "misconduct")

TEMPLATE = Path(__file__).with_name("two_sides.yaml").read_text(encoding="utf-8")


def open_browser() -> Client:
    """A browser that calls the server by the name under which it answers plain HTTP."""
    return Client(SERVER_NAME="localhost")


class World:
    """One departure, the people around it, and short ways to what tests do again and again."""

    def __init__(self, **fields: Any) -> None:
        Installation.objects.create(company_name="Harbour & Vale", initialised_at=NOW)
        self.hr = make_holder(Role.HR, "Amara Osei")
        self.it = make_holder(Role.IT_SECURITY, "Tomasz Wrona")
        self.finance = make_holder(Role.FINANCE, "Helen Marsh")
        manager = make_person("Joon-ho Park")
        self.leaver: Person = make_person("Marit Lindqvist", manager=manager)
        publish(TEMPLATE)
        fields.setdefault("last_working_date", date(2026, 11, 27))
        journey = start_journey(self.leaver, template="two-sides", reason="misconduct", **fields)
        self.departure: Departure = journey.departure

    def invite(self, email: str = PRIVATE, *, now: datetime = NOW, **given: Any) -> Invitation:
        given.setdefault("actor", console_actor())
        return invite_guest(departure=self.departure, email=email, now=now, **given)

    def come_in(self, email: str = PRIVATE, *, now: datetime = NOW, **given: Any) -> Client:
        """A browser with an open guest session."""
        browser = open_browser()
        answer = browser.post(f"/g/{self.invite(email, now=now, **given).token}/")
        assert answer.status_code == 302, answer.content
        return browser
