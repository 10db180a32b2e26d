"""Whose login it is, in targets that know a login and little else about people. Pure functions.

Nothing is guessed: a login is a person's when it equals their user name or address, when a note at the
account holds their address, or when it is the local part of an address in a domain that the operator named.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from partwell.connector_kit.values import Identity

USERNAME, EMAIL, COMMENT = "username", "email", "comment"
_ADDRESS = re.compile(r"[^\s<>,;:\"'()\[\]|=]+@[^\s<>,;:\"'()\[\]|=]+")


@dataclass(frozen=True)
class LoginRules:
    """By what logins are matched. Everything is compared without regard to case."""

    match_on: frozenset[str] = frozenset({USERNAME, EMAIL, COMMENT})
    local_parts_of: tuple[str, ...] = ()

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> LoginRules:
        """The rules in a connection's settings `match_on` and `local_parts_of`."""
        return cls(
            frozenset(settings.get("match_on", cls.match_on)),
            tuple(domain.lower() for domain in settings.get("local_parts_of", ())),
        )

    def logins(self, identity: Identity) -> dict[str, str]:
        """The logins that would be this person's, in lower case, each with the reason in words."""
        found: dict[str, str] = {}
        if USERNAME in self.match_on:
            found |= {name.lower(): f"user name {name}" for name in identity.usernames if name}
        for email in filter(None, identity.emails):
            local, _, domain = email.lower().rpartition("@")
            if EMAIL in self.match_on:
                found.setdefault(email.lower(), f"e-mail {email}")
            if local and domain in self.local_parts_of:
                found.setdefault(local, f"e-mail {email}, by its local part")
        return found

    def addresses(self, identity: Identity) -> list[str]:
        """The addresses that a note may hold, in lower case; none where notes are not looked at."""
        return [email.lower() for email in identity.emails if email] if COMMENT in self.match_on else []

    def matched_by(self, login: str, note: str, identity: Identity) -> str:
        """Why this login is this person's, in words; empty when it is not."""
        if reason := self.logins(identity).get(login.lower()):
            return reason
        noted = addresses_in(note)
        matching = (mail for mail in self.addresses(identity) if mail in noted)
        return next((f"e-mail {mail} in its comment" for mail in matching), "")

    def emails(self, login: str, note: str) -> tuple[str, ...]:
        """The addresses that an account is known by, for matching everybody at once."""
        found = [login.lower()] if EMAIL in self.match_on and _ADDRESS.fullmatch(login) else []
        found += [f"{login.lower()}@{domain}" for domain in self.local_parts_of if "@" not in login]
        found += addresses_in(note) if COMMENT in self.match_on else []
        return tuple(dict.fromkeys(found))


def addresses_in(text: str) -> list[str]:
    """The e-mail addresses in free text, in lower case."""
    return [found.rstrip(".").lower() for found in _ADDRESS.findall(text)]
