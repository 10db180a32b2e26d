"""Taking files in, handing them out, and checking that they are still what they were."""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, BinaryIO

from django.conf import settings
from django.db import transaction
from django.utils.http import content_disposition_header

from partwell.documents.contents import check_content
from partwell.documents.models import StoredFile
from partwell.documents.names import MEDIA_TYPES, check_name
from partwell.evidence.operations import record
from partwell.refusals import Conflict, Invalid

LARGEST_BYTES = 25 * 1024 * 1024
CHUNK = 1024 * 1024


@dataclass(frozen=True)
class FileProblem:
    """A stored file whose bytes are gone, or are no longer those that were stored."""

    sha256: str
    problem: str


def store_file(*, name: str, stream: IO[bytes], actor_label: str, now: datetime) -> StoredFile:
    """Check and keep a file; equal bytes are kept once. The caller, who knows what it is for, authorises.

    Raises `Invalid` for a name, type, size or content that is not taken; then nothing is kept.
    """
    name, extension = check_name(name)
    folder = Path(settings.MEDIA_ROOT)
    folder.mkdir(parents=True, exist_ok=True)
    handle, arriving = tempfile.mkstemp(dir=folder, prefix=".arriving-")
    try:
        with os.fdopen(handle, "wb") as target:
            digest, size = _copy(stream, target)
        check_content(Path(arriving), extension)
        with transaction.atomic():
            _keep(Path(arriving), digest)
            stored = StoredFile.objects.create(
                name=name,
                media_type=MEDIA_TYPES[extension],
                size=size,
                sha256=digest,
                stored_at=now,
                stored_by=actor_label[:300],
            )
            # Neither name nor purpose: those belong to the departure's own scope, not to this one.
            fields = {"file_id": str(stored.pk), "sha256": digest, "size": size}
            record("file.stored", scope="documents", actor=actor_label, at=now, fields=fields)
        return stored
    finally:
        Path(arriving).unlink(missing_ok=True)


def open_file(stored: StoredFile) -> BinaryIO:
    """The bytes, for reading. Raises `Conflict` when they are gone from the disk."""
    try:
        return _path(stored.sha256).open("rb")
    except FileNotFoundError:
        raise Conflict(
            "file_missing", f"The content of “{stored.name}” is gone from the disk. Restore it from a backup."
        ) from None


def download_headers(stored: StoredFile) -> dict[str, str]:
    """Headers with which a browser saves the file and never shows or runs it here."""
    return {
        "Content-Type": stored.media_type,
        "Content-Length": str(stored.size),
        "Content-Disposition": content_disposition_header(True, stored.name) or "attachment",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Cache-Control": "private, no-store",
    }


def verify_files() -> list[FileProblem]:
    """Read every stored file and compare its digest; the problems, none when all is well."""
    problems = []
    digests = StoredFile.objects.order_by("sha256").values_list("sha256", flat=True).distinct()
    for sha256 in digests.iterator():
        try:
            with _path(sha256).open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except FileNotFoundError:
            problems.append(FileProblem(sha256, "missing"))
        else:
            if found != sha256:
                problems.append(FileProblem(sha256, "changed"))
    return problems


def _path(sha256: str) -> Path:
    return Path(settings.MEDIA_ROOT) / sha256[:2] / sha256


def _copy(stream: IO[bytes], target: BinaryIO) -> tuple[str, int]:
    """Copy to the disk, and be sure that it is there; digest and size."""
    digest, size = hashlib.sha256(), 0
    while chunk := stream.read(CHUNK):
        size += len(chunk)
        if size > LARGEST_BYTES:
            limit = LARGEST_BYTES // 1024 // 1024
            raise Invalid(
                "file_too_large",
                f"The file has more than {limit} MB. Make it smaller, or link to it.",
                field="file",
            )
        digest.update(chunk)
        target.write(chunk)
    if not size:
        raise Invalid("file_empty", "The file is empty. Attach the one with content.", field="file")
    target.flush()
    os.fsync(target.fileno())
    return digest.hexdigest(), size


def _keep(arriving: Path, sha256: str) -> None:
    """Move the file to its place. Equal bytes replace each other, which also mends a damaged copy."""
    place = _path(sha256)
    place.parent.mkdir(exist_ok=True)
    arriving.replace(place)
    folder = os.open(place.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
