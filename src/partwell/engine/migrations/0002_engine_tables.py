"""The engine's own tables, so that every database that Django migrates has them, tests included."""

from django.db import migrations

from partwell.engine import schema


def ensure(apps, schema_editor):
    schema.ensure()


class Migration(migrations.Migration):
    # DBOS brings a connection of its own, which would wait for ever for a transaction of ours on SQLite.
    atomic = False
    dependencies = [("engine", "0001_initial")]
    operations = [migrations.RunPython(ensure, migrations.RunPython.noop, elidable=False)]
