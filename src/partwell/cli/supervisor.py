"""One process that keeps the others running: what `partwell up` is while it is up."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FrameType

from partwell.engine.lifeline import START_AGAIN

STOP_WITHIN_SECONDS = 8.0
LOOK_EVERY_SECONDS = 0.1
# A child that ran this long was fine; its next crash starts counting anew.
STEADY_AFTER_SECONDS = 30.0
LONGEST_PAUSE_SECONDS = 30.0
START_AGAIN_PAUSE_SECONDS = 1.0


@dataclass
class Child:
    """A Python process that shall always run; it understands `--supervised-by PID`."""

    name: str
    arguments: tuple[str, ...]
    process: subprocess.Popen[bytes] | None = None
    crashes: int = 0
    started: float = 0.0
    start_after: float = 0.0

    def start(self, now: float) -> None:
        """Start it as a child that ends when this process does."""
        command = [sys.executable, *self.arguments, "--supervised-by", str(os.getpid())]
        self.process = subprocess.Popen(command)
        self.started = now

    def has_crashed(self) -> bool:
        """Whether it was started and has ended by itself."""
        return self.process is not None and self.process.poll() is not None

    def plan_restart(self, now: float) -> float:
        """Note how it ended; the seconds to wait: after crashes none, then 1, 2, 4 … 30."""
        if self.process is not None and self.process.returncode == START_AGAIN:
            self.process, self.start_after = None, now + START_AGAIN_PAUSE_SECONDS
            return START_AGAIN_PAUSE_SECONDS
        self.crashes = 1 if now - self.started >= STEADY_AFTER_SECONDS else self.crashes + 1
        pause = 0.0 if self.crashes == 1 else min(LONGEST_PAUSE_SECONDS, 2.0 ** (self.crashes - 2))
        self.process, self.start_after = None, now + pause
        return pause


@dataclass
class Supervisor:
    """Starts its children, starts again those that crash, and stops them all together."""

    children: list[Child]
    say: Callable[[str], None]
    _stop: bool = field(default=False, init=False)

    def start(self) -> None:
        """Start all children; from here on SIGTERM and SIGINT mean stop."""
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, self._on_signal)
        for child in self.children:
            child.start(time.monotonic())

    def look(self) -> None:
        """Note who crashed, and start again whose pause is over."""
        now = time.monotonic()
        for child in self.children:
            if child.has_crashed() and child.process is not None:
                code = child.process.returncode
                pause = child.plan_restart(now)
                how = "wants to start anew" if code == START_AGAIN else f"ended unexpectedly (exit {code})"
                self.say(f"{child.name} {how}; it starts again in {pause:.0f} s.")
            if child.process is None and now >= child.start_after:
                child.start(now)

    def run(self) -> None:
        """Keep the children running until told to stop, then stop them."""
        while not self._stop:
            self.look()
            time.sleep(LOOK_EVERY_SECONDS)
        self.stop()

    @property
    def is_stopping(self) -> bool:
        """Whether a signal to stop has come."""
        return self._stop

    def stop(self) -> None:
        """Ask all children to stop, wait, and kill what is still there."""
        self.say("Stopping…")
        running = [child.process for child in self.children if child.process is not None]
        for process in running:
            process.terminate()
        deadline = time.monotonic() + STOP_WITHIN_SECONDS
        for process in running:
            try:
                process.wait(timeout=max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.say("Stopped.")

    def _on_signal(self, signum: int, frame: FrameType | None) -> None:
        self._stop = True
