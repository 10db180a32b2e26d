"""Real servers and a browser as fixtures for all tests, those inside connectors’ folders included."""

from __future__ import annotations

pytest_plugins = ["tests.servers.plugin", "tests.servers.fixtures", "tests.browser"]
