"""Writing the same fields of many rows in few statements.

Django's `bulk_update` builds one `CASE` per row and field, and building it costs ten times what the database
needs for the writing. One prepared statement that is run for each row is as portable, and shorter.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from django.db import connections, models, router, transaction

# A statement names each row once in every column, and databases limit what a statement may hold.
ROWS_AT_ONCE = 200


def write_rows(rows: Sequence[models.Model], names: Collection[str]) -> None:
    """Write these fields of saved rows of one model, together or not at all: a value that all share in one
    plain update, the others row by row."""
    if not rows:
        return
    model = type(rows[0])
    first = {name: getattr(rows[0], name) for name in names}
    shared = {
        name: value for name, value in first.items() if all(getattr(row, name) == value for row in rows)
    }
    with transaction.atomic(using=router.db_for_write(model), savepoint=False):
        if shared:
            for start in range(0, len(rows), ROWS_AT_ONCE):
                keys = [row.pk for row in rows[start : start + ROWS_AT_ONCE]]
                model._base_manager.filter(pk__in=keys).update(**shared)
        if own := sorted(set(names) - shared.keys()):
            attributes = [field.attname for field in _fields(model, own)]
            write_values(model, own, ((row.pk, *(getattr(row, each) for each in attributes)) for row in rows))


def write_values(model: type[models.Model], names: Sequence[str], values: Iterable[Sequence[Any]]) -> None:
    """Write these fields of rows that nobody has loaded: for each row its key, then its values."""
    connection = connections[router.db_for_write(model)]
    fields = _fields(model, names)
    key = next(field for field in model._meta.concrete_fields if field.primary_key)
    quote = connection.ops.quote_name
    columns = ", ".join(f"{quote(str(field.column))} = %s" for field in fields)
    # Of names in the models alone; what is written are parameters.
    statement = f"update {quote(model._meta.db_table)} set {columns} where {quote(str(key.column))} = %s"  # noqa: S608
    _execute_for_each(connection, statement, (*fields, key), ((*rest, pk) for pk, *rest in values))


def insert_rows(rows: Sequence[models.Model]) -> None:
    """Insert unsaved rows of one model, keys included, in less time than `bulk_create` takes: of very many
    rows, Django takes longer to put its statements together than the database to write them. Fields that make
    their value when they are saved, such as `auto_now`, are written as they stand.
    """
    if not rows:
        return
    fields = type(rows[0])._meta.concrete_fields
    attributes = [field.attname for field in fields]
    insert_values(type(rows[0]), attributes, ([getattr(row, name) for name in attributes] for row in rows))
    database = router.db_for_write(type(rows[0]))
    for row in rows:
        row._state.adding, row._state.db = False, database


def insert_values(model: type[models.Model], names: Sequence[str], values: Iterable[Sequence[Any]]) -> None:
    """Insert rows of which nobody needs the object, with these fields alone."""
    connection = connections[router.db_for_write(model)]
    fields = _fields(model, names)
    quote = connection.ops.quote_name
    columns = ", ".join(quote(str(field.column)) for field in fields)
    places = ", ".join(["%s"] * len(fields))
    statement = f"insert into {quote(model._meta.db_table)} ({columns}) values ({places})"  # noqa: S608
    _execute_for_each(connection, statement, fields, values)


def _fields(model: type[models.Model], names: Sequence[str]) -> list[Any]:
    fields = model._meta.concrete_fields
    # By its column's name a foreign key is written without its object being read.
    known = {field.attname: field for field in fields} | {field.name: field for field in fields}
    return [known[name] for name in names]


def _execute_for_each(
    connection: Any, statement: str, fields: Sequence[Any], values: Iterable[Sequence[Any]]
) -> None:
    rows = [
        [field.get_db_prep_save(value, connection) for field, value in zip(fields, row, strict=True)]
        for row in values
    ]
    if rows:
        with connection.cursor() as cursor:
            cursor.executemany(statement, rows)
