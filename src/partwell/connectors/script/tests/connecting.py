"""From a folder with a declaration to a connector, as the registry makes it."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

from partwell.connector_kit.addresses import AllowList
from partwell.connector_kit.contract import Connection, Identity
from partwell.connector_kit.declared_registry import read_declared
from partwell.connector_kit.secrets import ReferencedSecrets
from partwell.connector_kit.transport import Transport
from partwell.connectors.script.connector import ScriptConnector

EXAMPLE = Path(__file__).parent.parent / "examples" / "shell-accounts"
PIN = "4711"
_numbers = count(1)


class Till:
    """The example, installed in a folder, with a file of accounts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "shell-accounts"
        shutil.copytree(EXAMPLE, self.folder)
        for path in (self.folder, *self.folder.iterdir()):
            path.chmod(0o755)
        self.file = folder / "till"
        self.file.write_text("")

    def add_person(self) -> str:
        """An open account with two groups and a session. Returns its id."""
        number = next(_numbers)
        with self.file.open("a") as file:
            file.write(f"t{number}:till{number}:till{number}@firm.test:T-{number}:open:staff,cash:1\n")
        return f"t{number}"

    def row(self, account: str) -> list[str]:
        """The account's line, as it is in the file."""
        return next(
            line.split(":") for line in self.file.read_text().splitlines() if line.startswith(f"{account}:")
        )

    def identity(self, account: str) -> Identity:
        return Identity(emails=(self.row(account)[2],))

    def with_script(self, text: str) -> None:
        """Another program in place of the example's."""
        (self.folder / "accounts.py").write_text(text)

    def with_declared(self, old: str, new: str) -> None:
        path = self.folder / "connector.yaml"
        assert old in path.read_text(), old
        path.write_text(path.read_text().replace(old, new))

    def connect(self, *, pin: str = PIN, read_only: bool = False, **settings: Any) -> ScriptConnector:
        registered, problems = read_declared(self.folder / "connector.yaml")
        assert registered is not None and not problems, problems
        connector = registered.open(
            Connection(
                name="till",
                settings={"file": str(self.file), "pin": "env:PIN", **settings},
                secrets=ReferencedSecrets({"PIN": pin}),
                transport=Transport(AllowList(), read_only=read_only),
                now=lambda: datetime.now(UTC),
            )
        )
        assert isinstance(connector, ScriptConnector)
        return connector
