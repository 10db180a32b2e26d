"""SQL put together from constant text and quoted names only. Pure functions.

MySQL has no parameters for names of accounts and roles, and its driver quotes values alone. Names are put in
backticks: there, and in no other quotes, the meaning of a character does not depend on the server's SQL mode.
"""

from __future__ import annotations

from typing import LiteralString, NewType

from partwell.connector_kit.contract import ConnectorError, ErrorKind

# Text that may be sent: made here, or by the driver's own quoting of a value.
Sql = NewType("Sql", str)

_HIGHEST = "\uffff"  # names hold no characters beyond the basic plane


def sql(template: LiteralString, *parts: Sql) -> Sql:
    """A statement from constant text, its `{}` filled with parts that are safe already."""
    return Sql(template.format(*parts))


def joined(parts: list[Sql]) -> Sql:
    """Parts with commas between them."""
    return Sql(", ".join(parts))


def is_name(text: str) -> bool:
    """Whether a server takes this as a name of something."""
    return bool(text) and "\0" not in text and max(text) <= _HIGHEST


def name(text: str) -> Sql:
    """A name in backticks. Raises INVALID for what no server takes as one."""
    if not is_name(text):
        raise ConnectorError(ErrorKind.INVALID, "This is not a name that a MySQL server has.")
    return Sql("`" + text.replace("`", "``") + "`")


def account(user: str, host: str) -> Sql:
    """An account, `user`@`host`."""
    return sql("{}@{}", name(user), name(host))


def number(value: int) -> Sql:
    """A whole number."""
    return Sql(str(int(value)))
