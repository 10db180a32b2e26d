"""Which groups let their members rule others, by what they are and not by what they are called.

Active Directory's own groups keep their numbers in every language and under every name (MS-DTYP, § 2.4.2.4).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from partwell.connectors.ldap.flavours import relative_id
from partwell.connectors.ldap.session import Entry

_IN_DOMAIN = {
    512: "administers the domain",
    518: "changes the schema of the forest",
    519: "administers the forest",
    520: "changes the policies of the domain",
    526: "adds keys to accounts of the domain",
    527: "adds keys to accounts of the forest",
}
_BUILT_IN = {
    544: "administers the domain controllers",
    548: "changes accounts and groups",
    549: "manages the domain controllers",
    550: "signs in to domain controllers and loads drivers there",
    551: "reads and replaces every file of the domain controllers",
}
_BUILT_IN_DOMAIN = b"\x01\x02\x00\x00\x00\x00\x00\x05\x20\x00\x00\x00"  # S-1-5-32


def powers_of(
    named: Sequence[Entry], nested: Sequence[Entry], admin_groups: Collection[str]
) -> dict[str, str]:
    """What makes groups dangerous, by their DN: what they are themselves, then whom they are in.

    `nested` are all groups above `named`. `admin_groups` are DNs in lower case.
    """
    groups = [*named, *nested]
    own = {group.dn: words for group in groups if (words := _own_power(group, admin_groups))}
    found = dict(own)
    for group in groups:
        if group.dn not in own and (ruling := next((g for g in _above(group, groups) if g.dn in own), None)):
            found[group.dn] = f"is in {ruling.first('cn')}"
    for group in groups:
        if group.first("adminCount") == "1":
            found.setdefault(group.dn, "is or was guarded as administrative (adminCount)")
    return found


def _own_power(group: Entry, admin_groups: Collection[str]) -> str:
    sid = group.raw("objectSid")
    table = _BUILT_IN if sid.startswith(_BUILT_IN_DOMAIN) else _IN_DOMAIN
    if words := table.get(relative_id(sid)):
        return words
    return "is administrative by this connection's settings" if group.dn.lower() in admin_groups else ""


def _above(group: Entry, groups: Sequence[Entry]) -> list[Entry]:
    """Those of the groups that this one is in, the nearest first. They may name each other in a ring."""
    found: list[Entry] = []
    new = [group]
    while new:
        names = {each.dn.lower() for each in new}
        new = [
            each
            for each in groups
            if each.dn != group.dn
            and each not in found
            and any(dn.lower() in names for dn in (*each.all("member"), *each.all("uniqueMember")))
        ]
        found += new
    return found
