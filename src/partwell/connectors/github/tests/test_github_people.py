"""Finding people of an organisation, one by one and all together, and what they hold."""

from __future__ import annotations

from datetime import timedelta

import pytest

from partwell.connector_kit.contract import ConnectorError, ErrorKind, HoldingKind, Identity, Nature
from partwell.connectors.github.tests.model import Github
from partwell.connectors.github.tests.wording import NOW, REPORT, TOKEN, Connect
from tests.vendor_openapi import ValidatedHttp

KNOWN = {"logins_are_known": True}


async def everybody(connector) -> dict:
    return {a.external_id: a async for page in connector.list_accounts() for a in page}


async def refused(awaitable) -> ConnectorError:
    with pytest.raises(ConnectorError) as caught:
        await awaitable
    return caught.value


@pytest.mark.parametrize(
    ("identity", "reason"),
    [
        (Identity(emails=(), usernames=("ANA-silva",)), "login ANA-silva"),
        (Identity(emails=("Ana@firm.test",)), "address ana@firm.test"),
        (Identity(emails=("ana@saml.test",)), "address ana@saml.test"),
    ],
)
async def test_a_person_is_found_by_what_is_known_of_them(github: Github, connect: Connect, identity, reason):
    ana = github.add_member("ana-silva")
    github.add_member("bruno")
    github.add_licence("bruno", "bruno@firm.test")
    github.add_licence("ANA-Silva", "ana@firm.test", name_id="ana@saml.test")
    (account,) = await connect(**REPORT).discover(identity)
    assert (account.external_id, account.matched_by) == (str(ana), reason)


async def test_an_account_keeps_its_number_when_its_name_changes(github: Github, connect: Connect):
    ana = github.add_member("ana-silva")
    connector = connect()
    assert (await connector.read(str(ana))).login == "ana-silva"
    github.users[ana]["login"] = "ana-costa"
    assert (await connector.read(str(ana))).login == "ana-costa"
    assert await connector.discover(Identity(emails=(), usernames=("ana-silva",))) == []


async def test_where_github_does_not_say_whose_address_it_is_nothing_is_known(
    github: Github, connect: Connect
):
    github.add_member("ana-silva")
    error = await refused(connect().discover(Identity(emails=("ana@firm.test",))))
    assert error.kind is ErrorKind.UNSUPPORTED
    assert "is not known" in error.message
    nameless = Identity(emails=("ana@firm.test",))
    assert (await refused(connect(**KNOWN).discover(nameless))).kind is ErrorKind.UNSUPPORTED


async def test_where_names_are_known_nobody_by_that_name_is_no_account(github: Github, connect: Connect):
    identity = Identity(emails=("ana@firm.test",), usernames=("ana-silva",))
    assert await connect(**KNOWN).discover(identity) == []


async def test_a_licence_report_without_any_address_tells_nothing(github: Github, connect: Connect):
    ana = github.add_member("ana-silva")
    github.add_licence("ana-silva")
    connector = connect(**REPORT)
    assert (
        await refused(connector.discover(Identity(emails=("ana@firm.test",))))
    ).kind is ErrorKind.UNSUPPORTED
    (account,) = await connector.discover(Identity(emails=("ana@firm.test",), usernames=("ana-silva",)))
    assert account.external_id == str(ana)
    assert str(ana) in await everybody(connector)
    report = await connector.test()
    assert not report.ok and "licence report" in report.summary


@pytest.mark.parametrize("name", ["", "..", "a/b", "me?", "ü", "*", "ana silva", "x" * 101])
async def test_a_name_that_github_cannot_give_finds_nobody(
    github: Github, connect: Connect, wire: ValidatedHttp, name
):
    assert await connect(**KNOWN).discover(Identity(emails=(), usernames=(name,))) == []
    assert wire.requests == []


async def test_a_token_to_which_no_owner_shows_proves_nobodys_absence(github: Github, connect: Connect):
    github.members.clear()
    error = await refused(connect(**KNOWN).discover(Identity(emails=(), usernames=("ana-silva",))))
    assert error.kind is ErrorKind.DENIED
    ana = github.add_user("ana-silva")
    for asking in (connect().read(str(ana)), connect().read("999999999"), connect().suspend(str(ana))):
        assert (await refused(asking)).kind is ErrorKind.DENIED


