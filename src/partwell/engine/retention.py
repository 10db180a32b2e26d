"""Forgetting finished runs: DBOS keeps them for ever, and the domain's rows and evidence say it better."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import connection

from partwell.engine.borrowed import client_for

KEPT_FOR = timedelta(days=7)
BATCH = 500
FINISHED = ["SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]


def forget_finished(now: datetime) -> int:
    """Delete the runs that finished more than `KEPT_FOR` before `now`. Returns how many."""
    before = (now - KEPT_FOR).isoformat()
    client = client_for(connection.vendor)
    forgotten = 0
    while True:
        finished = client.list_workflows(
            status=FINISHED, completed_before=before, limit=BATCH, load_input=False, load_output=False
        )
        if finished:
            client.delete_workflows([run.workflow_id for run in finished])
        forgotten += len(finished)
        if len(finished) < BATCH:
            return forgotten
