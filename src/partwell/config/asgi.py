"""The ASGI application that granian serves."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading

from django.core.asgi import get_asgi_application

from partwell.engine.lifeline import end_with_parent

# granian serves from a child process. Should granian be killed, the child must not go on holding the port:
# by SIGKILL, because granian's own handler forgets a SIGTERM that comes while the application loads.
if (_granian := multiprocessing.parent_process()) is not None and _granian.pid is not None:
    end_with_parent(_granian.pid, by=signal.SIGKILL)

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "partwell.config.settings")
application = get_asgi_application()

# Only now are there models. The first person who changes something shall not wait for imports.
from partwell.engine.operations import warm_up  # noqa: E402

threading.Thread(target=warm_up, name="warm-up", daemon=True).start()
