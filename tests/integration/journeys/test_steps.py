"""What people do to steps, and what opens, blocks and refuses."""

from __future__ import annotations

from datetime import timedelta

import pytest

from partwell.evidence.models import Event
from partwell.journeys.models import Journey
from partwell.journeys.operations import steps
from partwell.journeys.queries import get_departure
from partwell.people.actors import Channel, console_actor
from partwell.people.operations import ensure_user
from partwell.people.roles import Role
from partwell.refusals import Conflict, Invalid, NotAllowed, NotFound
from tests.factories import NOW, as_actor, make_holder, make_person, publish, start_journey, step_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def journey(db: None) -> Journey:
    publish()
    make_holder(Role.HR, "Amara Osei")
    return start_journey(make_person(manager=make_person("Joon-ho Baek")))


def complete(journey: Journey, key: str, **fields: str):  # type: ignore[no-untyped-def]
    return steps.complete_step(step=step_of(journey, key), actor=console_actor(), now=NOW, **fields)


def test_completing_a_step_opens_those_that_waited_for_it(journey: Journey) -> None:
    complete(journey, "confirm", note="agreed on 27 November")
    assert step_of(journey, "initiate").state == "open"
    event = Event.objects.get(kind="step.completed")
    assert event.fields["opened"]["value"] == ["initiate", "approve-access-plan"]


def test_undoing_it_blocks_them_again(journey: Journey) -> None:
    complete(journey, "confirm", note="agreed")
    steps.undo_step(step=step_of(journey, "confirm"), actor=console_actor(), now=NOW)
    assert step_of(journey, "initiate").state == "blocked"
    assert step_of(journey, "confirm").settled_by == ""


def test_a_blocked_step_names_what_it_waits_for(journey: Journey) -> None:
    with pytest.raises(Conflict, match="Confirm the notice") as refused:
        complete(journey, "initiate")
    assert refused.value.code == "step_blocked"


def test_missing_evidence_is_named(journey: Journey) -> None:
    with pytest.raises(Invalid) as refused:
        complete(journey, "confirm")
    assert refused.value.field == "note"
    assert step_of(journey, "confirm").state == "open"


def test_the_product_settles_access_steps_and_nobody_ticks_or_skips_them(journey: Journey) -> None:
    complete(journey, "confirm", note="agreed")
    for act in (
        lambda: complete(journey, "approve-access-plan"),
        lambda: steps.skip_step(
            step=step_of(journey, "cut-access"), reason="no time", actor=console_actor(), now=NOW
        ),
    ):
        with pytest.raises(Conflict) as refused:
            act()
        assert refused.value.code == "step_settles_itself"


def test_skipping_needs_a_reason_and_keeps_it(journey: Journey) -> None:
    step = step_of(journey, "confirm")
    with pytest.raises(Invalid):
        steps.skip_step(step=step, reason="  ", actor=console_actor(), now=NOW)
    steps.skip_step(step=step, reason="notice was in writing", actor=console_actor(), now=NOW)
    assert step_of(journey, "confirm").skip_reason == "notice was in writing"
    assert step_of(journey, "initiate").state == "open"


def test_reassigning_lets_the_new_owner_in_and_act(journey: Journey) -> None:
    other = ensure_user(make_person("Nadia Ferreira"), now=NOW)
    with pytest.raises(NotFound):
        steps.comment_on_step(step=step_of(journey, "confirm"), text="hello", actor=as_actor(other), now=NOW)
    steps.reassign_step(step=step_of(journey, "confirm"), to=other, actor=console_actor(), now=NOW)
    done = steps.complete_step(step=step_of(journey, "confirm"), actor=as_actor(other), now=NOW, note="done")
    assert done.settled_by.startswith("Nadia Ferreira")


def test_whoever_gives_the_last_step_away_reads_nothing_any_more(journey: Journey) -> None:
    first, second = (ensure_user(make_person(name), now=NOW) for name in ("Nadia Ferreira", "Bela Toth"))
    for key in ("confirm", "initiate"):
        steps.reassign_step(step=step_of(journey, key), to=first, actor=console_actor(), now=NOW)
    steps.reassign_step(step=step_of(journey, "confirm"), to=second, actor=console_actor(), now=NOW)
    assert get_departure(as_actor(first), journey.pk) == journey.departure
    steps.reassign_step(step=step_of(journey, "initiate"), to=second, actor=console_actor(), now=NOW)
    with pytest.raises(NotFound):
        get_departure(as_actor(first), journey.pk)


def test_the_leaver_is_never_given_a_step_and_sees_none(journey: Journey) -> None:
    assert journey.departure.person is not None
    leaver = ensure_user(journey.departure.person, now=NOW)
    with pytest.raises(Invalid):
        steps.reassign_step(step=step_of(journey, "confirm"), to=leaver, actor=console_actor(), now=NOW)
    with pytest.raises(NotFound):
        steps.complete_step(step=step_of(journey, "confirm"), actor=as_actor(leaver), now=NOW, note="mine")


def test_only_a_member_of_the_team_claims_from_its_queue(journey: Journey) -> None:
    wrona, raman = make_holder(Role.IT_SECURITY, "Tomasz Wrona"), make_holder(Role.IT_SECURITY, "Priya Raman")
    other = start_journey(make_person("Luis Ortega"))
    hr = as_actor(make_holder(Role.FINANCE, "Daniel Achterberg"))
    with pytest.raises(NotAllowed):
        steps.claim_step(step=step_of(other, "cut-access"), actor=hr, now=NOW)
    steps.claim_step(step=step_of(other, "cut-access"), actor=as_actor(wrona), now=NOW)
    with pytest.raises(Conflict) as refused:
        steps.claim_step(step=step_of(other, "cut-access"), actor=as_actor(raman), now=NOW)
    assert refused.value.code == "step_claimed"


def test_adding_a_step_of_ones_own(journey: Journey) -> None:
    owner = ensure_user(make_person("Nadia Ferreira"), now=NOW)
    steps.add_step(
        departure=journey.departure,
        title="Collect the parking card",
        phase=5,
        due_at=NOW + timedelta(days=3),
        owner=owner,
        actor=console_actor(),
        now=NOW,
    )
    step = step_of(journey, "own-1")
    assert (step.owner, step.state, step.is_own) == (owner, "open", True)


def test_a_token_may_complete_a_task_but_is_no_second_person(journey: Journey) -> None:
    hr = step_of(journey, "confirm").owner
    assert hr is not None
    actor = as_actor(hr, channel=Channel.API)
    assert not actor.can_be_second_person
    steps.complete_step(step=step_of(journey, "confirm"), actor=actor, now=NOW, note="by API")
    assert step_of(journey, "confirm").state == "done"
