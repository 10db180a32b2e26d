"""The welcome page of a fresh installation: whose it is, and who administers it."""

from __future__ import annotations

from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.password_validation import validate_password
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters

from partwell import clock
from partwell.people import setup_code
from partwell.people.actors import console_actor
from partwell.people.models import User
from partwell.people.operations import initialise
from partwell.refusals import NotFound, Refusal
from partwell.web.translate import put_refusal


class WelcomeForm(forms.Form):
    """What a fresh installation has to know before anybody can sign in; the guide asks for the rest."""

    code = forms.CharField(label="Set-up code", max_length=40)
    company = forms.CharField(label="Name of your company", max_length=200)
    name = forms.CharField(label="Your name", max_length=200)
    email = forms.EmailField(label="Your work e-mail address")
    password = forms.CharField(
        label="Password",
        widget=forms.PasswordInput,
        help_text="At least 12 characters. A sentence that only you know is good, and easy to keep.",
    )

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
            messages.success(request, "Partwell is yours. Sign in, and the guide leads through the rest.")
            guide = urlencode({"next": reverse("web:set_up")})
            return HttpResponseRedirect(f"{reverse('account_login')}?{guide}")
    return render(request, "web/welcome.html", {"form": form}, status=422 if form.errors else 200)


def _set_up(data: dict[str, str]) -> None:
    """The code proves that whoever fills in the form sits at the console, so it acts."""
    initialise(
        company=data["company"],
        practice=False,
        admin_email=data["email"],
        admin_name=data["name"],
        admin_password=data["password"],
        actor=console_actor(),
        now=clock.now(),
    )
