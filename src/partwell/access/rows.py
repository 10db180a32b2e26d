"""Writing the same fields of many rows in few statements."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from django.db import models

# A statement names each row once in every column, and databases limit what a statement may hold.
ROWS_AT_ONCE = 200


def write_rows(rows: Sequence[models.Model], names: Collection[str]) -> None:
    """Write these fields of saved rows of one model: a value that all share in one plain update, the others
    row by row in one statement."""
    if not rows:
        return
    manager = type(rows[0])._base_manager
    first = {name: getattr(rows[0], name) for name in names}
    shared = {
        name: value for name, value in first.items() if all(getattr(row, name) == value for row in rows)
    }
    if shared:
        for start in range(0, len(rows), ROWS_AT_ONCE):
            keys = [row.pk for row in rows[start : start + ROWS_AT_ONCE]]
            manager.filter(pk__in=keys).update(**shared)
    if own := sorted(set(names) - shared.keys()):
        manager.bulk_update(rows, own, batch_size=ROWS_AT_ONCE)
