"""The firm's own country and timezone count wherever somebody's are not known."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from partwell import clock
from partwell.evidence.models import Event
from partwell.people.actors import console_actor
from partwell.people.models import Person, User
from partwell.people.operations import change_settings, initialise
from partwell.people.queries import Place, usual_place
from partwell.refusals import Invalid
from partwell.web.session import viewer_timezone
from tests.factories import NOW, make_person, publish, start_journey, step_of

pytestmark = pytest.mark.django_db
CONSOLE = console_actor()


def firm(country: str, timezone: str) -> None:
    initialise(
        company="Northwind", practice=False, country=country, timezone=timezone, actor=CONSOLE, now=NOW
    )


def test_the_settings_come_before_the_environment(settings: Any) -> None:
    settings.DEFAULT_COUNTRY, settings.DEFAULT_PERSON_TIMEZONE = "FR", "Europe/Paris"
    assert usual_place() == Place("FR", "Europe/Paris")
    firm("", "")
    assert usual_place() == Place("FR", "Europe/Paris")
    change_settings(company="N", country="GB", timezone="Europe/London", actor=CONSOLE, now=NOW)
    assert usual_place() == Place("GB", "Europe/London")
    changed = Event.objects.get(kind="installation.changed").fields
    assert (changed["country"]["value"], changed["timezone"]["value"]) == ("GB", "Europe/London")


def test_a_departure_of_somebody_without_a_country_is_planned_by_the_firms_calendar() -> None:
    firm("US", "America/New_York")
    publish()
    nowhere = make_person("Nell Nowhere", country="", timezone="")
    somewhere = make_person("Sam Somewhere")
    plain, own = start_journey(nowhere).departure, start_journey(somewhere).departure
    assert (plain.jurisdiction, plain.timezone) == ("US", "America/New_York")
    assert (own.jurisdiction, own.timezone) == ("DE", "Europe/Berlin")
    assert plain.access_end_at - own.access_end_at == timedelta(hours=6)


def test_a_holiday_of_the_firms_country_moves_what_is_due_in_working_days() -> None:
    publish()

    def due() -> date:
        person = make_person(f"P {Person.objects.count()}", country="", timezone="Europe/Berlin")
        journey = start_journey(person, notice_date=date(2026, 11, 25), last_working_date=date(2026, 12, 18))
        return clock.today_in("Europe/Berlin", now=step_of(journey, "initiate").due_at)

    assert due() == date(2026, 11, 27)
    # Thanksgiving is on Thursday the 26th.
    firm("US", "Europe/Berlin")
    assert due() == date(2026, 11, 30)


def test_times_are_shown_in_the_firms_timezone_to_whoever_has_none() -> None:
    firm("DE", "Europe/Berlin")
    user = User.objects.create_user("a@example.com")
    assert viewer_timezone(user) == "Europe/Berlin"
    user.timezone = "Asia/Singapore"
    assert viewer_timezone(user) == "Asia/Singapore"


def test_a_country_without_a_calendar_is_refused_at_the_first_run() -> None:
    with pytest.raises(Invalid, match="is no country"):
        firm("ZZ", "")
    assert clock.next_holidays("ZZ", after=NOW.date(), count=3) == []


def test_the_next_holidays_go_on_into_the_coming_year() -> None:
    [first, *_, last] = clock.next_holidays("DE", after=date(2026, 12, 25), count=3)
    assert first[0] == date(2026, 12, 26)
    assert last[0] > date(2027, 1, 1)
