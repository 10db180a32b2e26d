"""What the guarded transport promises beyond refusing addresses: names in TLS, limits, dry runs, secrets."""

from __future__ import annotations

import asyncio
import ssl
from ipaddress import IPv4Address, IPv6Address, ip_address

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partwell.connector_kit.addresses import (
    FORBIDDEN,
    PRIVATE,
    AddressRefused,
    AllowList,
    check_address,
    clean_host,
    is_forbidden,
    is_private,
)
from partwell.connector_kit.contract import ConnectorError, ErrorKind
from partwell.connector_kit.secrets import ReferencedSecrets, check_no_literal_secrets
from partwell.connector_kit.testing import ScriptedHttp
from partwell.connector_kit.transport import Transport
from tests.servers.certificates import make_certificates

PUBLIC = "93.184.215.14"


def scripted(answer, **options) -> Transport:
    return Transport(AllowList(), resolver=lambda host, port: [PUBLIC], http=ScriptedHttp(answer), **options)


async def test_the_address_is_dialled_and_the_name_is_kept():
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={})

    await scripted(answer).request("GET", "https://id.example.com:8443/a?b=1", params={"c": "x y"})
    (request,) = seen
    assert (request.url.host, request.url.port) == (PUBLIC, 8443)
    assert request.headers["host"] == "id.example.com:8443"
    assert request.extensions["sni_hostname"] == "id.example.com"
    assert request.url.query == b"b=1&c=x+y"


async def test_a_dry_run_stops_writes_and_lets_reads_through():
    transport = scripted(lambda request: httpx.Response(200, json={}), read_only=True)
    assert (await transport.request("GET", "https://id.example.com/")).status == 200
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        with pytest.raises(ConnectorError) as refusal:
            await transport.request(method, "https://id.example.com/")
        assert refusal.value.kind is ErrorKind.UNSUPPORTED
    asked = await transport.request("POST", "https://id.example.com/token", changes_nothing=True)
    assert asked.status == 200


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, content=b"x" * 1001),
        httpx.Response(200, headers={"content-encoding": "gzip"}, stream=httpx.ByteStream(b"\x1f\x8b")),
    ],
    ids=["too large", "compressed"],
)
async def test_an_answer_over_the_limits_is_not_read(answer):
    class Once(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request):
            return httpx.Response(answer.status_code, headers=answer.headers, stream=answer.stream)

    transport = Transport(
        AllowList(), resolver=lambda host, port: [PUBLIC], http=Once(), max_answer_bytes=1000
    )
    with pytest.raises(ConnectorError) as refusal:
        await transport.request("GET", "https://id.example.com/")
    assert refusal.value.kind is ErrorKind.RETRYABLE


async def test_a_certificate_has_to_be_valid_for_the_name_and_not_for_the_address(tmp_path):
    """The server's certificate names `good.example.com` and the address that is dialled."""
    ca, certificate, key = make_certificates(tmp_path, names=["good.example.com"], addresses=["127.0.0.1"])
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)

    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    transport = Transport(AllowList.parse(["127.0.0.1"]), resolver=lambda host, port: ["127.0.0.1"])
    try:
        good = await transport.request("GET", f"https://good.example.com:{port}/", ca_file=str(ca))
        assert good.status == 200
        for host, authority in (("bad.example.com", str(ca)), ("good.example.com", "")):
            with pytest.raises(ConnectorError) as refusal:
                await transport.request("GET", f"https://{host}:{port}/", ca_file=authority)
            assert "certificate" in refusal.value.message
    finally:
        await transport.aclose()
        server.close()


@given(st.ip_addresses())
def test_every_address_is_either_reachable_private_or_forbidden_and_never_two_of_them(address):
    def passes(allow: AllowList) -> bool:
        try:
            check_address(address, host="x.example.com", port=1, allow=allow)
        except AddressRefused:
            return False
        return True

    everything = AllowList.parse(["0.0.0.0/0", "::/0"])
    assert passes(AllowList()) == (not is_forbidden(address) and not is_private(address))
    assert passes(everything) == (not is_forbidden(address))
    if passes(AllowList()):
        assert address.is_global


@pytest.mark.parametrize("network", [*FORBIDDEN, *PRIVATE], ids=str)
def test_both_ends_of_every_listed_network_are_closed_also_inside_ipv6(network):
    for address in (network[0], network[-1]):
        forms: list[IPv4Address | IPv6Address] = [address]
        if isinstance(address, IPv4Address):
            forms += [IPv6Address(f"::ffff:{address}"), IPv6Address(f"64:ff9b::{address}")]
        for form in forms:
            with pytest.raises(AddressRefused):
                check_address(form, host="x.example.com", port=1, allow=AllowList())


@given(st.text(max_size=60))
def test_a_host_is_refused_or_has_one_spelling(text):
    try:
        host = clean_host(text)
    except AddressRefused:
        return
    assert clean_host(host) == host
    assert host.isascii()
    if ":" in host or host.replace(".", "").isdecimal():
        assert str(ip_address(host)) == host


@pytest.mark.parametrize(
    "entry", ["10.0.0.0/33", "ldap.internal", "ldap.internal:0", "a b:1", "10.0.0.1/8", ":1"]
)
def test_an_allow_list_with_a_mistake_is_refused_whole(entry):
    with pytest.raises(ValueError, match=r"neither|plain form"):
        AllowList.parse(["10.0.0.0/8", entry])


def test_a_secret_comes_from_the_environment_or_a_file(tmp_path):
    path = tmp_path / "token"
    path.write_text("from-file\n")
    secrets = ReferencedSecrets({"TOKEN": "from-env"})
    assert secrets.resolve("env:TOKEN") == "from-env"
    assert secrets.resolve(f"file:{path}") == "from-file"


@pytest.mark.parametrize(
    "reference", ["env:MISSING", "file:/nowhere/at/all", "file:/", "hunter2-canary", "env:", ""]
)
def test_a_secret_that_is_not_there_is_refused_without_repeating_it(reference):
    with pytest.raises(ConnectorError) as refusal:
        ReferencedSecrets({"OTHER": "x"}).resolve(reference)
    assert "canary" not in refusal.value.message


@pytest.mark.parametrize("value", ["hunter2-canary", 7, ["env:A"], "env:not a name", "file:relative"])
def test_a_literal_secret_in_settings_is_refused_without_repeating_it(value):
    schema = {"properties": {"token": {"type": "string", "secret": True}, "url": {"type": "string"}}}
    check_no_literal_secrets({"token": "env:TOKEN", "url": "anything"}, schema)
    with pytest.raises(ConnectorError) as refusal:
        check_no_literal_secrets({"token": value}, schema)
    assert "canary" not in refusal.value.message
