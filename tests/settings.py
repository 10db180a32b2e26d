"""The product's settings, in a data folder that belongs to this test run alone.

pytest-django loads settings before any conftest, so the environment has to be set here. A process that a
test starts inherits these settings and keeps the data folder that the test gave it.
"""

from __future__ import annotations

import os
import tempfile

worker = os.environ.get("PYTEST_XDIST_WORKER", "alone")
if os.environ.get("PARTWELL_TEST_RUN") != worker:
    os.environ["PARTWELL_TEST_RUN"] = worker
    os.environ["PARTWELL_DATA_DIR"] = tempfile.mkdtemp(prefix="partwell-tests-")
    os.environ.setdefault("PARTWELL_SECRET_KEY", "tests-only-" + "x" * 40)

from partwell.config.settings import *  # noqa: E402, F403

# Only in the tests' own process: hashing a password well takes a quarter of a second each time, by design.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
