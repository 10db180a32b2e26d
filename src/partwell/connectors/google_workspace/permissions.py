"""Which scopes the service account needs for what, and which of them an administrator may leave out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from partwell.connector_kit.contract import ConnectorError, ErrorKind
from partwell.connectors.google_workspace import audit, credentials, devices, handover, licences, mailbox
from partwell.connectors.google_workspace.people import USERS
from partwell.connectors.google_workspace.rights import GROUPS, MEMBERS, ROLES
from partwell.connectors.google_workspace.service import Google


@dataclass(frozen=True)
class Permission:
    """One scope. With a `setting` it is needed unless that is off; without an optional one, people do it."""

    scope: str
    what_for: str
    setting: str = ""
    is_optional: bool = False


PERMISSIONS = (
    Permission(USERS, "to find, block, suspend and delete users"),
    Permission(credentials.SECURITY, "to end sessions and withdraw tokens, app passwords and backup codes"),
    Permission(GROUPS, "to read groups"),
    Permission(MEMBERS, "to take people out of groups"),
    Permission(ROLES, "to read and take away administrator roles"),
    Permission(audit.AUDIT, "to prove that a password was changed and sessions were ended", "audit_log"),
    Permission(devices.MOBILE, "to list, wipe and block phones and tablets", "mobile_devices"),
    Permission(devices.CHROME, "to list Chromebooks", "chrome_devices"),
    Permission(mailbox.BASIC, "to read and set up mailboxes, and show who opens them", "gmail"),
    Permission(mailbox.SHARING, "to open mailboxes to successors, and stop forwarding mail", "gmail"),
    Permission(handover.DATA_TRANSFER, "to hand over files and calendars", is_optional=True),
)
LICENSING = Permission(licences.LICENCES, "to release licences", "licences")


def wanted(settings: Mapping[str, Any]) -> list[Permission]:
    """The permissions that these settings ask for."""
    found = [each for each in PERMISSIONS if not each.setting or settings.get(each.setting, True)]
    return found + ([LICENSING] if settings.get("licences") else [])


async def missing(google: Google, settings: Mapping[str, Any]) -> tuple[list[str], list[Permission]]:
    """What is wrong, in words, and which optional permissions were not granted. Raises what is no refusal."""
    problems: list[str] = []
    left_out: list[Permission] = []
    for each in wanted(settings):
        try:
            await google.account.token(google.admin, each.scope)
        except ConnectorError as error:
            if error.kind is not ErrorKind.DENIED:
                raise
            if each.is_optional:
                left_out.append(each)
                continue
            way_out = (
                f" Or set '{each.setting}: {'[]' if each is LICENSING else 'false'}'." if each.setting else ""
            )
            problems.append(
                f"{each.scope} is not granted; it is needed {each.what_for}. {error.message}{way_out}"
            )
    return problems, left_out
