"""Whom the connector finds, whom it must not find, and whom it never touches."""

from __future__ import annotations

from copy import deepcopy
from datetime import UTC, datetime

import pytest

from partwell.connector_kit.contract import ConnectorError, ErrorKind, Identity, Nature
from partwell.connectors.google_workspace.tests.wording import ADMIN, Connect
from partwell.connectors.google_workspace.tests.workspace import Workspace
from tests.vendor_openapi import ValidatedHttp


async def refused(awaitable) -> ConnectorError:
    with pytest.raises(ConnectorError) as caught:
        await awaitable
    return caught.value


def by(*emails: str, **more) -> Identity:
    return Identity(emails=emails, **more)


@pytest.mark.parametrize(
    "identity",
    [
        by("ANA@firm.test"),
        by("ana.silva@firm.test"),
        by("ana@firm.test.test-google-a.com"),
        by("ana@home.test"),
        by(usernames=("ana@firm.test",)),
        by(employee_number="e-7"),
        by(employee_number="E-8"),
    ],
)
async def test_a_person_is_found_by_each_exact_fact(firm: Workspace, connect: Connect, identity):
    ana = firm.add_user(
        "ana@firm.test",
        aliases=["ana.silva@firm.test"],
        nonEditableAliases=["ana@firm.test.test-google-a.com"],
        externalIds=[
            {"type": "account", "value": "E-9"},
            {"type": "organization", "value": "E-7"},
            {"type": "organization", "value": "E-8"},
        ],
    )
    firm.users[ana]["emails"].append({"address": "ana@home.test", "type": "home"})
    firm.domains |= {"firm.test.test-google-a.com"}
    (found,) = await connect().discover(identity)
    assert found.external_id == ana
    assert found.matched_by
    assert found.employee_number == "E-7"


@pytest.mark.parametrize(
    "identity",
    [
        by("an@firm.test"),
        by("o'neil\\@firm.test"),
        by(employee_number="E-9"),
        by(usernames=("ana",)),
        by("", employee_number=" "),
        by("a/b@firm.test"),
    ],
)
async def test_what_is_alike_is_nobody(firm: Workspace, connect: Connect, identity):
    firm.add_user("ana@firm.test", externalIds=[{"type": "account", "value": "E-9"}])
    assert await connect().discover(identity) == []


async def test_a_private_recovery_address_is_no_fact_about_whose_account_it_is(
    firm: Workspace, connect: Connect
):
    firm.add_user("ana@firm.test", recoveryEmail="ben@firm.test")
    assert await connect().discover(by("ben@firm.test")) == []


async def test_all_matches_are_returned_for_a_person_to_decide(firm: Workspace, connect: Connect):
    one = firm.add_user("ana@firm.test")
    two = firm.add_user("ana.admin@firm.test", externalIds=[{"type": "organization", "value": "E-7"}])
    found = await connect().discover(by("ana@firm.test", employee_number="E-7"))
    assert {account.external_id for account in found} == {one, two}


async def test_an_address_that_the_search_does_not_know_yet_is_found_directly(
    firm: Workspace, connect: Connect
):
    firm.stale_index = []
    ana = firm.add_user("ana@firm.test")
    (found,) = await connect().discover(by("ana@firm.test"))
    assert found.external_id == ana


async def test_what_the_search_still_knows_and_has_changed_is_read_afresh(firm: Workspace, connect: Connect):
    ana = firm.add_user("ana@firm.test")
    gone = firm.add_user("ben@firm.test")
    firm.stale_index = [deepcopy(firm.users[ana]), deepcopy(firm.users[gone])]
    firm.users[ana]["primaryEmail"] = "anna@firm.test"
    firm.users[ana]["emails"] = []
    del firm.users[gone]
    assert await connect().discover(by("ana@firm.test", "ben@firm.test")) == []


@pytest.mark.parametrize("says_domain_not_found", [True, False])
async def test_an_address_in_somebody_elses_domain_is_nobody_of_ours(
    firm: Workspace, connect: Connect, says_domain_not_found
):
    firm.says_domain_not_found = says_domain_not_found
    ana = firm.add_user("ana@firm.test")
    assert await connect().discover(by("ana@elsewhere.test")) == []
    (found,) = await connect().discover(by("ana@elsewhere.test", "ana@firm.test"))
    assert found.external_id == ana


