"""The AWS connector against moto, which enforces policies; with the rights that the how-to gives.

What the emulator does not do as AWS does is measured here too, so that nobody takes it for proof.
"""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from partwell.connector_kit.contract import (
    ConnectorError,
    ErrorKind,
    HoldingKind,
    Identity,
    Nature,
    Outcome,
    Verb,
    Verdict,
)
from partwell.connector_kit.testing import ConnectorContract, World
from partwell.connector_kit.transport import Transport
from partwell.connectors.aws.policies import DENY_ALL, END_SESSIONS
from partwell.connectors.aws.tests.world import ALLOWS_LISTING, LOOPBACK, Person, connect, refused
from tests.servers.aws import AwsServer, Keys

pytestmark = pytest.mark.server("moto")


@pytest.fixture
def person(aws_server: AwsServer) -> Person:
    return Person(aws_server)


class TestContract(ConnectorContract):
    @pytest.fixture
    def world(self, aws_server: AwsServer, person: Person) -> World:
        return World(
            make=lambda: connect(aws_server),
            make_read_only=lambda: connect(aws_server, transport=Transport(LOOPBACK, read_only=True)),
            identity=person.identity,
            unknown=Identity(emails=("nobody@firm.test",), usernames=("nobody",), employee_number="E-0"),
            missing_id="AIDANOBODYNOBODYNOBO",
        )


# -- finding ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["tag", "user name", "address as name", "employee number"])
async def test_a_person_is_found_by_what_is_known_of_them(aws_server, person, by):
    if by == "address as name":
        aws_server.iam().create_user(UserName=f"Other.{person.mail}")
    identity, login = {
        "tag": (Identity(emails=(person.mail.upper(),)), person.name),
        "user name": (Identity(emails=(), usernames=(person.name.upper(),)), person.name),
        "address as name": (Identity(emails=(f"other.{person.mail}",)), f"Other.{person.mail}"),
        "employee number": (Identity(emails=(), employee_number=person.number), person.name),
    }[by]
    (account,) = await connect(aws_server).discover(identity)
    assert account.login == login
    assert account.matched_by


async def test_a_second_user_of_the_same_person_is_returned_for_a_person_to_decide(aws_server, person):
    tags = [{"Key": "email", "Value": person.mail}]
    second = aws_server.iam().create_user(UserName=f"{person.name}-admin", Tags=tags)["User"]["UserId"]
    found = await connect(aws_server).discover(person.identity)
    assert {account.external_id for account in found} == {person.id, second}


async def test_other_tags_may_hold_address_and_number(aws_server, person):
    tags = [{"Key": "Mail", "Value": f"m-{person.mail}"}, {"Key": "Nr", "Value": "77"}]
    aws_server.iam().create_user(UserName=f"{person.name}-x", Tags=tags)
    connector = connect(aws_server, email_tag="Mail", employee_number_tag="Nr")
    (account,) = await connector.discover(Identity(emails=(f"m-{person.mail}",)))
    assert (account.emails, account.employee_number) == ((f"m-{person.mail}",), "77")


@pytest.mark.parametrize("text", ["*", "' OR 1=1", "a&Action=DeleteUser", "ü", "../x", "\n"])
async def test_a_hostile_name_finds_nobody(aws_server, person, text):
    assert await connect(aws_server).discover(Identity(emails=(text,), usernames=(text,))) == []


async def test_a_name_that_went_to_somebody_else_is_not_the_same_user(aws_server, person):
    connector = connect(aws_server)
    await person.account(connector)
    await connect(aws_server).delete(person.id)
    iam = aws_server.iam()
    iam.create_user(UserName=person.name)
    aws_server.allow_everything(person.name)
    assert await connector.read(person.id) is None
    assert (await connector.block_sign_in(person.id)).outcome is Outcome.ALREADY_DONE
    assert iam.list_user_policies(UserName=person.name)["PolicyNames"] == ["everything"]


async def test_renaming_a_user_does_not_hide_it(aws_server, person):
    connector = connect(aws_server)
    await person.account(connector)
    aws_server.iam().update_user(UserName=person.name, NewUserName=f"{person.name}-new")
    await connector.block_sign_in(person.id)
    assert (await connector.read(person.id)).login == f"{person.name}-new"
    assert not aws_server.may(person.keys)


