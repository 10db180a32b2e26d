"""Letting somebody into a departure and taking them out: who may, who cannot, what is seen after."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from typer.testing import CliRunner

from partwell.cli import participants as commands
from partwell.departures.models import Departure, Participant
from partwell.departures.policies import visible_departures
from partwell.evidence.models import Event
from partwell.evidence.queries import fields_of
from partwell.journeys.operations.participating import add_participant, remove_participant
from partwell.journeys.operations.steps import complete_step, reassign_step
from partwell.journeys.participants import parts_of, roles_that_see
from partwell.people.actors import console_actor
from partwell.people.models import User
from partwell.people.operations import ensure_user
from partwell.people.roles import Role
from partwell.refusals import Conflict, Invalid, NotAllowed, NotFound
from partwell.signals.models import Message
from tests.factories import (
    NOW,
    as_actor,
    make_client,
    make_holder,
    make_person,
    publish,
    start_journey,
    step_of,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def amara() -> User:
    return make_holder(Role.HR, "Amara Osei")


@pytest.fixture
def departure(amara: User) -> Departure:
    """Marit's need-to-know departure, which Amara started; Joon-ho is her manager."""
    publish()
    marit = make_person("Marit Lindqvist", manager=make_person("Joon-ho Park"))
    ensure_user(marit, now=NOW)
    return start_journey(marit, actor=as_actor(amara), confidentiality="need_to_know").departure


def let_in(departure: Departure, person: str, part: str = "legal", actor: Any = None) -> Participant:
    return add_participant(
        departure=departure, person=person, part=part, actor=actor or console_actor(), now=NOW
    )


def take_out(departure: Departure, name: str, part: str) -> None:
    found = Participant.objects.get(departure=departure, user__name=name, capacity=part)
    remove_participant(participant=found, actor=console_actor(), now=NOW)


def reasons(departure: Departure) -> dict[tuple[str, str], str]:
    return {(str(part.participant.user), part.title): part.why for part in parts_of(departure)}


def test_a_restricted_departure_exists_for_somebody_from_when_they_are_let_in_until_they_are_taken_out(
    departure: Departure, amara: User
) -> None:
    lea = make_holder(Role.LEGAL, "Lea Gal")
    assert not visible_departures(as_actor(lea)).exists()
    let_in(departure, "lea gal", actor=as_actor(amara))
    assert visible_departures(as_actor(lea)).get() == departure
    assert reasons(departure)["Lea Gal", "Legal"] == "Let in by Amara Osei"
    let_in(departure, lea.email)
    assert Participant.objects.filter(user=lea).count() == 1
    take_out(departure, "Lea Gal", "legal")
    assert not visible_departures(as_actor(lea)).exists()
    kinds = Event.objects.filter(kind__startswith="participant.").order_by("kind")
    assert [(e.kind, fields_of(e)["user"].value, fields_of(e)["part"].value) for e in kinds] == [
        ("participant.added", "Lea Gal", "Legal"),
        ("participant.removed", "Lea Gal", "Legal"),
    ]


def test_the_list_says_why_each_one_takes_part(departure: Departure) -> None:
    nadia = ensure_user(make_person("Nadia Ferreira"), now=NOW)
    step = step_of(departure, "confirm")
    reassign_step(step=step, to=nadia, actor=console_actor(), now=NOW)
    said = reasons(departure)
    assert said["Marit Lindqvist", "The one who leaves"].startswith("Leaves")
    assert said["Amara Osei", "HR"] == "Owner of 1 step, holds this role"
    assert said["Joon-ho Park", "Line manager"] == "Owner of 1 step"
    assert said["Nadia Ferreira", "Owns steps"] == "Owner of 1 step"
    amara = User.objects.get(name="Amara Osei")
    reassign_step(step=step, to=amara, actor=console_actor(), now=NOW)
    assert ("Nadia Ferreira", "Owns steps") not in reasons(departure), "her part ended with her last step"


def test_whoever_never_signed_in_gets_an_account_and_a_mail_that_tells_nothing(departure: Departure) -> None:
    make_person("Nadia Ferreira")
    Message.objects.all().delete()
    let_in(departure, "Nadia Ferreira", "finance")
    mail = Message.objects.get()
    assert (mail.kind, mail.subject) == ("let_in", "A page waits for you")
    let_in(departure, "Nadia Ferreira", "finance")
    assert Message.objects.count() == 1


@pytest.mark.parametrize(
    ("person", "part", "field", "says"),
    [
        ("Nobody Known", "legal", "person", "Nobody here is called"),
        ("Joon", "legal", "person", "Did you mean Joon-ho Park <joon-ho.park@harbour.example>?"),
        ("Marit Lindqvist", "legal", "person", "is the one who leaves"),
        ("Joon-ho Park", "departing", "part", "no part that somebody is given"),
        ("Old Hand", "legal", "person", "has left"),
        ("closed@harbour.example", "legal", "person", "cannot sign in any more"),
    ],
)
def test_who_cannot_be_let_in_is_refused_with_the_way_out(
    departure: Departure, person: str, part: str, field: str, says: str
) -> None:
    make_person("Old Hand", left_on_date=NOW.date())
    User.objects.create_user("closed@harbour.example", name="Closed", is_active=False)
    before = Participant.objects.count()
    with pytest.raises(Invalid, match=says.replace("?", r"\?")) as refused:
        let_in(departure, person, part)
    assert refused.value.field == field
    assert Participant.objects.count() == before


