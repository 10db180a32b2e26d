"""What a guest sees and does, and what never reaches them."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.apps import apps
from django.core import serializers
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from partwell.departures import guests
from partwell.departures.models import GuestLink
from partwell.departures.states import Confidentiality, InitiatedBy
from partwell.evidence.models import Event
from partwell.journeys.guests import find_own_departure, guest_page, revoke_guest
from partwell.journeys.models import Step
from partwell.journeys.operations import moving, steps
from partwell.people.actors import actor_for_user, console_actor
from partwell.people.models import User
from partwell.people.operations import ensure_user
from partwell.refusals import Invalid, NotAllowed, NotFound
from tests.factories import NOW, as_actor, make_person, start_journey, step_of
from tests.guest_world import CANARIES, PRIVATE, WORK, World, open_browser

pytestmark = pytest.mark.django_db
MENU = 'href="/my-departure/"'


@pytest.fixture(autouse=True)
def clock_stands():
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def client() -> Client:
    return open_browser()


@pytest.fixture
def world() -> World:
    return World()


def state_of(world: World, key: str) -> str:
    return step_of(world.departure, key).state


def test_the_leaver_sees_what_happens_what_is_theirs_and_whom_to_ask(world: World) -> None:
    page = world.come_in().get("/g/").content.decode()
    for words in (
        "Hello Marit Lindqvist",
        "Confirm your dates",
        "Send the timeline of what happens",
        "Pay the last salary and leave",
        "Fri 27 Nov 2026",
        "Your accounts close at 17:30",
        "Europe/Berlin",
        "amara.osei@harbour.example",
        "tomasz.wrona@harbour.example",
    ):
        assert words in page, words


def test_nothing_from_the_inside_reaches_a_guest(world: World) -> None:
    actor = console_actor()
    inside = step_of(world.departure, "inside")
    steps.comment_on_step(step=inside, text="CANARYCOMMENT he knows", actor=actor, now=NOW)
    steps.comment_on_step(
        step=step_of(world.departure, "confirm-dates"), text="CANARYCOMMENT", actor=actor, now=NOW
    )
    steps.complete_step(step=step_of(world.departure, "shared"), note="CANARYNOTE", actor=actor, now=NOW)
    browser = world.come_in()
    helper = world.come_in("box@courier.example", capacity="helper", step_keys=["collect"])
    for seen in (browser.get("/g/"), helper.get("/g/"), *(browser.get(f"/g/steps/{k}/") for k in OWN)):
        assert seen.status_code == 200
        for canary in CANARIES:
            assert canary not in seen.content.decode()


OWN = ("confirm-dates", "write-note", "send-scan", "later")


@pytest.mark.parametrize("key", ["inside", "shared", "collect", "pay", "approve-access-plan", "no-such"])
def test_the_leaver_neither_reads_nor_settles_a_step_of_ours(world: World, key: str) -> None:
    browser = world.come_in()
    assert browser.get(f"/g/steps/{key}/").status_code == 404
    assert browser.post(f"/g/steps/{key}/", {"note": "x", "do": "complete"}).status_code == 404
    assert not Step.objects.filter(settled_at__isnull=False).exists()


def test_a_guest_confirms_a_step_and_the_record_says_who(world: World) -> None:
    browser = world.come_in()
    answer = browser.post("/g/steps/confirm-dates/", {"note": "All right.", "do": "complete"}, follow=True)
    assert "is done" in answer.content.decode()
    step = step_of(world.departure, "confirm-dates")
    assert (step.state, step.note) == ("done", "All right.")
    assert step.settled_by == "Marit Lindqvist (guest, by link)"
    assert Event.objects.filter(kind="step.completed").count() == 1


def test_what_a_step_asks_for_is_said_at_its_field(world: World) -> None:
    browser = world.come_in()
    answer = browser.post("/g/steps/write-note/", {"do": "complete"})
    assert answer.status_code == 422
    assert "asks for a note" in answer.content.decode()
    assert state_of(world, "write-note") == "open"


def test_a_guest_attaches_a_file_first_and_confirms_later(world: World, settings, tmp_path) -> None:
    settings.MEDIA_ROOT = tmp_path
    browser = world.come_in()
    file = SimpleUploadedFile("form.txt", b"signed by Marit", content_type="text/plain")
    answer = browser.post("/g/steps/send-scan/", {"file": file, "do": "attach"}, follow=True)
    assert "form.txt" in answer.content.decode()
    assert state_of(world, "send-scan") == "open"
    browser.post("/g/steps/send-scan/", {"do": "complete"})
    assert state_of(world, "send-scan") == "done"


def test_a_hostile_file_is_refused_with_its_reason(world: World, settings, tmp_path) -> None:
    settings.MEDIA_ROOT = tmp_path
    file = SimpleUploadedFile("form.exe", b"MZ....", content_type="text/plain")
    answer = world.come_in().post("/g/steps/send-scan/", {"file": file, "do": "complete"})
    assert answer.status_code == 422
    assert not step_of(world.departure, "send-scan").attachments.exists()


def test_a_step_that_waits_for_us_says_so_without_saying_for_what(world: World) -> None:
    page = world.come_in().get("/g/steps/later/").content.decode()
    assert "Waits for us" in page
    assert "CANARYTITLE" not in page


def test_a_helper_sees_and_does_the_named_steps_alone(world: World) -> None:
    helper = world.come_in("box@courier.example", name="Bo", capacity="helper", step_keys=["collect"])
    page = helper.get("/g/").content.decode()
    assert "Collect the laptop" in page
    assert "Confirm your dates" not in page
    assert "Pay the last salary" not in page
    for other in ("inside", "confirm-dates", "shared"):
        assert helper.get(f"/g/steps/{other}/").status_code == 404
        assert helper.post(f"/g/steps/{other}/", {"do": "complete"}).status_code == 404
    helper.post("/g/steps/collect/", {"note": "Got it", "do": "complete"})
    assert state_of(world, "collect") == "done"


def test_a_helpers_actor_cannot_settle_another_step_by_any_door(world: World) -> None:
    link = world.invite("box@courier.example", capacity="helper", step_keys=["collect"]).link
    actor = guests.guest_actor(link)
    for key in ("shared", "inside", "confirm-dates"):
        with pytest.raises(NotFound):
            steps.complete_step(step=step_of(world.departure, key), actor=actor, now=NOW)


def test_a_helper_is_invited_to_real_open_steps_only(world: World) -> None:
    for keys in (["no-such"], ["confirm-dates"], ["approve-access-plan"], []):
        with pytest.raises(Invalid) as refused:
            world.invite("box@courier.example", capacity="helper", step_keys=keys)
        assert refused.value.field == "steps"
    with pytest.raises(Invalid, match="belongs to the one who leaves"):
        world.invite(WORK, capacity="helper", step_keys=["collect"])


def test_a_link_opens_its_own_departure_alone(world: World) -> None:
    link = world.invite().link
    other = make_person("Somebody Else")
    journey = start_journey(other, template="two-sides")
    with pytest.raises(NotFound):
        guest_page(journey.departure, guests.guest_actor(link), now=NOW)
    with pytest.raises(NotFound):
        steps.complete_step(step=step_of(journey, "confirm-dates"), actor=guests.guest_actor(link), now=NOW)


def test_a_guest_session_opens_nothing_of_the_inside(world: World) -> None:
    browser = world.come_in()
    pk = world.departure.pk
    for path in ("/", "/departures/", f"/departures/{pk}/", f"/departures/{pk}/guests/", "/my-departure/"):
        answer = browser.get(path)
        assert answer.status_code == 302
        assert "/account/login/" in answer.headers["Location"]


def test_who_may_invite_is_in_the_matrix(world: World) -> None:
    finance = as_actor(world.finance)
    with pytest.raises(NotAllowed):
        world.invite(actor=finance)
    world.invite(actor=as_actor(world.hr))
    leaver = actor_for_user(ensure_user(world.leaver, now=NOW))
    with pytest.raises(NotFound):
        world.invite(actor=leaver)


def test_taking_a_link_back_ends_the_open_session_at_once(world: World) -> None:
    browser = world.come_in()
    assert browser.get("/g/").status_code == 200
    revoke_guest(link=GuestLink.objects.get(), actor=as_actor(world.hr), now=NOW)
    assert browser.get("/g/").status_code == 410
    assert browser.post("/g/steps/confirm-dates/", {"do": "complete"}).status_code == 410
    assert state_of(world, "confirm-dates") == "open"


def test_leaving_ends_the_session_for_a_copied_cookie_too(world: World) -> None:
    browser, thief = world.come_in(), open_browser()
    thief.cookies.update(browser.cookies)
    browser.post("/g/leave/")
    assert browser.get("/g/").status_code == 404
    assert thief.get("/g/").status_code == 404


def test_a_work_link_dies_an_hour_before_access_ends_and_its_session_too(world: World, clock_stands) -> None:
    end = world.departure.access_end_at
    clock_stands.move_to(end - timedelta(hours=3))
    invitation = world.invite(WORK, now=end - timedelta(hours=3))
    assert invitation.link.is_work_address
    browser = world.come_in(WORK, now=end - timedelta(hours=3))
    clock_stands.move_to(end - timedelta(minutes=61))
    assert browser.get("/g/").status_code == 200
    clock_stands.move_to(end - timedelta(minutes=59))
    assert browser.get("/g/").status_code == 410
    answer = open_browser().post(f"/g/{invitation.token}/")
    assert answer.status_code == 410
    assert "private address" in answer.content.decode()
    assert "Send me a new link" not in answer.content.decode()


def test_after_access_end_only_a_private_address_works(world: World, clock_stands) -> None:
    later = world.departure.access_end_at + timedelta(hours=1)
    clock_stands.move_to(later)
    for work in (WORK, "somebody@harbour.example", "marit@mail.harbour.example"):
        with pytest.raises(Invalid) as refused:
            world.invite(work, now=later)
        assert refused.value.field == "email"
    assert world.come_in(PRIVATE, now=later).get("/g/").status_code == 200


def test_moving_the_end_of_access_moves_the_end_of_a_work_link(world: World, clock_stands) -> None:
    browser = world.come_in(WORK)
    moved = NOW + timedelta(days=1)
    moving.move(departure=world.departure, last_working_date=moved.date(), actor=console_actor(), now=NOW)
    world.departure.refresh_from_db()
    moved = world.departure.access_end_at
    clock_stands.move_to(moved - timedelta(minutes=30))
    assert browser.get("/g/").status_code == 410


@pytest.mark.parametrize(
    ("address", "is_work"),
    [
        (WORK, True),
        ("MARIT.LINDQVIST@Harbour.Example", True),
        ("m.lindqvist@old-name.example", True),
        ("marit+private@harbour.example", True),
        ("marit@sub.harbour.example", True),
        ("marit@gmail.com", False),
        ("marit@notharbour.example", False),
        (PRIVATE, False),
    ],
)
def test_which_addresses_end_with_the_job(world: World, address: str, is_work: bool) -> None:
    world.leaver.aliases.create(email="m.lindqvist@old-name.example")
    make_person("Free Lancer", email="free@gmail.com")
    assert world.invite(address).link.is_work_address is is_work


def test_the_leaver_who_still_signs_in_sees_the_same_page(world: World, client: Client) -> None:
    client.force_login(ensure_user(world.leaver, now=NOW))
    assert MENU in client.get("/").content.decode()
    assert "Confirm your dates" in client.get("/my-departure/").content.decode()
    client.post("/my-departure/steps/confirm-dates/", {"do": "complete"})
    assert state_of(world, "confirm-dates") == "done"
    assert client.get("/my-departure/steps/inside/").status_code == 404
    client.force_login(world.hr)
    assert client.get("/my-departure/").status_code == 404
    assert MENU not in client.get("/").content.decode()


@pytest.mark.parametrize(
    "change",
    [{"confidentiality": Confidentiality.NEED_TO_KNOW}, {"initiated_by": InitiatedBy.ORGANISATION}],
)
def test_nobody_learns_from_a_page_that_they_are_to_leave(change: dict, client: Client) -> None:
    world = World(**change)
    user = ensure_user(world.leaver, now=NOW)
    client.force_login(user)
    with pytest.raises(NotFound):
        find_own_departure(actor_for_user(user))
    assert MENU not in client.get("/").content.decode()
    link = world.invite().link
    assert find_own_departure(actor_for_user(user)) == world.departure
    assert MENU in client.get("/").content.decode()
    revoke_guest(link=link, actor=console_actor(), now=NOW)
    assert MENU not in client.get("/").content.decode()


def test_need_to_know_shows_the_leaver_nobody_but_hr() -> None:
    world = World(confidentiality=Confidentiality.NEED_TO_KNOW)
    page = world.come_in().get("/g/").content.decode()
    assert "tomasz.wrona" not in page


def test_inviting_from_the_inside_shows_the_link_once(world: World, client: Client) -> None:
    client.force_login(world.hr)
    where = f"/departures/{world.departure.pk}/guests/"
    answer = client.post(where, {"email": PRIVATE, "capacity": "departing"})
    assert answer.status_code == 200
    assert "/g/" in answer.content.decode()
    assert answer.headers["Cache-Control"].count("no-store") == 1
    again = client.get(where).content.decode()
    assert PRIVATE in again
    assert "data-guest-link" not in again
    link = GuestLink.objects.get()
    client.post(f"{where}{link.pk}/revoke/")
    link.refresh_from_db()
    assert link.revoked_at is not None
    client.force_login(User.objects.create_user("stranger@harbour.example"))
    assert client.get(where).status_code == 404


def test_a_guests_private_address_is_read_by_those_alone_who_invite(world: World, client: Client) -> None:
    world.invite()
    where = f"/departures/{world.departure.pk}/guests/"
    for user, status in ((world.hr, 200), (world.it, 200), (world.finance, 403)):
        client.force_login(user)
        answer = client.get(where)
        assert (answer.status_code, PRIVATE in answer.content.decode()) == (status, status == 200)


def test_the_token_is_kept_nowhere_in_the_database(world: World) -> None:
    token = world.invite().token
    dump = "".join(serializers.serialize("json", model.objects.all()) for model in apps.get_models())
    assert token not in dump
