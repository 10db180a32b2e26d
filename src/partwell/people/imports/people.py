"""Planning and applying an import of the staff register."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from partwell.clock import today_in
from partwell.people.imports.reading import Progress, Row
from partwell.people.imports.report import BadLine, Change
from partwell.people.imports.writing import batches, differences, insert_all, update_all
from partwell.people.models import Person, PersonAlias, User

PLAIN = (
    "email",
    "name",
    "department",
    "title",
    "start_date",
    "country",
    "timezone",
    "employment_type",
    "username",
    "employee_number",
)


@dataclass(slots=True, eq=False)
class Entry:
    """One person of the file, matched: who it is in the register, if anybody, and what becomes of them."""

    line: int
    person: Person | None
    plain: dict[str, Any]
    aliases: tuple[str, ...] | None
    manager_email: str | None
    end_date: date | None = None
    manager: Person | Entry | None = None
    changes: set[str] = field(default_factory=set)

    @property
    def addresses(self) -> tuple[str, ...]:
        return (self.plain["email"], *(self.aliases or ()))


class PeoplePlan:
    """What the rows would change. Building it reads the register once, whatever its size."""

    def __init__(self, rows: list[Row], partial: list[Row], now: datetime) -> None:
        self._now = now
        # Whoever stands on a line that is bad for another reason is no unknown manager.
        self._unclear = {row.values["email"] for row in partial if "email" in row.values}
        self.bad: list[BadLine] = []
        self.changes: list[Change] = []
        self.unchanged = 0
        self.created: list[Entry] = []
        self.updated: list[Entry] = []
        self._read_register()
        self._entries = [entry for row in rows if (entry := self._match(row))]
        self._refuse_shared_addresses()
        self._refuse_ends()
        self._find_managers()
        self._refuse_cycles()
        self._compare()

    def _read_register(self) -> None:
        self._people = {person.pk: person for person in Person.objects.order_by("pk").iterator()}
        self._aliases: dict[int, list[str]] = defaultdict(list)
        self._owner = {person.email.lower(): person for person in self._people.values()}
        self._by_number = {p.employee_number: p for p in self._people.values() if p.employee_number}
        self._alias_ids: dict[str, int] = {}
        rows = PersonAlias.objects.order_by("pk").values_list("pk", "person_id", "email")
        for alias_id, person_id, email in rows:
            address = email.lower()
            self._aliases[person_id].append(address)
            self._alias_ids[address] = alias_id
            self._owner.setdefault(address, self._people[person_id])
        self._matched: dict[int, int] = {}
        self._numbers: dict[str, int] = {}

    def _refuse(self, line: int, column: str, value: str, reason: str, way_out: str) -> None:
        self.bad.append(BadLine(line, column, value, reason, way_out))

    def _match(self, row: Row) -> Entry | None:
        """The register entry that the row is about: by number where there is one, else by address."""
        email, number = row.values["email"], row.values.get("employee_number", "")
        by_number, by_email = self._by_number.get(number), self._owner.get(email)
        if number:
            if (first := self._numbers.setdefault(number, row.line)) != row.line:
                reason = f"line {first} has the same employee number"
                self._refuse(
                    row.line, "employee_number", number, reason, "Each number belongs to one person."
                )
                return None
            if by_email and by_number is not by_email and (by_number or by_email.employee_number):
                whose = f"{by_number.email}, and" if by_number else "nobody, but"
                reason = (
                    f"it is ambiguous: the number belongs to {whose} {email} "
                    f"to the person with the number “{by_email.employee_number}”"
                )
                way_out = "Correct the number or the address, so that both mean the same person."
                self._refuse(row.line, "employee_number", number, reason, way_out)
                return None
        person = by_number or by_email
        if person is not None and (first := self._matched.setdefault(person.pk, row.line)) != row.line:
            reason = f"line {first} is about the same person ({person.email})"
            self._refuse(row.line, "email", email, reason, "Keep one line for each person.")
            return None
        return self._entry(row, person, keeps_email=by_number is None)

    def _entry(self, row: Row, person: Person | None, *, keeps_email: bool) -> Entry:
        plain = {name: row.values[name] for name in PLAIN if name in row.values}
        aliases = row.values.get("aliases")
        if person is not None:
            old, address = person.email.lower(), plain["email"]
            known = self._aliases[person.pk]
            if address != old and keeps_email:
                # The row knows the person by an alias; that is no reason to change the main address.
                plain["email"] = old
                aliases = None if aliases is None else (*aliases, address)
            elif address in known and aliases is None:
                # An alias becomes the main address, and the former one stays known.
                aliases = tuple(old if alias == address else alias for alias in known)
            if not plain.get("employee_number", "-"):
                plain["employee_number"] = person.employee_number
        if aliases is not None:
            aliases = tuple(sorted({alias for alias in aliases if alias != plain["email"]}))
        end_date = row.values.get("end_date")
        return Entry(row.line, person, plain, aliases, row.values.get("manager_email"), end_date)

    def _refuse_ends(self) -> None:
        """A day to come is no fact yet: it is a departure to be started. Nobody ends before they begin."""
        for entry in self._entries:
            if entry.end_date is None:
                continue
            known = entry.person.start_date if entry.person else None
            start = entry.plain.get("start_date", known)
            today = today_in(entry.plain.get("timezone") or "UTC", now=self._now)
            if entry.end_date > today:
                reason, way_out = "this day has not come yet", "Start a departure for them instead."
            elif start is not None and start > entry.end_date:
                reason = f"it is before their first working day, {start}"
                way_out = "Correct one of them; leave it blank for somebody who works here again."
            else:
                continue
            self._refuse(entry.line, "end_date", entry.end_date.isoformat(), reason, way_out)

    def _refuse_shared_addresses(self) -> None:
        seen: dict[str, Entry] = {}
        for entry in self._entries:
            for address in entry.addresses:
                column = "email" if address == entry.plain["email"] else "aliases"
                owner, first = self._owner.get(address), seen.setdefault(address, entry)
                if first is not entry:
                    reason = f"line {first.line} has the same address"
                elif owner is not None and owner is not entry.person:
                    reason = f"it belongs to {owner.name} <{owner.email}> already"
                else:
                    continue
                way_out = "An address belongs to one person; take it out here or there."
                self._refuse(entry.line, column, address, reason, way_out)
        self._by_address = seen
        self._by_person = {entry.person.pk: entry for entry in self._entries if entry.person}

    def _find_managers(self) -> None:
        """Managers may be in the register, or anywhere in the file."""
        for entry in self._entries:
            if not entry.manager_email:
                continue
            owner = self._owner.get(entry.manager_email)
            entry.manager = (
                self._by_address.get(entry.manager_email)
                or (self._by_person.get(owner.pk) if owner else None)
                or owner
            )
            if entry.manager is None and entry.manager_email not in self._unclear:
                reason = "nobody in the register or in this file has this address"
                way_out = "Correct it, or add a line for the manager."
                self._refuse(entry.line, "manager_email", entry.manager_email, reason, way_out)

    def _manager_of(self, node: Person | Entry) -> Person | Entry | None:
        if isinstance(node, Entry):
            if node.manager_email is not None:
                return node.manager
            if node.person is None:
                return None
            node = node.person
        manager = self._people.get(node.manager_id) if node.manager_id else None
        return self._by_person.get(manager.pk, manager) if manager else None

    def _refuse_cycles(self) -> None:
        """Nobody may be their own manager, directly or through others; each cycle is named once."""
        cleared: set[int] = set()
        for entry in self._entries:
            path: dict[int, Person | Entry] = {}
            node: Person | Entry | None = entry
            while node is not None and id(node) not in cleared and id(node) not in path:
                path[id(node)] = node
                node = self._manager_of(node)
            if node is not None and id(node) in path:
                members = list(path.values())
                self._refuse_cycle(members[members.index(node) :])
            cleared |= path.keys()

    def _refuse_cycle(self, members: list[Person | Entry]) -> None:
        names = [m.plain["email"] if isinstance(m, Entry) else m.email for m in members]
        told = next((m for m in members if isinstance(m, Entry) and m.manager_email), None)
        if told is None:  # was in the register before; the file does not touch it
            return
        chain = " → ".join([*names[:10], *(["…"] if len(names) > 10 else []), names[0]])
        way_out = "Say who really manages whom; the one at the top has no manager."
        reason = f"the managers form a circle: {chain}"
        self._refuse(told.line, "manager_email", told.manager_email or "", reason, way_out)

    def _compare(self) -> None:
        for entry in self._entries:
            person = entry.person
            new = dict(entry.plain)
            old = {name: getattr(person, name) for name in PLAIN} if person else {}
            if person:
                old["email"] = person.email.lower()
            if entry.aliases is not None:
                new["aliases"] = entry.aliases
                old["aliases"] = tuple(sorted(self._aliases[person.pk])) if person else ()
            if entry.manager_email is not None:
                new["manager_email"] = _email_of(entry.manager)
                boss = self._people.get(person.manager_id or 0) if person else None
                # A manager whose own address changes in this file is still the same manager.
                old["manager_email"] = _email_of(self._by_person.get(boss.pk, boss)) if boss else ""
            if entry.end_date is not None:
                old["left_on_date"] = person.left_on_date if person else None
                new["left_on_date"] = entry.end_date
            elif person and has_returned(person, new.get("start_date")):
                old["left_on_date"], new["left_on_date"] = person.left_on_date, None
            fields = differences(old, new)
            entry.changes = {change.field for change in fields}
            if person is not None and not fields:
                self.unchanged += 1
                continue
            (self.updated if person else self.created).append(entry)
            what = "updated" if person else "created"
            self.changes.append(Change(entry.line, what, old.get("email") or new["email"], fields))

    def apply(self, *, on_progress: Progress) -> tuple[list[int], list[int]]:
        """Write it all, in the caller's transaction; the ids of the created and of the updated people."""
        waiting = []
        for entry in self.created:
            entry.person = Person(**entry.plain, left_on_date=entry.end_date)
            if not self._set_manager(entry):
                waiting.append(entry)
        new = [entry.person for entry in self.created if entry.person]
        insert_all(Person, new, "added", on_progress)
        for entry in self.updated:
            for name in entry.changes & set(PLAIN):
                setattr(entry.person, name, entry.plain[name])
            if entry.person and "left_on_date" in entry.changes:
                entry.person.left_on_date = entry.end_date
        # By now everybody has a key, so the managers who are new themselves can be set too.
        written = self.updated + waiting
        for entry in written:
            self._set_manager(entry)
        names = {name for entry in self.updated for name in entry.changes & {*PLAIN, "left_on_date"}}
        fields = [*sorted(names), "manager", "updated_at", "name_folded", "search_text"]
        update_all(Person, [e.person for e in written if e.person], fields, "updated", on_progress)
        self._write_aliases(on_progress)
        returned = [
            e.person.pk
            for e in self.updated
            if e.person and e.end_date is None and "left_on_date" in e.changes
        ]
        for batch in batches(returned):
            User.objects.filter(person_id__in=batch).update(is_active=True)
        return [p.pk for p in new], [e.person.pk for e in self.updated if e.person]

    def _set_manager(self, entry: Entry) -> bool:
        """Put the manager's key into the row; False while the manager has none."""
        if "manager_email" not in entry.changes or entry.person is None:
            return True
        manager = entry.manager.person if isinstance(entry.manager, Entry) else entry.manager
        entry.person.manager_id = manager.pk if manager else None
        return entry.manager is None or entry.person.manager_id is not None

    def _write_aliases(self, on_progress: Progress) -> None:
        gone: list[int] = []
        added: list[PersonAlias] = []
        for entry in self.updated + self.created:
            if "aliases" not in entry.changes or entry.person is None:
                continue
            before = set(self._aliases.get(entry.person.pk, ()))
            gone += [self._alias_ids[address] for address in before - set(entry.aliases or ())]
            added += [
                PersonAlias(person=entry.person, email=alias)
                for alias in entry.aliases or ()
                if alias not in before
            ]
        for batch in batches(gone):
            PersonAlias.objects.filter(pk__in=batch).delete()
        insert_all(PersonAlias, added, "addresses added", on_progress)


def has_returned(person: Person, start_date: date | None) -> bool:
    """Whether a start date after the day on which they left says that they work here again."""
    return bool(person.left_on_date and start_date and start_date > person.left_on_date)


def _email_of(node: Person | Entry | None) -> str:
    if node is None:
        return ""
    return node.plain["email"] if isinstance(node, Entry) else node.email.lower()
