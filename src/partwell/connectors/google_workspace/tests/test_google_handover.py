"""What of an account a successor can be given, what is read back of it, and how it is taken back."""

from __future__ import annotations

from datetime import UTC, datetime

import httpx
import pytest

from partwell.connector_kit.contract import ConnectorError, ErrorKind, JobState, TransferKind, TransferRequest
from partwell.connectors.google_workspace.tests.wording import Connect, failure
from partwell.connectors.google_workspace.tests.workspace import Workspace
from tests.vendor_openapi import ValidatedHttp

UNTIL = datetime(2026, 12, 31, 17, 0, tzinfo=UTC)
ANA = "ana@firm.test"
BEN = "ben@firm.test"


@pytest.fixture
def ana(firm: Workspace) -> str:
    return firm.add_user(ANA)


@pytest.fixture
def ben(firm: Workspace) -> str:
    return firm.add_user(BEN, aliases=["benjamin@firm.test"])


def to_ben(kind: TransferKind, **given) -> TransferRequest:
    return TransferRequest(kind, given.pop("successor", BEN), **given)


async def refused(awaitable) -> ConnectorError:
    with pytest.raises(ConnectorError) as caught:
        await awaitable
    return caught.value


# -- the mailbox -----------------------------------------------------------------------------------------


async def test_the_successor_opens_the_mailbox_for_a_time_and_then_no_more(
    firm: Workspace, connect: Connect, wire: ValidatedHttp, ana, ben
):
    request = to_ben(TransferKind.MAILBOX, ends_at=UNTIL, successor="benjamin@firm.test")
    job = await connect().transfer(ana, request)
    assert job.state is JobState.DONE
    assert "until the user is suspended" in job.summary
    # Gmail takes primary addresses only, so the alias is not what is sent.
    assert firm.delegates[ANA] == {BEN: "accepted"}
    assert (await connect().transfer(ana, request)).handle == job.handle
    assert len(wire.writes()) == 1
    assert (await connect().job(job.handle)).state is JobState.DONE
    ended = await connect().end_transfer(job.handle)
    assert ended.state is JobState.DONE
    assert firm.delegates[ANA] == {}
    assert (await connect().end_transfer(job.handle)).state is JobState.DONE
    assert (await connect().job(job.handle)).state is JobState.QUEUED


async def test_a_delegation_that_does_not_show_yet_is_not_done(
    firm: Workspace, connect: Connect, wire: ValidatedHttp, ana, ben
):
    wire.faults.append(
        lambda r: (
            httpx.Response(200, json={"delegateEmail": BEN})
            if r.method == "POST" and r.url.path.endswith("/delegates")
            else None
        )
    )
    assert (await connect().transfer(ana, to_ben(TransferKind.MAILBOX))).state is JobState.QUEUED


@pytest.mark.parametrize("status", ["pending", "expired", "rejected"])
async def test_a_delegation_that_was_not_accepted_is_not_done(
    firm: Workspace, connect: Connect, wire: ValidatedHttp, ana, ben, status
):
    firm.delegates[ANA] = {BEN: status}
    wire.faults.append(lambda r: httpx.Response(200, json={}) if r.url.path.endswith("/delegates") else None)
    assert (await connect().transfer(ana, to_ben(TransferKind.MAILBOX))).state is JobState.QUEUED


async def test_whoever_writes_is_told_whom_to_turn_to_until_a_day(
    firm: Workspace, connect: Connect, wire: ValidatedHttp, ana, ben
):
    firm.vacation[ANA] = {"enableAutoReply": True, "responseBodyPlainText": "On holiday"}
    request = to_ben(TransferKind.AUTO_REPLY, text="Write to\nBen, please.", ends_at=UNTIL)
    job = await connect().transfer(ana, request)
    assert job.state is JobState.DONE
    setting = firm.vacation[ANA]
    assert setting["responseBodyPlainText"] == "Write to\nBen, please."
    assert setting["endTime"] == str(int(UNTIL.timestamp() * 1000))
    assert (setting["restrictToContacts"], setting["restrictToDomain"]) == (False, False)
    await connect().transfer(ana, request)
    assert len(wire.writes()) == 1
    setting["responseBodyPlainText"] = "Write to Ben, please.\r\n"
    assert (await connect().transfer(ana, request)).state is JobState.DONE
    assert (await connect().end_transfer(job.handle)).state is JobState.DONE
    assert firm.vacation[ANA]["enableAutoReply"] is False
    assert len(wire.writes()) == 2
    assert (await connect().end_transfer(job.handle)).state is JobState.DONE
    assert len(wire.writes()) == 2
    assert (await connect().job(job.handle)).state is JobState.UNKNOWN


