"""Moving a journey between versions: as if planned afresh, and yet nothing that people did is touched."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from partwell.departures.models import Departure
from partwell.journeys.due import Calendar
from partwell.journeys.models import Journey, Step
from partwell.journeys.owners import Owner
from partwell.journeys.planning import is_set_aside, plan_steps, refresh_blocks
from partwell.journeys.states import PENDING, SETTLED, StepState
from partwell.journeys.template.model import Due, Template
from partwell.journeys.version_change import Around, Fate, Merged, merge
from partwell.people.models import User
from partwell.people.roles import Role
from partwell.refusals import Conflict
from tests.unit.made_templates import a_step, a_template

NOW = datetime(2026, 11, 16, 9, 0, tzinfo=UTC)
CALENDAR = Calendar(
    notice_date=date(2026, 11, 2),
    last_working_date=date(2026, 11, 27),
    access_end_at=datetime(2026, 11, 27, 16, 30, tzinfo=UTC),
    contract_end_date=date(2026, 11, 30),
    timezone="Europe/Berlin",
    country="DE",
    planned_on=date(2026, 11, 2),
)
JOURNEY = Journey(
    departure=Departure(
        pk=UUID(int=7),
        notice_date=CALENDAR.notice_date,
        last_working_date=CALENDAR.last_working_date,
        access_end_at=CALENDAR.access_end_at,
        contract_end_date=CALENDAR.contract_end_date,
        timezone=CALENDAR.timezone,
        jurisdiction=CALENDAR.country,
    )
)
HR, FINANCE, MEI = User(pk=1, name="Amara"), User(pk=2, name="Ravi"), User(pk=3, name="Mei")


class Office:
    """Who owns what: HR's and finance's steps have somebody, the leaver's nobody, and others a team."""

    def of(self, role: Role) -> Owner:
        user = {Role.HR: HR, Role.FINANCE: FINANCE}.get(role)
        if role is Role.DEPARTING:
            return Owner(None, "Marit")
        return Owner(user, user.name) if user else Owner(None, f"{role} team", queue=role.value)


def plan(template: Template, *, unneeded: Iterable[str] = (), now: datetime = NOW) -> list[Step]:
    return plan_steps(
        template,
        JOURNEY,
        owners=Office(),  # type: ignore[arg-type]
        is_needed=lambda step: step.key not in set(unneeded),
        now=now,
    )


def move(
    steps: list[Step],
    template: Template,
    *,
    hanging: dict[str, str] | None = None,
    has_access_plan: bool = False,
    unneeded: Iterable[str] = (),
    version: int = 2,
) -> Merged:
    around = Around(
        hanging=hanging or {},
        has_access_plan=has_access_plan,
        owner_of=Office().of,
        meant_for=lambda rule: CALENDAR.due_at(Due.parse(rule)),
        now=NOW,
    )
    ordered = sorted(steps, key=lambda step: step.position)
    return merge(ordered, plan(template, unneeded=unneeded), around, version=version)


def content(step: Step) -> dict[str, Any]:
    """All of a step but its place and id."""
    names = [field.attname for field in Step._meta.concrete_fields]
    return {name: getattr(step, name) for name in names if name not in ("id", "position")}


def by_key(steps: Iterable[Step]) -> dict[str, Step]:
    return {step.key: step for step in steps}


def own(key: str = "own-1", **fields: Any) -> Step:
    return Step(
        journey=JOURNEY, key=key, position=1000, phase=1, title="Ask Mei", role="hr", due_at=NOW, is_own=True
    )


def settle(steps: list[Step], states: dict[str, StepState]) -> None:
    for step in steps:
        if step.state in PENDING and step.key in states:
            step.state, step.settled_by, step.settled_at = states[step.key], "Amara", NOW
    refresh_blocks(steps)


