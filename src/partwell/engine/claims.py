"""Which executor is supposed to be running what, and how that is given back.

Asked over Django's connection, not through DBOS itself: DBOS waits for a lost database, ever longer, and
whoever watches over the workers must not wait with it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection

import sqlalchemy as sa
from dbos._dbos import _get_dbos_instance
from dbos._schemas.system_database import SystemSchema
from django.db import connection, transaction

from partwell.engine.borrowed import client_for

# Where DBOS puts a run that has no queue of its own.
QUEUE_OF_STRAYS = "_dbos_internal_queue"


def claims() -> dict[str, list[str]]:
    """The runs that each executor has claimed and not finished."""
    found = defaultdict(list)
    runs = SystemSchema.workflow_status.c
    claimed = sa.select(runs.executor_id, runs.workflow_uuid).where(
        runs.status == "PENDING", runs.executor_id.is_not(None)
    )
    with client_for(connection.vendor)._sys_db.engine.connect() as borrowed:
        for executor, run in borrowed.execute(claimed):
            found[executor].append(run)
    return found


def begun_here() -> list[str]:
    """The runs that a thread of this process is at."""
    return _get_dbos_instance()._active_workflows_set.activeList()


def give_back(executor: str, runs: Collection[str]) -> int:
    """Put those runs that are still this executor's back into their queues. Returns how many.

    DBOS hands each of them to one worker, and throws away what the executor reports of it from now on.
    """
    tables = client_for(connection.vendor)._sys_db
    with transaction.atomic():
        return sum(tables.reenqueue_for_recovery(run, [executor], QUEUE_OF_STRAYS) for run in runs)
