"""Reading an access map: by risk, with what is not known said first."""

from __future__ import annotations

from collections import Counter
from typing import Any

from partwell.access.discovery import Found
from partwell.access.models import AccessMap, System
from partwell.access.risks import Level
from partwell.people.actors import Actor
from partwell.people.authorisation import check_office, reading
from partwell.people.models import Client, Person

_CLASSES = ("critical", "high", "normal")


@reading("access.view_map")
def latest_map(
    actor: Actor, *, person: Person | None = None, client: Client | None = None
) -> AccessMap | None:
    """The newest map of this person or client, if there is one. Raises `NotAllowed`."""
    check_office(actor, "access.view_map")
    return AccessMap.objects.filter(person=person, client=client).first()


def map_view(found: AccessMap) -> dict[str, Any]:
    """The map as faces show it: accounts with the most dangerous first, and how far it reaches."""
    accounts = [
        {"system": system["system"], "title": system["title"], "sla_class": system["sla_class"], **account}
        for system in found.systems
        for account in system["accounts"]
    ]
    accounts.sort(
        key=lambda account: (
            -Level[account["risk"].upper()],
            _CLASSES.index(account["sla_class"]),
            account["title"],
            account["login"],
        )
    )
    asked = {system["system"] for system in found.systems}
    return {
        "who": str(found.person or found.client),
        "taken_at": found.taken_at.isoformat(),
        "taken_by": found.taken_by,
        "accounts": accounts,
        "counts": dict(Counter(account["risk"] for account in accounts)),
        "not_asked": [
            {name: system[name] for name in ("system", "title", "found", "reason")}
            for system in found.systems
            if system["found"] in (Found.UNREACHABLE, Found.MANUAL)
        ],
        "ambiguous": [
            {"system": system["system"], "title": system["title"], **account}
            for system in found.systems
            for account in system["ambiguous"]
        ],
        "none_in": [system["title"] for system in found.systems if system["found"] == Found.NONE],
        "connected_since": [
            system.title for system in System.objects.filter(is_enabled=True).exclude(name__in=asked)
        ],
    }
