"""The guide through the set-up: what is done, what comes next and why, and the pages that only it has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from partwell import clock
from partwell.first_run import operations
from partwell.first_run.facts import ROLES_TO_FILL
from partwell.first_run.guide import ABOUT, countries_of_work, firm_wide_holders, view_guide
from partwell.first_run.states import Part, PartState
from partwell.people.authorisation import check_office
from partwell.people.models import User
from partwell.people.operations import change_settings, grant_role
from partwell.people.queries import usual_place, view_settings
from partwell.people.roles import ROLE_LABELS, Role
from partwell.refusals import Conflict, FreshSignInNeeded, Invalid, Refusal
from partwell.web.session import actor_of
from partwell.web.translate import put_refusal

ON_THE_WAY = "is_in_set_up"
"""In the session: every page then leads back to the guide."""

BACK = "set-up"
HOLIDAYS_SHOWN = 5

MARKS = {
    PartState.DONE: ("verified", "Done"),
    PartState.BEGUN: ("doing", "Begun"),
    PartState.TO_DO: ("todo", "To do"),
    PartState.PUT_ASIDE: ("none", "Put aside"),
}


@dataclass(frozen=True)
class Way:
    """Where a part is done, and what the link there says."""

    name: str
    words: str
    more: tuple[tuple[str, str], ...] = ()


WAYS: dict[Part, Way] = {
    Part.COMPANY: Way("web:settings", "Change it in Settings"),
    Part.SECOND_FACTOR: Way("mfa_index", "Set up your second factor"),
    Part.CALENDAR: Way("web:set_up_calendar", "Set calendar and country"),
    Part.ROLES: Way("web:set_up_roles", "Name the role holders"),
    Part.PEOPLE: Way("web:people_import", "Import people"),
    Part.CLIENTS: Way("web:clients_import", "Import clients"),
    Part.SYSTEM: Way(
        "web:systems", "Connect a system", (("web:ghosts_upload", "Upload a list of accounts instead"),)
    ),
    Part.PRACTICE: Way("web:practice", "Practise your own departure"),
}


class CalendarForm(forms.Form):
    """Where the firm is."""

    country = forms.CharField(label="Country", max_length=2, help_text="Two letters such as DE.")
    timezone = forms.CharField(label="Timezone", max_length=64, help_text="Such as Europe/Berlin.")


class RolesForm(forms.Form):
    """One address for each role; what is left empty stays as it is."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for role in ROLES_TO_FILL:
            self.fields[role.value] = forms.EmailField(label=ROLE_LABELS[role], required=False)

    def given(self) -> dict[Role, str]:
        """Who is named for what."""
        return {role: email for role in ROLES_TO_FILL if (email := self.cleaned_data[role.value])}


def way_back(request: HttpRequest, otherwise: str) -> HttpResponseRedirect:
    """To the guide, where the page was opened from there; to `otherwise` else."""
    came_from_guide = request.GET.get("back") == BACK
    return HttpResponseRedirect(reverse("web:set_up") if came_from_guide else otherwise)


@require_GET
def guide(request: HttpRequest) -> HttpResponse:
    """Every part with its state, the next one first in line."""
    found = view_guide(actor=actor_of(request))
    if found.is_finished:
        request.session.pop(ON_THE_WAY, None)
    else:
        request.session[ON_THE_WAY] = True
    rows = []
    for each in found.parts:
        way = WAYS[each.part]
        mark, says = MARKS[each.state]
        rows.append(
            {
                "part": each,
                "mark": mark,
                "says": says,
                "is_open": each.state in (PartState.TO_DO, PartState.BEGUN),
                "is_aside": each.state is PartState.PUT_ASIDE,
                "url": f"{reverse(way.name)}?back={BACK}",
                "words": way.words,
                "more": [{"url": reverse(name), "words": words} for name, words in way.more],
            }
        )
    context = {"guide": found, "rows": rows, "crumbs": [{"title": "Set up"}]}
    return render(request, "set_up/guide.html", context)


