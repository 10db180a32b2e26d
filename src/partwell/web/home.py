"""Today: what is in flight for the one who looks."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from partwell import clock
from partwell.departures.policies import visible_departures
from partwell.departures.states import DepartureState
from partwell.web.session import actor_of


def home(request: HttpRequest) -> HttpResponse:
    """Open departures, earliest last day first."""
    departures = visible_departures(actor_of(request)).filter(state=DepartureState.ACTIVE)
    return render(request, "web/home.html", {"departures": departures[:50], "now": clock.now()})
