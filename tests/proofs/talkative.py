"""Servers that repeat whatever they are told, as the worst of real ones do in their error pages."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class _RepeatsHttp(BaseHTTPRequestHandler):
    """A fault for every request, with the request in it."""

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        said = f"fault while serving {self.path}\n{self.headers}\n".encode() + body
        self.send_response(500)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer

    def log_message(self, *_: object) -> None:
        pass


class _RepeatsMail(socketserver.StreamRequestHandler):
    """A mail server that refuses every sign-in by quoting it."""

    def handle(self) -> None:
        self.wfile.write(b"220 talkative\r\n")
        while line := self.rfile.readline().strip():
            if line.upper().startswith(b"EHLO"):
                self.wfile.write(b"250-talkative\r\n250 AUTH PLAIN\r\n")
            else:
                self.wfile.write(b"535 5.7.8 refused: " + line + b"\r\n")


@contextmanager
def talkative_http() -> Iterator[int]:
    """The port on which it answers on the loopback address."""
    yield from _served(ThreadingHTTPServer(("127.0.0.1", 0), _RepeatsHttp))


@contextmanager
def talkative_mail() -> Iterator[int]:
    """The same for mail."""
    yield from _served(socketserver.ThreadingTCPServer(("127.0.0.1", 0), _RepeatsMail))


def _served(server: socketserver.TCPServer) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=10)
