"""Giving a shared user a new access key, against a model that refuses inactive keys as AWS does."""

from __future__ import annotations

import httpx
import pytest

from partwell.connector_kit.contract import ConnectorError, ErrorKind, Outcome, Verdict
from partwell.connectors.aws import rotation
from partwell.connectors.aws.tests.account import Made
from partwell.connectors.aws.tests.world import refused


@pytest.fixture
def shared(account):
    user = account.add("shared")
    user.has_password = False
    return user


@pytest.mark.parametrize("knows", ["the old secret", "nothing", "another secret"])
async def test_a_rotated_key_is_refused_afterwards_and_the_new_one_let_in(connect, model, shared, knows):
    (old,) = shared.of_kind("access_key")
    secret = {"the old secret": old.secret, "nothing": "", "another secret": "another"}[knows]
    kept: dict[str, str] = {}

    def keep(given):
        assert old.status == "Active", "the old key stopped before the new one was put away"
        kept.update(given)

    done = await connect(model).rotate(shared.id, old=secret, keep=keep)
    assert done.proof.verdict is Verdict.CONFIRMED
    assert ("its own secret" in done.proof.probe) is (knows == "the old secret")
    assert (old.status, len(shared.of_kind("access_key"))) == ("Inactive", 2)
    assert model.account.owner_of(kept["access_key_id"])[1].secret == kept["secret_access_key"]
    assert "canary" not in repr(done)


async def test_where_a_made_up_secret_tells_nothing_the_rotation_is_not_confirmed(connect, model, shared):
    """Should AWS look at the secret first and at the status later, the answers would not differ."""
    model.refuses_old_keys = False
    connector = connect(model, key_spreads_within_seconds=0)
    done = await connector.rotate(shared.id, old="", keep=lambda given: None)
    assert done.proof.verdict is Verdict.UNVERIFIABLE
    assert done.receipt.outcome is Outcome.DONE


class Spreading:
    """The model, but that a new key is known only after so many tries."""

    def __init__(self, model, tries):
        self.model, self.left = model, tries

    def __call__(self, request):
        if "AKIANEW" in request.headers["authorization"] and self.left > 0:
            self.left -= 1
            body = "<ErrorResponse><Error><Code>InvalidClientTokenId</Code></Error></ErrorResponse>"
            return httpx.Response(403, content=body.encode())
        return self.model(request)


async def test_a_new_key_that_takes_a_while_is_waited_for(connect, model, shared, monkeypatch):
    monkeypatch.setattr(rotation, "PAUSE_SECONDS", 0)
    done = await connect(Spreading(model, 3)).rotate(shared.id, old="", keep=lambda given: None)
    assert done.proof.verdict is Verdict.CONFIRMED


async def test_a_new_key_that_is_not_let_in_in_time_is_deleted_and_the_old_one_goes_on(
    connect, model, shared
):
    kept: dict[str, str] = {}
    connector = connect(Spreading(model, 1000), key_spreads_within_seconds=0)
    with refused(ErrorKind.RETRYABLE):
        await connector.rotate(shared.id, old="", keep=kept.update)
    assert kept == {}
    (old,) = shared.of_kind("access_key")
    assert (old.status, old.id.startswith("AKIANEW")) == ("Active", False)


async def test_a_rotation_that_cannot_be_read_afterwards_is_not_called_failed(connect, model, shared):
    """Nobody should rotate again for want of a reading: the new key is out, and the old one is off."""

    def keep(given):
        model.forbidden.add("ListAccessKeys")

    done = await connect(model).rotate(shared.id, old="", keep=keep)
    assert done.proof.verdict is Verdict.UNVERIFIABLE
    assert "iam:ListAccessKeys" in done.proof.read


async def test_a_third_key_is_not_asked_for(connect, model, shared):
    shared.made.append(Made("access_key", "AKIASECOND0000000000", status="Inactive"))
    with refused(ErrorKind.CONFLICT) as refusal:
        await connect(model).rotate(shared.id, old="", keep=lambda given: None)
    assert "AWS allows no third" in refusal.value.message
    assert "AKIASECOND0000000000 (inactive)" in refusal.value.message
    assert "CreateAccessKey" not in model.asked


async def test_an_old_key_that_stays_on_is_told_with_the_new_one(connect, model, shared):
    model.forbidden.add("UpdateAccessKey")
    kept: dict[str, str] = {}
    with refused(ErrorKind.DENIED) as refusal:
        await connect(model).rotate(shared.id, old="", keep=kept.update)
    assert kept["access_key_id"] in refusal.value.message
    assert "by hand" in refusal.value.message
    assert "canary" not in refusal.value.message


async def test_partwells_own_key_and_protected_users_are_not_rotated(connect, model, account, shared):
    connector = connect(model, protected=["shared"])
    for user in (account.users["partwell"], shared):
        with refused(ErrorKind.CONFLICT):
            await connector.rotate(user.id, old="", keep=lambda given: None)
    assert "CreateAccessKey" not in model.asked


async def test_a_dry_run_rotates_and_deletes_nothing(connect, model, shared):
    connector = connect(model, read_only=True)
    for write in (
        connector.rotate(shared.id, old="", keep=lambda given: None),
        connector.delete(shared.id),
    ):
        with pytest.raises(ConnectorError) as refusal:
            await write
        assert refusal.value.kind is ErrorKind.UNSUPPORTED
    assert model.asked == []
