"""Wiping and blocking: told is not done, and nothing is told twice."""

from __future__ import annotations

import json
from datetime import timedelta

import httpx
import pytest

from partwell.connector_kit.contract import ConnectorError, ErrorKind, JobState
from partwell.connectors.google_workspace.tests.wording import Connect, failure
from partwell.connectors.google_workspace.tests.workspace import Workspace
from tests.vendor_openapi import ValidatedHttp


@pytest.fixture
def ana(firm: Workspace) -> str:
    return firm.add_user("ana@firm.test", aliases=["a@firm.test"])


@pytest.fixture
def phone(firm: Workspace, ana: str) -> str:
    return firm.add_phone(ana)


async def refused(awaitable) -> ConnectorError:
    with pytest.raises(ConnectorError) as caught:
        await awaitable
    return caught.value


def orders(wire: ValidatedHttp) -> list[str]:
    return [json.loads(r.content)["action"] for r in wire.requests if r.url.path.endswith("/action")]


@pytest.mark.parametrize(
    ("whole", "action", "running", "done"),
    [
        (False, "admin_account_wipe", "ACCOUNT_WIPING", "ACCOUNT_WIPED"),
        (True, "admin_remote_wipe", "WIPING", "WIPED"),
    ],
)
async def test_a_private_phone_loses_the_firms_account_only_and_told_is_not_done(
    firm: Workspace, connect: Connect, wire: ValidatedHttp, ana, phone, whole, action, running, done
):
    job = await connect(wipe_whole_devices=whole).wipe(ana, phone)
    assert (job.state, orders(wire)) == (JobState.QUEUED, [action])
    for status, state in ((running, JobState.RUNNING), (done, JobState.DONE), ("APPROVED", JobState.QUEUED)):
        firm.mobile[phone]["status"] = status
        assert (await connect().job(job.handle)).state is state
    firm.now += timedelta(hours=1)
    assert (await connect().job(job.handle)).state is JobState.UNKNOWN


async def test_an_account_that_was_wiped_is_not_said_to_be_an_erased_device(
    firm: Workspace, connect: Connect, ana, phone
):
    job = await connect(wipe_whole_devices=True).wipe(ana, phone)
    firm.mobile[phone]["status"] = "ACCOUNT_WIPED"
    firm.now += timedelta(hours=1)
    assert (await connect().job(job.handle)).state is JobState.UNKNOWN


@pytest.mark.parametrize("status", ["WIPING", "Wiped"])
async def test_a_wipe_that_is_under_way_is_not_ordered_again(
    firm: Workspace, connect: Connect, wire: ValidatedHttp, ana, phone, status
):
    firm.mobile[phone]["status"] = status
    job = await connect(wipe_whole_devices=True).wipe(ana, phone)
    assert job.state in (JobState.RUNNING, JobState.DONE)
    assert orders(wire) == []


async def test_an_order_whose_answer_was_lost_stays_unknown_and_is_not_sent_twice(
    firm: Workspace, connect: Connect, wire: ValidatedHttp, ana, phone
):
    wire.faults.append(lambda r: httpx.Response(500) if r.url.path.endswith("/action") else None)
    connector = connect()
    job = await connector.wipe(ana, phone)
    assert job.state is JobState.UNKNOWN
    assert "unknown" in job.summary
    wire.faults.clear()
    again = await connector.wipe(ana, phone)
    assert (again.handle, len(orders(wire))) == (job.handle, 1)
    firm.mobile[phone]["status"] = "ACCOUNT_WIPED"
    assert (await connect().job(job.handle)).state is JobState.DONE


async def test_an_order_that_google_refused_can_be_given_again(
    connect: Connect, wire: ValidatedHttp, ana, phone
):
    connector = connect()
    wire.faults.append(lambda r: failure(403, "forbidden", "No") if r.url.path.endswith("/action") else None)
    error = await refused(connector.wipe(ana, phone))
    assert error.kind is ErrorKind.DENIED
    wire.faults.clear()
    assert (await connector.wipe(ana, phone)).state is JobState.QUEUED
    assert len(orders(wire)) == 2


async def test_a_block_says_that_the_device_itself_is_not_locked(
    connect: Connect, wire: ValidatedHttp, ana, phone
):
    job = await connect().lock(ana, phone)
    shown = await connect().job(job.handle)
    assert shown.state is JobState.DONE
    assert "not locked" in shown.summary
    await connect().lock(ana, phone)
    assert orders(wire) == ["block"]


async def test_a_device_that_is_no_longer_listed_is_not_called_wiped(
    firm: Workspace, connect: Connect, ana, phone
):
    job = await connect().wipe(ana, phone)
    firm.mobile.clear()
    assert (await connect().job(job.handle)).state is JobState.UNKNOWN


async def test_somebody_elses_device_and_unknown_ones_are_left_alone(
    firm: Workspace, connect: Connect, wire: ValidatedHttp, ana
):
    theirs = firm.add_phone(firm.add_user("diana@firm.test"))
    assert (await refused(connect().wipe(ana, theirs))).kind is ErrorKind.CONFLICT
    assert (await refused(connect().wipe(ana, "AFinobodys"))).kind is ErrorKind.NOT_FOUND
    assert (await refused(connect().wipe(ana, "chromeos:c1"))).kind is ErrorKind.UNSUPPORTED
    assert (await refused(connect(mobile_devices=False).wipe(ana, theirs))).kind is ErrorKind.UNSUPPORTED
    assert (await refused(connect().wipe("117999999999999999999", theirs))).kind is ErrorKind.NOT_FOUND
    assert orders(wire) == []


async def test_a_device_under_an_alias_is_the_persons_too_and_a_dry_run_orders_nothing(
    firm: Workspace, connect: Connect, wire: ValidatedHttp, ana
):
    tablet = firm.add_phone(ana, email=["a@firm.test"])
    assert (await refused(connect(read_only=True).wipe(ana, tablet))).kind is ErrorKind.UNSUPPORTED
    assert orders(wire) == []
    assert (await connect().wipe(ana, tablet)).state is JobState.QUEUED
