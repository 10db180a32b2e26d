"""Asking for one address, and what the answer says."""

from __future__ import annotations

import io
import re
import zipfile

from django.http import HttpResponse
from django.test import Client

from tests.reading.readers import Reader

_TOKENS = re.compile(rb'(csrfmiddlewaretoken" value="|X-CSRFToken": ")[A-Za-z0-9]+')


def ask(browser: Client, reader: Reader, path: str, *, method: str = "get") -> HttpResponse:
    """The answer to one call, as a browser, or htmx in it, or, below /api/, as a program."""
    is_api = path.startswith("/api/")
    headers = {"Authorization": f"Bearer {reader.secret}"} if is_api and reader.secret else {}
    if method == "htmx":
        method, headers = "get", {"HX-Request": "true"}
    return getattr(browser, method)(path, headers=headers)


def text_of(answer: HttpResponse) -> str:
    """All that an answer says: its body, or the members of the zip that it is, and its headers."""
    body = b"".join(answer.streaming_content) if answer.streaming else answer.content
    headers = "\n".join(f"{name}: {value}" for name, value in answer.headers.items())
    return f"{headers}\n{unpacked(body)}"


def unpacked(body: bytes) -> str:
    """A body as text; of a zip the names and contents of its members."""
    if not body.startswith(b"PK\x03\x04"):
        return body.decode(errors="replace")
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        return "\n".join(f"{name}\n{archive.read(name).decode()}" for name in archive.namelist())


def bare(answer: HttpResponse, *ids: str) -> tuple[int, dict[str, str], bytes]:
    """An answer to be compared: without tokens that differ each time, and without the ids that were asked
    for."""
    body = b"".join(answer.streaming_content) if answer.streaming else answer.content
    body = _TOKENS.sub(rb"\1", body)
    headers = {name: value for name, value in answer.headers.items() if name != "Content-Length"}
    for asked in ids:
        body = body.replace(asked.encode(), b"ID")
        headers = {name: value.replace(asked, "ID") for name, value in headers.items()}
    return answer.status_code, headers, body
