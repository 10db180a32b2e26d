"""Find anything: the palette behind Ctrl K, and a page of its own without JavaScript."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import NoReverseMatch, reverse

from partwell.departures.policies import visible_departures
from partwell.people.actors import Actor
from partwell.people.models import Client, Person
from partwell.web.navigation import SECTIONS, address_of, may_follow
from partwell.web.session import actor_of
from partwell.web.translate import is_htmx
from partwell.web.wording import day_in_words

MOST = 6
"""Matches of one kind that are shown; more letters narrow it down."""


@dataclass(frozen=True)
class Found:
    """One match: what it is called, what it is, where it is."""

    title: str
    more: str
    url: str
    icon: str


def find(request: HttpRequest) -> HttpResponse:
    """Pages, departures, people and clients whose name contains the words, as far as the asker may see."""
    words = request.GET.get("q", "").strip()[:100]
    found = search(actor_of(request), words)
    template = "web/includes/found.html" if is_htmx(request) else "web/find.html"
    return render(request, template, {"found": found, "words": words})


def search(actor: Actor, words: str) -> list[Found]:
    """The matches, pages first; without words, the pages alone."""
    found = [
        Found(item.title, "page", address_of(item.name), item.icon)
        for _, items in SECTIONS
        for item in items
        if words.lower() in item.title.lower() and address_of(item.name) and may_follow(actor, item.operation)
    ]
    if not words:
        return found
    for departure in visible_departures(actor).filter(subject_name__icontains=words)[:MOST]:
        more = f"leaves {day_in_words(departure.last_working_date)}"
        found += _if_page(departure.subject_name, more, "web:journey", departure.pk, "route")
    if may_follow(actor, "people.view"):
        for person in Person.objects.filter(name__icontains=words)[:MOST]:
            found += _if_page(
                person.name, person.title or "in the staff register", "web:person", person.pk, "user"
            )
    if may_follow(actor, "clients.view"):
        for client in Client.objects.filter(name__icontains=words)[:MOST]:
            found += _if_page(client.name, "client", "web:client", client.pk, "briefcase")
    return found


def _if_page(title: str, more: str, name: str, key: object, icon: str) -> list[Found]:
    try:
        return [Found(title, more, reverse(name, args=[key]), icon)]
    except NoReverseMatch:
        return []
