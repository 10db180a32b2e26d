"""Whether the bytes are what the file's name promises, and nothing that runs."""

from __future__ import annotations

import re
import stat
import zipfile
import zlib
from pathlib import Path

import puremagic

from partwell.documents.names import MEDIA_TYPES, RUNNABLE
from partwell.refusals import Invalid

HEAD = 8192
STARTS: dict[str, tuple[bytes, ...]] = {
    "pdf": (b"%PDF-",),
    "png": (b"\x89PNG\r\n\x1a\n",),
    "jpg": (b"\xff\xd8\xff",),
    "jpeg": (b"\xff\xd8\xff",),
    "gif": (b"GIF87a", b"GIF89a"),
    "webp": (b"RIFF",),
}
SNIFFED = {"jpg": {".jpg", ".jpeg", ".jfif"}, "jpeg": {".jpg", ".jpeg", ".jfif"}}
TEXTS = frozenset({"txt", "md", "csv", "eml"})
# How pages, drawings and scripts begin; a browser that guesses would run them.
_RUNS = re.compile(
    rb"\s*(?:<!doctype|<html|<head|<body|<svg|<script|<iframe|<\?xml|<\?php|<%|<!--|#!)", re.IGNORECASE
)
_MAIL_HEADER = re.compile(rb"(?:[!-9;-~]+:[^\n]*\n(?:[ \t][^\n]*\n)*)+")

MOST_MEMBERS = 2_000
LARGEST_UNPACKED = 200 * 1024 * 1024
# A single member of text may shrink well; above a megabyte only bombs shrink a hundredfold.
HIGHEST_RATIO, RATIO_FROM = 100, 1024 * 1024
OFFICE_PARTS = {"docx": "word/", "xlsx": "xl/", "pptx": "ppt/"}
OPEN_DOCUMENTS = {"odt", "ods"}
ARCHIVES = frozenset({"7z", "bz2", "gz", "rar", "tar", "tgz", "xz", "zip", "zst"})


def check_content(path: Path, extension: str) -> None:
    """Raise `Invalid` unless the file at `path` is of the type that `extension` says, and harmless."""
    with path.open("rb") as file:
        head = file.read(HEAD)
    if extension in TEXTS:
        _check_text(path.read_bytes(), extension)
    elif extension in STARTS:
        _check_binary(head, extension)
    else:
        _check_archive(path, extension)


def _check_binary(head: bytes, extension: str) -> None:
    try:
        found = {match.extension for match in puremagic.magic_string(head)}
    except (puremagic.PureError, ValueError):
        found = set()
    if not head.startswith(STARTS[extension]) or not found & SNIFFED.get(extension, {f".{extension}"}):
        raise _refused(f"the content is no {extension.upper()} file")
    if extension != "pdf" and _RUNS.search(head) and b"<script" in head.lower():
        raise _refused("the picture contains a script")


def _check_text(data: bytes, extension: str) -> None:
    if b"\x00" in data:
        raise _refused("the content is not text: it contains NUL")
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _refused(f"byte {error.start + 1} is not UTF-8 text") from None
    if _RUNS.match(data.removeprefix(b"\xef\xbb\xbf")):
        raise _refused("the content is a web page, a drawing or a script, not plain text")
    if extension == "eml" and not _MAIL_HEADER.match(data):
        raise _refused("the content does not begin with the headers of a mail")


def _check_archive(path: Path, extension: str) -> None:
    try:
        with path.open("rb") as file:
            if file.read(4) != b"PK\x03\x04":
                raise _refused(f"the content is no {extension.upper()} file")
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            _check_members(members, path.stat().st_size)
            _check_kind(archive, extension)
            _unpack(archive, members)
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        NotImplementedError,
        RuntimeError,
        ValueError,
        OSError,
    ) as e:
        raise _refused(f"the {extension.upper()} file is damaged or encrypted") from e


def _check_members(members: list[zipfile.ZipInfo], size: int) -> None:
    if len(members) > MOST_MEMBERS:
        raise _refused(f"it holds {len(members):,} files, more than {MOST_MEMBERS:,}")
    if sum(m.compress_size for m in members) > size:
        raise _refused("its members overlap, as in a decompression bomb")
    if sum(m.file_size for m in members) > LARGEST_UNPACKED:
        raise _refused(f"it unpacks to more than {LARGEST_UNPACKED // 1024 // 1024} MB")
    seen = set()
    for member in members:
        # `filename` is what Python made of it; `orig_filename` is what the archive says.
        name = member.orig_filename
        parts = name.replace("\\", "/").split("/")
        if name.startswith(("/", "\\")) or ".." in parts or ":" in name or "\x00" in name:
            raise _refused(f"its member “{name[:80]!r}” would be unpacked elsewhere")
        if stat.S_ISLNK(member.external_attr >> 16):
            raise _refused(f"its member “{name[:80]}” is a link")
        if member.file_size > RATIO_FROM and member.file_size > HIGHEST_RATIO * max(member.compress_size, 1):
            raise _refused(
                "a member unpacks to more than a hundred times its size, as in a decompression bomb"
            )
        if name.lower() in seen:
            raise _refused(f"its member “{name[:80]}” comes twice")
        seen.add(name.lower())


def _check_kind(archive: zipfile.ZipFile, extension: str) -> None:
    names = archive.namelist()
    if any("vbaproject" in name.lower() or name.startswith(("Basic/", "Scripts/")) for name in names):
        raise _refused("it contains macros")
    if extension in OFFICE_PARTS:
        if "[Content_Types].xml" not in names or not any(
            n.startswith(OFFICE_PARTS[extension]) for n in names
        ):
            raise _refused(f"the content is no {extension.upper()} file")
    elif extension in OPEN_DOCUMENTS:
        first = archive.infolist()[0]
        wanted = MEDIA_TYPES[extension].encode()
        if first.filename != "mimetype" or first.file_size > 200 or archive.read(first) != wanted:
            raise _refused(f"the content is no {extension.upper()} file")
    else:
        for name in names:
            last = name.lower().rsplit(".", 1)[-1].strip()
            if last in RUNNABLE - {"xml"} or last in ARCHIVES:
                raise _refused(f"its member “{name[:80]}” is a program, a web page or another archive")


def _unpack(archive: zipfile.ZipFile, members: list[zipfile.ZipInfo]) -> None:
    """Read every member once, keeping nothing: sizes in the directory may lie."""
    left = LARGEST_UNPACKED
    for member in members:
        with archive.open(member) as content:
            while chunk := content.read(1024 * 1024):
                left -= len(chunk)
                if left < 0:
                    raise _refused(f"it unpacks to more than {LARGEST_UNPACKED // 1024 // 1024} MB")


def _refused(why: str) -> Invalid:
    message = f"This file cannot be taken: {why}. Attach the original document, as PDF if in doubt."
    return Invalid("file_content_refused", message, field="file")
