"""A receiver of security events as somebody else would build one: it checks each token with joserfc, by the
keys that it reads over HTTP from the transmitter, and holds the claims against the specifications.

RFC 8417 (tokens), RFC 8935 (push), RFC 9493 (subjects), OpenID Shared Signals Framework 1.0, CAEP 1.0 and
RISC 1.0. It answers 202 to what holds, 400 with `err` to what does not, or whatever a test has it say.
"""

from __future__ import annotations

import json
import ssl
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from tests.servers.certificates import make_certificates

AUDIENCE = "https://receiver.example/feed"
# Seconds; a busy machine takes its time.
READING = 60
CAEP = "https://schemas.openid.net/secevent/caep/event-type/"
RISC = "https://schemas.openid.net/secevent/risc/event-type/"
SSF = "https://schemas.openid.net/secevent/ssf/event-type/"
SUBJECTS = {
    "email": {"format", "email"},
    "account": {"format", "uri"},
    "iss_sub": {"format", "iss", "sub"},
    "opaque": {"format", "id"},
}
CAEP_MEMBERS = {"event_timestamp", "initiating_entity", "reason_admin", "reason_user"}


class Refused(Exception):
    """The token does not hold; the text is the error code of RFC 8935, section 2.4."""


@dataclass
class Reply:
    """What the receiver says in place of its own judgement; `hangs` says nothing until the test is over."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    hangs: bool = False


@dataclass
class EventReceiver:
    """What arrived, and what is answered next."""

    transmitter: str
    url: str = ""
    ca_file: str = ""
    authorization: str = ""
    tokens: list[str] = field(default_factory=list)
    heads: list[dict[str, str]] = field(default_factory=list)
    claims: list[dict[str, Any]] = field(default_factory=list)
    kids: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    replies: deque[Reply] = field(default_factory=deque)
    over: threading.Event = field(default_factory=threading.Event)

    def says(self, *replies: Reply) -> None:
        """The next requests are answered so, whatever they hold."""
        self.replies.extend(replies)

    def take(self, head: dict[str, str], body: bytes) -> Reply:
        """Judge one request as RFC 8935, section 2.2 has it."""
        self.tokens.append(body.decode())
        self.heads.append(head)
        if self.replies:
            return self.replies.popleft()
        try:
            self._check(head, body.decode())
        except Refused as refusal:
            self.refusals.append(str(refusal))
            said = {"err": str(refusal).partition(":")[0], "description": str(refusal)}
            return Reply(400, json.dumps(said).encode(), {"content-type": "application/json"})
        return Reply(202)

    def _check(self, head: dict[str, str], token: str) -> None:
        if self.authorization and head.get("authorization") != self.authorization:
            raise Refused("authentication_failed")
        if head.get("content-type") != "application/secevent+jwt":
            raise Refused("invalid_request: content type")
        if "application/json" not in head.get("accept", ""):
            raise Refused("invalid_request: accept")
        metadata = httpx.get(f"{self.transmitter}/.well-known/ssf-configuration", timeout=READING).json()
        # The advertised address is the public one; here the same path is asked where the test serves it.
        keys = httpx.get(self.transmitter + urlsplit(metadata["jwks_uri"]).path, timeout=READING)
        try:
            read = jwt.decode(token, KeySet.import_key_set(keys.json()), algorithms=["RS256"])
        except (JoseError, ValueError) as error:
            raise Refused(f"invalid_key: {error}") from error
        if read.header.get("typ") != "secevent+jwt" or not read.header.get("kid"):
            raise Refused("invalid_request: typ and kid")
        check_claims(read.claims, issuer=metadata["issuer"])
        self.claims.append(read.claims)
        self.kids.append(read.header["kid"])


def check_claims(claims: dict[str, Any], *, issuer: str) -> None:
    """Hold claims against the specifications. Raises `Refused`."""
    if claims.get("iss") != issuer:
        raise Refused("invalid_issuer")
    if claims.get("aud") != AUDIENCE:
        raise Refused("invalid_audience")
    # SSF 1.0, section 4.1: no `sub`, no `exp`; RFC 8417, section 2.2 for the others.
    if set(claims) != {"iss", "aud", "iat", "jti", "txn", "sub_id", "events"}:
        raise Refused(f"invalid_request: claims {sorted(claims)}")
    if type(claims["iat"]) is not int or not (claims["jti"] and claims["txn"]):
        raise Refused("invalid_request: iat, jti, txn")
    subject = claims["sub_id"]
    if set(subject) != SUBJECTS.get(subject.get("format")) or not all(subject.values()):
        raise Refused("invalid_request: sub_id")
    if len(claims["events"]) != 1:
        raise Refused("invalid_request: one event in a token")
    ((kind, payload),) = claims["events"].items()
    if kind == f"{CAEP}session-revoked":
        reasons = [payload.get(name, {"en": "x"}) for name in ("reason_admin", "reason_user")]
        good = (
            set(payload) <= CAEP_MEMBERS
            and type(payload["event_timestamp"]) is int
            and payload["initiating_entity"] in ("admin", "user", "policy", "system")
            and all(type(r) is dict and r and all(type(v) is str for v in r.values()) for r in reasons)
        )
    elif kind == f"{RISC}account-disabled":
        good = set(payload) <= {"reason"} and payload.get("reason", "hijacking") in (
            "hijacking",
            "bulk-account",
        )
    elif kind == f"{RISC}account-enabled":
        good = payload == {}
    else:
        good = kind == f"{SSF}verification" and set(payload) == {"state"} and subject["format"] == "opaque"
    if not good:
        raise Refused(f"invalid_request: {kind}")


@contextmanager
def open_receiver(folder: Path, *, transmitter: str) -> Iterator[EventReceiver]:
    """A receiver that listens over TLS, with an authority of its own."""
    folder.mkdir(exist_ok=True)
    ca, certificate, key = make_certificates(folder, names=["localhost"], addresses=["127.0.0.1"])
    receiver = EventReceiver(transmitter=transmitter, ca_file=str(ca))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            reply = receiver.take({name.lower(): value for name, value in self.headers.items()}, body)
            if reply.hangs:
                receiver.over.wait()
                return
            self.send_response(reply.status)
            for name, value in {"content-length": str(len(reply.body)), **reply.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(reply.body)

        def log_message(self, *args: object) -> None:
            """Nothing: the test says what arrived."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    receiver.url = f"https://127.0.0.1:{server.server_port}/events"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield receiver
    finally:
        receiver.over.set()
        server.shutdown()
        server.server_close()
