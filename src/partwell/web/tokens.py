"""API tokens: one's own, and everybody's for administrators. A secret is shown once, and never again."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from partwell import clock
from partwell.people.authorisation import check_office
from partwell.people.models import ApiToken
from partwell.people.token_operations import (
    DEFAULT_DAYS,
    LONGEST_NAME,
    MOST_DAYS,
    Scope,
    create_token,
    list_tokens,
    revoke_token,
    token_state,
)
from partwell.refusals import FreshSignInNeeded, Refusal
from partwell.web.session import actor_of
from partwell.web.translate import put_refusal

SCOPES = {
    Scope.READ: "Read what I may read",
    Scope.WRITE: "Change what I may change",
    Scope.ACCESS: "Cut and restore access that a second person approved",
}
STATES = {"active": ("attested", "Alive"), "expired": ("none", "Expired"), "revoked": ("none", "Revoked")}


class TokenForm(forms.Form):
    """A new token of one's own."""

    name = forms.CharField(label="What is it for?", max_length=LONGEST_NAME)
    scopes = forms.ChoiceField(
        label="What may it do?", choices=[(scope.value, words) for scope, words in SCOPES.items()]
    )
    days = forms.IntegerField(label="Days it lives", min_value=1, max_value=MOST_DAYS, initial=DEFAULT_DAYS)


@require_http_methods(["GET", "POST"])
def tokens(request: HttpRequest) -> HttpResponse:
    """The tokens, and a form for a new one. The answer to the form alone carries the secret."""
    actor = actor_of(request)
    form, made, secret = TokenForm(request.POST or None), None, ""
    if request.method == "GET":
        # Revoking needs no fresh sign-in, so whoever may do that may look.
        check_office(actor, "tokens.revoke")
    elif form.is_valid():
        data = form.cleaned_data
        try:
            made, secret = create_token(
                name=data["name"],
                scopes=_with(data["scopes"]),
                days=data["days"],
                actor=actor,
                now=clock.now(),
            )
            form = TokenForm()
        except FreshSignInNeeded:
            raise
        except Refusal as refusal:
            put_refusal(form, refusal)
    response = render(
        request,
        "settings/tokens.html",
        {
            "form": form,
            "made": made,
            "secret": secret,
            "rows": [_row(token) for token in list_tokens(actor=actor)],
            "crumbs": [{"title": "Your account", "url": reverse("web:account")}, {"title": "API tokens"}],
        },
        status=422 if form.errors else 200,
    )
    response["Cache-Control"] = "no-store"
    return response


@require_POST
def revoke(request: HttpRequest, token_id: int) -> HttpResponse:
    """End a token at once."""
    token = revoke_token(token_id=token_id, actor=actor_of(request), now=clock.now())
    messages.success(request, f"“{token.name}” is revoked. The next call with it is refused.")
    return HttpResponseRedirect(reverse("web:tokens"))


def _with(scope: str) -> list[str]:
    """Each choice on the page includes the ones before it."""
    order = list(SCOPES)
    return [each.value for each in order[: order.index(Scope(scope)) + 1]]


def _row(token: ApiToken) -> dict[str, object]:
    state, says = STATES[token_state(token, now=clock.now())]
    return {"token": token, "scopes": ", ".join(token.scopes), "state": state, "says": says}
