"""What receivers of signals read without signing in: who transmits, and the keys to check signatures with."""

from __future__ import annotations

import json

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from partwell import clock
from partwell.signals.signing import published_keys

# A receiver that keeps the list for so long still learns of a new key soon.
KEPT_SECONDS = 300


@login_not_required
@require_safe
@cache_control(public=True, max_age=KEPT_SECONDS)
def configuration(request: HttpRequest) -> JsonResponse:
    """The transmitter's metadata (Shared Signals Framework 1.0, section 7.1). Receivers are registered by an
    administrator, so there are no addresses for managing streams."""
    return JsonResponse(
        {
            "spec_version": "1_0",
            "issuer": settings.BASE_URL,
            "jwks_uri": settings.BASE_URL + reverse("ssf_keys"),
            "delivery_methods_supported": ["urn:ietf:rfc:8935"],
            "default_subjects": "ALL",
        }
    )


@login_not_required
@require_safe
@cache_control(public=True, max_age=KEPT_SECONDS)
def keys(request: HttpRequest) -> HttpResponse:
    """The public keys as a JSON Web Key Set; none before the first receiver is registered."""
    keys = json.dumps({"keys": published_keys(now=clock.now())})
    return HttpResponse(keys, content_type="application/jwk-set+json")
