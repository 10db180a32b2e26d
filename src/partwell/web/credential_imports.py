"""Importing shared credentials: choose a file, read every change and every bad line, then it applies.

An upload stays in memory, because it may hold secrets; what is kept until it applies is the file without
them.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from django import forms
from django.contrib import messages
from django.core.files.uploadhandler import MemoryFileUploadHandler
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_GET, require_http_methods

from partwell import clock
from partwell.access.credentials import imports, vaults
from partwell.access.credentials.details import COLUMNS
from partwell.access.credentials.files import LARGEST_BYTES
from partwell.access.credentials.imports import KIND, CredentialReport, ForAll
from partwell.people.authorisation import check_office
from partwell.refusals import Conflict
from partwell.web import checked_files
from partwell.web.session import actor_of, signed_in
from partwell.web.translate import put_refusal

MOST_SHOWN = 500
NOTHING_FOR_ALL = ForAll()
TOO_LARGE = f"This file is larger than {LARGEST_BYTES // 1024 // 1024} MB. Export fewer entries at once."


class InMemory(MemoryFileUploadHandler):
    """Takes an upload into memory whatever its size up to our limit, and a larger one nowhere at all."""

    def handle_raw_input(
        self, input_data: Any, META: Any, content_length: int, boundary: str, encoding: Any = None
    ) -> None:
        """Called before the first byte is read."""
        self.activated = content_length <= 2 * LARGEST_BYTES

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes | None:
        """Keep a part of the file, or let it go."""
        return super().receive_data_chunk(raw_data, start) if self.activated else None


class VaultForm(forms.Form):
    """The file to look through, and what holds for every entry of it."""

    file = forms.FileField(label="File", help_text="CSV, JSON or XML, at most 5 MB. Nothing is imported yet.")
    owner_email = forms.EmailField(
        label="Owner of entries that have none",
        required=False,
        help_text="Who answers for them, by e-mail address.",
    )
    holders = forms.CharField(
        label="Who knows all of them",
        required=False,
        max_length=5000,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="Everybody who has this vault open: addresses, separated by semicolons.",
    )

    def clean_file(self) -> Any:
        """Not larger than an import takes."""
        upload = self.cleaned_data["file"]
        if upload.size > LARGEST_BYTES:
            raise forms.ValidationError(TOO_LARGE)
        return upload


@csrf_exempt
def importing(request: HttpRequest) -> HttpResponse:
    """As `_importing`, with the way of uploads set before anything reads the request; the check against
    forged requests comes right after it."""
    request.upload_handlers = [InMemory(request)]
    return _importing(request)


@csrf_protect
@require_http_methods(["GET", "HEAD", "POST"])
def _importing(request: HttpRequest) -> HttpResponse:
    """The form; with a file what it would do; with `apply` what was shown is done."""
    actor, user_id, now = actor_of(request), signed_in(request).pk, clock.now()
    check_office(actor, "credentials.import")
    if request.method != "POST":
        return _page(request, VaultForm())
    for_all = ForAll(request.POST.get("owner_email", "")[:254], request.POST.get("holders", "")[:5000])
    if "apply" in request.POST:
        form = VaultForm(request.POST)
        form.errors.clear()
        try:
            data = checked_files.take(user_id=user_id, kind=KIND, digest=request.POST.get("digest", ""))
        except Conflict as refusal:
            put_refusal(form, refusal)
            return _page(request, form, status=refusal.status)
        looked = imports.preview(data, for_all=for_all, actor=actor, now=now)
        report = looked.report
        if _seal(report) == request.POST.get("seal") and report.is_ok:
            done = imports.import_credentials(data=data, for_all=for_all, actor=actor, now=now)
            if done.is_applied:
                checked_files.forget(user_id=user_id, kind=KIND)
                messages.success(request, f"Imported: {done.created:,} new, {done.updated:,} changed.")
                return HttpResponseRedirect(reverse("web:credentials"))
            report = done
        messages.warning(request, "The register has changed since you looked. This is what would happen now.")
        return _page(request, form, report=report, for_all=for_all, status=409)
    form = VaultForm(request.POST, request.FILES)
    if not form.is_valid():
        return _page(request, form, status=422)
    looked = imports.preview(form.cleaned_data["file"].read(), for_all=for_all, actor=actor, now=now)
    if looked.report.is_ok:
        checked_files.keep(user_id=user_id, kind=KIND, data=looked.bare, now=now)
    status = 200 if looked.report.is_ok else 422
    again = VaultForm(initial={"owner_email": for_all.owner_email, "holders": for_all.holders})
    return _page(request, again, report=looked.report, for_all=for_all, status=status)


@require_GET
def export(request: HttpRequest) -> HttpResponse:
    """The register as a CSV file that the import takes again; that it was handed out is on the record."""
    data = imports.export_credentials(actor=actor_of(request), now=clock.now())
    headers = {
        "Content-Disposition": 'attachment; filename="credentials.csv"',
        "Cache-Control": "private, no-store",
    }
    return HttpResponse(data, content_type="text/csv; charset=utf-8", headers=headers)


def _seal(report: CredentialReport) -> str:
    """What was shown, as one digest, whatever the lines: those of the kept file differ from the upload's."""
    shown = [{**change.as_dict(), "line": 0} for change in report.changes]
    return hashlib.sha256(json.dumps(shown, sort_keys=True).encode()).hexdigest()


def _page(
    request: HttpRequest,
    form: VaultForm,
    *,
    report: CredentialReport | None = None,
    for_all: ForAll = NOTHING_FOR_ALL,
    status: int = 200,
) -> HttpResponse:
    context: dict[str, Any] = {
        "form": form,
        "columns": COLUMNS,
        "known": vaults.TITLES,
        "report": report,
        "for_all": for_all,
        "crumbs": [{"title": "Credentials", "url": reverse("web:credentials")}, {"title": "Import"}],
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
    return render(request, "credentials/import.html", context, status=status)
