"""What all tests share: a data folder of their own, and proofs that run short unless `--long` is given."""

from __future__ import annotations

import os
import tempfile

_data = tempfile.mkdtemp(prefix="partwell-tests-")
os.environ["PARTWELL_DATA_DIR"] = _data
os.environ.setdefault("PARTWELL_SECRET_KEY", "tests-only-" + "x" * 40)

import pytest  # noqa: E402 - the environment is set before anything reads it


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="run proofs at full length")


@pytest.fixture(scope="session")
def long(request: pytest.FixtureRequest) -> bool:
    """Whether to run proofs at full length."""
    return bool(request.config.getoption("--long", default=False))
