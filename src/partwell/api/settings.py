"""The installation: whose it is, and who holds which role."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from ninja import Router

from partwell.api.answers import listing, page_of, reply
from partwell.api.authentication import actor_of
from partwell.api.shapes import Cursor, Limit, Listing
from partwell.api.shapes.office import GrantShape, SettingsShape
from partwell.people.authorisation import check_office
from partwell.people.queries import grant_dict, list_grants, settings_dict, view_settings

router = Router(tags=["settings"])


@router.get("/settings", response=SettingsShape)
def show(request: HttpRequest) -> HttpResponse:
    """Whose installation this is. How its mail is doing is the console's: a count tells of what is hidden."""
    return reply(settings_dict(view_settings(actor=actor_of(request))))


@router.get("/roles", response=Listing[GrantShape])
def list_roles(request: HttpRequest, cursor: Cursor = None, limit: Limit = 50) -> HttpResponse:
    """Who holds which role."""
    check_office(actor_of(request), "settings.view")
    page, after = page_of(list_grants(), key=lambda grant: str(grant.pk), cursor=cursor, limit=limit)
    return listing([grant_dict(grant) for grant in page], after)
