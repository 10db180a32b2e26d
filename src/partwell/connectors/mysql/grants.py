"""Reading SHOW GRANTS, so that what is taken away can be given back. Pure functions.

Only its two ends are understood: what is granted, and on what. Both are kept as the server wrote them, and
are looked at again before they are sent: a snapshot is data, and no statement may hide in it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from partwell.connector_kit.contract import ConnectorError, ErrorKind
from partwell.connectors.mysql.statements import Sql, sql

_TOKEN = re.compile(
    r"""\s+ | `(?:[^`]|``)*` | '(?:[^'\\]|\\.|'')*' | "(?:[^"\\]|\\.|"")*" | [A-Za-z0-9_$.\-]+ | [(),*@.%]""",
    re.VERBOSE | re.DOTALL,
)
_NAME = r"`(?:[^`\0]|``)*`"
_QUOTED = rf"(?:{_NAME}|'(?:[^'\\\0]|\\.|'')*')"
_WORDS = r"[A-Z][A-Z_ ]*"
_COLUMNS = rf"(?: ?\({_NAME}(?:, ?{_NAME})*\))?"
# What may stand in each place.
_RIGHTS = re.compile(rf"{_WORDS}{_COLUMNS}(?:, ?{_WORDS}{_COLUMNS})*")
_OBJECT = re.compile(
    rf"(?:(?:TABLE|PROCEDURE|FUNCTION|PACKAGE|PACKAGE BODY) )?(?:\*|{_NAME})\.(?:\*|{_NAME})"
)
_NOTHING, _PROXY = re.compile(""), re.compile("PROXY")
_ACCOUNT = re.compile(rf"{_QUOTED}(?:@{_QUOTED})?")


class Kind(StrEnum):
    """What sort of thing a line of SHOW GRANTS tells."""

    RIGHTS = "rights"
    ROLE = "role"
    PROXY = "proxy"  # may act as another account
    RESTRICTION = "restriction"  # MySQL's partial revoke: rights that a wider grant does not give


@dataclass(frozen=True)
class Grant:
    """One thing that an account holds. `what` and `on` are as the server wrote them."""

    kind: Kind
    what: str
    on: str = ""
    can_pass_on: bool = False

    @property
    def said(self) -> str:
        """For people."""
        words = {
            Kind.RIGHTS: f"{self.what} ON {self.on}",
            Kind.ROLE: self.what,
            Kind.PROXY: f"PROXY ON {self.on}",
            Kind.RESTRICTION: f"without {self.what} ON {self.on}",
        }[self.kind]
        return f"{words}, with the right to pass it on" if self.can_pass_on else words

    def as_snapshot(self) -> dict[str, Any]:
        """What `from_snapshot` takes."""
        return {**asdict(self), "kind": self.kind.value}

    @classmethod
    def from_snapshot(cls, kept: Mapping[str, Any]) -> Grant:
        """The grant again. Raises INVALID when it could not have come from SHOW GRANTS."""
        grant = cls(
            Kind(kept["kind"]), str(kept["what"]), str(kept.get("on", "")), bool(kept.get("can_pass_on"))
        )
        _check(grant)
        return grant


def read_grants(lines: list[str]) -> list[Grant]:
    """What the lines of SHOW GRANTS tell, but for what every account has. Raises INVALID for a line that is
    not understood: giving back what was not understood is not possible."""
    found: list[Grant] = []
    for line in lines:
        found += _read(line)
    return found


def granting(grant: Grant, account: Sql) -> Sql:
    """The statement that gives it."""
    _check(grant)
    what, on = Sql(grant.what), Sql(grant.on)
    option = Sql(" WITH GRANT OPTION" if grant.can_pass_on else "")
    if grant.kind is Kind.ROLE:
        return sql("GRANT {} TO {}{}", what, account, Sql(" WITH ADMIN OPTION" if grant.can_pass_on else ""))
    if grant.kind is Kind.PROXY:
        return sql("GRANT PROXY ON {} TO {}{}", on, account, option)
    if grant.kind is Kind.RESTRICTION:
        return sql("REVOKE {} ON {} FROM {}", what, on, account)
    return sql("GRANT {} ON {} TO {}{}", what, on, account, option)


def revoking(grant: Grant, account: Sql) -> Sql | None:
    """The statement that takes it away, or None for what goes with REVOKE ALL PRIVILEGES."""
    _check(grant)
    if grant.kind is Kind.ROLE:
        return sql("REVOKE {} FROM {}", Sql(grant.what), account)
    if grant.kind is Kind.PROXY:
        return sql("REVOKE PROXY ON {} FROM {}", Sql(grant.on), account)
    return None


def _read(line: str) -> list[Grant]:
    if line.startswith("SET DEFAULT ROLE "):
        return []  # which of the roles is active at sign-in; it gives nothing by itself
    parts = _clauses(line)
    verb, to = ("REVOKE", "FROM") if "REVOKE" in parts else ("GRANT", "TO")
    if verb not in parts or to not in parts:
        raise _not_understood()
    what, on = parts[verb], parts.get("ON", "")
    options = parts.get("WITH", "")
    if not on:
        grants = [Grant(Kind.ROLE, role, "", "ADMIN OPTION" in options) for role in _split(what)]
    elif what == "PROXY":
        grants = [Grant(Kind.PROXY, what, on, "GRANT OPTION" in options)]
    else:
        kind = Kind.RIGHTS if verb == "GRANT" else Kind.RESTRICTION
        grant = Grant(kind, what, on, "GRANT OPTION" in options)
        grants = [] if what == "USAGE" and not grant.can_pass_on else [grant]
    for grant in grants:
        _check(grant)
    return grants


def _clauses(line: str) -> dict[str, str]:
    """The text behind each keyword that stands outside of brackets and quotes."""
    clauses: dict[str, str] = {}
    keyword, depth, at = "", 0, 0
    while at < len(line):
        token = _TOKEN.match(line, at)
        if token is None:
            raise _not_understood()
        text, at = token.group(), token.end()
        depth += {"(": 1, ")": -1}.get(text, 0)
        is_keyword = text in ("GRANT", "REVOKE", "ON", "TO", "FROM", "IDENTIFIED", "REQUIRE", "WITH")
        if is_keyword and not depth and text not in clauses and not (text == "GRANT" and keyword):
            keyword = text
            clauses[keyword] = ""
        elif keyword:
            clauses[keyword] += text
    return {name: text.strip() for name, text in clauses.items()}


def _split(roles: str) -> list[str]:
    """Roles that stand in one line, each by itself."""
    return [match.group() for match in _ACCOUNT.finditer(roles)]


def _check(grant: Grant) -> None:
    what, on = {
        Kind.RIGHTS: (_RIGHTS, _OBJECT),
        Kind.RESTRICTION: (_RIGHTS, _OBJECT),
        Kind.ROLE: (_ACCOUNT, _NOTHING),
        Kind.PROXY: (_PROXY, _ACCOUNT),
    }[grant.kind]
    if not (what.fullmatch(grant.what) and on.fullmatch(grant.on)):
        raise _not_understood()


def _not_understood() -> ConnectorError:
    # The line may hold a verifier of a password, so it is not repeated.
    return ConnectorError(
        ErrorKind.INVALID,
        "A line of SHOW GRANTS was not understood; nothing is taken away that could not be "
        "given back. Tell us which server this is.",
    )