async def test_a_reply_until_another_day_is_set_anew(firm: Workspace, connect: Connect, ana, ben):
    for until in (UNTIL, UNTIL.replace(day=15), None):
        request = to_ben(TransferKind.AUTO_REPLY, text="Write to Ben.", ends_at=until)
        assert (await connect().transfer(ana, request)).state is JobState.DONE
        written = str(int(until.timestamp() * 1000)) if until else None
        assert firm.vacation[ANA].get("endTime") == written


async def test_a_reply_without_a_text_names_the_successor_and_no_reason(
    firm: Workspace, connect: Connect, ana, ben
):
    await connect().transfer(ana, to_ben(TransferKind.AUTO_REPLY))
    assert firm.vacation[ANA]["responseBodyPlainText"].endswith(f"has left. Please write to {BEN}.")
    assert "endTime" not in firm.vacation[ANA]


@pytest.mark.parametrize("kind", [TransferKind.MAILBOX, TransferKind.AUTO_REPLY])
@pytest.mark.parametrize("shut", ["suspended", "archived"])
async def test_the_mailbox_of_somebody_suspended_goes_to_nobody_and_the_way_out_is_said(
    firm: Workspace, connect: Connect, wire: ValidatedHttp, ana, ben, kind, shut
):
    firm.users[ana][shut] = True
    error = await refused(connect().transfer(ana, to_ben(kind)))
    assert error.kind is ErrorKind.CONFLICT
    assert "Default routing" in error.message
    assert wire.writes() == []


@pytest.mark.parametrize("kind", [TransferKind.MAILBOX, TransferKind.AUTO_REPLY])
@pytest.mark.parametrize("refused_by", ["Gmail", "the sign-in"])
async def test_of_somebody_suspended_meanwhile_the_end_is_unknown_and_never_said_to_be_done(
    firm: Workspace, connect: Connect, ana, ben, kind, refused_by
):
    firm.acts_for_suspended = refused_by == "Gmail"
    job = await connect().transfer(ana, to_ben(kind, ends_at=UNTIL))
    firm.users[ana]["suspended"] = True
    ended = await connect().end_transfer(job.handle)
    assert ended.state is JobState.UNKNOWN
    assert "neither be taken back nor read" in ended.summary
    del firm.users[ana]
    assert (await connect().end_transfer(job.handle)).state is JobState.DONE


async def test_a_taking_back_that_does_not_show_is_a_failure(
    firm: Workspace, connect: Connect, wire: ValidatedHttp, ana, ben
):
    job = await connect().transfer(ana, to_ben(TransferKind.MAILBOX))
    reply = await connect().transfer(ana, to_ben(TransferKind.AUTO_REPLY))
    wire.faults.append(
        lambda r: (
            httpx.Response(204 if r.method == "DELETE" else 200, json=None if r.method == "DELETE" else {})
            if r.method in ("DELETE", "PUT")
            else None
        )
    )
    assert (await connect().end_transfer(job.handle)).state is JobState.FAILED
    assert (await connect().end_transfer(reply.handle)).state is JobState.FAILED


async def test_gmail_that_fails_when_taking_back_from_somebody_active_is_an_error(
    connect: Connect, wire: ValidatedHttp, ana, ben
):
    job = await connect().transfer(ana, to_ben(TransferKind.MAILBOX))
    wire.faults.append(lambda r: failure(403, "forbidden", "No") if r.method == "DELETE" else None)
    assert (await refused(connect().end_transfer(job.handle))).kind is ErrorKind.DENIED


