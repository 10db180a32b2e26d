"""What a user let applications do in their name (delegated permission grants)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from partwell.connector_kit.transport import Answer
from partwell.connectors.microsoft365.graph import Graph, segment

READS_GRANTS = "Directory.Read.All"
CHANGES_GRANTS = "DelegatedPermissionGrant.ReadWrite.All"
READS_APPS = "Directory.Read.All"
_KEPT = ("clientId", "consentType", "principalId", "resourceId", "scope")


async def grants_of(graph: Graph, user_id: str) -> list[dict[str, Any]]:
    """The grants of this one user; what an administrator granted for everybody is not theirs."""
    listed = await graph.all(f"/users/{segment(user_id)}/oauth2PermissionGrants", needs=READS_GRANTS)
    return [each for each in listed if each.get("consentType") == "Principal"]


def saved(grant: Mapping[str, Any]) -> dict[str, Any]:
    """What it takes to make the grant again."""
    return {name: grant.get(name) for name in _KEPT}


async def withdraw(graph: Graph, grant: Mapping[str, Any]) -> Answer:
    """Delete one grant. Raises NOT_FOUND when it is gone already."""
    path = f"/oauth2PermissionGrants/{segment(str(grant['id']))}"
    return await graph.call("DELETE", path, needs=CHANGES_GRANTS, limit="write")


async def grant_again(graph: Graph, wanted: Mapping[str, Any]) -> Answer:
    """Make a grant as it was."""
    return await graph.call(
        "POST", "/oauth2PermissionGrants", needs=CHANGES_GRANTS, body=dict(wanted), limit="write"
    )


class AppNames:
    """Names of applications by the ids of their service principals, each asked for once."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._names: dict[str, str] = {}

    async def name(self, principal_id: str) -> str:
        """The application's name; its id where Graph knows none."""
        if principal_id not in self._names:
            found = await self._graph.get(
                f"/servicePrincipals/{segment(principal_id)}",
                needs=READS_APPS,
                params={"$select": "id,displayName"},
            )
            self._names[principal_id] = str((found or {}).get("displayName") or principal_id)
        return self._names[principal_id]
