"""The API put together: its routers, its refusals and its description."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, cast

import structlog
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import BadRequest, RequestDataTooBig, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from django.urls import URLPattern, re_path
from django.views.decorators.csrf import csrf_exempt
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError

from partwell.api import (
    access,
    audits,
    clients,
    contracts,
    credentials,
    cuts,
    drafts,
    evidence,
    ghosts,
    guests,
    journeys,
    maps,
    notices,
    participants,
    people,
    process,
    receivers,
    rotations,
    rounds,
    set_up,
    settings,
    steps,
    systems,
    templates,
    tokens,
    transfers,
)
from partwell.api.answers import TooLarge, TooMany, problem, refused
from partwell.api.authentication import BearerToken
from partwell.api.bodies import StrictParser
from partwell.api.description import complete_description
from partwell.refusals import Refusal

log = structlog.get_logger(__name__)

DESCRIPTION = (
    "Ends business relationships well. Authenticate with `Authorization: Bearer TOKEN`; make a token with "
    "`partwell tokens create` or on the settings page. Refusals are `application/problem+json`."
)


class Api(NinjaAPI):
    """Ninja's API, with every refusal of ours in its description."""

    def get_openapi_schema(self, **options: Any) -> Any:
        return complete_description(super().get_openapi_schema(**options))


def build() -> Api:
    """The API with everything in it."""
    api = Api(
        title="Partwell",
        version="1",
        description=DESCRIPTION,
        docs_url=None,
        urls_namespace="api",
        auth=BearerToken(),
        parser=StrictParser(),
    )
    for below_journeys in (journeys, participants, guests, steps, access):
        api.add_router("/journeys", below_journeys.router)
    api.add_router("/steps", steps.mine)
    api.add_router("/notices", notices.router)
    api.add_router("/rounds", rounds.router)
    api.add_router("/cuts", cuts.router)
    api.add_router("/ghosts", ghosts.router)
    api.add_router("/credentials", credentials.router)
    api.add_router("/rotations", rotations.router)
    api.add_router("/transfers", transfers.router)
    api.add_router("", evidence.router)
    api.add_router("/audits", audits.router)
    api.add_router("/process", process.router)
    api.add_router("/clients", clients.router)
    api.add_router("/contracts", contracts.router)
    api.add_router("/templates", templates.router)
    api.add_router("/template-drafts", drafts.router)
    api.add_router("/systems", systems.router)
    api.add_router("/receivers", receivers.router)
    api.add_router("/tokens", tokens.router)
    api.add_router("/set-up", set_up.router)
    api.add_router("", settings.router)
    api.add_router("", maps.router)
    api.add_router("", people.router)
    for raised, answer in _HANDLERS.items():
        api.add_exception_handler(raised, answer)
    return api


def _on_refusal(request: HttpRequest, refusal: Refusal) -> HttpResponse:
    response = refused(refusal)
    if isinstance(refusal, TooMany):
        response["Retry-After"] = "60"
    return response


def _on_http_error(request: HttpRequest, error: HttpError) -> HttpResponse:
    # Ninja wraps what the parser raised.
    if isinstance(error.__cause__, Refusal):
        return refused(error.__cause__)
    if isinstance(error, AuthenticationError):
        response = problem(
            401,
            "token_needed",
            "Send a token that is alive: `Authorization: Bearer pw_…`.",
            field="Authorization",
        )
        response["WWW-Authenticate"] = 'Bearer realm="Partwell"'
        return response
    return problem(error.status_code, "refused", error.message)


def _on_validation(request: HttpRequest, error: ValidationError) -> HttpResponse:
    wrong = [
        {"field": ".".join(str(part) for part in entry["loc"][1:]) or "body", "message": entry["msg"]}
        for entry in error.errors
    ]
    # `body` is our name for the parameter, not one of the caller's.
    for entry in wrong:
        entry["field"] = entry["field"].removeprefix("body.")
    first = wrong[0]
    return problem(
        422, "invalid", f"{first['field']}: {first['message']}.", field=first["field"], errors=wrong
    )


def _on_bad_request(request: HttpRequest, error: Exception) -> HttpResponse:
    if isinstance(error, RequestDataTooBig):
        return refused(TooLarge())
    return problem(400, "body_unreadable", "The request cannot be read. Check how it was encoded.")


def _on_missing(request: HttpRequest, error: Exception) -> HttpResponse:
    return problem(404, "not_found", "There is nothing at this address.")


def _on_failure(request: HttpRequest, error: Exception) -> HttpResponse:
    log.exception("api_call_failed", path=request.path, method=request.method)
    return problem(500, "failed", "Something went wrong here, and it is in our log. Nothing was half done.")


_HANDLERS: dict[type[Exception], Callable[[HttpRequest, Any], HttpResponse]] = {
    Exception: _on_failure,
    Refusal: _on_refusal,
    HttpError: _on_http_error,
    ValidationError: _on_validation,
    Http404: _on_missing,
    SuspiciousOperation: _on_bad_request,
    BadRequest: _on_bad_request,
    MultiPartParserError: _on_bad_request,
    UnreadablePostError: _on_bad_request,
}


def _everything_else(request: HttpRequest) -> HttpResponse:
    return _on_missing(request, Http404())


def _faced(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """A view that needs no session and no CSRF token, and refuses a method in our words."""

    @wraps(view)
    def run(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        # PostgreSQL takes no NUL, so nothing can be called that.
        if "\0" in request.path:
            return _everything_else(request)
        response = view(request, *args, **kwargs)
        if response.status_code != 405:
            return response
        answer = problem(405, "method_not_allowed", f"Use {response['Allow']} here.")
        answer["Allow"] = response["Allow"]
        return answer

    return csrf_exempt(login_not_required(run))


def url_patterns() -> tuple[list[URLPattern], str, str]:
    """What `config.urls` mounts under /api/v1/."""
    patterns, name, namespace = build().urls
    faced = [
        URLPattern(found.pattern, _faced(cast(Any, found.callback)), found.default_args, found.name)
        for found in patterns
        if isinstance(found, URLPattern)
    ]
    return [*faced, re_path(r"^.*$", _faced(_everything_else))], name, namespace
