"""Rounds that few may know of, and rounds that are recalled."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from partwell.departures.models import Departure, Participant
from partwell.engine.models import Timer
from partwell.evidence.models import Event
from partwell.journeys.operations.ending import withdraw
from partwell.journeys.operations.steps import complete_step
from partwell.journeys.rounds.carrying_out import go_on
from partwell.journeys.rounds.operations import GO_ON, recall_round
from partwell.journeys.rounds.queries import get_round, list_rounds, visible_rounds
from partwell.people.actors import console_actor
from partwell.people.models import Person, User
from partwell.people.operations import ensure_user, grant_role
from partwell.people.roles import Role
from partwell.refusals import Conflict, Invalid, NotFound
from partwell.signals.models import Message
from tests.factories import (
    NOW,
    as_actor,
    make_holder,
    step_of,
)
from tests.rounds_world import (
    OPENLY,
    SECRETLY,
    TERMS,
    WHY,
    approve,
    executive,
    hr,
    listed,
    manager,
    people,
    prepare,
    states,
)

pytestmark = pytest.mark.django_db
__all__ = ["executive", "hr", "manager"]


def test_a_secret_round_exists_for_its_participants_alone_and_its_mail_says_nothing(
    hr: User, executive: User, manager: Person
) -> None:
    other = make_holder(Role.HR, "Other Hr")
    persons = people(3, manager=manager)
    terms = replace(TERMS, confidentiality=SECRETLY)
    with pytest.raises(Invalid) as refused:
        prepare(hr, listed(*persons), terms)
    assert refused.value.code == "approver_missing"
    found = prepare(hr, listed(*persons), terms, approvers=(executive,))
    assert list_rounds(actor=as_actor(other)) == []
    with pytest.raises(NotFound):
        get_round(as_actor(other), found.pk)
    for user in (hr, executive):
        assert get_round(as_actor(user), found.pk) == found
    approve(found, executive)
    go_on(str(found.pk), NOW)
    for departure in Departure.objects.all():
        parts = set(Participant.objects.filter(departure=departure).values_list("user__email", "capacity"))
        assert (hr.email, "hr") in parts
        assert (executive.email, "executive") in parts
        assert other.email not in {email for email, _ in parts}
    [mail] = Message.objects.filter(to=manager.email)
    assert mail.subject == "Steps wait for you"
    assert not visible_rounds(as_actor(other)).exists()


def test_nobody_in_a_round_sees_it_and_nobody_in_it_approves_it(hr: User, executive: User) -> None:
    [person] = people(1)
    colleague = ensure_user(person, now=NOW)
    found = prepare(hr, listed(person), replace(TERMS, confidentiality=OPENLY))
    assert get_round(as_actor(executive), found.pk) == found
    grant_role(email=colleague.email, role=Role.HR, actor=console_actor(), now=NOW)
    assert not visible_rounds(as_actor(colleague)).exists()
    recall_round(found=found, reason=WHY, actor=as_actor(hr), now=NOW)
    with pytest.raises(Invalid) as refused:
        prepare(hr, listed(person), replace(TERMS, confidentiality=SECRETLY), approvers=(colleague,))
    assert "is in this round" in refused.value.message


def test_a_recall_before_the_start_leaves_nobody_started(hr: User, executive: User) -> None:
    later = NOW + timedelta(days=3)
    terms = replace(TERMS, starts_at=later, notice_date=None)
    approve(found := prepare(hr, listed(*people(3)), terms), executive)
    recalled = recall_round(found=found, reason=WHY, actor=as_actor(hr), now=NOW)
    assert (recalled.state, set(states(recalled).values())) == ("recalled", {"recalled"})
    assert Timer.objects.get(name=GO_ON).state == "cancelled"
    go_on(str(found.pk), later)
    assert not Departure.objects.exists()
    with pytest.raises(Conflict):
        recall_round(found=found, reason=WHY, actor=as_actor(hr), now=NOW)


def test_a_recall_after_the_start_withdraws_each_journey_and_says_what_was_done(
    hr: User, executive: User, manager: Person
) -> None:
    approve(found := prepare(hr, listed(*people(3, manager=manager))), executive)
    go_on(str(found.pk), NOW)
    first = found.members.get(name="Leaver 01").departure
    assert first is not None
    complete_step(step=step_of(first, "confirm"), note="Told.", actor=as_actor(hr), now=NOW)
    later = NOW + timedelta(days=1)
    recall_round(found=found, reason=WHY, actor=as_actor(hr), now=later)
    assert set(states(found).values()) == {"recalling"}
    assert Timer.objects.get(name=GO_ON).due_at == later
    go_on(str(found.pk), later)
    assert set(states(found).values()) == {"recalled"}
    assert set(Departure.objects.values_list("state", flat=True)) == {"withdrawn"}
    assert found.members.get(name="Leaver 01").outcome["done"] == ["Confirm the notice"]
    [event] = Event.objects.filter(kind="round.recall_finished")
    assert event.fields["withdrawn"]["value"] == 3
    assert not Message.objects.filter(state="queued").exists(), "nobody is told of what was taken back"


def test_some_are_recalled_and_what_cannot_be_withdrawn_says_so(
    hr: User, executive: User, manager: Person
) -> None:
    persons = people(4, manager=manager)
    early = f"{persons[1].email},{NOW.date() + timedelta(days=2)}"
    data = f"email,last_working_day\n{persons[0].email},\n{early}\n{persons[2].email},\n{persons[3].email},\n"
    approve(found := prepare(hr, data.encode()), executive)
    go_on(str(found.pk), NOW)
    third = found.members.get(name="Leaver 03").departure
    assert third is not None
    withdraw(departure=third, reason="Stays, by themselves.", actor=as_actor(hr), now=NOW)
    later = NOW + timedelta(days=5)
    chosen = found.members.exclude(name="Leaver 04").values_list("pk", flat=True)
    found = recall_round(found=found, reason=WHY, people=list(chosen), actor=as_actor(hr), now=later)
    assert found.state == "started"
    go_on(str(found.pk), later)
    assert states(found) == {
        "Leaver 01": "recalled",
        "Leaver 02": "started",
        "Leaver 03": "started",
        "Leaver 04": "started",
    }
    notes = {member.name: member.note for member in found.members.all()}
    assert "access has ended" in notes["Leaver 02"]
    assert "withdrawn" in notes["Leaver 03"]
    assert notes["Leaver 04"] == ""
    [event] = Event.objects.filter(kind="round.recall_finished")
    assert [each["email"] for each in event.fields["not_withdrawn"]["value"]] == [
        persons[1].email,
        persons[2].email,
    ]
