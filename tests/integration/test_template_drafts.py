"""Drafts of templates: begun, changed by two people, tried on somebody, published or thrown away."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from partwell.evidence.models import Event
from partwell.journeys.draft_operations import (
    Origin,
    begin_draft,
    change_draft,
    discard_draft,
    publish_draft,
)
from partwell.journeys.draft_queries import changes_since, list_drafts, show_draft
from partwell.journeys.draft_trial import try_draft
from partwell.journeys.intake import Intake
from partwell.journeys.models import DraftChange, Journey, Step, TemplateDraft, TemplateVersion
from partwell.journeys.template.digest import digest_of
from partwell.journeys.template.drafting import AddStep, ChangeStep, MoveStep, RemoveStep, Replace, SetFields
from partwell.journeys.template_operations import sync_library
from partwell.journeys.template_queries import load_version
from partwell.people.actors import Actor, console_actor
from partwell.people.roles import Role
from partwell.refusals import Conflict, Invalid, NotAllowed, NotFound
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

pytestmark = pytest.mark.django_db


@pytest.fixture
def hr() -> Actor:
    return as_actor(make_holder(Role.HR, "Amara Osei"))


@pytest.fixture
def draft(hr: Actor) -> TemplateDraft:
    publish()
    return begin_draft(origin=Origin(template="small"), actor=hr, now=NOW)


def test_a_draft_begins_as_a_copy_of_a_version_and_says_of_which(hr: Actor, draft: TemplateDraft) -> None:
    view = show_draft(template_id="small", actor=hr)
    assert digest_of(view.content) == TemplateVersion.objects.get().digest
    assert str(view.row.begun_from) == "small v1"
    copy = begin_draft(origin=Origin(template="small", version=1), template_id="own-one", actor=hr, now=NOW)
    assert (copy.template_id, copy.content["id"], str(copy.begun_from)) == ("own-one", "own-one", "small v1")
    assert [each.row.template_id for each in list_drafts(actor=hr)] == ["own-one", "small"]
    events = Event.objects.filter(kind="template.draft_begun")
    assert {each.fields["template"]["value"] for each in events} == {"small", "own-one"}


def test_a_draft_begins_from_nothing_and_from_a_file(hr: Actor) -> None:
    nothing = begin_draft(
        origin=Origin(title="A sabbatical"), template_id="staff-sabbatical", actor=hr, now=NOW
    )
    assert (nothing.begun_from, nothing.content["steps"]) == (None, [])
    assert len(show_draft(template_id="staff-sabbatical", actor=hr).problems) > 10
    source = SMALL_TEMPLATE.replace("id: small", "id: from-a-file", 1)
    assert begin_draft(origin=Origin(source=source), actor=hr, now=NOW).template_id == "from-a-file"


def test_there_is_one_draft_of_a_template_and_no_draft_takes_the_place_of_another_template(
    hr: Actor, draft: TemplateDraft
) -> None:
    with pytest.raises(Conflict, match=r"Amara Osei.*began a draft of “small” already"):
        begin_draft(origin=Origin(template="small"), actor=hr, now=NOW)
    publish(SMALL_TEMPLATE.replace("id: small", "id: other", 1))
    with pytest.raises(Conflict, match="There is a template “other” already"):
        begin_draft(origin=Origin(template="small"), template_id="other", actor=hr, now=NOW)
    with pytest.raises(Invalid, match="is no id"):
        begin_draft(origin=Origin(template="small"), template_id="No id", actor=hr, now=NOW)
    with pytest.raises(Invalid, match="Give the new template an id"):
        begin_draft(origin=Origin(), actor=hr, now=NOW)
    with pytest.raises(NotFound):
        begin_draft(origin=Origin(template="small", version=9), actor=hr, now=NOW)
    assert TemplateDraft.objects.count() == 1


def test_each_change_has_a_revision_and_says_who_changed_what(hr: Actor, draft: TemplateDraft) -> None:
    view = change_draft(
        template_id="small", seen=1, change=ChangeStep(key="extra", fields={"role": "hr"}), actor=hr, now=NOW
    )
    assert (view.row.revision, view.row.edited_by) == (2, hr.label)
    assert show_draft(template_id="small", actor=hr).content.step("extra").role is Role.HR
    [change] = changes_since(template_id="small", actor=hr, revision=1)
    assert change.differences == [{"path": "steps.extra.role", "before": "line_manager", "after": "hr"}]
    [event] = Event.objects.filter(kind="template.draft_changed")
    assert event.fields["changed"]["value"] == ["steps.extra.role"]


def test_a_change_that_changes_nothing_leaves_no_trace(hr: Actor, draft: TemplateDraft) -> None:
    same = SetFields(title="A small journey")
    assert change_draft(template_id="small", seen=1, change=same, actor=hr, now=NOW).row.revision == 1
    assert not DraftChange.objects.exists()
    assert not Event.objects.filter(kind="template.draft_changed").exists()


def test_the_second_of_two_editors_is_told_and_nothing_of_the_first_is_lost(
    hr: Actor, draft: TemplateDraft
) -> None:
    other = as_actor(make_holder(Role.HR, "Priya Raman"))
    change_draft(template_id="small", seen=1, change=SetFields(title="By the first"), actor=hr, now=NOW)
    with pytest.raises(Conflict) as refused:
        change_draft(
            template_id="small", seen=1, change=SetFields(title="By the second"), actor=other, now=NOW
        )
    assert refused.value.code == "changed_meanwhile"
    assert "Amara Osei" in refused.value.message
    assert show_draft(template_id="small", actor=other).content.title == "By the first"
    for end in (
        lambda: discard_draft(template_id="small", seen=1, actor=other, now=NOW),
        lambda: publish_draft(template_id="small", seen=1, over=1, actor=other, now=NOW),
    ):
        with pytest.raises(Conflict, match="has changed this draft"):
            end()


def test_publishing_makes_a_version_ends_the_draft_and_leaves_running_journeys_alone(
    hr: Actor, draft: TemplateDraft
) -> None:
    journey = start_journey(make_person())
    before = list(Step.objects.order_by("pk").values())
    change_draft(template_id="small", seen=1, change=RemoveStep(key="extra"), actor=hr, now=NOW)
    new = {"title": "Fill the empty phase", "phase": 4, "role": "line_manager", "due": "notice +2 days"}
    change_draft(template_id="small", seen=2, change=AddStep(step=new), actor=hr, now=NOW)
    version = publish_draft(template_id="small", seen=3, over=1, actor=hr, now=NOW)
    assert (version.version, version.published_by) == (2, hr.label)
    assert load_version(version).step("fill-the-empty-phase").phase == 4
    assert not TemplateDraft.objects.exists()
    assert not DraftChange.objects.exists()
    assert Journey.objects.get().template.version == 1
    assert list(Step.objects.filter(journey=journey).order_by("pk").values()) == before
    assert Event.objects.filter(kind="template.published").count() == 2
    # A removed step leaves no gap: what was published is what the draft said.
    assert "extra" not in {step.key for step in load_version(version).steps}


def test_a_draft_with_problems_is_kept_and_not_published(hr: Actor, draft: TemplateDraft) -> None:
    change_draft(template_id="small", seen=1, change=RemoveStep(key="extra"), actor=hr, now=NOW)
    with pytest.raises(Invalid) as refused:
        publish_draft(template_id="small", seen=2, over=1, actor=hr, now=NOW)
    assert refused.value.field == "empty_phases.4"
    assert "Phase 4 (Knowledge transfer) has no step" in refused.value.message
    assert TemplateDraft.objects.get().revision == 2


def test_nobody_replaces_a_version_that_they_have_not_seen_or_publishes_the_same_again(
    hr: Actor, draft: TemplateDraft
) -> None:
    with pytest.raises(Conflict, match="says the same as small v1"):
        publish_draft(template_id="small", seen=1, over=1, actor=hr, now=NOW)
    change_draft(template_id="small", seen=1, change=SetFields(title="Mine is better"), actor=hr, now=NOW)
    publish(SMALL_TEMPLATE.replace("title: A small", "title: Another small", 1))
    with pytest.raises(Conflict) as refused:
        publish_draft(template_id="small", seen=2, over=1, actor=hr, now=NOW)
    assert refused.value.code == "newer_version"
    assert publish_draft(template_id="small", seen=2, over=2, actor=hr, now=NOW).version == 3


def test_discarding_keeps_what_is_published(hr: Actor, draft: TemplateDraft) -> None:
    discard_draft(template_id="small", seen=1, actor=hr, now=NOW)
    assert not TemplateDraft.objects.exists()
    assert TemplateVersion.objects.count() == 1
    with pytest.raises(NotFound):
        show_draft(template_id="small", actor=hr)


def test_others_neither_read_nor_change_drafts(draft: TemplateDraft) -> None:
    finance = as_actor(make_holder(Role.FINANCE, "Finn Ance"))
    with pytest.raises(NotAllowed):
        show_draft(template_id="small", actor=finance)
    with pytest.raises(NotAllowed):
        change_draft(template_id="small", seen=1, change=SetFields(title="Mine"), actor=finance, now=NOW)


def test_trying_it_on_somebody_says_what_is_left_out_and_why_and_stores_nothing(
    hr: Actor, draft: TemplateDraft
) -> None:
    manager = make_person("Joon-ho Baek")
    mei = make_person("Mei Tanaka", manager=manager, country="FR")
    change_draft(
        template_id="small",
        seen=1,
        change=ChangeStep(key="close-journey", fields={"when": "person.country in ['DE', 'AT']"}),
        actor=hr,
        now=NOW,
    )
    counts = [Step.objects.count(), Journey.objects.count(), Event.objects.count()]
    trial = try_draft(
        template_id="small", intake=Intake(person=mei, last_working_date=LAST_DAY), actor=hr, now=NOW
    )
    assert {step.key for step in trial.steps} == {"confirm", "initiate", "approve-access-plan", "cut-access"}
    told = next(step for step in trial.steps if step.key == "initiate")
    assert (told.owner_name, told.due_at.date()) == ("Joon-ho Baek", NOW.date() + timedelta(days=2))
    assert {each.step.key: each.facts for each in trial.left_out} == {
        "extra": {"person.manages_people": False},
        "close-journey": {"person.country": "FR"},
    }
    assert [Step.objects.count(), Journey.objects.count(), Event.objects.count()] == counts
    # That of the published version's condition is not what the draft is tried with.
    start_journey(mei)
    assert Step.objects.get(key="close-journey").state != "not_needed"


def test_a_draft_is_tried_while_it_has_problems_unless_a_condition_cannot_be_decided(
    hr: Actor, draft: TemplateDraft
) -> None:
    mei = make_person("Mei Tanaka")
    intake = Intake(person=mei, last_working_date=LAST_DAY)
    change = ChangeStep(key="cut-access", fields={"needs": ["nothing-such"]})
    change_draft(template_id="small", seen=1, change=change, actor=hr, now=NOW)
    assert try_draft(template_id="small", intake=intake, actor=hr, now=NOW).steps
    with pytest.raises(Invalid, match="before the notice"):
        early = Intake(person=mei, last_working_date=date(2026, 1, 1))
        try_draft(template_id="small", intake=early, actor=hr, now=NOW)
    change = ChangeStep(key="cut-access", fields={"when": "person.salary > 5"})
    change_draft(template_id="small", seen=2, change=change, actor=hr, now=NOW)
    with pytest.raises(Invalid) as refused:
        try_draft(template_id="small", intake=intake, actor=hr, now=NOW)
    assert refused.value.field == "steps.cut-access.when"


@pytest.fixture
def large(hr: Actor) -> TemplateDraft:
    """150 steps, a third of them with conditions, each needing the one before."""
    steps = "".join(
        f"  - {{key: s{n}, phase: 7, title: Step {n}, role: finance, due: contract_end, needs: [{before}]"
        + (
            f", when: \"person.tenure_years >= {n % 9} && person.country == 'D{n % 7}'\""
            if n % 3 == 0
            else ""
        )
        + "}\n"
        for n, before in ((n, f"s{n - 1}" if n else "confirm") for n in range(144))
    )
    source = SMALL_TEMPLATE.replace("finance: not in a test, ", "") + steps
    return begin_draft(origin=Origin(source=source), actor=hr, now=NOW)


def test_no_action_on_a_draft_of_150_steps_asks_the_database_more_than_a_dozen_times(
    hr: Actor, large: TemplateDraft
) -> None:
    person = make_person("Mei Tanaka", manager=make_person("Joon-ho Baek"))
    changes = (
        SetFields(title="Another title"),
        AddStep(step={"title": "New one", "phase": 7, "role": "hr", "due": "notice"}),
        ChangeStep(key="s80", fields={"when": "person.manages_people"}),
        MoveStep(key="s80", phase=7, place=3),
        RemoveStep(key="s20", let_go=True),
        Replace(source=SMALL_TEMPLATE),
    )
    for seen, change in enumerate(changes, start=1):
        with CaptureQueriesContext(
            connection,
        ) as queries:
            view = change_draft(template_id="small", seen=seen, change=change, actor=hr, now=NOW)
            assert view.problems is not None
        assert view.row.revision == seen + 1
        assert len(queries) <= 8, [query["sql"][:80] for query in queries]
    intake = Intake(person=person, last_working_date=LAST_DAY)
    with CaptureQueriesContext(connection) as queries:
        try_draft(template_id="small", intake=intake, actor=hr, now=NOW)
    assert len(queries) <= 12, [query["sql"][:80] for query in queries]


def test_the_library_s_templates_come_back_from_a_draft_unchanged(hr: Actor) -> None:
    for version in sync_library(now=NOW):
        begin_draft(origin=Origin(template=version.template_id), actor=hr, now=NOW)
        view = show_draft(template_id=version.template_id, actor=hr)
        assert (view.problems, digest_of(view.content)) == ([], version.digest)
        source = view.as_dict()["source"]
        again = change_draft(
            template_id=version.template_id,
            seen=1,
            change=Replace(source=source),
            actor=console_actor(),
            now=NOW,
        )
        assert again.row.revision == 1, "nothing differs"