KEYS = [f"step-{n}" for n in range(6)]
# Each key is in it or not, in any order, with what moving looks at.
steps_of_versions = st.builds(
    lambda key, phase, title, role, due, needs, kind: a_step(
        key, phase=phase, title=title, role=role, due=due, needs=needs, kind=kind
    ),
    key=st.sampled_from(KEYS),
    phase=st.integers(1, 2),
    title=st.sampled_from(["Tell them", "Ask them"]),
    role=st.sampled_from(["hr", "finance", "departing"]),
    due=st.sampled_from(["notice", "last_working_day -5 days"]),
    needs=st.lists(st.sampled_from(KEYS), max_size=2, unique=True),
    kind=st.sampled_from(["task", "approval"]),
)
versions = st.lists(steps_of_versions, min_size=1, max_size=6, unique_by=lambda step: step["key"]).map(
    lambda steps: a_template(*steps)
)
# How long a machine takes to make one is not what is asked here.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

people_did = st.dictionaries(st.sampled_from(KEYS), st.sampled_from([StepState.DONE, StepState.SKIPPED]))
hangings = st.dictionaries(st.sampled_from(KEYS), st.just("1 comment"))
some = st.sets(st.sampled_from(KEYS))


@unhurried
@given(versions, versions, people_did, hangings, some, some)
def test_after_the_move_there_is_what_planning_afresh_gives_and_what_had_to_stay(
    old: Template,
    new: Template,
    did: dict[str, StepState],
    hanging: dict[str, str],
    unneeded: set[str],
    later: set[str],
) -> None:
    steps = [*plan(old, unneeded=unneeded), own()]
    settle(steps, did)
    settled = {s.key: content(s) for s in steps if s.state in (StepState.DONE, StepState.SKIPPED)}
    known = {step.key for step in steps}
    merged = move(steps, new, hanging=hanging, unneeded=later)
    found, fresh = by_key(merged.steps), by_key(plan(new, unneeded=later))

    assert {key: content(found[key]) for key in settled} == settled
    had_to_stay = settled.keys() | (hanging.keys() & known) | {"own-1"}
    assert found.keys() == fresh.keys() | (had_to_stay & known)
    for key in fresh.keys() - settled.keys():
        planned, there = content(fresh[key]), content(found[key])
        for free in ("state", "waits_for", "due_at"):
            planned.pop(free), there.pop(free)
        assert there == planned
        assert (found[key].state in PENDING) == (fresh[key].state in PENDING)
    for key in found.keys() - fresh.keys() - settled.keys() - {"own-1"}:
        assert found[key].state == StepState.NOT_NEEDED
        assert is_set_aside(found[key])
    check_consistent(list(merged.steps))
    order = [step.key for step in sorted(merged.steps, key=lambda s: s.position) if step.key in fresh]
    assert order == [step.key for step in new.steps]
    assert len({step.position for step in merged.steps}) == len(merged.steps)


def check_consistent(steps: list[Step]) -> None:
    settled = {step.key for step in steps if step.state in SETTLED}
    keys = {step.key for step in steps}
    for step in steps:
        waits = [k for k in step.needs if k in keys and k not in settled] if step.state in PENDING else []
        assert step.waits_for == waits
        if step.state in PENDING:
            assert step.state == (StepState.BLOCKED if waits else StepState.OPEN)


@unhurried
@given(versions, versions, people_did, hangings)
def test_there_and_back_nothing_that_was_settled_or_begun_is_lost(
    old: Template, new: Template, did: dict[str, StepState], hanging: dict[str, str]
) -> None:
    steps = [*plan(old), own()]
    settle(steps, did)
    before = {step.key: content(step) for step in steps}
    there = move(steps, new, hanging=hanging)
    added = {step.key for step in there.steps} - before.keys()
    back = move(list(there.steps), old, hanging=hanging, version=3)
    found = {step.key: content(step) for step in back.steps}
    assert found.keys() - added == before.keys()
    for key, was in before.items():
        now = dict(found[key])
        # Once a date was taken from the other version and back, it is as if planned today.
        now.pop("due_at"), (was := dict(was)).pop("due_at")
        assert now == was


@unhurried
@given(versions, people_did, hangings)
def test_moving_to_the_version_that_it_has_changes_nothing(
    template: Template, did: dict[str, StepState], hanging: dict[str, str]
) -> None:
    steps = [*plan(template, now=NOW - timedelta(days=14)), own()]
    settle(steps, did)
    before = {step.key: content(step) for step in steps}
    merged = move(steps, template, hanging=hanging, version=1)
    assert merged.changes == ()
    assert not merged.is_reordered
    assert {step.key: content(step) for step in merged.steps} == before


