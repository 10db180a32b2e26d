"""Managed users of an enterprise: suspended and restored through SCIM."""

from __future__ import annotations

import json

import httpx
import pytest

from partwell.connector_kit.contract import ConnectorError, ErrorKind, Identity, Outcome, Verb, Verdict
from partwell.connectors.github.tests.model import Github
from partwell.connectors.github.tests.wording import MANAGED, Connect
from tests.vendor_openapi import ValidatedHttp

MISSING = "00000000-0000"


async def refused(awaitable) -> ConnectorError:
    with pytest.raises(ConnectorError) as caught:
        await awaitable
    return caught.value


@pytest.mark.parametrize(
    ("identity", "reason"),
    [
        (Identity(emails=("Ana@firm.test",)), "address ana@firm.test"),
        (Identity(emails=(), usernames=("ANA",)), "user name ana"),
        (Identity(emails=(), employee_number="EXT-ana"), "externalId ext-ana"),
    ],
)
async def test_a_managed_user_is_found_among_all_pages(github: Github, connect: Connect, identity, reason):
    github.page_size = 2
    for name in ("b", "c", "d", "e", "f"):
        github.add_managed(name)
    ana = github.add_managed("ana", groups=[{"value": "g1", "display": "Engineers"}])
    connector = connect(**MANAGED)
    (account,) = await connector.discover(identity)
    assert (account.external_id, account.matched_by) == (ana, reason)
    assert [held.name for held in account.entitlements] == ["Engineers"]
    listed = [each async for page in connector.list_accounts() for each in page]
    assert len(listed) == len({each.external_id for each in listed}) == 6
    assert await connector.discover(Identity(emails=("nobody@firm.test",))) == []
    assert await connector.discover(Identity(emails=())) == []


async def test_a_managed_user_is_suspended_proven_and_restored(
    github: Github, connect: Connect, wire: ValidatedHttp
):
    github.add_managed("other")
    ana = github.add_managed("ana")
    connector = connect(**MANAGED)
    snapshot = await connector.snapshot(ana)
    assert json.loads(json.dumps(dict(snapshot.state))) == dict(snapshot.state)
    assert (await connector.verify(ana, Verb.SUSPEND)).verdict is Verdict.FAILED
    assert (await connector.suspend(ana)).outcome is Outcome.DONE
    assert github.managed[ana]["active"] is False
    proof = await connector.verify(ana, Verb.SUSPEND)
    assert proof.verdict is Verdict.CONFIRMED
    assert "identity provider" in proof.read
    assert (await connector.suspend(ana)).outcome is Outcome.ALREADY_DONE
    assert (await connector.restore(ana, Verb.SUSPEND, snapshot)).outcome is Outcome.DONE
    assert (await connector.restore(ana, Verb.SUSPEND, snapshot)).outcome is Outcome.ALREADY_DONE
    assert (await connector.verify(ana, Verb.SUSPEND)).verdict is Verdict.FAILED
    (down, up) = [request for request in wire.requests if request.method == "PATCH"]
    assert [json.loads(r.content)["Operations"][0]["value"] for r in (down, up)] == [False, True]


async def test_a_dry_run_changes_no_managed_user(github: Github, connect: Connect):
    ana = github.add_managed("ana")
    connector = connect(**MANAGED, read_only=True)
    snapshot = await connector.snapshot(ana)
    for write in (connector.suspend(ana), connector.restore(ana, Verb.SUSPEND, snapshot)):
        assert (await refused(write)).kind is ErrorKind.UNSUPPORTED
    assert github.managed[ana]["active"] is True


async def test_a_managed_user_who_is_gone_is_already_done_and_confirmed(github: Github, connect: Connect):
    github.add_managed("other")
    connector = connect(**MANAGED)
    assert await connector.read(MISSING) is None
    assert await connector.holdings(MISSING) == []
    for verb in (Verb.SUSPEND, Verb.REVOKE_TOKENS, Verb.REMOVE_ENTITLEMENTS):
        assert (await getattr(connector, verb)(MISSING)).outcome is Outcome.ALREADY_DONE
        assert (await connector.verify(MISSING, verb)).verdict is Verdict.CONFIRMED
    assert (await refused(connector.snapshot(MISSING))).kind is ErrorKind.NOT_FOUND


async def test_a_wrong_enterprise_knows_nobody_and_proves_nothing(github: Github, connect: Connect):
    ana = github.add_managed("ana")
    connector = connect(**{**MANAGED, "enterprise": "other-firm"})
    for asking in (connector.read(ana), connector.discover(Identity(emails=("ana@firm.test",)))):
        assert (await refused(asking)).kind is ErrorKind.DENIED
    github.managed.clear()
    assert (await refused(connect(**MANAGED).read(ana))).kind is ErrorKind.DENIED


async def test_groups_and_tokens_of_managed_users_are_said_to_be_elsewhere(github: Github, connect: Connect):
    ana = github.add_managed("ana", groups=[{"value": "g1", "display": "Engineers"}])
    connector = connect(**MANAGED)
    for act in (connector.revoke_tokens, connector.remove_entitlements, connector.holdings):
        assert (await refused(act(ana))).kind is ErrorKind.UNSUPPORTED
    proof = await connector.verify(ana, Verb.REMOVE_ENTITLEMENTS)
    assert (proof.verdict, "Engineers" in proof.read) == (Verdict.FAILED, True)
    await connector.suspend(ana)
    # GitHub hides the groups of a suspended user: an empty list is no proof that they are gone.
    assert (await connector.verify(ana, Verb.REMOVE_ENTITLEMENTS)).verdict is Verdict.UNVERIFIABLE
    assert (await connector.verify(ana, Verb.REVOKE_TOKENS)).verdict is Verdict.UNVERIFIABLE


async def test_fewer_users_than_github_counts_is_an_error(
    github: Github, connect: Connect, wire: ValidatedHttp
):
    user = github.managed[github.add_managed("ana")]
    short = {"totalResults": 5, "Resources": [user], "schemas": [], "startIndex": 1, "itemsPerPage": 1}
    wire.faults.append(lambda request: httpx.Response(200, json=short))
    error = await refused(connect(**MANAGED).discover(Identity(emails=("nobody@firm.test",))))
    assert error.kind is ErrorKind.RETRYABLE


async def test_protected_managed_users_are_never_touched(
    github: Github, connect: Connect, wire: ValidatedHttp
):
    ana = github.add_managed("ana", groups=[{"value": "g1", "display": "Break glass"}])
    owner = github.add_managed("owner", roles=[{"value": "enterprise_owner"}])
    for number, settings in (
        (ana, {"protected": ["ANA"]}),
        (ana, {"admin_groups": ["break glass"]}),
        (owner, {}),
    ):
        connector = connect(**MANAGED, **settings)
        assert (await connector.read(number)).is_protected
        assert (await refused(connector.suspend(number))).kind is ErrorKind.CONFLICT
    assert wire.writes() == []
    github.add_managed("second", roles=[{"value": "981df190-8801-4618-a08a-d91f6206c954"}])
    assert not (await connect(**MANAGED).read(owner)).is_protected