async def test_users_of_machines_are_told_apart_by_name_or_path(aws_server, person):
    aws_server.iam().create_user(UserName=f"{person.name}-ci", Path="/service/ci/")
    connector = connect(aws_server, service_accounts=["/Service/", person.name.upper()])
    listed = {each.login: each.nature async for page in connector.list_accounts() for each in page}
    assert listed[f"{person.name}-ci"] is Nature.SERVICE
    assert listed[person.name] is Nature.SERVICE
    assert listed["administrator"] is Nature.PERSON


async def test_what_somebody_holds_is_listed_with_the_roles_that_name_them(aws_server, person):
    iam = aws_server.iam()
    device = iam.create_virtual_mfa_device(VirtualMFADeviceName=person.name)["VirtualMFADevice"][
        "SerialNumber"
    ]
    iam.enable_mfa_device(
        UserName=person.name, SerialNumber=device, AuthenticationCode1="123456", AuthenticationCode2="234567"
    )
    trust = {"Effect": "Allow", "Principal": {"AWS": [person.arn]}, "Action": "sts:AssumeRole"}
    iam.create_role(
        RoleName=f"{person.name}-role",
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
    )
    trust["Principal"] = {"Service": "ec2.amazonaws.com"}
    iam.create_role(
        RoleName=f"{person.name}-machines",
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": trust}),
    )
    held = await connect(aws_server).holdings(person.id)
    assert {(each.kind, each.external_id) for each in held} == {
        (HoldingKind.KEY, person.keys.id),
        (HoldingKind.DEVICE, device),
        (HoldingKind.OWNED, f"arn:aws:iam::123456789012:role/{person.name}-role"),
    }


# -- cutting ----------------------------------------------------------------------------------------------


async def test_a_denial_keeps_an_active_key_out(aws_server, person):
    """The key works before, is active still, and is refused: it is the denial that keeps it out."""
    assert aws_server.may(person.keys)
    connector = connect(aws_server)
    await connector.block_sign_in(person.id)
    assert person.status(person.keys) == "Active"
    assert not aws_server.may(person.keys)
    proof = await connector.verify(person.id, Verb.BLOCK_SIGN_IN)
    assert proof.verdict is Verdict.CONFIRMED
    assert (await connector.read(person.id)).is_active is False


async def test_a_denial_does_not_hide_whose_a_key_is(aws_server, person):
    """No policy forbids GetCallerIdentity, so being answered it is no sign of being let in."""
    await connect(aws_server).block_sign_in(person.id)
    assert aws_server.is_known(person.keys)


async def test_the_emulator_takes_an_inactive_key_so_switching_off_is_proven_by_reading_alone(
    aws_server, person
):
    connector = connect(aws_server)
    await connector.revoke_tokens(person.id)
    assert person.status(person.keys) == "Inactive"
    assert aws_server.may(person.keys), "the emulator has learned it: probe it in the other tests then"
    proof = await connector.verify(person.id, Verb.REVOKE_TOKENS)
    assert (proof.verdict, proof.probe) == (Verdict.CONFIRMED, "")
    assert "none was tried" in proof.read


async def test_the_emulator_refuses_a_key_for_the_time_of_its_session_which_proves_nothing(
    aws_server, person
):
    """A key has no session, and AWS lets it in: the condition is about sessions alone."""
    connector = connect(aws_server)
    await connector.revoke_sessions(person.id)
    assert not aws_server.may(person.keys)
    proof = await connector.verify(person.id, Verb.REVOKE_SESSIONS)
    assert proof.verdict is Verdict.CONFIRMED
    assert "Sessions of roles" in proof.read
    assert "AssumeRole" not in proof.probe


async def test_a_simulator_that_answers_a_page_leaves_the_reading_to_stand_alone(aws_server, person):
    connector = connect(aws_server)
    await connector.block_sign_in(person.id)
    proof = await connector.verify(person.id, Verb.BLOCK_SIGN_IN)
    assert (proof.verdict, proof.probe) == (Verdict.CONFIRMED, "")
    assert "The reading stands alone: AWS's simulator could not be asked" in proof.read


