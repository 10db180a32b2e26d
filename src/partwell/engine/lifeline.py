"""What a process and the one that keeps it running owe each other."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

# The exit code of a process that did nothing wrong and has to begin anew: a worker that lost its place among
# the workers, or its database.
START_AGAIN = 75
PR_SET_PDEATHSIG = 1


def end_with_parent(parent_pid: int, *, by: signal.Signals = signal.SIGTERM) -> None:
    """Have the system send a signal to this process when its parent ends, however that died; end now if it
    already has. On Linux; elsewhere only the latter.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, by)
    if os.getppid() != parent_pid:
        sys.exit("The process that started this one is gone.")
