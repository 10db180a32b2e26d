"""`partwell worker`: the process that does the work."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable
from types import FrameType

from partwell.engine.runtime import Engine
from partwell.worker.register import register_all

# The exit code that says "start me again": my place among the workers was taken.
PLACE_LOST = 75

log = logging.getLogger(__name__)


def run_worker(register: Callable[[], None] = register_all) -> int:
    """Work until SIGTERM or SIGINT; the exit code."""
    stop = threading.Event()

    def on_signal(signum: int, frame: FrameType | None) -> None:
        stop.set()

    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, on_signal)
    register()
    engine = Engine()
    engine.start()
    log.info("worker %s is ready", engine.executor)
    while not stop.wait(0.2):
        if engine.lost.is_set():
            # At once, without waiting for what is running here: others run it already.
            logging.shutdown()
            os._exit(PLACE_LOST)
    engine.stop()
    log.info("worker %s has stopped", engine.executor)
    return 0
