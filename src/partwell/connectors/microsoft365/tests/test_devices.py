"""Wiping and locking: told is not done, and nothing is told twice."""

from __future__ import annotations

import httpx
import pytest

from partwell.connector_kit.contract import ConnectorError, ErrorKind, JobState
from partwell.connectors.microsoft365.tests.tenant import MISSING, stamp


@pytest.fixture
def ana(tenant) -> str:
    return tenant.add_user("ana")


async def failure(awaitable) -> ConnectorError:
    with pytest.raises(ConnectorError) as caught:
        await awaitable
    return caught.value


def orders(model) -> list[str]:
    return [each.rpartition("/")[2] for each in model.written]


async def test_a_wipe_that_was_told_is_queued_and_done_only_when_the_device_says_so(
    tenant, model, connect, clock, ana
):
    laptop = tenant.add_managed_device(ana, "laptop")
    job = await connect().wipe(ana, laptop)
    assert (job.state, orders(model)) == (JobState.QUEUED, ["wipe"])
    result = tenant.managed[laptop]["deviceActionResults"][0]
    for said, state in (("active", JobState.RUNNING), ("done", JobState.DONE), ("failed", JobState.FAILED)):
        result["actionState"] = said
        clock.goes_on(hours=1)
        assert (await connect().job(job.handle)).state is state


@pytest.mark.parametrize("already", ["results", "wipePending", "wipeIssued"])
async def test_a_wipe_is_never_sent_twice(tenant, model, connect, clock, ana, already):
    result = {
        "actionName": "factoryReset",
        "actionState": "pending",
        "startDateTime": stamp(clock()),
        "lastUpdatedDateTime": stamp(clock()),
    }
    given = {"deviceActionResults": [result]} if already == "results" else {"managementState": already}
    laptop = tenant.add_managed_device(ana, "laptop", **given)
    clock.goes_on(days=3)
    job = await connect().wipe(ana, laptop)
    assert job.state in (JobState.QUEUED, JobState.RUNNING)
    assert orders(model) == []
    assert (await connect().job(job.handle)).state is job.state


async def test_an_order_whose_answer_was_lost_stays_unknown_until_the_device_shows_it(
    tenant, model, connect, clock, ana
):
    laptop = tenant.add_managed_device(ana, "laptop")

    def lost(request: httpx.Request) -> httpx.Response | None:
        return httpx.Response(500) if request.method == "POST" else None

    model.instead = lost
    job = await connect().wipe(ana, laptop)
    assert job.state is JobState.UNKNOWN
    clock.goes_on(hours=1)
    assert (await connect().job(job.handle)).state is JobState.UNKNOWN
    tenant.managed[laptop]["managementState"] = "wipeIssued"
    assert (await connect().job(job.handle)).state is JobState.RUNNING


async def test_a_device_that_is_listed_no_more_is_not_called_wiped(tenant, connect, ana):
    laptop = tenant.add_managed_device(ana, "laptop")
    job = await connect().wipe(ana, laptop)
    del tenant.managed[laptop]
    seen = await connect().job(job.handle)
    assert seen.state is JobState.UNKNOWN
    assert "audit log" in seen.summary


async def test_from_a_personal_device_only_company_data_goes(tenant, model, connect, ana):
    phone = tenant.add_managed_device(ana, "phone", managedDeviceOwnerType="personal")
    job = await connect().wipe(ana, phone)
    assert (orders(model), job.details["action"]) == (["retire"], "retire")
    assert "company data" in job.summary


async def test_a_device_can_be_locked_and_locked_again_later(tenant, model, connect, clock, ana):
    laptop = tenant.add_managed_device(ana, "laptop")
    job = await connect().lock(ana, laptop)
    assert (await connect().lock(ana, laptop)).state is JobState.QUEUED
    assert orders(model) == ["remoteLock"]
    tenant.managed[laptop]["deviceActionResults"][0]["actionState"] = "done"
    assert (await connect().job(job.handle)).state is JobState.DONE
    clock.goes_on(days=1)
    await connect().lock(ana, laptop)
    assert orders(model) == ["remoteLock", "remoteLock"]


async def test_only_the_persons_own_device_can_be_wiped(tenant, model, connect, ana):
    theirs = tenant.add_managed_device(tenant.add_user("ben"), "laptop")
    mine = tenant.add_managed_device(ana, "laptop")
    assert (await failure(connect().wipe(ana, theirs))).kind is ErrorKind.CONFLICT
    assert (await failure(connect().wipe(ana, MISSING))).kind is ErrorKind.NOT_FOUND
    assert (await failure(connect(protected=[ana]).wipe(ana, mine))).kind is ErrorKind.CONFLICT
    assert (await failure(connect(intune=False).wipe(ana, mine))).kind is ErrorKind.UNSUPPORTED
    assert (await failure(connect(read_only=True).wipe(ana, mine))).kind is ErrorKind.UNSUPPORTED
    assert orders(model) == []
    for handle in ("device|sell|1|2026-11-27T00:00:00+00:00", "device|wipe|1|soon", "nonsense", ""):
        assert (await failure(connect().job(handle))).kind is ErrorKind.INVALID
