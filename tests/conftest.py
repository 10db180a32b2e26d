"""What all tests share: proofs that run short unless `--long` is given, and the real servers."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="run proofs at full length")


@pytest.fixture(scope="session")
def long(request: pytest.FixtureRequest) -> bool:
    """Whether to run proofs at full length."""
    return bool(request.config.getoption("--long", default=False))
