"""What each verb does on each plan, what proves it, and what cannot be cut from here."""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest

from partwell.connector_kit.contract import ConnectorError, ErrorKind, Outcome, Verb, Verdict
from partwell.connectors.slack.tests.workspace import OTHER_TEAM, OWN, TEAM


async def failure(awaitable) -> ConnectorError:
    with pytest.raises(ConnectorError) as caught:
        await awaitable
    assert "canary" not in caught.value.message
    return caught.value


async def verdict(connector, user: str, verb: Verb) -> Verdict:
    return (await connector.verify(user, verb)).verdict


# -- suspension ---------------------------------------------------------------------------------------


async def test_a_suspension_counts_when_both_interfaces_show_it(workspace, model, connect, clock):
    ana = workspace.add_user("ana")
    model.deactivates = lambda user_id, active: workspace.users[user_id].update(active=active)
    connector = connect(model, settles_within_seconds=60)
    await connector.suspend(ana)
    proof = await connector.verify(ana, Verb.SUSPEND)
    assert (proof.verdict, proof.retry_until) == (Verdict.PENDING, clock() + timedelta(seconds=60))
    assert "the Web API" in proof.read
    clock.goes_on(seconds=61)
    assert await verdict(connector, ana, Verb.SUSPEND) is Verdict.FAILED
    workspace.users[ana]["deleted"] = True
    proof = await connector.verify(ana, Verb.SUSPEND)
    assert (proof.verdict, proof.still_open) == (Verdict.CONFIRMED, None)
    assert "revokes their tokens" in proof.read


async def test_on_grid_the_proof_counts_the_sessions_that_are_left(grid, grid_model, connect):
    ana = grid.add_user("ana")
    grid_model.deactivates = lambda user_id, active: grid.users[user_id].update(
        active=active, deleted=not active
    )
    grid.add_session(ana)
    connector = connect(grid_model)
    await connector.suspend(ana)
    proof = await connector.verify(ana, Verb.SUSPEND)
    assert (proof.verdict, proof.still_open) == (Verdict.CONFIRMED, 1)


async def test_on_a_small_plan_a_person_deactivates_and_reading_back_proves_it(workspace, model, connect):
    ana = workspace.add_user("ana")
    connector = connect(model, plan="pro")
    error = await failure(connector.suspend(ana))
    assert error.kind is ErrorKind.UNSUPPORTED
    assert "Manage members" in error.message
    assert await verdict(connector, ana, Verb.SUSPEND) is Verdict.FAILED
    workspace.users[ana]["deleted"] = True
    assert (await connector.suspend(ana)).outcome is Outcome.ALREADY_DONE
    assert await verdict(connector, ana, Verb.SUSPEND) is Verdict.CONFIRMED
    assert model.written == []


@pytest.mark.parametrize(
    ("given", "words"),
    [({"is_stranger": True}, "another organisation"), ({"is_bot": True}, "does not know this account")],
)
async def test_what_is_not_a_member_is_not_switched_off(workspace, model, connect, given, words):
    user = workspace.add_user("someone", **given)
    error = await failure(connect(model).suspend(user))
    assert error.kind is ErrorKind.UNSUPPORTED
    assert words in error.message
    assert model.written == []


# -- sessions -----------------------------------------------------------------------------------------


async def test_a_reset_that_was_taken_up_is_pending_until_no_session_is_left(
    grid, grid_model, connect, clock
):
    ana = grid.add_user("ana", teams=(TEAM, OTHER_TEAM))
    grid.add_session(ana)
    grid.add_session(ana, team=OTHER_TEAM)
    grid_model.resets_at_once = False
    connector = connect(grid_model)
    assert (await connector.revoke_sessions(ana)).outcome is Outcome.ACCEPTED
    proof = await connector.verify(ana, Verb.REVOKE_SESSIONS)
    assert (proof.verdict, proof.still_open) == (Verdict.PENDING, 2)
    assert proof.retry_until == clock() + timedelta(minutes=5)
    clock.goes_on(minutes=6)
    proof = await connector.verify(ana, Verb.REVOKE_SESSIONS)
    assert (proof.verdict, proof.still_open) == (Verdict.FAILED, 2)
    grid.sessions.clear()
    proof = await connector.verify(ana, Verb.REVOKE_SESSIONS)
    assert (proof.verdict, proof.still_open) == (Verdict.CONFIRMED, 0)
    assert (await connector.revoke_sessions(ana)).outcome is Outcome.ALREADY_DONE


