"""Rows written by hand are read back as Django would have written them, on every database."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from partwell.evidence.models import Event, TreeNode
from partwell.rows import ROWS_AT_ONCE, insert_values, write_rows, write_values

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
# As Hypothesis wants them, without a timezone.
EARLY, LATE = datetime(1900, 1, 1), datetime(2900, 1, 1)  # noqa: DTZ001
FIELDS = ("id", "scope", "kind", "occurred_at", "fields", "leaf", "sequence")

# PostgreSQL keeps neither in text.
texts = st.text(st.characters(exclude_characters="\x00", exclude_categories=("Cs",)), max_size=30)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
rows = st.tuples(
    texts,
    texts,
    st.datetimes(timezones=st.just(UTC), min_value=EARLY, max_value=LATE),
    st.dictionaries(texts, values, max_size=4),
    st.binary(max_size=40),
    st.booleans(),
)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(many=st.lists(rows, min_size=1, max_size=5), anew=st.lists(rows, min_size=5, max_size=5))
def test_whatever_a_row_holds_is_read_back_inserted_and_written_over(many, anew) -> None:
    Event.objects.all().delete()
    ids = [uuid.uuid4() for _ in many]

    def told(given_rows):
        return {
            pk: (scope, kind, at, fields, leaf, number if has_number else None)
            for number, (pk, (scope, kind, at, fields, leaf, has_number)) in enumerate(
                zip(ids, given_rows, strict=False)
            )
        }

    insert_values(Event, FIELDS, ((pk, *row) for pk, row in told(many).items()))
    assert kept() == told(many)
    write_values(Event, FIELDS[1:], ((pk, *row) for pk, row in told(anew).items()))
    assert kept() == told(anew)


def kept():
    return {
        e.pk: (e.scope, e.kind, e.occurred_at, e.fields, bytes(e.leaf), e.sequence)
        for e in Event.objects.all()
    }


def test_more_rows_than_one_statement_holds_are_all_written_each_with_its_own() -> None:
    count = 2 * ROWS_AT_ONCE + 1
    insert_values(TreeNode, ["position", "digest"], ((n, bytes([n % 256])) for n in range(count)))
    write_values(TreeNode, ["digest"], ((n, b"new %d" % n) for n in range(count)))
    assert {node.pk: bytes(node.digest) for node in TreeNode.objects.all()} == {
        n: b"new %d" % n for n in range(count)
    }


def test_only_the_named_fields_of_the_named_rows_change() -> None:
    for number in range(3):
        Event(scope="register", kind=f"kind-{number}", occurred_at=NOW, fields={}, leaf=b"").save()
    first, second, _ = events = list(Event.objects.order_by("kind"))
    for event in events:
        event.scope, event.occurred_at = f"system:{event.kind}", NOW + timedelta(days=1)
    write_rows([first, second], ["scope"])
    told = {e.kind: (e.scope, e.occurred_at) for e in Event.objects.all()}
    assert told == {
        "kind-0": ("system:kind-0", NOW),
        "kind-1": ("system:kind-1", NOW),
        "kind-2": ("register", NOW),
    }


def test_a_value_that_all_share_and_one_of_their_own_are_written_together() -> None:
    for number in range(3):
        Event(scope="register", kind=f"kind-{number}", occurred_at=NOW, fields={}, leaf=b"").save()
    events = list(Event.objects.order_by("kind"))
    for number, event in enumerate(events):
        event.scope, event.sequence = "system:all", number or None
    write_rows(events, ["scope", "sequence"])
    assert list(Event.objects.order_by("kind").values_list("scope", "sequence")) == [
        ("system:all", None),
        ("system:all", 1),
        ("system:all", 2),
    ]


def test_nothing_to_write_asks_the_database_nothing(django_assert_num_queries) -> None:
    with django_assert_num_queries(0):
        write_rows([], ["scope"])
        write_values(Event, ["scope"], [])
        insert_values(Event, FIELDS, [])
