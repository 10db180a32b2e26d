"""Finding people in Slack on each plan, and what is never taken for "nobody"."""

from __future__ import annotations

import httpx
import pytest

from partwell.connector_kit.contract import ConnectorError, ErrorKind, Identity, Nature
from partwell.connectors.slack.tests.workspace import OTHER_TEAM, OWN, TEAM

ANA = Identity(emails=("ana@firm.example",))


async def failure(awaitable) -> ConnectorError:
    with pytest.raises(ConnectorError) as caught:
        await awaitable
    assert "canary" not in caught.value.message
    return caught.value


async def everybody(connector) -> list:
    return [account async for page in connector.list_accounts() for account in page]


@pytest.mark.parametrize("plan", ["pro", "business_plus"])
@pytest.mark.parametrize(
    ("identity", "is_deleted"),
    [
        (Identity(emails=("ANA@firm.example",)), False),
        (ANA, True),
        (Identity(emails=(), usernames=("Ana",)), False),
        (Identity(emails=("other@firm.example",), usernames=("ana",)), True),
    ],
)
async def test_a_person_is_found_also_when_deactivated_already(
    workspace, model, connect, plan, identity, is_deleted
):
    ana = workspace.add_user("ana")
    workspace.add_user("ben")
    workspace.switch(ana, not is_deleted)
    (account,) = await connect(model, plan=plan).discover(identity)
    assert (account.external_id, account.is_active) == (ana, not is_deleted)
    assert account.matched_by


async def test_guests_are_second_accounts_and_bots_are_services(workspace, model, connect):
    many = workspace.add_user("many", is_restricted=True)
    one = workspace.add_user("one", is_restricted=True, is_ultra_restricted=True)
    other = workspace.add_user("other", is_stranger=True)
    bot = workspace.add_user("bot", is_bot=True)
    natures = {account.external_id: account.nature for account in await everybody(connect(model))}
    assert natures == {
        OWN: Nature.PERSON,
        many: Nature.LINKED,
        one: Nature.LINKED,
        other: Nature.LINKED,
        bot: Nature.SERVICE,
    }


@pytest.mark.parametrize("is_grid", [False, True])
async def test_everybody_is_listed_once_on_every_plan(workspace, model, grid, grid_model, connect, is_grid):
    place, asked = (grid, grid_model) if is_grid else (workspace, model)
    ids = [place.add_user(f"u{number}", teams=(TEAM, OTHER_TEAM)) for number in range(25)]
    place.switch(ids[4], False)
    asked.page_size = 10
    listed = await everybody(connect(asked))
    assert [account.external_id for account in listed] == [OWN, *ids]
    assert [account.login for account in listed if not account.is_active] == ["u4"]
    assert listed[3].emails == ("u2@firm.example",)
    assert listed[3].employee_number == ("E-u2" if is_grid else "")


async def test_a_service_that_ignores_the_filter_does_not_get_the_wrong_person_cut(workspace, model, connect):
    ana = workspace.add_user("ana")
    workspace.add_user("ben")
    model.ignores_filters = True
    assert [account.external_id for account in await connect(model).discover(ANA)] == [ana]


async def test_an_answer_with_somebody_else_is_not_taken_for_the_person(workspace, model, connect):
    ben = {"id": workspace.add_user("ben"), "profile": {"email": "ben@firm.example"}}
    model.instead = lambda request: (
        httpx.Response(200, json={"ok": True, "user": ben})
        if request.url.path.endswith("users.lookupByEmail")
        else None
    )
    for plan in ("pro", "business_plus"):
        assert await connect(model, plan=plan).discover(ANA) == []


@pytest.mark.parametrize("value", ['"', 'x" or userName pr or userName eq "', "\\", "*", "\n", "ü", "'"])
async def test_a_hostile_name_finds_nobody(workspace, model, connect, value):
    workspace.add_user("ana")
    for plan in ("pro", "business_plus"):
        assert await connect(model, plan=plan).discover(Identity(emails=(), usernames=(value,))) == []


@pytest.mark.parametrize("value", ["", "1", "../users.list", "U1?x=1", "u0nobody00", "U" * 60])
async def test_what_is_no_slack_id_is_never_asked_for(model, connect, value):
    assert (await failure(connect(model).read(value))).kind is ErrorKind.INVALID


async def test_another_user_than_the_one_asked_for_is_not_read_as_the_account(connect):
    answer = httpx.Response(200, json={"ok": True, "user": {"id": "U0SOMEONE"}})
    assert (await failure(connect(lambda request: answer).read("U0ANOTHER"))).kind is ErrorKind.RETRYABLE


@pytest.mark.parametrize(
    "page",
    [
        {"ok": True, "members": [], "response_metadata": {"next_cursor": "again"}},
        {"ok": True},
        {"ok": True, "members": {}},
        {"members": []},
        {"ok": "true", "members": []},
        [],
    ],
)
async def test_pages_that_repeat_or_break_are_an_error_and_never_the_end(connect, page):
    connector = connect(lambda request: httpx.Response(200, json=page))
    assert (await failure(everybody(connector))).kind is ErrorKind.RETRYABLE


async def test_scim_pages_that_end_before_what_is_counted_are_an_error(grid, grid_model, connect):
    grid_model.instead = lambda request: httpx.Response(200, json={"totalResults": 5, "Resources": []})
    error = await failure(everybody(connect(grid_model)))
    assert error.kind is ErrorKind.RETRYABLE
    assert "counts 5" in error.message


async def test_on_grid_sessions_are_held_and_elsewhere_installed_apps(
    workspace, model, grid, grid_model, connect
):
    ana = grid.add_user("ana", teams=(TEAM, OTHER_TEAM))
    first, second = grid.add_session(ana), grid.add_session(ana, team=OTHER_TEAM)
    grid.add_session(OWN)
    grid_model.page_size = 1
    held = await connect(grid_model).holdings(ana)
    assert [(h.kind.value, h.external_id) for h in held] == [
        ("session", str(first)),
        ("session", str(second)),
    ]
    assert (await connect(grid_model).read(ana)).open_sessions == 2

    ana = workspace.add_user("ana")
    for app, change, date in (
        ("Jira", "added", "1700000000"),
        ("Zapier", "added", "1700000001"),
        ("Zapier", "removed", "1700000002"),
        ("Giphy", "updated", "1700000003"),
    ):
        workspace.add_log(ana, app, change, date)
    model.page_size = 2
    held = await connect(model).holdings(ana)
    assert [(h.kind.value, h.name) for h in held] == [("owned", "Jira"), ("owned", "Giphy")]
