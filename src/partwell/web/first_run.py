"""The welcome page of a fresh installation: whose it is, who administers it, who holds which role."""

from __future__ import annotations

from dataclasses import dataclass

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.password_validation import validate_password
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters

from partwell import clock
from partwell.people import setup_code
from partwell.people.actors import console_actor
from partwell.people.models import User
from partwell.people.operations import grant_role, initialise
from partwell.people.roles import ROLE_LABELS, Role
from partwell.refusals import NotFound, Refusal
from partwell.web.translate import put_refusal

_WHY: dict[Role, str] = {
    Role.HR: "Plans departures and sees all that are not confidential. Empty: only you can start one.",
    Role.IT_SECURITY: "Approves and cuts access. Empty: access plans wait for somebody who may.",
    Role.FINANCE: "Settles final pay and open invoices. Empty: those steps have no owner.",
    Role.LEGAL: "Looks after holds and disputes. Empty: those steps have no owner.",
    Role.EXECUTIVE: "Agrees when a journey closes with things open. Empty: HR or Legal must.",
}


@dataclass(frozen=True)
class RoleField:
    """One role of the form, with why it matters."""

    bound: forms.BoundField
    why: str


class WelcomeForm(forms.Form):
    """All that a fresh installation has to know. Roles may stay empty and be granted later."""

    code = forms.CharField(label="Set-up code", max_length=40)
    company = forms.CharField(label="Name of your company", max_length=200)
    name = forms.CharField(label="Your name", max_length=200)
    email = forms.EmailField(label="Your work e-mail address")
    password = forms.CharField(
        label="Password",
        widget=forms.PasswordInput,
        help_text="At least 12 characters. A sentence that only you know is good, and easy to keep.",
    )

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        for role in _WHY:
            self.fields[role.value] = forms.EmailField(label=ROLE_LABELS[role], required=False)

    def clean_code(self) -> str:
        """The code that the console printed."""
        code = str(self.cleaned_data["code"])
        if not setup_code.is_right(code):
            raise forms.ValidationError(
                "This is not the code that Partwell printed last. Look at the console where it was started."
            )
        return code

    def clean(self) -> dict[str, object]:
        """The password must also differ from the name and the address."""
        data = super().clean() or {}
        if data.get("password"):
            try:
                validate_password(
                    str(data["password"]), User(email=data.get("email", ""), name=data.get("name", ""))
                )
            except forms.ValidationError as error:
                self.add_error("password", error)
        return data

    def role_fields(self) -> list[RoleField]:
        """The role holders' part, in the order of how soon they are needed."""
        return [RoleField(self[role.value], why) for role, why in _WHY.items()]


@login_not_required
@sensitive_post_parameters("password", "code")
def welcome(request: HttpRequest) -> HttpResponse:
    """Set the installation up, once. Afterwards this page does not exist."""
    if User.objects.exists():
        raise NotFound
    form = WelcomeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            _set_up(form.cleaned_data)
        except Refusal as refusal:
            put_refusal(form, refusal)
        else:
            setup_code.discard()
            messages.success(request, "Partwell is set up. Sign in, then set up your second factor.")
            return HttpResponseRedirect(reverse("account_login"))
    return render(request, "web/welcome.html", {"form": form}, status=422 if form.errors else 200)


@transaction.atomic
def _set_up(data: dict[str, str]) -> None:
    """All or nothing. The code proves that whoever fills in the form sits at the console, so it acts."""
    now, actor = clock.now(), console_actor()
    initialise(
        company=data["company"],
        practice=False,
        admin_email=data["email"],
        admin_name=data["name"],
        admin_password=data["password"],
        actor=actor,
        now=now,
    )
    for role in _WHY:
        if email := data.get(role.value):
            grant_role(email=email, role=role, actor=actor, now=now)
