"""What may run inside Partwell's process."""

from __future__ import annotations

import importlib.machinery
import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "licences"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    loader = importlib.machinery.SourceFileLoader("licences_script", str(SCRIPT))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "licence",
    [
        "GPL-3.0-only",
        "AGPL-3.0-or-later",
        "GPLv2",
        "GNU General Public License v3 (GPLv3)",
        "GNU Affero General Public License v3",
        "GPL-2.0 OR AGPL-3.0",
    ],
)
def test_refuses(script: ModuleType, licence: str) -> None:
    assert script.is_refused(licence)


@pytest.mark.parametrize(
    "licence",
    [
        "MIT",
        "Apache-2.0 OR GPL-3.0-only",
        "LGPL-3.0-only",
        "GNU Lesser General Public License v3 (LGPLv3)",
        "Mozilla Public License 2.0 (MPL 2.0)",
    ],
)
def test_takes(script: ModuleType, licence: str) -> None:
    assert not script.is_refused(licence)


def test_looks_at_what_runs_and_at_what_that_needs(script: ModuleType) -> None:
    packages = script.runtime_packages()
    assert {"django", "sqlparse", "psycopg-binary", "fido2"} <= packages.keys()
    assert "pytest" not in packages


def test_every_package_that_runs_may_run(script: ModuleType) -> None:
    found = list(script.rows())
    assert len(found) > 40
    assert [name for name, _, licence in found if not licence or script.is_refused(licence)] == []
