"""Answering an auditor: who left in a period, samples of them, and each control with its proof or its gap."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from partwell import clock
from partwell.closure.audits.controls import Control, load_controls
from partwell.closure.audits.dicts import population_csv
from partwell.closure.audits.judging import Finding, Standing
from partwell.closure.audits.packs import export_sample
from partwell.closure.audits.population import Leaver
from partwell.closure.audits.samples import (
    MOST,
    USUAL,
    Drawn,
    SampleView,
    draw,
    list_samples,
    view_audit,
    view_sample,
)
from partwell.closure.audits.words import DOUBTS, STANDINGS
from partwell.people.authorisation import check_office
from partwell.refusals import Invalid
from partwell.web.access_table import allowed_words
from partwell.web.navigation import may_follow
from partwell.web.session import actor_of
from partwell.web.times_drawing import drawing
from partwell.web.translate import put_refusal

MOST_NAMED = 100
YEAR = timedelta(days=364)
MARKS = {
    Standing.PROOF: "verified",
    Standing.ATTESTED: "attested",
    Standing.LATE: "late",
    Standing.GAP: "failed",
    Standing.UNKNOWN: "unreachable",
    Standing.NOT_APPLICABLE: "none",
}


def _day(label: str) -> forms.DateField:
    return forms.DateField(label=label, widget=forms.DateInput(attrs={"type": "date"}))


class PeriodForm(forms.Form):
    since = _day("First day")
    until = _day("Last day")


class DrawForm(forms.Form):
    since = forms.DateField(widget=forms.HiddenInput)
    until = forms.DateField(widget=forms.HiddenInput)
    size = forms.IntegerField(label="How many", min_value=1, max_value=MOST, initial=USUAL)
    seed = forms.CharField(
        label="Seed",
        required=False,
        max_length=64,
        help_text="The auditor’s own, where they bring one; else one is made and printed.",
    )


@require_GET
def period(request: HttpRequest) -> HttpResponse:
    """Who left in a period, how soon access was gone, and the samples drawn of it."""
    check_office(actor_of(request), "audits.view")
    today = clock.now().date()
    given = request.GET if "since" in request.GET else {"since": f"{today - YEAR}", "until": f"{today}"}
    return _period(request, PeriodForm(given))


@require_GET
def population(request: HttpRequest) -> HttpResponse:
    """Everybody who left in the period as a CSV file."""
    actor = actor_of(request)
    check_office(actor, "audits.view")
    form = PeriodForm(request.GET)
    if not form.is_valid():
        return _period(request, form)
    content = population_csv(**form.cleaned_data, actor=actor, now=clock.now())
    return _file(
        content, f"population-{form.cleaned_data['since']}-{form.cleaned_data['until']}.csv", "text/csv"
    )


@require_POST
def draw_sample(request: HttpRequest) -> HttpResponse:
    """Draw a sample, which stays on the record."""
    actor = actor_of(request)
    check_office(actor, "audits.draw")
    form = DrawForm(request.POST)
    if form.is_valid():
        try:
            found = draw(**form.cleaned_data, actor=actor, now=clock.now())
        except Invalid as refusal:
            put_refusal(form, refusal)
        else:
            return HttpResponseRedirect(reverse("web:audit_sample", args=[found.id]))
    return _period(request, PeriodForm(request.POST), draw_form=form)


@require_GET
def sample(request: HttpRequest, sample_id: UUID) -> HttpResponse:
    """A sample: how it was drawn, each control over it, and each of its people."""
    actor = actor_of(request)
    view = view_sample(sample_id, actor=actor, now=clock.now())
    context = {
        "view": view,
        "sample": view.sample,
        "controls": _by_control(view),
        "people": [_person(person) for person in view.people],
        "standings": [(MARKS[each], STANDINGS[each]) for each in Standing],
        "may_export": may_follow(actor, "audits.export"),
        "crumbs": [
            {"title": "Evidence", "url": reverse("web:evidence")},
            {
                "title": "Who left",
                "url": f"{reverse('web:audit')}?since={view.sample.since}&until={view.sample.until}",
            },
            {"title": f"Sample {view.sample.seed}"},
        ],
    }
    return render(request, "audits/sample.html", context)


@require_POST
def export(request: HttpRequest, sample_id: UUID) -> HttpResponse:
    """The pack of a sample as a zip that verifies by itself."""
    now = clock.now()
    content = export_sample(sample_id=sample_id, actor=actor_of(request), now=now)
    return _file(content, f"sample-{str(sample_id)[:8]}-{now:%Y-%m-%d}.zip", "application/zip")


def _period(request: HttpRequest, form: PeriodForm, *, draw_form: DrawForm | None = None) -> HttpResponse:
    actor = actor_of(request)
    context: dict[str, Any] = {
        "form": form,
        "all_samples": list_samples(actor=actor)[:20],
        "crumbs": [{"title": "Evidence", "url": reverse("web:evidence")}, {"title": "Who left"}],
    }
    if form.is_valid():
        try:
            view = view_audit(**form.cleaned_data, actor=actor, now=clock.now())
        except Invalid as refusal:
            put_refusal(form, refusal)
        else:
            without, doubtful = view.population.without_journey, view.population.doubtful
            context |= {
                "view": view,
                "count": len(view.population.leavers),
                "without": without[:MOST_NAMED],
                "without_count": len(without),
                "doubtful": [_doubtful(leaver) for leaver in doubtful[:MOST_NAMED]],
                "doubtful_count": len(doubtful),
                "drawing": drawing(view.times),
                "times": [(times, allowed_words(times.sla)) for times in view.times],
                "draw_form": draw_form or DrawForm(initial=form.cleaned_data),
            }
    is_bad = bool(form.errors or (draw_form and draw_form.errors))
    return render(request, "audits/period.html", context, status=422 if is_bad else 200)


def _doubtful(leaver: Leaver) -> dict[str, Any]:
    return {"leaver": leaver, "doubts": [DOUBTS[doubt] for doubt in leaver.doubts]}


def _by_control(view: SampleView) -> list[dict[str, Any]]:
    """Each control over the sample: how many people it stands how for, worst first."""
    found = []
    for number, control in enumerate(load_controls()[1]):
        standings = [person.findings[number][1].standing for person in view.people]
        counts = [(each, standings.count(each)) for each in Standing]
        found.append(
            {
                "control": control,
                "counts": [(MARKS[each], f"{n} {STANDINGS[each].lower()}") for each, n in counts if n],
            }
        )
    return found


def _person(person: Drawn) -> dict[str, Any]:
    standings = [finding.standing for _, finding in person.findings]
    return {
        "drawn": person,
        "doubts": [DOUBTS[doubt] for doubt in person.leaver.doubts] if person.leaver else [],
        "gaps": standings.count(Standing.GAP),
        "marks": [
            (MARKS[finding.standing], f"{control.standard}: {STANDINGS[finding.standing]}")
            for control, finding in person.findings
        ],
        "findings": [_finding(person, control, finding) for control, finding in person.findings],
    }


def _finding(person: Drawn, control: Control, finding: Finding) -> dict[str, Any]:
    return {
        "control": control,
        "mark": MARKS[finding.standing],
        "words": STANDINGS[finding.standing],
        "finding": finding,
        "url": _where(person, finding.where),
    }


def _where(person: Drawn, where: str) -> str:
    """The page on which the proof of a finding stands; each decides again who may read it."""
    if person.departure is None or not where:
        return ""
    key = person.departure.pk
    if where.startswith("step:"):
        return reverse("web:step", args=[key, where.removeprefix("step:")])
    return reverse("web:access_plan" if where == "access" else "web:evidence_departure", args=[key])


def _file(content: bytes, name: str, kind: str) -> HttpResponse:
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "Cache-Control": "private, no-store",
        "X-Content-Type-Options": "nosniff",
    }
    return HttpResponse(content, content_type=kind, headers=headers)