async def test_sessions_of_somebody_who_is_in_no_workspace_any_more_are_still_found(
    grid, grid_model, connect
):
    ana = grid.add_user("ana", teams=())
    grid.add_session(ana)
    grid.add_session(OWN)
    proof = await connect(grid_model).verify(ana, Verb.REVOKE_SESSIONS)
    assert (proof.verdict, proof.still_open) == (Verdict.FAILED, 1)


@pytest.mark.parametrize("plan", ["pro", "business_plus"])
async def test_without_grid_nothing_is_said_about_sessions(workspace, model, connect, plan):
    ana = workspace.add_user("ana")
    connector = connect(model, plan=plan)
    assert (await failure(connector.revoke_sessions(ana))).kind is ErrorKind.UNSUPPORTED
    proof = await connector.verify(ana, Verb.REVOKE_SESSIONS)
    assert (proof.verdict, proof.still_open) == (Verdict.UNVERIFIABLE, None)
    assert (await connector.read(ana)).open_sessions is None
    assert model.written == []


# -- groups and roles ---------------------------------------------------------------------------------


async def test_what_can_be_taken_away_is_and_the_rest_is_named_with_the_way_out(workspace, model, connect):
    ana, ben = workspace.add_user("ana", is_admin=True), workspace.add_user("ben")
    sales = workspace.add_user_group("Sales", [ana, ben])
    alone = workspace.add_user_group("Alone", [ana])
    workspace.add_user_group("Old", [ana], date_delete=1)
    connector = connect(model)
    error = await failure(connector.remove_entitlements(ana))
    assert error.kind is ErrorKind.UNSUPPORTED
    for words in (
        "1 of 3",
        "Alone: a user group has to have a member",
        "Workspace Admin: on this plan only an owner",
    ):
        assert words in error.message
    assert workspace.user_groups[sales]["members"] == [ben]
    assert workspace.user_groups[alone]["members"] == [ana]
    proof = await connector.verify(ana, Verb.REMOVE_ENTITLEMENTS)
    assert proof.verdict is Verdict.FAILED
    assert "cannot be taken away from here" in proof.read


async def test_on_grid_rights_are_taken_in_every_workspace_and_given_back(grid, grid_model, connect):
    ana, ben = (grid.add_user(name, teams=(TEAM, OTHER_TEAM)) for name in ("ana", "ben"))
    here = grid.add_user_group("Sales", [ana, ben])
    there = grid.add_user_group("Sales", [ana, ben], team=OTHER_TEAM)
    everybody, gone = grid.add_provider_group("Everybody", [ana, ben]), grid.add_provider_group("Gone", [ana])
    grid.admins[TEAM], grid.owners[OTHER_TEAM] = [ana, ben], [ben, ana]
    connector = connect(grid_model)
    names = [entitlement.name for entitlement in (await connector.read(ana)).entitlements]
    assert sorted(names) == sorted(
        [
            "Sales",
            "Sales",
            "Everybody",
            "Gone",
            f"Workspace Admin of {TEAM}",
            f"Workspace Owner of {OTHER_TEAM}",
        ]
    )
    snapshot = await connector.snapshot(ana)
    await connector.remove_entitlements(ana)
    assert await verdict(connector, ana, Verb.REMOVE_ENTITLEMENTS) is Verdict.CONFIRMED
    assert (grid.admins[TEAM], grid.owners[OTHER_TEAM]) == ([ben], [ben])
    del grid.provider_groups[gone]
    error = await failure(connector.restore(ana, Verb.REMOVE_ENTITLEMENTS, snapshot))
    assert "5 of 6" in error.message
    assert "Gone" in error.message
    for group in (here, there):
        assert grid.user_groups[group]["members"] == [ben, ana]
    assert grid.provider_groups[everybody]["members"] == [ben, ana]
    assert (grid.admins[TEAM], grid.owners[OTHER_TEAM]) == ([ben, ana], [ben, ana])


