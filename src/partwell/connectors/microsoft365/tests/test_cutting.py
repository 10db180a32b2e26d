"""What each verb writes in a tenant, what proves it, and what cannot be cut from here."""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest

from partwell.connector_kit.contract import ConnectorError, ErrorKind, Outcome, Verb, Verdict
from partwell.connectors.microsoft365.tests.graph_model import ROOT
from partwell.connectors.microsoft365.tests.tenant import E3, E5, GLOBAL_ADMINISTRATOR, HELPDESK


async def failure(awaitable) -> ConnectorError:
    with pytest.raises(ConnectorError) as caught:
        await awaitable
    assert "canary" not in caught.value.message
    return caught.value


async def verdict(connector, user: str, verb: Verb) -> Verdict:
    return (await connector.verify(user, verb)).verdict


@pytest.fixture
def ana(tenant) -> str:
    return tenant.add_user("ana")


# -- suspension and sessions --------------------------------------------------------------------------


async def test_suspending_is_proven_and_says_that_access_tokens_live_on(tenant, connect, ana):
    connector = connect()
    await connector.suspend(ana)
    assert tenant.users[ana]["accountEnabled"] is False
    proof = await connector.verify(ana, Verb.SUSPEND)
    assert proof.verdict is Verdict.CONFIRMED
    assert "60 to 90 minutes" in proof.read
    assert (proof.probe, proof.still_open) == ("", None)


async def test_an_account_of_active_directory_is_suspended_there(tenant, model, connect):
    user = tenant.add_user("ana", onPremisesSyncEnabled=True)
    error = await failure(connect().suspend(user))
    assert error.kind is ErrorKind.UNSUPPORTED
    assert "on-premises Active Directory" in error.message
    assert model.written == []
    await connect().revoke_sessions(user)
    tenant.users[user]["accountEnabled"] = False  # once Active Directory has told Entra
    assert await verdict(connect(), user, Verb.SUSPEND) is Verdict.CONFIRMED
    (account,) = [await connect().read(user)]
    assert account.details["kept_by"] == "on-premises Active Directory"


async def test_an_old_copy_is_pending_until_its_time_is_over(tenant, model, connect, clock, ana):
    connector = connect(settles_within_seconds=60)
    model.stale[ana] = dict(tenant.users[ana])
    await connector.suspend(ana)
    await connector.revoke_sessions(ana)
    for verb in (Verb.SUSPEND, Verb.REVOKE_SESSIONS):
        proof = await connector.verify(ana, verb)
        assert (proof.verdict, proof.retry_until) == (Verdict.PENDING, clock() + timedelta(seconds=60))
    clock.goes_on(seconds=61)
    for verb in (Verb.SUSPEND, Verb.REVOKE_SESSIONS):
        assert await verdict(connector, ana, verb) is Verdict.FAILED
    model.stale.clear()
    for verb in (Verb.SUSPEND, Verb.REVOKE_SESSIONS):
        assert await verdict(connector, ana, verb) is Verdict.CONFIRMED


async def test_a_yes_that_ends_no_session_is_found(model, connect, clock, ana):
    def yes(request: httpx.Request) -> httpx.Response | None:
        is_it = request.url.path.endswith("/revokeSignInSessions")
        return httpx.Response(200, json={"value": True}) if is_it else None

    model.instead = yes
    connector = connect()
    await connector.revoke_sessions(ana)
    clock.goes_on(hours=1)
    assert await verdict(connector, ana, Verb.REVOKE_SESSIONS) is Verdict.FAILED


async def test_ended_sessions_are_judged_by_their_time_when_another_process_asks(connect, clock, ana):
    await connect().revoke_sessions(ana)
    clock.goes_on(minutes=5)
    assert await verdict(connect(), ana, Verb.REVOKE_SESSIONS) is Verdict.CONFIRMED
    clock.goes_on(days=1)
    assert await verdict(connect(), ana, Verb.REVOKE_SESSIONS) is Verdict.FAILED  # a new one may have begun
    await connect().suspend(ana)
    assert await verdict(connect(), ana, Verb.REVOKE_SESSIONS) is Verdict.UNVERIFIABLE
    receipt = await connect().revoke_sessions(ana)
    assert receipt.outcome is Outcome.DONE  # another process never trusts what it did not do


async def test_a_guests_sessions_are_not_ours_to_end(tenant, model, connect):
    guest = tenant.add_user("guest", userType="Guest")
    assert (await failure(connect().revoke_sessions(guest))).kind is ErrorKind.UNSUPPORTED
    assert await verdict(connect(), guest, Verb.REVOKE_SESSIONS) is Verdict.UNVERIFIABLE
    assert model.written == []
    await connect().suspend(guest)
    assert tenant.users[guest]["accountEnabled"] is False


