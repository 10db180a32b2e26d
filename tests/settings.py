"""The product's settings, in a data folder that belongs to this test run alone.

pytest-django loads settings before any conftest, so the environment has to be set here.
"""

from __future__ import annotations

import os
import tempfile

os.environ["PARTWELL_DATA_DIR"] = tempfile.mkdtemp(prefix="partwell-tests-")
os.environ.setdefault("PARTWELL_SECRET_KEY", "tests-only-" + "x" * 40)

from partwell.config.settings import *  # noqa: F403
