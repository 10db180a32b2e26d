"""Finding the operator's declarations on disk, and refusing files that others could have written.

In the folder, each `NAME.yaml` is one declaration, and so is `NAME/connector.yaml` with what belongs to it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from partwell.yaml_text import MAX_BYTES, Problem

ENTRY = "connector.yaml"
ENDINGS = (".yaml", ".yml")


def declarations_in(folder: Path) -> Iterator[Path]:
    """The declarations of a folder, by name; or the one that `folder` itself is or holds."""
    if folder.is_file():
        yield folder
    elif (folder / ENTRY).is_file():
        yield folder / ENTRY
    elif folder.is_dir():
        for path in sorted(folder.iterdir()):
            if path.is_file() and path.suffix in ENDINGS:
                yield path
            elif path.is_dir() and (path / ENTRY).is_file():
                yield path / ENTRY


def text_in(path: Path) -> tuple[str, list[Problem]]:
    """The text of a declaration, or why it is not read."""
    content, problems = content_of(path, limit=MAX_BYTES)
    if problems:
        return "", problems
    try:
        return content.decode("utf-8"), []
    except UnicodeDecodeError:
        return "", [Problem(str(path), 1, "", "The file is not UTF-8 text.")]


def content_of(path: Path, *, limit: int) -> tuple[bytes, list[Problem]]:
    """What a file holds, if nobody but its owner can have written it, and the owner is root or we."""
    try:
        with path.open("rb") as file:
            problem = _why_untrusted(os.fstat(file.fileno()), "file") or _why_untrusted(
                path.resolve().parent.stat(), "folder"
            )
            content = file.read(limit + 1)
    except OSError as error:
        return b"", [Problem(str(path), 1, "", f"It cannot be read: {error.strerror}.")]
    if not problem and len(content) > limit:
        problem = f"It is larger than {limit // 1024} KB."
    return (b"", [Problem(str(path), 1, "", problem)]) if problem else (content, [])


def problem_with(path: Path) -> str:
    """Why a file that is run, but is no part of a declaration, cannot be trusted; empty when it can."""
    try:
        return _why_untrusted(path.stat(), "file") or _why_untrusted(path.resolve().parent.stat(), "folder")
    except OSError as error:
        return f"It cannot be looked at: {error.strerror}."


def _why_untrusted(found: os.stat_result, what: str) -> str:
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return (
            f"Others than its owner may write this {what} (mode {stat.S_IMODE(found.st_mode):04o}). "
            "Take that away: chmod go-w."
        )
    if found.st_uid not in (0, os.geteuid()):
        return f"This {what} belongs to another user than root and the one that Partwell runs as."
    return ""
