"""Proof 15: nothing that somebody enters as an address makes Partwell reach inside the network it runs in.

Every hostile target is tried at save and at connect while a listener on this machine counts connections, and
names flip between a public and an internal address between the two. The figure is the count: 0.
"""

from __future__ import annotations

import asyncio
import itertools
import random

import pytest

from partwell.connector_kit.addresses import AddressRefused, AllowList
from partwell.connector_kit.contract import ConnectorError
from partwell.connector_kit.transport import Transport, resolve_by_system

# Hosts as somebody could write them. What resolves, resolves by this machine's own resolver.
HOSTILE_HOSTS = [
    # loopback, in all its spellings
    "127.0.0.1", "127.0.0.2", "127.255.255.254", "localhost", "LOCALHOST", "localhost.", "127.1", "127.0.1",
    "2130706433", "0x7f000001", "0x7f.1", "0x7f.0x0.0x0.0x1", "0177.0.0.1", "017700000001", "0177.0.0.0x1",
    "127.0.0.01", "127.0.0.1.", "①②⑦.⓪.⓪.①", "１２７.0.0.1", "127。0。0。1", "[::1]", "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[::]", "0.0.0.0", "0", "0.0.0.1",
    # private networks
    "10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1", "192.168.255.255",
    "100.64.0.1", "100.127.255.255", "198.18.0.1", "[fc00::1]", "[fd12:3456::1]", "[::ffff:10.0.0.1]",
    # cloud metadata and link-local
    "169.254.169.254", "169.254.170.2", "169.254.0.1", "168.63.129.16", "100.100.100.200", "192.0.0.192",
    "[fd00:ec2::254]", "[fd20:ce::254]", "[fe80::1]", "[fe80::1%25eth0]", "[::ffff:169.254.169.254]",
    "0xa9fea9fe", "2852039166", "[::ffff:a9fe:a9fe]",
    # transition mechanisms that carry an IPv4 address inside
    "[64:ff9b::7f00:1]", "[64:ff9b::a9fe:a9fe]", "[64:ff9b::10.0.0.1]", "[64:ff9b:1::1]", "[2002:7f00:1::]",
    "[2002:a9fe:a9fe::1]", "[2001:0:7f00:1::1]", "[2001:db8::1]", "[100::1]", "[5f00::1]", "[3fff::1]",
    # to many, reserved, documentation
    "224.0.0.1", "239.255.255.250", "[ff02::1]", "[ff05::1:3]", "255.255.255.255", "240.0.0.1", "192.0.2.1",
    "198.51.100.1", "203.0.113.1", "192.88.99.1",
    # not host names at all
    "", " ", "a b.example.com", "exa\tmple.com", "-.example.com", "example..com", "%31%32%37.0.0.1",
    "a" * 300,
]  # fmt: skip
HOSTILE_URLS = [
    "https://user:pass@127.0.0.1:{port}/",
    "https://example.com@127.0.0.1:{port}/",
    "https://127.0.0.1:{port}\\@example.com/",
    "https://127.0.0.1:{port}#@example.com/",
    "https://example.com\\@127.0.0.1:{port}/",
    "http://93.184.215.14:{port}/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:{port}/_x",
    "ftp://127.0.0.1:{port}/",
    "//127.0.0.1:{port}/",
    "https://127.0.0.1:{port}\r\nx: y/",
    "https://127.0.0.1:99999/",
    "https://[::1/",
    "javascript:alert(1)",
]
INTERNAL = [
    "127.0.0.1",
    "10.0.0.1",
    "169.254.169.254",
    "::1",
    "::ffff:127.0.0.1",
    "64:ff9b::7f00:1",
    "fd00::1",
]
PUBLIC = "93.184.215.14"


