"""A guest's session: a signed cookie of its own, beside and apart from the session of those who sign in."""

from __future__ import annotations

from datetime import datetime
from hmac import new as hmac
from ipaddress import ip_address, ip_network

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse

from partwell.departures.guests import OpenedSession, ends_at, find_session
from partwell.departures.models import GuestLink
from partwell.refusals import NotFound

COOKIE = "__Host-partwell-guest" if settings.USE_TLS else "partwell-guest"
_SALT = "partwell.web.guest_session"


def remember(response: HttpResponse, opened: OpenedSession) -> None:
    """Give the browser its session. What counts is kept in the database; the cookie only names it."""
    response.set_cookie(
        COOKIE,
        signing.dumps([str(opened.link.pk), opened.secret], salt=_SALT),
        expires=ends_at(opened.link),
        httponly=True,
        secure=settings.USE_TLS,
        samesite="Lax",
    )


def forget(response: HttpResponse) -> None:
    """Take the session out of the browser."""
    response.delete_cookie(COOKIE, samesite="Lax")


def guest_of(request: HttpRequest, *, now: datetime) -> GuestLink:
    """Whose session this browser holds. Raises `NotFound`, or `LinkGone` when it has ended."""
    try:
        link_id, secret = signing.loads(request.COOKIES.get(COOKIE, ""), salt=_SALT)
    except (signing.BadSignature, ValueError) as error:
        raise NotFound("session") from error
    return find_session(link_id=link_id, secret=secret, now=now)


def source_of(request: HttpRequest) -> str:
    """From which network somebody asks, as a digest that tells nobody the address.

    Behind our proxy it is the address that the proxy added last; what stands before it, anybody could have
    written. An IPv6 network of /64 is one source, because one household has all of it.
    """
    text = request.META.get("REMOTE_ADDR", "")
    if settings.BEHIND_PROXY:
        text = request.headers.get("X-Forwarded-For", text).rpartition(",")[2].strip() or text
    try:
        address = ip_address(text)
        network = str(ip_network((address, 64), strict=False)) if address.version == 6 else str(address)
    except ValueError:
        network = "unknown"
    return hmac(settings.SECRET_KEY.encode(), f"{_SALT} {network}".encode(), "sha256").hexdigest()
