"""What the three imports share when they compare and write rows in bulk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from django.db import models

from partwell.people.imports.reading import Progress
from partwell.people.imports.report import FieldChange
from partwell.people.imports.values import shown

BATCH = 1000
M = TypeVar("M", bound=models.Model)
T = TypeVar("T")


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[FieldChange, ...]:
    """The fields of `new` that differ from `old`, as texts, in the order of `new`."""
    return tuple(
        FieldChange(name, shown(old.get(name)), shown(value))
        for name, value in new.items()
        if shown(old.get(name)) != shown(value)
    )


def batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """The items in groups that one statement carries."""
    for start in range(0, len(items), BATCH):
        yield items[start : start + BATCH]


def insert_all(model: type[M], rows: Sequence[M], what: str, on_progress: Progress) -> None:
    """Insert the rows, which then know their keys."""
    done = 0
    for batch in batches(rows):
        model._default_manager.bulk_create(batch)
        done += len(batch)
        on_progress(what, done, len(rows))


def update_all(
    model: type[M], rows: Sequence[M], fields: Iterable[str], what: str, on_progress: Progress
) -> None:
    """Write `fields` of rows that exist already.

    An upsert by primary key, because Django's `bulk_update` builds a CASE per field and row, which took
    several times as long.
    """
    done = 0
    names = list(fields)
    for batch in batches(rows):
        model._default_manager.bulk_create(
            batch, update_conflicts=True, unique_fields=["pk"], update_fields=names
        )
        done += len(batch)
        on_progress(what, done, len(rows))


def as_ranges(ids: Iterable[int]) -> str:
    """Many ids as a short text: `3,7-9`."""
    parts: list[list[int]] = []
    for number in sorted(ids):
        if parts and number == parts[-1][1] + 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in parts)
