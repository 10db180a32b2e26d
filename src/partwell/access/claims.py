"""One process at a time works on a run. A claim is short, is renewed before each call, and ends with its
process where that can be seen."""

from __future__ import annotations

import os
import socket
from datetime import datetime, timedelta
from uuid import uuid4

from django.db.models import Q

from partwell.access.models import SystemRun
from partwell.access.states import RunState

LIVE = (RunState.RUNNING, RunState.WAITING)
MARGIN = timedelta(seconds=15)


class ClaimLost(Exception):
    """Another process, or a later plan, has taken over. Nothing more may be asked of the target."""


def take(run: SystemRun, *, now: datetime) -> str:
    """Claim a live run; returns the claim's token, or an empty text when somebody else holds it."""
    token = f"{socket.gethostname()}/{os.getpid()}/{uuid4().hex}"
    free = Q(claimed_until__isnull=True) | Q(claimed_until__lte=now)
    if _is_dead(run.claimed_by):
        free |= Q(claimed_by=run.claimed_by)
    taken = (
        SystemRun.objects.filter(free, pk=run.pk, state__in=LIVE).update(
            claimed_by=token, claimed_until=now + _lease(run)
        )
        == 1
    )
    return token if taken else ""


def renew(run: SystemRun, token: str, *, now: datetime) -> None:
    """Hold on for one more call. Raises `ClaimLost`."""
    held = SystemRun.objects.filter(pk=run.pk, claimed_by=token, state__in=LIVE).update(
        claimed_until=now + _lease(run)
    )
    if not held:
        raise ClaimLost


def let_go(run: SystemRun, token: str) -> None:
    """Give the run back."""
    SystemRun.objects.filter(pk=run.pk, claimed_by=token).update(claimed_by="", claimed_until=None)


def _lease(run: SystemRun) -> timedelta:
    return timedelta(seconds=run.system.time_limit_seconds) + MARGIN


def _is_dead(token: str) -> bool:
    """Whether the process behind a token ran here and is gone. When unsure: no, and the lease decides."""
    host, _, rest = token.partition("/")
    pid = rest.partition("/")[0]
    if host != socket.gethostname() or not pid.isdigit() or int(pid) == os.getpid():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
