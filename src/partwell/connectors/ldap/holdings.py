"""What an account holds beside groups: connections, keys, devices, and things and people in its charge."""

from __future__ import annotations

from partwell.connector_kit.contract import Holding, HoldingKind
from partwell.connector_kit.public_keys import certificate, ssh_key
from partwell.connectors.ldap import windows
from partwell.connectors.ldap.flavours import equals, generalised_time
from partwell.connectors.ldap.session import Entry
from partwell.connectors.ldap.view import View

_CERTIFICATES = (
    "userCertificate",
    "userCertificate;binary",
    "userSMIMECertificate",
    "userSMIMECertificate;binary",
)
_SSH_KEYS = ("sshPublicKey", "ipaSshPubKey")
# By which attribute another entry names somebody, and what they are to it.
_IN_CHARGE = {
    "owner": "owner of",
    "managedBy": "in charge of",
    "manager": "manager of",
    "seeAlso": "named (seeAlso) by",
}
_KINDS = {
    "computer": "the computer",
    "device": "the device",
    "group": "the group",
    "groupofnames": "the group",
    "groupofuniquenames": "the group",
    "posixgroup": "the group",
    "organizationalunit": "the unit",
}
_DEVICES = frozenset({"computer", "device"})
_SHOWN = ("objectClass", "cn", "ou", "displayName", "uid", "sAMAccountName", "entryUUID", "objectGUID")


def holdings_of(view: View, entry: Entry) -> list[Holding]:
    """All that the directory shows. Raises as the view does: a list that broke off is never all."""
    is_windows = view.flavour.name == "active_directory"
    own = (*_CERTIFICATES, *_SSH_KEYS, *(windows.ATTRIBUTES if is_windows else ()))
    read = view.session.read(entry.dn, own)
    if read is None:
        return []  # deleted since it was found
    found = [_connection(each) for each in view.connections(entry) or ()]
    found += [certificate(content) for name in _CERTIFICATES for content in read.values.get(name.lower(), ())]
    found += [ssh_key(line) for name in _SSH_KEYS for line in read.all(name)]
    if is_windows:
        found += windows.holdings_of(read)
    return found + _in_charge(view, entry)


def _in_charge(view: View, entry: Entry) -> list[Holding]:
    """Entries that name this one. The directory compares the names: each has more than one spelling."""
    found = []
    for attribute, words in _IN_CHARGE.items():
        named_by = {
            each.dn: each
            for base in view.rules.bases
            for each in view.search_below(base, equals(attribute, entry.dn), _SHOWN)
        }
        found += [
            _named(view, each, attribute, words)
            for each in named_by.values()
            if each.dn.lower() != entry.dn.lower()
        ]
    return found


def _named(view: View, other: Entry, attribute: str, words: str) -> Holding:
    classes = {name.lower() for name in other.all("objectClass")}
    what = next((said for name, said in _KINDS.items() if name in classes), "")
    called = next(filter(None, map(other.first, ("displayName", "cn", "ou", "uid"))), other.dn)
    is_device = bool(classes & _DEVICES) and attribute != "seeAlso"
    return Holding(
        HoldingKind.DEVICE if is_device else HoldingKind.OWNED,
        f"{attribute}:{view.flavour.external_id(other) or other.dn}",
        " ".join(filter(None, (words, what, called))),
        details={"dn": other.dn, "attribute": attribute},
    )


def _connection(each: Entry) -> Holding:
    """One open connection, as cn=Monitor shows it."""
    number = each.first("monitorConnectionNumber")
    since = generalised_time(each.first("monitorConnectionStartTime"))
    peer = each.first("monitorConnectionPeerAddress").removeprefix("IP=")
    return Holding(
        HoldingKind.SESSION,
        f"connection:{number}",
        f"connection {number}" + (f" from {peer}" if peer else ""),
        last_used_at=generalised_time(each.first("monitorConnectionActivityTime")),
        details={"since": since.isoformat()} if since else {},
    )
