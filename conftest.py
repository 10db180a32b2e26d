"""Real servers and a browser as fixtures for all tests, those inside connectors’ folders included."""

from __future__ import annotations

import gc

from hypothesis import settings

pytest_plugins = ["tests.servers.plugin", "tests.servers.fixtures", "tests.browser"]

# An example takes as long as a busy machine needs. All else stays as hypothesis chose it, in CI or at a desk.
settings.register_profile("untimed", settings(), deadline=None)
settings.load_profile("untimed")

# Python looks through all that lives each time some thousand objects more do, and here live all of Django and
# what the tests import: at its own rhythm, a tenth of the whole run goes into that.
gc.set_threshold(100_000, 20, 100)