@pytest.mark.parametrize("says_domain_not_found", [True, False])
@pytest.mark.parametrize("address", ["ana@firm.test", "ana@second.test"])
async def test_a_refusal_about_an_address_in_a_domain_of_ours_is_an_error(
    firm: Workspace, connect: Connect, says_domain_not_found, address
):
    firm.says_domain_not_found = says_domain_not_found
    firm.domains = frozenset()
    error = await refused(connect(domains=["Second.test"]).discover(by(address)))
    assert error.kind in (ErrorKind.DENIED, ErrorKind.INVALID)


@pytest.mark.parametrize(
    ("given", "is_active", "status"),
    [
        ({}, True, "active"),
        ({"suspended": True, "suspensionReason": "ADMIN"}, False, "suspended"),
        ({"archived": True}, False, "archived"),
        ({"suspended": True, "archived": True}, False, "suspended and archived"),
        (
            {"suspended": True, "suspensionReason": "WEB_LOGIN_REQUIRED"},
            True,
            "suspended until it signs in again",
        ),
    ],
)
async def test_suspended_archived_and_waiting_for_a_sign_in_are_told_apart(
    firm: Workspace, connect: Connect, given, is_active, status
):
    account = await connect().read(firm.add_user(**given))
    assert (account.is_active, account.details["status"]) == (is_active, status)


async def test_a_list_of_everybody_tells_what_the_sweep_for_ghosts_needs(firm: Workspace, connect: Connect):
    firm.page_size = 2
    ana = firm.add_user(
        "ana@firm.test",
        aliases=["a@firm.test"],
        externalIds=[{"type": "organization", "value": "E-7"}],
        lastLoginTime="2026-11-20T08:00:00.000Z",
    )
    guest = firm.add_user("guest@firm.test", isGuestUser=True, lastLoginTime="1970-01-01T00:00:00.000Z")
    kept = firm.add_user("kept@firm.test")
    connector = connect(protected=["KEPT@firm.test"])
    pages = [page async for page in connector.list_accounts()]
    found = {account.external_id: account for page in pages for account in page}
    assert len(pages) > 1
    assert set(found[ana].emails) == {"ana@firm.test", "a@firm.test"}
    assert found[ana].employee_number == "E-7"
    assert found[ana].last_used_at == datetime(2026, 11, 20, 8, tzinfo=UTC)
    assert found[guest].nature is Nature.LINKED
    assert found[guest].last_used_at is None
    assert found[kept].is_protected
    assert not found[ana].is_protected


async def test_no_more_of_people_is_asked_for_than_is_needed(
    firm: Workspace, connect: Connect, wire: ValidatedHttp
):
    ana = firm.add_user("ana@firm.test")
    firm.codes[ana] = ["code-canary"]
    connector = connect()
    await connector.discover(by("ana@firm.test"))
    await connector.holdings(ana)
    [page async for page in connector.list_accounts()]
    asked = [r for r in wire.requests if "/users" in r.url.path and r.url.host == "admin.googleapis.com"]
    masks = {
        r.url.params.get("fields", "") for r in asked if r.url.path.count("/") <= 5 or "Codes" in r.url.path
    }
    assert all(masks)
    assert not any("phones" in mask or "verificationCode" in mask for mask in masks)


# -- protected -------------------------------------------------------------------------------------------


async def untouched(connector, wire: ValidatedHttp, user_id: str, reason: str) -> None:
    account = await connector.read(user_id)
    assert account.is_protected
    for verb in (
        "block_sign_in",
        "revoke_sessions",
        "revoke_tokens",
        "suspend",
        "remove_entitlements",
        "delete",
    ):
        error = await refused(getattr(connector, verb)(user_id))
        assert error.kind is ErrorKind.CONFLICT, verb
        assert reason in error.message
    assert wire.writes() == []


async def test_the_administrator_that_partwell_acts_as_is_never_touched(
    firm: Workspace, connect: Connect, wire: ValidatedHttp
):
    firm.add_super_admin()
    firm.add_group("Office", [firm.admin])
    firm.add_credentials(firm.admin)
    await untouched(connect(), wire, firm.admin, "acts as")


async def test_listed_accounts_are_never_touched_by_address_alias_or_id(
    firm: Workspace, connect: Connect, wire: ValidatedHttp
):
    for name in ("one@firm.test", "two@firm.test"):
        user_id = firm.add_user(name, aliases=[f"also-{name}"])
        firm.add_group("Office", [user_id])
        firm.add_credentials(user_id)
        for listed in (name.upper(), f"also-{name}", user_id):
            await untouched(connect(protected=[listed]), wire, user_id, "protected accounts")


