"""Which addresses Partwell may talk to: a deny-list of our own, opened only by the operator's allow-list.

`ipaddress.is_global` is not trusted: it lets NAT64, 6to4, multicast and cloud metadata addresses through.
This module resolves nothing and connects to nothing; `transport` does, and asks here each time.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import (
    AddressValueError,
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

from partwell.connector_kit.contract import ConnectorError, ErrorKind

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# Never reachable, whatever the operator lists: they answer with an instance's own credentials, or to many.
FORBIDDEN: tuple[Network, ...] = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",
        "100.100.100.200/32",  # metadata: Alibaba Cloud
        "168.63.129.16/32",  # metadata: Azure's wire server, in a public range
        "169.254.0.0/16",  # link-local, metadata of most clouds
        "192.0.0.0/24",  # IETF protocol assignments; 192.0.0.192 is Oracle Cloud's metadata
        "192.0.2.0/24",
        "192.88.99.0/24",  # 6to4 relays
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "fd00:ec2::/32",  # metadata: AWS over IPv6
        "fd20:ce::/32",  # metadata: Google Cloud over IPv6
        "fe80::/10",
        "ff00::/8",
    )
)

# Reachable only where the operator's allow-list says so.
PRIVATE: tuple[Network, ...] = tuple(
    ip_network(text)
    for text in (
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "::1/128",
        "fc00::/7",
    )
)

_GLOBAL_V6 = IPv6Network("2000::/3")
# Inside 2000::/3, yet tunnels, documentation or protocol blocks.
_SPECIAL_V6 = tuple(IPv6Network(t) for t in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"))
_NAT64 = IPv6Network("64:ff9b::/96")
_MAPPED = IPv6Network("::ffff:0:0/96")
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")


class AddressRefused(ConnectorError):
    """The target lies where Partwell does not go; nothing was sent."""

    def __init__(self, message: str) -> None:
        super().__init__(ErrorKind.INVALID, message)


def unwrap(address: Address) -> Address:
    """The IPv4 address inside an IPv4-mapped or NAT64 one, else the address itself."""
    if isinstance(address, IPv6Address) and (address in _MAPPED or address in _NAT64):
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address


def _within(address: Address, networks: Iterable[Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)


def is_forbidden(address: Address) -> bool:
    """Whether no allow-list can open this address."""
    address = unwrap(address)
    if _within(address, FORBIDDEN):
        return True
    if isinstance(address, IPv4Address) or _within(address, PRIVATE):
        return False
    # Whatever is not plain global unicast is refused, so a range that is assigned tomorrow is too.
    return address not in _GLOBAL_V6 or _within(address, _SPECIAL_V6)


def is_private(address: Address) -> bool:
    """Whether only the operator's allow-list can open this address."""
    return _within(unwrap(address), PRIVATE)


def clean_host(host: str) -> str:
    """The host in its one canonical spelling: lower case, ASCII, no trailing dot, IPv6 without brackets.

    Raises `AddressRefused` for everything that resolvers and browsers read differently: numbers that are
    not a dotted quad (`2130706433`, `0x7f.1`, `127.1`, `0177.0.0.1`), zone ids, odd characters.
    """
    text = unicodedata.normalize("NFKC", host).lower()
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
    if ":" in text:
        try:
            return str(IPv6Address(text)) if "%" not in text else _refuse(host)
        except AddressValueError:
            return _refuse(host)
    text = text.removesuffix(".")
    try:
        text = text.encode("idna").decode("ascii")
    except UnicodeError:
        return _refuse(host)
    labels = text.split(".")
    if re.fullmatch(r"[0-9]+|0x[0-9a-f]*", labels[-1]):
        try:
            return str(IPv4Address(text))
        except AddressValueError:
            return _refuse(host)
    if len(text) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        return _refuse(host)
    return text


def _refuse(host: str) -> str:
    raise AddressRefused(
        f"{host[:80]!r} is not a host name or an IP address in plain form. Write it like "
        "'directory.example.com' or '192.0.2.10'."
    )


@dataclass(frozen=True)
class AllowList:
    """What the operator opened: networks, and single `host:port` targets."""

    networks: tuple[Network, ...] = ()
    targets: frozenset[tuple[str, int]] = frozenset()

    @classmethod
    def parse(cls, entries: Iterable[str]) -> AllowList:
        """Read `10.0.0.0/8`, `10.1.2.3`, `ldap.internal:636`, `[fd00::5]:389`. Raises `ValueError`."""
        networks: list[Network] = []
        targets: set[tuple[str, int]] = set()
        for entry in (raw.strip() for raw in entries):
            try:
                networks.append(ip_network(entry))
                continue
            except ValueError:
                pass
            host, colon, port = entry.rpartition(":")
            if not (colon and port.isascii() and port.isdecimal() and 0 < int(port) < 65536):
                raise ValueError(f"{entry!r} is neither a network (10.0.0.0/8) nor host:port.")
            try:
                targets.add((clean_host(host), int(port)))
            except AddressRefused as refusal:
                raise ValueError(f"{entry!r}: {refusal.message}") from None
        return cls(tuple(networks), frozenset(targets))

    def opens(self, address: Address, host: str, port: int) -> bool:
        """Whether the operator named this target or its network."""
        address = unwrap(address)
        return (host, port) in self.targets or _within(address, self.networks)


def check_address(address: Address | str, *, host: str, port: int, allow: AllowList) -> str:
    """The address to connect to, as text and unwrapped. Raises `AddressRefused` when we do not go there."""
    address = unwrap(ip_address(address) if isinstance(address, str) else address)
    if is_forbidden(address):
        raise AddressRefused(
            f"{host} leads to {address}, a reserved or cloud metadata address that Partwell never contacts."
        )
    if is_private(address) and not allow.opens(address, host, port):
        raise AddressRefused(
            f"{host} leads to {address}, inside a private network. If that is meant, the operator adds "
            f"'{host}:{port}' or its network to PARTWELL_OUTBOUND_ALLOW."
        )
    return str(address)
