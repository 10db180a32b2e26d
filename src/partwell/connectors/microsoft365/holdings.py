"""What a user holds beside groups and roles: devices, sign-in methods, grants to apps, owned things.

Sessions and app passwords are not among them: Graph lists neither.
"""

from __future__ import annotations

from typing import Any

from partwell.connector_kit.contract import Holding, HoldingKind
from partwell.connectors.microsoft365.devices import MANAGED_FIELDS, READS_DEVICES
from partwell.connectors.microsoft365.grants import AppNames, grants_of
from partwell.connectors.microsoft365.graph import Graph, moment, segment

READS_METHODS = "UserAuthenticationMethod.Read.All (or 'sign_in_methods: false' in the settings)"
READS_DIRECTORY = "Directory.Read.All"
_PASSWORD = "#microsoft.graph.passwordAuthenticationMethod"  # noqa: S105 - the name of a type
_METHODS = {
    "fido2": "FIDO2 security key",
    "phone": "phone",
    "email": "e-mail for resetting the password",
    "microsoftAuthenticator": "Microsoft Authenticator",
    "softwareOath": "software token",
    "temporaryAccessPass": "temporary access pass",
    "windowsHelloForBusiness": "Windows Hello for Business",
    "platformCredential": "platform credential",
    "external": "external method",
}


async def devices(graph: Graph, user_id: str, *, intune: bool) -> list[Holding]:
    """Registered devices, and those that Intune manages. Only the latter can be wiped."""
    registered = await graph.all(
        f"/users/{segment(user_id)}/registeredDevices",
        needs=READS_DIRECTORY,
        params={"$select": "id,displayName,operatingSystem,approximateLastSignInDateTime,deviceId"},
    )
    managed = []
    if intune:
        managed = await graph.all(
            f"/users/{segment(user_id)}/managedDevices",
            needs=READS_DEVICES,
            params={"$select": MANAGED_FIELDS},
        )
    by_directory_id = {str(each.get("azureADDeviceId") or ""): each for each in managed}
    found = [_managed(each) for each in managed]
    for each in registered:
        if str(each.get("deviceId") or "none") in by_directory_id:
            continue  # the same device, shown once, by the id that can be wiped
        found.append(
            Holding(
                HoldingKind.DEVICE,
                str(each["id"]),
                str(each.get("displayName") or each["id"]),
                last_used_at=moment(each.get("approximateLastSignInDateTime")),
                details={"system": str(each.get("operatingSystem") or ""), "managed": "no"},
            )
        )
    return found


def _managed(device: dict[str, Any]) -> Holding:
    return Holding(
        HoldingKind.DEVICE,
        str(device["id"]),
        str(device.get("deviceName") or device["id"]),
        last_used_at=moment(device.get("lastSyncDateTime")),
        details={
            "system": str(device.get("operatingSystem") or ""),
            "managed": "yes",
            "owner": str(device.get("managedDeviceOwnerType") or "unknown"),
            "serial": str(device.get("serialNumber") or ""),
        },
    )


async def sign_in_methods(graph: Graph, user_id: str) -> list[Holding]:
    """What the user signs in with beside the password. Suspending makes them useless; none is removed."""
    listed = await graph.all(
        f"/users/{segment(user_id)}/authentication/methods", needs=READS_METHODS, limit="reports"
    )
    found = []
    for each in listed:
        kind = str(each.get("@odata.type") or "")
        if kind == _PASSWORD:
            continue
        short = kind.removeprefix("#microsoft.graph.").removesuffix("AuthenticationMethod")
        name = _METHODS.get(short, short or "sign-in method")
        if label := each.get("displayName"):
            name += f" {label}"
        found.append(Holding(HoldingKind.KEY, str(each["id"]), name, details={"type": short}))
    return found


async def grants(graph: Graph, user_id: str) -> list[Holding]:
    """Applications that act in the user's name, with what they may do."""
    names = AppNames(graph)
    return [
        Holding(
            HoldingKind.TOKEN,
            str(each["id"]),
            await names.name(str(each["clientId"])),
            details={"scope": " ".join(str(each.get("scope") or "").split())},
        )
        for each in await grants_of(graph, user_id)
    ]


async def owned(graph: Graph, user_id: str) -> list[Holding]:
    """Groups, applications and service principals that the user owns."""
    listed = await graph.all(
        f"/users/{segment(user_id)}/ownedObjects",
        needs=READS_DIRECTORY,
        params={"$select": "id,displayName"},
    )
    return [
        Holding(
            HoldingKind.OWNED,
            str(each["id"]),
            str(each.get("displayName") or each["id"]),
            details={"type": str(each.get("@odata.type") or "").removeprefix("#microsoft.graph.")},
        )
        for each in listed
    ]