def test_a_name_that_two_have_is_never_guessed(departure: Departure) -> None:
    make_person("Ada Lund", email="ada.one@harbour.example")
    make_person("Ada Lund", email="ada.two@harbour.example")
    with pytest.raises(Conflict, match=r"ada.one@harbour.example or ada.two@harbour.example"):
        let_in(departure, "Ada Lund")
    assert let_in(departure, "ada.two@harbour.example").user.email == "ada.two@harbour.example"


def test_only_hr_lets_in_and_for_others_a_restricted_departure_is_not_there(
    departure: Departure, amara: User
) -> None:
    lea = let_in(departure, make_holder(Role.LEGAL, "Lea Gal").email).user
    with pytest.raises(NotAllowed):
        let_in(departure, "Joon-ho Park", actor=as_actor(lea))
    with pytest.raises(NotFound):
        let_in(departure, "Joon-ho Park", actor=as_actor(make_holder(Role.HR, "Other Hr")))


def test_somebody_with_steps_to_do_stays_until_they_are_given_away(departure: Departure) -> None:
    with pytest.raises(Conflict, match="Tell those who need to know"):
        take_out(departure, "Joon-ho Park", "line_manager")
    let_in(departure, "Joon-ho Park", "legal")
    take_out(departure, "Joon-ho Park", "line_manager")
    with pytest.raises(Conflict, match="Give that to somebody else first"):
        take_out(departure, "Joon-ho Park", "legal")
    for key in ("confirm", "initiate"):
        complete_step(step=step_of(departure, key), note="Done.", actor=console_actor(), now=NOW)
    take_out(departure, "Joon-ho Park", "legal")
    assert not Participant.objects.filter(departure=departure, user__name="Joon-ho Park").exists()


def test_the_last_who_could_let_anybody_in_and_the_one_who_leaves_stay(departure: Departure) -> None:
    let_in(departure, make_holder(Role.LEGAL, "Lea Gal").email)
    departure.journey.steps.update(owner=None)
    with pytest.raises(Conflict, match="the last here who can let somebody in"):
        take_out(departure, "Amara Osei", "hr")
    with pytest.raises(Conflict, match="that part stays"):
        take_out(departure, "Marit Lindqvist", "departing")
    let_in(departure, make_holder(Role.HR, "Other Hr").email, "hr")
    take_out(departure, "Amara Osei", "hr")
    Departure.objects.filter(pk=departure.pk).update(confidentiality="normal")
    take_out(departure, "Other Hr", "hr")


def test_on_a_normal_departure_roles_that_see_it_anyway_are_named(departure: Departure) -> None:
    assert roles_that_see(departure) == []
    Departure.objects.filter(pk=departure.pk).update(confidentiality="normal")
    departure.refresh_from_db()
    assert "Account manager" not in roles_that_see(departure)
    assert {"HR", "IT/Security"} <= set(roles_that_see(departure))
    departure.subject_kind, departure.client = "client", make_client()
    assert "Account manager" in roles_that_see(departure)


def run(*arguments: str, code: int = 0) -> Any:
    result = CliRunner().invoke(commands.app, [*arguments, "--json"])
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


def test_the_command_line_lists_adds_and_removes(departure: Departure) -> None:
    pk = str(departure.pk)
    make_holder(Role.LEGAL, "Lea Gal")
    added = run("add", pk, "--person", "Lea Gal", "--part", "legal")
    assert (added["name"], added["part"], added["added_by"]) == ("Lea Gal", "legal", "operator@console")
    assert added in run("list", pk)["items"]
    run("add", pk, "--person", "Lea Gal", "--part", "finance")
    several = run("remove", pk, "--email", "lea.gal@harbour.example", code=1)
    assert several["error"]["code"] == "part_unclear"
    run("remove", pk, "--email", "lea.gal@harbour.example", "--part", "finance")
    assert run("remove", pk, "--email", "Lea.Gal@harbour.example")["part"] == "legal"
    assert run("remove", pk, "--email", "lea.gal@harbour.example", code=1)["error"]["field"] == "email"
    assert run("add", pk, "--person", "Lea Gal", "--part", "guest", code=1)["error"]["field"] == "part"


def test_the_page_offers_changes_to_hr_alone_and_hides_a_restricted_departure(
    departure: Departure, amara: User
) -> None:
    lea = let_in(departure, make_holder(Role.LEGAL, "Lea Gal").email).user
    url = f"/departures/{departure.pk}/people/"
    browser = Client(SERVER_NAME="localhost")
    browser.force_login(lea)
    page = browser.get(url).content.decode()
    assert "Restricted: it exists for these 3 people alone" in page
    assert "Let somebody in" not in page
    assert "Take out…" not in page
    part = Participant.objects.get(departure=departure, user=lea)
    assert browser.get(f"{url}{part.pk}/remove/").status_code == 403
    browser.force_login(make_holder(Role.LEGAL, "Other Lawyer"))
    assert browser.get(url).status_code == 404
    browser.force_login(amara)
    refused = browser.post(url, {"person": "Joon", "part": "finance"})
    assert refused.status_code == 422
    assert 'value="Joon"' in refused.content.decode()
    assert '<option value="finance" selected>' in refused.content.decode()
    assert browser.post(f"{url}{part.pk}/remove/").status_code == 302
    assert not Participant.objects.filter(pk=part.pk).exists()
    assert browser.get(f"{url}{part.pk}/remove/").status_code == 404
