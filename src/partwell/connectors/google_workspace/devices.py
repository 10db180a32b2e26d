"""Devices: what a person has, and wiping or blocking phones and tablets that Google manages.

Google takes an order at once; the device carries it out when it next comes online, or never. Nothing is
ordered twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from partwell.connector_kit.contract import (
    Connection,
    ConnectorError,
    ErrorKind,
    Holding,
    HoldingKind,
    Job,
    JobState,
)
from partwell.connectors.google_workspace.people import addresses_of, login_of
from partwell.connectors.google_workspace.service import DIRECTORY, Google, moment, segment

MOBILE = "admin.directory.device.mobile.action"
CHROME = "admin.directory.device.chromeos.readonly"
HANDLE = "device"
# Not which applications are on it, nor its numbers in the networks.
MOBILE_FIELDS = "resourceId,email,model,os,status,lastSync,serialNumber"
MOBILE_LISTED = f"kind,nextPageToken,mobiledevices({MOBILE_FIELDS})"
CHROME_LISTED = (
    "kind,nextPageToken,"
    "chromeosdevices(deviceId,model,serialNumber,annotatedUser,recentUsers/email,lastSync,status)"
)
PAGE_SIZE = "100"
SHOWS_WITHIN = timedelta(minutes=15)

WIPE_ACCOUNT, WIPE_DEVICE, BLOCK = "admin_account_wipe", "admin_remote_wipe", "block"
_WORDS = {
    WIPE_ACCOUNT: "Removing the firm's account and data from",
    WIPE_DEVICE: "Erasing",
    BLOCK: "Blocking",
}
# What Google shows of a device, in its own words, once each order was given and once it was carried out.
_UNDER_WAY = {
    WIPE_ACCOUNT: {"ACCOUNT_WIPING", "WIPING"},
    WIPE_DEVICE: {"WIPING"},
    BLOCK: set[str](),
}
_DONE = {
    WIPE_ACCOUNT: {"ACCOUNT_WIPED", "WIPED"},
    WIPE_DEVICE: {"WIPED"},
    BLOCK: {"BLOCKED"},
}
_SAID = {
    JobState.DONE: "Google shows that it is done",
    JobState.RUNNING: "the order waits for the device, or is being carried out",
    JobState.QUEUED: "Google took the order, and does not show it yet",
    JobState.UNKNOWN: "Google does not show what came of it",
}
BLOCKED = " The device gets no more of the firm's data; the device itself is not locked."


class Devices:
    """The devices behind one connection. `wipes_all` erases them whole, and not the firm's account alone."""

    def __init__(self, connection: Connection, google: Google, *, wipes_all: bool) -> None:
        self._now = connection.now
        self._google = google
        self._wipe = WIPE_DEVICE if wipes_all else WIPE_ACCOUNT
        self._ordered: dict[tuple[str, str], datetime] = {}

    async def mobile(self, user: Mapping[str, Any]) -> list[Holding]:
        """Phones, tablets and the like that synchronise the firm's data."""
        params = {"query": f"email:{login_of(user)}", "maxResults": PAGE_SIZE, "fields": MOBILE_LISTED}
        url = f"{self._customer}/devices/mobile"
        listed = await self._google.all(url, "mobiledevices", scope=MOBILE, params=params, limit="devices")
        return [
            Holding(
                HoldingKind.DEVICE,
                str(each["resourceId"]),
                _name(each),
                last_used_at=moment(each.get("lastSync")),
                details=_filled(
                    system=each.get("os"),
                    managed="yes",
                    status=each.get("status"),
                    serial=each.get("serialNumber"),
                ),
            )
            for each in listed
            if each.get("resourceId") and _is_theirs(each, user)
        ]

    async def chrome(self, user: Mapping[str, Any]) -> list[Holding]:
        """Chromebooks that the person used lately, or that are noted as theirs. They are listed alone."""
        params = {
            "query": f"user:{login_of(user)}",
            "maxResults": PAGE_SIZE,
            "projection": "FULL",
            "fields": CHROME_LISTED,
        }
        url = f"{self._customer}/devices/chromeos"
        listed = await self._google.all(url, "chromeosdevices", scope=CHROME, params=params, limit="devices")
        found = []
        for each in listed:
            users = [str(seen.get("email") or "").lower() for seen in each.get("recentUsers") or []]
            known = {str(each.get("annotatedUser") or "").lower(), *users[:1]}
            if each.get("deviceId") and known & set(addresses_of(user)):
                found.append(
                    Holding(
                        HoldingKind.DEVICE,
                        f"chromeos:{each['deviceId']}",
                        str(each.get("model") or each.get("serialNumber") or each["deviceId"]),
                        last_used_at=moment(each.get("lastSync")),
                        details=_filled(
                            system="ChromeOS",
                            managed="no",
                            status=each.get("status"),
                            serial=each.get("serialNumber"),
                        ),
                    )
                )
        return found

    async def wipe(self, user: Mapping[str, Any], device_id: str) -> Job:
        """Have the firm's account or the whole device wiped, as the settings say."""
        return await self._order(user, device_id, self._wipe)

    async def block(self, user: Mapping[str, Any], device_id: str) -> Job:
        """Keep the firm's data from a device."""
        return await self._order(user, device_id, BLOCK)

    async def _order(self, user: Mapping[str, Any], device_id: str, action: str) -> Job:
        if device_id.startswith("chromeos:"):
            raise ConnectorError(
                ErrorKind.UNSUPPORTED,
                "Chromebooks are listed only: disable or reset it in the Admin console (Devices, Chrome).",
            )
        device = await self._read(device_id)
        if device is None:
            raise ConnectorError(ErrorKind.NOT_FOUND, "Google knows no such device.")
        if not _is_theirs(device, user):
            raise ConnectorError(
                ErrorKind.CONFLICT, f"{_name(device)} is not this person's device. Nothing was sent."
            )
        earlier = self._ordered.get((device_id, action))
        if earlier is not None or _shown(device, action) is not None:
            return self._job(device, action, earlier or self._now())
        asked_at = self._ordered[device_id, action] = self._now()
        details = {"action": action, "device": _name(device)}
        handle = _handle(action, device_id, asked_at)
        try:
            answer = await self._google.call(
                "POST",
                f"{self._at(device_id)}/action",
                scope=MOBILE,
                body={"action": action},
                limit="devices",
            )
        except ConnectorError as error:
            if error.kind is not ErrorKind.RETRYABLE:
                del self._ordered[device_id, action]
                raise
            # It may have arrived. Whoever saw an error here would try again, and it is never sent twice.
            return Job(
                handle,
                JobState.UNKNOWN,
                f"{_WORDS[action]} {_name(device)}: whether Google took it is unknown ({error.message})",
                error.request_id,
                details,
            )
        said = f"{_WORDS[action]} {_name(device)}: {_SAID[JobState.QUEUED]}."
        return Job(handle, JobState.QUEUED, said, answer.request_id, details)

    async def job(self, handle: str) -> Job:
        """How far an order has come, read afresh."""
        _, action, device_id, written = handle.split("|", 3)
        asked_at = moment(written)
        if action not in _WORDS or asked_at is None:
            raise ConnectorError(ErrorKind.INVALID, "This is not an order that this connection gave.")
        device = await self._read(device_id)
        if device is None:
            return Job(
                handle,
                JobState.UNKNOWN,
                "Google no longer lists the device. It drops one that was wiped, and one that somebody "
                "deleted from the list; the Admin console's device log says which.",
                details={"action": action},
            )
        return self._job(device, action, asked_at)

    def _job(self, device: Mapping[str, Any], action: str, asked_at: datetime) -> Job:
        state = _shown(device, action)
        if state is None:
            state = JobState.QUEUED if self._now() < asked_at + SHOWS_WITHIN else JobState.UNKNOWN
        details = _filled(
            action=action, device=_name(device), status=device.get("status"), last_seen=device.get("lastSync")
        )
        said = f"{_WORDS[action]} {_name(device)}: {_SAID[state]}."
        if action == BLOCK and state is JobState.DONE:
            said += BLOCKED
        return Job(_handle(action, str(device["resourceId"]), asked_at), state, said, details=details)

    async def _read(self, device_id: str) -> dict[str, Any] | None:
        return await self._google.find(
            self._at(device_id), scope=MOBILE, params={"fields": MOBILE_FIELDS}, limit="devices"
        )

    def _at(self, device_id: str) -> str:
        return f"{self._customer}/devices/mobile/{segment(device_id)}"

    @property
    def _customer(self) -> str:
        return f"{DIRECTORY}/customer/{segment(self._google.customer)}"


def _shown(device: Mapping[str, Any], action: str) -> JobState | None:
    """What the device's status shows of an order; None when it shows nothing of it."""
    status = str(device.get("status") or "").upper().replace(" ", "_")
    if status in _DONE[action]:
        return JobState.DONE
    return JobState.RUNNING if status in _UNDER_WAY[action] else None


def _is_theirs(device: Mapping[str, Any], user: Mapping[str, Any]) -> bool:
    return bool({str(each).lower() for each in device.get("email") or []} & set(addresses_of(user)))


def _name(device: Mapping[str, Any]) -> str:
    return str(device.get("model") or device.get("serialNumber") or device.get("resourceId"))


def _handle(action: str, device_id: str, asked_at: datetime) -> str:
    return f"{HANDLE}|{action}|{device_id}|{asked_at.isoformat()}"


def _filled(**given: object) -> dict[str, str]:
    return {name: str(value) for name, value in given.items() if value}
