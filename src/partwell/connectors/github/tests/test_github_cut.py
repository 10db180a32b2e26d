"""Removing people from an organisation, proving it, and inviting them again."""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest

from partwell.connector_kit.contract import ConnectorError, ErrorKind, Identity, Outcome, Verb, Verdict
from partwell.connectors.github.tests.model import Github
from partwell.connectors.github.tests.wording import NOW, REPORT, TOKEN, Connect, answer, refusal
from tests.vendor_openapi import ValidatedHttp

ALL = {"saml": True, "scan_repositories": True}


async def refused(awaitable) -> ConnectorError:
    with pytest.raises(ConnectorError) as caught:
        await awaitable
    return caught.value


# -- removing --------------------------------------------------------------------------------------------


async def test_removing_a_member_is_read_back_and_says_what_was_not_tried(github: Github, connect: Connect):
    ana = github.add_member("ana-silva")
    connector = connect()
    assert (await connector.suspend(str(ana))).outcome is Outcome.DONE
    proof = await connector.verify(str(ana), Verb.SUSPEND)
    assert proof.verdict is Verdict.CONFIRMED
    assert "neither a member nor an outside collaborator" in proof.read
    assert "no access was tried" in proof.read and "not looked at (settings)" in proof.read
    assert (proof.probe, proof.still_open) == ("", None)


async def test_an_outside_collaborator_loses_every_repository(
    github: Github, connect: Connect, wire: ValidatedHttp
):
    contractor = github.add_user("contractor")
    names = [github.add_repo(name, {contractor: "push"}) for name in ("site", "docs")]
    connector = connect()
    assert (await connector.verify(str(contractor), Verb.SUSPEND)).verdict is Verdict.FAILED
    await connector.suspend(str(contractor))
    assert wire.writes()[-1] == "DELETE /orgs/firm/outside_collaborators/contractor"
    assert all(not github.repos[name]["collaborators"] for name in names)
    assert (await connector.verify(str(contractor), Verb.SUSPEND)).verdict is Verdict.CONFIRMED


async def test_an_open_invitation_is_cancelled_for_an_account_and_for_an_address(
    github: Github, connect: Connect
):
    newcomer = github.add_user("newcomer")
    github.invite(login="newcomer")
    github.invite(email="later@firm.test")
    connector = connect()
    for external_id in (str(newcomer), "email:later@firm.test"):
        proof = await connector.verify(external_id, Verb.SUSPEND)
        assert (proof.verdict, proof.retry_until) == (Verdict.PENDING, NOW + timedelta(days=7))
        assert (await connector.suspend(external_id)).outcome is Outcome.DONE
        assert (await connector.verify(external_id, Verb.SUSPEND)).verdict is Verdict.CONFIRMED
        assert (await connector.suspend(external_id)).outcome is Outcome.ALREADY_DONE
    assert github.invitations == {}


@pytest.mark.parametrize(
    ("knows", "accepted", "verdict"),
    [(False, True, Verdict.UNVERIFIABLE), (True, True, Verdict.FAILED), (True, False, Verdict.CONFIRMED)],
)
async def test_an_invitation_that_somebody_took_up_meanwhile_is_not_taken_for_cancelled(
    github: Github, connect: Connect, knows, accepted, verdict
):
    if accepted:
        github.add_member("newcomer")
    github.add_licence("newcomer", "later@firm.test")
    connector = connect(**(REPORT if knows else {}))
    proof = await connector.verify("email:later@firm.test", Verb.SUSPEND)
    assert proof.verdict is verdict


async def test_a_membership_through_the_enterprise_is_named_and_never_confirmed(
    github: Github, connect: Connect, wire: ValidatedHttp
):
    ana = github.add_member("ana-silva")
    github.indirect[ana] = ["all-staff"]
    connector = connect()
    assert (await connector.suspend(str(ana))).outcome is Outcome.DONE
    proof = await connector.verify(str(ana), Verb.SUSPEND)
    assert proof.verdict is Verdict.FAILED
    assert "all-staff" in proof.read
    error = await refused(connector.suspend(str(ana)))
    assert error.kind is ErrorKind.CONFLICT
    assert "all-staff" in error.message


async def test_an_invitation_to_one_repository_keeps_the_proof_from_green(github: Github, connect: Connect):
    ana = github.add_member("ana-silva")
    github.add_repo("site", invitations={7: {"invitee": ana, "permissions": "write"}})
    connector = connect(scan_repositories=True)
    await connector.suspend(str(ana))
    proof = await connector.verify(str(ana), Verb.SUSPEND)
    assert proof.verdict is Verdict.PENDING
    assert "firm/site (invited, write)" in proof.read