async def test_a_suspension_takes_the_password_and_switches_everything_off(aws_server, person):
    iam = aws_server.iam()
    iam.upload_ssh_public_key(UserName=person.name, SSHPublicKeyBody="ssh-rsa AAAAB3NzaC1yc2E= nobody")
    connector = connect(aws_server)
    receipt = await connector.suspend(person.id)
    assert receipt.outcome is Outcome.DONE
    with pytest.raises(ClientError, match="NoSuchEntity"):
        iam.get_login_profile(UserName=person.name)
    assert person.status(person.keys) == "Inactive"
    (ssh_key,) = iam.list_ssh_public_keys(UserName=person.name)["SSHPublicKeys"]
    assert ssh_key["Status"] == "Inactive"
    proof = await connector.verify(person.id, Verb.SUSPEND)
    assert proof.verdict is Verdict.CONFIRMED
    assert "36 hours" in proof.read
    assert "Service-specific credentials were not looked at" in proof.read


async def test_a_restored_password_is_one_that_nobody_knows_and_the_receipt_says_who_sets_another(
    aws_server, person
):
    connector = connect(aws_server)
    snapshot = await connector.snapshot(person.id)
    await connector.suspend(person.id)
    receipt = await connector.restore(person.id, Verb.SUSPEND, snapshot)
    assert "An administrator sets a new console password" in receipt.summary
    assert aws_server.iam().get_login_profile(UserName=person.name)["LoginProfile"]
    assert (await connector.read(person.id)).is_active is True


async def test_what_was_off_before_the_cut_stays_off(aws_server, person):
    iam = aws_server.iam()
    iam.delete_login_profile(UserName=person.name)
    second = aws_server.add_key(person.name)
    iam.update_access_key(UserName=person.name, AccessKeyId=second.id, Status="Inactive")
    connector = connect(aws_server)
    await connector.block_sign_in(person.id)
    snapshot = await connector.snapshot(person.id)
    await connector.suspend(person.id)
    for verb in (Verb.SUSPEND, Verb.BLOCK_SIGN_IN):
        await connector.restore(person.id, verb, snapshot)
    assert person.status(person.keys) == "Active"
    assert person.status(second) == "Inactive"
    with pytest.raises(ClientError, match="NoSuchEntity"):
        iam.get_login_profile(UserName=person.name)
    assert not aws_server.may(person.keys)


async def test_groups_and_policies_go_and_come_back_with_their_content_and_our_denials_stay(
    aws_server, person
):
    iam = aws_server.iam()
    connector = connect(aws_server)
    await connector.block_sign_in(person.id)
    await connector.revoke_sessions(person.id)
    snapshot = await connector.snapshot(person.id)
    await connector.remove_entitlements(person.id)
    assert set(iam.list_user_policies(UserName=person.name)["PolicyNames"]) == {DENY_ALL, END_SESSIONS}
    assert iam.list_groups_for_user(UserName=person.name)["Groups"] == []
    assert iam.list_attached_user_policies(UserName=person.name)["AttachedPolicies"] == []
    await connector.restore(person.id, Verb.REMOVE_ENTITLEMENTS, snapshot)
    inline = iam.get_user_policy(UserName=person.name, PolicyName=person.inline)["PolicyDocument"]
    assert inline == json.loads(ALLOWS_LISTING)
    assert [g["GroupName"] for g in iam.list_groups_for_user(UserName=person.name)["Groups"]] == [
        person.group
    ]


async def test_a_group_that_is_gone_is_named_and_the_rest_comes_back(aws_server, person):
    iam = aws_server.iam()
    connector = connect(aws_server)
    snapshot = await connector.snapshot(person.id)
    await connector.remove_entitlements(person.id)
    iam.delete_group(GroupName=person.group)
    with refused(ErrorKind.NOT_FOUND) as refusal:
        await connector.restore(person.id, Verb.REMOVE_ENTITLEMENTS, snapshot)
    assert f"group {person.group}" in refusal.value.message
    assert iam.list_user_policies(UserName=person.name)["PolicyNames"] == [person.inline]


async def test_a_deleted_user_is_gone_with_everything_and_a_second_attempt_says_so(aws_server, person):
    iam = aws_server.iam()
    connector = connect(aws_server)
    await connector.block_sign_in(person.id)
    assert (await connector.verify(person.id, Verb.DELETE)).verdict is Verdict.FAILED
    assert (await connector.delete(person.id)).outcome is Outcome.DONE
    with pytest.raises(ClientError, match="NoSuchEntity"):
        iam.get_user(UserName=person.name)
    assert not aws_server.is_known(person.keys)
    assert (await connector.verify(person.id, Verb.DELETE)).verdict is Verdict.CONFIRMED
    assert (await connector.delete(person.id)).outcome is Outcome.ALREADY_DONE


