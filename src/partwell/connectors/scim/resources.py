"""What a user or group says of itself. Services differ in form, and nothing here raises on that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ENTERPRISE_USER = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"


def active(user: Mapping[str, Any]) -> bool | None:
    """`active` as a boolean; some services send it as text. None when the service does not say."""
    value = user.get("active")
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.lower())
    return value if isinstance(value, bool) else None


def values(user: Mapping[str, Any], attribute: str) -> set[str]:
    """The attribute's values in lower case, for comparing."""
    if attribute != "emails":
        return {str(user.get(attribute, "")).lower()}
    emails = user.get("emails") or []
    return {str(e.get("value", "")).lower() for e in emails if isinstance(e, dict)}


def rows(user: Mapping[str, Any], attribute: str) -> list[dict[str, Any]]:
    """The values of a multi-valued attribute, each as an object; some services send plain text."""
    given = user.get(attribute)
    listed = given if isinstance(given, list) else [] if given is None else [given]
    return [each if isinstance(each, dict) else {"value": str(each)} for each in listed if each]


def extension(user: Mapping[str, Any]) -> Mapping[str, Any]:
    """The enterprise extension, empty where there is none."""
    given = user.get(ENTERPRISE_USER)
    return given if isinstance(given, dict) else {}


def employee_number(user: Mapping[str, Any]) -> str:
    """The number that the service keeps for whoever provisions it, or the enterprise extension's."""
    return str(user.get("externalId") or extension(user).get("employeeNumber") or "")


def manager(user: Mapping[str, Any]) -> str:
    """The id of the user's manager, or nothing."""
    given = extension(user).get("manager")
    return str((given.get("value") if isinstance(given, dict) else given) or "")


def members(group: Mapping[str, Any]) -> list[str]:
    """The ids of a group's members."""
    return [str(m.get("value", "")) for m in group.get("members") or [] if isinstance(m, dict)]


def name(resource: Mapping[str, Any]) -> str:
    """How people call a user or a group."""
    return str(resource.get("displayName") or resource.get("userName") or resource["id"])
