"""The access room as a Django app: it installs the connectors that the operator declared on disk."""

from __future__ import annotations

from pathlib import Path

import structlog
from django.apps import AppConfig
from django.conf import settings


class AccessConfig(AppConfig):
    name = "partwell.access"
    label = "access"

    def ready(self) -> None:
        """Read the folder once. A file that is refused leaves the rest of the installation at work; its
        systems then have no connector, and people are given the work."""
        if not settings.CONNECTORS_DIR:
            return
        from partwell.connector_kit import registry
        from partwell.connector_kit.declared_registry import find_declared

        found = find_declared(Path(settings.CONNECTORS_DIR).expanduser())
        registry.install(found.connectors)
        for problem in found.problems:
            structlog.get_logger(__name__).error("A declared connector was refused: %s", problem)
