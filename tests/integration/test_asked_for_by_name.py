"""A licence is released, and an account deleted, only where somebody asks for it: last, and by two people."""

from __future__ import annotations

import json

import pytest
from django.test import Client as Browser
from typer.testing import CliRunner

from partwell import clock
from partwell.access import operations, questions
from partwell.access.models import Change, Question
from partwell.access.operations import cuts
from partwell.cli import access
from partwell.people.models import User
from partwell.refusals import Invalid
from tests.access_world import World

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_pauses")]
BEFORE = ["block_sign_in", "revoke_sessions", "suspend", "remove_entitlements"]


def test_nobody_who_does_not_ask_loses_a_licence(world: World) -> None:
    world.add_system("crm")
    world.cut()
    assert world.effects("crm") == BEFORE
    assert world.store.account("crm", "crm-0")["has_licence"] is True  # type: ignore[index]


def test_it_is_released_after_all_else_was_read_back_and_before_a_deletion(world: World) -> None:
    world.add_system("crm")
    world.approve(world.plan(release_in=["crm"], delete_in=["crm"]))
    world.apply(world.departure.access_plans.get())
    world.run()
    assert world.effects("crm") == [*BEFORE, "release_licence", "delete"]
    assert world.is_settled
    rows = {change.verb: change for change in Change.objects.filter(is_current=True)}
    released, deleted = rows["release_licence"], rows["delete"]
    assert released.requested_at is not None and deleted.requested_at is not None
    for verb in BEFORE:
        proven = rows[verb].verified_at
        assert proven is not None and proven <= released.requested_at
    assert released.verified_at is not None and released.verified_at <= deleted.requested_at


def test_it_waits_while_anything_else_is_not_proven(world: World) -> None:
    world.add_system("crm")
    world.approve(world.plan(release_in=["crm"]))
    world.store.set_mode("crm", "lies")
    world.apply(world.departure.access_plans.get())
    world.run()
    assert world.store.account("crm", "crm-0")["has_licence"] is True  # type: ignore[index]
    assert world.states("crm")["release_licence"] == "planned"


def test_the_standing_rule_never_releases_it(world: World) -> None:
    world.add_system("crm")
    world.end_access()
    plan = world.plan(release_in=["crm"])
    world.run()
    assert world.effects("crm") == BEFORE[:3]
    change = world.change("crm", "release_licence")
    assert (change.state, change.authority) == ("planned", "")
    world.approve(plan)
    world.apply(plan)
    world.run()
    assert world.effects("crm") == [*BEFORE, "release_licence"]


def test_the_kill_switch_releases_it_only_by_an_approved_plan(world: World) -> None:
    world.add_system("crm")
    world.plan(release_in=["crm"])
    cuts.order_cut(
        departures=[world.departure],
        title="Ada",
        reason="Their laptop was stolen.",
        actor=world.requester,
        now=clock.now(),
    )
    world.run()
    assert world.effects("crm") == BEFORE


def test_it_is_put_back_with_all_else(world: World) -> None:
    world.add_system("crm")
    world.approve(world.plan(release_in=["crm"]))
    world.apply(world.departure.access_plans.get())
    world.run()

    operations.restore_plan(departure=world.departure, actor=world.console, now=clock.now())
    world.run()
    assert world.store.account("crm", "crm-0")["has_licence"] is True  # type: ignore[index]


@pytest.mark.parametrize(
    ("field", "name"), [("release_in", "nowhere"), ("delete_in", "nowhere"), ("release_in", "wiki")]
)
def test_what_a_system_cannot_do_is_refused_before_any_is_asked(world: World, field: str, name: str) -> None:
    world.add_system("crm")
    world.add_system("wiki", without=["release_licence"])
    world.store.set_mode("crm", "raises")
    with pytest.raises(Invalid) as refused:
        world.plan(**{field: [name]})
    assert refused.value.field == field
    with pytest.raises(Invalid):
        questions.ask_for_plan(
            departure=world.departure, actor=world.requester, now=clock.now(), **{field: [name]}
        )
    assert not Question.objects.exists()


def test_the_page_offers_it_where_there_is_an_account_and_keeps_what_was_ticked(world: World) -> None:
    world.add_system("crm")
    world.add_system("wiki", accounts=0)
    world.plan()
    rita = Browser(SERVER_NAME="localhost")
    rita.force_login(User.objects.get(email="rita@firm.example"))
    url = f"/departures/{world.departure.pk}/access/"
    page = rita.get(url).content.decode()
    assert "Release the licence in Crm" in page and "Delete the account in Crm, for good" in page
    assert "in Wiki" not in page.partition('id="extras"')[2]
    rita.post(f"{url}make/", {"release_in": ["crm"]})
    question = Question.objects.get()
    assert (question.release_in, question.delete_in) == (["crm"], [])
    questions.answer(str(question.pk))
    assert world.states("crm")["release_licence"] == "planned"
    page = rita.get(url).content.decode()
    assert 'name="release_in" value="crm" checked' in page
    assert 'name="delete_in" value="crm" checked' not in page
    assert rita.post(f"{url}make/", {"release_in": ["nowhere"]}, follow=True).status_code in (200, 422)
    assert Question.objects.count() == 1


def test_the_command_asks_for_it(world: World) -> None:
    world.add_system("crm")
    words = ["plan", str(world.departure.pk), "--release-in", "crm", "--delete-in", "crm", "--json"]
    result = CliRunner().invoke(access.app, words)
    assert result.exit_code == 0, result.output
    actions = {row["action"] for row in json.loads(result.stdout)["changes"]}
    assert {"release_licence", "delete"} <= actions
    refused = CliRunner().invoke(access.app, [*words[:2], "--release-in", "nowhere", "--json"])
    assert json.loads(refused.stdout)["error"]["field"] == "release_in"