async def test_a_service_that_says_yes_and_changes_nothing_is_caught(
    github: Github, connect: Connect, wire: ValidatedHttp
):
    ana = github.add_member("ana-silva")
    github.add_tokens(ana)
    github.add_team("Web", {ana: "member"})
    wire.faults.append(
        lambda request: (
            httpx.Response(204)
            if request.method != "GET" and "access_tokens" not in request.url.path
            else None
        )
    )
    connector = connect(saml=True)
    for verb in (Verb.SUSPEND, Verb.REVOKE_TOKENS, Verb.REMOVE_ENTITLEMENTS):
        assert (await getattr(connector, verb)(str(ana))).outcome is Outcome.DONE
        assert (await connector.verify(str(ana), verb)).verdict is Verdict.FAILED


# -- tokens ----------------------------------------------------------------------------------------------


async def test_only_the_persons_own_tokens_are_revoked(github: Github, connect: Connect):
    ana, other = github.add_member("ana-silva"), github.add_member("other")
    github.add_tokens(ana)
    github.add_tokens(other)
    receipt = await connect(saml=True).revoke_tokens(str(ana))
    assert receipt.summary == "Asked to revoke 2 single sign-on authorisations, 1 fine-grained token."
    assert {each["login"] for each in github.credentials.values()} == {"other"}
    assert [each["owner"] for each in github.fine_grained.values()] == [other]


async def test_tokens_that_a_connection_cannot_see_are_not_said_to_be_gone(github: Github, connect: Connect):
    ana = github.add_member("ana-silva")
    github.add_tokens(ana)
    connector = connect(**TOKEN)
    assert (await refused(connector.revoke_tokens(str(ana)))).kind is ErrorKind.UNSUPPORTED
    assert (await connector.verify(str(ana), Verb.REVOKE_TOKENS)).verdict is Verdict.UNVERIFIABLE
    sees_less = connect(**TOKEN, saml=True)
    await sees_less.revoke_tokens(str(ana))
    assert "fine-grained tokens" in (await sees_less.verify(str(ana), Verb.REVOKE_TOKENS)).read


# -- teams, roles, repositories --------------------------------------------------------------------------


async def test_teams_go_from_the_innermost_and_come_back_without_a_second_membership(
    github: Github, connect: Connect, wire: ValidatedHttp
):
    ana = github.add_member("ana-silva")
    outer = github.add_team("Engineering", {})
    middle = github.add_team("Web", {}, parent=outer)
    inner = github.add_team("Forms", {ana: "maintainer"}, parent=middle)
    connector = connect()
    account = await connector.read(str(ana))
    assert [held.name for held in account.entitlements] == ["Forms", "Web", "Engineering"]
    snapshot = await connector.snapshot(str(ana))
    await connector.remove_entitlements(str(ana))
    assert wire.writes()[1:] == ["DELETE /orgs/firm/teams/forms/memberships/ana-silva"]
    assert (await connector.verify(str(ana), Verb.REMOVE_ENTITLEMENTS)).verdict is Verdict.CONFIRMED
    await connector.restore(str(ana), Verb.REMOVE_ENTITLEMENTS, snapshot)
    assert [github.team_members[team] for team in (outer, middle, inner)] == [{}, {}, {ana: "maintainer"}]


async def test_a_team_of_the_identity_provider_refuses_and_does_not_stop_the_others(
    github: Github, connect: Connect
):
    ana = github.add_member("ana-silva")
    synchronised = github.add_team("Synchronised", {ana: "member"})
    own = github.add_team("Own", {ana: "member"})
    github.synchronised.add(synchronised)
    connector = connect()
    error = await refused(connector.remove_entitlements(str(ana)))
    assert error.kind is ErrorKind.DENIED
    assert "1 of 2" in error.message and "Synchronised" in error.message
    assert github.team_members[own] == {}
    proof = await connector.verify(str(ana), Verb.REMOVE_ENTITLEMENTS)
    assert proof.verdict is Verdict.FAILED
    assert "Synchronised" in proof.read


async def test_what_the_enterprise_or_a_team_gives_is_named_with_the_reason(github: Github, connect: Connect):
    ana = github.add_member("ana-silva")
    github.add_team("All staff", {ana: "member"}, type="enterprise")
    github.add_role("Auditor", {ana: "indirect"})
    connector = connect()
    error = await refused(connector.remove_entitlements(str(ana)))
    assert error.kind is ErrorKind.CONFLICT
    assert "All staff (the enterprise manages this team)" in error.message
    assert "Auditor (it comes through a team" in error.message
    assert (await connector.verify(str(ana), Verb.REMOVE_ENTITLEMENTS)).verdict is Verdict.FAILED


