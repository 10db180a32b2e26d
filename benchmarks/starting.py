"""Starting a journey of 60 steps, against inserting its identical rows in one transaction; and a burst.

    scripts/bench starting

The floor inserts what `start` left behind, evidence and engine rows included, from objects made before the
watch runs, and commits. Both sides take turns, each time with another leaver.
"""

from __future__ import annotations

import statistics
import sys
import time
from typing import Any

from benchmarks.measuring import Figure, milliseconds, own_installation, report

RATIO, BURST, BURST_SECONDS, TURNS = 6.0, 200, 4.0, 40


def main() -> int:
    """Measure both, print them."""
    with own_installation():
        from benchmarks.firm import make_firm
        from partwell.engine import operations as engine

        engine.warm_up()
        user, leavers = make_firm(BURST + TURNS + 5, template_steps=60)
        ours, floor, queries = _in_turns(user, leavers[BURST:])
        burst, busy = _burst(user, leavers[:BURST])
        figures = [
            Figure("start 60 steps, to its commit (median)", ours, "ms"),
            Figure("the identical rows in one transaction (median)", floor, "ms"),
            Figure("ratio", ours / floor, "x", RATIO),
            Figure("queries of one start", queries, ""),
            Figure(f"{BURST} departures of 12 steps", burst, "s", BURST_SECONDS),
            Figure("  of which this process computed", busy, "s"),
        ]
        return report("starting", figures)


def _in_turns(user: Any, leavers: list[Any]) -> tuple[float, float, int]:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    for leaver in leavers[:4]:
        _start(user, leaver)
    with CaptureQueriesContext(connection) as captured:
        _start(user, leavers[4])
    ours, floor = [], []
    for leaver in leavers[5:]:
        before = _marks()
        ours.append(milliseconds(lambda leaver=leaver: _start(user, leaver)))
        floor.append(_insert_again(before))
    return statistics.median(ours), statistics.median(floor), len(captured)


def _start(user: Any, leaver: Any, template: str = "measured") -> Any:
    from benchmarks.firm import LAST_DAY, NOW
    from partwell.journeys.intake import Intake
    from partwell.journeys.operations.starting import start
    from partwell.people.actors import actor_for_user

    intake = Intake(last_working_date=LAST_DAY, person=leaver, notice_date=NOW.date(), reason="pay")
    return start(template_id=template, intake=intake, actor=actor_for_user(user, is_fresh=True), now=NOW)


def _tables() -> list[Any]:
    from partwell.departures.models import Departure, Participant
    from partwell.engine.models import Timer
    from partwell.evidence.models import Event
    from partwell.journeys.models import Journey, Step
    from partwell.signals.models import Message

    return [Departure, Journey, Step, Participant, Event, Message, Timer]


def _marks() -> dict[Any, set[Any]]:
    return {model: set(model._base_manager.values_list("pk", flat=True)) for model in _tables()}


def _insert_again(before: dict[Any, set[Any]]) -> float:
    """Take out what `start` just wrote, and put exactly that back with one insert a table."""
    from django.db import connection, transaction

    engine_table = _engine_table()
    written = [
        (model, [row for row in model._base_manager.all() if row.pk not in known])
        for model, known in before.items()
    ]
    for model, rows in reversed(written):
        model._base_manager.filter(pk__in=[row.pk for row in rows]).delete()
    with connection.cursor() as cursor:
        cursor.execute(f"select * from {engine_table} order by created_at desc limit 1")
        columns = [column[0] for column in cursor.description]
        wake_up = cursor.fetchone()
        cursor.execute(
            f"delete from {engine_table} where workflow_uuid = %s", [wake_up[columns.index("workflow_uuid")]]
        )
    names, marks = ", ".join(f'"{c}"' for c in columns), ", ".join(["%s"] * len(columns))

    def insert() -> None:
        with transaction.atomic():
            for model, rows in written:
                model._base_manager.bulk_create(rows)
            with connection.cursor() as cursor:
                cursor.execute(f"insert into {engine_table} ({names}) values ({marks})", wake_up)

    return milliseconds(insert)


def _engine_table() -> str:
    from django.db import connection

    return "dbos.workflow_status" if connection.vendor == "postgresql" else "workflow_status"


def _burst(user: Any, leavers: list[Any]) -> tuple[float, float]:
    from benchmarks.firm import NOW, template_text
    from partwell.journeys.template_operations import publish_template
    from partwell.people.actors import console_actor

    publish_template(text=template_text("short", 12), actor=console_actor(), now=NOW)
    began, computed = time.perf_counter(), time.process_time()
    for leaver in leavers:
        _start(user, leaver, "short")
    return time.perf_counter() - began, time.process_time() - computed


if __name__ == "__main__":
    sys.exit(main())
