"""What a user holds beside groups and policies, and which roles name the user."""

from __future__ import annotations

import json
from typing import Any

from partwell.connector_kit.contract import ConnectorError, ErrorKind, Holding, HoldingKind
from partwell.connectors.aws.answers import document, moment, rows, text
from partwell.connectors.aws.credentials import Credentials
from partwell.connectors.aws.service import Service
from partwell.connectors.aws.users import User


async def holdings_of(user: User, service: Service, credentials: Credentials) -> list[Holding]:
    """Keys, credentials, certificates, devices; and as owned, the roles that name this user in their trust.

    IAM records no owner of anything. A role whose trust policy names the user needs somebody else in it.
    """
    ways = await credentials.of(user.name)
    devices = await credentials.mfa_devices(user.name)
    return [
        *(each.holding for each in ways.credentials),
        *(_device(each) for each in devices),
        *await _roles_that_name(user, service),
    ]


def _device(given: dict[str, Any]) -> Holding:
    serial, since = text(given, "SerialNumber"), moment(given, "EnableDate")
    details = {"since": since.date().isoformat()} if since else {}
    return Holding(HoldingKind.DEVICE, serial, f"MFA device {serial.rpartition('/')[2]}", details=details)


async def _roles_that_name(user: User, service: Service) -> list[Holding]:
    found = []
    async for result in service.results("GetAccountAuthorizationDetails", Filter=["Role"], MaxItems="100"):
        for role in rows(result, "RoleDetailList"):
            trust = document(role, "AssumeRolePolicyDocument")
            if {user.arn, user.id} & _trusted(trust):
                name = text(role, "RoleName")
                why = {"why": "its trust policy names this user"}
                found.append(Holding(HoldingKind.OWNED, text(role, "Arn"), f"role {name}", details=why))
    return found


def _trusted(trust: str) -> set[str]:
    """Whom a trust policy names."""
    try:
        content = json.loads(trust)
    except (ValueError, RecursionError):
        raise ConnectorError(ErrorKind.RETRYABLE, "AWS gave a trust policy that is not JSON.") from None
    statements = content.get("Statement", []) if isinstance(content, dict) else []
    named: set[str] = set()
    for statement in statements if isinstance(statements, list) else [statements]:
        principal = statement.get("Principal") if isinstance(statement, dict) else None
        given = principal.get("AWS", []) if isinstance(principal, dict) else []
        named |= {str(each) for each in (given if isinstance(given, list) else [given])}
    return named
