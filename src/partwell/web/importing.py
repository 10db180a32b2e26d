"""Importing a register: choose a file, read every change and every bad line, then it applies. And exports."""

from __future__ import annotations

import hashlib
import io
import json
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from partwell import clock
from partwell.people import imports
from partwell.people.authorisation import check_office
from partwell.people.exports import EXPORTS
from partwell.people.imports.columns import KINDS
from partwell.people.imports.examples import example_csv
from partwell.people.imports.reading import LARGEST_BYTES
from partwell.people.imports.report import ImportReport
from partwell.people.operations import IMPORTS
from partwell.refusals import Conflict
from partwell.web import checked_files
from partwell.web.session import actor_of, signed_in
from partwell.web.set_up import way_back
from partwell.web.translate import put_refusal

# More rows than this, nobody reads on a page; the page says how many are left out.
MOST_SHOWN = 500
TITLES = {"people": "people", "clients": "clients and contacts", "contracts": "contracts"}
BACK = {"people": "web:people", "clients": "web:clients", "contracts": "web:clients"}


class FileForm(forms.Form):
    """The file to look through."""

    file = forms.FileField(label="CSV file", help_text="UTF-8, at most 25 MB. Nothing is imported yet.")

    def clean_file(self) -> Any:
        """Not larger than an import takes."""
        upload = self.cleaned_data["file"]
        if upload.size > LARGEST_BYTES:
            limit = LARGEST_BYTES // 1024 // 1024
            raise forms.ValidationError(f"This file is larger than {limit} MB. Split it into several.")
        return upload


@require_http_methods(["GET", "POST"])
def importing(request: HttpRequest, kind: str) -> HttpResponse:
    """The form; with a file what it would do; with `apply` what was shown is done."""
    actor, user_id, now = actor_of(request), signed_in(request).pk, clock.now()
    check_office(actor, f"{kind}.import")
    if request.method == "GET":
        return _page(request, kind, FileForm())
    form = FileForm(request.POST, request.FILES)
    if "apply" in request.POST:
        form = FileForm()
        try:
            data = checked_files.take(user_id=user_id, kind=kind, digest=request.POST.get("digest", ""))
        except Conflict as refusal:
            form = FileForm(request.POST)
            form.errors.clear()
            put_refusal(form, refusal)
            return _page(request, kind, form, status=refusal.status)
        report = imports.preview(kind, io.BytesIO(data), actor=actor, now=now)
        if _seal(report) == request.POST.get("seal") and report.is_ok:
            done = IMPORTS[kind](data=data, actor=actor, now=now)
            if done.is_applied:
                checked_files.forget(user_id=user_id, kind=kind)
                messages.success(request, f"Imported: {done.created:,} new, {done.updated:,} changed.")
                return way_back(request, reverse(BACK[kind]))
            report = done
        messages.warning(request, "The register has changed since you looked. This is what would happen now.")
        return _page(request, kind, form, report=report, status=409)
    if not form.is_valid():
        return _page(request, kind, form, status=422)
    data = imports.read_bytes(form.cleaned_data["file"])
    report = imports.preview(kind, io.BytesIO(data), actor=actor, now=now)
    if report.is_ok:
        checked_files.keep(user_id=user_id, kind=kind, data=data, now=now)
    return _page(request, kind, FileForm(), report=report, status=200 if report.is_ok else 422)


@require_GET
def export(request: HttpRequest, kind: str) -> HttpResponse:
    """The register as a CSV file that the import takes again; that it was handed out is on the record."""
    data = EXPORTS[kind](actor=actor_of(request), now=clock.now())
    headers = {
        "Content-Disposition": f'attachment; filename="{kind}.csv"',
        "Cache-Control": "private, no-store",
    }
    return HttpResponse(data, content_type="text/csv; charset=utf-8", headers=headers)


@require_GET
def example(request: HttpRequest, kind: str) -> HttpResponse:
    """A file to start from, for those who may import one."""
    check_office(actor_of(request), f"{kind}.import")
    headers = {"Content-Disposition": f'attachment; filename="{kind}-example.csv"'}
    return HttpResponse(example_csv(kind), content_type="text/csv; charset=utf-8", headers=headers)


def _seal(report: ImportReport) -> str:
    """What was shown, as one digest: the same file may mean something else once the register has changed."""
    shown = json.dumps([change.as_dict() for change in report.changes], sort_keys=True)
    return hashlib.sha256(shown.encode()).hexdigest()


def _page(
    request: HttpRequest, kind: str, form: FileForm, *, report: ImportReport | None = None, status: int = 200
) -> HttpResponse:
    context: dict[str, Any] = {
        "kind": kind,
        "title": TITLES[kind],
        "form": form,
        "columns": KINDS[kind],
        "example_url": reverse(f"web:{kind}_example"),
        "report": report,
        "crumbs": [
            {"title": "People" if kind == "people" else "Clients", "url": reverse(BACK[kind])},
            {"title": f"Import {TITLES[kind]}"},
        ],
    }
    if report is not None:
        context |= {
            "seal": _seal(report),
            "changes": report.changes[:MOST_SHOWN],
            "changes_left": max(0, len(report.changes) - MOST_SHOWN),
            "bad_lines": report.bad_lines[:MOST_SHOWN],
            "bad_left": max(0, len(report.bad_lines) - MOST_SHOWN),
            "count": len(report.changes),
        }
    return render(request, "people/import.html", context, status=status)
