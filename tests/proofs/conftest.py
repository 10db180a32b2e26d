"""What the proofs share: each prints its figure, and two browse the demo firm."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from django.test import override_settings

from tests.browser import Trouble

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext
    from pytest_django.plugin import DjangoDbBlocker

    from tests.proofs.accessible_stage import KeptFirm, Stage


@pytest.fixture
def figure(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Prints a proof's figure even when pytest captures output."""

    def say(text: str) -> None:
        with capsys.disabled():
            print(f"\n  {text}", flush=True)

    return say


@pytest.fixture(scope="session")
def kept_firm(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, tmp_path_factory: pytest.TempPathFactory
) -> KeptFirm:
    """The demo firm, ready to be put back into the test database."""
    from tests.proofs.accessible_stage import KeptFirm

    folder = tmp_path_factory.mktemp("firm")
    with override_settings(DATA_DIR=folder, MEDIA_ROOT=folder / "files"), django_db_blocker.unblock():
        return KeptFirm(folder, tmp_path_factory.mktemp("aside"))


@pytest.fixture
def address(live_server: Any) -> str:
    """Where the firm is served."""
    return str(live_server.url)


@pytest.fixture
def open_firm(
    kept_firm: KeptFirm, transactional_db: None, address: str, open_context: Callable[[], BrowserContext]
) -> Iterator[Callable[[], Stage]]:
    """Puts the firm back; before that the installation is empty."""
    from partwell.engine import schema
    from tests.proofs.accessible_stage import Stage

    def open_it() -> Stage:
        kept_firm.put_back()
        return Stage(open_context, urlsplit(address).port or 80)

    with override_settings(DATA_DIR=kept_firm.folder, MEDIA_ROOT=kept_firm.folder / "files"):
        yield open_it
        schema.forget_runs()


@pytest.fixture
def stage(open_firm: Callable[[], Stage], trouble: Trouble) -> Iterator[Stage]:
    """The firm as it was built, with nobody signed in yet; the test fails on any error in a browser."""
    yield open_firm()
    assert trouble.unexpected() == []