async def test_a_suspension_is_undone_from_the_snapshot_only(workspace, model, connect):
    ana = workspace.add_user("ana")
    connector = connect(model)
    before = await connector.snapshot(ana)
    await connector.suspend(ana)
    later = await connector.snapshot(ana)
    assert (await connector.restore(ana, Verb.SUSPEND, later)).outcome is Outcome.ALREADY_DONE
    assert workspace.users[ana]["deleted"] is True
    assert (await connector.restore(ana, Verb.SUSPEND, before)).outcome is Outcome.DONE
    assert workspace.users[ana]["deleted"] is False
    assert (await failure(connector.restore(ana, Verb.REVOKE_SESSIONS, before))).kind is ErrorKind.UNSUPPORTED


async def test_too_many_requests_stop_the_round_and_say_when_to_come_back(workspace, model, connect, clock):
    ana, ben = workspace.add_user("ana"), workspace.add_user("ben")
    groups = [workspace.add_user_group(f"g{number}", [ana, ben]) for number in range(4)]

    refused: list[httpx.Request] = []

    def throttled(request: httpx.Request) -> httpx.Response | None:
        if request.method != "POST" or len(model.written) < 2:
            return None
        refused.append(request)
        return httpx.Response(429, headers={"retry-after": "17"}, text="ratelimited")

    model.instead = throttled
    error = await failure(connect(model).remove_entitlements(ana))
    assert (error.kind, error.retry_at) == (ErrorKind.THROTTLED, clock() + timedelta(seconds=17))
    assert sum(ana in workspace.user_groups[group]["members"] for group in groups) == 2
    assert len(refused) == 1
    model.instead = lambda request: None
    await connect(model).remove_entitlements(ana)
    assert not any(ana in workspace.user_groups[group]["members"] for group in groups)


# -- protected accounts -------------------------------------------------------------------------------


async def refuses(connector, user: str, model) -> bool:
    for write in (connector.suspend, connector.remove_entitlements):
        assert (await failure(write(user))).kind is ErrorKind.CONFLICT
    account = await connector.read(user)
    return account.is_protected and model.written == []


async def test_the_person_whose_token_it_is_is_not_touched(workspace, model, connect):
    workspace.add_user("boss", is_owner=True)
    workspace.add_user_group("Sales", [OWN])
    assert await refuses(connect(model), OWN, model)


@pytest.mark.parametrize("by", ["name", "address", "id"])
async def test_a_listed_account_is_not_touched(workspace, model, connect, by):
    ana = workspace.add_user("ana")
    workspace.add_user_group("Sales", [ana])
    name = {"name": "ANA", "address": "ana@firm.example", "id": ana}[by]
    connector = connect(model, protected=[name])
    assert await refuses(connector, ana, model)
    listed = [account async for page in connector.list_accounts() for account in page]
    assert [account.external_id for account in listed if account.is_protected] == [ana]


async def test_the_primary_owner_and_the_last_owner_are_not_touched(workspace, model, connect):
    workspace.users[OWN]["is_owner"] = False
    primary = workspace.add_user("primary", is_primary_owner=True)
    workspace.add_user_group("Sales", [primary])
    assert await refuses(connect(model), primary, model)
    last = workspace.add_user("last", is_owner=True)
    other = workspace.add_user("other", is_owner=True)
    workspace.switch(other, False)
    assert await refuses(connect(model), last, model)
    workspace.switch(other, True)
    await connect(model).suspend(last)
    assert workspace.users[last]["deleted"] is True


async def test_on_grid_the_last_owner_of_a_workspace_or_of_the_organisation_is_not_touched(
    grid, grid_model, connect
):
    ana, ben = grid.add_user("ana"), grid.add_user("ben")
    grid.owners[TEAM] = [ana]
    assert await refuses(connect(grid_model), ana, grid_model)
    grid.owners[TEAM] = [ana, ben]
    grid.users[ana]["org_owner"] = True
    assert await refuses(connect(grid_model), ana, grid_model)
    grid.users[ben]["org_owner"] = True
    await connect(grid_model).suspend(ana)
    assert grid.users[ana]["deleted"] is True


async def test_the_last_active_member_of_an_administrators_group_is_not_touched(workspace, model, connect):
    ana, ben = workspace.add_user("ana"), workspace.add_user("ben")
    workspace.add_user_group("Slack admins", [ana, ben])
    assert not (await connect(model, admin_groups=["slack ADMINS"]).read(ana)).is_protected
    workspace.switch(ben, False)
    assert await refuses(connect(model, admin_groups=["slack ADMINS"]), ana, model)
