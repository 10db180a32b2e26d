"""The one guarded way out, for HTTP and for raw TCP.

Every target is checked twice, when its settings are saved and when it is contacted; the address that was
checked is the address that is dialled, while TLS and the Host header keep the name. No redirects, no
proxies from the environment, certificates verified, answers limited in size and time.
A `Transport` may be shared by connectors and event loops; close it on each loop that used it.
"""

from __future__ import annotations

import asyncio
import json as jsonlib
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode, urlsplit
from weakref import WeakKeyDictionary

import httpx

from partwell.connector_kit.addresses import AddressRefused, AllowList, check_address, clean_host
from partwell.connector_kit.calls import Call, Notes
from partwell.connector_kit.limiter import DEFAULT_CLASS, Limiter
from partwell.connector_kit.values import ConnectorError, ErrorKind

Resolver = Callable[[str, int], list[str]]

TIMEOUT_SECONDS = 20.0
MAX_ANSWER_BYTES = 8 * 1024 * 1024
READING_METHODS = frozenset({"GET", "HEAD"})
VENDORS_REQUEST_IDS = ("x-okta-request-id", "x-github-request-id")


def resolve_by_system(host: str, port: int) -> list[str]:
    """All addresses of `host`, in the system's order of preference. Raises `OSError`."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


@dataclass(frozen=True)
class Pinned:
    """A target whose addresses were checked just now. Dial `addresses`; name `host` in TLS."""

    host: str
    port: int
    addresses: tuple[str, ...]


@dataclass(frozen=True)
class Answer:
    """An HTTP answer, read whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def request_id(self) -> str:
        """The target's own id for the request, where it gives one."""
        names = ("x-request-id", "request-id", *VENDORS_REQUEST_IDS, "x-correlation-id")
        return next((self.headers[name] for name in names if name in self.headers), "")[:200]

    def json(self) -> Any:
        """The body as JSON. Raises `ConnectorError(RETRYABLE)` for a page or anything else: a proxy or a
        sign-in page that answers 200 in the target's place is not an answer."""
        try:
            return jsonlib.loads(self.body)
        except (ValueError, RecursionError):
            kind = self.headers.get("content-type", "no content type").partition(";")[0]
            raise ConnectorError(
                ErrorKind.RETRYABLE,
                f"The answer ({self.status}) is not JSON but {kind}: something else answers at this address.",
                request_id=self.request_id,
            ) from None


