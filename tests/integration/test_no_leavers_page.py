"""A journey with nothing for the one who leaves has no page for them, whoever is invited or signed in."""

from __future__ import annotations

from datetime import date

import pytest

from partwell.departures.models import Departure, GuestLink
from partwell.departures.states import Confidentiality, GuestCapacity
from partwell.journeys.guests import find_own_departure, invite_guest
from partwell.journeys.operations.moving import edit
from partwell.journeys.template_operations import sync_library
from partwell.people.actors import actor_for_user, console_actor
from partwell.people.models import User
from partwell.people.operations import ensure_user
from partwell.people.roles import Role
from partwell.refusals import Invalid, NotFound
from tests.factories import NOW, make_holder, make_person, start_journey
from tests.guest_world import open_browser

pytestmark = pytest.mark.django_db


@pytest.fixture
def amara() -> User:
    return make_holder(Role.HR, "Amara Osei")


@pytest.fixture
def departure(amara: User) -> Departure:
    sync_library(now=NOW)
    person = make_person("Marit Lindqvist", manager=make_person("Joon-ho Park"))
    journey = start_journey(person, template="staff-death-in-service", last_working_date=date(2026, 11, 27))
    return journey.departure


def test_nobody_is_invited_in_the_name_of_somebody_who_has_died(departure: Departure) -> None:
    with pytest.raises(Invalid) as refused:
        invite_guest(departure=departure, email="family@home.example", actor=console_actor(), now=NOW)
    assert (refused.value.code, refused.value.field) == ("no_page_to_open", "capacity")
    assert not GuestLink.objects.exists()


def test_a_helper_is_still_invited_for_single_steps(departure: Departure) -> None:
    invitation = invite_guest(
        departure=departure,
        email="box@courier.example",
        capacity=GuestCapacity.HELPER,
        step_keys=["fetch-our-equipment"],
        actor=console_actor(),
        now=NOW,
    )
    assert invitation.link.capacity == GuestCapacity.HELPER


def test_whoever_holds_their_open_session_sees_no_page_of_theirs(departure: Departure) -> None:
    edit(
        departure=departure,
        changes={"confidentiality": Confidentiality.NORMAL},
        actor=console_actor(),
        now=NOW,
    )
    assert departure.person is not None
    user = ensure_user(departure.person, now=NOW)
    with pytest.raises(NotFound):
        find_own_departure(actor_for_user(user))


def test_the_form_offers_no_link_for_the_leaving_side(departure: Departure, amara: User) -> None:
    edit(
        departure=departure,
        changes={"confidentiality": Confidentiality.NORMAL},
        actor=console_actor(),
        now=NOW,
    )
    client = open_browser()
    client.force_login(amara)
    page = client.get(f"/departures/{departure.pk}/guests/").content.decode()
    assert "A helper, for single steps" in page
    assert "The leaving side" not in page.replace("The leaving side and helpers", "")
