"""What lets a user in: the console password, access keys, SSH keys, service credentials, certificates."""

from __future__ import annotations

import secrets as random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from partwell.connector_kit.contract import ConnectorError, ErrorKind, Holding, HoldingKind
from partwell.connector_kit.pacing import side_by_side
from partwell.connectors.aws.answers import moment, text
from partwell.connectors.aws.service import Service

ACTIVE, INACTIVE = "Active", "Inactive"


@dataclass(frozen=True)
class Kind:
    """One kind of credential, and what AWS calls it."""

    name: str
    title: str
    holding: HoldingKind
    lists: str
    list_name: str
    id_name: str
    updates: str
    deletes: str
    created: str


KINDS = {
    kind.name: kind
    for kind in (
        Kind(
            "access_key",
            "access key",
            HoldingKind.KEY,
            "ListAccessKeys",
            "AccessKeyMetadata",
            "AccessKeyId",
            "UpdateAccessKey",
            "DeleteAccessKey",
            "CreateDate",
        ),
        Kind(
            "ssh_key",
            "SSH key",
            HoldingKind.KEY,
            "ListSSHPublicKeys",
            "SSHPublicKeys",
            "SSHPublicKeyId",
            "UpdateSSHPublicKey",
            "DeleteSSHPublicKey",
            "UploadDate",
        ),
        Kind(
            "service_credential",
            "service credential",
            HoldingKind.TOKEN,
            "ListServiceSpecificCredentials",
            "ServiceSpecificCredentials",
            "ServiceSpecificCredentialId",
            "UpdateServiceSpecificCredential",
            "DeleteServiceSpecificCredential",
            "CreateDate",
        ),
        Kind(
            "certificate",
            "signing certificate",
            HoldingKind.KEY,
            "ListSigningCertificates",
            "Certificates",
            "CertificateId",
            "UpdateSigningCertificate",
            "DeleteSigningCertificate",
            "UploadDate",
        ),
    )
}


@dataclass(frozen=True)
class Credential:
    """One credential. A status that is not known to us counts as open."""

    kind: Kind
    id: str
    status: str
    created_at: datetime | None = None
    last_used_at: datetime | None = None
    service: str = ""

    @property
    def is_active(self) -> bool:
        """Whether it lets somebody in."""
        return self.status not in (INACTIVE, "Expired")

    @property
    def label(self) -> str:
        """For people."""
        return f"{self.kind.title} {self.id}" + (f" ({self.service})" if self.service else "")

    @property
    def holding(self) -> Holding:
        """As it is listed among what the user holds."""
        details = {"status": self.status.lower()}
        if self.created_at:
            details["since"] = self.created_at.date().isoformat()
        return Holding(self.kind.holding, self.id, self.label, self.last_used_at, details)


@dataclass(frozen=True)
class WaysIn:
    """All that lets one user in."""

    has_password: bool
    credentials: tuple[Credential, ...]

    @property
    def open(self) -> list[Credential]:
        """The credentials that work."""
        return [each for each in self.credentials if each.is_active]

    @property
    def any(self) -> bool:
        """Whether anything lets the user in."""
        return self.has_password or bool(self.open)

    @property
    def last_used_at(self) -> datetime | None:
        """When a credential was used last, as far as AWS tells: of access keys alone."""
        return max((each.last_used_at for each in self.credentials if each.last_used_at), default=None)

    @property
    def said(self) -> str:
        """In words."""
        inactive = len(self.credentials) - len(self.open)
        password = "a console password" if self.has_password else "no console password"
        names = ", ".join(each.label for each in self.open) or "no active key or credential"
        return f"{password}; {names}; {inactive} inactive"


