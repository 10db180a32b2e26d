"""Fixtures of the integration tests."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from partwell.access import asking, endings, readings
from tests.access_world import World, make_world
from tests.console import Console
from tests.event_receiver import EventReceiver, open_receiver
from tests.shows import LETTER, own_console


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


@pytest.fixture
def console(tmp_path: Path) -> Iterator[Console]:
    """A console at a new installation of its own."""
    with own_console(tmp_path) as console:
        yield console


@pytest.fixture
def letter(tmp_path: Path) -> Path:
    """A file that a step takes as its evidence."""
    file = tmp_path / "letter.pdf"
    file.write_bytes(LETTER)
    return file


@pytest.fixture
def receiver(live_server: Any, tmp_path: Path, settings: Any) -> Iterator[EventReceiver]:
    """A receiver of signals that reads our keys over HTTP."""
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]
    with open_receiver(tmp_path / "receiver", transmitter=live_server.url) as listening:
        yield listening
