"""Which address leads where."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path, re_path

from partwell.api.application import url_patterns
from partwell.web import errors, health, transmitter

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path(".well-known/ssf-configuration", transmitter.configuration, name="ssf_configuration"),
    path("security-events/jwks.json", transmitter.keys, name="ssf_keys"),
    # There is no sign-up, and addresses belong to the register: allauth's pages for both do not exist here.
    path("account/signup/", errors.not_found),
    path("account/email/", errors.not_found),
    re_path(r"^account/confirm-email/", errors.not_found),
    path("account/login/code/confirm/", errors.not_found),
    path("account/password/set/", errors.not_found),
    path("api/v1/", url_patterns()),
    path("", include("partwell.web.urls")),
    path("account/", include("allauth.account.urls")),
    path("account/second-factor/", include("allauth.mfa.urls")),
    path("account/sessions/", include("allauth.usersessions.urls")),
]

handler400 = "partwell.web.errors.bad_request"
handler403 = "partwell.web.errors.not_allowed"
handler404 = "partwell.web.errors.not_found"
handler500 = "partwell.web.errors.server_error"
