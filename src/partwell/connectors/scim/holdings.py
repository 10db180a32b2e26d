"""What a user holds beside groups and roles: certificates, and people who report to them.

SCIM shows no sessions, tokens or devices of a user.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from partwell.connector_kit.contract import ConnectorError, ErrorKind, Holding, HoldingKind
from partwell.connector_kit.public_keys import certificate
from partwell.connectors.scim.resources import ENTERPRISE_USER, manager, name, rows
from partwell.connectors.scim.service import ScimService, text_filter


def certificates(user: Mapping[str, Any]) -> list[Holding]:
    """The user's X.509 certificates; a value is base64 of DER (RFC 7643, § 4.1.2)."""
    return [
        certificate(str(each["value"]).encode(), label=str(each.get("display") or ""))
        for each in rows(user, "x509Certificates")
        if each.get("value")
    ]


async def reports(service: ScimService, user_id: str) -> list[Holding]:
    """Users whose manager this is. Compared here as well: a service may ignore the filter.

    Raises UNSUPPORTED where the service refuses the filter.
    """
    try:
        found = await service.find("Users", text_filter(f"{ENTERPRISE_USER}:manager.value", user_id))
    except ConnectorError as error:
        if error.kind not in (ErrorKind.INVALID, ErrorKind.UNSUPPORTED):
            raise
        raise ConnectorError(
            ErrorKind.UNSUPPORTED,
            f"The service cannot be asked who reports to whom; set 'reports: false' in this connection. "
            f"{error.message}",
            request_id=error.request_id,
        ) from None
    return [
        Holding(HoldingKind.OWNED, f"report:{each['id']}", f"manager of {name(each)}")
        for each in found
        if manager(each) == user_id and str(each["id"]) != user_id
    ]
