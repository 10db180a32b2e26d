"""The web room as a Django app: templates, tags, and the table that shared limits live in."""

from __future__ import annotations

from django.apps import AppConfig


class WebConfig(AppConfig):
    name = "partwell.web"
    label = "web"
