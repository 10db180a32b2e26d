"""The pages of rounds: who sees them, what they show before and after, and how many questions they ask."""

from __future__ import annotations

import pytest
import time_machine
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from partwell.journeys.models import Round
from partwell.journeys.operations.moving import edit
from partwell.journeys.rounds.carrying_out import go_on, start_some
from partwell.journeys.rounds.drift import drift_of
from partwell.journeys.rounds.operations import approve_round, prepare_round, recall_round
from partwell.journeys.rounds.preview import Terms
from partwell.people.actors import engine_actor
from partwell.people.models import Installation, Person, User
from partwell.people.roles import Role
from tests.factories import LAST_DAY, NOW, as_actor, make_holder, make_person, publish

pytestmark = pytest.mark.django_db

FORM = {
    "name": "Closing Leeds",
    "template": "small",
    "last_day": LAST_DAY.isoformat(),
    "notice_date": NOW.date().isoformat(),
    "confidentiality": "normal",
}
# Less than 15 is promised, whatever the size.
BUDGET = 14


@pytest.fixture
def hr() -> User:
    Installation.objects.create(company_name="Harbour & Vale", initialised_at=NOW)
    publish()
    return make_holder(Role.HR, "Amara Osei")


@pytest.fixture
def executive() -> User:
    return make_holder(Role.EXECUTIVE, "Helen Marsh")


def browser_of(user: User) -> Client:
    browser = Client(SERVER_NAME="localhost")
    browser.force_login(user)
    return browser


def prepared(
    hr: User, executive: User, count: int, name: str = "Closing Leeds", confidentiality: str = "normal"
) -> Round:
    manager = make_person(f"Manager of {name}")
    persons = [
        make_person(f"{name} {n:03}", email=f"{name[0].lower()}{n}@harbour.example", manager=manager)
        for n in range(count)
    ]
    terms = Terms(name=name, template_id="small", last_working_date=LAST_DAY, confidentiality=confidentiality)
    return prepare_round(
        terms=terms,
        data="\n".join(person.email for person in persons).encode(),
        approvers=[executive],
        actor=as_actor(hr),
        now=NOW,
    )


def started(
    hr: User, executive: User, count: int, name: str = "Closing Leeds", confidentiality: str = "normal"
) -> Round:
    found = prepared(hr, executive, count, name, confidentiality)
    approve_round(found=found, digest=drift_of(found, now=NOW).digest, actor=as_actor(executive), now=NOW)
    go_on(str(found.pk), NOW)
    return found


def test_the_board_asks_the_same_few_questions_of_three_people_and_of_two_hundred(
    hr: User, executive: User
) -> None:
    browser = browser_of(hr)
    asked = []
    for found in (started(hr, executive, 3), started(hr, executive, 200, "Moving Oslo")):
        for address in (f"/rounds/{found.pk}/", f"/rounds/{found.pk}/?only=late&q=o"):
            browser.get(address)
            with CaptureQueriesContext(connection) as captured:
                answer = browser.get(address)
            assert answer.status_code == 200
            asked.append(len(captured))
    assert max(asked) <= BUDGET, asked
    assert asked[0] == asked[2] and asked[1] == asked[3], asked


def test_a_form_with_a_list_and_a_file_or_neither_keeps_what_was_typed(hr: User, executive: User) -> None:
    browser = browser_of(hr)
    for more in ({}, {"who": "a@b.example", "file": SimpleUploadedFile("list.csv", b"email\na@b.example\n")}):
        answer = browser.post("/rounds/new/", {**FORM, **more})
        assert answer.status_code == 422
        assert "one of the two" in answer.content.decode()
        assert 'value="Closing Leeds"' in answer.content.decode()


def test_a_preview_comes_back_for_a_change_and_prepares_what_was_seen(hr: User, executive: User) -> None:
    persons = [make_person(f"Leaver {n}") for n in range(3)]
    form = {**FORM, "who": "\n".join(person.email for person in persons)}
    browser = browser_of(hr)
    seen = browser.post("/rounds/new/", form)
    assert (seen.status_code, "Closing Leeds: 3 people" in seen.content.decode()) == (200, True)
    changed = browser.post("/rounds/new/", {**form, "change": "1"})
    assert persons[2].email in changed.content.decode()
    assert "Show what it would do" in changed.content.decode()
    digest = seen.context["preview"].digest
    stale = browser.post("/rounds/new/", {**form, "prepare": "1", "digest": "0" * 64})
    assert (stale.status_code, "changed since you looked" in stale.content.decode()) == (409, True)
    made = browser.post("/rounds/new/", {**form, "prepare": "1", "digest": digest})
    assert made.status_code == 302
    assert Round.objects.get().members.count() == 3


