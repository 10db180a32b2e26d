"""Databases of earlier, unreleased versions: what cannot be brought up to date is refused and left alone."""

from __future__ import annotations

from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from partwell.refusals import Conflict


def refuse_tables_of_before() -> None:
    """Stop where a database has some, but not all, of the migrations that one squashed migration replaces:
    Django would leave the room of that migration out without a word. Raises `Conflict`."""
    loader = MigrationLoader(None, ignore_no_migrations=True, replace_migrations=False)
    done = set(MigrationRecorder(connection).applied_migrations())
    for key, migration in loader.disk_migrations.items():
        missing = [name for _, name in migration.replaces if (key[0], name) not in done]
        if key not in done and 0 < len(missing) < len(migration.replaces):
            raise Conflict(
                "tables_of_before",
                f"An earlier, unreleased version made this database: {key[0]} lacks {missing[0]}. Bring it "
                "up to date with a version of before 27 November 2026 first, or begin with a new database.",
            )
