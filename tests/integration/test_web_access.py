"""Pages of access, connections and evidence: what they cost, whom they let in, and what they never show."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from partwell import clock
from partwell.access import questions
from partwell.access.attention import needing_attention
from partwell.access.models import Alert, Question, System
from partwell.departures.models import Departure
from partwell.departures.states import Confidentiality
from partwell.people.models import RoleGrant, User
from partwell.people.roles import Role
from partwell.refusals import NotAllowed
from tests.access_world import World, make_departure, make_user
from tests.factories import as_actor

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser() -> Client:
    """Rita of IT/security, signed in."""
    client = Client(SERVER_NAME="localhost")
    client.force_login(User.objects.get(email="rita@firm.example"))
    return client


def queries_of(visit: Callable[[], object]) -> int:
    with CaptureQueriesContext(
        connection,
    ) as seen:
        visit()
    return len(seen)


def test_the_plan_costs_the_same_however_many_systems_there_are(world: World, browser: Client) -> None:
    url = f"/departures/{world.departure.pk}/access/"
    world.add_system("crm")
    world.plan()
    browser.get(url)
    few = queries_of(lambda: browser.get(url))
    for number in range(8):
        world.add_system(f"more-{number}", accounts=1)
    world.plan()
    many = queries_of(lambda: browser.get(url))
    assert many == few
    assert few <= 45


def test_looking_whether_anything_moved_is_cheap_and_answers_204(world: World, browser: Client) -> None:
    world.add_system("crm")
    world.plan()
    url = f"/departures/{world.departure.pk}/access/"
    page = browser.get(url)
    rev, shape = page.context["rev"], page.context["shape"]
    live = f"{url}live/?rev={rev}&shape={shape}"
    assert browser.get(live).status_code == 204
    assert queries_of(lambda: browser.get(live)) <= 16
    world.approve(world.departure.access_plans.get())
    changed = browser.get(live)
    assert (changed.status_code, changed.headers["HX-Refresh"]) == (204, "true")


def test_the_first_page_of_access_costs_the_same_however_many_leave(world: World, browser: Client) -> None:
    world.add_system("crm")
    world.plan()
    browser.get("/access/")
    few = queries_of(lambda: browser.get("/access/"))
    for number in range(6):
        departure = make_departure(f"leaver-{number}@firm.example")
        Alert.objects.create(departure=departure, kind="unreachable", text="silent", raised_at=clock.now())
    many = browser.get("/access/")
    assert len(many.context["rows"]) == 7
    assert queries_of(lambda: browser.get("/access/")) == few


def test_what_needs_somebody_is_said_most_urgent_first(world: World, no_pauses: None) -> None:
    def needs() -> list[tuple[str, str]]:
        rows, _ = needing_attention(world.requester, now=clock.now())
        return [(row.departure.subject_email, row.state) for row in rows]

    soon = make_departure("soon@firm.example", access_end_at=clock.now() + timedelta(hours=5))
    world.add_system("crm")
    assert needs() == [(soon.subject_email, "late"), (world.departure.subject_email, "todo")]
    plan = world.plan()
    assert needs()[1] == (world.departure.subject_email, "approval")
    world.approve(plan)
    assert len(needs()) == 1
    world.store.set_mode("crm", "lies")
    world.apply(plan)
    assert (world.departure.subject_email, "running") in needs()
    world.run()
    assert needs()[0] == (world.departure.subject_email, "failed")


def test_a_need_to_know_departure_is_on_no_page_of_others(world: World, browser: Client) -> None:
    Departure.objects.filter(pk=world.departure.pk).update(confidentiality=Confidentiality.NEED_TO_KNOW)
    assert needing_attention(world.requester, now=clock.now()) == ([], 0)
    for page in ("access/", "access/live/", "access/restore/", "access/say/", "evidence/"):
        assert browser.get(f"/departures/{world.departure.pk}/{page}").status_code == 404


def test_finance_sees_no_access_page(world: World) -> None:
    user = make_user("fiona", ["finance"])
    client = Client(SERVER_NAME="localhost")
    client.force_login(user)
    assert client.get(f"/departures/{world.departure.pk}/access/").status_code == 403
    assert needing_attention(as_actor(user), now=clock.now()) == ([], 0)
    assert client.get("/systems/").status_code == 403
    assert client.get("/evidence/").status_code == 403


def test_the_same_question_is_asked_once_and_answered_for_the_one_who_asked(world: World) -> None:
    world.add_system("crm")
    asked = [
        questions.ask_for_plan(departure=world.departure, actor=world.requester, now=clock.now())
        for _ in "12"
    ]
    assert asked[0].pk == asked[1].pk
    questions.answer(str(asked[0].pk))
    plan = world.departure.access_plans.get()
    # Four eyes hold: whoever asked through the engine is who cannot approve.
    assert plan.requested_by_id == world.requester.user_id
    with pytest.raises(NotAllowed):
        world.approve(plan, actor=world.requester)
    questions.answer(str(asked[0].pk))
    assert world.departure.access_plans.count() == 1
    assert Question.objects.get().state == "answered"


def test_a_question_of_somebody_who_lost_the_role_is_refused(world: World) -> None:
    world.add_system("crm")
    question = questions.ask_for_plan(departure=world.departure, actor=world.requester, now=clock.now())
    RoleGrant.objects.filter(user_id=world.requester.user_id).delete()
    questions.answer(str(question.pk))
    question.refresh_from_db()
    assert question.state == "refused"
    assert not world.departure.access_plans.exists()


def test_a_worker_that_starts_asks_open_questions_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    again: list[str] = []
    question = questions.ask_for_plan(departure=world.departure, actor=world.requester, now=clock.now())
    monkeypatch.setattr(questions, "enqueue", lambda name, pk, **_: again.append(pk))
    questions.reconcile()
    assert again == [str(question.pk)]


def test_a_silent_system_is_reported_and_approving_another_persons_page_is_refused(
    world: World, browser: Client
) -> None:
    world.add_system("crm")
    world.add_system("slow")
    world.store.set_mode("slow", "down")
    plan = world.plan(actor=world.approver)
    page = browser.get(f"/departures/{world.departure.pk}/access/").content.decode()
    assert "Unknown: it did not answer" in page
    assert "Not every system answered." in page
    url = f"/departures/{world.departure.pk}/access/approve/"
    wrong = browser.post(url, {"plan": plan.pk, "checksum": plan.checksum, "word": "somebody"})
    assert wrong.status_code == 422
    # Without a second factor nothing is approved: the way leads to setting one up.
    stale = browser.post(url, {"plan": plan.pk, "checksum": plan.checksum, "word": "ada"})
    assert stale.status_code == 302
    plan.refresh_from_db()
    assert plan.approved_at is None


def test_a_system_shows_references_and_never_what_might_be_a_secret(world: World, browser: Client) -> None:
    System.objects.create(
        name="odd", title="Odd", connector="gone", settings={"token": "hunter2"}, created_at=clock.now()
    )
    page = browser.get("/systems/odd/")
    assert page.status_code == 200
    assert "hunter2" not in page.content.decode()
    for number in range(3):
        world.add_system(f"s{number}", accounts=0)
    few = queries_of(lambda: browser.get("/systems/"))
    for number in range(3, 9):
        world.add_system(f"s{number}", accounts=0)
    assert queries_of(lambda: browser.get("/systems/")) == few


def test_evidence_hides_the_reason_costs_the_same_per_page_and_keeps_connectors_reasons(
    world: World, browser: Client
) -> None:
    world.add_system("crm")
    world.plan()
    url = f"/departures/{world.departure.pk}/evidence/"
    browser.get(url)
    few = queries_of(lambda: browser.get(url))
    world.store.set_mode("crm", "lies")
    plan = world.departure.access_plans.get()
    world.approve(plan)
    world.apply(plan)
    world.run()
    page = browser.get(url)
    assert queries_of(lambda: browser.get(url)) == few
    assert "reading back shows" in page.content.decode()
    assert RoleGrant.objects.filter(role=Role.IT_SECURITY).exists()
