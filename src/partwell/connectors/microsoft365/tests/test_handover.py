"""What of an account a successor can be given, and what is read back of it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from partwell.connector_kit.contract import ConnectorError, ErrorKind, JobState, TransferKind, TransferRequest

UNTIL = datetime(2026, 12, 31, 17, 0, tzinfo=UTC)


@pytest.fixture
def ana(tenant) -> str:
    return tenant.add_user("ana")


@pytest.fixture
def ben(tenant) -> str:
    return tenant.add_user("ben")


def to_ben(kind: TransferKind, **given) -> TransferRequest:
    return TransferRequest(kind, "ben@firm.test", **given)


async def failure(awaitable) -> ConnectorError:
    with pytest.raises(ConnectorError) as caught:
        await awaitable
    return caught.value


async def test_whoever_writes_is_told_whom_to_turn_to_until_a_day(tenant, model, connect, ana, ben):
    tenant.mailboxes[ana] = {"status": "disabled"}
    request = to_ben(TransferKind.AUTO_REPLY, text="Write to <Ben> & Co.", ends_at=UNTIL)
    job = await connect().transfer(ana, request)
    assert job.state is JobState.DONE
    mailbox = tenant.mailboxes[ana]
    assert (mailbox["status"], mailbox["externalAudience"]) == ("scheduled", "all")
    assert mailbox["scheduledEndDateTime"] == {"dateTime": "2026-12-31T17:00:00.0000000", "timeZone": "UTC"}
    for name in ("internalReplyMessage", "externalReplyMessage"):
        assert "Write to &lt;Ben&gt; &amp; Co." in mailbox[name]
    assert (await connect().transfer(ana, request)).state is JobState.DONE
    assert len(model.written) == 1
    assert (await connect().job(job.handle)).state is JobState.DONE
    mailbox["status"] = "disabled"
    assert (await connect().job(job.handle)).state is JobState.UNKNOWN


async def test_a_reply_is_switched_off_when_its_time_is_over_and_read_to_be_off(
    tenant, model, connect, ana, ben
):
    tenant.mailboxes[ana] = {"status": "disabled"}
    job = await connect().transfer(ana, to_ben(TransferKind.AUTO_REPLY, ends_at=UNTIL))
    ended = await connect().end_transfer(job.handle)
    assert (ended.state, tenant.mailboxes[ana]["status"]) == (JobState.DONE, "disabled")
    written = len(model.written)
    assert (await connect().end_transfer(job.handle)).state is JobState.DONE
    assert len(model.written) == written
    del tenant.mailboxes[ana]
    gone = await connect().end_transfer(job.handle)
    assert gone.state is JobState.DONE and "mailbox is gone" in gone.summary


async def test_what_was_given_for_good_is_not_taken_back(connect, ana, ben):
    error = await failure(connect().end_transfer(f"files|{ana}|{ben}"))
    assert error.kind is ErrorKind.UNSUPPORTED


async def test_a_reply_without_an_end_or_text_names_the_successor(tenant, connect, ana, ben):
    tenant.mailboxes[ana] = {"status": "disabled"}
    await connect().transfer(ana, to_ben(TransferKind.AUTO_REPLY))
    assert tenant.mailboxes[ana]["status"] == "alwaysEnabled"
    assert "Ana has left. Please write to ben@firm.test." in tenant.mailboxes[ana]["internalReplyMessage"]


async def test_owned_groups_get_a_new_owner_and_what_cannot_is_named(tenant, connect, ana, ben):
    alone, shared = tenant.add_group("Alone", []), tenant.add_group("Shared", [])
    synced = tenant.add_group("Domain", [], onPremisesSyncEnabled=True)
    tenant.owners |= {alone: [ana], shared: [ana, ben], synced: [ana]}
    job = await connect().transfer(ana, to_ben(TransferKind.GROUPS))
    assert (tenant.owners[alone], tenant.owners[shared]) == ([ben], [ben])
    assert job.state is JobState.FAILED
    assert "Domain" in job.summary
    tenant.owners[synced] = [ben]
    assert (await connect().job(job.handle)).state is JobState.DONE
    assert (await connect().transfer(ana, to_ben(TransferKind.GROUPS))).state is JobState.DONE


async def test_the_onedrive_opens_to_the_successor_and_the_job_says_that_it_does_not_end(
    tenant, model, connect, ana, ben
):
    tenant.drives[ana] = []
    job = await connect().transfer(ana, to_ben(TransferKind.FILES, ends_at=UNTIL))
    assert job.state is JobState.DONE
    assert "does not end by itself on 2026-12-31" in job.summary
    await connect().transfer(ana, to_ben(TransferKind.FILES))
    assert len(model.written) == 1
    tenant.drives[ana].clear()
    assert (await connect().job(job.handle)).state is JobState.RUNNING


async def test_what_graph_cannot_hand_over_says_who_can(connect, ana, ben):
    error = await failure(connect().transfer(ana, to_ben(TransferKind.MAILBOX)))
    assert error.kind is ErrorKind.UNSUPPORTED
    assert "Exchange admin centre" in error.message
    for kind in (TransferKind.CALENDAR, TransferKind.REPOSITORIES, TransferKind.OBJECTS):
        assert (await failure(connect().transfer(ana, to_ben(kind)))).kind is ErrorKind.UNSUPPORTED


async def test_without_mailbox_drive_or_one_active_successor_nothing_is_handed_over(
    tenant, model, connect, ana
):
    for kind in (TransferKind.AUTO_REPLY, TransferKind.FILES, TransferKind.GROUPS):
        assert (await failure(connect().transfer(ana, to_ben(kind)))).kind is ErrorKind.NOT_FOUND
    tenant.add_user("ben", accountEnabled=False)
    assert (await failure(connect().transfer(ana, to_ben(TransferKind.GROUPS)))).kind is ErrorKind.NOT_FOUND
    for name in ("b1", "b2"):
        tenant.add_user(name, otherMails=["ben@firm.test"])
    assert (await failure(connect().transfer(ana, to_ben(TransferKind.GROUPS)))).kind is ErrorKind.CONFLICT
    assert (await failure(connect(read_only=True).transfer(ana, to_ben(TransferKind.FILES)))).kind is (
        ErrorKind.UNSUPPORTED
    )
    assert model.written == []
