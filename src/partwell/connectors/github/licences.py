"""Whose e-mail address is which GitHub name, from the enterprise's licence report.

It is the only place in GitHub's REST API that says so: neither lists of members nor SAML's nor SCIM's of an
organisation hold both. It needs an enterprise, and a token of its own, as no app may read it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from partwell.connector_kit.contract import ConnectorError, ErrorKind
from partwell.connectors.github.service import GithubService, segment


class Licences:
    """The report of one enterprise; without one, nothing is known."""

    def __init__(self, service: GithubService | None, enterprise: str) -> None:
        self._service = service
        self._enterprise = enterprise

    @property
    def are_known(self) -> bool:
        return self._service is not None

    async def addresses(self) -> dict[str, set[str]]:
        """E-mail addresses by login, both in lower case: of verified domains, and what SAML calls them.

        Raises UNSUPPORTED when the report names people and not one address: then it tells nothing.
        """
        if self._service is None:
            return {}
        path = f"/enterprises/{segment(self._enterprise)}/consumed-licenses"
        found: defaultdict[str, set[str]] = defaultdict(set)
        people = 0
        for user in await self._service.listed(path, within="users"):
            login = str(user.get("github_com_login") or "").lower()
            if login:
                people += 1
                found[login] |= _addresses(user)
        if people and not any(found.values()):
            raise ConnectorError(
                ErrorKind.UNSUPPORTED,
                "The enterprise's licence report shows nobody's address: verify the firm's domains in "
                "GitHub, or use SAML. Until then, people are found by their GitHub names alone.",
            )
        return dict(found)


def _addresses(user: Mapping[str, Any]) -> set[str]:
    verified = user.get("github_com_verified_domain_emails")
    named = [*(verified if isinstance(verified, list) else []), user.get("github_com_saml_name_id")]
    return {str(address).lower() for address in named if address and "@" in str(address)}
