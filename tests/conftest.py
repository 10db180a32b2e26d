"""What all tests share: a database for each worker, and no way to reach the real data folder."""

from __future__ import annotations

import os
import tempfile

_data = tempfile.mkdtemp(prefix="partwell-tests-")
os.environ["PARTWELL_DATA_DIR"] = _data
os.environ.setdefault("PARTWELL_SECRET_KEY", "tests-only-" + "x" * 40)
