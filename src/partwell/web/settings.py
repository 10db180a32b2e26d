"""Settings: whose installation this is, who holds which role, and how it is doing."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from django import forms
from django.conf import settings as configured
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from partwell import clock
from partwell.departures.policies import scopes_of_others
from partwell.evidence import queries as evidence
from partwell.evidence.heads import head_text
from partwell.journeys.rounds.queries import hidden_round_scopes
from partwell.people import operations
from partwell.people.models import Installation
from partwell.people.queries import list_grants, view_settings
from partwell.people.roles import GRANTABLE, ROLE_LABELS, Role
from partwell.refusals import FreshSignInNeeded, Refusal
from partwell.signals.queries import count_mail
from partwell.web.session import actor_of
from partwell.web.set_up import way_back
from partwell.web.translate import put_refusal


class CompanyForm(forms.Form):
    """Whose installation this is."""

    company = forms.CharField(label="Company", max_length=200)
    country = forms.CharField(
        label="Country", max_length=2, required=False, help_text="Two letters such as DE."
    )
    timezone = forms.CharField(
        label="Timezone", max_length=64, required=False, help_text="Such as Europe/Berlin."
    )


class GrantForm(forms.Form):
    """A role for somebody."""

    email = forms.EmailField(label="E-mail address")
    role = forms.ChoiceField(choices=[(role.value, ROLE_LABELS[role]) for role in sorted(GRANTABLE)])
    department = forms.CharField(
        label="Department", max_length=120, required=False, help_text="Empty: the whole firm."
    )


@require_http_methods(["GET", "POST"])
def settings(request: HttpRequest) -> HttpResponse:
    """Everything in one page; the company's facts are changed here."""
    actor = actor_of(request)
    here = view_settings(actor=actor)
    form = CompanyForm(request.POST or None, initial=_company(here))
    if request.method == "POST" and form.is_valid():
        try:
            operations.change_settings(**form.cleaned_data, actor=actor, now=clock.now())
        except FreshSignInNeeded:
            raise
        except Refusal as refusal:
            put_refusal(form, refusal)
        else:
            messages.success(request, "The settings are kept.")
            return way_back(request, reverse("web:settings"))
    return _page(request, here, form=form, status=422 if form.errors else 200)


@require_POST
def grant(request: HttpRequest) -> HttpResponse:
    """Give somebody a role."""
    actor = actor_of(request)
    here = view_settings(actor=actor)
    form = GrantForm(request.POST)
    if form.is_valid():
        try:
            given = operations.grant_role(**form.cleaned_data, actor=actor, now=clock.now())
        except FreshSignInNeeded:
            raise
        except Refusal as refusal:
            put_refusal(form, refusal)
        else:
            messages.success(request, f"{given.user} holds the role {ROLE_LABELS[Role(given.role)]} now.")
            return HttpResponseRedirect(reverse("web:settings"))
    return _page(request, here, grant_form=form, status=422)


@require_POST
def revoke(request: HttpRequest) -> HttpResponse:
    """Take a role back."""
    email = request.POST.get("email", "")
    operations.revoke_role(
        email=email,
        role=request.POST.get("role", ""),
        department=request.POST.get("department", ""),
        actor=actor_of(request),
        now=clock.now(),
    )
    messages.success(request, f"{email} no longer holds this role.")
    return HttpResponseRedirect(reverse("web:settings"))


def _company(here: Installation) -> dict[str, str]:
    return {"company": here.company_name, "country": here.country, "timezone": here.timezone}


def _page(
    request: HttpRequest,
    here: Installation,
    *,
    form: CompanyForm | None = None,
    grant_form: GrantForm | None = None,
    status: int = 200,
) -> HttpResponse:
    head, actor = evidence.head(), actor_of(request)
    mail = count_mail(without=[*scopes_of_others(actor), *hidden_round_scopes(actor)])
    is_set = {name: known for name, known, _ in configured.ENVIRONMENT}
    context: dict[str, Any] = {
        "here": here,
        "form": form or CompanyForm(initial=_company(here)),
        "grant_form": grant_form or GrantForm(auto_id="grant_%s"),
        "grants": [
            {
                "grant": grant,
                "label": ROLE_LABELS[Role(grant.role)],
                "where": grant.department or "whole firm",
            }
            for grant in list_grants()
        ],
        "mail": [(state.replace("_", " "), count) for state, count in mail.items()],
        "has_mail_server": is_set["PARTWELL_SMTP_URL"],
        "head": head_text(head) if head else "",
        "environment": configured.ENVIRONMENT,
        "version": version("partwell"),
        "database": configured.DATABASES["default"]["ENGINE"].rsplit(".", 1)[-1],
    }
    return render(request, "settings/settings.html", context, status=status)
