"""Licences of a user: those assigned directly can be given back, those of a group go with the group."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from partwell.connector_kit.transport import Answer
from partwell.connectors.microsoft365.graph import Graph, segment

CHANGES_LICENCES = "LicenseAssignment.ReadWrite.All"
MAILBOX = (
    "With an Exchange licence the mailbox goes: Exchange keeps it for 30 days, and a licence given again "
    "within them brings it back."
)


@dataclass(frozen=True)
class Licences:
    """What a user has: direct assignments as Graph takes them, and (licence, group that gives it)."""

    direct: tuple[Mapping[str, Any], ...]
    by_group: tuple[tuple[str, str], ...]

    @property
    def count(self) -> int:
        return len(self.direct) + len(self.by_group)


def licences_of(user: Mapping[str, Any]) -> Licences:
    """The licences that a user object shows."""
    direct, by_group = [], []
    for state in user.get("licenseAssignmentStates") or []:
        if group := state.get("assignedByGroup"):
            by_group.append((str(state["skuId"]), str(group)))
        else:
            plans = list(state.get("disabledPlans") or [])
            direct.append({"skuId": str(state["skuId"]), "disabledPlans": plans})
    known = {each["skuId"] for each in direct} | {sku for sku, _ in by_group}
    # Where Graph does not say how a licence came, it counts as assigned directly.
    for each in user.get("assignedLicenses") or []:
        if str(each["skuId"]) not in known:
            plans = list(each.get("disabledPlans") or [])
            direct.append({"skuId": str(each["skuId"]), "disabledPlans": plans})
    return Licences(tuple(direct), tuple(by_group))


async def names_of(graph: Graph, user_id: str) -> dict[str, str]:
    """What the user's licences are called (`SPE_E3`), by their ids."""
    details = await graph.all(
        f"/users/{segment(user_id)}/licenseDetails",
        needs="User.Read.All",
        params={"$select": "skuId,skuPartNumber"},
    )
    return {str(each["skuId"]): str(each.get("skuPartNumber") or each["skuId"]) for each in details}


async def assign(
    graph: Graph, user_id: str, *, add: tuple[Mapping[str, Any], ...] = (), remove: tuple[str, ...] = ()
) -> Answer:
    """Give and take directly assigned licences in one call."""
    return await graph.call(
        "POST",
        f"/users/{segment(user_id)}/assignLicense",
        needs=CHANGES_LICENCES,
        body={"addLicenses": [dict(each) for each in add], "removeLicenses": list(remove)},
        limit="write",
    )