class Transport:
    """HTTP requests and checked TCP addresses. `read_only` sends no write: it refuses each, or, given
    `notes`, notes it there and answers in the target's place, so that a dry run sees the next one too."""

    def __init__(
        self,
        allow: AllowList,
        *,
        read_only: bool = False,
        resolver: Resolver = resolve_by_system,
        timeout: float = TIMEOUT_SECONDS,
        max_answer_bytes: int = MAX_ANSWER_BYTES,
        http: httpx.AsyncBaseTransport | None = None,
        limiter: Limiter | None = None,
        notes: Notes | None = None,
    ) -> None:
        self.notes = notes
        self.limiter = limiter or Limiter()
        self.allow = allow
        self.read_only = read_only
        self.timeout = timeout
        self._resolver = resolver
        self._max_answer_bytes = max_answer_bytes
        self._http = http
        self._clients: WeakKeyDictionary[
            asyncio.AbstractEventLoop, dict[tuple[str, str, str], httpx.AsyncClient]
        ] = WeakKeyDictionary()

    # -- checks, used at save and again at connect ---------------------------------------------------

    def check_host(self, host: str, port: int) -> Pinned:
        """Resolve and check; blocking. Raises `AddressRefused`, or RETRYABLE when the name is unknown now.

        One refused address refuses the whole name: a mixed answer is what a rebinding attack looks like.
        """
        host = clean_host(host)
        if not 0 < port < 65536:
            raise AddressRefused(f"{port} is not a port; ports go from 1 to 65535.")
        try:
            found = self._resolver(host, port)
        except (OSError, UnicodeError):
            found = []
        if not found:
            raise ConnectorError(ErrorKind.RETRYABLE, f"The name {host} is unknown to DNS at the moment.")
        checked = [check_address(text, host=host, port=port, allow=self.allow) for text in found]
        return Pinned(host, port, tuple(dict.fromkeys(checked)))

    def check_url(self, url: str, *, allow_plain: bool = False) -> Pinned:
        """As `check_host`, for an `https` address (`http` only when the operator's settings allow it)."""
        host, port = _split(url, allow_plain=allow_plain)
        return self.check_host(host, port)

    def check_write(self) -> None:
        """Called before everything that ends in a write. A dry run that shows calls goes on from here."""
        if self.read_only and self.notes is None:
            raise ConnectorError(ErrorKind.UNSUPPORTED, "A dry run writes nothing; this write was stopped.")

    def may_write(self, call: Call) -> bool:
        """Called at every write that does not go through `request`: whether to make it. A dry run that shows
        calls notes it, and it must not be made. Raises as `check_write`."""
        self.check_write()
        if self.notes is not None:
            self.notes.note(call)
        return not self.read_only

    async def pin(self, host: str, port: int) -> Pinned:
        """`check_host` in a thread, within the time limit: the check at connect."""
        try:
            async with asyncio.timeout(self.timeout):
                return await asyncio.to_thread(self.check_host, host, port)
        except TimeoutError:
            raise ConnectorError(ErrorKind.RETRYABLE, f"DNS did not answer for {host} in time.") from None

    # -- HTTP ----------------------------------------------------------------------------------------

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        json: Any = None,
        content: bytes | None = None,
        ca_file: str = "",
        allow_plain: bool = False,
        timeout: float | None = None,
        limit: str = DEFAULT_CLASS,
        changes_nothing: bool = False,
        expects: int = 200,
    ) -> Answer:
        """Send one request and read its answer whole, whatever its status. Redirects come back as they are.

        `json`, or else `content` as it is, is the body. `limit` names the class of endpoints whose rate, as
        the manifest declares it, the request waits for; waiting does not count as the target's slowness.
        `changes_nothing` is for a POST that a dry run needs too, such as asking for a token; `expects` is the
        status with which a dry run that shows calls answers in the target's place.

        Raises `AddressRefused` before anything is sent, RETRYABLE when the target cannot be reached, is too
        slow (`timeout` in seconds) or answers with more than the limit.
        """
        writes = method not in READING_METHODS and not changes_nothing
        if writes:
            self.check_write()
        host, port = _split(url, allow_plain=allow_plain)
        pinned = await self.pin(host, port)
        parts = urlsplit(url)
        sent = {"accept-encoding": "identity", **(headers or {}), "host": parts.netloc}
        query = "&".join(filter(None, (parts.query, urlencode(params or {}))))
        seconds = self.timeout if timeout is None else timeout
        if writes and not self.may_write(
            Call(
                method,
                f"{parts.scheme}://{parts.netloc}{parts.path}" + (f"?{query}" if query else ""),
                content if json is None else json,
            )
        ):
            return Answer(expects, {"content-type": "application/json"}, b'{"ok": true}')
        await self.limiter.wait(limit)
        try:
            async with asyncio.timeout(seconds):
                return await self._send(
                    method,
                    pinned,
                    scheme=parts.scheme,
                    target=(parts.path or "/") + (f"?{query}" if query else ""),
                    headers=sent,
                    json=json,
                    content=content,
                    ca_file=ca_file,
                )
        except (TimeoutError, httpx.TimeoutException):
            raise ConnectorError(
                ErrorKind.RETRYABLE, f"{host} did not answer within {seconds:g} seconds."
            ) from None
        except httpx.ConnectError as error:
            raise ConnectorError(
                ErrorKind.RETRYABLE, f"{host} could not be reached: {_reason(error)}."
            ) from None
        except httpx.HTTPError as error:
            raise ConnectorError(
                ErrorKind.RETRYABLE, f"The connection to {host} broke ({type(error).__name__})."
            ) from None

    async def _send(
        self,
        method: str,
        pinned: Pinned,
        *,
        scheme: str,
        target: str,
        headers: Mapping[str, str],
        json: Any,
        content: bytes | None,
        ca_file: str,
    ) -> Answer:
        refused: httpx.ConnectError | None = None
        for address in pinned.addresses:
            client = self._client(pinned.host, address, ca_file)
            literal = f"[{address}]" if ":" in address else address
            request = client.build_request(
                method,
                f"{scheme}://{literal}:{pinned.port}{target}",
                headers=headers,
                json=json,
                content=content,
                extensions={"sni_hostname": pinned.host},
            )
            try:
                response = await client.send(request, stream=True)
            except httpx.ConnectError as error:
                refused = error  # nothing was sent, so the next address is safe to try
                continue
            try:
                return await self._read(response, pinned.host)
            finally:
                await response.aclose()
        raise refused or httpx.ConnectError("no address")

    async def _read(self, response: httpx.Response, host: str) -> Answer:
        # We ask for no compression and take none: a small body that unpacks to gigabytes never starts.
        if response.headers.get("content-encoding", "identity").lower() not in ("", "identity"):
            raise ConnectorError(
                ErrorKind.RETRYABLE, f"{host} sent a compressed answer that was not asked for."
            )
        body = bytearray()
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > self._max_answer_bytes:
                raise ConnectorError(
                    ErrorKind.RETRYABLE,
                    f"{host} sent more than {self._max_answer_bytes} bytes; stopped reading.",
                )
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status_code, headers, bytes(body))

    def _client(self, host: str, address: str, ca_file: str) -> httpx.AsyncClient:
        # One pool per name and address: a kept connection is never lent to another name on the same address.
        pool = self._clients.setdefault(asyncio.get_running_loop(), {})
        key = (host, address, ca_file)
        if key not in pool:
            pool[key] = httpx.AsyncClient(
                verify=tls_context(ca_file),
                transport=self._http,
                trust_env=False,
                follow_redirects=False,
                timeout=self.timeout,
            )
        return pool[key]

    # -- raw TCP -------------------------------------------------------------------------------------

    async def exchange_tcp(self, host: str, port: int, payload: bytes, *, timeout: float = 5.0) -> bytes:
        """Send `payload` and read one answer, both behind a four-byte length (as Kerberos does over TCP).

        Raises as `request` does. This is a door for probes: it cannot change anything by itself.
        """
        pinned = await self.pin(host, port)
        try:
            async with asyncio.timeout(timeout):
                reader, writer = await asyncio.open_connection(pinned.addresses[0], port)
                try:
                    writer.write(len(payload).to_bytes(4, "big") + payload)
                    await writer.drain()
                    size = int.from_bytes(await reader.readexactly(4), "big")
                    if size > 65536:
                        raise ConnectorError(ErrorKind.RETRYABLE, f"{host} announced an oversized answer.")
                    return await reader.readexactly(size)
                finally:
                    writer.close()
        except TimeoutError:
            raise ConnectorError(
                ErrorKind.RETRYABLE, f"{host}:{port} did not answer within {timeout:g} seconds."
            ) from None
        except (OSError, EOFError) as error:
            raise ConnectorError(
                ErrorKind.RETRYABLE, f"{host}:{port} could not be reached ({type(error).__name__})."
            ) from None

    async def aclose(self) -> None:
        """Close the connections of the running event loop."""
        for client in self._clients.pop(asyncio.get_running_loop(), {}).values():
            await client.aclose()