async def test_without_a_mailbox_or_with_gmail_switched_off_nothing_is_asked_of_it(
    firm: Workspace, connect: Connect, wire: ValidatedHttp, ana, ben
):
    error = await refused(connect(gmail=False).transfer(ana, to_ben(TransferKind.MAILBOX)))
    assert error.kind is ErrorKind.UNSUPPORTED
    firm.users[ana]["isMailboxSetup"] = False
    error = await refused(connect().transfer(ana, to_ben(TransferKind.MAILBOX)))
    assert error.kind is ErrorKind.NOT_FOUND
    assert not [r for r in wire.requests if r.url.host == "gmail.googleapis.com"]


# -- files and calendar ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "application", "parameters"),
    [
        (TransferKind.FILES, "55656082996", [{"key": "PRIVACY_LEVEL", "value": ["PRIVATE", "SHARED"]}]),
        (TransferKind.CALENDAR, "435070579839", None),
    ],
)
@pytest.mark.parametrize("suspended", [False, True])
async def test_files_and_calendar_go_by_a_job_of_googles_for_suspended_users_as_well(
    firm: Workspace, connect: Connect, wire: ValidatedHttp, ana, ben, kind, application, parameters, suspended
):
    firm.users[ana]["suspended"] = suspended
    job = await connect().transfer(ana, to_ben(kind))
    assert job.state is JobState.RUNNING
    (begun,) = firm.transfers.values()
    assert (begun["oldOwnerUserId"], begun["newOwnerUserId"]) == (ana, ben)
    (asked,) = begun["applicationDataTransfers"]
    assert (asked["applicationId"], asked.get("applicationTransferParams")) == (application, parameters)
    again = await connect().transfer(ana, to_ben(kind))
    assert (again.handle, len(wire.writes())) == (job.handle, 1)
    begun["overallTransferStatusCode"] = "completed"
    assert (await connect().job(job.handle)).state is JobState.DONE
    assert (await connect().transfer(ana, to_ben(kind))).state is JobState.DONE
    begun["overallTransferStatusCode"] = "inSomeOtherState"
    unknown = await connect().job(job.handle)
    assert unknown.state is JobState.UNKNOWN
    assert "inSomeOtherState" in unknown.summary
    firm.transfers.clear()
    assert (await connect().job(job.handle)).state is JobState.UNKNOWN


async def test_a_transfer_of_one_application_is_not_taken_for_one_of_another(
    firm: Workspace, connect: Connect, ana, ben
):
    files = await connect().transfer(ana, to_ben(TransferKind.FILES))
    calendar = await connect().transfer(ana, to_ben(TransferKind.CALENDAR))
    assert files.handle != calendar.handle
    assert len(firm.transfers) == 2


async def test_a_transfer_that_failed_is_said_so_and_can_be_begun_again(
    firm: Workspace, connect: Connect, ana, ben
):
    job = await connect().transfer(ana, to_ben(TransferKind.FILES))
    (begun,) = firm.transfers.values()
    begun["overallTransferStatusCode"] = "completed"
    begun["applicationDataTransfers"][0]["applicationTransferStatus"] = "failed"
    assert (await connect().job(job.handle)).state is JobState.FAILED
    again = await connect().transfer(ana, to_ben(TransferKind.FILES))
    assert (again.state, len(firm.transfers)) == (JobState.RUNNING, 2)


async def test_a_transfer_whose_answer_was_lost_is_found_and_not_begun_twice(
    firm: Workspace, connect: Connect, wire: ValidatedHttp, ana, ben
):
    def loses(request: httpx.Request) -> httpx.Response | None:
        if request.method != "POST" or not request.url.path.endswith("/transfers"):
            return None
        wire.faults.clear()
        wire._answer(request)
        return httpx.Response(502)

    wire.faults.append(loses)
    error = await refused(connect().transfer(ana, to_ben(TransferKind.FILES)))
    assert error.kind is ErrorKind.RETRYABLE
    assert (await connect().transfer(ana, to_ben(TransferKind.FILES))).state is JobState.RUNNING
    assert len(firm.transfers) == 1


