"""Files into the register of credentials: showing every change and every bad line, then all or nothing."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from partwell import clock
from partwell.access.credentials import details, files, rotations
from partwell.access.credentials.details import Register
from partwell.access.credentials.files import Reading, Row
from partwell.access.credentials.operations import new_holder, save
from partwell.access.models import Credential, Holder
from partwell.evidence.operations import record
from partwell.people.actors import Actor
from partwell.people.authorisation import check_office, operation
from partwell.people.imports.report import BadLine, Change, FieldChange, ImportReport
from partwell.people.models import Contact, Person
from partwell.refusals import Refusal

KIND = "credentials"


@dataclass(frozen=True)
class ForAll:
    """What is said of every entry that does not say it itself: who answers for a vault, who has it open."""

    owner_email: str = ""
    holders: str = ""


NOTHING = ForAll()


@dataclass
class CredentialReport(ImportReport):
    """As `ImportReport`; `read_as` is what the file was taken for, `left_out` what in it is no login."""

    read_as: str = ""
    left_out: int = 0

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**super().as_dict(), "read_as": self.read_as, "left_out": self.left_out}


@dataclass(frozen=True)
class Looked:
    """What a file would do, and the same file without anything secret, to be kept until it is applied."""

    report: CredentialReport
    bare: bytes


def preview(data: bytes, *, for_all: ForAll = NOTHING, actor: Actor, now: datetime) -> Looked:
    """Every change that importing this file would make at `now`, and every bad line. Changes nothing."""
    check_office(actor, "credentials.import")
    plan = Plan(files.read(data), for_all, now)
    return Looked(plan.report(is_dry_run=True), plan.bare())


@operation("credentials.import")
def import_credentials(
    *,
    data: bytes,
    for_all: ForAll = NOTHING,
    actor: Actor,
    now: datetime,
    dry_run: bool = False,
) -> CredentialReport:
    """Bring the register up to date from its own CSV file or a password manager's export, all or nothing.

    Of an export only titles, hosts and user names are read. Entries are added and changed, none is taken
    away; holders are added, none is ended. Digests in the report and on record are of what was kept of the
    file, never of what held secrets.
    """
    check_office(actor, "credentials.import")
    plan = Plan(files.read(data), for_all, now)
    report = plan.report(is_dry_run=dry_run)
    if dry_run or not report.is_ok:
        return report
    plan.apply(actor)
    record(
        "credentials.imported",
        scope="register",
        actor=actor.label,
        at=now,
        fields={
            "read_as": report.read_as,
            "file_sha256": report.digest,
            "rows": report.rows,
            "created": report.created,
            "updated": report.updated,
            "unchanged": report.unchanged,
            "left_out": report.left_out,
            "created_ids": [str(each.credential.pk) for each in plan.entries if each.is_new],
            "updated_ids": [str(each.credential.pk) for each in plan.entries if not each.is_new],
        },
    )
    report.is_applied = True
    return report


@operation("credentials.export")
def export_credentials(*, actor: Actor, now: datetime) -> bytes:
    """The credentials in use as the CSV file that the import takes, with who knows each."""
    check_office(actor, "credentials.export")
    found = (
        Credential.objects.filter(retired_at__isnull=True)
        .select_related("owner", "client", "system")
        .prefetch_related("holders__person", "holders__contact")
    )
    rows = [{**details.shown(each), "holders": _addresses(each.holders.all())} for each in found]
    columns = tuple(column for column in details.COLUMNS if column.name != "since")
    data = files.write(rows, columns)
    fields = {"rows": len(rows), "file_sha256": hashlib.sha256(data).hexdigest()}
    record("credentials.exported", scope="register", actor=actor.label, at=now, fields=fields)
    return data


def _addresses(holders: Iterable[Holder]) -> tuple[str, ...]:
    return tuple(
        known.email
        for holder in holders
        if holder.until_date is None and (known := holder.person or holder.contact) is not None
    )


@dataclass
class _Entry:
    """One row that changes something: the changed row, unsaved, and who is new to know it."""

    line: int
    credential: Credential
    is_new: bool
    fields: tuple[FieldChange, ...]
    holders: list[Holder] = field(default_factory=list)


class Plan:
    """What the rows of a file would change."""

    def __init__(self, reading: Reading, for_all: ForAll, now: datetime) -> None:
        self.reading, self._now, self._today = reading, now, clock.today_in("UTC", now=now)
        self.bad = list(reading.bad)
        self.entries: list[_Entry] = []
        self.unchanged = 0
        self._register = Register()
        self._lines: dict[tuple[str, str, str], int] = {}
        self._for_all = self._read_for_all(for_all)
        self._known: dict[str, list[Credential]] = defaultdict(list)
        in_use = Credential.objects.filter(retired_at__isnull=True).select_related(
            "owner", "client", "system"
        )
        for credential in in_use:
            self._known[credential.name].append(credential)
        holders = Holder.objects.filter(until_date__isnull=True, credential__retired_at__isnull=True)
        self._held = {
            (credential_id, kind, pk)
            for credential_id, person, contact in holders.values_list(
                "credential_id", "person_id", "contact_id"
            )
            for kind, pk in (("person", person), ("contact", contact))
            if pk is not None
        }
        for row in reading.rows:
            try:
                self._put(row)
            except Refusal as refusal:
                self._refuse(row.line, refusal.field, refusal.message)

    def _read_for_all(self, for_all: ForAll) -> dict[str, Any]:
        """The values said of all entries, or a bad line for the file."""
        given = {"owner_email": for_all.owner_email, "holders": for_all.holders}
        found = {}
        for name, text in given.items():
            column = next(column for column in details.COLUMNS if column.name == name)
            try:
                if text.strip():
                    found[name] = details.value_of(column, text)
            except details.BadValue as bad:
                self.bad.append(BadLine(0, name, "", bad.reason, bad.way_out))
        return found

    def _refuse(self, line: int, column: str, message: str) -> None:
        reason, _, way_out = message.rstrip(".").partition(". ")
        self.bad.append(BadLine(line, column, "", reason, f"{way_out}." if way_out else ""))

    def _put(self, row: Row) -> None:
        values = {**row.values}
        holders = (*values.pop("holders", ()), *self._for_all.get("holders", ()))
        since = values.pop("since", None) or self._today
        credential = self._match(row)
        is_new = credential is None
        if credential is None:
            credential = Credential(created_at=self._now)
        before = {} if is_new else details.shown(credential)
        if "owner_email" in self._for_all and not (values.get("owner_email") or before.get("owner_email")):
            values["owner_email"] = self._for_all["owner_email"]
        details.put(credential, values, self._register)
        key = (credential.name, credential.used_at, credential.login)
        if (first := self._lines.setdefault(key, row.line)) != row.line:
            self._refuse(row.line, "name", f"line {first} is about the same credential. Keep one of them.")
            return
        after = details.shown(credential)
        fields = [
            FieldChange(name, details.as_text(before.get(name)), details.as_text(value))
            for name, value in after.items()
            if details.as_text(value) != details.as_text(before.get(name))
        ]
        new = self._new_holders(credential, holders, since)
        if new:
            fields.append(FieldChange("holders", "", ", ".join(holder.name for holder in new)))
        if fields:
            self.entries.append(_Entry(row.line, credential, is_new, tuple(fields), new))
        else:
            self.unchanged += 1

    def _match(self, row: Row) -> Credential | None:
        """The entry of the register that the row is about; None for a new one."""
        said = {name: row.values[name] for name in ("used_at", "login") if name in row.values}
        found = [
            credential
            for credential in self._known[row.values["name"]]
            if all(getattr(credential, name) == value for name, value in said.items())
        ]
        if len(found) > 1:
            raise details.Invalid(
                "ambiguous_credential",
                "several credentials have this name. Say used_at and login of the one that is meant.",
                field="name",
            )
        return found[0] if found else None

    def _new_holders(self, credential: Credential, emails: Iterable[str], since: date) -> list[Holder]:
        found = []
        for email in dict.fromkeys(emails):
            who: Person | Contact = self._register.holder(email, credential.client)
            kind = "person" if isinstance(who, Person) else "contact"
            if (credential.pk, kind, who.pk) not in self._held:
                self._held.add((credential.pk, kind, who.pk))
                found.append(new_holder(credential, who, min(since, self._today)))
        return found

    def report(self, *, is_dry_run: bool) -> CredentialReport:
        """What the file would do. The digest is that of the file without anything secret."""
        report = CredentialReport(KIND, hashlib.sha256(self.bare()).hexdigest(), is_dry_run)
        report.read_as, report.left_out = self.reading.read_as, self.reading.left_out
        bad_rows = {bad.line for bad in self.reading.bad if bad.line}
        report.rows = len(self.reading.rows) + len(bad_rows)
        report.bad_lines = sorted(self.bad, key=lambda bad: bad.line)
        report.unchanged = self.unchanged
        report.changes = [
            Change(each.line, "created" if each.is_new else "updated", _key(each.credential), each.fields)
            for each in self.entries
        ]
        return report

    def bare(self) -> bytes:
        """What was taken of the file, as the register's own CSV."""
        rows = self.reading.rows
        return files.write((row.values for row in rows), files.columns_of(rows))

    def apply(self, actor: Actor) -> None:
        """Write it all, in the caller's transaction."""
        for each in self.entries:
            save(each.credential)
        holders = [holder for each in self.entries for holder in each.holders]
        Holder.objects.bulk_create(holders)
        rotations.open_for_holders(holders, actor=actor, now=self._now)
        for each in self.entries:
            rotations.open_for_client(each.credential, actor=actor, now=self._now)


def _key(credential: Credential) -> str:
    more = ", ".join(filter(None, (credential.used_at, credential.login)))
    return f"{credential.name} ({more})" if more else credential.name
