"""What a realm tells of its users: who they are, what they hold, and which of them are never touched."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from partwell.connector_kit.contract import (
    Account,
    ConnectorError,
    Entitlement,
    ErrorKind,
    Holding,
    HoldingKind,
    Identity,
    Nature,
)
from partwell.connectors.keycloak.powers import Asked, Powers
from partwell.connectors.keycloak.service import KeycloakService, as_list, as_object, identifier, segment

User = Mapping[str, Any]
GROUP, REALM_ROLE, CLIENT_ROLE = "group", "role", "client role"
OFFLINE = "Offline Token"


@dataclass(frozen=True)
class Held:
    """A group or a role that a user has directly. `client` is the id of the client whose role it is."""

    kind: str
    id: str
    name: str
    said: str
    client: str = ""
    is_composite: bool = False

    @property
    def asked(self) -> Asked:
        """As its powers are asked for."""
        return Asked(self.id, self.name, self.kind == GROUP, self.client, self.is_composite)


@dataclass(frozen=True)
class Grant:
    """What a user let a client have: consents to scopes, an offline token, or both."""

    client_id: str
    is_offline: bool

    @property
    def said(self) -> str:
        return f"{'offline token' if self.is_offline else 'consent'} for {self.client_id}"


class Realm:
    """The users of one realm."""

    def __init__(self, service: KeycloakService, settings: Mapping[str, Any]) -> None:
        self._service = service
        self._name = str(settings["realm"])
        self._client_id = str(settings["client_id"])
        self._powers = Powers(service, self._name)
        self._number_attribute = str(settings.get("employee_number_attribute", ""))
        self._protected = {str(each).lower() for each in settings.get("protected", ())}
        self._admin_groups = {str(each).lower() for each in settings.get("admin_groups", ())}

    # -- users --------------------------------------------------------------------------------------------

    async def find(self, user_id: str) -> User | None:
        """One user afresh. Raises RETRYABLE when Keycloak returns another one."""
        user = await self._service.find(f"/users/{segment(user_id)}")
        if user is not None and identifier(user) != user_id:
            raise ConnectorError(
                ErrorKind.RETRYABLE, "Keycloak returned another user than the one that was asked for."
            )
        return user

    async def must_find(self, user_id: str) -> User:
        """Raises NOT_FOUND."""
        user = await self.find(user_id)
        if user is None:
            raise ConnectorError(ErrorKind.NOT_FOUND, "There is no such user in Keycloak any more.")
        return user

    async def everybody(self) -> AsyncIterator[list[User]]:
        """All users page by page. Service accounts of clients are not among them."""
        async for page in self._service.pages("/users", {"briefRepresentation": "false"}):
            yield list(page)

    async def matching(self, identity: Identity) -> list[tuple[User, str]]:
        """Every user whom one fact matches exactly, with that fact; compared here too."""
        found: dict[str, tuple[User, str]] = {}
        facts = [("username", name) for name in (*identity.usernames, *identity.emails)]
        facts += [("email", mail) for mail in identity.emails]
        for key, value in dict.fromkeys(facts):
            if not value.strip() or not value.isprintable():
                continue
            for user in await self._service.listed("/users", {key: value, "exact": "true"}):
                if str(user.get(key) or "").casefold() == value.casefold():
                    found.setdefault(identifier(user), (user, f"{key} {value}"))
        for user in await self._with_number(identity.employee_number):
            found.setdefault(identifier(user), (user, f"employee number {identity.employee_number}"))
        # A list may be brief: whoever was found is read whole.
        return [(await self.must_find(user_id), reason) for user_id, (_, reason) in found.items()]

    async def _with_number(self, number: str) -> list[dict[str, Any]]:
        name = self._number_attribute
        if not name or not number or not number.isprintable() or '"' in number:
            return []
        params = {"q": f'{name}:"{number}"', "briefRepresentation": "false"}
        users = await self._service.listed("/users", params)
        return [user for user in users if self._number(user).casefold() == number.casefold()]

    def _number(self, user: User) -> str:
        attributes = user.get("attributes")
        values = attributes.get(self._number_attribute) if isinstance(attributes, Mapping) else None
        return str(values[0]) if isinstance(values, list) and values else ""

    # -- what they hold -----------------------------------------------------------------------------------

    async def held(self, user_id: str) -> list[Held]:
        """Groups, and roles that were given directly; not the role that everybody in the realm has."""
        path = f"/users/{segment(user_id)}"
        groups = await self._service.listed(f"{path}/groups")
        counted = as_object(await self._service.get(f"{path}/groups/count")).get("count")
        if counted != len(groups):
            # It counts all of them, and lists those that Partwell may see.
            raise ConnectorError(
                ErrorKind.DENIED,
                f"Keycloak counts {counted} groups of the user and shows {len(groups)}: Partwell may not see "
                "them all.",
            )
        found = [
            Held(GROUP, identifier(each), str(each.get("path") or each.get("name")), _group_said(each))
            for each in groups
        ]
        mappings = as_object(await self._service.get(f"{path}/role-mappings"))
        for role in as_list(mappings.get("realmMappings") or []):
            name = str(role.get("name"))
            if name != f"default-roles-{self._name.lower()}":
                composite = role.get("composite") is True
                found.append(Held(REALM_ROLE, identifier(role), name, f"role {name}", is_composite=composite))
        for client in as_object(mappings.get("clientMappings") or {}).values():
            client = as_object(client)
            for role in as_list(client.get("mappings") or []):
                said = f"role {role.get('name')} of {client.get('client')}"
                name, composite = str(role.get("name")), role.get("composite") is True
                found.append(Held(CLIENT_ROLE, identifier(role), name, said, identifier(client), composite))
        return found

    async def sessions(self, user_id: str) -> list[dict[str, Any]]:
        """Sign-ins that are open; offline sessions are none of them."""
        return as_list(await self._service.get(f"/users/{segment(user_id)}/sessions"))

    async def grants(self, user_id: str) -> list[Grant]:
        """Clients with a consent or an offline token of the user."""
        listed = as_list(await self._service.get(f"/users/{segment(user_id)}/consents"))
        found = []
        for each in listed:
            client, extra = each.get("clientId"), each.get("additionalGrants") or []
            if not isinstance(client, str) or not client:
                raise ConnectorError(ErrorKind.RETRYABLE, "Keycloak listed a consent without its client.")
            found.append(Grant(client, any(grant.get("key") == OFFLINE for grant in as_list(extra))))
        return found

    async def holdings(self, user_id: str) -> list[Holding]:
        """Sign-ins, consents and offline tokens, and what the user signs in with."""
        sessions = [_session(each) for each in await self.sessions(user_id)]
        grants = [
            Holding(HoldingKind.TOKEN, each.client_id, each.said, details={"client": each.client_id})
            for each in await self.grants(user_id)
        ]
        credentials = as_list(await self._service.get(f"/users/{segment(user_id)}/credentials"))
        keys = [
            Holding(
                HoldingKind.KEY, identifier(each), f"{each.get('type')} {each.get('userLabel') or ''}".strip()
            )
            for each in credentials
        ]
        return [*sessions, *grants, *keys]

    # -- accounts -----------------------------------------------------------------------------------------

    async def account(self, user: User, matched_by: str = "") -> Account:
        """The user with groups, roles, sign-ins and whether it is protected."""
        user_id = identifier(user)
        held = await self.held(user_id)
        powers, besides = await self._powers.of(user_id, [each.asked for each in held])
        return self.summary(
            user,
            matched_by=matched_by,
            entitlements=tuple(
                Entitlement(each.kind, each.id, each.said, powers.get(each.id, "")) for each in held
            ),
            powers=besides,
            open_sessions=len(await self.sessions(user_id)),
            is_protected=bool(await self.why_protected(user, held)),
        )

    def summary(self, user: User, **more: Any) -> Account:
        """The user as far as the record itself tells."""
        is_service = bool(user.get("serviceAccountClientId"))
        email, link = user.get("email"), user.get("federationLink")
        more.setdefault("is_protected", bool(self._why_listed(user)))
        return Account(
            external_id=identifier(user),
            login=str(user.get("username") or identifier(user)),
            display_name=" ".join(str(user[key]) for key in ("firstName", "lastName") if user.get(key)),
            is_active=user["enabled"] if isinstance(user.get("enabled"), bool) else None,
            details={"kept in": "a directory that Keycloak reads"} if link else {},
            emails=(str(email),) if email else (),
            employee_number=self._number(user) if self._number_attribute else "",
            nature=Nature.SERVICE if is_service else Nature.PERSON,
            **more,
        )

    # -- left alone ---------------------------------------------------------------------------------------

    async def refuse_protected(self, user: User) -> None:
        """Raise CONFLICT for a user who is never touched."""
        if reason := await self.why_protected(user, await self.held(identifier(user))):
            raise ConnectorError(
                ErrorKind.CONFLICT, f"{user.get('username')} is protected: {reason}. Nothing was changed."
            )

    async def why_protected(self, user: User, held: list[Held]) -> str:
        """Why a user is never touched, in words; empty when it may be."""
        if reason := self._why_listed(user):
            return reason
        user_id = identifier(user)
        for each in held:
            path = ""
            if each.kind == CLIENT_ROLE and each.name == "realm-admin":
                path = f"/clients/{segment(each.client)}/roles/realm-admin/users"
            elif each.kind == REALM_ROLE and (self._name, each.name) == ("master", "admin"):
                path = "/roles/admin/users"
            elif each.kind == GROUP and {each.name.lower(), each.name.rpartition("/")[2].lower()} & (
                self._admin_groups
            ):
                path = f"/groups/{segment(each.id)}/members"
            if path and not await self._has_other_active(path, user_id):
                return f"it is the last active user with {each.said}"
        return ""

    def _why_listed(self, user: User) -> str:
        if user.get("serviceAccountClientId") == self._client_id:
            return "Partwell signs in as it"
        if {identifier(user).lower(), str(user.get("username", "")).lower()} & self._protected:
            return "it is on this connection's list of protected accounts"
        return ""

    async def _has_other_active(self, path: str, user_id: str) -> bool:
        return any(
            other.get("enabled") is True
            and identifier(other) != user_id
            and other.get("serviceAccountClientId") != self._client_id
            for other in await self._service.listed(path)
        )


def _group_said(group: Mapping[str, Any]) -> str:
    return f"group {group.get('path') or group.get('name')}"


def _session(each: Mapping[str, Any]) -> Holding:
    clients = each.get("clients")
    where = ", ".join(map(str, clients.values())) if isinstance(clients, Mapping) and clients else "no client"
    used = each.get("lastAccess")
    return Holding(
        HoldingKind.SESSION,
        identifier(each),
        f"sign-in from {each.get('ipAddress') or 'an address that is not told'}, at {where}",
        last_used_at=datetime.fromtimestamp(used / 1000, UTC) if isinstance(used, int) and used > 0 else None,
        details={"client_address": str(each.get("ipAddress") or "")},
    )
