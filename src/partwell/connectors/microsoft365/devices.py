"""Wiping, retiring and locking devices that Intune manages.

Intune answers 204 when it was told. Whether the device did it shows later, in what Intune keeps of its
actions, or never: an order waits until the device comes online. Nothing is asked for twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from partwell.connector_kit.contract import Connection, ConnectorError, ErrorKind, Job, JobState
from partwell.connectors.microsoft365.graph import Graph, moment, segment

READS_DEVICES = "DeviceManagementManagedDevices.Read.All (or 'intune: false' in the settings)"
ORDERS_DEVICES = "DeviceManagementManagedDevices.PrivilegedOperations.All"
MANAGED_FIELDS = (
    "id,deviceName,userId,operatingSystem,serialNumber,lastSyncDateTime,managedDeviceOwnerType,managementState,"
    "azureADDeviceId,deviceActionResults"
)
HANDLE = "device"
# Our clock and Microsoft's may differ by so much.
CLOCKS_DIFFER = timedelta(minutes=5)
SHOWS_WITHIN = timedelta(minutes=15)
# Intune withdraws an order that no device fetched after this time.
LONGEST_WAIT = timedelta(days=30)

# What Intune calls each action in its list of results; it has used more than one name.
_NAMES = {
    "wipe": {"wipe", "factoryreset"},
    "retire": {"retire", "removecompanydata"},
    "remoteLock": {"remotelock", "lock"},
}
_RESULTS = {
    "done": JobState.DONE,
    "active": JobState.RUNNING,
    "pending": JobState.QUEUED,
    "none": JobState.QUEUED,
    "failed": JobState.FAILED,
    "notSupported": JobState.FAILED,
    "canceled": JobState.FAILED,
}
_MANAGEMENT = {
    ("wipe", "wipePending"): JobState.QUEUED,
    ("wipe", "wipeIssued"): JobState.RUNNING,
    ("wipe", "wipeFailed"): JobState.FAILED,
    ("wipe", "wipeCanceled"): JobState.FAILED,
    ("retire", "retirePending"): JobState.QUEUED,
    ("retire", "retireIssued"): JobState.RUNNING,
    ("retire", "retireFailed"): JobState.FAILED,
    ("retire", "retireCanceled"): JobState.FAILED,
}
_SAID = {
    JobState.DONE: "the device reported that it is done",
    JobState.RUNNING: "the order was given to the device, which has not reported yet",
    JobState.QUEUED: "the order waits until the device comes online",
    JobState.FAILED: "it failed or was cancelled",
    JobState.UNKNOWN: "Intune does not show what came of it",
}
_WORDS = {"wipe": "Erasing", "retire": "Removing company data from", "remoteLock": "Locking"}


class Devices:
    """The managed devices behind one connection."""

    def __init__(self, connection: Connection, graph: Graph) -> None:
        self._now = connection.now
        self._graph = graph

    async def read(self, device_id: str) -> dict[str, Any] | None:
        """One device afresh, or None."""
        return await self._graph.get(
            f"/deviceManagement/managedDevices/{segment(device_id)}",
            needs=READS_DEVICES,
            params={"$select": MANAGED_FIELDS},
        )

    async def order(self, user_id: str, device_id: str, action: str) -> Job:
        """Have a device wiped or locked. A personal one is retired instead: its private data is not ours.

        Raises NOT_FOUND, or CONFLICT when it is somebody else's device.
        """
        device = await self.read(device_id)
        if device is None:
            raise ConnectorError(ErrorKind.NOT_FOUND, "Intune knows no such device.")
        name = str(device.get("deviceName") or device_id)
        if str(device.get("userId") or "") != user_id:
            raise ConnectorError(ErrorKind.CONFLICT, f"{name} is not this person's device. Nothing was sent.")
        if action == "wipe" and device.get("managedDeviceOwnerType") == "personal":
            action = "retire"
        if earlier := _ordered_before(device, action, self._now()):
            return self._job(device, action, earlier)
        asked_at: datetime = self._now()
        body = {"keepEnrollmentData": False, "keepUserData": False} if action == "wipe" else None
        try:
            answer = await self._graph.call(
                "POST",
                f"/deviceManagement/managedDevices/{segment(device_id)}/{action}",
                needs=ORDERS_DEVICES,
                body=body,
                limit="intune_write",
            )
        except ConnectorError as error:
            if error.kind is not ErrorKind.RETRYABLE:
                raise
            # It may have arrived. Whoever saw an error here would try again, and it is never sent twice.
            return Job(
                _handle(action, device_id, asked_at),
                JobState.UNKNOWN,
                f"{_WORDS[action]} {name}: whether Intune took the order is unknown ({error.message})",
                error.request_id,
                {"action": action, "device": name},
            )
        return Job(
            _handle(action, device_id, asked_at),
            JobState.QUEUED,
            f"{_WORDS[action]} {name}: {_SAID[JobState.QUEUED]}.",
            answer.request_id,
            {"action": action, "device": name},
        )

    async def job(self, handle: str) -> Job:
        """How far an order has come, read afresh."""
        _, action, device_id, written = handle.split("|", 3)
        asked_at = moment(written)
        if action not in _NAMES or asked_at is None:
            raise ConnectorError(ErrorKind.INVALID, "This is not an order that this connection gave.")
        device = await self.read(device_id)
        if device is None:
            return Job(
                handle,
                JobState.UNKNOWN,
                "Intune no longer lists the device. It drops one that was wiped or retired, and one that "
                "somebody deleted from the list; its audit log says which.",
                details={"action": action},
            )
        return self._job(device, action, asked_at)

    def _job(self, device: Mapping[str, Any], action: str, asked_at: datetime) -> Job:
        state = _state(device, action, asked_at)
        if state is JobState.UNKNOWN and self._now() < asked_at + SHOWS_WITHIN:
            state = JobState.QUEUED
        name = str(device.get("deviceName") or device["id"])
        seen = moment(device.get("lastSyncDateTime"))
        details = {"action": action, "device": name}
        if seen:
            details["last_seen"] = seen.isoformat()
        return Job(
            _handle(action, str(device["id"]), asked_at),
            state,
            f"{_WORDS[action]} {name}: {_SAID[state]}.",
            details=details,
        )


def _handle(action: str, device_id: str, asked_at: datetime) -> str:
    return f"{HANDLE}|{action}|{device_id}|{asked_at.isoformat()}"


def _results(device: Mapping[str, Any], action: str) -> list[tuple[datetime, str]]:
    """When the action was begun and what came of it, oldest first."""
    found = []
    for each in device.get("deviceActionResults") or []:
        begun = moment(each.get("startDateTime"))
        if begun and str(each.get("actionName") or "").lower() in _NAMES[action]:
            found.append((begun, str(each.get("actionState") or "")))
    return sorted(found)


def _ordered_before(device: Mapping[str, Any], action: str, now: datetime) -> datetime | None:
    """When the same order was given already and still counts. A lock may be given again once it is done."""
    results = _results(device, action)
    if results:
        begun, said = results[-1]
        state = _RESULTS.get(said, JobState.UNKNOWN)
        counts = state is not JobState.FAILED and not (action == "remoteLock" and state is JobState.DONE)
        return begun if counts else None
    state_now = _MANAGEMENT.get((action, str(device.get("managementState"))))
    if state_now in (JobState.QUEUED, JobState.RUNNING):
        return now - LONGEST_WAIT  # Intune does not say since when
    return None


def _state(device: Mapping[str, Any], action: str, asked_at: datetime) -> JobState:
    ours = [said for begun, said in _results(device, action) if begun >= asked_at - CLOCKS_DIFFER]
    if ours:
        return _RESULTS.get(ours[-1], JobState.UNKNOWN)
    return _MANAGEMENT.get((action, str(device.get("managementState"))), JobState.UNKNOWN)


__all__ = ["HANDLE", "MANAGED_FIELDS", "ORDERS_DEVICES", "READS_DEVICES", "Devices"]
