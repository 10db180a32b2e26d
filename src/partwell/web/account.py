"""One's own account: name, timezone, and the ways in which one signs in."""

from __future__ import annotations

from allauth.mfa.utils import is_mfa_enabled
from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse

from partwell import clock
from partwell.people.roles import ROLE_LABELS
from partwell.web.navigation import may_follow
from partwell.web.session import actor_of, signed_in


class AccountForm(forms.Form):
    """What people change about themselves; names and addresses come from the register."""

    timezone = forms.CharField(
        label="Timezone",
        max_length=64,
        required=False,
        help_text="Like Europe/Berlin. Times are shown in it.",
    )

    def clean_timezone(self) -> str:
        """A timezone that exists, or none."""
        name = str(self.cleaned_data["timezone"]).strip()
        if name and not clock.is_timezone(name):
            raise forms.ValidationError(f"“{name}” is no timezone. Write one like Europe/Berlin.")
        return name


def account(request: HttpRequest) -> HttpResponse:
    """Show the account, and save the timezone."""
    user = signed_in(request)
    form = AccountForm(request.POST or None, initial={"timezone": user.timezone})
    if request.method == "POST" and form.is_valid():
        user.timezone = form.cleaned_data["timezone"]
        user.save(update_fields=["timezone"])
        messages.success(request, "Your timezone is saved.")
        return HttpResponseRedirect(reverse("web:account"))
    actor = actor_of(request)
    grants = [
        (ROLE_LABELS[grant.role], grant.department or "whole firm")
        for grant in sorted(actor.grants, key=lambda grant: (grant.role, grant.department))
    ]
    return render(
        request,
        "web/account.html",
        {
            "form": form,
            "grants": grants,
            "has_second_factor": is_mfa_enabled(user),
            "is_fresh": actor.is_fresh,
            "may_make_tokens": may_follow(actor, "tokens.create"),
        },
        status=422 if form.errors else 200,
    )
