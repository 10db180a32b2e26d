"""One process at a time works on a run. A claim is short, is renewed before each round of calls, and ends
with its process where that can be seen."""

from __future__ import annotations

import os
import socket
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from uuid import uuid4

from django.db.models import Q

from partwell.access.models import SystemRun
from partwell.access.states import RunState

LIVE = (RunState.RUNNING, RunState.WAITING)
MARGIN = timedelta(seconds=15)


def take(runs: Sequence[SystemRun], *, seconds: float, now: datetime) -> tuple[str, list[SystemRun]]:
    """Claim live runs of one system for so long; the claim's token, and those that nobody else holds."""
    token = f"{socket.gethostname()}/{os.getpid()}/{uuid4().hex}"
    free = Q(claimed_until__isnull=True) | Q(claimed_until__lte=now)
    if dead := {run.claimed_by for run in runs if run.claimed_by and _is_dead(run.claimed_by)}:
        free |= Q(claimed_by__in=dead)
    SystemRun.objects.filter(free, pk__in=[run.pk for run in runs], state__in=LIVE).update(
        claimed_by=token, claimed_until=_until(seconds, now)
    )
    held = SystemRun.objects.filter(pk__in=[run.pk for run in runs], claimed_by=token)
    ours = set(held.values_list("pk", flat=True))
    return token, [run for run in runs if run.pk in ours]


def renew(runs: Collection[SystemRun], token: str, *, seconds: float, now: datetime) -> set[int]:
    """Hold on for so much longer; which of the runs (by key) are still ours. Nothing may be asked of the
    target for the others: another process, or a later plan, has taken over."""
    held = SystemRun.objects.filter(pk__in=[run.pk for run in runs], claimed_by=token, state__in=LIVE)
    held.update(claimed_until=_until(seconds, now))
    return set(held.values_list("pk", flat=True))


def let_go(runs: Collection[SystemRun], token: str) -> None:
    """Give back what this token still holds of the runs."""
    SystemRun.objects.filter(pk__in=[run.pk for run in runs], claimed_by=token).update(
        claimed_by="", claimed_until=None
    )


def _until(seconds: float, now: datetime) -> datetime:
    return now + timedelta(seconds=seconds) + MARGIN


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
