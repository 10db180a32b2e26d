"""Proofs run short in the normal suite and long with `--long`."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="run proofs at full length")


@pytest.fixture
def long(request: pytest.FixtureRequest) -> bool:
    """Whether this run was asked for at full length."""
    return bool(request.config.getoption("--long", default=False))
