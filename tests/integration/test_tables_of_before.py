"""One squashed migration for each room: a database that has all of what it replaces, or none, goes on."""

from __future__ import annotations

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from typer.testing import CliRunner

from partwell.cli.earlier_tables import refuse_tables_of_before
from partwell.cli.processes import app

pytestmark = pytest.mark.django_db


def forget(*names: str) -> None:
    MigrationRecorder(connection).migration_qs.filter(app="access", name__in=names).delete()


def test_a_database_that_has_them_all_is_the_squashed_one_without_another_table() -> None:
    forget("0001_squashed")
    refuse_tables_of_before()
    call_command("migrate", verbosity=0, interactive=False, skip_checks=True)
    assert ("access", "0001_squashed") in MigrationRecorder(connection).applied_migrations()


def test_a_database_that_lacks_some_is_refused_and_left_alone() -> None:
    forget("0001_squashed", "0014_accounts_of_nobody")
    before = set(MigrationRecorder(connection).applied_migrations())
    refused = CliRunner().invoke(app, ["init"])
    assert refused.exit_code == 1
    assert "access lacks 0014_accounts_of_nobody" in refused.output
    assert "or begin with a new database" in refused.output
    assert set(MigrationRecorder(connection).applied_migrations()) == before


def test_a_new_database_has_none_of_them_yet() -> None:
    MigrationRecorder(connection).migration_qs.all().delete()
    refuse_tables_of_before()