def test_what_dropped_out_is_named_before_an_approval_and_left_out_of_its_number(
    hr: User, executive: User
) -> None:
    persons = [make_person(f"Leaver {n}") for n in range(3)]
    found = prepare_round(
        terms=Terms("Closing Leeds", "small", last_working_date=LAST_DAY, confidentiality="normal"),
        data="\n".join(person.email for person in persons).encode(),
        actor=as_actor(hr),
        now=NOW,
    )
    Person.objects.filter(pk=persons[0].pk).update(left_on_date=NOW.date())
    with time_machine.travel(NOW, tick=False):
        page = browser_of(executive).get(f"/rounds/{found.pk}/").content.decode()
        own = browser_of(hr).get(f"/rounds/{found.pk}/").content.decode()
    assert "Left on 2026-11-02." in page
    assert "Approve 2 departures" in page
    assert "You prepared this yourself" in own
    assert "Approve 2" not in own


def test_a_round_is_no_page_for_whom_it_does_not_exist_and_forbidden_without_the_role(
    hr: User, executive: User
) -> None:
    found = started(hr, executive, 2, confidentiality="need_to_know")
    other, it = make_holder(Role.HR, "Other Hr"), make_holder(Role.IT_SECURITY, "Tomasz Wrona")
    for address in ("", "live/", "recall/"):
        assert browser_of(other).get(f"/rounds/{found.pk}/{address}").status_code == 404
        assert browser_of(it).get(f"/rounds/{found.pk}/{address}").status_code == 403
    assert "Closing Leeds" not in browser_of(other).get("/rounds/").content.decode()
    assert browser_of(executive).get(f"/rounds/{found.pk}/").status_code == 200


def test_the_board_reads_itself_anew_until_the_round_has_ended_not_only_until_all_are_started(
    hr: User, executive: User
) -> None:
    found = prepared(hr, executive, 3)
    approve_round(found=found, digest=drift_of(found, now=NOW).digest, actor=as_actor(executive), now=NOW)
    assert start_some(found=found, actor=engine_actor("round"), now=NOW) == 3
    board, live = browser_of(hr), f"/rounds/{found.pk}/live/"
    between = board.get(live)
    assert between.context["board"].sums["started"] == 3
    assert "every 2s" in between.content.decode(), "it would say “Approved” for ever"
    assert start_some(found=found, actor=engine_actor("round"), now=NOW) == 0
    ended = board.get(live).content.decode()
    assert "every 2s" not in ended and "Started" in ended


def test_a_departure_that_became_a_secret_is_not_on_the_board_of_others(hr: User, executive: User) -> None:
    found = started(hr, executive, 3)
    other = make_holder(Role.HR, "Other Hr")
    hidden = found.members.get(position=2).departure
    assert hidden is not None
    edit(departure=hidden, changes={"confidentiality": "need_to_know"}, actor=as_actor(hr), now=NOW)
    theirs = browser_of(other).get(f"/rounds/{found.pk}/")
    assert hidden.subject_name not in theirs.content.decode()
    assert theirs.context["board"].sums["people"] == 2
    assert browser_of(hr).get(f"/rounds/{found.pk}/").context["board"].sums["people"] == 3
    assert hidden.subject_name not in browser_of(other).get(f"/rounds/{found.pk}/recall/").content.decode()
    recall_round(found=found, reason="They found other posts.", actor=as_actor(other), now=NOW)
    assert [member.state for member in found.members.all()] == ["recalling", "started", "recalling"]
    found.refresh_from_db()
    assert found.state == "started", "one of them goes on"


def test_some_are_recalled_by_their_boxes(hr: User, executive: User) -> None:
    found = started(hr, executive, 3)
    chosen = found.members.get(position=2)
    answer = browser_of(hr).post(
        f"/rounds/{found.pk}/recall/",
        {"reason": "They found another post.", "people": [chosen.pk], "word": "closing leeds"},
    )
    assert answer.status_code == 302
    assert [member.state for member in found.members.all()] == ["started", "recalling", "started"]


@pytest.mark.parametrize("query", ["only=nothing", "after=x", "after=-1", f"after={'9' * 30}"])
def test_a_filter_that_is_none_is_refused(hr: User, executive: User, query: str) -> None:
    found = started(hr, executive, 1)
    assert browser_of(hr).get(f"/rounds/{found.pk}/?{query}").status_code == 422
