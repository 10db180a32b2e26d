"""Whether Partwell's own role may do what its verbs need, as far as the server can be asked beforehand."""

from __future__ import annotations

from partwell.connectors.postgresql.roles import View, names_of

OLDEST = 14
_HELPERS = {
    "pg_signal_backend": "end sessions",
    "pg_read_all_stats": "see from where sessions come",
}


async def problems(view: View) -> list[str]:
    """What is missing, each with the way to mend it; empty when all is well."""
    session = view.session
    if session.version < OLDEST:
        return [f"This is PostgreSQL {session.version}; Partwell needs {OLDEST} or newer."]
    own = await session.row(
        "SELECT r.rolname, r.rolsuper, r.rolcreaterole FROM pg_roles r WHERE r.rolname = current_user"
    )
    if own is None or own["rolsuper"]:
        return []
    found = []
    if not own["rolcreaterole"]:
        found.append(f"{own['rolname']} cannot change roles: ALTER ROLE {own['rolname']} CREATEROLE.")
    for name, purpose in _HELPERS.items():
        has = await session.row("SELECT pg_has_role(%s, 'USAGE') AS has", [name])
        if not (has and has["has"]):
            found.append(f"{own['rolname']} cannot {purpose}: GRANT {name} TO {own['rolname']}.")
    if session.version >= 16:
        found += await _out_of_reach(view, own["rolname"])
    return found


async def _out_of_reach(view: View, own: str) -> list[str]:
    """Since PostgreSQL 16, CREATEROLE reaches only the roles that it was given the admin option on, and only
    those memberships whose grantor's rights it has."""
    found = []
    roles = await view.session.rows(
        """SELECT r.rolname FROM pg_roles r
           WHERE r.rolcanlogin AND NOT r.rolsuper AND NOT r.rolreplication AND r.rolname <> current_user
             AND NOT pg_has_role(r.oid, 'MEMBER WITH ADMIN OPTION') ORDER BY r.rolname"""
    )
    names = [row["rolname"] for row in roles if row["rolname"].lower() not in view.rules.protected]
    if names:
        found.append(
            f"{own} may not change {len(names)} roles ({names_of(names)}): GRANT each TO {own} "
            "WITH ADMIN TRUE, INHERIT FALSE, SET FALSE."
        )
    grants = await view.session.rows(
        """SELECT DISTINCT m.rolname AS member, g.rolname AS grantor FROM pg_auth_members a
           JOIN pg_roles m ON m.oid = a.member JOIN pg_roles g ON g.oid = a.grantor
           WHERE m.rolcanlogin AND NOT m.rolsuper AND m.rolname <> current_user
             AND NOT pg_has_role(g.oid, 'USAGE') ORDER BY m.rolname"""
    )
    rows = [row for row in grants if row["member"].lower() not in view.rules.protected]
    if rows:
        grantors = names_of(sorted({row["grantor"] for row in rows}))
        found.append(
            f"Memberships of {len({row['member'] for row in rows})} roles were granted by {grantors}, and "
            f"{own} may not take them away. Grant memberships through one role for that purpose, and make "
            "Partwell a member of it (see the how-to)."
        )
    return found
