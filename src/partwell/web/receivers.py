"""Receivers of signals: who outside is told when somebody's sessions end, and what became of each signal."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from partwell import clock
from partwell.departures.policies import scopes_of_others
from partwell.people.authorisation import check_office
from partwell.refusals import FreshSignInNeeded, Refusal
from partwell.signals import queries
from partwell.signals import receivers as operations
from partwell.signals.models import Receiver, SecurityEvent
from partwell.signals.states import Signal, SignalState, SubjectFormat
from partwell.web.session import actor_of
from partwell.web.translate import put_refusal

SIGNALS = {
    Signal.SESSION_REVOKED: "that sessions ended",
    Signal.ACCOUNT_DISABLED: "that an account is disabled",
    Signal.ACCOUNT_ENABLED: "that an account is enabled again",
}
WORDS = {
    Signal.SESSION_REVOKED: "Sessions ended",
    Signal.ACCOUNT_DISABLED: "Account disabled",
    Signal.ACCOUNT_ENABLED: "Account enabled",
    Signal.VERIFICATION: "Test",
}
SUBJECTS = {
    SubjectFormat.EMAIL: "E-mail address",
    SubjectFormat.ACCOUNT: "Account (acct:name@host)",
    SubjectFormat.ISS_SUB: "User name at an issuer",
}
STATES = {
    SignalState.QUEUED: ("todo", "Waiting"),
    SignalState.ACCEPTED: ("accepted", "Taken"),
    SignalState.FAILED: ("failed", "Not taken"),
}
NEVER = {"state": "todo", "says": "Never tested"}


class ReceiverForm(forms.Form):
    """A receiver as an administrator describes it."""

    title = forms.CharField(label="As people call it", max_length=120)
    endpoint = forms.CharField(max_length=operations.LONGEST, help_text="Where it listens, an https address.")
    audience = forms.CharField(
        max_length=operations.LONGEST, help_text="What it expects as “aud”; its own settings say it."
    )
    authorization = forms.CharField(
        label="Authorisation",
        max_length=operations.LONGEST,
        required=False,
        help_text="Where the whole value of the header is kept: env:NAME or file:/PATH.",
    )
    session_revoked = forms.BooleanField(
        label="Tell it that sessions ended, when cutting begins", required=False, initial=True
    )
    account_disabled = forms.BooleanField(
        label="Tell it that an account is disabled, once that was read back", required=False, initial=True
    )
    account_enabled = forms.BooleanField(
        label="Tell it that an account is enabled again, once a restore was read back",
        required=False,
        initial=True,
    )
    subject_format = forms.ChoiceField(
        label="How it knows people", choices=[(f.value, words) for f, words in SUBJECTS.items()]
    )
    subject_issuer = forms.CharField(
        label="Issuer of the user names",
        max_length=operations.LONGEST,
        required=False,
        help_text="Only for user names: the address of the identity provider that gave them.",
    )
    ca_file = forms.CharField(
        label="Certificates of a private authority",
        max_length=operations.LONGEST,
        required=False,
        help_text="A path on the server; empty: the system's own authorities.",
    )

    def description(self) -> dict[str, Any]:
        """What the operation takes."""
        given = dict(self.cleaned_data)
        chosen = {signal: given.pop(str(signal).replace("-", "_")) for signal in operations.OFFERED}
        return {**given, "signals": [str(signal) for signal, is_on in chosen.items() if is_on]}


class NewForm(ReceiverForm):
    """A new one, with its name."""

    name = forms.SlugField(max_length=60, help_text="For addresses and commands: letters, digits, hyphens.")
    field_order = ("title", "name")


class ChangeForm(ReceiverForm):
    """One that there is already."""

    is_enabled = forms.BooleanField(
        label="It is told. Switched off, what waits for it is given up", required=False
    )


@require_GET
def overview(request: HttpRequest) -> HttpResponse:
    """All receivers, the key that signals are signed with, and what receivers need to know of us."""
    actor = actor_of(request)
    found = queries.list_receivers(actor=actor)
    counts = queries.count_signals(without=scopes_of_others(actor))
    context = {
        "rows": [_row(each, counts.get(each.pk, {})) for each in found],
        "keys": queries.signing_keys(),
        "issuer": settings.BASE_URL,
        "has_tls": settings.USE_TLS,
        "metadata": settings.BASE_URL + reverse("ssf_configuration"),
        "jwks": settings.BASE_URL + reverse("ssf_keys"),
        "crumbs": [_settings(), {"title": "Receivers"}],
    }
    return render(request, "settings/receivers.html", context)


@require_GET
def receiver(request: HttpRequest, receiver: str) -> HttpResponse:
    """One receiver: its settings, its last test, and the latest signals."""
    actor = actor_of(request)
    found = queries.get_receiver(receiver, actor=actor)
    context = {
        "receiver": found,
        "row": _row(found, {}),
        "signals": [_signal(each) for each in queries.list_signals(found, without=scopes_of_others(actor))],
        "subjects": SUBJECTS[SubjectFormat(found.subject_format)],
        "crumbs": [_settings(), _receivers(), {"title": found.title}],
    }
    return render(request, "settings/receiver.html", context)


@require_http_methods(["GET", "POST"])
def add(request: HttpRequest) -> HttpResponse:
    """Register a receiver; nothing is sent to it yet."""
    actor = actor_of(request)
    check_office(actor, "receivers.add")
    form = NewForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        description = form.description()
        try:
            found = operations.add_receiver(
                name=description.pop("name"), description=description, actor=actor, now=clock.now()
            )
        except FreshSignInNeeded:
            raise
        except Refusal as refusal:
            put_refusal(form, refusal)
        else:
            messages.success(request, f"{found.title} is registered. Test it before you rely on it.")
            return _to(found)
    return _form(request, form, "Register a receiver", "Register it", reverse("web:receivers"), [])


@require_http_methods(["GET", "POST"])
def change(request: HttpRequest, receiver: str) -> HttpResponse:
    """Change a receiver, or switch it off."""
    actor = actor_of(request)
    check_office(actor, "receivers.change")
    found = queries.get_receiver(receiver, actor=actor)
    form = ChangeForm(request.POST or None, initial=_initial(found))
    if request.method == "POST" and form.is_valid():
        try:
            operations.change_receiver(
                receiver=found, changes=form.description(), actor=actor, now=clock.now()
            )
        except FreshSignInNeeded:
            raise
        except Refusal as refusal:
            put_refusal(form, refusal)
        else:
            messages.success(request, f"{found.title} is kept.")
            return _to(found)
    here = reverse("web:receiver", args=[found.name])
    crumbs = [{"title": found.title, "url": here}]
    return _form(request, form, f"Change {found.title}", "Keep", here, crumbs)


@require_POST
def test(request: HttpRequest, receiver: str) -> HttpResponse:
    """Have the verification event sent; the page shows what came back."""
    actor = actor_of(request)
    found = queries.get_receiver(receiver, actor=actor)
    operations.test_receiver(receiver=found, actor=actor, now=clock.now())
    return _to(found)


@require_GET
def live(request: HttpRequest, receiver: str) -> HttpResponse:
    """204 while the test is under way; then the browser is asked to read the page again."""
    found = queries.get_receiver(receiver, actor=actor_of(request))
    if _test(found)["state"] == "running":
        return HttpResponse(status=204)
    return HttpResponse(status=204, headers={"HX-Refresh": "true"})


@require_POST
def again(request: HttpRequest, receiver: str, signal_id: UUID) -> HttpResponse:
    """Queue a signal that failed once more."""
    actor = actor_of(request)
    found = queries.get_receiver(receiver, actor=actor)
    event = queries.get_signal(found, signal_id, without=scopes_of_others(actor))
    operations.send_signal_again(event=event, actor=actor, now=clock.now())
    messages.success(request, "The signal is queued again.")
    return _to(found)


@require_POST
def rotate(request: HttpRequest) -> HttpResponse:
    """Put a new signing key in use."""
    operations.rotate_signing_key(actor=actor_of(request), now=clock.now())
    messages.success(request, "Signals are signed with a new key from now on.")
    return HttpResponseRedirect(reverse("web:receivers"))


def _row(found: Receiver, counts: dict[str, int]) -> dict[str, Any]:
    return {
        "receiver": found,
        "signals": [SIGNALS[Signal(signal)] for signal in found.signals],
        "test": _test(found),
        "counts": {str(state): counts.get(str(state), 0) for state in SignalState},
    }


def _test(found: Receiver) -> dict[str, Any]:
    """The last verification event and what came back."""
    event = found.security_events.filter(signal=Signal.VERIFICATION).first()
    if event is None:
        return NEVER
    if event.state == SignalState.QUEUED:
        return {"state": "running", "says": "Being tested"}
    state, says = STATES[SignalState(event.state)]
    return {"state": state, "says": says, "at": event.settled_at, "answer": event.answer}


def _signal(event: SecurityEvent) -> dict[str, Any]:
    state, says = STATES[SignalState(event.state)]
    is_failed = event.state == SignalState.FAILED
    return {
        "event": event,
        "words": WORDS[Signal(event.signal)],
        "state": state,
        "says": says,
        "is_waiting": event.state == SignalState.QUEUED,
        "can_go_again": is_failed and event.signal != Signal.VERIFICATION and event.receiver.is_enabled,
    }


def _initial(found: Receiver) -> dict[str, Any]:
    chosen = {str(signal).replace("-", "_"): signal in found.signals for signal in operations.OFFERED}
    return {**{field: getattr(found, field) for field in operations.FIELDS}, **chosen}


def _form(
    request: HttpRequest,
    form: forms.Form,
    title: str,
    button: str,
    back: str,
    crumbs: list[dict[str, str]],
) -> HttpResponse:
    context = {
        "form": form,
        "title": title,
        "button": button,
        "back": back,
        "crumbs": [_settings(), _receivers(), *crumbs, {"title": title}],
    }
    return render(request, "settings/receiver_form.html", context, status=422 if form.errors else 200)


def _settings() -> dict[str, str]:
    return {"title": "Settings", "url": reverse("web:settings")}


def _receivers() -> dict[str, str]:
    return {"title": "Receivers", "url": reverse("web:receivers")}


def _to(found: Receiver) -> HttpResponseRedirect:
    return HttpResponseRedirect(reverse("web:receiver", args=[found.name]))
