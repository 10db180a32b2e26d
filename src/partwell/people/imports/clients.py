"""Planning and applying an import of clients with their contacts."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from partwell.people.imports.reading import Progress, Row
from partwell.people.imports.report import BadLine, Change, FieldChange
from partwell.people.imports.values import shown
from partwell.people.imports.writing import differences, insert_all, update_all
from partwell.people.models import Client, Contact, Person, PersonAlias, fold

PLAIN = ("client_ref", "name", "tier", "country")


@dataclass(slots=True, eq=False)
class Entry:
    """One client of the file: the rows that are about it, put together."""

    line: int
    client: Client | None
    values: dict[str, Any]
    lines: dict[str, int] = field(default_factory=dict)
    contacts: dict[str, tuple[int, str | None]] = field(default_factory=dict)
    changes: set[str] = field(default_factory=set)


class ClientsPlan:
    """What the rows would change. Contacts are added and updated; no import takes one away."""

    def __init__(self, rows: list[Row], partial: list[Row], now: datetime) -> None:
        self.bad: list[BadLine] = []
        self.changes: list[Change] = []
        self.unchanged = 0
        self.created: list[Entry] = []
        self.updated: list[Entry] = []
        self._new_contacts: list[tuple[Entry, str, str]] = []
        self._changed_contacts: list[Contact] = []
        self._read_register()
        self._entries: dict[tuple[str, Any], Entry] = {}
        refs_by_name: dict[str, set[str]] = defaultdict(set)
        for row in rows + partial:
            if (ref := row.values.get("client_ref", "")) and "name" in row.values:
                refs_by_name[fold(row.values["name"])].add(ref)
        for row in rows:
            self._put(row, refs_by_name)
        for entry in self._entries.values():
            self._compare(entry)

    def _read_register(self) -> None:
        self._clients = {client.pk: client for client in Client.objects.order_by("pk").iterator()}
        self._by_ref = {c.client_ref: c for c in self._clients.values() if c.client_ref}
        self._by_name: dict[str, list[Client]] = defaultdict(list)
        for client in self._clients.values():
            self._by_name[fold(client.name)].append(client)
        self._contacts: dict[int, dict[str, Contact]] = defaultdict(dict)
        for contact in Contact.objects.order_by("pk").iterator():
            self._contacts[contact.client_id][contact.email.lower()] = contact
        self._address_of = dict(Person.objects.values_list("pk", "email"))
        self._colleague = {email.lower(): pk for pk, email in self._address_of.items()}
        for person_id, email in PersonAlias.objects.values_list("person_id", "email"):
            self._colleague.setdefault(email.lower(), person_id)

    def _refuse(self, line: int, column: str, value: str, reason: str, way_out: str) -> None:
        self.bad.append(BadLine(line, column, value, reason, way_out))

    def _put(self, row: Row, refs_by_name: dict[str, set[str]]) -> None:
        """Add the row to its client's entry."""
        manager = row.values.get("account_manager_email", "")
        if manager and manager not in self._colleague:
            reason = "nobody in the register has this address"
            way_out = "Correct it, or import the colleague first."
            self._refuse(row.line, "account_manager_email", manager, reason, way_out)
        if row.values.get("contact_name") and not row.values.get("contact_email"):
            way_out = "Give the contact's address too, or leave both blank."
            reason = "a contact is known by an e-mail address, and there is none"
            self._refuse(row.line, "contact_name", row.values["contact_name"], reason, way_out)
        found = self._match(row, refs_by_name)
        if found is None:
            return
        key, client = found
        entry = self._entries.get(key)
        if entry is None:
            entry = self._entries[key] = Entry(row.line, client, {})
        self._merge(entry, row)

    def _match(
        self, row: Row, refs_by_name: dict[str, set[str]]
    ) -> tuple[tuple[str, Any], Client | None] | None:
        """Which client the row is about: by reference where there is one, else by name."""
        ref, name = row.values.get("client_ref", ""), row.values["name"]
        named = self._by_name[fold(name)]
        if ref:
            client = self._by_ref.get(ref)
            unreferenced = [other for other in named if not other.client_ref]
            is_renamed = client is not None and fold(client.name) != fold(name)
            if unreferenced and (len(unreferenced) > 1 or is_renamed):
                reason = f"it is ambiguous: a client called “{name}” without a reference exists as well"
                self._refuse(row.line, "client_ref", ref, reason, "Give that client its own reference first.")
                return None
            if client is None and unreferenced:
                client = unreferenced[0]
            return (("id", client.pk) if client else ("ref", ref)), client
        refs = {other.client_ref for other in named} | refs_by_name[fold(name)]
        if len(refs) > 1 or len(named) > 1:
            known = ", ".join(sorted(ref or "(none)" for ref in refs))
            reason = f"it is ambiguous: clients with the references {known} have this name"
            self._refuse(row.line, "name", name, reason, "Add the client_ref of the one you mean.")
            return None
        if named:
            return ("id", named[0].pk), named[0]
        if refs:
            return ("ref", next(iter(refs))), None
        return ("name", fold(name)), None

    def _merge(self, entry: Entry, row: Row) -> None:
        """Later rows of a client may leave cells blank, but not say something else."""
        email = row.values.get("contact_email", "")
        if email:
            if email in entry.contacts:
                reason = f"line {entry.contacts[email][0]} has the same contact"
                way_out = "Keep one line for each contact."
                self._refuse(row.line, "contact_email", email, reason, way_out)
            entry.contacts.setdefault(email, (row.line, row.values.get("contact_name")))
        for name in (*PLAIN, "account_manager_email"):
            if name not in row.values:
                continue
            value = row.values[name]
            said = entry.values.get(name, "")
            is_same = fold(value) == fold(said) if name == "name" else value == said
            if value and said and not is_same:
                reason = f"line {entry.lines[name]} says “{said}” for the same client"
                way_out = "Say the same on every line of a client, or leave it blank on the later ones."
                self._refuse(row.line, name, value, reason, way_out)
            elif value and not said:
                entry.values[name], entry.lines[name] = value, row.line
            else:
                entry.values.setdefault(name, "")

    def _compare(self, entry: Entry) -> None:
        client = entry.client
        new = dict(entry.values)
        if client and not new.get("client_ref"):
            new["client_ref"] = client.client_ref
        old = {name: getattr(client, name) for name in PLAIN} if client else {}
        if "account_manager_email" in new:
            wanted = self._colleague.get(new["account_manager_email"])
            new["account_manager_email"] = self._address_of.get(wanted, "") if wanted else ""
            before = client.account_manager_id if client else None
            old["account_manager_email"] = self._address_of.get(before, "") if before else ""
        entry.values = new
        fields = differences(old, new)
        entry.changes = {change.field for change in fields}
        fields += self._compare_contacts(entry)
        if client is not None and not fields:
            self.unchanged += 1
            return
        (self.updated if client else self.created).append(entry)
        key = (client.client_ref if client else "") or new.get("client_ref") or new["name"]
        self.changes.append(Change(entry.line, "updated" if client else "created", key, fields))

    def _compare_contacts(self, entry: Entry) -> tuple[FieldChange, ...]:
        known = self._contacts[entry.client.pk] if entry.client else {}
        fields = []
        for email, (_, name) in entry.contacts.items():
            contact = known.get(email)
            if contact is None:
                fields.append(FieldChange("contact", "", _as_contact(name or "", email)))
                self._new_contacts.append((entry, email, name or ""))
            elif name is not None and name != contact.name:
                before, after = _as_contact(contact.name, email), _as_contact(name, email)
                fields.append(FieldChange("contact", before, after))
                contact.name = name
                self._changed_contacts.append(contact)
        return tuple(fields)

    def apply(self, *, on_progress: Progress) -> tuple[list[int], list[int]]:
        """Write it all, in the caller's transaction; the ids of the created and of the updated clients."""
        for entry in self.created:
            entry.client = Client()
        for entry in self.created + self.updated:
            for name in entry.changes & set(PLAIN):
                setattr(entry.client, name, entry.values[name])
            if entry.client and "account_manager_email" in entry.changes:
                address = shown(entry.values["account_manager_email"]).lower()
                entry.client.account_manager_id = self._colleague.get(address)
        new = [entry.client for entry in self.created if entry.client]
        old = [entry.client for entry in self.updated if entry.client]
        insert_all(Client, new, "added", on_progress)
        fields = [*PLAIN, "account_manager", "updated_at", "name_folded", "search_text"]
        update_all(Client, old, fields, "updated", on_progress)
        contacts = [Contact(client=e.client, email=email, name=name) for e, email, name in self._new_contacts]
        insert_all(Contact, contacts, "contacts added", on_progress)
        update_all(Contact, self._changed_contacts, ["name"], "contacts updated", on_progress)
        return [client.pk for client in new], [client.pk for client in old]


def _as_contact(name: str, email: str) -> str:
    return f"{name} <{email}>" if name else email
