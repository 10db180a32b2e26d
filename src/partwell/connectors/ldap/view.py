"""What one signed-in session sees of accounts and groups, and which accounts are never touched."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from partwell.connector_kit.contract import Account, ConnectorError, Entitlement, ErrorKind
from partwell.connectors.ldap.flavours import (
    FLAVOURS,
    ActiveDirectory,
    Flavour,
    any_of,
    equals,
    relative_id,
)
from partwell.connectors.ldap.powers import powers_of
from partwell.connectors.ldap.session import Entry, Session

GROUP_ATTRIBUTES = (
    "cn",
    "objectGUID",
    "entryUUID",
    "objectSid",
    "adminCount",
    "member",
    "uniqueMember",
    "memberUid",
)
MONITOR = "cn=Connections,cn=Monitor"
_OF_CONNECTIONS = (
    "monitorConnectionNumber",
    "monitorConnectionAuthzDN",
    "monitorConnectionPeerAddress",
    "monitorConnectionStartTime",
    "monitorConnectionActivityTime",
)
# Relative identifiers.
_DOMAIN_ADMINS = 512
_EVERYBODYS_GROUPS = (513, 514)  # Domain Users, Domain Guests
_MOST_TERMS = 100  # in one filter
_AD_CAPABILITY = "1.2.840.113556.1.4.800"


@dataclass(frozen=True)
class Rules:
    """Where to look, and whom to leave alone. Names are in lower case."""

    base: str
    groups_base: str
    own_name: str
    protected: frozenset[str]
    admin_groups: frozenset[str]

    @property
    def bases(self) -> tuple[str, ...]:
        """Where everything is that the connection may look at; one within the other is not asked twice."""
        people, groups = self.base, self.groups_base
        if _is_below(groups, people):
            return (people,)
        return (groups,) if _is_below(people, groups) else (people, groups)


@dataclass(frozen=True)
class Groups:
    """The groups of an account: those that name it, the one that it names itself, those above them."""

    direct: list[Entry]
    primary: Entry | None
    nested: list[Entry]

    @property
    def named(self) -> list[Entry]:
        """All but those that come through others."""
        return self.direct + ([self.primary] if self.primary else [])

    @property
    def by_kind(self) -> list[tuple[str, Entry]]:
        """All, each with its kind of entitlement."""
        primary = [("primary_group", self.primary)] if self.primary else []
        return (
            [("group", each) for each in self.direct]
            + primary
            + [("nested_group", each) for each in self.nested]
        )


def _without(groups: list[Entry], others: list[Entry]) -> list[Entry]:
    """These groups, each once, without the others."""
    left = {group.dn: group for group in groups}
    return [group for dn, group in left.items() if dn not in {other.dn for other in others}]


def _is_below(dn: str, base: str) -> bool:
    return f",{dn.lower()}".endswith(f",{base.lower()}")


def detect(session: Session) -> Flavour:
    """Which directory it is, by what it says of itself (its root entry)."""
    root = session.read("", ("supportedCapabilities",))
    is_ad = root is not None and _AD_CAPABILITY in root.all("supportedCapabilities")
    return FLAVOURS["active_directory" if is_ad else "openldap"]


@dataclass(frozen=True)
class View:
    """A session, the dialect it speaks, and the rules of the connection."""

    session: Session
    flavour: Flavour
    rules: Rules

    def find(self, external_id: str) -> Entry | None:
        """The account with this identifier, or None when the directory has none and we can see others.

        In Active Directory it is found wherever it was moved to; in OpenLDAP below the base only.
        """
        identifier = checked_id(external_id)
        found = self.people(self.flavour.id_filter(identifier))
        if not found and self.flavour.name == "active_directory":
            moved = self.session.read(f"<GUID={identifier}>", self.flavour.attributes)
            return moved if moved and self.flavour.is_person(moved) else None
        return found[0] if found else None

    def people(self, filter_text: str) -> list[Entry]:
        """Entries that match. Raises DENIED when none does and we see nobody at all: a directory that hides
        its people from us answers just like one that has none, and "gone" would be a false proof."""
        try:
            found = self.session.search(self.rules.base, filter_text, self.flavour.attributes)
            if found or self.session.search(self.rules.base, self.flavour.people, ("objectClass",), limit=1):
                return found
        except ConnectorError as error:
            if error.kind is not ErrorKind.NOT_FOUND:
                raise
        raise self._nobody_visible()

    def everybody(self) -> Iterator[list[Entry]]:
        """All people below the base, page by page. Raises DENIED when there are none: see `people`."""
        is_anybody_there = False
        wanted = (*self.flavour.attributes, *self.flavour.listed_too)
        try:
            for page in self.session.pages(self.rules.base, self.flavour.people, wanted):
                is_anybody_there = is_anybody_there or bool(page)
                yield page
        except ConnectorError as error:
            if error.kind is not ErrorKind.NOT_FOUND:
                raise
        if not is_anybody_there:
            raise self._nobody_visible()

    def _nobody_visible(self) -> ConnectorError:
        return ConnectorError(
            ErrorKind.DENIED,
            f"Nobody is visible below {self.rules.base}: the base is wrong, or our account may not read it. "
            "Nothing is concluded from that.",
        )

    def must_find(self, external_id: str) -> Entry:
        """The account with this identifier. Raises NOT_FOUND."""
        entry = self.find(external_id)
        if entry is None:
            raise ConnectorError(ErrorKind.NOT_FOUND, "There is no such account any more.")
        return entry

    def find_group(self, group_id: str) -> Entry | None:
        """The group with this identifier, wherever it is now, or None."""
        found = self.session.search(
            self.rules.groups_base, self.flavour.id_filter(checked_id(group_id)), ("cn",)
        )
        return found[0] if found else None

    def groups(self, entry: Entry) -> list[Entry]:
        """The groups that name this account directly."""
        return self._search_groups(self.flavour.group_filter(entry))

    def _search_groups(self, filter_text: str) -> list[Entry]:
        return self.search_below(self.rules.groups_base, filter_text, GROUP_ATTRIBUTES)

    def search_below(self, base: str, filter_text: str, attributes: Sequence[str]) -> list[Entry]:
        """All that match below a base. Raises DENIED for one that is hidden: it is not an empty one."""
        try:
            return self.session.search(base, filter_text, attributes)
        except ConnectorError as error:
            if error.kind is not ErrorKind.NOT_FOUND:
                raise
            raise ConnectorError(
                ErrorKind.DENIED,
                f"{base} is not there, or our account may not read it: what is below it is unknown.",
            ) from None

    def primary_group(self, entry: Entry) -> Entry | None:
        """The group that the account is in without being named as a member (Active Directory), wherever it
        is; None for Domain Users and Domain Guests, which everybody is in and nobody is without."""
        sid = entry.raw("objectSid")
        number = int(entry.first("primaryGroupID") or 0)
        if self.flavour.name != "active_directory" or not sid or number in (0, *_EVERYBODYS_GROUPS):
            return None
        written = (sid[:-4] + number.to_bytes(4, "little")).hex()
        group = self.session.read(f"<SID={written}>", GROUP_ATTRIBUTES)
        if group is None:
            raise ConnectorError(
                ErrorKind.DENIED,
                f"Our account may not read the primary group ({number}) of {entry.dn}: groups are unknown.",
            )
        return group

    def all_groups(self, entry: Entry) -> Groups:
        """Every group that the account is in, and by which way."""
        direct, primary = self.groups(entry), self.primary_group(entry)
        named = direct + ([primary] if primary else [])
        # The chain that Active Directory follows begins at members, and a primary group names none.
        starts = [entry, *([primary] if primary else [])]
        above = (
            [group for start in starts for group in self._search_groups(self.flavour.chain_filter(start))]
            if isinstance(self.flavour, ActiveDirectory)
            else self._climb(named)
        )
        return Groups(direct, primary, _without(above, named))

    def _climb(self, groups: list[Entry]) -> list[Entry]:
        """The groups above these, level by level: a directory that does not follow chains is asked for each.
        Groups may name each other in a ring."""
        seen, new = list(groups), groups
        while new:
            terms = [equals(name, group.dn) for group in new for name in ("member", "uniqueMember")]
            above = [
                group
                for start in range(0, len(terms), _MOST_TERMS)
                for group in self._search_groups(any_of(terms[start : start + _MOST_TERMS]))
            ]
            new = _without(above, seen)
            seen += new
        return seen

    def account(self, entry: Entry, found_by: str = "") -> Account:
        """The entry as an account, with direct and nested groups and its open connections where they show."""
        external_id = self._id_of(entry)
        groups = self.all_groups(entry)
        powers = powers_of(groups.named, groups.nested, self.rules.admin_groups)
        connections = self.connections(entry)
        return Account(
            external_id=external_id,
            login=self.flavour.login(entry),
            display_name=entry.first("displayName") or entry.first("cn"),
            is_active=self.flavour.is_active(entry),
            matched_by=found_by,
            entitlements=tuple(
                Entitlement(
                    kind, self.flavour.external_id(group), group.first("cn"), powers.get(group.dn, "")
                )
                for kind, group in groups.by_kind
            ),
            open_sessions=None if connections is None else len(connections),
            is_protected=self._why_protected(entry, groups.named) != "",
            details={"dn": entry.dn, "state": self.flavour.said(entry)},
            powers=self.flavour.powers(entry),
        )

    def summary(self, entry: Entry) -> Account:
        """The entry as one of all accounts: whom it is of, not what it holds. Groups are not asked for, so a
        last administrator is not marked as protected here; `account` marks them."""
        return Account(
            external_id=self._id_of(entry),
            login=self.flavour.login(entry),
            display_name=entry.first("displayName") or entry.first("cn"),
            is_active=self.flavour.is_active(entry),
            is_protected=self._why_protected(entry, []) != "",
            emails=self.flavour.emails(entry),
            employee_number=entry.first("employeeNumber") or entry.first("employeeID"),
            last_used_at=self.flavour.last_used_at(entry),
            nature=self.flavour.nature(entry),
            details={"dn": entry.dn, "state": self.flavour.said(entry)},
        )

    def _id_of(self, entry: Entry) -> str:
        external_id = self.flavour.external_id(entry)
        if not external_id:
            raise ConnectorError(
                ErrorKind.DENIED, f"Our account may not read {self.flavour.id_attribute} of {entry.dn}."
            )
        return external_id

    def connections(self, entry: Entry) -> list[Entry] | None:
        """The account's open connections (OpenLDAP); None where they do not show, which is not the same as
        none."""
        if self.flavour.name != "openldap":
            return None
        try:
            if self.session.read(MONITOR, ("cn",)) is None:
                return None
            found = self.session.search(MONITOR, "(objectClass=monitorConnection)", _OF_CONNECTIONS)
        except ConnectorError:
            return None  # no right to read it
        return [each for each in found if each.first("monitorConnectionAuthzDN").lower() == entry.dn.lower()]

    def refuse_protected(self, entry: Entry) -> None:
        """Raise CONFLICT for an account that is never touched."""
        primary = self.primary_group(entry)
        named = self.groups(entry) + ([primary] if primary else [])
        if reason := self._why_protected(entry, named):
            raise ConnectorError(
                ErrorKind.CONFLICT,
                f"{self.flavour.login(entry)} is protected: {reason}. Nothing was changed.",
            )

    def _why_protected(self, entry: Entry, groups: list[Entry]) -> str:
        names = {
            entry.dn.lower(),
            self.flavour.login(entry).lower(),
            entry.first("userPrincipalName").lower(),
        }
        own = self.rules.own_name
        if own in names or own.rpartition("\\")[2] in names:
            return "Partwell signs in to this directory with it"
        if names & self.rules.protected:
            return "it is on this connection's list of protected accounts"
        if self.flavour.is_built_in(entry):
            return "it is one of the domain's own accounts"
        for group in groups:
            is_admin = (
                group.dn.lower() in self.rules.admin_groups
                or relative_id(group.raw("objectSid")) == _DOMAIN_ADMINS
            )
            if is_admin and not self._has_other_active_member(group, entry):
                return f"it is the last active administrator in {group.first('cn')}"
        return ""

    def _has_other_active_member(self, group: Entry, entry: Entry) -> bool:
        for dn in (*group.all("member"), *group.all("uniqueMember")):
            if dn.lower() == entry.dn.lower():
                continue
            other = self.session.read(dn, self.flavour.attributes)
            if other is not None and self.flavour.is_person(other) and self.flavour.is_active(other):
                return True
        return False


def checked_id(external_id: str) -> str:
    """The identifier in its one spelling. Raises INVALID for text that no directory gives."""
    try:
        return str(UUID(external_id))
    except ValueError:
        raise ConnectorError(ErrorKind.INVALID, "This is not an identifier that a directory gives.") from None