# -- groups, roles and apps ---------------------------------------------------------------------------


async def test_what_can_be_taken_away_is_and_the_rest_is_named_with_the_way_out(tenant, connect, ana):
    sales = tenant.add_group("Sales", [ana])
    rule = 'user.department -eq "Sales"'
    dynamic = tenant.add_group("All of Sales", [ana], groupTypes=["DynamicMembership"], membershipRule=rule)
    synced = tenant.add_group("Domain", [ana], onPremisesSyncEnabled=True)
    news = tenant.add_group("News", [ana], mailEnabled=True)
    team = tenant.add_group("Team", [ana], mailEnabled=True, groupTypes=["Unified"])
    connector = connect()
    error = await failure(connector.remove_entitlements(ana))
    assert error.kind is ErrorKind.UNSUPPORTED
    for words in (
        f"All of Sales: its members follow from a rule ({rule})",
        "Domain: it is kept by",
        "News: it is a dist",
    ):
        assert words in error.message
    assert "2 of 5" in error.message
    held = {group for group in (sales, dynamic, synced, news, team) if ana in tenant.members[group]}
    assert held == {dynamic, synced, news}
    proof = await connector.verify(ana, Verb.REMOVE_ENTITLEMENTS)
    assert proof.verdict is Verdict.FAILED
    assert "cannot be taken away from here" in proof.read


async def test_a_group_that_everybody_is_in_may_be_kept(tenant, model, connect, ana):
    everybody = tenant.add_group("Everybody", [ana], groupTypes=["DynamicMembership"], membershipRule="true")
    for name in ("everybody", everybody):
        connector = connect(kept_groups=[name])
        assert (await connector.remove_entitlements(ana)).outcome is Outcome.ALREADY_DONE
        assert await verdict(connector, ana, Verb.REMOVE_ENTITLEMENTS) is Verdict.CONFIRMED
    assert model.written == []


async def test_only_the_persons_own_rights_and_grants_are_touched(tenant, connect, ana):
    sales = tenant.add_group("Sales", [ana])
    crm, role = tenant.add_app("CRM"), tenant.new_id()
    tenant.add_app_role(ana, crm, role)
    tenant.add_app_role(sales, crm, role, kind="Group")
    tenant.add_role(ana, HELPDESK, scope="/administrativeUnits/u-1")
    tenant.add_grant(ana, crm, crm, "Mail.Read")
    tenant.add_grant(None, crm, crm, "User.Read")
    connector = connect()
    (account,) = [await connector.read(ana)]
    assert sorted(e.name for e in account.entitlements) == [
        "CRM",
        "Helpdesk Administrator in /administrativeUnits/u-1",
        "Sales",
    ]
    await connector.remove_entitlements(ana)
    await connector.revoke_tokens(ana)
    assert [each["principalType"] for each in tenant.app_roles] == ["Group"]
    assert [each["consentType"] for each in tenant.grants] == ["AllPrincipals"]
    assert (tenant.roles, tenant.members[sales]) == ([], [])


async def test_the_snapshot_brings_everything_back_that_can_come_back(tenant, connect, ana):
    sales, gone = tenant.add_group("Sales", [ana]), tenant.add_group("Gone", [ana])
    crm, role = tenant.add_app("CRM"), tenant.new_id()
    tenant.add_app_role(ana, crm, role)
    tenant.add_role(ana, HELPDESK)
    tenant.add_grant(ana, crm, crm, "Mail.Read")
    tenant.add_licence(ana, E3)
    connector = connect()
    snapshot = await connector.snapshot(ana)
    verbs = (Verb.REVOKE_TOKENS, Verb.SUSPEND, Verb.REMOVE_ENTITLEMENTS, Verb.RELEASE_LICENCE)
    for verb in verbs:
        await getattr(connector, verb.value)(ana)
    del tenant.groups[gone]
    for verb in (Verb.REVOKE_TOKENS, Verb.SUSPEND, Verb.RELEASE_LICENCE):
        assert (await connector.restore(ana, verb, snapshot)).outcome is Outcome.DONE
        assert (await connector.restore(ana, verb, snapshot)).outcome is Outcome.ALREADY_DONE
    error = await failure(connector.restore(ana, Verb.REMOVE_ENTITLEMENTS, snapshot))
    assert "3 of 4" in error.message
    assert "Gone" in error.message
    assert tenant.members[sales] == [ana]
    assert [r["roleDefinitionId"] for r in tenant.roles] == [HELPDESK]
    assert [a["appRoleId"] for a in tenant.app_roles] == [role]
    assert [g["scope"] for g in tenant.grants] == ["Mail.Read"]
    assert tenant.licences_of(ana) == {E3}
    assert tenant.users[ana]["accountEnabled"] is True
    assert (
        await failure(connector.restore(ana, Verb.REVOKE_SESSIONS, snapshot))
    ).kind is ErrorKind.UNSUPPORTED