@unhurried
@given(versions, versions, people_did, hangings)
def test_the_difference_tells_of_each_step_that_changes(
    old: Template, new: Template, did: dict[str, StepState], hanging: dict[str, str]
) -> None:
    steps = plan(old)
    settle(steps, did)
    before = {step.key: content(step) for step in steps}
    merged = move(steps, new, hanging=hanging)
    told = {change.step.key for change in merged.changes if change.fate is not Fate.STAYS}
    after = {step.key: content(step) for step in merged.steps}
    silent = {"waits_for"}
    really = {
        key
        for key in before.keys() | after.keys()
        if {k: v for k, v in before.get(key, {}).items() if k not in silent}
        != {k: v for k, v in after.get(key, {}).items() if k not in silent}
    }
    assert told == really


def fates(merged: Merged) -> dict[str, Fate]:
    return {change.step.key: change.fate for change in merged.changes}


def test_an_added_step_says_when_it_would_have_been_due_and_is_due_today() -> None:
    merged = move(
        plan(a_template(a_step("one"))), a_template(a_step("one"), a_step("two", due="notice +2 days"))
    )
    [added] = merged.of(Fate.ADDED)
    assert added.meant_for == datetime(2026, 11, 4, 16, 30, tzinfo=UTC)
    assert added.step.due_at == datetime(2026, 11, 16, 16, 30, tzinfo=UTC)


def test_what_is_late_by_both_versions_stays_late() -> None:
    steps = plan(a_template(a_step("one", due="notice")), now=NOW - timedelta(days=14))
    due = steps[0].due_at
    merged = move(steps, a_template(a_step("one", due="notice +3 days")))
    assert merged.steps[0].due_at == due < NOW
    assert merged.steps[0].due_rule == "notice +3 days"


def test_what_is_late_gets_the_time_that_the_version_gives() -> None:
    steps = plan(a_template(a_step("one", due="notice")), now=NOW - timedelta(days=14))
    merged = move(steps, a_template(a_step("one", due="last_working_day")))
    assert merged.steps[0].due_at == datetime(2026, 11, 27, 16, 30, tzinfo=UTC)


def test_a_step_goes_to_the_role_that_the_version_names() -> None:
    merged = move(plan(a_template(a_step("one"))), a_template(a_step("one", role="finance")))
    assert (merged.steps[0].owner, merged.steps[0].owner_name) == (FINANCE, "Ravi")


def test_who_was_given_a_step_keeps_it_and_the_difference_says_so() -> None:
    steps = plan(a_template(a_step("one")))
    steps[0].owner, steps[0].owner_name = MEI, "Mei"
    merged = move(steps, a_template(a_step("one", role="finance")))
    assert (merged.steps[0].owner, merged.steps[0].role) == (MEI, "finance")
    assert "Stays with Mei" in merged.changes[0].why


def test_a_step_of_the_leaving_side_is_never_somebody_elses() -> None:
    steps = plan(a_template(a_step("one")))
    steps[0].owner, steps[0].owner_name = MEI, "Mei"
    merged = move(steps, a_template(a_step("one", role="departing")))
    assert (merged.steps[0].owner, merged.steps[0].owner_name) == (None, "Marit")


CUT = a_step("cut-access", kind="deprovision", due="access_end")
TELL = a_step("tell")


def test_ending_access_stays_while_there_is_a_plan_and_the_version_has_no_step_for_it() -> None:
    merged = move(plan(a_template(TELL, CUT)), a_template(TELL), has_access_plan=True)
    assert fates(merged) == {"cut-access": Fate.STAYS}
    assert by_key(merged.steps)["cut-access"].state == StepState.OPEN


def test_ending_access_is_not_asked_twice_where_the_version_has_another_step_for_it() -> None:
    other = a_step("end-access", kind="deprovision", due="access_end")
    merged = move(plan(a_template(TELL, CUT)), a_template(TELL, other), has_access_plan=True)
    assert fates(merged) == {"cut-access": Fate.FALLS_AWAY, "end-access": Fate.ADDED}