def tls_context(ca_file: str = "") -> ssl.SSLContext:
    """Verification on, always; `ca_file` names a private authority, in place of the system's."""
    if not ca_file:
        return _system_tls_context()
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError):
        raise ConnectorError(ErrorKind.INVALID, f"The CA file {ca_file!r} cannot be read.") from None


@lru_cache(maxsize=1)
def _system_tls_context() -> ssl.SSLContext:
    # Reading the system's authorities takes 20 ms; a private CA file is read anew, so that a new one counts.
    return ssl.create_default_context()


def _split(url: str, *, allow_plain: bool) -> tuple[str, int]:
    """Host and port of an address that has no credentials in it. Raises `AddressRefused`."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise AddressRefused(
            "This is not a web address. Write it like 'https://id.example.com/scim/v2'."
        ) from None
    if parts.scheme != "https" and not (allow_plain and parts.scheme == "http"):
        raise AddressRefused(
            "The address has to start with 'https://'. 'http://' sends the token in the clear; where that is "
            "acceptable (a test on this machine), set 'allow_plain: true'."
        )
    if "@" in parts.netloc or "\\" in url or not parts.hostname or any(c <= " " or c == "\x7f" for c in url):
        raise AddressRefused(
            "The address holds credentials, blanks or backslashes. Write only host and path."
        )
    return clean_host(parts.hostname), port or (443 if parts.scheme == "https" else 80)


def _reason(error: Exception) -> str:
    text = str(error)
    if "CERTIFICATE_VERIFY_FAILED" in text or "certificate verify failed" in text:
        return "its TLS certificate could not be verified"
    return "the connection was refused or timed out"