async def test_too_many_requests_stop_the_round_and_say_when_to_come_back(tenant, model, connect, clock, ana):
    groups = [tenant.add_group(f"g{number}", [ana]) for number in range(4)]

    def throttled(request: httpx.Request) -> httpx.Response | None:
        is_third = request.method == "DELETE" and len(model.written) == 2
        return httpx.Response(429, headers={"retry-after": "17"}) if is_third else None

    model.instead = throttled
    error = await failure(connect().remove_entitlements(ana))
    assert (error.kind, error.retry_at) == (ErrorKind.THROTTLED, clock() + timedelta(seconds=17))
    assert sum(ana in tenant.members[group] for group in groups) == 2
    assert sum(asked.startswith("DELETE") for asked in model.asked) == 3
    model.instead = lambda request: None
    await connect().remove_entitlements(ana)
    assert not any(ana in tenant.members[group] for group in groups)


# -- licences -----------------------------------------------------------------------------------------


async def test_a_licence_of_a_group_goes_with_the_group(tenant, connect, clock, ana):
    office = tenant.add_group("Office licences", [ana])
    tenant.add_licence(ana, E3)
    tenant.add_licence(ana, E5, by_group=office)
    connector = connect()
    error = await failure(connector.release_licence(ana))
    assert error.kind is ErrorKind.UNSUPPORTED
    assert "by the group Office licences" in error.message
    assert tenant.licences_of(ana) == {E5}
    await connector.remove_entitlements(ana)
    receipt = await connector.release_licence(ana)  # Entra has not taken it away yet
    assert receipt.outcome is Outcome.ACCEPTED
    assert await verdict(connector, ana, Verb.RELEASE_LICENCE) is Verdict.PENDING
    tenant.take_licences(ana, [E5], by_group=True)
    proof = await connector.verify(ana, Verb.RELEASE_LICENCE)
    assert proof.verdict is Verdict.CONFIRMED
    assert "30 days" in proof.read


# -- protected accounts -------------------------------------------------------------------------------


async def refuses_all(connector, user: str, model) -> bool:
    for write in (connector.suspend, connector.revoke_sessions, connector.remove_entitlements):
        assert (await failure(write(user))).kind is ErrorKind.CONFLICT
    account = await connector.read(user)
    return account.is_protected and model.written == []


@pytest.mark.parametrize("by", ["login", "id"])
async def test_a_listed_account_is_not_touched(tenant, model, connect, ana, by):
    tenant.add_group("Sales", [ana])
    name = "ANA@firm.test" if by == "login" else ana
    connector = connect(protected=[name])
    assert await refuses_all(connector, ana, model)
    assert [a.is_protected async for page in connector.list_accounts() for a in page] == [True]


@pytest.mark.parametrize("through", ["a role", "a group"])
async def test_the_last_global_administrator_is_not_touched(tenant, model, connect, ana, through):
    admins = tenant.add_group("Admins", [ana], isAssignableToRole=True)
    ben = tenant.add_user("ben", accountEnabled=False)
    tenant.add_role(ben, GLOBAL_ADMINISTRATOR)
    tenant.add_role(ana if through == "a role" else admins, GLOBAL_ADMINISTRATOR)
    assert await refuses_all(connect(), ana, model)
    tenant.users[ben]["accountEnabled"] = True
    await connect().suspend(ana)
    assert tenant.users[ana]["accountEnabled"] is False


async def test_another_administrator_in_a_nested_group_counts(tenant, connect, ana):
    inner = tenant.add_group("Inner", [tenant.add_user("ben")])
    tenant.add_role(tenant.add_group("Admins", [inner], isAssignableToRole=True), GLOBAL_ADMINISTRATOR)
    tenant.add_role(ana, GLOBAL_ADMINISTRATOR)
    (account,) = [await connect().read(ana)]
    assert not account.is_protected


async def test_the_last_active_member_of_an_administrators_group_is_not_touched(tenant, model, connect, ana):
    tenant.add_group("CRM admins", [ana, tenant.add_user("ben", accountEnabled=False)])
    assert await refuses_all(connect(admin_groups=["crm ADMINS"]), ana, model)


async def test_no_request_goes_anywhere_but_to_the_tenant(tenant, model, connect, ana):
    hosts: set[str] = set()

    def noting(request: httpx.Request) -> httpx.Response:
        hosts.add(request.headers["host"])
        return model(request)

    await connect(answer=noting).suspend(ana)
    assert hosts == {"login.microsoftonline.com", ROOT.split("/")[2]}