# -- protected --------------------------------------------------------------------------------------------


async def test_partwells_own_user_and_listed_users_are_never_touched(aws_server, person):
    connector = connect(aws_server, protected=[person.name.upper()])
    (own,) = await connector.discover(Identity(emails=(), usernames=("partwell",)))
    for account in (own, await person.account(connector)):
        assert account.is_protected
        for act in (connector.block_sign_in, connector.suspend, connector.delete, connector.revoke_tokens):
            with refused(ErrorKind.CONFLICT):
                await act(account.external_id)
    assert aws_server.may(person.keys)


@pytest.mark.parametrize("by", ["group", "policy", "policy of a group"])
async def test_the_last_active_administrator_is_never_touched(aws_server, person, by):
    iam = aws_server.iam()
    other = Person(aws_server)
    if by == "policy of a group":
        iam.attach_group_policy(GroupName=other.group, PolicyArn=person.policy)
    elif by == "policy":
        iam.attach_user_policy(UserName=other.name, PolicyArn=person.policy)
    else:
        iam.add_user_to_group(GroupName=person.group, UserName=other.name)
    connector = connect(aws_server, admin_groups=[person.group if by == "group" else f"{person.name}-policy"])
    assert not (await person.account(connector)).is_protected
    await connect(aws_server).suspend(other.id)
    assert (await person.account(connector)).is_protected
    with refused(ErrorKind.CONFLICT) as refusal:
        await connector.block_sign_in(person.id)
    assert "last active user" in refusal.value.message


# -- rotating ---------------------------------------------------------------------------------------------


async def test_a_rotation_that_the_old_key_survives_is_called_failed(aws_server, person):
    """The emulator takes inactive keys, so a rotation there has to fail; with AWS's answers it is confirmed
    in the tests of the model."""
    kept: dict[str, str] = {}
    done = await connect(aws_server).rotate(person.id, old=person.keys.secret, keep=kept.update)
    assert done.proof.verdict is Verdict.FAILED
    assert "let in" in done.proof.probe
    new = Keys(kept["access_key_id"], kept["secret_access_key"])
    assert aws_server.may(new)
    assert (person.status(new), person.status(person.keys)) == ("Active", "Inactive")
    assert new.secret not in repr(done)


async def test_with_two_keys_nothing_is_rotated_and_both_are_named(aws_server, person):
    second = aws_server.add_key(person.name)
    with refused(ErrorKind.CONFLICT) as refusal:
        await connect(aws_server).rotate(person.id, old="", keep=lambda secret: None)
    assert person.keys.id in refusal.value.message
    assert second.id in refusal.value.message
    assert (person.status(person.keys), person.status(second)) == ("Active", "Active")


async def test_a_new_key_that_cannot_be_put_away_is_deleted_and_the_old_one_works(aws_server, person):
    def keep(secret):
        raise OSError(f"no room for {secret['secret_access_key']}")

    with refused(ErrorKind.RETRYABLE) as refusal:
        await connect(aws_server).rotate(person.id, old="", keep=keep)
    assert "OSError" in refusal.value.message
    assert "no room" not in refusal.value.message
    listed = aws_server.iam().list_access_keys(UserName=person.name)["AccessKeyMetadata"]
    assert [(each["AccessKeyId"], each["Status"]) for each in listed] == [(person.keys.id, "Active")]


# -- credentials ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", ["key", "secret"])
async def test_wrong_credentials_are_denied_and_not_repeated(aws_server, person, wrong):
    own = aws_server.service
    keys = Keys("AKIANOBODYNOBODYNOBO", own.secret) if wrong == "key" else Keys(own.id, "wrong-canary")
    connector = connect(aws_server, keys=keys)
    report = await connector.test()
    assert not report.ok
    assert ("access_key" if wrong == "key" else "secret_key") in report.summary
    with pytest.raises(ConnectorError) as refusal:
        await connector.discover(person.identity)
    assert refusal.value.kind is ErrorKind.DENIED
    assert "canary" not in refusal.value.message


async def test_a_missing_right_is_denied_by_its_name(aws_server, person):
    connector = connect(aws_server, keys=person.keys)
    with refused(ErrorKind.DENIED) as refusal:
        await connector.discover(person.identity)
    assert "iam:GetAccountAuthorizationDetails" in refusal.value.message