@require_POST
def put_aside(request: HttpRequest, key: str) -> HttpResponse:
    """Not now."""
    row = operations.put_aside(part=key, actor=actor_of(request), now=clock.now())
    messages.success(request, f"“{ABOUT[Part(row.part)].title}” is put aside. You can take it up again here.")
    return HttpResponseRedirect(reverse("web:set_up"))


@require_POST
def take_up(request: HttpRequest, key: str) -> HttpResponse:
    """Now after all."""
    operations.take_up(part=key, actor=actor_of(request), now=clock.now())
    return HttpResponseRedirect(reverse("web:set_up"))


@require_POST
def leave(request: HttpRequest) -> HttpResponse:
    """Pages do not lead back to the guide any more, until it is opened again."""
    request.session.pop(ON_THE_WAY, None)
    return HttpResponseRedirect(reverse("web:home"))


@require_http_methods(["GET", "POST"])
def calendar(request: HttpRequest) -> HttpResponse:
    """The firm's country and timezone, with the next holidays as the check that it is the right one."""
    actor = actor_of(request)
    here = view_settings(actor=actor)
    form = CalendarForm(request.POST or None, initial={"country": here.country, "timezone": here.timezone})
    if request.method == "POST" and form.is_valid():
        try:
            change_settings(company=here.company_name, **form.cleaned_data, actor=actor, now=clock.now())
        except FreshSignInNeeded:
            raise
        except Refusal as refusal:
            put_refusal(form, refusal)
        else:
            messages.success(request, "Kept. Look whether the next holidays are yours.")
            return HttpResponseRedirect(reverse("web:set_up_calendar"))
    usual = usual_place()
    today = clock.today_in(usual.timezone, now=clock.now())
    places = [
        {
            "country": country,
            "people": people,
            "is_known": clock.is_known_country(country or usual.country),
            "next": clock.next_holidays(country or usual.country, after=today, count=1),
        }
        for country, people in countries_of_work()
    ]
    context = {
        "form": form,
        "here": here,
        "usual": usual,
        "holidays": clock.next_holidays(here.country, after=today, count=HOLIDAYS_SHOWN),
        "places": places,
        "crumbs": crumbs("Calendar and country"),
    }
    return render(request, "set_up/calendar.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "POST"])
def roles(request: HttpRequest) -> HttpResponse:
    """Who holds which role, and what it means where nobody does."""
    actor = actor_of(request)
    # Asked before anything is typed, for a second factor in between would lose it.
    check_office(actor, "roles.grant")
    form = RolesForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            named = _grant(form, request)
        except FreshSignInNeeded:
            raise
        except Refusal as refusal:
            put_refusal(form, refusal)
        else:
            messages.success(request, f"Kept: {', '.join(named)}." if named else "Nothing was filled in.")
            return HttpResponseRedirect(reverse("web:set_up" if named else "web:set_up_roles"))
    holders = firm_wide_holders()
    rows = [
        {"field": form[role.value], "why": why, "holders": holders.get(role, [])}
        for role, why in ROLES_TO_FILL.items()
    ]
    context = {"form": form, "rows": rows, "crumbs": crumbs("Who does what")}
    return render(request, "set_up/roles.html", context, status=422 if form.errors else 200)


@transaction.atomic
def _grant(form: RolesForm, request: HttpRequest) -> list[str]:
    """All of them or none; a refusal names the field that it is about."""
    actor, now, named = actor_of(request), clock.now(), []
    for role, email in form.given().items():
        try:
            given: User = grant_role(email=email, role=role, actor=actor, now=now).user
        except (Conflict, Invalid) as refusal:
            refusal.field = role.value
            raise
        named.append(f"{ROLE_LABELS[role]} is {given}")
    return named


def crumbs(title: str) -> list[dict[str, str]]:
    """The way to a page that belongs to the guide."""
    return [{"title": "Set up", "url": reverse("web:set_up")}, {"title": title}]
