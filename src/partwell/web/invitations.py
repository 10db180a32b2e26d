"""The first password: the page behind the link of an invitation to sign in."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.password_validation import password_validators_help_texts
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables

from partwell import clock
from partwell.departures.guessing import check_may_try, note_wrong_try
from partwell.people.invitations import accept_invitation, invited_user
from partwell.refusals import Invalid, NotFound, Refusal
from partwell.web.guest_session import source_of
from partwell.web.translate import put_refusal


class PasswordForm(forms.Form):
    """The password that somebody chooses."""

    password = forms.CharField(
        label="Password",
        widget=forms.PasswordInput,
        help_text=" ".join(password_validators_help_texts()),
        strip=False,
    )


@login_not_required
@never_cache
@sensitive_post_parameters("password")
@sensitive_variables("token")
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """Show whose account it is, and set its password. Looking uses nothing up; setting does."""
    now, source = clock.now(), source_of(request)
    try:
        check_may_try(source, now=now)
        user = invited_user(token=token, now=now)
    except NotFound as refusal:
        note_wrong_try(source, now=now)
        return render(request, "guest/invitation_ended.html", status=refusal.status)
    except Refusal as refusal:
        return render(request, "guest/link_ended.html", {"refusal": refusal}, status=refusal.status)
    form = PasswordForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            accept_invitation(token=token, password=form.cleaned_data["password"], now=now)
        except Invalid as refusal:
            put_refusal(form, refusal)
        else:
            messages.success(request, "Your password is set. Sign in with it.")
            return HttpResponseRedirect(reverse("account_login"))
    return render(
        request,
        "guest/invitation.html",
        {"form": form, "invited": user},
        status=422 if form.errors else 200,
    )