def test_ending_access_stays_where_the_version_makes_its_step_a_task_or_unneeded() -> None:
    as_task = a_template(TELL, CUT | {"kind": "task"})
    merged = move(plan(a_template(TELL, CUT)), as_task, has_access_plan=True)
    assert by_key(merged.steps)["cut-access"].kind == "deprovision"
    unneeded = a_template(TELL, CUT | {"when": "person.manages_people"})
    merged = move(plan(a_template(TELL, CUT)), unneeded, has_access_plan=True, unneeded=["cut-access"])
    assert by_key(merged.steps)["cut-access"].state == StepState.OPEN


def test_without_a_plan_ending_access_falls_away_like_any_other_step() -> None:
    assert fates(move(plan(a_template(TELL, CUT)), a_template(TELL))) == {"cut-access": Fate.FALLS_AWAY}


def test_what_waited_for_a_step_that_falls_away_opens() -> None:
    steps = plan(a_template(a_step("one"), a_step("two", needs=["one"])))
    merged = move(steps, a_template(a_step("two")))
    [two] = merged.of(Fate.CHANGED)
    assert two.before is not None
    assert two.after is not None
    assert (two.before.state, two.after.state) == ("blocked", "open")


def test_a_step_that_has_to_wait_now_is_told_though_the_version_words_it_alike() -> None:
    two = a_step("two", needs=["one"])
    steps = plan(a_template(a_step("one"), two))
    settle(steps, {"one": StepState.DONE})
    steps = [step for step in steps if step.key == "two"]
    merged = move(steps, a_template(a_step("one"), two))
    assert fates(merged) == {"one": Fate.ADDED, "two": Fate.CHANGED}
    assert by_key(merged.steps)["two"].state == StepState.BLOCKED


def test_a_set_aside_step_comes_back_with_the_version_that_asks_for_it() -> None:
    old = a_template(a_step("one"), a_step("two"))
    aside = move(plan(old), a_template(a_step("two")), hanging={"one": "2 comments"})
    one = by_key(aside.steps)["one"]
    assert (one.state, one.skip_reason) == ("not_needed", "Version 2 of the template no longer asks for it.")
    back = by_key(move(list(aside.steps), old, hanging={"one": "2 comments"}, version=1).steps)["one"]
    assert (back.state, back.skip_reason) == ("open", "")


def test_what_was_set_aside_stays_so_silently_while_no_version_asks_for_it() -> None:
    old, new = a_template(a_step("one"), a_step("two")), a_template(a_step("two"))
    aside = move(plan(old), new, hanging={"one": "2 comments"})
    on = move(list(aside.steps), new, hanging={"one": "2 comments"}, version=3)
    assert on.changes == ()
    assert by_key(on.steps)["one"].skip_reason == "Version 2 of the template no longer asks for it."


def test_a_step_that_is_asked_only_now_is_due_as_if_planned_now() -> None:
    when = a_template(a_step("one", when="person.manages_people", due="notice"))
    steps = plan(when, unneeded=["one"], now=NOW - timedelta(days=14))
    merged = move(steps, a_template(a_step("one", due="notice")))
    [asked] = merged.of(Fate.CHANGED)
    assert asked.step.state == StepState.OPEN
    assert asked.step.due_at == datetime(2026, 11, 16, 16, 30, tzinfo=UTC)


def test_what_stays_stands_behind_what_it_stood_behind() -> None:
    steps = plan(a_template(a_step("one"), a_step("two"), a_step("three")))
    settle(steps, {"two": StepState.DONE})
    merged = move(steps, a_template(a_step("new"), a_step("one"), a_step("three")))
    order = [step.key for step in sorted(merged.steps, key=lambda step: step.position)]
    assert order == ["new", "one", "two", "three"]


def test_a_version_with_the_name_of_a_step_of_ones_own_is_refused() -> None:
    with pytest.raises(Conflict) as refused:
        move([*plan(a_template(a_step("one"))), own("own-1")], a_template(a_step("one"), a_step("own-1")))
    assert refused.value.code == "key_taken"


def test_another_order_is_told() -> None:
    one, two = a_step("one"), a_step("two")
    assert move(plan(a_template(one, two)), a_template(two, one)).is_reordered
    assert not move(plan(a_template(one, two)), a_template(one, a_step("new"), two)).is_reordered
