"""CSV files into the registers: reading, checking, showing what would change, writing it.

`preview` looks without touching; the operations `import_people`, `import_clients` and `import_contracts`
write. Both come from the same plan, so what was shown is what happens.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import IO

from partwell.people.actors import Actor
from partwell.people.authorisation import check_office
from partwell.people.imports.clients import ClientsPlan
from partwell.people.imports.columns import KINDS
from partwell.people.imports.contracts import ContractsPlan
from partwell.people.imports.people import PeoplePlan
from partwell.people.imports.reading import LARGEST_BYTES, Progress, no_progress, read_rows
from partwell.people.imports.report import ImportReport
from partwell.refusals import Invalid

Plan = PeoplePlan | ClientsPlan | ContractsPlan
PLANS: dict[str, type[Plan]] = {"people": PeoplePlan, "clients": ClientsPlan, "contracts": ContractsPlan}


def preview(
    kind: str, stream: IO[bytes], *, actor: Actor, now: datetime, on_progress: Progress = no_progress
) -> ImportReport:
    """Every change that importing this file would make at `now`, and every bad line. Changes nothing."""
    if kind not in KINDS:
        raise Invalid(
            "unknown_kind", f"“{kind}” is no register; use one of {', '.join(KINDS)}.", field="kind"
        )
    check_office(actor, f"{kind}.import")
    report, _ = plan_import(kind, read_bytes(stream), now=now, is_dry_run=True, on_progress=on_progress)
    return report


def read_bytes(stream: IO[bytes]) -> bytes:
    """The file, or as much of it as shows that it is too large."""
    return stream.read(LARGEST_BYTES + 1)


def plan_import(
    kind: str, data: bytes, *, now: datetime, is_dry_run: bool, on_progress: Progress
) -> tuple[ImportReport, Plan | None]:
    """The report of what `data` would change, and the plan that does it; no plan where a line is bad."""
    report = ImportReport(kind=kind, digest=hashlib.sha256(data).hexdigest(), is_dry_run=is_dry_run)
    rows, partial, bad = read_rows(data, KINDS[kind], on_progress)
    report.rows = len(rows) + len({problem.line for problem in bad if problem.line > 1})
    plan = PLANS[kind](rows, partial, now)
    report.bad_lines = sorted(bad + plan.bad, key=lambda problem: problem.line)
    report.changes = sorted(plan.changes, key=lambda change: change.line)
    report.unchanged = plan.unchanged
    return report, None if report.bad_lines else plan
