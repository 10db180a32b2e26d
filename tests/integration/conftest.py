"""Fixtures of the integration tests."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from partwell.access import asking, endings, readings
from tests.access_world import World, make_world


@pytest.fixture
def world(db: None, tmp_path: Path) -> World:
    """A leaver with two people of IT/security; add systems to it."""
    return make_world(tmp_path)


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """What would be tried again later is due at once."""
    monkeypatch.setattr(asking, "backoff", lambda attempts: timedelta(0))
    monkeypatch.setattr(readings, "backoff", lambda attempts: timedelta(0))
    monkeypatch.setattr(endings, "pause", lambda attempts: timedelta(0))
