"""Vendors' published API contracts, for connectors whose service cannot run here.

They are no part of the project. Tests find them in `../shared/specs` beside the checkout, or in the folder
that SPECS_DIR names, and what they would have shown is named at the end of a run that does not have them.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.servers.plugin import remember

ROOT = Path(__file__).resolve().parent.parent


def specs_folder() -> Path:
    """Where the contracts are, whether or not they are there."""
    given = os.environ.get("SPECS_DIR", "")
    return Path(given) if given else ROOT.parent / "shared" / "specs"


def require_spec(request: pytest.FixtureRequest, name: str) -> Path:
    """The contract's file; without it the test is left out, and the run says so at its end."""
    path = specs_folder() / name
    if not path.is_file():
        reason = f"the vendor's contract is not at {path} (SPECS_DIR names another folder)"
        remember(request, f"contract {name}", reason)
        pytest.skip(reason)
    return path
