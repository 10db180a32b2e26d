"""Which groups and roles of a user rule the realm, however they are called.

Keycloak itself works out what a user may do, through groups, their parents and composite roles. Only of the
few who may rule anything is each group and role asked, so that the map can say by which way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from partwell.connector_kit.contract import ConnectorError, ErrorKind
from partwell.connectors.keycloak.service import KeycloakService, as_list, identifier, segment

# Roles of the client that holds a realm's administration.
_RULING = {
    "realm-admin": "administers the realm",
    "manage-realm": "changes the realm",
    "manage-users": "changes every user",
    "manage-clients": "changes every client",
    "manage-identity-providers": "decides whose sign-ins are taken",
    "manage-authorization": "changes what clients let people do",
    "impersonation": "may act as every user",
}
# Roles of the realm "master", whose administrators rule the other realms.
_RULING_MASTER = {"admin": "administers every realm", "create-realm": "makes realms and administers them"}
_IN_REALM = ""
MOST_ROLES = 1000


@dataclass(frozen=True)
class Asked:
    """A group, or a role with its client's id (none for a role of the realm)."""

    id: str
    name: str
    is_group: bool = False
    client: str = ""
    is_composite: bool = False


class Powers:
    """What rules the realm, and who has it."""

    def __init__(self, service: KeycloakService, realm: str) -> None:
        self._service = service
        self._is_master = realm == "master"
        self._client_name = "master-realm" if self._is_master else "realm-management"
        self._client_id = ""

    async def of(self, user_id: str, held: Sequence[Asked]) -> tuple[dict[str, str], tuple[str, ...]]:
        """What makes groups and roles of a user dangerous, by their id; and what the user has besides."""
        has = await self._effective(f"/users/{segment(user_id)}")
        if not has:
            return {}, ()
        found: dict[str, str] = {}
        told: set[tuple[str, str]] = set()
        for each in held:
            rules = await self._of(each)
            told |= rules
            own = (each.client, each.name)
            if own in rules and not each.is_group:
                found[each.id] = self._words(own)
            elif rules:
                found[each.id] = f"inherits {self._names(rules)}"
        besides = has - told
        return found, (f"has {self._names(besides)} besides its groups and roles",) if besides else ()

    async def _of(self, each: Asked) -> set[tuple[str, str]]:
        """What a group or role rules by."""
        if each.is_group:
            return await self._effective(f"/groups/{segment(each.id)}")
        found, seen, new = set[tuple[str, str]](), {each.id}, [each]
        while new:
            role = new.pop()
            if self._words((role.client, role.name)):
                found.add((role.client, role.name))
            if not role.is_composite:
                continue
            for child in as_list(await self._service.get(f"/roles-by-id/{segment(role.id)}/composites")):
                if identifier(child) not in seen:
                    seen.add(identifier(child))
                    new.append(_asked(child))
            if len(seen) > MOST_ROLES:
                raise ConnectorError(
                    ErrorKind.INVALID, f"The role {each.name} is made of more than {MOST_ROLES} others."
                )
        return found

    async def _effective(self, path: str) -> set[tuple[str, str]]:
        """The ruling roles that a user or a group has by any way."""
        client = await self._management()
        roles = await self._service.get(f"{path}/role-mappings/clients/{segment(client)}/composite")
        found = {(client, str(role.get("name"))) for role in as_list(roles)}
        if self._is_master:
            roles = await self._service.get(f"{path}/role-mappings/realm/composite")
            found |= {(_IN_REALM, str(role.get("name"))) for role in as_list(roles)}
        return {role for role in found if self._words(role)}

    async def _management(self) -> str:
        """The id of the client that holds the realm's administration. Raises DENIED when it is hidden."""
        if not self._client_id:
            listed = as_list(await self._service.get("/clients", {"clientId": self._client_name}))
            ids = [identifier(each) for each in listed if each.get("clientId") == self._client_name]
            if not ids:
                raise ConnectorError(
                    ErrorKind.DENIED,
                    f"Keycloak does not show the client {self._client_name}, so it is not known who rules "
                    "the realm. Partwell's service account needs view-clients.",
                )
            self._client_id = ids[0]
        return self._client_id

    def _words(self, role: tuple[str, str]) -> str:
        client, name = role
        if client == self._client_id:
            return _RULING.get(name, "")
        return _RULING_MASTER.get(name, "") if self._is_master and client == _IN_REALM else ""

    def _names(self, roles: set[tuple[str, str]]) -> str:
        """For people. One who administers the realm has all the others with it."""
        for top in ((_IN_REALM, "admin"), (self._client_id, "realm-admin")):
            if top in roles:
                roles = {top}
        named = sorted(f"{name} of {self._client_name}" if client else name for client, name in roles)
        return ", ".join(named)


def _asked(role: dict[str, Any]) -> Asked:
    container = str(role.get("containerId") or "")
    return Asked(
        identifier(role),
        str(role.get("name")),
        client=container if role.get("clientRole") else _IN_REALM,
        is_composite=role.get("composite") is True,
    )
