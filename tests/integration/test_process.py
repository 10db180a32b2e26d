"""How the process goes: what is counted, for whom, and that every figure leads to its rows."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from partwell.access.models import Cut
from partwell.departures.models import Departure, Participant
from partwell.departures.states import Confidentiality, DepartureState
from partwell.insights.listing import Standing, list_load, list_steps
from partwell.insights.questions import FEWEST, Question
from partwell.insights.report import Report, departments, report_dict, view_process
from partwell.journeys.models import Journey, Step, TemplateVersion
from partwell.journeys.operations.reassigning import reassign_steps
from partwell.journeys.states import JourneyState, StepState
from partwell.people.actors import Actor, console_actor
from partwell.people.models import User
from partwell.people.roles import Role
from partwell.refusals import NotAllowed
from tests.factories import as_actor, make_holder, make_person, publish

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
STARTED = datetime(2026, 9, 1, 8, 0, tzinfo=UTC)
QUESTION = Question(date(2026, 1, 1), date(2026, 11, 2), "UTC")
DAY = timedelta(days=1)


@pytest.fixture
def version() -> TemplateVersion:
    return publish(now=STARTED)


@pytest.fixture
def hanna() -> User:
    return make_holder(Role.HR, "Hanna Weiss")


def gone(version: TemplateVersion, name: str, *, ended: datetime | None = None, **changes: Any) -> Journey:
    """A journey with no steps yet; closed where `ended` says when, else running."""
    state = DepartureState.CLOSED if ended else DepartureState.ACTIVE
    values: dict[str, Any] = {
        "subject_kind": "staff", "person": make_person(name), "subject_name": name,
        "subject_department": "Platform", "scenario": version.template_id, "initiated_by": "leaver",
        "notice_date": STARTED.date(), "last_working_date": date(2026, 9, 30),
        "contract_end_date": date(2026, 9, 30), "access_end_at": STARTED + 29 * DAY, "timezone": "UTC",
        "state": state, "created_at": STARTED, "ended_at": ended,
    }  # fmt: skip
    departure = Departure.objects.create(**(values | changes))
    return Journey.objects.create(
        departure=departure, template=version, template_digest=version.digest, state=state,
        started_at=STARTED, started_by="tests", ended_at=ended,
    )  # fmt: skip


def step(journey: Journey, key: str, *, role: str = "hr", phase: int = 1, **changes: Any) -> Step:
    values: dict[str, Any] = {
        "position": 1, "title": key.capitalize(), "due_rule": "notice", "due_at": STARTED + 10 * DAY,
        "state": StepState.OPEN,
    }  # fmt: skip
    return Step.objects.create(journey=journey, key=key, role=role, phase=phase, **(values | changes))


def done(journey: Journey, key: str, late: timedelta = -DAY, **changes: Any) -> Step:
    due_at = changes.pop("due_at", STARTED + 10 * DAY)
    return step(
        journey, key, due_at=due_at, settled_at=due_at + late, settled_by="Hanna <h@x.example>",
        **({"state": StepState.DONE} | changes),
    )  # fmt: skip


def view(actor: Actor | None = None, question: Question = QUESTION) -> Report:
    return view_process(question, actor=actor or console_actor(), now=NOW)


def named(name: str, question: Question = QUESTION, **more: Any) -> list[str]:
    found, _ = list_steps(question, standing=name, actor=console_actor(), now=NOW, **more)
    return [each.key for each in found]


def test_late_is_told_by_role_and_by_step_and_every_figure_leads_to_its_steps(
    version: TemplateVersion,
) -> None:
    closed, running = gone(version, "Closed One", ended=STARTED + 40 * DAY), gone(version, "Running One")
    done(closed, "confirm")
    done(running, "confirm", 3 * DAY)
    done(closed, "cut", timedelta(hours=1), role="it_security")
    step(running, "cut", role="it_security")
    # Of today's, what is due in an hour is not late yet, and not in time either.
    step(running, "later", due_at=NOW + timedelta(hours=1))
    done(running, "early", due_at=NOW + timedelta(hours=1))
    step(running, "unneeded", state=StepState.NOT_NEEDED)
    done(running, "own-1", 5 * DAY, is_own=True)
    past = view().past
    assert past is not None
    roles = {line.role: (line.total, line.in_time, line.late, line.open_late) for line in past.roles}
    assert roles == {"hr": (3, 1, 2, 0), "it_security": (2, 0, 1, 1)}
    assert past.roles[0].role == "it_security"
    steps = {(line.key, line.role): (line.missed, line.median_days) for line in past.steps}
    assert steps[("confirm", "hr")] == (1, 3.0)
    assert steps[("cut", "it_security")] == (2, 1.0)
    assert steps[("own", "hr")] == (1, 5.0)
    assert sorted(named(Standing.LATE, role="hr")) == ["confirm", "own-1"]
    assert named(Standing.LATE, key="own") == ["own-1"]
    assert named(Standing.OPEN_LATE) == ["cut"]
    assert named(Standing.IN_TIME) == ["confirm"]
    assert len(named(Standing.DUE)) == past.due == 5


@pytest.mark.parametrize(("timezone", "counted"), [("UTC", 1), ("Europe/Berlin", 0), ("America/New_York", 1)])
def test_a_step_due_late_at_night_belongs_to_the_day_of_the_periods_timezone(
    version: TemplateVersion, timezone: str, counted: int
) -> None:
    done(gone(version, "Night Owl"), "confirm", due_at=datetime(2026, 9, 30, 22, 30, tzinfo=UTC))
    past = view(question=Question(date(2026, 9, 1), date(2026, 9, 30), timezone)).past
    assert past is not None
    assert past.due == counted


def test_what_was_left_out_is_told_with_its_reason_newest_first(version: TemplateVersion) -> None:
    for number, name in enumerate(("One", "Two")):
        journey = gone(version, name)
        done(journey, "confirm", number * DAY, state=StepState.SKIPPED, skip_reason=f"Reason {number}")
    done(gone(version, "Before"), "confirm", due_at=datetime(2025, 6, 1, tzinfo=UTC), state="skipped")
    past = view().past
    assert past is not None
    [line] = past.skips.steps
    assert (line.template, line.key, line.times) == ("small", "confirm", 2)
    assert [each.skip_reason for each in past.skips.newest] == ["Reason 1", "Reason 0"]
    assert named(Standing.SKIPPED, key="confirm") == ["confirm", "confirm"]


def test_left_out_steps_that_people_added_are_told_apart_by_their_titles(version: TemplateVersion) -> None:
    for title in ("Water the plants", "Feed the fish"):
        done(gone(version, title), "own-1", title=title, is_own=True, state="skipped", skip_reason="Gone")
    past = view().past
    assert past is not None
    assert sorted((line.key, line.title, line.times) for line in past.skips.steps) == [
        ("own", "Feed the fish", 1),
        ("own", "Water the plants", 1),
    ]
    assert named(Standing.SKIPPED, key="own") == ["own-1", "own-1"]


def test_closings_past_the_gate_and_cuts_are_told_with_both_people(
    version: TemplateVersion, hanna: User
) -> None:
    closed = gone(version, "Closed", ended=NOW - DAY)
    Journey.objects.filter(pk=closed.pk).update(
        override_reason="The laptop is lost", override_by="A", override_approved_by="B"
    )
    asked = gone(version, "Asked")
    Journey.objects.filter(pk=asked.pk).update(override_reason="It waits", override_by="A")
    gone(version, "Ordinary", ended=NOW - DAY)
    # They asked, then finished what was open and closed without anybody's approval.
    finished = gone(version, "Finished after all", ended=NOW - DAY)
    Journey.objects.filter(pk=finished.pk).update(override_reason="It waits", override_by="A")
    for reviewed_at in (NOW, None):
        cut = Cut.objects.create(
            title="Now", reason="He shouted", state="fired", ordered_by="A", ordered_at=NOW - DAY,
            fired_at=NOW - DAY, reviewed_at=reviewed_at, reviewed_by="B" if reviewed_at else "",
        )  # fmt: skip
        cut.departures.set([asked.departure, closed.departure])
    past = view(as_actor(hanna)).past
    assert past is not None
    assert [each.departure.subject_name for each in past.overrides.closed] == ["Closed"]
    assert past.overrides.closed[0].override_approved_by == "B"
    assert [each.departure.subject_name for each in past.overrides.asked] == ["Asked"]
    assert len(past.overrides.cuts) == 2
    assert len(past.overrides.unreviewed) == 1


def test_phases_of_closed_journeys_stand_apart_from_those_that_run(version: TemplateVersion) -> None:
    for name, days in (("One", 2), ("Two", 4), ("Three", 12)):
        journey = gone(version, name, ended=STARTED + 40 * DAY)
        done(journey, "confirm", due_at=STARTED + 2 * DAY)
        done(journey, "initiate", due_at=STARTED + (2 + days) * DAY)
    running = gone(version, "Running")
    done(running, "confirm", due_at=NOW - 6 * DAY)
    step(running, "initiate")
    withdrawn = gone(version, "Withdrawn", ended=STARTED + 5 * DAY, state=DepartureState.WITHDRAWN)
    done(withdrawn, "confirm", due_at=STARTED + 2 * DAY)
    past = view().past
    assert past is not None
    first = past.phases[0]
    assert (first.worked.count, first.worked.median, first.worked.p90) == (3, 4.0, 12)
    assert (first.finished.median, first.finished.p90) == (5.0, 13)
    assert (first.running.count, first.running.median) == (1, 7.0)
    assert past.phases[1].worked.count == past.phases[1].running.count == 0


def test_who_carries_how_much_and_what_nobody_has_claimed(version: TemplateVersion, hanna: User) -> None:
    tom = make_holder(Role.IT_SECURITY, "Tom Wirth")
    ann = make_holder(Role.IT_SECURITY, "Ann Light")
    for number in range(7):
        journey = gone(version, f"Leaver {number}")
        step(journey, "cut", role="it_security", owner=tom, owner_name="Tom", due_at=NOW - DAY)
    step(journey, "confirm", owner=hanna, due_at=NOW + 2 * DAY)
    step(journey, "waits", owner=hanna, state=StepState.BLOCKED, due_at=NOW + DAY)
    step(journey, "far", role="it_security", owner=ann, due_at=NOW + 30 * DAY)
    step(journey, "free", role="finance", queue="finance", due_at=NOW - 3 * DAY)
    step(journey, "theirs", role="departing")
    step(gone(version, "Over", ended=NOW), "over", owner=ann, due_at=NOW - DAY)
    loads = view().loads
    people = {each.name: (each.late, each.soon, each.open, each.blocked) for each in loads.people}
    assert people == {"Tom Wirth": (7, 0, 7, 0), "Hanna Weiss": (0, 1, 1, 1), "Ann Light": (0, 0, 1, 0)}
    assert [each.name for each in loads.overloaded] == ["Tom Wirth"]
    [queue] = loads.queues
    assert (queue.queue, queue.late, queue.oldest_due_at) == ("finance", 1, NOW - 3 * DAY)
    listed, _ = list_load(
        owner_id=None, queue="finance", question=QUESTION, actor=console_actor()
    )  # fmt: skip
    assert [each.key for each in listed] == ["free"]


def test_what_is_soon_ends_with_the_fifth_working_day(version: TemplateVersion, hanna: User) -> None:
    # From Monday 2 November the fifth working day is Monday 9 November, at the end of work.
    until = datetime(2026, 11, 9, 17, 30, tzinfo=UTC)
    for key, due_at in (("inside", until - timedelta(minutes=1)), ("outside", until)):
        step(gone(version, key), key, owner=hanna, due_at=due_at)
    loads = view().loads
    assert loads.until == until
    assert [(each.soon, each.open) for each in loads.people] == [(1, 2)]


def test_of_a_department_that_few_left_nothing_past_is_told(version: TemplateVersion) -> None:
    for number in range(FEWEST - 1):
        done(gone(version, f"Leaver {number}"), "confirm", DAY)
    done(gone(version, "Elsewhere", subject_department="Studio"), "confirm", DAY)
    small = Question(QUESTION.since, QUESTION.until, "UTC", department="Platform")
    assert view(question=small).past is None
    assert named(Standing.LATE, small) == []
    assert report_dict(view(question=small))["late_by_role"] == []
    done(gone(version, "The fifth"), "confirm", DAY)
    past = view(question=small).past
    assert past is not None
    assert past.roles[0].total == FEWEST
    [line] = report_dict(view(question=small))["late_by_role"]
    assert line["late"] == FEWEST
    done(gone(version, "The sixth"), "rare", DAY, role="finance")
    lines = {line["role"]: line for line in report_dict(view(question=small))["late_by_role"]}
    assert lines["finance"] == {"role": "finance", "too_few": True}


def test_template_audience_and_department_narrow_what_is_asked(version: TemplateVersion) -> None:
    done(gone(version, "Staff"), "confirm", DAY)
    client = gone(version, "Client", subject_kind="client", subject_department="")
    done(client, "confirm", DAY)
    for changes, count in (({}, 2), ({"audience": "client"}, 1), ({"template": "none"}, 0)):
        past = view(question=Question(QUESTION.since, QUESTION.until, "UTC", **changes)).past
        assert past is not None
        assert past.due == count
    assert departments(console_actor()) == ["Platform"]


def test_a_hidden_departure_changes_nothing_but_for_who_takes_part(
    version: TemplateVersion, hanna: User
) -> None:
    other = make_holder(Role.HR, "Hugo Other")
    it = make_holder(Role.IT_SECURITY, "Tom Wirth")
    for number in range(FEWEST):
        journey = gone(version, f"Leaver {number}", ended=NOW - DAY)
        done(journey, "confirm", DAY)
    before = report_dict(view(as_actor(other)))
    hidden = gone(
        version, "Quiet Case", confidentiality=Confidentiality.NEED_TO_KNOW, subject_department="Board"
    )
    done(hidden, "confirm", DAY, state=StepState.SKIPPED, skip_reason="Secret", owner=it)
    step(hidden, "cut", role="it_security", owner=it)
    Journey.objects.filter(pk=hidden.pk).update(override_reason="Secret reason", override_by="A")
    Participant.objects.create(departure=hidden.departure, user=hanna, capacity="hr", added_at=NOW)
    assert report_dict(view(as_actor(other))) == before
    assert departments(as_actor(other)) == ["Platform"]
    inside = report_dict(view(as_actor(hanna)))
    assert inside["journeys"]["running"] == 1
    assert [each["reason"] for each in inside["skipped_newest"]] == ["Secret"]
    assert [load["name"] for load in inside["people"]] == ["Tom Wirth"]
    assert departments(as_actor(hanna)) == ["Board", "Platform"]


def test_steps_are_given_away_one_by_one_and_what_is_refused_holds_up_no_other(
    version: TemplateVersion, hanna: User
) -> None:
    tom, ann = make_holder(Role.IT_SECURITY, "Tom Wirth"), make_holder(Role.IT_SECURITY, "Ann Light")
    journey = gone(version, "Leaver")
    steps = [
        step(journey, "one", role="it_security", owner=tom),
        done(journey, "two", role="it_security", owner=tom),
        step(journey, "three", role="it_security", owner=tom),
    ]
    outcome = reassign_steps(steps=steps, to=ann, actor=as_actor(hanna), now=NOW)
    assert [each.refusal.code if each.refusal else "" for each in outcome] == ["", "step_settled", ""]
    assert list(Step.objects.filter(owner=ann).values_list("key", flat=True).order_by("key")) == [
        "one",
        "three",
    ]


@pytest.mark.parametrize("role", [Role.IT_SECURITY, Role.FINANCE, Role.LEGAL])
def test_whose_work_it_is_about_does_not_read_the_whole(role: Role) -> None:
    holder = as_actor(make_holder(role, "Somebody Else"))
    with pytest.raises(NotAllowed):
        view(holder)
    with pytest.raises(NotAllowed):
        list_steps(QUESTION, standing="late", actor=holder, now=NOW)
    with pytest.raises(NotAllowed):
        list_load(owner_id=None, queue="hr", question=QUESTION, actor=holder)


def test_a_list_goes_on_where_its_page_ended(version: TemplateVersion) -> None:
    journey = gone(version, "Leaver", state=JourneyState.ACTIVE)
    for number in range(5):
        done(journey, f"step-{number}", DAY)
    found, after, pages = [], None, 0
    while pages == 0 or after is not None:
        page, after = list_steps(
            QUESTION, standing="late", actor=console_actor(), now=NOW, after=after, limit=2
        )
        found += [each.key for each in page]
        pages += 1
    assert (pages, sorted(found)) == (3, [f"step-{number}" for number in range(5)])
