"""Evidence: the head of the record, whether it still holds, what happened in one departure, and packs."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.text import slugify
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from partwell import clock
from partwell.access.timing import time_to_revoke
from partwell.closure.audiences import AUDIENCE_LABELS, Audience, is_other_side
from partwell.closure.operations import export_pack
from partwell.closure.queries import departure_events, readable_events, verify_record
from partwell.closure.sent_packs import verify_sent_pack
from partwell.closure.statements import closing_statement
from partwell.departures.models import Departure
from partwell.departures.states import SubjectKind
from partwell.evidence import queries
from partwell.evidence.heads import head_text
from partwell.evidence.keys import group
from partwell.evidence.verifier import Report
from partwell.people.authorisation import check_office
from partwell.refusals import FreshSignInNeeded, Refusal
from partwell.web.access_page import may
from partwell.web.access_table import allowed_words
from partwell.web.journeys import check_may
from partwell.web.navigation import may_follow
from partwell.web.session import actor_of
from partwell.web.timeline import describe
from partwell.web.translate import put_refusal

MOST_PROBLEMS = 50
PAGE = 50


class VerifyForm(forms.Form):
    """A head that was kept outside makes the check stronger; it is never needed."""

    head = forms.CharField(
        required=False,
        max_length=400,
        label="A head you kept",
        help_text="SIZE:ROOT:FINGERPRINT, as it was printed or mailed at closing.",
    )


class PackForm(VerifyForm):
    pack = forms.FileField(label="Evidence pack", help_text="The zip as it was exported, at most 256 MB.")


class ExportForm(forms.Form):
    audience = forms.ChoiceField(label="Who will read it")

    def __init__(self, *args: Any, departure: Departure, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["audience"].choices = [  # type: ignore[attr-defined]
            (audience.value, label[0].upper() + label[1:])
            for audience, label in AUDIENCE_LABELS.items()
            if not is_other_side(audience) or audience == _other_side(departure)
        ]


@require_http_methods(["GET", "POST"])
def overview(request: HttpRequest) -> HttpResponse:
    """The head of the record; with POST, whether every event, node and signature still holds."""
    actor = actor_of(request)
    check_office(actor, "evidence.verify")
    form = VerifyForm(request.POST or None)
    found: dict[str, Any] | None = None
    if request.method == "POST" and form.is_valid():
        try:
            found = _in_words(
                verify_record(actor=actor, now=clock.now(), head=form.cleaned_data["head"] or None)
            )
        except FreshSignInNeeded:
            raise
        except Refusal as refusal:
            put_refusal(form, refusal)
    return _overview(request, verify_form=form, found=found, status=422 if form.errors else 200)


@require_POST
def verify_uploaded(request: HttpRequest) -> HttpResponse:
    """Whether an uploaded pack is whole; it is not kept."""
    actor = actor_of(request)
    check_office(actor, "evidence.verify")
    form = PackForm(request.POST, request.FILES)
    found: dict[str, Any] | None = None
    if form.is_valid():
        try:
            data = form.cleaned_data
            found = _in_words(verify_sent_pack(pack=data["pack"], head=data["head"], actor=actor))
        except Refusal as refusal:
            put_refusal(form, refusal)
    return _overview(request, pack_form=form, pack_found=found, status=422 if form.errors else 200)


@require_GET
def departure(request: HttpRequest, departure_id: UUID) -> HttpResponse:
    """What happened in one departure, newest first, with the fields that the reader may read."""
    return _departure(request, check_may(request, "evidence.view", departure_id))


@require_POST
def export(request: HttpRequest, departure_id: UUID) -> HttpResponse:
    """Hand out the departure's evidence as a zip that verifies by itself."""
    found = check_may(request, "evidence.export", departure_id)
    form = ExportForm(request.POST, departure=found)
    if not form.is_valid():
        return _departure(request, found, form=form, status=422)
    audience = Audience(form.cleaned_data["audience"])
    now = clock.now()
    content = export_pack(departure=found, audience=audience, actor=actor_of(request), now=now)
    name = f"evidence-{slugify(found.subject_name) or 'departure'}-{audience.value}-{now:%Y-%m-%d}.zip"
    return HttpResponse(
        content,
        content_type="application/zip",
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
        },
    )


def _overview(
    request: HttpRequest,
    *,
    verify_form: VerifyForm | None = None,
    pack_form: PackForm | None = None,
    found: dict[str, Any] | None = None,
    pack_found: dict[str, Any] | None = None,
    status: int = 200,
) -> HttpResponse:
    head = queries.head()
    context = {
        "head": head,
        "head_text": head_text(head) if head else "",
        "fingerprint": group(head.key_id) if head else "",
        "verify_form": verify_form or VerifyForm(),
        "pack_form": pack_form or PackForm(prefix=None),
        "found": found,
        "pack_found": pack_found,
        "may_audit": may_follow(actor_of(request), "audits.view"),
        "crumbs": [{"title": "Evidence"}],
    }
    return render(request, "evidence/overview.html", context, status=status)


def _in_words(report: Report) -> dict[str, Any]:
    """The report for a page: what is wrong, where, and what this cannot show."""
    return {
        "is_whole": report.is_whole,
        "problems": report.problems[:MOST_PROBLEMS],
        "count": len(report.problems),
        "more": max(0, len(report.problems) - MOST_PROBLEMS),
        "notes": report.notes,
        "figures": [
            (name.replace("_", " "), value)
            for name, value in report.figures.items()
            if name not in ("head", "key")
        ],
    }


def _departure(
    request: HttpRequest, found: Departure, *, form: ExportForm | None = None, status: int = 200
) -> HttpResponse:
    actor = actor_of(request)
    page = departure_events(departure=found, actor=actor, after=request.GET.get("after") or None, limit=PAGE)
    fields = readable_events(events=page.items, departure=found, actor=actor)
    context = {
        "departure": found,
        "events": [
            {
                **describe(event, said),
                "kind": event.kind,
                "sequence": event.sequence,
                "fields": [
                    {"name": name, "value": _shown(value.value), "is_erased": value.is_erased}
                    for name, value in sorted(said.items())
                    if name not in ("kind", "scope", "at")
                ],
            }
            for event, said in zip(page.items, fields, strict=True)
        ],
        "next": page.next,
        "is_first": not request.GET.get("after"),
        "form": form or ExportForm(departure=found),
        "may_export": may(actor, "evidence.export", found),
        "statement": closing_statement(found),
        "classes": [
            {"found": each, "allowed": allowed_words(each.sla), "words": each.in_words()}
            for each in time_to_revoke(found, actor=actor, now=clock.now())
        ]
        if may(actor, "access.view", found)
        else [],
        "crumbs": [
            {"title": "Journeys", "url": reverse("web:departures")},
            {"title": found.subject_name, "url": reverse("web:journey", args=[found.pk])},
            {"title": "Evidence"},
        ],
    }
    return render(request, "evidence/departure.html", context, status=status)


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=1)


def _other_side(found: Departure) -> Audience:
    return Audience.CLIENT if found.subject_kind == SubjectKind.CLIENT else Audience.LEAVER
