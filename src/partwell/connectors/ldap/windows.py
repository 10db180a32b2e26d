"""What an Active Directory account holds in attributes of its own: keys, delegation, services, a smart card.

The flags are those of `userAccountControl` (MS-ADTS, § 2.2.16), key credentials those of MS-ADTS, § 2.2.20.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

from partwell.connector_kit.contract import Holding, HoldingKind
from partwell.connectors.ldap.flavours import file_time
from partwell.connectors.ldap.session import Entry

ATTRIBUTES = (
    "userAccountControl",
    "servicePrincipalName",
    "msDS-AllowedToDelegateTo",
    "altSecurityIdentities",
    "msDS-KeyCredentialLink",
)
SMART_CARD_REQUIRED = 0x40000
TRUSTED_FOR_DELEGATION = 0x80000
TRUSTED_TO_IMPERSONATE = 0x1000000
# Parts of a key credential, and what a key is used for.
_KEY_ID, _USAGE, _DEVICE, _LAST_USED, _CREATED = 1, 4, 6, 8, 9
_USAGES = {1: "Windows Hello for Business key", 2: "file encryption key", 7: "FIDO2 security key"}


def holdings_of(entry: Entry) -> list[Holding]:
    """All that these attributes show of an account."""
    control = int(entry.first("userAccountControl") or 0)
    found = [_key_credential(value) for value in entry.all("msDS-KeyCredentialLink")]
    found += [
        Holding(HoldingKind.KEY, f"mapping:{value}", f"signs in as {value[:120]}")
        for value in entry.all("altSecurityIdentities")
    ]
    if control & SMART_CARD_REQUIRED:
        found.append(Holding(HoldingKind.DEVICE, "smart-card", "smart card, which signing in needs"))
    if control & TRUSTED_FOR_DELEGATION:
        found.append(
            Holding(HoldingKind.TOKEN, "delegation", "may act everywhere as those who sign in to it")
        )
    whom = "anybody" if control & TRUSTED_TO_IMPERSONATE else "those who sign in to it"
    found += [
        Holding(HoldingKind.TOKEN, f"delegation:{service}", f"may act at {service} as {whom}")
        for service in entry.all("msDS-AllowedToDelegateTo")
    ]
    return found + [
        Holding(HoldingKind.OWNED, f"service:{name}", f"service {name}, which runs as this account")
        for name in entry.all("servicePrincipalName")
    ]


def _key_credential(value: str) -> Holding:
    """One value of `msDS-KeyCredentialLink`: `B:LENGTH:HEX:DN`."""
    written = [*value.split(":", 3), "", "", ""][2]
    try:
        parts = dict(_parts(bytes.fromhex(written)))
    except ValueError:
        return Holding(HoldingKind.KEY, f"credential:{written[:64]}", "key credential in an unknown form")
    usage = int.from_bytes(parts.get(_USAGE, b""), "little")
    device = parts.get(_DEVICE, b"")
    created = _moment(parts.get(_CREATED, b""))
    details = {"created": created.date().isoformat()} if created else {}
    if len(device) == 16:
        details["device"] = str(UUID(bytes_le=device))
    return Holding(
        HoldingKind.KEY,
        f"credential:{parts.get(_KEY_ID, b'').hex() or written[:64]}",
        _USAGES.get(usage, "key credential") + (f" of {created.date()}" if created else ""),
        last_used_at=_moment(parts.get(_LAST_USED, b"")),
        details=details,
    )


def _parts(blob: bytes) -> Iterator[tuple[int, bytes]]:
    """The parts of a key credential after its version. Raises `ValueError` where it is cut short."""
    rest = blob[4:]
    if not rest:
        raise ValueError("empty")
    while rest:
        size = int.from_bytes(rest[:2], "little")
        if len(rest) < 3 + size:
            raise ValueError("cut short")
        yield rest[2], rest[3 : 3 + size]
        rest = rest[3 + size :]


def _moment(given: bytes) -> datetime | None:
    """Windows' time in eight bytes."""
    return file_time(str(int.from_bytes(given, "little"))) if len(given) == 8 else None
