"""Days are said by the calendar of where a departure is, and a form begins with the viewer's own today."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from typer import Typer
from typer.testing import CliRunner

from partwell import clock
from partwell.cli import journeys, steps
from partwell.journeys.messages import letter
from partwell.journeys.models import Journey
from partwell.people.models import User
from partwell.people.roles import Role
from tests.factories import LAST_DAY, NOW, make_holder, make_person, publish, start_journey
from tests.integration.test_office_pages import signed_in

pytestmark = pytest.mark.django_db

# Half past five in the afternoon in California is the next day in UTC; so is this evening's end of work.
AFTERNOON = datetime(2026, 11, 3, 1, 30, tzinfo=UTC)


@pytest.fixture
def amara() -> User:
    publish()
    return make_holder(Role.HR, "Amara Osei")


@pytest.fixture
def journey(amara: User) -> Journey:
    return start_journey(make_person("Cal Ito", country="US", timezone="America/Los_Angeles"))


def talk(app: Typer, *words: str) -> str:
    found = CliRunner().invoke(app, [*words])
    assert found.exit_code == 0, found.output
    return found.stdout


def test_the_console_says_the_days_of_where_somebody_leaves(journey: Journey) -> None:
    step = journey.steps.get(key="cut-access")
    assert (step.due_at.date(), LAST_DAY) == (LAST_DAY + timedelta(days=1), LAST_DAY)
    pk = str(journey.pk)
    shown = talk(journeys.app, "show", pk)
    assert "access ends 2026-11-27 17:30-08:00" in shown
    for text in (shown, talk(steps.app, "list", pk)):
        (line,) = [line for line in text.splitlines() if "Cut all access" in line]
        assert str(LAST_DAY) in line
    moved = talk(journeys.app, "move", pk, "--last-day", "2026-12-04")
    assert "Cut all access: 2026-11-27 → 2026-12-04" in moved
    assert "due 2026-12-04, " in talk(steps.app, "show", pk, "cut-access")


def test_a_step_of_one_s_own_is_due_on_the_last_day_there_unless_said(
    journey: Journey, amara: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW)
    page = signed_in(amara).get(f"/departures/{journey.pk}/steps/new/")
    assert page.context["form"].initial["due_date"] == LAST_DAY


def test_an_invitation_says_when_its_link_ends_and_asks_nothing_for_that(
    amara: User, django_assert_num_queries: Callable[[int], AbstractContextManager[Any]]
) -> None:
    reader = User.objects.get(pk=amara.pk)
    with django_assert_num_queries(0):
        assert "works until Tue 17 Nov 2026, 01:30 UTC:" in letter("Well?", reader, AFTERNOON)


@pytest.mark.parametrize(("zone", "day"), [("America/Los_Angeles", "2026-11-02"), ("UTC", "2026-11-03")])
def test_a_form_begins_with_the_viewer_s_own_today(
    zone: str, day: str, amara: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    amara.timezone = zone
    amara.save()
    monkeypatch.setattr(clock, "now", lambda: AFTERNOON)
    assert str(signed_in(amara).get("/departures/new/").context["form"].initial["notice_date"]) == day
