"""The register of shared credentials: the list, one credential with who knows it, and changing both."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from partwell import clock
from partwell.access.credentials import details, operations, queries
from partwell.access.credentials.policies import authorise, may
from partwell.access.credentials.rotation_queries import visible_rotations
from partwell.access.credentials.states import CredentialKind, Direction
from partwell.access.models import Credential, System
from partwell.evidence.models import Event
from partwell.people.authorisation import check_office
from partwell.refusals import Refusal
from partwell.web.fields import DATE
from partwell.web.navigation import may_follow
from partwell.web.rotations import rows_of
from partwell.web.session import actor_of
from partwell.web.timeline import timeline
from partwell.web.translate import put_refusal

KINDS = {
    CredentialKind.PASSWORD: "Team password",
    CredentialKind.API_KEY: "API key",
    CredentialKind.PORTAL: "Supplier portal",
    CredentialKind.DOOR_CODE: "Door code",
    CredentialKind.CLIENT_LOGIN: "Client login",
    CredentialKind.OTHER: "Other",
}
DIRECTIONS = {
    Direction.NONE: "Not with a client",
    Direction.THEIRS: "Theirs: we know it, they change it",
    Direction.OURS: "Ours: they know it, we change it",
}
FILTERS = {
    "": "In use",
    "mine": "Mine",
    "due": "Due by interval",
    "unowned": "Without an owner",
    "retired": "Retired",
}


class DetailsForm(forms.Form):
    """What is on record of a credential. There is no field for its value."""

    name = forms.CharField(
        label="What is it called?",
        max_length=200,
        help_text="As people say it: “Social media, team login”. Never the secret itself.",
    )
    kind = forms.ChoiceField(label="Kind", choices=[(k.value, words) for k, words in KINDS.items()])
    used_at = forms.CharField(
        label="Where is it used?",
        required=False,
        max_length=200,
        help_text="A host, an address or a door. Of a web address only the host is kept.",
    )
    login = forms.CharField(label="User name that goes with it", required=False, max_length=200)
    owner_email = forms.EmailField(
        label="Owner’s e-mail address",
        required=False,
        help_text="Who answers for it and changes it when somebody leaves. Without one, IT/Security does.",
    )
    direction = forms.ChoiceField(
        label="Whose is it?", required=False, choices=[(d.value, words) for d, words in DIRECTIONS.items()]
    )
    client_ref = forms.CharField(label="Client’s reference or name", required=False, max_length=200)
    system = forms.ChoiceField(
        label="Changed by a connector in",
        required=False,
        help_text="Only systems whose connector can give a shared account a new secret.",
    )
    account = forms.CharField(
        label="Account in that system", required=False, max_length=400, help_text="For example the role."
    )
    rotated_on = forms.DateField(label="Changed last on", required=False, widget=DATE)
    rotate_every_days = forms.IntegerField(
        label="Change it every so many days", required=False, min_value=1, max_value=3650
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        able = [system for system in System.objects.filter(is_enabled=True) if details.rotates(system)]
        choices = [("", "Nowhere: a person changes it"), *((s.name, s.title) for s in able)]
        self.fields["system"].choices = choices  # type: ignore[attr-defined]

    def given(self) -> dict[str, Any]:
        """What the operations take."""
        return {name: "" if value is None else str(value) for name, value in self.cleaned_data.items()}


class HolderForm(forms.Form):
    email = forms.EmailField(label="E-mail address", help_text="A colleague, or a contact of the client.")
    since = forms.DateField(label="Since", required=False, widget=DATE, help_text="Today, unless given.")


class ReasonForm(forms.Form):
    reason = forms.CharField(label="Why?", max_length=2000, widget=forms.Textarea(attrs={"rows": 2}))


@require_GET
def credentials(request: HttpRequest) -> HttpResponse:
    """A page of the credentials that exist for the viewer."""
    actor, today = actor_of(request), clock.today_in("UTC", now=clock.now())
    words = request.GET.get("q", "").strip()[:100]
    kind, only = request.GET.get("kind", ""), request.GET.get("only", "")
    kind, only = kind if kind in KINDS else "", only if only in FILTERS else ""
    found, after = queries.list_credentials(
        actor=actor, today=today, search=words, kind=kind, only=only, after=request.GET.get("after")
    )
    sees_all = may_follow(actor, "credentials.change")
    rows = [
        {
            "credential": each,
            "kind": KINDS[CredentialKind(each.kind)],
            "is_due": queries.is_due(each, today),
            "shows_holders": sees_all or each.owner_id == actor.person_id,
        }
        for each in found
    ]
    asked = {name: value for name, value in (("q", words), ("kind", kind), ("only", only)) if value}
    context = {
        "rows": rows,
        "next": urlencode(asked | {"after": after}) if after else "",
        "q": words,
        "kind": kind,
        "only": only,
        "kinds": [(k.value, name) for k, name in KINDS.items()],
        "filters": list(FILTERS.items()),
        "is_narrowed": bool(asked),
        "may_add": may_follow(actor, "credentials.add"),
        "may_import": may_follow(actor, "credentials.import"),
    }
    return render(request, "credentials/list.html", context)


@require_GET
def credential(request: HttpRequest, credential_id: UUID) -> HttpResponse:
    """One credential."""
    return _show(request, queries.get_credential(actor_of(request), credential_id))


@require_http_methods(["GET", "HEAD", "POST"])
def add(request: HttpRequest) -> HttpResponse:
    """Put a credential on record."""
    actor = actor_of(request)
    check_office(actor, "credentials.add")
    form = DetailsForm(request.POST or None)
    status = 200
    if request.method == "POST" and form.is_valid():
        try:
            made = operations.add_credential(given=form.given(), actor=actor, now=clock.now())
        except Refusal as refusal:
            put_refusal(form, refusal)
            status = refusal.status
        else:
            messages.success(request, f"{made.name} is on record. Say who knows it.")
            return HttpResponseRedirect(reverse("web:credential", args=[made.pk]))
    return _form(request, form, "Add a credential", reverse("web:credentials"), status)


@require_http_methods(["GET", "HEAD", "POST"])
def change(request: HttpRequest, credential_id: UUID) -> HttpResponse:
    """Change what is on record of a credential."""
    actor = actor_of(request)
    found = queries.get_credential(actor, credential_id)
    authorise(actor, "credentials.change", found)
    form = DetailsForm(request.POST or None, initial=details.shown(found))
    status = 200
    if request.method == "POST" and form.is_valid():
        try:
            operations.change_credential(credential=found, given=form.given(), actor=actor, now=clock.now())
        except Refusal as refusal:
            put_refusal(form, refusal)
            status = refusal.status
        else:
            return HttpResponseRedirect(reverse("web:credential", args=[found.pk]))
    back = reverse("web:credential", args=[found.pk])
    return _form(request, form, f"Change {found.name}", back, status)


@require_POST
def add_holder(request: HttpRequest, credential_id: UUID) -> HttpResponse:
    """Say that somebody knows it."""
    actor = actor_of(request)
    found = queries.get_credential(actor, credential_id)
    form = HolderForm(request.POST)
    if not form.is_valid():
        return _show(request, found, holder_form=form, status=422)
    try:
        operations.add_holder(
            credential=found,
            email=form.cleaned_data["email"],
            since=form.cleaned_data["since"],
            actor=actor,
            now=clock.now(),
        )
    except Refusal as refusal:
        put_refusal(form, refusal)
        return _show(request, found, holder_form=form, status=refusal.status)
    return HttpResponseRedirect(reverse("web:credential", args=[found.pk]))


@require_http_methods(["GET", "HEAD", "POST"])
def end_holder(request: HttpRequest, credential_id: UUID, holder_id: int) -> HttpResponse:
    """Say that somebody does not know it any more, and why."""
    actor = actor_of(request)
    found = queries.get_credential(actor, credential_id)
    holder = queries.get_holder(actor, found, holder_id)

    def end(reason: str) -> None:
        operations.end_holder(holder=holder, reason=reason, actor=actor, now=clock.now())

    return _with_reason(
        request,
        found,
        end,
        title=f"{holder.name} does not know it any more",
        lead="Nobody forgets a secret. Say that it was changed and they were not told, or that they never "
        "knew it.",
        button="End the entry",
    )


@require_http_methods(["GET", "HEAD", "POST"])
def retire(request: HttpRequest, credential_id: UUID) -> HttpResponse:
    """Take it off the register."""
    actor = actor_of(request)
    found = queries.get_credential(actor, credential_id)
    authorise(actor, "credentials.retire", found)

    def retire_it(reason: str) -> None:
        operations.retire_credential(credential=found, reason=reason, actor=actor, now=clock.now())

    return _with_reason(
        request,
        found,
        retire_it,
        title=f"Retire {found.name}",
        lead="For what opens nothing any more. It stays readable, with all that happened to it.",
        button="Retire it",
    )


def _with_reason(
    request: HttpRequest, found: Credential, do: Any, *, title: str, lead: str, button: str
) -> HttpResponse:
    form = ReasonForm(request.POST or None)
    status = 422 if form.errors else 200
    if request.method == "POST" and form.is_valid():
        try:
            do(form.cleaned_data["reason"])
        except Refusal as refusal:
            put_refusal(form, refusal)
            status = refusal.status
        else:
            return HttpResponseRedirect(reverse("web:credential", args=[found.pk]))
    context = {
        "form": form,
        "title": title,
        "lead": lead,
        "button": button,
        "back": reverse("web:credential", args=[found.pk]),
        "crumbs": [*_crumbs(found), {"title": title}],
    }
    return render(request, "credentials/reason.html", context, status=status)


def _form(request: HttpRequest, form: DetailsForm, title: str, back: str, status: int) -> HttpResponse:
    if form.errors and status == 200:
        status = 422
    crumbs = [{"title": "Credentials", "url": reverse("web:credentials")}, {"title": title}]
    context = {"form": form, "title": title, "back": back, "crumbs": crumbs}
    return render(request, "credentials/form.html", context, status=status)


def _show(
    request: HttpRequest, found: Credential, *, holder_form: HolderForm | None = None, status: int = 200
) -> HttpResponse:
    actor, today = actor_of(request), clock.today_in("UTC", now=clock.now())
    holders = queries.holders_for(actor, found)
    in_use = found.retired_at is None
    events = Event.objects.filter(scope=operations.scope_of(found)).order_by("-occurred_at", "-pk")[:12]
    context = {
        "credential": found,
        "kind": KINDS[CredentialKind(found.kind)],
        "direction": DIRECTIONS[Direction(found.direction)],
        "holders": holders,
        "current": sum(holder.until_date is None for holder in holders or ()),
        "is_due": queries.is_due(found, today),
        "holder_form": holder_form or HolderForm(),
        "may_change": in_use and may(actor, "credentials.change", found),
        "may_open_people": may_follow(actor, "people.view"),
        "may_open_clients": may_follow(actor, "clients.view"),
        "events": timeline(events) if holders is not None else [],
        "rotations": rows_of(visible_rotations(actor, now=clock.now()).filter(credential=found)),
        "crumbs": _crumbs(found),
    }
    return render(request, "credentials/credential.html", context, status=status)


def _crumbs(found: Credential) -> list[dict[str, str]]:
    return [
        {"title": "Credentials", "url": reverse("web:credentials")},
        {"title": found.name, "url": reverse("web:credential", args=[found.pk])},
    ]
