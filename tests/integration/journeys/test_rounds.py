"""Many departures at once: prepared, approved by another person, and started in batches."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from django.db.models import F

from partwell.departures.models import Departure, Participant
from partwell.engine import registry, timers
from partwell.engine.models import Timer
from partwell.evidence.models import Event
from partwell.journeys.intake import Intake
from partwell.journeys.models import Journey, Round, RoundMember, Step
from partwell.journeys.operations.starting import draft_journey
from partwell.journeys.rounds import carrying_out
from partwell.journeys.rounds.carrying_out import go_on
from partwell.journeys.rounds.drift import drift_of
from partwell.journeys.rounds.operations import GO_ON, approve_round, prepare_round, recall_round
from partwell.people.actors import Channel
from partwell.people.models import Person, RoleGrant, User
from partwell.people.roles import Role
from partwell.refusals import Conflict, FreshSignInNeeded, Invalid, NotAllowed, NotFound
from partwell.signals.models import Message
from tests.factories import (
    LAST_DAY,
    NOW,
    SMALL_TEMPLATE,
    as_actor,
    make_holder,
    make_person,
    publish,
    start_journey,
)
from tests.rounds_world import (
    SECRETLY,
    TERMS,
    WHY,
    approve,
    executive,
    hr,
    listed,
    look,
    manager,
    people,
    prepare,
    states,
)

pytestmark = pytest.mark.django_db
__all__ = ["executive", "hr", "manager"]


def test_a_round_is_prepared_approved_by_another_person_and_started_by_the_worker(
    hr: User, executive: User, manager: Person
) -> None:
    found = prepare(hr, listed(*people(30, manager=manager)))
    assert not Departure.objects.exists()
    approve(found, executive)
    timer = Timer.objects.get(name=GO_ON)
    assert (timer.key, timer.due_at) == (str(found.pk), NOW)
    assert not Departure.objects.exists(), "it starts by the worker"
    go_on(str(found.pk), NOW)
    assert Journey.objects.count() == 30
    assert Step.objects.count() == 30 * 6
    found.refresh_from_db()
    assert (found.state, set(states(found).values())) == ("started", {"started"})
    for event in Event.objects.filter(kind="journey.started"):
        assert event.fields["round_approved_by"]["value"].startswith("Helen Marsh")
    go_on(str(found.pk), NOW)
    assert Journey.objects.count() == 30, "nobody twice"


def test_a_journey_of_a_round_is_as_if_it_had_been_started_alone(
    hr: User, executive: User, manager: Person
) -> None:
    first, second = people(2, manager=manager)
    alone = start_journey(first, actor=as_actor(hr), reason="moving")
    approve(found := prepare(hr, listed(second)), executive)
    go_on(str(found.pk), NOW)
    together = Journey.objects.get(departure__person=second)

    def facts(journey: Journey) -> list[Any]:
        fields = ("key", "owner", "queue", "state", "due_at", "waits_for")
        return list(journey.steps.values_list(*fields).order_by("position"))

    assert facts(alone) == facts(together)
    names = ("reason", "confidentiality", "notice_date", "access_end_at", "jurisdiction", "timezone")
    for name in names:
        assert getattr(alone.departure, name) == getattr(together.departure, name), name
    timers = Timer.objects.exclude(name=GO_ON).values_list("name", "due_at")
    of = {journey.pk: sorted(timers.filter(key__startswith=str(journey.pk))) for journey in (alone, together)}
    assert of[alone.pk] == of[together.pk] != []


def test_every_bad_line_is_told_at_once_with_its_value_and_why(hr: User) -> None:
    make_person("Mei Tanaka", email="mei@harbour.example", employee_number="77")
    make_person("Bo Lind", email="bo@harbour.example", employee_number="78")
    data = (
        b"email,employee_number,last_working_day,reason\n"
        b"nobody@harbour.example,,,\n"
        b"mei@harbour.example,,31.12.2026,\n"
        b"mei@harbour.example,78,,\n"
        b",,,\n"
        b",,2026-12-30,\n"
        b"bo@harbour.example,,2026-10-01,\n"
        b"mei@harbour.example,,,because\n"
        b"mei@harbour.example,77,,\n"
    )
    preview = look(hr, data)
    told = {(bad.line, bad.reason) for bad in preview.bad_lines}
    assert [bad.line for bad in preview.bad_lines] == [2, 3, 4, 6, 7, 8, 9]
    said = " ".join(reason for _, reason in told)
    for words in (
        "nobody in the registers",
        "no date of the form",
        "this could mean Bo Lind",
        "does not say who",
        "before the notice",
        "“because” is not known",
        "stands in line 8 already",
    ):
        assert words in said, words
    with pytest.raises(Invalid) as refused:
        prepare(hr, data)
    assert refused.value.code == "lines_bad"
    assert not Round.objects.exists()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "names nobody"),
        (b"a@b.example, 2026-12-31", "no header says what"),
        ("a@b.example".encode("utf-16"), "UTF-16"),
        (b"email\n" + b"x@y.example\n" * 1001, "at most 1000"),
        (b'email\n"open', "never closed"),
        (b"=cmd|' /C calc'!A0", "nobody in the registers"),
    ],
)
def test_a_list_that_cannot_be_read_is_refused_in_words(hr: User, data: bytes, said: str) -> None:
    preview = look(hr, data)
    assert not preview.members
    assert said in " ".join(str(bad) for bad in preview.bad_lines)


def test_whoever_leaves_already_or_has_left_is_left_out_by_name(hr: User, manager: Person) -> None:
    first, second, third = people(3, manager=manager)
    start_journey(first)
    Person.objects.filter(pk=second.pk).update(left_on_date=date(2026, 1, 31))
    preview = look(hr, listed(first, second, third))
    assert preview.left_out == (
        ("Leaver 01", "Is leaving already."),
        ("Leaver 02", "Left on 2026-01-31."),
    )
    assert [each.departure.subject_name for each in preview.members] == ["Leaver 03"]


def test_a_preview_is_the_same_whether_or_not_somebody_leaves_in_secret(hr: User, executive: User) -> None:
    make_holder(Role.HR, "Other Hr")  # so that neither takes part for being the only one
    first, second = people(2)
    before = look(hr, listed(first, second)).as_dict()
    start_journey(first, confidentiality=SECRETLY)
    assert look(hr, listed(first, second)).as_dict() == before
    approve(found := prepare(hr, listed(first, second)), executive)
    go_on(str(found.pk), NOW)
    assert states(found) == {"Leaver 01": "left_out", "Leaver 02": "started"}
    assert found.members.get(name="Leaver 01").note == carrying_out.NOT_HERE


def test_a_preview_shows_owners_loads_with_what_they_have_open_and_what_clashes(hr: User) -> None:
    manager = make_person("Joon-ho Park")
    start_journey(make_person("Before Them", manager=manager))
    leavers = [*people(4, manager=manager), manager]
    make_person("Stays Here", manager=leavers[0])
    preview = look(hr, listed(*leavers), replace(TERMS, last_working_date=date(2026, 11, 28)))
    overview = preview.overview
    loads = {load["owner"]: load for load in overview["loads"]}
    assert loads["Joon-ho Park"]["steps"] == 4 + 1, "one of them manages people, and hands over the team"
    assert loads["Joon-ho Park"]["already_open"] == 1
    assert loads["Joon-ho Park"]["is_in_round"]
    assert not loads["Amara Osei"]["is_in_round"]
    pending = sum(each.steps for each in preview.members)
    assert overview["totals"]["steps"] == pending == sum(overview["totals"].values()) - pending
    assert {each["name"] for each in overview["managers"]} == {"Leaver 01", "Joon-ho Park"}
    assert {c["about"] for c in overview["clashes"] if c["kind"] == "day_off"} >= {
        "Leaver 01",
        "Joon-ho Park",
    }


def test_hr_of_one_department_prepares_nothing_for_another(hr: User) -> None:
    own = make_holder(Role.HR, "Noa Lind", department="Studio")
    [person] = people(1)
    preview = look(own, listed(person))
    assert "HR of “Platform” starts this journey" in str(preview.bad_lines[0])
    with pytest.raises(NotAllowed):
        look(make_holder(Role.FINANCE, "Ida Berg"), listed(person))


def test_nobody_prepares_a_round_with_themselves_in_it(hr: User) -> None:
    assert hr.person is not None
    assert "This is you" in str(look(hr, listed(hr.person)).bad_lines[0])


def test_what_was_looked_at_is_what_is_prepared_and_approved(hr: User, executive: User) -> None:
    first, second = people(2)
    data = listed(first, second)
    seen = look(hr, data).digest
    start_journey(second)
    with pytest.raises(Conflict) as refused:
        prepare_round(terms=TERMS, data=data, digest=seen, actor=as_actor(hr), now=NOW)
    assert refused.value.code == "changed_meanwhile"
    found = prepare(hr, listed(first))
    with pytest.raises(Conflict):
        approve_round(found=found, digest=found.digest, actor=as_actor(executive), now=NOW)


def test_only_another_person_with_a_fresh_sign_in_approves(hr: User, executive: User) -> None:
    found = prepare(hr, listed(*people(2)))
    digest = drift_of(found, now=NOW).digest
    refusals = {
        "same_person": as_actor(hr),
        "second_person_needed": as_actor(executive, channel=Channel.API),
        "not_allowed": as_actor(make_holder(Role.LEGAL, "Lea Roth")),
    }
    for code, actor in refusals.items():
        with pytest.raises(NotAllowed) as refused:
            approve_round(found=found, digest=digest, actor=actor, now=NOW)
        assert refused.value.code == code
    with pytest.raises(NotFound):
        approve(found, make_holder(Role.HR, "Noa Lind", department="Studio"))
    with pytest.raises(FreshSignInNeeded):
        approve_round(found=found, digest=digest, actor=as_actor(executive, is_fresh=False), now=NOW)
    assert approve(found, executive).state == "approved"
    with pytest.raises(Conflict):
        approve(found, executive)


def test_an_approvers_role_counts_for_everybody_in_the_round(hr: User) -> None:
    [person] = people(1)
    own, other = (
        make_holder(Role.EXECUTIVE, name, department=department)
        for name, department in (("Own Boss", "Platform"), ("Other Boss", "Studio"))
    )
    with pytest.raises(Invalid) as unfit:
        prepare(hr, listed(person), approvers=(other,))
    assert "not HR or an executive for everybody" in unfit.value.message
    found = prepare(hr, listed(person), approvers=(own,))
    RoleGrant.objects.filter(user=own).update(department="Studio")
    with pytest.raises(NotAllowed) as refused:
        approve(found, own)
    assert refused.value.code == "not_for_everybody"


def test_a_new_version_of_the_template_needs_a_new_preparation(hr: User, executive: User) -> None:
    found = prepare(hr, listed(*people(1)))
    publish(SMALL_TEMPLATE.replace("A small journey", "A small journey, revised"))
    assert "Version 2" in drift_of(found, now=NOW).obstacles[0]
    with pytest.raises(Conflict) as refused:
        approve(found, executive)
    assert refused.value.code == "round_drifted"


def test_who_dropped_out_since_is_left_out_by_name_and_a_change_meanwhile_is_told(
    hr: User, executive: User
) -> None:
    first, second, third, fourth = people(4)
    found = prepare(hr, listed(first, second, third, fourth))
    Person.objects.filter(pk=first.pk).update(left_on_date=NOW.date())
    start_journey(second)
    seen = drift_of(found, now=NOW)
    assert [(member.name, reason[:11]) for member, reason in seen.leaving_out] == [
        ("Leaver 01", "Left on 202"),
        ("Leaver 02", "Is leaving "),
    ]
    third.delete()
    with pytest.raises(Conflict) as refused:
        approve_round(found=found, digest=seen.digest, actor=as_actor(executive), now=NOW)
    assert refused.value.code == "changed_meanwhile"
    approve(found, executive)
    go_on(str(found.pk), NOW)
    assert states(found) == {
        "Leaver 01": "left_out",
        "Leaver 02": "left_out",
        "Leaver 03": "left_out",
        "Leaver 04": "started",
    }


def test_who_is_recalled_while_the_approver_looks_is_told_and_nobody_left_needs_a_new_round(
    hr: User, executive: User
) -> None:
    first, second = people(2)
    found = prepare(hr, listed(first, second))
    seen = drift_of(found, now=NOW)
    chosen = [found.members.get(name="Leaver 01").pk]
    recall_round(found=found, reason=WHY, people=chosen, actor=as_actor(hr), now=NOW)
    with pytest.raises(Conflict) as refused:
        approve_round(found=found, digest=seen.digest, actor=as_actor(executive), now=NOW)
    assert refused.value.code == "changed_meanwhile"
    second.delete()
    assert drift_of(found, now=NOW).obstacles == ("Nobody of this round is left to start.",)


def test_a_staggered_round_starts_so_many_on_each_working_day(hr: User, executive: User) -> None:
    friday = datetime.fromisoformat("2026-11-06T08:00+00:00")
    terms = replace(TERMS, batch_size=2, starts_at=friday, notice_date=None)
    approve(found := prepare(hr, listed(*people(5)), terms), executive)
    assert Timer.objects.get(name=GO_ON).due_at == friday
    go_on(str(found.pk), NOW)
    assert not Journey.objects.exists(), "not before its time"
    monday, tuesday = friday + timedelta(days=3), friday + timedelta(days=4)
    for moment, journeys, then in ((friday, 2, monday), (monday, 4, tuesday), (tuesday, 5, tuesday)):
        go_on(str(found.pk), moment)
        assert Journey.objects.count() == journeys
        assert Timer.objects.get(name=GO_ON).due_at == then
    notices = Departure.objects.order_by("subject_name").values_list("notice_date", flat=True)
    assert [day.day for day in notices] == [6, 6, 9, 9, 10]
    found.refresh_from_db()
    assert found.state == "started"


def test_a_crash_between_two_groups_starts_nobody_twice_and_loses_nobody(
    hr: User, executive: User, manager: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(carrying_out, "AT_ONCE", 4)
    approve(found := prepare(hr, listed(*people(10, manager=manager))), executive)
    real, calls = carrying_out.store_many, []

    def dies_in_the_second(*args: Any, **kwargs: Any) -> None:
        real(*args, **kwargs)
        calls.append(1)
        if len(calls) == 2:
            raise SystemExit("killed after the rows were written, before they were committed")

    monkeypatch.setattr(carrying_out, "store_many", dies_in_the_second)
    with pytest.raises(SystemExit):
        go_on(str(found.pk), NOW)
    assert Journey.objects.count() == 4
    assert not Message.objects.exists(), "owners are told once all are there"
    go_on(str(found.pk), NOW)
    assert Journey.objects.count() == 10
    assert Departure.objects.values("person").distinct().count() == 10
    assert RoundMember.objects.filter(state="started", departure__person=F("person")).count() == 10
    assert Message.objects.filter(to=manager.email).count() == 1


def test_a_run_that_fails_is_tried_again_by_the_timer_and_goes_on(
    hr: User, executive: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(carrying_out, "AT_ONCE", 2)
    approve(prepare(hr, listed(*people(5))), executive)
    fails = [False, True, False, False, False]
    real = carrying_out.store_many

    def sometimes(*args: Any, **kwargs: Any) -> None:
        if fails.pop(0):
            raise OSError("the disk is full")
        real(*args, **kwargs)

    monkeypatch.setattr(carrying_out, "store_many", sometimes)
    registry.REGISTERED.clear()
    registry.timer(GO_ON, go_on)
    try:
        timers.fire_due(NOW)
        timer = Timer.objects.get(name=GO_ON)
        with pytest.raises(OSError, match="full"):
            timers.run(str(timer.pk), timer.due_at.isoformat(), now=NOW)
        assert (Journey.objects.count(), Timer.objects.get(name=GO_ON).state) == (2, "armed")
        later = NOW + timedelta(minutes=1)
        timers.fire_due(later)
        assert timers.run(str(timer.pk), timer.due_at.isoformat(), now=later)
    finally:
        registry.REGISTERED.clear()
    assert Journey.objects.count() == 5
    assert Timer.objects.get(name=GO_ON).state == "fired"


def test_whoever_waits_in_another_round_is_left_out_of_the_next(hr: User) -> None:
    first, second = people(2)
    prepare(hr, listed(first))
    assert look(hr, listed(first, second)).left_out == (("Leaver 01", "Waits in the round “Closing Leeds”."),)


def test_whom_the_preparer_chose_to_approve_is_told_and_of_a_secret_round_in_no_words(
    hr: User, executive: User
) -> None:
    first, second = people(2)
    prepare(hr, listed(first), approvers=(executive,))
    prepare(hr, listed(second), replace(TERMS, confidentiality=SECRETLY), approvers=(executive,))
    mails = Message.objects.filter(to=executive.email).order_by("pk").values_list("subject", flat=True)
    assert sorted(mails) == ["A page waits for you", "Closing Leeds: waits for an approval"]


def test_each_owner_gets_one_mail_for_all_of_them(hr: User, executive: User, manager: Person) -> None:
    it = make_holder(Role.IT_SECURITY, "Tomasz Wrona")
    approve(found := prepare(hr, listed(*people(12, manager=manager))), executive)
    go_on(str(found.pk), NOW)
    mails = {mail.to: mail for mail in Message.objects.filter(kind="step_assigned")}
    assert set(mails) == {manager.email, it.email}, "whoever prepared it knows"
    assert mails[manager.email].subject == "12 steps for you: 12 people leave"
    assert mails[it.email].subject == "24 steps for you: 12 people leave"


def test_nobody_owns_a_step_of_their_own_departure_by_an_account_that_is_older_than_their_entry(
    hr: User, executive: User
) -> None:
    first, second = people(2)
    first.aliases.create(email="boss@harbour.example")
    loose = User.objects.create_user("Boss@harbour.example", name="Leaver 01")
    RoleGrant.objects.create(user=loose, role="it_security", granted_at=NOW, granted_by="tests")
    approve(found := prepare(hr, listed(first, second)), executive)
    go_on(str(found.pk), NOW)
    own = found.members.get(name="Leaver 01").departure
    assert not Step.objects.filter(journey_id=own.pk, owner=loose).exists()
    assert Step.objects.filter(owner=loose).exists()
    assert Participant.objects.get(departure=own, user=loose).capacity == "departing"


def test_a_preview_of_one_is_the_plan_of_one(hr: User, manager: Person) -> None:
    [person] = people(1, manager=manager)
    intake = Intake(person=person, last_working_date=LAST_DAY, notice_date=NOW.date(), reason="moving")
    alone = draft_journey(template_id="small", intake=intake, actor=as_actor(hr), now=NOW)
    [planned] = look(hr, listed(person)).members
    assert planned.draft.as_dict() == alone.as_dict()