class Credentials:
    """The credentials of users of one account. Without `service_specific` that kind is left alone."""

    def __init__(self, service: Service, *, service_specific: bool) -> None:
        self._service = service
        self._kinds = [
            kind for kind in KINDS.values() if service_specific or kind.name != "service_credential"
        ]

    async def of(self, user_name: str) -> WaysIn:
        """All that lets the user in, read afresh."""

        async def listed(kind: Kind) -> list[Credential]:
            return await self._listed(user_name, kind)

        has_password = await self._has_password(user_name)
        found = await side_by_side(listed, self._kinds, at_once=len(self._kinds))
        return WaysIn(has_password, tuple(each for of_kind in found for each in of_kind))

    async def access_keys(self, user_name: str) -> list[Credential]:
        """The access keys alone."""
        return await self._listed(user_name, KINDS["access_key"])

    async def set_status(self, user_name: str, credential: Credential, status: str) -> str:
        """Switch one on or off; AWS's id for the request. Raises NOT_FOUND when it is gone."""
        kind = credential.kind
        given = {"UserName": user_name, kind.id_name: credential.id, "Status": status}
        return (await self._service.tell(kind.updates, **given)).request_id

    async def delete(self, user_name: str, credential: Credential) -> None:
        """Delete one. Raises NOT_FOUND when it is gone."""
        kind = credential.kind
        await self._service.tell(kind.deletes, **{"UserName": user_name, kind.id_name: credential.id})

    async def delete_password(self, user_name: str) -> str:
        """Take the console password away. Raises NOT_FOUND when there is none."""
        return (await self._service.tell("DeleteLoginProfile", UserName=user_name)).request_id

    async def give_unknown_password(self, user_name: str) -> str:
        """Give the user a console password that nobody knows; an administrator sets another one."""
        unknown = f"{random.token_urlsafe(48)}aA1!"
        told = await self._service.tell(
            "CreateLoginProfile", UserName=user_name, Password=unknown, PasswordResetRequired="true"
        )
        return told.request_id

    async def mfa_devices(self, user_name: str) -> list[dict[str, Any]]:
        """The devices for the second factor."""
        return await self._service.all("ListMFADevices", "MFADevices", UserName=user_name)

    async def delete_mfa_device(self, user_name: str, serial: str) -> None:
        """Take a device away; a virtual one exists no more afterwards."""
        await self._service.tell("DeactivateMFADevice", UserName=user_name, SerialNumber=serial)
        if ":mfa/" in serial:
            await self._service.tell("DeleteVirtualMFADevice", SerialNumber=serial)

    async def _has_password(self, user_name: str) -> bool:
        try:
            await self._service.ask("GetLoginProfile", UserName=user_name)
        except ConnectorError as error:
            if error.kind is ErrorKind.NOT_FOUND:
                return False
            raise
        return True

    async def _listed(self, user_name: str, kind: Kind) -> list[Credential]:
        listed = await self._service.all(kind.lists, kind.list_name, UserName=user_name)
        found = [
            Credential(
                kind,
                text(each, kind.id_name),
                text(each, "Status"),
                moment(each, kind.created),
                service=str(each.get("ServiceName") or ""),
            )
            for each in listed
        ]
        if kind.name != "access_key":
            return found
        return [replace(each, last_used_at=await self._last_used(each.id)) for each in found]

    async def _last_used(self, key_id: str) -> datetime | None:
        result = await self._service.ask("GetAccessKeyLastUsed", AccessKeyId=key_id)
        used = result.get("AccessKeyLastUsed")
        return moment(used, "LastUsedDate") if isinstance(used, dict) else None


def saved(ways: WaysIn) -> dict[str, Any]:
    """What it takes to put it back."""
    return {
        "has_password": ways.has_password,
        "credentials": [{"kind": e.kind.name, "id": e.id, "status": e.status} for e in ways.credentials],
    }


def were_active(state: Mapping[str, Any]) -> set[str]:
    """The ids of the credentials that a snapshot shows as active."""
    return {str(each["id"]) for each in state.get("credentials", []) if each.get("status") == ACTIVE}
