"""How OpenLDAP and Active Directory say the same things: names, filters, and what "suspended" looks like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from ldap3.utils.conv import escape_bytes, escape_filter_chars

from partwell.connector_kit.contract import Identity, Nature
from partwell.connectors.ldap.session import ADD, DELETE, REPLACE, Changes, Entry

# ppolicy's mark for "locked until an administrator unlocks it"; another value is a lock that ends by itself.
LOCKED_FOR_GOOD = "000001010000Z"
ACCOUNT_DISABLED = 0x2
_WINDOWS_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
NESTED_MEMBER = "1.2.840.113556.1.4.1941"  # LDAP_MATCHING_RULE_IN_CHAIN


def equals(attribute: str, value: str) -> str:
    """One filter term, with whatever the value holds made harmless."""
    return f"({attribute}={escape_filter_chars(value)})"


def any_of(terms: list[str]) -> str:
    """Terms of which one has to match."""
    return terms[0] if len(terms) == 1 else f"(|{''.join(terms)})"


@dataclass(frozen=True)
class OpenLdap:
    """OpenLDAP with the ppolicy overlay."""

    name = "openldap"
    id_attribute = "entryUUID"
    people = "(|(objectClass=person)(objectClass=account)(objectClass=posixAccount))"
    attributes = (
        "entryUUID",
        "uid",
        "cn",
        "displayName",
        "mail",
        "employeeNumber",
        "pwdAccountLockedTime",
        "pwdPolicySubentry",
    )
    # Kept only where the directory is told to: ppolicy's `pwdLastSuccess`, lastbind's `authTimestamp`.
    listed_too = ("pwdLastSuccess", "authTimestamp")
    by_email = ("mail",)
    by_login = ("uid",)

    def external_id(self, entry: Entry) -> str:
        return entry.first("entryUUID").lower()

    def id_filter(self, external_id: str) -> str:
        return equals("entryUUID", external_id)

    def emails(self, entry: Entry) -> tuple[str, ...]:
        return entry.all("mail")

    def last_used_at(self, entry: Entry) -> datetime | None:
        """The last sign-in, where the directory keeps it."""
        times = [*entry.all("pwdLastSuccess"), *entry.all("authTimestamp")]
        return max((at for at in map(generalised_time, times) if at), default=None)

    def nature(self, entry: Entry) -> Nature:
        return Nature.PERSON

    def powers(self, entry: Entry) -> tuple[str, ...]:
        """What the account may do by itself."""
        return ()

    def login(self, entry: Entry) -> str:
        return entry.first("uid") or entry.first("cn") or entry.dn

    def is_active(self, entry: Entry) -> bool:
        return entry.first("pwdAccountLockedTime") != LOCKED_FOR_GOOD

    def state(self, entry: Entry) -> dict[str, str]:
        """What `restore` needs."""
        return {"pwdAccountLockedTime": entry.first("pwdAccountLockedTime")}

    def suspending(self, entry: Entry) -> Changes:
        return {"pwdAccountLockedTime": [(REPLACE, [LOCKED_FOR_GOOD])]}

    def restoring(self, entry: Entry, state: Mapping[str, str]) -> Changes:
        before = state.get("pwdAccountLockedTime", "")
        return {"pwdAccountLockedTime": [(REPLACE, [before] if before else [])]}

    def is_person(self, entry: Entry) -> bool:
        return True

    def was_active(self, state: Mapping[str, str]) -> bool:
        return state.get("pwdAccountLockedTime", "") != LOCKED_FOR_GOOD

    def said(self, entry: Entry) -> str:
        """What the entry says about itself, for people."""
        lock = entry.first("pwdAccountLockedTime")
        return f"pwdAccountLockedTime={lock}" if lock else "no pwdAccountLockedTime"

    def is_built_in(self, entry: Entry) -> bool:
        return False

    def group_filter(self, entry: Entry) -> str:
        terms = [equals("member", entry.dn), equals("uniqueMember", entry.dn)]
        if uid := entry.first("uid"):
            terms.append(f"(&(objectClass=posixGroup){equals('memberUid', uid)})")
        return any_of(terms)

    def membership(self, group: Entry, entry: Entry) -> tuple[str, str]:
        """The group's attribute and value that hold the membership."""
        for attribute in ("member", "uniqueMember"):
            # Names are compared by the server's rules; the spelling that the group has is what we remove.
            for value in group.all(attribute):
                if value.lower() == entry.dn.lower():
                    return attribute, value
        return ("memberUid", entry.first("uid")) if group.all("memberUid") else ("member", entry.dn)