class Listener:
    """Counts connections to this machine on one port, over IPv4 and IPv6."""

    def __init__(self) -> None:
        self.connections = 0

    async def __aenter__(self) -> Listener:
        self._server = await asyncio.start_server(self._count, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        self._six = await asyncio.start_server(self._count, "::1", self.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self._six.close()

    async def _count(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        writer.close()


def is_refused_at_save(check, *arguments) -> bool:
    try:
        check(*arguments)
    except AddressRefused:
        return True
    return False


async def is_refused_at_connect(sending) -> bool:
    try:
        await sending
    except AddressRefused:
        return True
    except ConnectorError:
        return False
    return False


@pytest.fixture
def dialled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every address that this process's event loop was told to dial."""
    seen: list[str] = []

    async def watched(self, sock, address):
        seen.append(str(address[0]))
        raise ConnectionRefusedError("dialling is watched here")

    monkeypatch.setattr(asyncio.selector_events.BaseSelectorEventLoop, "sock_connect", watched)
    return seen


async def test_no_hostile_target_passes_at_save_or_at_connect(figure):
    passed: list[str] = []
    targets = 0
    transport = Transport(AllowList())
    async with Listener() as listener:
        for host in HOSTILE_HOSTS:
            targets += 1
            url = f"https://{host}:{listener.port}/"
            bare = host.strip("[]") if host.startswith("[") else host
            if not is_refused_at_save(transport.check_host, bare, listener.port):
                passed.append(f"save {host!r}")
            if not is_refused_at_save(transport.check_url, url):
                passed.append(f"save {url!r}")
            if not await is_refused_at_connect(transport.request("GET", url)):
                passed.append(f"connect {url!r}")
            if not await is_refused_at_connect(transport.exchange_tcp(bare, listener.port, b"x")):
                passed.append(f"tcp {host!r}")
        for template in HOSTILE_URLS:
            targets += 1
            url = template.format(port=listener.port)
            if not is_refused_at_save(transport.check_url, url):
                passed.append(f"save {url!r}")
            if not await is_refused_at_connect(transport.request("GET", url)):
                passed.append(f"connect {url!r}")
        connections = listener.connections
    figure(
        f"proof 15: {targets} hostile targets, save and connect: {len(passed)} pass, {connections} connects"
    )
    assert passed == []
    assert connections == 0
    assert targets >= 60


async def test_a_name_that_flips_to_an_inside_address_is_never_dialled(figure, long, dialled):
    """What was public at save is internal at connect, or on the second answer, or beside a public one."""
    flips = 10_000 if long else 1_000
    chance = random.Random(15)
    refused = 0
    for number in range(flips):
        inside = chance.choice(INTERNAL)
        after = chance.choice([[inside], [PUBLIC, inside], [inside, PUBLIC]])
        answers = itertools.chain([[PUBLIC]], itertools.repeat(after))
        transport = Transport(AllowList(), resolver=lambda host, port, answers=answers: next(answers))
        transport.check_url("https://rebinding.example.com/")
        if number % 2:
            refused += await is_refused_at_connect(transport.request("GET", "https://rebinding.example.com/"))
        else:
            refused += await is_refused_at_connect(transport.exchange_tcp("rebinding.example.com", 88, b"x"))
    figure(f"proof 15: {flips} DNS flips: {refused} refused, {len(dialled)} connects")
    assert refused == flips
    assert dialled == []


async def test_what_is_dialled_is_what_was_checked_and_never_a_second_answer(dialled):
    """The resolver turns hostile right after the check; the pinned address is dialled all the same."""
    for _ in range(100):
        answers = itertools.chain([[PUBLIC]], itertools.repeat(["127.0.0.1"]))
        transport = Transport(AllowList(), resolver=lambda host, port, answers=answers: next(answers))
        with pytest.raises(ConnectorError):
            await transport.exchange_tcp("rebinding.example.com", 88, b"x")
    assert set(dialled) == {PUBLIC}


async def test_a_redirect_to_the_inside_is_not_followed():
    async with Listener() as inside:

        async def redirect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            location = f"http://127.0.0.1:{inside.port}/"
            writer.write(f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode())
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(redirect, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        transport = Transport(AllowList.parse([f"127.0.0.1:{port}"]))
        answer = await transport.request("GET", f"http://127.0.0.1:{port}/", allow_plain=True)
        await transport.aclose()
        server.close()
    assert answer.status == 302
    assert inside.connections == 0


def test_the_list_opens_what_it_names_and_nothing_beside_it():
    def check(entry: str, host: str, port: int) -> bool:
        return not is_refused_at_save(Transport(AllowList.parse([entry])).check_host, host, port)

    assert check("10.0.0.0/8", "10.1.2.3", 389)
    assert not check("10.0.0.0/8", "192.168.1.1", 389)
    assert check("127.0.0.1:389", "127.0.0.1", 389)
    assert not check("127.0.0.1:389", "127.0.0.1", 636)
    assert check("localhost:389", "localhost", 389)
    # metadata stays closed even when a network around it is listed
    assert not check("0.0.0.0/0", "169.254.169.254", 80)
    assert not check("168.63.129.16:80", "168.63.129.16", 80)
    assert resolve_by_system("127.0.0.1", 80) == ["127.0.0.1"]
