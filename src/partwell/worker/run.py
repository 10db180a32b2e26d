"""`partwell worker`: the process that does the work."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

from partwell.engine.lifeline import START_AGAIN
from partwell.engine.reachable import is_loss, wait_for_database
from partwell.engine.runtime import Engine
from partwell.journeys.addresses import first_page
from partwell.worker.register import register_all

log = logging.getLogger(__name__)


def run_worker(register: Callable[[], None] = register_all) -> None:
    """Work until SIGTERM or SIGINT, then end this process."""
    stop = threading.Event()

    def on_signal(signum: int, frame: FrameType | None) -> None:
        stop.set()

    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, on_signal)
    register()
    # Mails name pages. Whoever serves these is read now, and not while somebody is being shut out.
    first_page()
    if not wait_for_database(stop.is_set):
        return
    engine = Engine(on_loss=_end_at_once)
    try:
        engine.start()
    except Exception as error:
        if is_loss(error):
            log.warning("the database went away while this worker started", exc_info=True)
            _end_at_once()
        raise
    log.info("worker %s is ready", engine.executor)
    stop.wait()
    try:
        engine.stop()
    except Exception:
        log.warning("this worker could not give its place back; it is taken from it", exc_info=True)
    log.info("worker %s has stopped", engine.executor)
    _end_at_once(0)


def _end_at_once(code: int = START_AGAIN) -> NoReturn:
    # Without waiting for what is running here, as Python would at its end: others run it already, or will
    # when the database is back.
    logging.shutdown()
    os._exit(code)
