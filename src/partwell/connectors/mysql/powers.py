"""Which rights rule a MySQL server, and which roles come to them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from partwell.connectors.mysql.grants import Grant, Kind

Read = Callable[[str], Sequence[Grant]]

# Global rights of which each gives others access, takes it, or opens every table.
_RULING = frozenset(
    {
        "ALL PRIVILEGES",
        "SUPER",
        "CREATE USER",
        "SET USER",
        "SET_USER_ID",
        "SET_ANY_DEFINER",
        "ROLE_ADMIN",
        "SYSTEM_USER",
        "SYSTEM_VARIABLES_ADMIN",
        "FILE",
        "SELECT",
        "INSERT",
        "UPDATE",
    }
)
# Who writes the tables in which accounts are kept gives out any right.
_OF_ACCOUNTS = re.compile(r"`mysql`\.(?:\*|`(?:user|global_priv|db|roles_mapping|role_edges)`)")
_WRITES = frozenset({"ALL PRIVILEGES", "INSERT", "UPDATE"})


def own_power(grant: Grant) -> str:
    """What a right lets do that rules others or reads all; empty for another, and for roles."""
    rights = [each.partition("(")[0].strip() for each in re.split(r",\s*(?![^(]*\))", grant.what)]
    if grant.kind is Kind.PROXY:
        return "may act as another account"
    if grant.kind is not Kind.RIGHTS:
        return ""
    if _OF_ACCOUNTS.fullmatch(grant.on) and _WRITES & set(rights):
        return "writes the tables of accounts"
    if grant.on != "*.*":
        return ""
    ruling = [each for each in rights if each in _RULING]
    if ruling:
        return f"has {', '.join(ruling)} on everything"
    return "passes on rights on everything" if grant.can_pass_on else ""


def power_of(grant: Grant, read: Read) -> str:
    """The same, of a role by what it comes to: `read` gives what a role holds, as SHOW GRANTS names it."""
    if grant.kind is not Kind.ROLE:
        return own_power(grant)
    seen, new = {grant.what}, [grant.what]
    while new:
        role = new.pop(0)
        for held in read(role):
            if held.kind is Kind.ROLE:
                if held.what not in seen:
                    seen.add(held.what)
                    new.append(held.what)
            elif words := own_power(held):
                return words if role == grant.what else f"leads to {role}, which {words}"
    return ""