# -- groups ----------------------------------------------------------------------------------------------


async def test_owned_groups_get_a_new_owner_and_what_cannot_is_named(
    firm: Workspace, connect: Connect, wire: ValidatedHttp, ana, ben
):
    alone = firm.add_group("Alone", [ana], role="OWNER")
    shared = firm.add_group("Shared", [ana, ben], role="OWNER")
    firm.members[shared][ben]["role"] = "MEMBER"
    guest = firm.add_group("Guest", [ana])
    stuck = firm.add_group("Stuck", [ana], role="OWNER")
    wire.faults.append(
        lambda r: (
            failure(412, "conditionNotMet", "No") if r.method == "POST" and stuck in r.url.path else None
        )
    )
    job = await connect().transfer(ana, to_ben(TransferKind.GROUPS))
    assert job.state is JobState.FAILED
    assert "stuck@firm.test (Google answered 412" in job.summary
    assert (firm.members[alone][ben]["role"], firm.members[shared][ben]["role"]) == ("OWNER", "OWNER")
    assert ben not in firm.members[guest]
    wire.faults.clear()
    assert (await connect().transfer(ana, to_ben(TransferKind.GROUPS))).state is JobState.DONE
    assert (await connect().job(job.handle)).state is JobState.DONE
    written = len(wire.writes())
    await connect().transfer(ana, to_ben(TransferKind.GROUPS))
    assert len(wire.writes()) == written
    await connect().remove_entitlements(ana)
    left = await connect().job(job.handle)
    assert (left.state, "owns no group" in left.summary) == (JobState.DONE, True)


# -- whom, and what not ----------------------------------------------------------------------------------

GIVEN = (TransferKind.MAILBOX, TransferKind.FILES, TransferKind.CALENDAR, TransferKind.GROUPS)


@pytest.mark.parametrize("kind", GIVEN)
async def test_without_one_active_successor_nothing_is_handed_over(
    firm: Workspace, connect: Connect, wire: ValidatedHttp, ana, kind
):
    assert (await refused(connect().transfer(ana, to_ben(kind)))).kind is ErrorKind.NOT_FOUND
    firm.add_user(BEN, suspended=True)
    assert (await refused(connect().transfer(ana, to_ben(kind)))).kind is ErrorKind.NOT_FOUND
    for name in ("b1@firm.test", "b2@firm.test"):
        user_id = firm.add_user(name)
        firm.users[user_id]["emails"].append({"address": "b@home.test"})
    error = await refused(connect().transfer(ana, to_ben(kind, successor="b@home.test")))
    assert error.kind is ErrorKind.CONFLICT
    error = await refused(connect().transfer(ana, to_ben(kind, successor=ANA)))
    assert error.kind is ErrorKind.CONFLICT
    assert wire.writes() == []


async def test_a_dry_run_hands_nothing_over_and_takes_nothing_back(
    firm: Workspace, connect: Connect, wire: ValidatedHttp, ana, ben
):
    job = await connect().transfer(ana, to_ben(TransferKind.MAILBOX))
    dry = connect(read_only=True)
    for kind in (*GIVEN, TransferKind.AUTO_REPLY):
        assert (await refused(dry.transfer(ana, to_ben(kind)))).kind is ErrorKind.UNSUPPORTED
    assert (await refused(dry.end_transfer(job.handle))).kind is ErrorKind.UNSUPPORTED
    assert len(wire.writes()) == 1


async def test_what_google_does_not_hand_over_and_what_is_no_hand_over_is_refused(connect: Connect, ana, ben):
    for kind in (TransferKind.REPOSITORIES, TransferKind.OBJECTS):
        assert (await refused(connect().transfer(ana, to_ben(kind)))).kind is ErrorKind.UNSUPPORTED
    for handle in ("", "mailbox", "mailbox||", f"repositories|{ana}|x", "device|wipe|x|now"):
        assert (await refused(connect().job(handle))).kind is ErrorKind.INVALID, handle
    files = await connect().transfer(ana, to_ben(TransferKind.FILES))
    assert (await refused(connect().end_transfer(files.handle))).kind is ErrorKind.UNSUPPORTED
