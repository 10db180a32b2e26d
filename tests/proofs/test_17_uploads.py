"""Promise: no hostile file is accepted. Forty of them, and one harmless file of each kind to compare."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from partwell.documents.models import StoredFile
from partwell.documents.operations import LARGEST_BYTES, store_file
from partwell.refusals import Invalid

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
HTML = b"<!DOCTYPE html><script>alert(1)</script>"
PDF = b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\n%%EOF\n"


def png() -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    size = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", size)
        + chunk(b"IDAT", zlib.compress(b"\0\0"))
        + chunk(b"IEND", b"")
    )


def packed(*members: tuple[str, bytes], how: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", how) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


def office(part: str, *more: tuple[str, bytes]) -> bytes:
    return packed(("[Content_Types].xml", b"<Types/>"), (f"{part}/document.xml", b"<w/>"), *more)


def open_document(kind: str) -> bytes:
    return packed(
        ("mimetype", f"application/vnd.oasis.opendocument.{kind}".encode()), ("content.xml", b"<x/>")
    )


def link() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        entry = zipfile.ZipInfo("shadow.txt")
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(entry, "/etc/shadow")
    return buffer.getvalue()


def lying() -> bytes:
    """A member of 3 MB that claims, in the directory and in its header, to have 10 bytes."""
    data = bytearray(packed(("a.txt", b"0" * 3_000_000)))
    central = data.index(b"PK\x01\x02")
    data[central + 24 : central + 28] = data[22:26] = struct.pack("<I", 10)
    return bytes(data)


def overlapping() -> bytes:
    """Two directory entries that claim the same bytes; each says that it is nearly the whole file."""
    data = bytearray(
        packed(*((f"{n}.txt", bytes([65 + n]) * 40_000) for n in range(2)), how=zipfile.ZIP_STORED)
    )
    second = data.index(b"PK\x01\x02", data.index(b"PK\x01\x02") + 1)
    data[second + 20 : second + 24] = struct.pack("<I", len(data))
    return bytes(data)


def encrypted() -> bytes:
    data = bytearray(packed(("a.txt", b"secret")))
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    return bytes(data)


HOSTILE: dict[str, tuple[str, bytes | Callable[[], bytes]]] = {
    "SVG with a script": ("logo.svg", SVG),
    "SVG called PNG": ("logo.png", SVG),
    "SVG called text": ("logo.txt", SVG),
    "page": ("page.html", HTML),
    "page called text": ("page.txt", HTML),
    "page called text after blanks": ("page.txt", b"\xef\xbb\xbf\n\t <HTML><body>"),
    "page called PDF": ("page.pdf", HTML),
    "page before a PDF": ("page.pdf", HTML + PDF),
    "page called JPEG": ("page.jpg", HTML),
    "GIF that is a page too": ("both.gif", b"GIF89a/*<html><script>*/=1;alert(1)</script>"),
    "script called markdown": ("run.md", b"#!/bin/sh\nrm -rf ~\n"),
    "PHP called CSV": ("shell.csv", b"<?php system($_GET[0]);"),
    "XML called text": (
        "x.txt",
        b'<?xml version="1.0"?><!DOCTYPE r [<!ENTITY e SYSTEM "file:///etc/passwd">]>',
    ),
    "program": ("setup.exe", b"MZ" + bytes(200)),
    "program called PDF": ("setup.pdf", b"MZ" + bytes(200)),
    "program called text": ("setup.txt", b"MZ" + bytes(200)),
    "double extension, program last": ("invoice.pdf.exe", PDF),
    "double extension, program first": ("invoice.exe.pdf", PDF),
    "double extension, both allowed": ("invoice.pdf.zip", packed(("a.txt", b"a"))),
    "NUL in the name": ("invoice.pdf\x00.exe", PDF),
    "NUL before the extension": ("invoice.php\x00.pdf", PDF),
    "text that turns round": ("invoice\u202efdp.exe.pdf", PDF),
    "zero-width name": ("in\u200bvoice.pdf", PDF),
    "path in the name": ("../../etc/cron.d/x.txt", b"* * * * * root id"),
    "Windows path in the name": ("..\\..\\x.txt", b"x"),
    "hidden file": (".htaccess.txt", b"Options +ExecCGI"),
    "device name": ("con.txt", b"x"),
    "stream name": ("x.txt:evil.pdf", PDF),
    "trailing dot": ("x.pdf.", PDF),
    "no extension": ("README", b"x"),
    "empty": ("x.txt", b""),
    "too large": ("x.txt", lambda: b"a" * (LARGEST_BYTES + 1)),
    "NUL in a text": ("x.txt", b"abc\x00def"),
    "bomb": ("x.zip", lambda: packed(("zeros.txt", bytes(60 * 1024 * 1024)))),
    "bomb in a document": ("x.docx", lambda: office("word", ("word/media.bin", bytes(60 * 1024 * 1024)))),
    "bomb that lies about its size": ("x.zip", lying),
    "bomb of overlapping members": ("x.zip", overlapping),
    "archive in an archive": ("x.zip", packed(("inner.zip", packed(("a.txt", b"a"))))),
    "too many members": ("x.zip", lambda: packed(*((f"{n}.txt", b"") for n in range(2_001)))),
    "slip upwards": ("x.zip", packed(("../../evil.txt", b"x"))),
    "slip to the root": ("x.zip", packed(("/etc/evil.txt", b"x"))),
    "slip with backslashes": ("x.zip", packed(("..\\..\\evil.txt", b"x"))),
    "slip to a drive": ("x.zip", packed(("C:evil.txt", b"x"))),
    "link in an archive": ("x.zip", link),
    "member that comes twice": ("x.zip", packed(("a.txt", b"1"), ("A.TXT", b"2"))),
    "program in an archive": ("x.zip", packed(("run.exe", b"MZ"))),
    "page in an archive": ("x.zip", packed(("index.html", HTML))),
    "encrypted archive": ("x.zip", encrypted),
    "damaged archive": ("x.zip", packed(("a.txt", b"a" * 5000))[:-30]),
    "program before an archive": ("x.zip", b"MZ" + packed(("a.txt", b"a"))),
    "macros": ("x.docx", office("word", ("word/vbaProject.bin", b"x"))),
    "archive called document": ("x.docx", packed(("a.txt", b"a"))),
    "text document called spreadsheet": ("x.ods", open_document("text")),
}

HARMLESS: dict[str, bytes] = {
    "Vertrag – Übergabe v1.2.pdf": PDF,
    "photo.png": png(),
    "photo.jpg": b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01" + bytes(20) + b"\xff\xd9",
    "photo.jpeg": b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01" + bytes(20) + b"\xff\xd9",
    "moving.gif": b"GIF89a\x01\x00\x01\x00\x00\x00\x00;",
    "photo.webp": b"RIFF\x1a\x00\x00\x00WEBPVP8L" + bytes(18),
    "notes.txt": "Schlüssel zurück, <b> ist kein Tag\n".encode(),
    "notes.md": b"# Handover\n\n- keys\n",
    "list.csv": b"a,b\n1,2\n",
    "mail.eml": b"From: a@example.com\nSubject: Hi\n there\n\nBody\n",
    "letter.docx": office("word"),
    "sums.xlsx": office("xl"),
    "talk.pptx": office("ppt"),
    "letter.odt": open_document("text"),
    "sums.ods": open_document("spreadsheet"),
    "all.zip": packed(("folder/a.txt", b"a" * 2000), ("b.pdf", PDF)),
}


@pytest.fixture(autouse=True)
def folder(settings: object, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path / "files"
    return tmp_path / "files"


def test_no_hostile_file_is_accepted(folder: Path, figure: Callable[[str], None]) -> None:
    accepted = []
    for what, (name, content) in HOSTILE.items():
        data = content() if callable(content) else content
        try:
            store_file(name=name, stream=io.BytesIO(data), actor_label="x", now=NOW)
        except Invalid as refusal:
            assert refusal.field == "file"
        else:
            accepted.append(what)
    figure(f"proof 17: {len(HOSTILE)} hostile files, {len(accepted)} accepted")
    assert len(HOSTILE) >= 40
    assert accepted == []
    assert not StoredFile.objects.exists()
    assert [path for path in folder.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("name", HARMLESS)
def test_the_same_kinds_without_harm_are_accepted(name: str) -> None:
    stored = store_file(name=name, stream=io.BytesIO(HARMLESS[name]), actor_label="x", now=NOW)
    assert stored.name == name