async def test_the_last_active_super_administrator_is_never_touched(
    firm: Workspace, connect: Connect, wire: ValidatedHttp
):
    firm.users[firm.admin]["isAdmin"] = False
    firm.assignments.clear()
    boss = firm.add_super_admin("boss@firm.test")
    firm.add_super_admin("gone@firm.test", suspended=True)
    firm.add_super_admin("stored@firm.test", archived=True)
    firm.stale_index = deepcopy(list(firm.users.values()))
    was_one = firm.add_super_admin("was@firm.test")
    firm.stale_index.append(deepcopy(firm.users[was_one]))
    firm.users[was_one]["isAdmin"] = False
    firm.add_credentials(boss)
    await untouched(connect(), wire, boss, "last active super administrator")
    firm.users[was_one]["isAdmin"] = True
    assert not (await connect().read(boss)).is_protected


async def test_the_last_active_member_of_a_watched_group_is_never_touched(
    firm: Workspace, connect: Connect, wire: ValidatedHttp
):
    ana, ben = firm.add_user(), firm.add_user(suspended=True)
    firm.add_group("Admins", [ana, ben])
    firm.add_credentials(ana)
    connector = connect(admin_groups=["admins@firm.test"])
    await untouched(connector, wire, ana, "last active member")
    firm.users[ben]["suspended"] = False
    assert not (await connector.read(ana)).is_protected


async def test_a_listed_persons_phone_is_not_wiped(firm: Workspace, connect: Connect, wire: ValidatedHttp):
    ana = firm.add_user("ana@firm.test")
    phone = firm.add_phone(ana)
    connector = connect(protected=["ana@firm.test"])
    for order in (connector.wipe, connector.lock):
        assert (await refused(order(ana, phone))).kind is ErrorKind.CONFLICT
    assert (await refused(connect().wipe(firm.admin, phone))).kind is ErrorKind.CONFLICT
    assert wire.writes() == []


# -- what they have --------------------------------------------------------------------------------------


async def test_holdings_show_what_opens_the_account_what_is_on_devices_and_what_is_owned(
    firm: Workspace, connect: Connect
):
    ana = firm.add_user(
        "ana@firm.test",
        sshPublicKeys=[{"key": "ssh-ed25519 AAAA ana@laptop", "fingerprint": "SHA256:1"}],
    )
    other = firm.add_user("diana@firm.test")
    firm.add_credentials(ana)
    firm.add_phone(ana, serialNumber="S1")
    firm.add_phone(other)
    firm.chrome = [
        {"deviceId": "c1", "model": "Chromebook", "annotatedUser": "ana@firm.test", "status": "ACTIVE"},
        {"deviceId": "c2", "model": "Pool", "recentUsers": [{"type": "USER_TYPE_MANAGED", "email": ADMIN}]},
    ]
    firm.delegates["ana@firm.test"] = {"ben@firm.test": "accepted"}
    firm.forwarding["ana@firm.test"] = ["ana@home.test"]
    crew = firm.add_group("Crew", [ana], role="OWNER")
    firm.add_group("Office", [ana])
    held = {each.external_id: each for each in await connect().holdings(ana)}
    kinds = sorted((each.kind.value, each.name) for each in held.values())
    assert kinds == [
        ("device", "Chromebook"),
        ("device", "Pixel 9"),
        ("key", "2 backup codes for two-step verification"),
        ("key", "ana@laptop"),
        ("key", "app password Mail on my phone"),
        ("owned", "group crew@firm.test"),
        ("token", "App 1"),
        ("token", "App 2"),
        ("token", "mail goes to ana@home.test"),
        ("token", "mailbox opens to ben@firm.test"),
    ]
    assert crew in held
    assert "code-canary" not in str(held)


async def test_a_mailbox_that_is_switched_off_opens_to_nobody_and_hides_nothing_else(
    firm: Workspace, connect: Connect
):
    ana = firm.add_user("ana@firm.test")
    firm.add_credentials(ana)
    firm.delegates["ana@firm.test"] = {"ben@firm.test": "accepted"}
    firm.without_gmail.add(ana)
    assert {each.name for each in await connect().holdings(ana)} >= {"App 1", "App 2"}


async def test_of_a_suspended_user_gmail_is_not_asked_and_switched_off_parts_are_not_either(
    firm: Workspace, connect: Connect, wire: ValidatedHttp
):
    await connect().holdings(firm.add_user(suspended=True))
    await connect(gmail=False, mobile_devices=False, chrome_devices=False).holdings(firm.add_user())
    assert not [r for r in wire.requests if r.url.host == "gmail.googleapis.com"]
    assert len([r for r in wire.requests if "/devices/" in r.url.path]) == 2
