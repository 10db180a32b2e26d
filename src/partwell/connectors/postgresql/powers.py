"""Which roles let their members rule others or read all, by their attributes and by what they inherit."""

from __future__ import annotations

from collections.abc import Sequence

from partwell.connectors.postgresql.session import Row

_ATTRIBUTES = {
    "rolsuper": "SUPERUSER",
    "rolcreaterole": "CREATEROLE",
    "rolbypassrls": "BYPASSRLS",
    "rolreplication": "REPLICATION",
}
# PostgreSQL's own roles of which each opens everything, or a way to everything.
_PREDEFINED = {
    "pg_execute_server_program": "runs programs on the server",
    "pg_write_server_files": "writes files of the server",
    "pg_read_server_files": "reads files of the server",
    "pg_read_all_data": "reads all data",
    "pg_write_all_data": "writes all data",
    "pg_maintain": "maintains every table",
    "pg_create_subscription": "brings in data from other servers",
}


def own_powers(row: Row) -> list[str]:
    """The attributes of a role by which it rules others or reads all."""
    return [word for name, word in _ATTRIBUTES.items() if row[name]]


def powers_of(rows: Sequence[Row]) -> dict[int, str]:
    """What makes roles dangerous, by their number; `rows` are all roles above one, each with one below it."""
    own: dict[int, str] = {}
    for row in rows:
        if attributes := own_powers(row):
            own[row["oid"]] = f"has {' and '.join(attributes)}"
        elif words := _PREDEFINED.get(row["rolname"]):
            own[row["oid"]] = words
    names = {row["oid"]: row["rolname"] for row in rows}
    found = dict(own)
    # Downwards from each that has something of its own, level by level: the nearest is what is told.
    below = {number: number for number in own}
    while below:
        below = {
            row["below"]: below[row["oid"]]
            for row in rows
            if row["oid"] in below and row["below"] in names and row["below"] not in found
        }
        found |= {number: f"leads to {names[top]}, which {own[top]}" for number, top in below.items()}
    return found
