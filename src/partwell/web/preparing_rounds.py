"""Preparing a round: the list and the terms, then everything that it would do, then it waits for approval."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from partwell import clock
from partwell.departures.states import Confidentiality, SubjectKind
from partwell.journeys.models import Round
from partwell.journeys.rounds.lists import LARGEST
from partwell.journeys.rounds.operations import prepare_round
from partwell.journeys.rounds.preview import Preview, Terms, preview_round
from partwell.journeys.rounds.queries import get_round, possible_approvers
from partwell.journeys.template_queries import load_version
from partwell.people.actors import Actor
from partwell.people.authorisation import check_office
from partwell.people.imports import read_bytes
from partwell.people.models import User
from partwell.refusals import FreshSignInNeeded, Refusal
from partwell.web import presenting
from partwell.web.fields import DATE, MOMENT
from partwell.web.round_words import overview_rows
from partwell.web.rounds import crumbs
from partwell.web.session import actor_of
from partwell.web.starting import startable_templates
from partwell.web.translate import put_refusal

USUAL = "staff-redundancy"
SHOWN = 200


class RoundForm(forms.Form):
    """Who, and what holds for all of them."""

    name = forms.CharField(
        label="Name of the round", max_length=120, help_text="Only its participants and HR read it."
    )
    template = forms.ChoiceField(label="What happens", choices=())
    who = forms.CharField(
        label="Who leaves",
        required=False,
        strip=False,
        max_length=400_000,
        widget=forms.Textarea(attrs={"rows": 8, "spellcheck": "false"}),
        help_text="One e-mail address or employee number in each line; or the text of a CSV file.",
    )
    file = forms.FileField(
        label="Or a CSV file",
        required=False,
        help_text="With email or employee_number, and what differs: last_working_day, notice_date, reason.",
    )
    last_day = forms.DateField(
        label="Last working day",
        required=False,
        widget=DATE,
        help_text="Of everybody whose line says no other.",
    )
    notice_date = forms.DateField(
        label="Notice", required=False, widget=DATE, help_text="Left empty, the day on which each one starts."
    )
    reason = forms.ChoiceField(
        label="Reason", required=False, help_text="HR alone reads it. It becomes a figure, never a rumour."
    )
    jurisdiction = forms.CharField(
        label="Jurisdiction",
        required=False,
        max_length=10,
        help_text="Such as DE or US-CA; each one’s own country otherwise.",
    )
    confidentiality = forms.ChoiceField(
        label="Who may know",
        initial=Confidentiality.NEED_TO_KNOW,
        choices=[
            (Confidentiality.NEED_TO_KNOW.value, "Only participants: nobody else sees that it exists"),
            (Confidentiality.NORMAL.value, "Announced: whoever may read departures"),
        ],
    )
    approvers = forms.MultipleChoiceField(
        label="Who approves it",
        required=False,
        widget=forms.CheckboxSelectMultiple(attrs={"class": "form-check-input"}),
        help_text="Another person of HR or an executive. They take part, and see every journey of it.",
    )
    starts_at = forms.DateTimeField(
        label="Starts at", required=False, widget=MOMENT, help_text="Left empty, as soon as it is approved."
    )
    batch_size = forms.IntegerField(
        label="How many on a working day",
        required=False,
        min_value=1,
        max_value=LARGEST,
        help_text="In the order of the list, from the start on. Left empty, all at once.",
    )

    def __init__(self, *args: Any, actor: Actor, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        versions = [v for v in startable_templates() if v.audience == SubjectKind.STAFF]
        self.fields["template"].choices = [(v.template_id, v.title) for v in versions]  # type: ignore[attr-defined]
        if USUAL in {v.template_id for v in versions}:
            self.fields["template"].initial = USUAL
        self.fields["reason"].choices = [("", "Not stated")] + [  # type: ignore[attr-defined]
            (v.title, [(reason, presenting.words(reason)) for reason in load_version(v).reasons])
            for v in versions
        ]
        self.eligible = {str(user.pk): user for user in possible_approvers(actor)}
        self.fields["approvers"].choices = [  # type: ignore[attr-defined]
            (key, f"{user} ({user.email})") for key, user in self.eligible.items()
        ]

    def clean(self) -> dict[str, Any]:
        """A list or a file, not both."""
        given = super().clean() or {}
        if bool(given.get("who", "").strip()) == bool(given.get("file")):
            self.add_error("who", "Write a list or choose a file, one of the two.")
        return given

    def data_given(self) -> bytes:
        """The list's or the file's bytes."""
        upload = self.cleaned_data.get("file")
        return read_bytes(upload) if upload else self.cleaned_data["who"].encode()

    def terms(self) -> Terms:
        """What holds for everybody."""
        given = self.cleaned_data
        return Terms(
            name=given["name"],
            template_id=given["template"],
            last_working_date=given["last_day"],
            notice_date=given["notice_date"],
            reason=given["reason"],
            jurisdiction=given["jurisdiction"],
            confidentiality=given["confidentiality"],
            starts_at=given["starts_at"],
            batch_size=given["batch_size"],
        )

    def chosen_approvers(self) -> list[User]:
        """The accounts that were ticked."""
        return [self.eligible[key] for key in self.cleaned_data["approvers"]]


@require_http_methods(["GET", "POST"])
def prepare(request: HttpRequest) -> HttpResponse:
    """The form; then the preview; then, with `prepare`, the round waits for its second person."""
    actor = actor_of(request)
    check_office(actor, "rounds.prepare")
    if request.method == "GET":
        return _page(request, RoundForm(actor=actor, initial=_as_before(request, actor)))
    form = RoundForm(request.POST, request.FILES, actor=actor)
    if not form.is_valid() or "change" in request.POST:
        return _page(request, form, status=422 if form.errors else 200)
    data, terms = form.data_given(), form.terms()
    try:
        if "prepare" in request.POST:
            found = prepare_round(
                terms=terms,
                data=data,
                approvers=form.chosen_approvers(),
                digest=request.POST.get("digest", ""),
                actor=actor,
                now=clock.now(),
            )
            messages.success(request, "Prepared. Nobody leaves by it until another person has approved it.")
            return HttpResponseRedirect(reverse("web:round", args=[found.pk]))
        preview = preview_round(terms=terms, data=data, actor=actor, now=clock.now())
    except FreshSignInNeeded:
        raise
    except Refusal as refusal:
        put_refusal(form, refusal)
        return _page(request, form, status=refusal.status)
    return _page(request, form, preview=preview, data=data, status=422 if preview.bad_lines else 200)


def _page(
    request: HttpRequest,
    form: RoundForm,
    *,
    preview: Preview | None = None,
    data: bytes = b"",
    status: int = 200,
) -> HttpResponse:
    context: dict[str, Any] = {"form": form, "preview": preview, "crumbs": crumbs("New round")}
    if preview is not None:
        context |= {
            "who": data.decode("utf-8", errors="replace"),
            "overview": overview_rows(preview.overview),
            "members": preview.members[:SHOWN],
            "more": max(len(preview.members) - SHOWN, 0),
            "bad_lines": preview.bad_lines[:SHOWN],
            "bad_more": max(len(preview.bad_lines) - SHOWN, 0),
            "chosen": form.chosen_approvers(),
            # A browser does not send a file twice, so the list comes back as text.
            "kept": [form[name].as_hidden() for name in form.fields if name not in ("who", "file")],
        }
    return render(request, "rounds/prepare.html", context, status=status)


def _as_before(request: HttpRequest, actor: Actor) -> dict[str, Any]:
    """The list and terms of an earlier round, for one that is prepared anew."""
    try:
        found: Round = get_round(actor, UUID(request.GET.get("from", "")))
    except (ValueError, Refusal):
        return {}
    rows = ["email,last_working_day,notice_date,reason"]
    rows += [f"{m.email},{m.last_working_date},{m.notice_date or ''},{m.reason}" for m in found.members.all()]
    return {
        "name": found.name,
        "template": found.template.template_id,
        "who": "\n".join(rows),
        "notice_date": found.notice_date,
        "reason": found.reason,
        "jurisdiction": found.jurisdiction,
        "confidentiality": found.confidentiality,
        "starts_at": found.starts_at,
        "batch_size": found.batch_size,
    }
