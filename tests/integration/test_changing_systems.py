"""A connected system that is changed: what is refused, what stays on record, and what needs a look again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from partwell import clock
from partwell.access import operations, queries, systems
from partwell.access.models import Plan, System, SystemRun
from partwell.access.operations import change_system, draft_change
from partwell.access.operations.system_changes import SystemChange
from partwell.access.operations.verification import verify_plan
from partwell.access.states import PlanState
from partwell.connectors.fake.store import FakeStore
from partwell.evidence.models import Event
from partwell.evidence.queries import fields_of
from partwell.people.actors import actor_for_user
from partwell.refusals import Conflict, Invalid, NotAllowed
from tests.access_world import World, make_user

pytestmark = pytest.mark.django_db


def change(world: World, system: System, *, revision: str = "", **changes: Any) -> SystemChange:
    return change_system(
        system=system, changes=changes, actor=world.requester, now=clock.now(), revision=revision
    )


def elsewhere(world: World, tmp_path: Path, name: str = "crm", **account: Any) -> FakeStore:
    """Another server that has an account by the same name, and the connection led there."""
    other = FakeStore(tmp_path / "elsewhere.sqlite3")
    given = {"login": "ada", "emails": ["ada@firm.example"], "sessions": 2, "groups": {"staff": "Staff"}}
    other.add_account(name, f"{name}-0", **{**given, **account})
    change(world, world.systems[name], settings={"store": other.path})
    return other


def said(kind: str) -> dict[str, Any]:
    return {name: field.value for name, field in fields_of(Event.objects.get(kind=kind)).items()}


def scim(**settings: Any) -> System:
    return System.objects.create(
        name="idp",
        title="Identity",
        connector="scim",
        settings={"url": "https://93.184.215.14/scim", "token": "env:OLD_TOKEN", **settings},
        created_at=clock.now(),
    )


def test_what_is_not_named_stays_and_the_record_says_what_was_and_what_is(world: World) -> None:
    system = scim(protected=["root"])
    done = change(
        world, system, sla="critical", most_accounts=3, settings={"url": "https://93.184.215.15/scim"}
    )
    system.refresh_from_db()
    assert (system.title, system.sla_class, system.most_accounts) == ("Identity", "critical", 3)
    assert system.settings == {
        "url": "https://93.184.215.15/scim",
        "token": "env:OLD_TOKEN",
        "protected": ["root"],
    }
    assert done.needs_test and [each.field for each in done.changed] == [
        "sla",
        "most_accounts",
        "settings.url",
    ]
    event = said("system.changed")
    assert event["before"] == {
        "sla": "normal",
        "most_accounts": 20,
        "settings.url": "https://93.184.215.14/scim",
    }
    assert event["after"] == {
        "sla": "critical",
        "most_accounts": 3,
        "settings.url": "https://93.184.215.15/scim",
    }
    assert Event.objects.get(kind="system.changed").scope == "system:idp"


def test_of_a_secret_the_record_says_only_that_its_place_changed(world: World) -> None:
    system = scim()
    done = change(world, system, settings={"token": "file:/run/secrets/idp"})
    system.refresh_from_db()
    assert system.settings["token"] == "file:/run/secrets/idp"
    event = Event.objects.get(kind="system.changed")
    assert said("system.changed")["references"] == ["settings.token"]
    for text in (str(event.fields), str(done.as_dict())):
        assert "OLD_TOKEN" not in text and "/run/secrets" not in text


def test_a_setting_given_as_nothing_is_taken_out_and_nothing_different_changes_nothing(world: World) -> None:
    system = scim(protected=["root"])
    assert change(world, system, settings={"protected": None}).changed[0].before == ["root"]
    system.refresh_from_db()
    assert "protected" not in system.settings
    revision = system.revision
    assert change(world, system, title="Identity", settings={"token": "env:OLD_TOKEN"}).changed == ()
    system.refresh_from_db()
    assert system.revision == revision
    assert Event.objects.filter(kind="system.changed").count() == 1


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"name": "other"}, "name_stays", "name"),
        ({"connector": "fake"}, "connector_stays", "connector"),
        ({"title": " "}, "title_missing", "title"),
        ({"sla": "soon"}, "sla_unknown", "sla"),
        ({"without": ["flying"]}, "capability_unknown", "without"),
        ({"time_limit": 0}, "time_limit_invalid", "time_limit"),
        ({"most_percent": 101}, "most_percent_invalid", "most_percent"),
        ({"colour": "red"}, "unknown_field", "colour"),
        ({"settings": []}, "settings_invalid", "settings"),
        ({"settings": {"url": None}}, "settings_invalid", "settings"),
        ({"settings": {"match_on": ["shoe size"]}}, "settings_invalid", "settings.match_on.0"),
        ({"settings": {"token": "hunter2"}}, "settings_invalid", "settings.token"),
        ({"settings": {"url": "https://169.254.169.254/scim"}}, "target_refused", "settings.url"),
        ({"settings": {"url": "https://me:hunter2@93.184.215.14/"}}, "target_refused", "settings.url"),
    ],
)
def test_what_cannot_be_is_refused_by_its_field_and_nothing_changes(
    world: World, changes: dict[str, Any], code: str, field: str
) -> None:
    system = scim()
    with pytest.raises(Invalid) as refused:
        change(world, system, **{"title": "Other", **changes})
    assert (refused.value.code, refused.value.field) == (code, field)
    assert "hunter2" not in refused.value.message
    assert System.objects.get().revision == system.revision
    assert not Event.objects.filter(kind="system.changed").exists()


def test_an_address_from_before_that_held_a_password_is_not_put_on_record(world: World) -> None:
    system = scim(url="https://me:hunter2@93.184.215.14/scim")
    change(world, system, settings={"url": "https://93.184.215.14/scim"})
    assert "hunter2" not in str(Event.objects.get(kind="system.changed").fields)


def test_without_its_connector_only_what_is_ours_can_be_changed(world: World) -> None:
    system = System.objects.create(
        name="odd", title="Odd", connector="gone", settings={"token": "x"}, created_at=clock.now()
    )
    change(world, system, title="Less odd")
    with pytest.raises(Invalid, match="not installed"):
        change(world, system, settings={"token": "env:TOKEN"})


def test_the_second_of_two_who_change_it_at_once_is_told(world: World) -> None:
    system = scim()
    seen = system.revision
    change(world, system, revision=seen, title="Mine")
    with pytest.raises(Conflict) as refused:
        change(world, system, revision=seen, title="Yours")
    assert refused.value.code == "changed_meanwhile"
    assert System.objects.get().title == "Mine"


def test_finance_cannot_change_a_system(world: World) -> None:
    system = scim()
    finance = actor_for_user(make_user("fiona", ["finance"]))
    for refuse in (change_system, draft_change):
        more = {"now": clock.now()} if refuse is change_system else {}
        with pytest.raises(NotAllowed):
            refuse(system=system, changes={"title": "Mine"}, actor=finance, **more)  # type: ignore[operator]


def test_a_test_from_before_a_change_speaks_for_it_no_more(world: World) -> None:
    system = world.add_system("crm")
    operations.test_system(system=system, actor=world.requester, now=clock.now())
    change(world, system, title="Customer base", sla="high")
    system.refresh_from_db()
    assert systems.last_tests("crm")["crm"].is_of(system)
    change(world, system, settings={"mode": "ok"})
    system.refresh_from_db()
    assert not systems.last_tests("crm")["crm"].is_of(system)
    operations.test_system(system=system, actor=world.requester, now=clock.now())
    assert systems.last_tests("crm")["crm"].is_of(system)


def test_an_answer_of_the_connection_before_is_no_test_of_the_one_now(world: World) -> None:
    system = world.add_system("crm")
    stale = System.objects.get(pk=system.pk)
    change(world, system, settings={"mode": "ok"})
    with pytest.raises(Conflict, match="while it was being tested"):
        operations.test_system(system=stale, actor=world.requester, now=clock.now())
    assert not Event.objects.filter(kind="system.tested").exists()


def test_an_approved_plan_needs_a_new_approval_when_the_connection_is_changed(
    world: World, tmp_path: Path
) -> None:
    system = world.add_system("crm")
    plan = world.plan()
    world.approve(plan)
    draft = draft_change(system=system, changes={"settings": {"mode": "ok"}}, actor=world.requester)
    assert draft.plans == (plan,)
    assert Plan.objects.get().state == PlanState.APPROVED, "a draft changes nothing"
    other = elsewhere(world, tmp_path)
    plan.refresh_from_db()
    assert (plan.state, plan.approved_at, plan.approved_by) == (PlanState.PROPOSED, None, "")
    with pytest.raises(Conflict, match="second person"):
        world.apply(plan)
    with pytest.raises(Conflict) as refused:
        world.approve(plan)
    assert refused.value.code == "connection_changed"
    assert "Crm" in refused.value.message
    assert said("access.approval_ended")["plan"] == 1
    assert "not approved any more" in queries.open_alerts(world.console).get().text

    fresh = world.plan()
    assert fresh.version == 2 and fresh.checksum != plan.checksum
    world.approve(fresh)
    assert not queries.open_alerts(world.console).exists()
    world.apply(fresh)
    world.run()
    assert world.is_settled
    assert [effect.verb for effect in other.ledger("crm")]
    assert world.effects("crm") == [], "the server that the first plan was about was left alone"


def test_an_approval_holds_when_only_a_title_or_a_class_is_changed(world: World) -> None:
    system = world.add_system("crm")
    plan = world.plan()
    world.approve(plan)
    change(world, system, title="Customer base", sla="critical", time_limit=30, most_accounts=2)
    plan.refresh_from_db()
    assert plan.state == PlanState.APPROVED
    world.apply(plan)
    world.run()
    assert world.is_settled


def test_a_plan_that_waits_for_a_silent_system_asks_nothing_of_another_server_unapproved(
    world: World, tmp_path: Path
) -> None:
    world.add_system("crm")
    plan = world.plan()
    world.approve(plan)
    world.store.set_mode("crm", "down")
    world.apply(plan)
    world.run()
    assert world.states("crm")["suspend"] == "planned"
    other = elsewhere(world, tmp_path)
    clock_passes(plan)
    world.run()
    assert other.ledger("crm") == [], "nobody has approved anything there"
    latest = queries.latest_plan(world.departure)
    assert latest is not None and latest.kind == "delta" and latest.state == PlanState.PROPOSED
    assert "connection was changed" in latest.reason
    world.approve(latest)
    world.apply(latest)
    world.run()
    assert world.is_settled and other.ledger("crm")


def test_the_standing_rule_goes_on_at_once_where_a_dead_address_is_put_right(
    world: World, tmp_path: Path
) -> None:
    world.add_system("crm")
    world.store.set_mode("crm", "down")
    world.end_access()
    world.enforce()
    world.run()
    run = SystemRun.objects.get()
    assert run.state == "waiting" and run.next_at is not None and run.next_at > clock.now()
    other = elsewhere(world, tmp_path)
    world.run()
    assert "suspend" in [effect.verb for effect in other.ledger("crm")], "nobody has to approve that"
    states = world.states("crm")
    assert states["suspend"] == "verified" and states["remove_entitlements"] == "planned"


def test_no_dry_run_shows_calls_of_a_connection_that_the_plan_is_not_about(world: World) -> None:
    system = world.add_system("crm")
    plan = world.plan()
    change(world, system, settings={"mode": "ok"})
    with pytest.raises(Conflict, match="Make a fresh plan first"):
        operations.dry_run_plan(plan=plan, actor=world.requester, now=clock.now())


def test_what_one_server_took_is_not_proven_by_another(world: World, tmp_path: Path) -> None:
    world.add_system("crm")
    world.store.set_mode("crm", "accepts_later")
    world.cut()
    assert "accepted" in world.states("crm").values()
    other = elsewhere(world, tmp_path, is_active=False, sessions=0, groups={})
    clock_passes(Plan.objects.get())
    world.run()
    assert "verified" not in world.states("crm").values()
    assert queries.latest_plan(world.departure).kind == "delta"  # type: ignore[union-attr]
    assert other.ledger("crm") == []


def test_reading_back_through_another_connection_proves_nothing_new(world: World, tmp_path: Path) -> None:
    world.add_system("crm")
    world.store.set_mode("crm", "denies")
    world.cut()
    assert set(world.states("crm").values()) == {"failed"}
    elsewhere(world, tmp_path, is_active=False, sessions=0, groups={})
    read = verify_plan(departure=world.departure, actor=world.requester, now=clock.now())
    assert all(each.proof is None and "Make a fresh plan" in each.problem for each in read)
    assert set(world.states("crm").values()) == {"failed"}
    world.plan()
    assert "failed" not in world.states("crm").values()


def test_what_was_proven_is_read_again_by_the_new_connection(world: World, tmp_path: Path) -> None:
    world.add_system("crm")
    world.cut()
    assert world.is_settled
    elsewhere(world, tmp_path)
    verify_plan(departure=world.departure, actor=world.requester, now=clock.now())
    assert world.states("crm")["suspend"] == "failed", "the account is open where the system is now"


def test_nothing_is_put_back_on_another_server_than_it_was_asked_for(world: World, tmp_path: Path) -> None:
    world.add_system("crm")
    world.cut()
    world.store.set_mode("crm", "down")
    plan = operations.restore_plan(departure=world.departure, actor=world.requester, now=clock.now())
    world.run()
    other = elsewhere(world, tmp_path, is_active=False)
    clock_passes(plan)
    world.run()
    assert other.ledger("crm") == []
    assert world.change("crm", "suspend").state == "failed"
    assert "may lead to another server" in world.change("crm", "suspend").reason
    world.apply(Plan.objects.get(pk=plan.pk))
    world.run()
    assert other.ledger("crm"), "somebody has looked, and asked for it again"


def clock_passes(plan: Plan) -> None:
    """Let what waits for a time be due now."""
    plan.runs.filter(next_at__isnull=False).update(next_at=clock.now())
    plan.changes.filter(next_attempt_at__isnull=False).update(next_attempt_at=clock.now())
