"""What must never be written by libraries that log on their own."""

from __future__ import annotations

import pytest

from partwell.config.logs import log_settings


@pytest.mark.parametrize("level", ["DEBUG", "INFO"])
@pytest.mark.parametrize("library", ["httpx", "httpcore"])
def test_no_library_logs_the_addresses_that_are_asked(library: str, level: str) -> None:
    # They hold the e-mail addresses that connectors look for.
    assert log_settings(level, pretty=False)["loggers"][library]["level"] == "WARNING"
