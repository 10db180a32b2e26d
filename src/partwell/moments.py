"""Reckoning with moments in the database, on SQLite as on PostgreSQL."""

from __future__ import annotations

from typing import Any

from django.db.models import Func, IntegerField


class Seconds(Func):
    """A moment as whole seconds, so that a database takes one from another by itself: on SQLite, Django
    would otherwise call Python for each row."""

    output_field = IntegerField()

    def as_sqlite(self, compiler: Any, connection: Any, **more: Any) -> Any:
        return self.as_sql(
            compiler, connection, template="CAST(strftime('%%%%s', %(expressions)s) AS INTEGER)", **more
        )

    def as_postgresql(self, compiler: Any, connection: Any, **more: Any) -> Any:
        return self.as_sql(
            compiler, connection, template="FLOOR(EXTRACT(EPOCH FROM %(expressions)s))::bigint", **more
        )
