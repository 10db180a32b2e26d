"""Which address leads where."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from partwell.web import health

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
]
