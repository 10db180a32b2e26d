"""Changing a shared secret because somebody who knows it leaves: by a connector, or by hand with proof."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_POST

from partwell import clock
from partwell.access.credentials import details, settling
from partwell.access.credentials.rotation_queries import also_of, get_rotation
from partwell.access.credentials.rotations import remaining
from partwell.access.credentials.states import TRANSITIONS, RotationState
from partwell.access.models import CredentialRotation
from partwell.departures.policies import capacities, sees_inside
from partwell.people.actors import Actor
from partwell.people.authorisation import load_matrix
from partwell.refusals import FreshSignInNeeded, Refusal
from partwell.web.presenting import name_of
from partwell.web.session import actor_of
from partwell.web.translate import put_refusal

STATES: dict[str, tuple[str, str]] = {
    RotationState.OPEN: ("todo", "To be changed"),
    RotationState.REQUESTED: ("requested", "Asked, no answer on record"),
    RotationState.ACCEPTED: ("accepted", "Changed, not tried"),
    RotationState.VERIFIED: ("verified", "Changed, and the old one is refused"),
    RotationState.FAILED: ("failed", "Failed"),
    RotationState.ATTESTED: ("attested", "Changed, a person says"),
    RotationState.NOT_NEEDED: ("none", "Not needed"),
    RotationState.WITHDRAWN: ("none", "Notice withdrawn"),
}


class RotateForm(forms.Form):
    """The one secret that is ever typed here: it is tried, and kept nowhere."""

    old = forms.CharField(
        label="The secret so far",
        required=False,
        max_length=1000,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text="If you have it at hand, it is tried afterwards and must be refused. It is kept nowhere.",
    )


class AttestForm(forms.Form):
    note = forms.CharField(
        label="How can one see that it is changed?",
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="What you did, and that the old one was refused. Never the secret itself.",
    )
    link = forms.CharField(label="Web address of the proof", required=False, max_length=1000)


class LeaveForm(forms.Form):
    reason = forms.CharField(
        label="Why need it not be changed?", max_length=2000, widget=forms.Textarea(attrs={"rows": 2})
    )


@require_GET
def rotation(request: HttpRequest, rotation_id: UUID) -> HttpResponse:
    """One secret to be changed for one departure."""
    return _show(request, _get(request, rotation_id))


@sensitive_post_parameters("old")
@require_POST
def rotate(request: HttpRequest, rotation_id: UUID) -> HttpResponse:
    """Have the connector change it. The answer shows the new secret, this once."""
    form = RotateForm(request.POST)
    found = _get(request, rotation_id)
    if not form.is_valid():
        return _show(request, found, rotate_form=form, status=422)
    came = settling.rotate(
        rotation=found, old=form.cleaned_data["old"], actor=actor_of(request), now=clock.now()
    )
    context = {
        "rotation": came.rotation,
        "status": STATES[came.rotation.state],
        "secret": list(came.secret.items()),
        "told": came.rotation.told,
        "crumbs": _crumbs(came.rotation),
    }
    answer = render(request, "credentials/rotated.html", context)
    answer["Cache-Control"] = "private, no-store"
    return answer


@require_POST
def attest(request: HttpRequest, rotation_id: UUID) -> HttpResponse:
    """Say that it is changed."""
    form = AttestForm(request.POST)
    return _settle(request, rotation_id, form, settling.attest_rotation, "attest_form", "It is kept as said.")


@require_POST
def leave(request: HttpRequest, rotation_id: UUID) -> HttpResponse:
    """Say that it need not be changed."""
    form = LeaveForm(request.POST)
    return _settle(request, rotation_id, form, settling.leave_rotation, "leave_form", "The reason is kept.")


def rows_of(rotations: Iterable[CredentialRotation]) -> list[dict[str, Any]]:
    """Rotations for a list."""
    return [{"rotation": each, "status": STATES[each.state]} for each in rotations]


def _get(request: HttpRequest, rotation_id: UUID) -> CredentialRotation:
    return get_rotation(actor_of(request), rotation_id, now=clock.now())


def _settle(
    request: HttpRequest, rotation_id: UUID, form: forms.Form, do: Any, name: str, said: str
) -> HttpResponse:
    found = _get(request, rotation_id)
    if not form.is_valid():
        return _show(request, found, status=422, **{name: form})
    try:
        do(rotation=found, actor=actor_of(request), now=clock.now(), **form.cleaned_data)
    except FreshSignInNeeded:
        raise
    except Refusal as refusal:
        put_refusal(form, refusal)
        return _show(request, found, status=refusal.status, **{name: form})
    messages.success(request, said)
    return HttpResponseRedirect(reverse("web:rotation", args=[found.pk]))


def _show(
    request: HttpRequest, found: CredentialRotation, *, status: int = 200, **given: Any
) -> HttpResponse:
    actor, now = actor_of(request), clock.now()
    sees = bool(sees_inside(actor, [found], to="access.view"))
    next_ones = TRANSITIONS[RotationState(found.state)]
    may = _allowed(actor, found)
    system = found.credential.system
    context = {
        "rotation": found,
        "credential": found.credential,
        "status": STATES[found.state],
        "sees_departure": sees,
        "may_rotate": may["rotate"]
        and system is not None
        and details.rotates(system)
        and RotationState.REQUESTED in next_ones,
        "may_attest": may["attest_rotation"] and RotationState.ATTESTED in next_ones,
        "may_leave": may["leave_rotation"] and RotationState.NOT_NEEDED in next_ones,
        "is_theirs": found.credential.direction == "theirs",
        "others": remaining(found, now=now) if may["attest_rotation"] else [],
        "settled_by": name_of(found.settled_by),
        "is_late": not found.is_settled and found.due_at <= now,
        "rotate_form": RotateForm(),
        "attest_form": AttestForm(),
        "leave_form": LeaveForm(),
        "crumbs": _crumbs(found),
        **given,
    }
    return render(request, "credentials/rotation.html", context, status=status)


def _allowed(actor: Actor, found: CredentialRotation) -> dict[str, bool]:
    """Which forms to show; the operations decide again."""
    held = capacities(actor, found.departure) | also_of(actor, found, clock.now())
    names = ("rotate", "attest_rotation", "leave_rotation")
    return {name: bool(held & load_matrix().operations[f"credentials.{name}"].allow) for name in names}


def _crumbs(found: CredentialRotation) -> list[dict[str, str]]:
    return [
        {"title": "Credentials", "url": reverse("web:credentials")},
        {"title": f"Change {found.credential.name}"},
    ]
