"""A file that somebody uploaded and looked through, kept until they say that it shall apply.

It lies in the data folder, readable by the server alone, under the user and what it is for; a new one
replaces it, and after an hour it is gone. What applies is the very file that was shown: its digest says so.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings

from partwell.refusals import Conflict

KEPT_FOR = timedelta(hours=1)


def keep(*, user_id: int, kind: str, data: bytes, now: datetime) -> str:
    """Keep the file for its second step; returns its digest."""
    folder = _folder()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _forget_old(folder, now)
    handle, draft = tempfile.mkstemp(dir=folder)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
    Path(draft).replace(_path(user_id, kind))
    return hashlib.sha256(data).hexdigest()


def take(*, user_id: int, kind: str, digest: str) -> bytes:
    """The file that was looked through. Raises `Conflict` when it is gone, or is another by now."""
    try:
        data = _path(user_id, kind).read_bytes()
    except FileNotFoundError:
        data = b""
    if not data or hashlib.sha256(data).hexdigest() != digest:
        raise Conflict(
            "file_gone", "The file you looked at is not kept any more. Choose it again.", field="file"
        )
    return data


def forget(*, user_id: int, kind: str) -> None:
    """Drop the file, because it was applied."""
    _path(user_id, kind).unlink(missing_ok=True)


def _folder() -> Path:
    return Path(settings.DATA_DIR) / "checked"


def _path(user_id: int, kind: str) -> Path:
    return _folder() / f"{kind}-{user_id}.csv"


def _forget_old(folder: Path, now: datetime) -> None:
    for path in folder.iterdir():
        try:
            if path.stat().st_mtime < (now - KEPT_FOR).timestamp():
                path.unlink()
        except FileNotFoundError:
            continue  # another process was tidying as well
