"""Groups that name a user, and roles and entitlements that stand in the user itself."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from partwell.connector_kit.contract import Entitlement, ErrorKind
from partwell.connector_kit.failures import together, try_each
from partwell.connector_kit.transport import Answer
from partwell.connectors.scim.resources import members, name, rows
from partwell.connectors.scim.service import ScimService, text_filter

# Attributes of a user that let somebody do something, and what one value of them is called.
ATTRIBUTES = {"roles": "role", "entitlements": "entitlement"}


def own_rights(user: Mapping[str, Any]) -> list[Entitlement]:
    """Roles and entitlements in the user itself."""
    return [
        Entitlement(kind, _mark(each), str(each.get("display") or _mark(each)))
        for attribute, kind in ATTRIBUTES.items()
        for each in rows(user, attribute)
    ]


def saved(user: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The same as the service wrote them, for a snapshot."""
    return {attribute: rows(user, attribute) for attribute in ATTRIBUTES}


def names(held: list[Entitlement]) -> str:
    """For people."""
    return ", ".join(f"{each.kind} {each.name}" for each in held[:10])


class Rights:
    """The rights of the users of one service."""

    def __init__(self, service: ScimService, *, has_groups: bool) -> None:
        self._service = service
        self._has_groups = has_groups

    async def groups(self, user_id: str) -> list[dict[str, Any]]:
        """The groups that have this user as a member, none where the connection has no groups."""
        if not self._has_groups:
            return []
        found = await self._service.find("Groups", text_filter("members.value", user_id))
        # A service may ignore the filter and return every group; one that leaves members out is believed.
        return [g for g in found if "members" not in g or user_id in members(g)]

    async def take(self, user_id: str, groups: list[dict[str, Any]]) -> tuple[list[Answer], dict[str, Any]]:
        """Leave these groups, then remove roles and entitlements that are still there. One that refuses does
        not stop the others. The answers, and what was asked. Raises with all that failed."""
        leaving = {"op": "remove", "path": f"members[{text_filter('value', user_id)}]"}
        patch = self._service.patch_or_gone
        asked: dict[str, Any] = {**leaving, "groups": [name(group) for group in groups]} if groups else {}
        done, failures = await try_each(
            [(name(group), partial(patch, "Groups", str(group["id"]), leaving)) for group in groups]
        )
        number = len(groups)
        if not any(error.kind is ErrorKind.THROTTLED for _, error in failures):
            # Looked at only now: a role may have come through a group, and be gone with it.
            user = await self._service.get("Users", user_id) or {}
            held = {attribute: each for attribute in ATTRIBUTES if (each := rows(user, attribute))}
            asked |= {attribute: [_mark(row) for row in each] for attribute, each in held.items()}
            more, refused = await try_each(
                [
                    (attribute, partial(patch, "Users", user_id, {"op": "remove", "path": attribute}))
                    for attribute in held
                ]
            )
            done, failures, number = done + more, failures + refused, number + len(held)
        if failures:
            raise together(f"{len(done)} of {number} requests are done.", failures)
        return [answer for _, answer in done if answer], asked

    async def give(self, user: Mapping[str, Any], state: Mapping[str, Any]) -> int:
        """Give back what the snapshot has and the user has not; how much that was. Groups deleted since are
        named, not made anew. Raises with all that failed."""
        user_id = str(user["id"])
        present = {str(group["id"]) for group in await self.groups(user_id)}
        joining = {"op": "add", "path": "members", "value": [{"value": user_id}]}
        wanted = [
            (str(group["name"]), "Groups", str(group["id"]), joining)
            for group in state.get("groups", [])
            if group["id"] not in present
        ]
        for attribute in ATTRIBUTES:
            held = {_mark(each) for each in rows(user, attribute)}
            missing = [each for each in rows(state, attribute) if _mark(each) not in held]
            if missing:
                adding = {"op": "add", "path": attribute, "value": missing}
                wanted.append((attribute, "Users", user_id, adding))
        done, failures = await try_each(
            [(what, partial(self._service.patch, kind, id_, asked)) for what, kind, id_, asked in wanted]
        )
        if failures:
            raise together(f"{len(done)} of {len(wanted)} requests are done.", failures)
        return len(wanted)


def _mark(row: Mapping[str, Any]) -> str:
    """By what a role or entitlement is told from another."""
    return str(row.get("value") or row.get("display") or row.get("type") or "")
