"""A SCIM 2.0 service (scim2-server from PyPI) on a free port, with a bearer token."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.servers.running import PLAIN, answers, free_port, running

TOKEN = "token-of-the-tests"
ENTERPRISE_USER = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"


@dataclass(frozen=True)
class ScimServer:
    """A running service. Methods act as the service's own administrator."""

    url: str
    process: subprocess.Popen[bytes]

    def stop(self) -> None:
        """Let it answer nobody, as a machine that hangs does, until `go_on`."""
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it answer again."""
        self.process.send_signal(signal.SIGCONT)

    def add_person(
        self, username: str, mail: str, *, employee_number: str = "", more: dict[str, Any] | None = None
    ) -> str:
        """Add an active person, with `more` attributes, and return the id."""
        person = {
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
            "userName": username,
            "displayName": username.title(),
            "active": True,
            "emails": [{"value": mail, "primary": True}],
            **(more or {}),
        }
        if ENTERPRISE_USER in person:
            person["schemas"].append(ENTERPRISE_USER)
        if employee_number:
            person["externalId"] = employee_number
        return str(self._call("POST", "/Users", person)["id"])

    def add_group(self, name: str, members: list[str]) -> str:
        """Add a group and return the id."""
        group = {
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
            "displayName": name,
            "members": [{"value": member} for member in members],
        }
        return str(self._call("POST", "/Groups", group)["id"])

    def forget(self, mail: str) -> None:
        """Remove everybody with this address, and the groups made for them."""
        for person in self._call("GET", f'/Users?filter=emails.value eq "{mail}"').get("Resources", []):
            made = self._call("GET", f'/Groups?filter=displayName eq "staff-{person["userName"]}"')
            for path in (
                *(f"/Groups/{group['id']}" for group in made.get("Resources", [])),
                f"/Users/{person['id']}",
            ):
                self._call("DELETE", path)

    def person(self, external_id: str) -> dict[str, Any]:
        """The person, read now."""
        return self._call("GET", f"/Users/{external_id}")

    def members(self, group_id: str) -> list[str]:
        """The ids of the group's members, read now."""
        return [member["value"] for member in self._call("GET", f"/Groups/{group_id}").get("members", [])]

    def try_bind(self, external_id: str) -> bool:
        """SCIM has no sign-in; a service lets in those who are active."""
        return bool(self.person(external_id).get("active"))

    def _call(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        headers = {"authorization": f"Bearer {TOKEN}", "content-type": "application/scim+json"}
        answer = httpx.request(method, self.url + path, json=body, headers=headers, timeout=10, verify=PLAIN)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json() if answer.content else {}
        return found


@contextmanager
def scim(folder: Path) -> Iterator[ScimServer]:
    """A fresh, empty service."""
    port = free_port()
    command = [
        str(Path(sys.executable).with_name("scim2-server")),
        "--port",
        str(port),
        "--bearer-token",
        TOKEN,
    ]
    with running(command, ready=lambda: answers("127.0.0.1", port), log=folder / "scim.log") as process:
        yield ScimServer(f"http://127.0.0.1:{port}", process)
