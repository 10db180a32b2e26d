"""Deleting a user: AWS wants everything that hangs on it gone first."""

from __future__ import annotations

from collections.abc import Awaitable

from partwell.connector_kit.contract import ConnectorError, ErrorKind
from partwell.connectors.aws.credentials import Credentials
from partwell.connectors.aws.policies import DENY_ALL, END_SESSIONS, Policies
from partwell.connectors.aws.rights import Rights
from partwell.connectors.aws.service import Service
from partwell.connectors.aws.users import User


async def delete_user(
    user: User, service: Service, credentials: Credentials, policies: Policies, rights: Rights
) -> str:
    """Delete what lets the user in, then what lets them do something, Partwell's denials last, then the user.

    AWS's id for the last request. What is gone already is passed over, so that a second attempt goes on.
    """
    name = user.name
    ways = await credentials.of(name)
    if ways.has_password:
        await _gone(credentials.delete_password(name))
    for credential in ways.credentials:
        await _gone(credentials.delete(name, credential))
    for device in await credentials.mfa_devices(name):
        await _gone(credentials.delete_mfa_device(name, str(device.get("SerialNumber") or "")))
    for right in await rights.of(name):
        await _gone(rights.take(name, right))
    for policy in (END_SESSIONS, DENY_ALL):
        await _gone(policies.remove(name, policy))
    return (await service.tell("DeleteUser", UserName=name)).request_id


async def _gone(step: Awaitable[object]) -> None:
    try:
        await step
    except ConnectorError as error:
        if error.kind is not ErrorKind.NOT_FOUND:
            raise
