"""Licences of a user. Google tells them only product by product, so the settings name those to look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from partwell.connector_kit.contract import ConnectorError, ErrorKind
from partwell.connectors.google_workspace.people import login_of
from partwell.connectors.google_workspace.service import LICENSING, Google, segment

LICENCES = "apps.licensing"
NONE_NAMED = (
    "The setting 'licences' names none, and Google tells a person's licences only product by product. Name "
    "them, or leave 'release_licence' out of this system."
)
AUTOMATIC = "Where licences are assigned automatically, switch that off for the person first."


class Licences:
    """The licences that the settings name as product/SKU, such as `Google-Apps/1010020020`."""

    def __init__(self, google: Google, named: Sequence[str]) -> None:
        self._google = google
        self._named = tuple(named)

    async def of(self, user: Mapping[str, Any]) -> list[str]:
        """Which of them the user has. Raises UNSUPPORTED when the settings name none."""
        if not self._named:
            raise ConnectorError(ErrorKind.UNSUPPORTED, NONE_NAMED)
        held = []
        for name in self._named:
            found = await self._google.find(_address(name, user), scope=LICENCES, limit="licences")
            if found is not None:
                held.append(name)
        return held

    async def take(self, user: Mapping[str, Any], name: str) -> None:
        await self._google.delete(_address(name, user), scope=LICENCES, limit="licences")

    async def give(self, user: Mapping[str, Any], name: str) -> None:
        product, sku = name.split("/")
        url = f"{LICENSING}/product/{segment(product)}/sku/{segment(sku)}/user"
        await self._google.call(
            "POST", url, scope=LICENCES, body={"userId": login_of(user)}, limit="licences"
        )


def _address(name: str, user: Mapping[str, Any]) -> str:
    product, sku = name.split("/")
    return f"{LICENSING}/product/{segment(product)}/sku/{segment(sku)}/user/{segment(login_of(user))}"