@dataclass(frozen=True)
class ActiveDirectory:
    """Active Directory, and Samba in its place."""

    name = "active_directory"
    id_attribute = "objectGUID"
    people = "(&(objectCategory=person)(objectClass=user))"
    attributes = (
        "objectGUID",
        "objectSid",
        "sAMAccountName",
        "userPrincipalName",
        "displayName",
        "mail",
        "employeeNumber",
        "employeeID",
        "userAccountControl",
        "primaryGroupID",
        "adminCount",
    )
    listed_too = ("proxyAddresses", "lastLogonTimestamp", "servicePrincipalName")
    by_email = ("mail", "userPrincipalName")
    by_login = ("sAMAccountName", "userPrincipalName")

    def external_id(self, entry: Entry) -> str:
        raw = entry.raw("objectGUID")
        return str(UUID(bytes_le=raw)) if len(raw) == 16 else ""

    def id_filter(self, external_id: str) -> str:
        return f"(objectGUID={escape_bytes(UUID(external_id).bytes_le)})"

    def emails(self, entry: Entry) -> tuple[str, ...]:
        proxies = [p[5:] for p in entry.all("proxyAddresses") if p.lower().startswith("smtp:")]
        names = (*entry.all("mail"), *entry.all("userPrincipalName"), *proxies)
        return tuple(dict.fromkeys(names))

    def last_used_at(self, entry: Entry) -> datetime | None:
        """The last sign-in as all domain controllers know it, which is up to 14 days behind by default."""
        return file_time(entry.first("lastLogonTimestamp"))

    def nature(self, entry: Entry) -> Nature:
        """Services are signed in to under a service principal name; a person's account has none."""
        return Nature.SERVICE if entry.all("servicePrincipalName") else Nature.PERSON

    def powers(self, entry: Entry) -> tuple[str, ...]:
        """The mark of administrators stays on those who are none any more: somebody should look."""
        return ("is or was an administrator (adminCount)",) if entry.first("adminCount") == "1" else ()

    def login(self, entry: Entry) -> str:
        return entry.first("sAMAccountName") or entry.dn

    def control(self, entry: Entry) -> int:
        return int(entry.first("userAccountControl") or 0)

    def is_active(self, entry: Entry) -> bool:
        return not self.control(entry) & ACCOUNT_DISABLED

    def state(self, entry: Entry) -> dict[str, str]:
        return {"userAccountControl": entry.first("userAccountControl")}

    def suspending(self, entry: Entry) -> Changes:
        return _swap(self.control(entry), self.control(entry) | ACCOUNT_DISABLED)

    def restoring(self, entry: Entry, state: Mapping[str, str]) -> Changes:
        # Only the one bit goes back: others may have been changed on purpose since.
        now = self.control(entry)
        return _swap(now, now & ~ACCOUNT_DISABLED)

    def is_person(self, entry: Entry) -> bool:
        """A group within a group has no account flags, and administers nothing by itself."""
        return bool(entry.first("userAccountControl"))

    def was_active(self, state: Mapping[str, str]) -> bool:
        return not int(state.get("userAccountControl") or 0) & ACCOUNT_DISABLED

    def said(self, entry: Entry) -> str:
        return f"userAccountControl={self.control(entry)}"

    def is_built_in(self, entry: Entry) -> bool:
        """The domain's own Administrator (RID 500), Guest (501) and krbtgt (502)."""
        return relative_id(entry.raw("objectSid")) in (500, 501, 502)

    def group_filter(self, entry: Entry) -> str:
        return f"(&(objectCategory=group){equals('member', entry.dn)})"

    def chain_filter(self, entry: Entry) -> str:
        """The groups that an account or a group is in, directly and through others."""
        return f"(&(objectCategory=group)(member:{NESTED_MEMBER}:={escape_filter_chars(entry.dn)}))"

    def membership(self, group: Entry, entry: Entry) -> tuple[str, str]:
        return "member", entry.dn


Flavour = OpenLdap | ActiveDirectory
FLAVOURS: dict[str, Flavour] = {"openldap": OpenLdap(), "active_directory": ActiveDirectory()}


def relative_id(sid: bytes) -> int:
    """The last part of a security identifier; 0 when there is none."""
    return int.from_bytes(sid[-4:], "little") if len(sid) >= 12 else 0


def find_filter(flavour: Flavour, identity: Identity) -> str:
    """A filter for exact matches of this identity; empty when there is nothing to look for."""
    terms = [equals(name, mail) for mail in identity.emails for name in flavour.by_email]
    if flavour.name == "active_directory":
        terms += [equals("proxyAddresses", f"smtp:{mail}") for mail in identity.emails]
    terms += [equals(name, login) for login in identity.usernames for name in flavour.by_login]
    if identity.employee_number:
        terms.append(equals("employeeNumber", identity.employee_number))
        if flavour.name == "active_directory":
            terms.append(equals("employeeID", identity.employee_number))
    return f"(&{flavour.people}{any_of(terms)})" if terms else ""


def matched_by(flavour: Flavour, entry: Entry, identity: Identity) -> str:
    """Which fact about the person matched, in words."""
    has = {name: {value.lower() for value in entry.all(name)} for name in entry.values}
    if identity.employee_number and any(
        identity.employee_number.lower() in has.get(name, set()) for name in ("employeenumber", "employeeid")
    ):
        return "employee number"
    for login in identity.usernames:
        if any(login.lower() in has.get(name.lower(), set()) for name in flavour.by_login):
            return f"user name {login}"
    for mail in identity.emails:
        if any(mail.lower() in has.get(name.lower(), set()) for name in flavour.by_email):
            return f"e-mail {mail}"
    return "a further e-mail address"


def generalised_time(text: str) -> datetime | None:
    """LDAP's time (`20261127163000.123456Z`), or None for one in another form."""
    try:
        return datetime.strptime(f"{text[:14]}+0000", "%Y%m%d%H%M%S%z") if text.endswith("Z") else None
    except ValueError:
        return None


def file_time(text: str) -> datetime | None:
    """Windows' time: tenths of a microsecond since 1601. None for zero, which means "never"."""
    ticks = int(text) if text.isascii() and text.isdecimal() else 0
    try:
        return _WINDOWS_EPOCH + timedelta(microseconds=ticks // 10) if ticks else None
    except OverflowError:
        return None


def _swap(before: int, after: int) -> Changes:
    # Deleting the value we read and adding the new one fails when somebody changed it in between.
    return {"userAccountControl": [(DELETE, [str(before)]), (ADD, [str(after)])]}
