"""Starting a departure: five fields, then everything it would do, then it begins. And notices for HR."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from partwell import clock
from partwell.departures.models import Notice
from partwell.departures.notices import get_notice, visible_notices
from partwell.departures.states import Confidentiality, SubjectKind
from partwell.journeys.intake import Intake
from partwell.journeys.models import Journey, TemplateVersion
from partwell.journeys.operations import starting
from partwell.journeys.operations.shutting_out import URGENT
from partwell.journeys.queries import phases_of
from partwell.journeys.template_queries import latest, load_version
from partwell.people.queries import find_client, find_person
from partwell.refusals import FreshSignInNeeded, NotAllowed, Refusal
from partwell.web import presenting
from partwell.web.fields import DATE, MOMENT
from partwell.web.navigation import may_follow
from partwell.web.session import actor_of
from partwell.web.translate import put_refusal

USUAL = "staff-resignation"
"""What is chosen before anybody chooses: never a dismissal or a death, by the chance of the alphabet."""


class IntakeForm(forms.Form):
    """The five fields; the rest is folded away and has a default."""

    template = forms.ChoiceField(label="What happens", choices=())
    subject = forms.CharField(
        label="Who leaves",
        max_length=320,
        help_text="A colleague’s e-mail address or employee number; a client’s reference or name.",
    )
    notice_date = forms.DateField(label="Notice received", widget=DATE)
    last_day = forms.DateField(label="Last working day", widget=DATE)
    reason = forms.ChoiceField(
        label="Reason", required=False, help_text="HR alone reads it. It becomes a figure, never a rumour."
    )
    access_end = forms.DateTimeField(
        label="Access ends",
        required=False,
        widget=MOMENT,
        help_text="In the leaver’s timezone; 17:30 on the last working day unless you say otherwise.",
    )
    contract_end = forms.DateField(label="Contract ends", required=False, widget=DATE)
    jurisdiction = forms.CharField(
        label="Jurisdiction",
        required=False,
        max_length=10,
        help_text="Such as DE or US-CA; their country otherwise.",
    )
    confidentiality = forms.ChoiceField(
        label="Who may know",
        required=False,
        choices=[("", "As the template says"), *((c.value, presenting.words(c)) for c in Confidentiality)],
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        templates = {version: load_version(version) for version in startable_templates()}
        self.endings = [(version.title, template.summary) for version, template in templates.items()]
        usual = next((v.template_id for v in templates if v.template_id == USUAL), None)
        self.fields["template"].initial = usual
        groups = [
            (title, [(v.template_id, v.title) for v in templates if v.audience == audience])
            for audience, title in ((SubjectKind.STAFF, "A colleague"), (SubjectKind.CLIENT, "A client"))
        ]
        self.fields["template"].choices = [group for group in groups if group[1]]  # type: ignore[attr-defined]
        chosen = self.data.get("template") or self.initial.get("template") or usual
        # Reasons follow from the template; without a script the first answer may be of another one, so
        # all known reasons are accepted here, each under its template, and the operation checks the pair.
        self.fields["reason"].choices = [("", "Choose one")] + [  # type: ignore[attr-defined]
            (version.title, [(reason, presenting.words(reason)) for reason in template.reasons])
            for version, template in sorted(templates.items(), key=lambda pair: pair[0].template_id != chosen)
        ]


@require_http_methods(["GET", "POST"])
def start(request: HttpRequest) -> HttpResponse:
    """The form; with `look` the plan it would make, with `begin` the journey itself."""
    actor, now = actor_of(request), clock.now()
    if request.method == "GET":
        known = {k: request.GET[k] for k in ("template", "subject", "notice") if k in request.GET}
        form = IntakeForm(initial={"notice_date": timezone.localdate(now), **known, **_from_notice(request)})
        return _form(request, form)
    form = IntakeForm(request.POST)
    if not form.is_valid():
        return _form(request, form, status=422)
    try:
        intake = _intake(form.cleaned_data)
        template_id = form.cleaned_data["template"]
        if "begin" in request.POST:
            begun = starting.start_or_give_notice(
                template_id=template_id, intake=intake, actor=actor, now=now
            )
            return _begun(request, begun)
        draft = starting.draft_journey(template_id=template_id, intake=intake, actor=actor, now=now)
    except FreshSignInNeeded:
        raise
    except NotAllowed as refusal:
        if refusal.code != starting.GIVE_NOTICE:
            raise
        return render(request, "journeys/give_notice.html", {"form": form, "crumbs": _crumbs()})
    except Refusal as refusal:
        put_refusal(form, _renamed(refusal))
        return _form(request, form, status=refusal.status)
    phases = phases_of(draft.steps, now=now)
    return render(
        request,
        "journeys/review.html",
        {
            "form": form,
            "departure": draft.departure,
            "template": draft.journey.template,
            "summary": load_version(draft.journey.template).summary,
            "groups": presenting.groups_of(draft.steps, phases, viewer_id=None, role="", now=now),
            "count": sum(p.total for p in phases),
            "plan": draft,
            "vacancies": presenting.vacancy_rows(draft, actor),
            "crumbs": _crumbs(),
            "notice": request.POST.get("notice", ""),
        },
    )


@require_POST
def decline_notice(request: HttpRequest, notice_id: UUID) -> HttpResponse:
    """HR says that nothing follows from a notice."""
    actor = actor_of(request)
    notice = get_notice(actor, notice_id)
    starting.settle_notice(notice=notice, journey=None, actor=actor, now=clock.now())
    messages.success(request, f"The notice about {notice.subject_name} is settled.")
    return HttpResponseRedirect(reverse("web:home"))


def _begun(request: HttpRequest, begun: Journey | Notice) -> HttpResponse:
    if isinstance(begun, Notice):
        messages.success(request, "HR has your notice, and takes it from here.")
        return HttpResponseRedirect(reverse("web:home"))
    actor = actor_of(request)
    if notice_id := request.POST.get("notice"):
        try:
            waiting = visible_notices(actor).filter(pk=UUID(notice_id)).first()
        except ValueError:
            waiting = None
        if waiting is not None:
            starting.settle_notice(notice=waiting, journey=begun, actor=actor, now=clock.now())
    messages.success(request, "The journey has begun. Everybody who has a step is told.")
    return HttpResponseRedirect(reverse("web:journey", args=[begun.pk]))


def _form(request: HttpRequest, form: IntakeForm, *, status: int = 200) -> HttpResponse:
    context = {
        "form": form,
        "crumbs": _crumbs(),
        "notice": request.POST.get("notice") or request.GET.get("notice", ""),
        "may_practise": may_follow(actor_of(request), "practice.view"),
    }
    return render(request, "journeys/start.html", context, status=status)


def _intake(data: dict[str, Any]) -> Intake:
    version = latest(data["template"])
    is_client = version.audience == "client"
    access_end = data["access_end"]
    return Intake(
        client=find_client(data["subject"]) if is_client else None,
        person=None if is_client else find_person(data["subject"]),
        notice_date=data["notice_date"],
        last_working_date=data["last_day"],
        reason=data["reason"],
        access_end_at=access_end.replace(tzinfo=None) if access_end else None,
        contract_end_date=data["contract_end"],
        jurisdiction=data["jurisdiction"],
        confidentiality=data["confidentiality"],
    )


def _from_notice(request: HttpRequest) -> dict[str, str | date]:
    """What a waiting notice already says, so that HR does not type it again."""
    try:
        notice_id = UUID(request.GET.get("notice", ""))
    except ValueError:
        return {}
    notice = (
        visible_notices(actor_of(request)).select_related("person", "client").filter(pk=notice_id).first()
    )
    if notice is None:
        return {}
    subject = notice.person.email if notice.person else notice.subject_name
    return {
        "subject": subject,
        "template": notice.scenario,
        "notice_date": notice.notice_date,
        "last_day": notice.last_working_date,
        "reason": notice.reason,
    }


def _renamed(refusal: Refusal) -> Refusal:
    """The form has one field for whoever leaves."""
    if refusal.field in ("person", "client"):
        refusal.field = "subject"
    return refusal


def startable_templates() -> list[TemplateVersion]:
    """The latest version of every template that somebody may choose, colleagues first."""
    seen: dict[str, TemplateVersion] = {}
    for version in TemplateVersion.objects.exclude(template_id__in=URGENT).order_by(
        "template_id", "-version"
    ):
        seen.setdefault(version.template_id, version)
    return sorted(seen.values(), key=lambda v: (v.audience != "staff", v.title))


def _crumbs() -> list[dict[str, str]]:
    return [{"title": "Journeys", "url": reverse("web:departures")}, {"title": "New departure"}]
