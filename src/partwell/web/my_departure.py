"""The page of somebody who leaves and can still sign in: the same as by link, and nothing of the inside."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from partwell import clock
from partwell.journeys.guests import find_own_departure
from partwell.web.guests import show_page, show_step
from partwell.web.session import actor_of


@never_cache
@require_GET
def page(request: HttpRequest) -> HttpResponse:
    """What happens until one leaves, and after."""
    actor = actor_of(request)
    departure = find_own_departure(actor)
    return show_page(
        request,
        departure,
        actor,
        now=clock.now(),
        step_page="web:my_departure_step",
        more={"is_signed_in": True},
    )


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def step(request: HttpRequest, key: str) -> HttpResponse:
    """One of one's own steps."""
    actor = actor_of(request)
    departure = find_own_departure(actor)
    return show_step(request, departure, key, actor, now=clock.now(), back="web:my_departure")
