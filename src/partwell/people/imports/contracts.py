"""Planning and applying an import of contracts."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from partwell.people.imports.reading import Progress, Row
from partwell.people.imports.report import BadLine, Change
from partwell.people.imports.writing import differences, insert_all, update_all
from partwell.people.models import Client, Contract, fold

PLAIN = ("title", "start_date", "end_date", "notice_days", "governing_law")


@dataclass(slots=True, eq=False)
class Entry:
    """One contract of the file, matched."""

    line: int
    client: Client
    contract: Contract | None
    values: dict[str, Any]


class ContractsPlan:
    """What the rows would change."""

    def __init__(self, rows: list[Row], partial: list[Row], now: datetime) -> None:
        self.bad: list[BadLine] = []
        self.changes: list[Change] = []
        self.unchanged = 0
        self.created: list[Entry] = []
        self.updated: list[Entry] = []
        self._read_register()
        for row in rows:  # of the `partial` rows nothing is needed: contracts do not point at each other
            self._put(row)

    def _read_register(self) -> None:
        self._by_ref: dict[str, Client] = {}
        self._by_name: dict[str, list[Client]] = defaultdict(list)
        for client in Client.objects.order_by("pk").iterator():
            if client.client_ref:
                self._by_ref[client.client_ref] = client
            self._by_name[fold(client.name)].append(client)
        self._contracts = {(c.client_id, c.title): c for c in Contract.objects.order_by("pk").iterator()}
        self._lines: dict[tuple[int, str], int] = {}

    def _refuse(self, row: Row, column: str, reason: str, way_out: str) -> None:
        value = row.values[column]
        self.bad.append(BadLine(row.line, column, "" if value is None else str(value), reason, way_out))

    def _put(self, row: Row) -> None:
        client = self._client(row)
        if client is None:
            return
        key = (client.pk, row.values["title"])
        if (first := self._lines.setdefault(key, row.line)) != row.line:
            reason = f"line {first} is about the same contract of {client}"
            self._refuse(
                row, "title", reason, "Keep one line for each contract, or give them different titles."
            )
            return
        contract = self._contracts.get(key)
        new = {name: row.values[name] for name in PLAIN if name in row.values}
        old = {name: getattr(contract, name) for name in PLAIN} if contract else {}
        both = {**old, **new}
        start, end = both.get("start_date"), both.get("end_date")
        if start and end and end < start:
            column = "end_date" if "end_date" in new else "start_date"
            reason = f"the contract would end on {end}, before it starts on {start}"
            self._refuse(row, column, reason, "Correct one of the two dates.")
            return
        fields = differences(old, new)
        if contract is not None and not fields:
            self.unchanged += 1
            return
        entry = Entry(row.line, client, contract, new)
        (self.updated if contract else self.created).append(entry)
        what = "updated" if contract else "created"
        name = f"{client.client_ref or client.name}: {row.values['title']}"
        self.changes.append(Change(row.line, what, name, fields))

    def _client(self, row: Row) -> Client | None:
        """The client that the cell names, by reference or, where no reference matches, by name."""
        text = row.values["client_ref"]
        if client := self._by_ref.get(text):
            return client
        named = self._by_name[fold(text)]
        if len(named) == 1:
            return named[0]
        if named:
            reason, way_out = (
                "it is ambiguous: several clients have this name",
                "Write the client's reference.",
            )
        else:
            reason = "no client has this reference or name"
            way_out = "Correct it, or import the client first."
        self._refuse(row, "client_ref", reason, way_out)
        return None

    def apply(self, *, on_progress: Progress) -> tuple[list[int], list[int]]:
        """Write it all, in the caller's transaction; the ids of created and of updated contracts."""
        new = [Contract(client=entry.client, **entry.values) for entry in self.created]
        insert_all(Contract, new, "added", on_progress)
        old = []
        for entry in self.updated:
            if entry.contract is not None:
                for name, value in entry.values.items():
                    setattr(entry.contract, name, value)
                old.append(entry.contract)
        fields = ["start_date", "end_date", "notice_days", "governing_law"]
        update_all(Contract, old, fields, "updated", on_progress)
        return [contract.pk for contract in new], [contract.pk for contract in old]
