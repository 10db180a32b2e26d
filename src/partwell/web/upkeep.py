"""A template's owner, and that somebody read it and it still holds."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from partwell import clock
from partwell.journeys.upkeep_operations import (
    MOST_NOTE,
    confirm_template_review,
    may_confirm,
    set_template_owner,
)
from partwell.journeys.upkeep_queries import Lack, Upkeep, may_own, show_upkeep
from partwell.people.models import User
from partwell.refusals import Conflict, Invalid
from partwell.web.navigation import may_follow
from partwell.web.presenting import name_of
from partwell.web.session import actor_of
from partwell.web.translate import put_refusal

LACKS = {
    Lack.NO_OWNER: "Nobody answers for it",
    Lack.OWNER_GONE: "Its owner cannot sign in any more",
    Lack.NEVER_READ: "Nobody here has said that it holds",
    Lack.UNREAD: "Not read for a year",
}


class OwnerForm(forms.Form):
    to = forms.ChoiceField(label="Who answers for it", required=False)

    def __init__(self, *args: Any, people: list[User], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        named = [(str(user.pk), user.name or user.email) for user in people]
        self.fields["to"].choices = [("", "Nobody"), *named]  # type: ignore[attr-defined]


class ReviewForm(forms.Form):
    version = forms.IntegerField(widget=forms.HiddenInput)
    note = forms.CharField(
        label="What did you look at?",
        widget=forms.Textarea(attrs={"rows": 3}),
        max_length=MOST_NOTE,
        help_text="Kept as evidence, with your name.",
    )


@require_http_methods(["GET", "POST"])
def upkeep(request: HttpRequest, template_id: str) -> HttpResponse:
    """Who answers for a template and when it was last read; one form to change each."""
    actor, now = actor_of(request), clock.now()
    found = show_upkeep(template_id=template_id, actor=actor)
    people = list(may_own())
    is_review = "note" in request.POST
    owner = str(found.row.owner_id) if found.row and found.row.owner_id else ""
    owner_form = OwnerForm(
        request.POST if request.method == "POST" and not is_review else None,
        people=people,
        initial={"to": owner},
    )
    review_form = ReviewForm(request.POST if is_review else None, initial={"version": found.version.version})
    form: forms.Form = review_form if is_review else owner_form
    if request.method == "POST" and form.is_valid():
        try:
            if is_review:
                confirm_template_review(**form.cleaned_data, template_id=template_id, actor=actor, now=now)
                said = "It is on record that you read it and it still holds."
            else:
                to = next((user for user in people if str(user.pk) == form.cleaned_data["to"]), None)
                set_template_owner(template_id=template_id, to=to, actor=actor, now=now)
                said = f"{to} answers for it now." if to else "Nobody answers for it now."
        except (Invalid, Conflict) as refusal:
            put_refusal(form, refusal)
        else:
            messages.success(request, said)
            return HttpResponseRedirect(request.path)
    context = {
        "upkeep": upkeep_row(found, now),
        "owner_form": owner_form,
        "review_form": review_form,
        "may_set": may_follow(actor, "templates.set_owner"),
        "may_confirm": may_follow(actor, "templates.confirm_review") and may_confirm(actor, found.row),
        "crumbs": [
            {"title": "Templates", "url": reverse("web:templates")},
            {"title": found.version.title, "url": reverse("web:template", args=[template_id])},
            {"title": "Owner and reading"},
        ],
    }
    return render(request, "templates/upkeep.html", context, status=422 if form.errors else 200)


def upkeep_row(upkeep: Upkeep, now: datetime) -> dict[str, Any]:
    """One template's owner and last reading as pages show it."""
    read = upkeep.last_read
    lacks = [LACKS[lack] for lack in upkeep.lacks(now)]
    return {
        "version": upkeep.version,
        "owner": upkeep.owner_name,
        "read_at": read[0] if read else None,
        "read_by": name_of(read[1]) if read else "",
        "note": upkeep.row.review_note if upkeep.row else "",
        "lacks": lacks,
        "lacks_words": "; ".join(lacks[:1] + [words[0].lower() + words[1:] for words in lacks[1:]]),
    }
