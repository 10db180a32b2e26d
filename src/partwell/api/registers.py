"""What the three registers share: importing and exporting CSV."""

from __future__ import annotations

import io
from typing import Any

from django.http import HttpRequest, HttpResponse

from partwell import clock
from partwell.api.answers import problem, reply
from partwell.api.authentication import actor_of
from partwell.api.bodies import csv_of
from partwell.people import imports, operations
from partwell.people.exports import EXPORTS

CSV_BODY: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"text/csv": {"schema": {"type": "string"}}}}
}
CSV_FILE: dict[str, Any] = {
    "responses": {
        200: {"description": "The register", "content": {"text/csv": {"schema": {"type": "string"}}}}
    }
}


def import_(request: HttpRequest, kind: str, dry_run: bool) -> HttpResponse:
    """The report of an import, or of what it would do; a problem with every bad line where there is one."""
    data, actor, now = csv_of(request), actor_of(request), clock.now()
    if dry_run:
        return reply(imports.preview(kind, io.BytesIO(data), actor=actor, now=now).as_dict())
    report = operations.IMPORTS[kind](data=data, actor=actor, now=now)
    if report.is_ok:
        return reply(report.as_dict())
    bad = report.bad_lines
    return problem(
        422,
        "bad_lines",
        f"{len(bad)} problems were found, so nothing was imported. Correct the file.",
        field=bad[0].field,
        bad_lines=[line.as_dict() for line in bad],
    )


def export(request: HttpRequest, kind: str) -> HttpResponse:
    """The register as a CSV file that the same import takes."""
    data = EXPORTS[kind](actor=actor_of(request), now=clock.now())
    return HttpResponse(
        data,
        content_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="{kind}.csv"',
            "Cache-Control": "private, no-store",
        },
    )