async def test_an_owner_becomes_a_member_and_an_owner_again(github: Github, connect: Connect):
    ana = github.add_member("ana-silva", "admin")
    connector = connect()
    snapshot = await connector.snapshot(str(ana))
    await connector.remove_entitlements(str(ana))
    assert github.members[ana] == "member"
    assert (await connector.restore(str(ana), Verb.REMOVE_ENTITLEMENTS, snapshot)).outcome is Outcome.DONE
    assert github.members[ana] == "admin"


async def test_direct_access_and_invitations_to_repositories_are_taken_away(github: Github, connect: Connect):
    contractor = github.add_user("contractor")
    site = github.add_repo("site", {contractor: "maintain"})
    docs = github.add_repo("docs", invitations={7: {"invitee": contractor, "permissions": "read"}})
    connector = connect(scan_repositories=True)
    account = await connector.read(str(contractor))
    assert {(held.kind, held.name) for held in account.entitlements} == {
        ("repository", "firm/site (maintain)"),
        ("repository invitation", "firm/docs (invited, read)"),
    }
    await connector.remove_entitlements(str(contractor))
    assert github.repos[site]["collaborators"] == github.repos[docs]["invitations"] == {}


# -- inviting again --------------------------------------------------------------------------------------


async def test_who_was_removed_is_pending_until_they_accept_and_then_has_everything(
    github: Github, connect: Connect
):
    github.eager = False
    ana = github.add_member("ana-silva")
    web = github.add_team("Web", {ana: "maintainer"})
    connector = connect()
    snapshot = await connector.snapshot(str(ana))
    await connector.suspend(str(ana))
    receipt = await connector.restore(str(ana), Verb.SUSPEND, snapshot)
    assert receipt.outcome is Outcome.ACCEPTED
    proof = await connector.verify(str(ana), Verb.SUSPEND)
    assert (proof.verdict, proof.retry_until) == (Verdict.PENDING, NOW + timedelta(days=7))
    assert (await connector.restore(str(ana), Verb.SUSPEND, snapshot)).outcome is Outcome.ACCEPTED
    (invitation,) = github.invitations
    assert github.invitations[invitation]["role"] == "reinstate"
    github.accept(invitation)
    assert (await connector.verify(str(ana), Verb.SUSPEND)).verdict is Verdict.FAILED
    assert github.team_members[web] == {ana: "maintainer"}


async def test_after_three_months_role_and_teams_come_from_the_snapshot(github: Github, connect: Connect):
    github.eager = False
    ana = github.add_member("ana-silva", "admin")
    web, lost = github.add_team("Web", {ana: "member"}), github.add_team("Lost", {ana: "member"})
    connector = connect()
    snapshot = await connector.snapshot(str(ana))
    await connector.suspend(str(ana))
    github.former.clear()
    del github.teams[lost]
    await connector.restore(str(ana), Verb.SUSPEND, snapshot)
    (invitation,) = github.invitations.values()
    assert (invitation["role"], invitation["teams"]) == ("admin", [web])


async def test_an_invited_address_is_invited_again_with_its_teams(github: Github, connect: Connect):
    web = github.add_team("Web", {})
    github.invite(email="later@firm.test", teams=[web])
    connector = connect()
    snapshot = await connector.snapshot("email:later@firm.test")
    await connector.suspend("email:later@firm.test")
    await connector.restore("email:later@firm.test", Verb.SUSPEND, snapshot)
    (invitation,) = github.invitations.values()
    assert (invitation["email"], invitation["teams"]) == ("later@firm.test", [web])
    assert (await connector.verify("email:later@firm.test", Verb.SUSPEND)).verdict is Verdict.PENDING


async def test_teams_are_not_given_to_somebody_who_is_not_in_the_organisation(
    github: Github, connect: Connect, wire: ValidatedHttp
):
    ana = github.add_member("ana-silva")
    github.add_team("Web", {ana: "member"})
    connector = connect()
    snapshot = await connector.snapshot(str(ana))
    await connector.suspend(str(ana))
    error = await refused(connector.restore(str(ana), Verb.REMOVE_ENTITLEMENTS, snapshot))
    assert error.kind is ErrorKind.CONFLICT
    assert not any(write.startswith("PUT") for write in wire.writes())


