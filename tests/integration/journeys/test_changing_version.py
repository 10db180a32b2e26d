"""A running journey is moved to another version of its template after somebody looked at the difference."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Event as Moment
from typing import Any

import pytest
from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext

from benchmarks.firm import template_text
from partwell.access.models import Plan
from partwell.departures.models import GuestLink, Participant
from partwell.departures.states import Confidentiality
from partwell.evidence.models import Event
from partwell.evidence.queries import fields_of
from partwell.journeys.earlier_versions import count_behind, list_behind
from partwell.journeys.models import Journey, Step
from partwell.journeys.operations import ending, moving, steps
from partwell.journeys.operations.changing_version import change_version, change_versions
from partwell.journeys.template_queries import latest
from partwell.journeys.version_change import Fate
from partwell.journeys.version_drafts import VersionChange, draft_version_change
from partwell.people.actors import Actor, console_actor
from partwell.people.models import User
from partwell.people.operations import ensure_user
from partwell.people.roles import Role
from partwell.refusals import Conflict, NotAllowed, NotFound
from partwell.signals.models import Message
from partwell.web.timeline import describe
from tests.factories import NOW, as_actor, make_holder, make_person, publish, start_journey, step_of
from tests.moved_templates import second_version

pytestmark = pytest.mark.django_db


@pytest.fixture
def hr(db: None) -> User:
    return make_holder(Role.HR, "Amara Osei")


@pytest.fixture
def journey(hr: User) -> Journey:
    publish()
    return start_journey(make_person(manager=make_person("Joon-ho Baek")))


def draft(journey: Journey, *, actor: Actor | None = None, now: datetime = NOW, **more: Any) -> VersionChange:
    fresh = Journey.objects.select_related("departure__person", "template").get(pk=journey.pk)
    return draft_version_change(departure=fresh.departure, actor=actor or console_actor(), now=now, **more)


def move(journey: Journey, *, actor: Actor | None = None, now: datetime = NOW, **more: Any) -> VersionChange:
    seen = draft(journey, actor=actor, now=now, **more).digest
    return change_version(
        departure=journey.departure, seen=seen, actor=actor or console_actor(), now=now, **more
    )


def fates(change: VersionChange) -> dict[str, Fate]:
    return {each.step.key: each.fate for each in change.merged.changes}


def test_the_difference_is_shown_and_nothing_of_it_is_stored(journey: Journey) -> None:
    publish(second_version())
    before = list(Step.objects.order_by("pk").values())
    found = draft(journey)
    assert fates(found) == {
        "initiate": Fate.CHANGED,
        "extra": Fate.FALLS_AWAY,
        "return-keys": Fate.ADDED,
    }
    assert list(Step.objects.order_by("pk").values()) == before
    assert Journey.objects.get().template.version == 1


def test_the_journey_follows_the_version_that_was_looked_at(journey: Journey) -> None:
    new = publish(second_version())
    move(journey)
    journey = Journey.objects.get()
    assert (journey.template, journey.template_digest) == (new, new.digest)
    keys = list(journey.steps.order_by("position").values_list("key", flat=True))
    assert keys == [
        "confirm",
        "initiate",
        "approve-access-plan",
        "cut-access",
        "return-keys",
        "close-journey",
    ]
    initiate = step_of(journey, "initiate")
    assert (initiate.role, initiate.owner_name) == ("hr", "Amara Osei")
    assert initiate.due_at == datetime(2026, 11, 25, 16, 30, tzinfo=UTC)


def test_what_is_done_stays_done_as_it_was_asked(journey: Journey) -> None:
    steps.complete_step(step=step_of(journey, "confirm"), actor=console_actor(), now=NOW, note="agreed")
    steps.complete_step(step=step_of(journey, "initiate"), actor=console_actor(), now=NOW)
    publish(second_version())
    before = Step.objects.filter(key="initiate").values().get()
    found = move(journey)
    after = Step.objects.filter(key="initiate").values().get()
    assert after == before
    [stays] = found.merged.of(Fate.STAYS)
    assert stays.why == "It is done already. Version 2 of the template asks otherwise."


def test_a_step_with_comments_is_set_aside_and_asked_again_on_the_way_back(journey: Journey) -> None:
    steps.comment_on_step(
        step=step_of(journey, "initiate"), text="Half of it is done.", actor=console_actor(), now=NOW
    )
    publish(second_version(without="initiate"))
    found = move(journey)
    [aside] = found.merged.of(Fate.SET_ASIDE)
    assert aside.why == "1 comment"
    step = step_of(journey, "initiate")
    assert (step.state, step.skip_reason) == (
        "not_needed",
        "Version 2 of the template no longer asks for it.",
    )
    # Editing facts looks at conditions again; what was set aside stays so.
    moving.edit(departure=journey.departure, changes={"jurisdiction": "AT"}, actor=console_actor(), now=NOW)
    assert step_of(journey, "initiate").state == "not_needed"
    move(journey, version=1)
    step = step_of(journey, "initiate")
    assert (step.state, step.waits_for, step.skip_reason) == ("blocked", ["confirm"], "")
    assert step.comments.count() == 1


def test_a_step_that_somebody_was_asked_for_by_link_is_not_thrown_away(journey: Journey) -> None:
    GuestLink.objects.create(
        departure=journey.departure,
        capacity="helper",
        step_keys=["extra"],
        email="mei@home.example",
        is_work_address=False,
        token_digest="0" * 64,
        invited_by="Amara Osei",
        invited_at=NOW,
        expires_at=NOW + timedelta(days=7),
    )
    publish(second_version())
    assert fates(draft(journey))["extra"] == Fate.SET_ASIDE
    assert fates(draft(journey, now=NOW + timedelta(days=8)))["extra"] == Fate.FALLS_AWAY


def test_the_access_steps_stay_while_there_is_an_access_plan(journey: Journey) -> None:
    publish(second_version(without="cut-access"))
    assert fates(draft(journey))["cut-access"] == Fate.FALLS_AWAY
    Plan.objects.create(departure=journey.departure, version=1, checksum="c", made_at=NOW)
    move(journey)
    cut = step_of(journey, "cut-access")
    assert (cut.state, cut.waits_for) == ("blocked", ["approve-access-plan"])


def test_what_was_not_looked_at_is_not_applied(journey: Journey) -> None:
    publish(second_version())
    seen = draft(journey).digest
    steps.comment_on_step(
        step=step_of(journey, "extra"), text="Mei leads the team.", actor=console_actor(), now=NOW
    )
    with pytest.raises(Conflict) as refused:
        change_version(departure=journey.departure, seen=seen, actor=console_actor(), now=NOW)
    assert refused.value.code == "difference_changed"
    assert Journey.objects.get().template.version == 1


@pytest.mark.django_db(transaction=True)
def test_a_step_that_somebody_settles_at_that_moment_is_not_overwritten(journey: Journey) -> None:
    publish(second_version())
    seen = draft(journey).digest
    is_settled, may_end = Moment(), Moment()

    def complete() -> None:
        try:
            with transaction.atomic():
                steps.complete_step(
                    step=step_of(journey, "confirm"), actor=console_actor(), now=NOW, note="agreed"
                )
                is_settled.set()
                # On SQLite only one writes at a time, so there the other has to wait until this has ended.
                if connection.vendor == "postgresql":
                    may_end.wait(20)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        completing = pool.submit(complete)
        assert is_settled.wait(20)
        if connection.vendor == "sqlite":
            completing.result()
        with pytest.raises(Conflict) as refused:
            change_version(departure=journey.departure, seen=seen, actor=console_actor(), now=NOW)
        may_end.set()
        completing.result()
    assert refused.value.code == ("steps_busy" if connection.vendor == "postgresql" else "difference_changed")
    move(journey)
    assert step_of(journey, "confirm").state == "done"
    assert step_of(journey, "initiate").state == "open"


def test_a_version_that_came_out_since_is_not_taken_for_the_one_that_was_seen(journey: Journey) -> None:
    publish(second_version())
    seen = draft(journey).digest
    publish(second_version(title="A smaller journey"))
    with pytest.raises(Conflict):
        change_version(departure=journey.departure, seen=seen, actor=console_actor(), now=NOW)


def test_moving_to_the_version_that_it_has_is_refused_in_words(journey: Journey) -> None:
    with pytest.raises(Conflict) as refused:
        draft(journey)
    assert refused.value.code == "same_version"


def test_a_journey_that_has_ended_keeps_its_version(journey: Journey) -> None:
    publish(second_version())
    ending.withdraw(
        departure=journey.departure, reason="They stay after all.", actor=console_actor(), now=NOW
    )
    with pytest.raises(Conflict) as refused:
        draft(journey)
    assert refused.value.code == "departure_ended"


def test_the_record_says_what_changed(journey: Journey) -> None:
    old, new = journey.template, publish(second_version())
    found = move(journey)
    event = Event.objects.get(kind="journey.version_changed")
    fields = {name: value.value for name, value in fields_of(event).items()}
    assert (fields["digest_before"], fields["digest_after"]) == (old.digest, new.digest)
    assert fields["seen"] == found.digest
    assert [row["step"] for row in fields["added"]] == ["return-keys"]
    assert [row["step"] for row in fields["fell_away"]] == ["extra"]
    [changed] = fields["changed"]
    assert changed["fields"] == ["role", "due"]
    assert fields["owners"] == [{"step": "initiate", "before": "Joon-ho Baek", "after": "Amara Osei"}]
    assert describe(event)["said"].endswith(
        "moved the journey from version 1 of its template to 2; steps: 1 added, 1 changed, 1 fell away"
    )


def test_whoever_gets_a_step_takes_part_and_is_told(journey: Journey) -> None:
    publish(second_version())
    Message.objects.all().delete()
    Participant.objects.filter(user__email="amara.osei@harbour.example").delete()
    move(journey)
    assert Participant.objects.filter(user__email="amara.osei@harbour.example", capacity="hr").exists()
    [mail] = Message.objects.all()
    assert mail.to == "amara.osei@harbour.example"


def test_whoever_was_given_a_step_keeps_it(journey: Journey) -> None:
    mei = ensure_user(make_person("Mei Tan"), now=NOW)
    steps.reassign_step(step=step_of(journey, "initiate"), to=mei, actor=console_actor(), now=NOW)
    publish(second_version())
    found = move(journey)
    assert step_of(journey, "initiate").owner == mei
    [changed] = found.merged.of(Fate.CHANGED)
    assert "Stays with Mei Tan" in changed.why


def test_whoever_owned_only_what_fell_away_takes_no_part_any_more(journey: Journey) -> None:
    mei = ensure_user(make_person("Mei Tan"), now=NOW)
    make_person("New Report", manager=journey.departure.person)
    moving.edit(departure=journey.departure, changes={"jurisdiction": "AT"}, actor=console_actor(), now=NOW)
    steps.reassign_step(step=step_of(journey, "extra"), to=mei, actor=console_actor(), now=NOW)
    publish(second_version())
    move(journey)
    assert not Participant.objects.filter(user=mei).exists()


def test_the_reason_that_a_journey_began_with_stays_when_the_version_has_it_not(hr: User) -> None:
    publish()
    journey = start_journey(make_person(), reason="moving")
    publish(second_version(reasons=["pay"]))
    move(journey)
    journey.departure.refresh_from_db()
    moving.edit(
        departure=journey.departure,
        changes={"reason": "moving", "rehire": "welcome"},
        actor=console_actor(),
        now=NOW,
    )
    journey.departure.refresh_from_db()
    assert (journey.departure.reason, journey.departure.rehire) == ("moving", "welcome")


def test_only_hr_looks_and_moves(journey: Journey) -> None:
    publish(second_version())
    finance = as_actor(make_holder(Role.FINANCE, "Ravi Nair"))
    with pytest.raises(NotAllowed):
        draft(journey, actor=finance)
    with pytest.raises(NotAllowed):
        change_version(departure=journey.departure, seen="", actor=finance, now=NOW)


def restricted(journey: Journey) -> None:
    journey.departure.confidentiality = Confidentiality.NEED_TO_KNOW
    journey.departure.save()


def test_a_need_to_know_journey_is_neither_shown_nor_counted_nor_moved(journey: Journey) -> None:
    outsider = as_actor(make_holder(Role.HR, "Noor Haddad"))
    restricted(journey)
    publish(second_version())
    with pytest.raises(NotFound):
        draft(journey, actor=outsider)
    assert count_behind(version=latest("small"), actor=outsider) == 0
    assert list_behind(template_id="small", actor=outsider, now=NOW)[1] == []
    seen = {journey.pk: draft(journey).digest}
    [outcome] = change_versions(template_id="small", seen=seen, actor=outsider, now=NOW)
    assert (outcome.subject, outcome.change) == ("", None)
    assert Journey.objects.get().template.version == 1


def test_several_are_moved_each_by_itself(journey: Journey, hr: User) -> None:
    other = start_journey(make_person("Owen Pryce"))
    ended = start_journey(make_person("Sofia Marin"))
    ending.withdraw(departure=ended.departure, reason="They stay.", actor=console_actor(), now=NOW)
    publish(second_version())
    actor = as_actor(hr)
    assert count_behind(version=latest("small"), actor=actor) == 2
    _, rows, after = list_behind(template_id="small", actor=actor, now=NOW)
    assert after is None
    seen = {row.departure.pk: row.change.digest for row in rows if row.change}
    assert seen.keys() == {journey.pk, other.pk}
    steps.comment_on_step(step=step_of(other, "extra"), text="Wait.", actor=console_actor(), now=NOW)
    outcomes = change_versions(template_id="small", seen=seen, actor=actor, now=NOW)
    said = {each.departure_id: each.as_dict() for each in outcomes}
    assert said[journey.pk]["moved"]
    assert (said[other.pk]["moved"], said[other.pk]["code"]) == (False, "difference_changed")
    assert [row.departure.pk for row in list_behind(template_id="small", actor=actor, now=NOW)[1]] == [
        other.pk
    ]


def test_the_list_goes_on_from_page_to_page(hr: User) -> None:
    publish()
    pks = {start_journey(make_person(f"Leaver {n}")).pk for n in range(3)}
    publish(second_version())
    found, after = [], None
    for _ in range(3):
        _, rows, after = list_behind(template_id="small", actor=as_actor(hr), now=NOW, after=after, limit=1)
        found += [row.departure.pk for row in rows]
    assert (set(found), after) == (pks, None)


def questions_for(size: int) -> tuple[int, int]:
    """How many queries a journey of this many steps takes in the list, and to be moved."""
    name = f"long-{size}"
    publish(template_text(name, size))
    journey = start_journey(make_person(f"Leaver {size}"), template=name, reason="pay")
    publish(template_text(name, size).replace("title: ", "title: Now "))
    seen = draft(journey).digest
    with CaptureQueriesContext(connection) as listed:
        _, [row], _ = list_behind(template_id=name, actor=console_actor(), now=NOW)
    assert row.change is not None
    assert row.change.count >= size - 1
    with CaptureQueriesContext(connection) as moved:
        change_version(departure=journey.departure, seen=seen, actor=console_actor(), now=NOW)
    return len(listed), len(moved)


def test_a_long_journey_asks_no_more_questions_than_a_short_one(hr: User) -> None:
    questions_for(10)  # what is asked once in a process is asked
    short, long = questions_for(20), questions_for(80)
    assert short == long
    assert short[0] <= 10
    assert short[1] <= 20


def test_what_programs_read_of_a_difference_is_plain(journey: Journey) -> None:
    publish(second_version())
    shown = draft(journey).as_dict()
    assert json.loads(json.dumps(shown)) == shown
