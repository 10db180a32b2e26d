"""Rules that hold for every request: encryption on the way, the first run, and the viewer's clock."""

from __future__ import annotations

from collections.abc import Callable
from zoneinfo import ZoneInfo

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone

from partwell.people.models import User
from partwell.web.session import viewer_timezone

Answer = Callable[[HttpRequest], HttpResponse]
LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]"})
PROBES = ("/healthz", "/readyz")
PERMISSIONS = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"


class EncryptedOnly:
    """Plain HTTP is answered on this machine alone; over a network passwords would travel in the open."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path.startswith(PROBES):
            return self.get_response(request)
        if not request.is_secure() and _host_name(request) not in LOCAL_HOSTS:
            if settings.SECURE_SSL_REDIRECT:
                return self.get_response(request)  # SecurityMiddleware sends it to https
            return render(request, "errors/plain_http.html", status=403)
        response = self.get_response(request)
        response.headers.setdefault("Permissions-Policy", PERMISSIONS)
        return response


def _host_name(request: HttpRequest) -> str:
    """The host without its port; brackets of an IPv6 address stay."""
    host = request.get_host()
    return host.partition("]")[0] + "]" if host.startswith("[") else host.partition(":")[0]


class FirstRun:
    """While nobody exists, every page leads to the welcome. Only those without a session are asked."""

    OPEN = ("/welcome/", "/static/", "/api/", "/.well-known/", "/security-events/", *PROBES)

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if (
            not request.path.startswith(self.OPEN)
            and not request.user.is_authenticated
            and not User.objects.exists()
        ):
            return HttpResponseRedirect(reverse("web:welcome"))
        return self.get_response(request)


class ViewerClock:
    """Forms and pages speak the viewer's timezone; the database and the rooms below speak UTC."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        name = settings.DEFAULT_PERSON_TIMEZONE
        if isinstance(request.user, User):
            name = viewer_timezone(request.user)
        with timezone.override(ZoneInfo(name)):
            return self.get_response(request)
