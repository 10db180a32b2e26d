"""A system without an interface that Partwell could use: it is known, and a person does the work.

It finds the account that somebody declared, so that the account is in the plan and holds closing open. It
declares no verb at all, so each becomes a manual task; what was done there is attested by a person, never
read back.
"""

from __future__ import annotations

from string import Formatter

from partwell.connector_kit.contract import (
    Account,
    Connection,
    ConnectorError,
    ErrorKind,
    Identity,
    TestReport,
)

FIELDS = frozenset({"email", "local_part", "username", "employee_number"})


class ManualConnector:
    """See the manifest for settings."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._pattern = str(connection.settings.get("login_pattern", "{email}"))
        self._instructions = str(connection.settings.get("instructions", ""))
        self._needs = _fields(self._pattern)

    async def close(self) -> None:
        """Nothing is open."""

    async def test(self) -> TestReport:
        """There is nothing to reach; the settings were checked when the connector was made."""
        return TestReport(True, "A person does the work in this system; Partwell does not contact it.")

    async def discover(self, identity: Identity) -> list[Account]:
        """The account that the settings say everybody has, or none when the pattern needs an unknown fact.

        Whether it exists is not known: `is_active` is None until a person has looked.
        """
        email = identity.emails[0] if identity.emails else ""
        facts = {
            "email": email,
            "local_part": email.partition("@")[0],
            "username": identity.usernames[0] if identity.usernames else "",
            "employee_number": identity.employee_number,
        }
        if not all(facts[name] for name in self._needs):
            return []
        return [self._account(self._pattern.format(**facts), matched_by="the system's settings")]

    async def read(self, external_id: str) -> Account | None:
        """The declared account; nothing more can be known of it from here."""
        return self._account(external_id) if external_id else None

    def _account(self, login: str, *, matched_by: str = "") -> Account:
        details = {"instructions": self._instructions} if self._instructions else {}
        return Account(external_id=login, login=login, is_active=None, matched_by=matched_by, details=details)


def _fields(pattern: str) -> frozenset[str]:
    """The facts that a pattern needs. Raises INVALID for one that `format` could be misused with."""
    try:
        parts = list(Formatter().parse(pattern))
    except ValueError:
        parts = [("", "?", "", None)]
    names = frozenset(name for _, name, _, _ in parts if name is not None)
    plain = all(not spec and not conversion for _, _, spec, conversion in parts)
    if not names or not names <= FIELDS or not plain:
        raise ConnectorError(
            ErrorKind.INVALID,
            "The login pattern is text with one or more of {email}, {local_part}, {username} and "
            "{employee_number}.",
        )
    return names


CONNECTOR = ManualConnector
