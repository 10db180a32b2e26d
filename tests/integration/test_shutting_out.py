"""The kill switch on a person's or a client's page: whether or not anybody knew that they leave."""

from __future__ import annotations

import pytest

from partwell import clock
from partwell.access.models import Cut
from partwell.access.runs import run_cut
from partwell.departures.models import Departure, Participant
from partwell.departures.states import Confidentiality
from partwell.journeys.operations.shutting_out import shut_out
from partwell.journeys.template_operations import sync_library
from partwell.people.actors import Actor, actor_for_user
from partwell.people.models import Client, Contact, Person, User
from partwell.refusals import Conflict, Invalid, NotAllowed
from tests.access_world import World, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_pauses")]
WHY = "Their laptop was stolen an hour ago."


@pytest.fixture
def ines(world: World) -> Actor:
    sync_library(now=clock.now())
    world.add_system("mail", accounts=0)
    return actor_for_user(make_user("ines"), is_fresh=True)


def a_person(world: World, email: str) -> Person:
    world.add_account("mail", f"mail-{email}", login=email.partition("@")[0], emails=[email])
    return Person.objects.create(email=email, name="Bo Lind", department="Sales", timezone="Europe/Berlin")


def press(actor: Actor, **who: object) -> Cut:
    cut = shut_out(reason=WHY, actor=actor, now=clock.now(), **who)  # type: ignore[arg-type]
    for system_id in cut.plans.values_list("runs__system_id", flat=True).distinct():
        run_cut(str(cut.pk), str(system_id))
    return cut


def is_active(world: World, account: str) -> bool:
    state = world.store.account("mail", account)
    assert state is not None
    return bool(state["is_active"])


def test_somebody_whom_nobody_knew_to_leave_is_shut_out_and_gets_a_journey_that_asks_what_follows(
    world: World, ines: Actor
) -> None:
    bo = a_person(world, "bo@firm.example")
    user = User.objects.create_user(bo.email, person=bo)
    press(ines, people=[bo])
    assert not is_active(world, "mail-bo@firm.example")
    departure = Departure.objects.get(person=bo)
    assert departure.scenario == "staff-urgent-cut"
    assert departure.journey.steps.filter(key="decide-what-follows").exists()
    user.refresh_from_db()
    assert not user.is_active


def test_all_contacts_of_a_client_are_shut_out_together(world: World, ines: Actor) -> None:
    northwind = Client.objects.create(name="Northwind")
    for email in ("a@northwind.example", "b@northwind.example"):
        Contact.objects.create(client=northwind, email=email)
        world.add_account("mail", email, login=email, emails=[email])
    press(ines, clients=[northwind])
    assert not is_active(world, "a@northwind.example") and not is_active(world, "b@northwind.example")
    assert Departure.objects.get(client=northwind).scenario == "client-urgent-cut"


def test_who_leaves_already_is_cut_in_that_departure_though_it_was_hidden(world: World, ines: Actor) -> None:
    world.add_account("mail", "mail-0")
    world.departure.confidentiality = Confidentiality.NEED_TO_KNOW
    world.departure.save()
    assert world.departure.person is not None
    press(ines, people=[world.departure.person])
    assert not is_active(world, "mail-0")
    assert Departure.objects.filter(person=world.departure.person).count() == 1
    part = Participant.objects.get(departure=world.departure, user_id=ines.user_id)
    assert part.capacity == "it_security"


def test_nobody_shuts_themselves_out_nor_somebody_who_has_left(world: World, ines: Actor) -> None:
    me = a_person(world, "ines.duarte@firm.example")
    user = User.objects.get(pk=ines.user_id)
    user.person = me
    user.save()
    with pytest.raises(NotAllowed):
        press(actor_for_user(user, is_fresh=True), people=[me])
    gone = a_person(world, "gone@firm.example")
    gone.left_on_date = clock.today_in("UTC", now=clock.now()).replace(year=2020)
    gone.save()
    with pytest.raises(Conflict):
        press(ines, people=[gone])
    with pytest.raises(Invalid):
        press(ines)
    assert Cut.objects.count() == 0


def test_it_is_for_it_security_and_hr(world: World, ines: Actor) -> None:
    bo = a_person(world, "bo@firm.example")
    finance = actor_for_user(make_user("fay", roles=["finance"]), is_fresh=True)
    with pytest.raises(NotAllowed):
        press(finance, people=[bo])
    assert is_active(world, "mail-bo@firm.example") and not Departure.objects.filter(person=bo).exists()
