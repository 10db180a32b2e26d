"""`--long` runs proofs at full length; without it they run short, beside all other tests."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="run proofs at full length")


@pytest.fixture
def long(request: pytest.FixtureRequest) -> bool:
    """Whether to run at full length."""
    return bool(request.config.getoption("--long", default=False))
