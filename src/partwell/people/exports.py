"""The registers as CSV files, with the columns that the imports take."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from partwell.evidence.operations import record
from partwell.people.actors import Actor
from partwell.people.authorisation import check_office, operation
from partwell.people.imports.columns import KINDS
from partwell.people.imports.values import mark, shown
from partwell.people.models import Client, Contract, Person


@operation("people.export")
def export_people(*, actor: Actor, now: datetime) -> bytes:
    """The staff register. Importing the file again changes nothing."""
    return _export("people", _people(), actor=actor, now=now)


@operation("clients.export")
def export_clients(*, actor: Actor, now: datetime) -> bytes:
    """All clients, one row for each contact."""
    return _export("clients", _clients(), actor=actor, now=now)


@operation("contracts.export")
def export_contracts(*, actor: Actor, now: datetime) -> bytes:
    """All contracts, each with its client's reference, or name where it has none."""
    return _export("contracts", _contracts(), actor=actor, now=now)


EXPORTS = {"people": export_people, "clients": export_clients, "contracts": export_contracts}


def _export(kind: str, rows: Iterable[dict[str, Any]], *, actor: Actor, now: datetime) -> bytes:
    check_office(actor, f"{kind}.export")
    names = [column.name for column in KINDS[kind]]
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n", quoting=csv.QUOTE_ALL)
    writer.writerow(names)
    count = 0
    for row in rows:
        writer.writerow([_cell(row.get(name)) for name in names])
        count += 1
    data = text.getvalue().encode("utf-8")
    fields = {"rows": count, "file_sha256": hashlib.sha256(data).hexdigest()}
    record(f"{kind}.exported", scope="register", actor=actor.label, at=now, fields=fields)
    return data


def _cell(value: Any) -> str:
    # Where the semicolon separates cells, each alias would become a cell of its own, so each is marked.
    return ";".join(mark(part) for part in value) if isinstance(value, tuple) else mark(shown(value))


def _people() -> Iterator[dict[str, Any]]:
    people = Person.objects.select_related("manager").prefetch_related("aliases").order_by("pk")
    for person in people.iterator(chunk_size=2000):
        yield {
            **vars(person),
            "end_date": person.left_on_date,
            "manager_email": person.manager.email if person.manager else "",
            "aliases": tuple(alias.email for alias in person.aliases.all()),
        }


def _clients() -> Iterator[dict[str, Any]]:
    clients = Client.objects.select_related("account_manager").prefetch_related("contacts").order_by("pk")
    for client in clients.iterator(chunk_size=2000):
        manager = client.account_manager
        row = {**vars(client), "account_manager_email": manager.email if manager else ""}
        contacts = list(client.contacts.all())
        for contact in contacts:
            yield {**row, "contact_name": contact.name, "contact_email": contact.email}
        if not contacts:
            yield row


def _contracts() -> Iterator[dict[str, Any]]:
    for contract in Contract.objects.select_related("client").order_by("pk").iterator(chunk_size=2000):
        yield {**vars(contract), "client_ref": contract.client.client_ref or contract.client.name}
