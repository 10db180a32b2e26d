"""What all tests share: proofs that run short unless `--long` is given, and the real servers."""

from __future__ import annotations

from functools import cache

import pytest
from typer import testing


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="run proofs at full length")


@pytest.fixture(scope="session")
def long(request: pytest.FixtureRequest) -> bool:
    """Whether to run proofs at full length."""
    return bool(request.config.getoption("--long", default=False))


# A command line is the same each time; building it from its functions takes 50 ms.
testing._get_command = cache(testing._get_command)
