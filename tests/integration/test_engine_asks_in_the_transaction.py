"""What is asked of the engine commits or rolls back with the rows that it is about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.db import connection, transaction

from partwell.engine import operations, retention, schema
from partwell.engine.borrowed import client_for
from partwell.engine.models import Timer

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)


def runs(prefix: str) -> list[str]:
    found = client_for(connection.vendor).list_workflows(workflow_id_prefix=prefix)
    return [run.workflow_id for run in found]


class Oops(Exception):
    pass


def test_work_asked_for_in_a_transaction_is_there_after_the_commit() -> None:
    key = uuid4().hex
    with transaction.atomic():
        operations.enqueue("letter", "one", "two", key=key)
    (run,) = client_for(connection.vendor).list_workflows(workflow_id_prefix=f"letter:{key}")
    assert run.status == "ENQUEUED"
    assert run.input is not None
    assert run.input["args"] == ("letter", key, "actions", "", 1, ["one", "two"])


def test_work_asked_for_in_a_transaction_goes_with_its_rollback() -> None:
    key = uuid4().hex
    with pytest.raises(Oops), transaction.atomic():
        operations.enqueue("letter", key=key)
        Timer.objects.create(name="n", key=key, due_at=NOW, wake_at=NOW)
        raise Oops
    assert runs(f"letter:{key}") == []
    assert not Timer.objects.filter(key=key).exists()


def test_work_is_asked_for_once_per_key() -> None:
    key = uuid4().hex
    operations.enqueue("letter", key=key)
    with transaction.atomic():
        operations.enqueue("letter", key=key)
    assert len(runs(f"letter:{key}")) == 1


def test_a_lane_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="no lane 'actoins'"):
        operations.enqueue("letter", key="k", lane="actoins")


def test_several_pokes_in_one_transaction_are_one_wake_up() -> None:
    before = len(runs("advance:"))
    departure, other = uuid4(), uuid4()
    with transaction.atomic():
        for _ in range(5):
            operations.poke(departure)
        operations.poke(other)
    assert len(runs("advance:")) - before == 2


def test_each_transaction_pokes_again() -> None:
    before = len(runs("advance:"))
    departure = uuid4()
    for _ in range(3):
        with transaction.atomic():
            operations.poke(departure)
    operations.poke(departure)
    operations.poke(departure)
    assert len(runs("advance:")) - before == 5


def test_a_poke_that_a_savepoint_took_back_is_asked_for_again() -> None:
    before = len(runs("advance:"))
    departure = uuid4()
    with transaction.atomic():
        with pytest.raises(Oops), transaction.atomic():
            operations.poke(departure)
            raise Oops
        operations.poke(departure)
    assert len(runs("advance:")) - before == 1


def test_asking_leaves_djangos_connection_as_it_was() -> None:
    operations.enqueue("letter", key=uuid4().hex)
    assert connection.get_autocommit()
    # SQLAlchemy brings SQL functions of the same names; Django's must survive.
    Timer.objects.create(name="Abc", key=uuid4().hex, due_at=NOW, wake_at=NOW)
    assert Timer.objects.filter(name__iregex="^aB").exists()
    if connection.vendor == "postgresql":
        handlers = connection.connection._notice_handlers
        assert len(handlers) == 0


def test_finished_runs_are_forgotten_after_a_week_and_waiting_ones_are_kept() -> None:
    client = client_for(connection.vendor)
    kept, finished = uuid4().hex, uuid4().hex
    operations.enqueue("letter", key=kept)
    operations.enqueue("letter", key=finished)
    client.cancel_workflow(f"letter:{finished}")
    from partwell.clock import now

    assert retention.forget_finished(now()) == 0
    assert retention.forget_finished(now() + retention.KEPT_FOR + timedelta(minutes=1)) >= 1
    assert runs(f"letter:{finished}") == []
    assert len(runs(f"letter:{kept}")) == 1


def test_the_engines_tables_come_with_djangos() -> None:
    assert schema.is_current()