async def test_a_wrong_organisation_is_refused_and_not_empty(github: Github, connect: Connect):
    connector = connect(organization="other", installation_id="42")
    assert (
        await refused(connector.discover(Identity(emails=(), usernames=("boss",))))
    ).kind is ErrorKind.DENIED
    with pytest.raises(ConnectorError) as caught:
        await everybody(connector)
    assert caught.value.kind is ErrorKind.DENIED


async def test_outside_collaborators_and_invited_people_are_found_for_what_they_are(
    github: Github, connect: Connect
):
    contractor, newcomer = github.add_user("contractor"), github.add_user("newcomer")
    github.add_repo("site", {contractor: "push"})
    github.invite(login="newcomer", role="admin")
    github.invite(email="Later@firm.test")
    connector = connect(**KNOWN)
    (account,) = await connector.discover(Identity(emails=(), usernames=("contractor",)))
    assert (account.nature, account.is_active) == (Nature.LINKED, True)
    assert [held.kind for held in account.entitlements] == ["outside collaborator"]
    (account,) = await connector.discover(Identity(emails=(), usernames=("newcomer",)))
    assert (account.external_id, account.is_active) == (str(newcomer), False)
    assert [held.name for held in account.entitlements] == ["Owner"]
    (account,) = await connector.discover(Identity(emails=("later@FIRM.test",)))
    assert (account.external_id, account.is_active) == ("email:later@firm.test", False)
    assert account.matched_by == "invitation to later@firm.test"


async def test_everybody_is_listed_once_with_the_addresses_that_are_known(github: Github, connect: Connect):
    github.page_size = 2
    members = [github.add_member(f"member-{n}") for n in range(5)]
    robot = github.add_member("deployer", type="Bot")
    contractor, newcomer = github.add_user("contractor"), github.add_user("newcomer")
    github.add_repo("site", {contractor: "push", members[0]: "admin"})
    github.invite(login="newcomer")
    github.invite(email="later@firm.test")
    github.add_licence("Member-1", "one@firm.test")
    listed = await everybody(connect(**REPORT, protected=["member-2"]))
    expected = {github.own, *members, robot, contractor, newcomer}
    assert set(listed) == {str(number) for number in expected} | {"email:later@firm.test"}
    assert listed[str(members[1])].emails == ("one@firm.test",)
    assert [listed[str(m)].is_protected for m in members[:3]] == [False, False, True]
    assert listed[str(robot)].nature is Nature.SERVICE
    assert listed[str(contractor)].nature is Nature.LINKED
    assert listed[str(newcomer)].is_active is False
    assert listed["email:later@firm.test"].emails == ("later@firm.test",)


async def test_what_a_person_holds_is_named_without_any_part_of_a_secret(github: Github, connect: Connect):
    ana, other = github.add_member("ana-silva"), github.add_member("other")
    github.add_tokens(ana)
    github.add_tokens(other)
    for credential in github.credentials.values():
        credential["token_last_eight"] = "canary12"
    github.add_team("Web", {ana: "maintainer", other: "member"})
    github.add_team("On call", {ana: "member"})
    admins = github.add_team("Admins", {})
    github.add_repo("mine", {ana: "admin", other: "push"})
    github.add_repo("shared", {ana: "admin", other: "admin"})
    github.add_repo("kept", {ana: "admin"}, teams=[admins])
    github.add_repo(
        "keys",
        keys=[
            {"id": 1, "title": "build server", "added_by": "Ana-Silva", "last_used": "2026-11-26T10:00:00Z"},
            {"id": 2, "title": "other's", "added_by": "other"},
        ],
    )
    held = await connect(saml=True, scan_repositories=True).holdings(str(ana))
    assert "canary" not in repr(held)
    assert sorted((each.kind, each.name) for each in held) == sorted(
        [
            (HoldingKind.TOKEN, "personal access token 'script'"),
            (HoldingKind.KEY, "SSH key 'laptop'"),
            (HoldingKind.TOKEN, "fine-grained token 'deploy'"),
            (HoldingKind.OWNED, "maintainer of the team Web"),
            (HoldingKind.KEY, "deploy key 'build server' of firm/keys"),
            (HoldingKind.OWNED, "firm/mine, of which nobody else but the owners is an administrator"),
        ]
    )
    used = {each.name: each.last_used_at for each in held}
    assert used["SSH key 'laptop'"] == NOW - timedelta(days=1)
    less = await connect(**TOKEN).holdings(str(ana))
    assert [each.name for each in less] == ["maintainer of the team Web"]
