"""Whose logins are whose, and which are never touched. Pure functions over what a host shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from partwell.connector_kit.contract import Identity
from partwell.connector_kit.logins import LoginRules
from partwell.connectors.ssh.reading import Entry, Roster

EMPLOYEE_NUMBER = "employee_number"
DEFAULT_ADMIN_GROUPS = ("sudo", "wheel")


@dataclass(frozen=True)
class Rules:
    """The settings of a connection that say whose login is whose, and which are left alone."""

    logins: LoginRules
    own: str
    protected: frozenset[str]
    admin_groups: tuple[str, ...]
    service_accounts: frozenset[str]

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Rules:
        """As the manifest describes them."""
        return cls(
            LoginRules.from_settings(settings),
            str(settings["user"]),
            frozenset(str(each).lower() for each in settings.get("protected", ())),
            tuple(settings.get("admin_groups", DEFAULT_ADMIN_GROUPS)),
            frozenset(str(each).lower() for each in settings.get("service_accounts", ())),
        )

    def candidates(self, identity: Identity) -> list[str]:
        """Logins to ask for by name: a directory may know them without listing them."""
        return [*self.logins.logins(identity), *(name for name in identity.usernames if name)]

    def matched_by(self, entry: Entry, identity: Identity) -> str:
        """Why this login is this person's, in words; empty when it is not."""
        if reason := self.logins.matched_by(entry.name, entry.comment, identity):
            return reason
        number = identity.employee_number.lower()
        if EMPLOYEE_NUMBER in self.logins.match_on and number and number in _fields(entry):
            return f"employee number {identity.employee_number} in its comment"
        return ""

    def is_service(self, entry: Entry, roster: Roster) -> bool:
        """Whether no person signs in with it: the host's own, or one that the settings name."""
        return entry.name.lower() in self.service_accounts or is_of_system(entry, roster)

    def why_protected(self, entry: Entry, roster: Roster) -> str:
        """Why a login is never touched on this host, in words; empty when it may be."""
        if entry.name == self.own:
            return "Partwell signs in to this host with it"
        if is_of_system(entry, roster):
            return "it is one of the system's own accounts"
        if entry.name.lower() in self.protected:
            return "it is on this connection's list of protected accounts"
        if twins := [
            each.name for each in roster.entries.values() if each.uid == entry.uid and each != entry
        ]:
            return f"it has the same number as {', '.join(sorted(twins))}, so that neither can be cut alone"
        for group in self.admin_groups:
            members = roster.members(group)
            others = members - {entry.name, self.own}
            if entry.name in members and not any(roster.is_open(each) for each in others):
                return f"it is the last active account in the group {group}"
        return ""


def is_of_system(entry: Entry, roster: Roster) -> bool:
    """Whether its number is none that the host gives to people. Directories number people as they like."""
    if entry.name in roster.expires:
        return entry.uid not in roster.people
    return entry.uid < roster.people.start


def _fields(entry: Entry) -> set[str]:
    return {field.strip().lower() for field in entry.comment.split(",")} - {""}