async def test_an_outside_collaborator_comes_back_to_the_repositories_that_were_looked_at(
    github: Github, connect: Connect
):
    contractor = github.add_user("contractor")
    site = github.add_repo("site", {contractor: "push"})
    blind, seeing = connect(), connect(scan_repositories=True)
    without, snapshot = await blind.snapshot(str(contractor)), await seeing.snapshot(str(contractor))
    await seeing.suspend(str(contractor))
    error = await refused(blind.restore(str(contractor), Verb.SUSPEND, without))
    assert error.kind is ErrorKind.UNSUPPORTED
    github.eager = False
    assert (await seeing.restore(str(contractor), Verb.SUSPEND, snapshot)).outcome is Outcome.ACCEPTED
    assert (await seeing.verify(str(contractor), Verb.SUSPEND)).verdict is Verdict.PENDING
    (invitation,) = github.repos[site]["invitations"].values()
    assert (invitation["invitee"], invitation["permissions"]) == (contractor, "write")


async def test_a_refused_invitation_is_an_error_and_not_half_done(
    github: Github, connect: Connect, wire: ValidatedHttp
):
    ana = github.add_member("ana-silva")
    connector = connect()
    snapshot = await connector.snapshot(str(ana))
    await connector.suspend(str(ana))
    said = {"message": "You have exceeded the invitation limit", "documentation_url": "x"}
    wire.faults.append(
        lambda request: (
            answer(422, said)
            if request.method == "POST" and request.url.path.endswith("invitations")
            else None
        )
    )
    error = await refused(connector.restore(str(ana), Verb.SUSPEND, snapshot))
    assert error.kind is ErrorKind.INVALID
    assert "exceeded" in error.message


# -- protecting ------------------------------------------------------------------------------------------


async def is_untouched(connector, number: int, wire: ValidatedHttp) -> bool:
    account = await connector.read(str(number))
    for verb in (Verb.SUSPEND, Verb.REVOKE_TOKENS, Verb.REMOVE_ENTITLEMENTS):
        error = await refused(getattr(connector, verb)(str(number)))
        assert error.kind is ErrorKind.CONFLICT
        assert "protected" in error.message
    written = [write for write in wire.writes() if "access_tokens" not in write]
    return account.is_protected and written == []


async def test_listed_people_and_the_owner_of_the_token_are_never_touched(
    github: Github, connect: Connect, wire: ValidatedHttp
):
    ana = github.own = github.add_member("ana-silva")
    github.add_tokens(ana)
    github.add_team("Web", {ana: "member"})
    assert await is_untouched(connect(saml=True, protected=["ANA-silva"]), ana, wire)
    assert await is_untouched(connect(saml=True, protected=[str(ana)]), ana, wire)
    assert await is_untouched(connect(**TOKEN, saml=True), ana, wire)
    assert not (await connect().read(str(ana))).is_protected


async def test_the_last_owner_is_never_touched(github: Github, connect: Connect, wire: ValidatedHttp):
    github.add_tokens(github.own)
    other = github.add_member("other", "admin")
    assert not (await connect().read(str(github.own))).is_protected
    github.members[other] = "member"
    assert await is_untouched(connect(), github.own, wire)


async def test_the_last_member_of_a_watched_team_is_never_touched(
    github: Github, connect: Connect, wire: ValidatedHttp
):
    ana, other = github.add_member("ana-silva"), github.add_member("other")
    github.add_tokens(ana)
    team = github.add_team("Break glass", {ana: "member", other: "member"})
    assert not (await connect(admin_groups=["break-glass"]).read(str(ana))).is_protected
    del github.team_members[team][other]
    for named in ("break-glass", "Break Glass"):
        assert await is_untouched(connect(admin_groups=[named]), ana, wire)


async def test_somebody_whom_another_removes_at_the_same_moment_is_already_done(
    github: Github, connect: Connect, wire: ValidatedHttp
):
    ana = github.add_member("ana-silva")
    wire.faults.append(lambda request: refusal(404, "Not Found") if request.method == "DELETE" else None)
    assert (await connect().suspend(str(ana))).outcome is Outcome.ALREADY_DONE
    assert (await connect().verify(str(ana), Verb.SUSPEND)).verdict is Verdict.FAILED


async def test_a_person_with_two_ties_is_two_accounts_for_a_person_to_decide(
    github: Github, connect: Connect
):
    ana = github.add_member("ana-silva")
    github.invite(email="ana@firm.test")
    github.add_licence("ana-silva", "ana@firm.test")
    found = await connect(**REPORT).discover(Identity(emails=("ana@firm.test",)))
    assert {account.external_id for account in found} == {str(ana), "email:ana@firm.test"}
