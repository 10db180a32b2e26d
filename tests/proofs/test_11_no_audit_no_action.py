"""Row 11: when evidence cannot be written, nothing else is either.

The database is made to refuse what would be evidence, and to fail on it half way. Each operation of the
matrix is then tried for real, by somebody who may, and every row of every table must be what it was before.
`ATTEMPTS` holds those that need more than a stage.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from itertools import product
from typing import Any

import pytest
from django.apps import apps
from django.core import serializers
from django.db import OperationalError, connection, transaction

from partwell.closure.audiences import Audience
from partwell.closure.operations import erase_field, export_pack
from partwell.departures.models import Departure
from partwell.evidence.models import Event
from partwell.evidence.sequencer import sequence_pending
from partwell.people import authorisation
from partwell.people.actors import console_actor
from partwell.refusals import Refusal
from tests.authorisation_stage import INSIDE, OWN, Stage, build
from tests.authorised_calls import CALLS
from tests.evidence_record import NOW, a_departure, events_of_a_departure

pytestmark = pytest.mark.django_db


def erase(departure: Departure) -> None:
    event = Event.objects.get(kind="step.completed")
    erase_field(
        departure=departure,
        event_id=event.pk,
        names=["note"],
        basis="Art. 17 GDPR",
        actor=console_actor(),
        now=NOW,
    )


def export(departure: Departure) -> None:
    export_pack(departure=departure, audience=Audience.INTERNAL, actor=console_actor(), now=NOW)


def first_signature(departure: Departure) -> None:
    """The first head of an installation announces its key; without that record nothing is signed."""
    sequence_pending(now=NOW)


ATTEMPTS: dict[str, Callable[[Departure], None]] = {
    "evidence.erase": erase,
    "evidence.export": export,
    "evidence.key_made": first_signature,
}


# There is nothing to link, to try or to put back on the stage, no connector that changes a secret or hands
# over, and no successor. The tests of access, dry runs, rotations and hand-overs try them.
NEEDS_MORE_THAN_A_STAGE = {"access.link", "access.restore", "evidence.export", "credentials.rotate"}
NEEDS_MORE_THAN_A_STAGE |= {"access.dry_run", "transfers.hand_over", "transfers.take_back"}
NEEDS_MORE_THAN_A_STAGE |= {"transfers.accept", "transfers.report_missing", "ghosts.restore"}


@contextmanager
def failing_evidence(*, after_insert: bool) -> Iterator[list[str]]:
    """Refuse inserts of events, before they reach the table or just after, as a full disk would."""
    refused: list[str] = []
    table = connection.ops.quote_name(Event._meta.db_table)

    def guard(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if not sql.lower().startswith(f"insert into {table}".lower()):
            return execute(sql, params, many, context)
        if after_insert:
            execute(sql, params, many, context)
        refused.append(sql)
        raise OperationalError("attempt to write a readonly database")

    with connection.execute_wrapper(guard):
        yield refused


def everything() -> str:
    """A digest of every row of every table."""
    rows = hashlib.sha256()
    for model in sorted(apps.get_models(), key=lambda each: each._meta.label):
        rows.update(serializers.serialize("json", model._default_manager.order_by("pk")).encode())
    return rows.hexdigest()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("after_insert", [False, True], ids=["refused", "failed half way"])
@pytest.mark.parametrize("name", sorted(ATTEMPTS))
def test_without_evidence_nothing_changes(
    name: str, after_insert: bool, figure: Callable[[str], None]
) -> None:
    departure = a_departure()
    events_of_a_departure(departure)
    if name != "evidence.key_made":
        sequence_pending(now=NOW)
    before = everything()
    with (
        failing_evidence(after_insert=after_insert) as refused,
        pytest.raises(OperationalError, match="readonly"),
    ):
        ATTEMPTS[name](departure)
    assert refused, f"{name} recorded nothing, so this proves nothing"
    assert everything() == before
    ATTEMPTS[name](departure)
    assert everything() != before, f"{name} changes nothing even when it may"
    figure(f"proof 11, {name}: 0 changes without evidence")


def test_no_operation_of_the_matrix_changes_anything_without_evidence(
    figure: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    stage, fresh = build(), everything()
    begun = Entries()
    monkeypatch.setattr(authorisation, "transaction", begun)
    recorded: set[str] = set()
    wrong: set[str] = set()
    tried = CALLS.keys() - NEEDS_MORE_THAN_A_STAGE
    for name in sorted(tried):
        call = somebody_who_may(name, stage)
        for after_insert in (False, True):
            mark = transaction.savepoint()
            begun.state = fresh
            with failing_evidence(after_insert=after_insert) as refused, suppress(OperationalError, Refusal):
                call()
            if everything() != begun.state:
                wrong.add(name)
            if refused:
                recorded.add(name)
            transaction.savepoint_rollback(mark)
    silent = sorted(tried - recorded - wrong)
    figure(
        f"proof 11: {len(recorded)} operations tried without evidence, {len(wrong)} changed something;"
        f" {len(silent)} record nothing and changed nothing: {', '.join(silent)}"
    )
    assert not wrong
    assert len(recorded) > len(tried) / 2


class Entries:
    """Stands where operations begin their transaction, and notes the state in which the first one begins:
    what a call prepares for its operation is not the operation's work."""

    def __init__(self) -> None:
        self.state = ""
        self._depth = 0

    @contextmanager
    def atomic(self) -> Iterator[None]:
        if not self._depth:
            self.state = everything()
        self._depth += 1
        try:
            with transaction.atomic():
                yield
        finally:
            self._depth -= 1


def somebody_who_may(name: str, stage: Stage) -> Callable[[], Any]:
    """The call of this operation by a player with whom it succeeds."""
    row = authorisation.load_matrix().operations[name]
    scene = None if row.on == "office" else stage.scenes["normal"]
    for player, key in product(stage.players, (INSIDE, OWN)):
        mark = transaction.savepoint()
        call = partial(CALLS[name], player.actor, scene, key)
        try:
            call()
        except (Refusal, AssertionError):
            continue
        finally:
            transaction.savepoint_rollback(mark)
        return call
    raise AssertionError(f"{name}: nobody on the stage may do it")
