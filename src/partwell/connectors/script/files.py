"""The files that belong to a script: all that is in its folder. They count in the digest, and are looked at
again before each start, so that what runs is what was read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from partwell.connector_kit.declared_files import ENTRY, content_of, problem_with
from partwell.yaml_text import Problem

MOST_FILES = 200
LARGEST_FILE = 4 * 1024 * 1024


def mistakes_in(folder: Path, command: list[str]) -> Iterator[str]:
    """What is wrong with the files of a script."""
    files = list(files_of(folder))
    if len(files) > MOST_FILES:
        yield f"There are more than {MOST_FILES} files in {folder}: a script stands in a folder of its own."
        return
    for path in files:
        yield from (f"{path.relative_to(folder)}: {problem.message}" for problem in _problems(path))
    for word in (word for word in command if word.startswith("./")):
        if ".." in Path(word).parts or not (folder / word).is_file():
            yield f"There is no file “{word}” in {folder}."
    program = program_of(folder, command)
    if not program.is_absolute():
        yield f"“{command[0]}”: write a whole path, as in /usr/bin/env, or ./NAME of a file beside this one."
    elif not program.is_file():
        yield f"There is no program {program}."
    elif not program.stat().st_mode & 0o111:
        yield f"{program} cannot be executed: chmod +x."
    elif not command[0].startswith("./") and (problem := problem_with(program)):
        yield f"{program}: {problem}"


def program_of(folder: Path, command: list[str]) -> Path:
    """What is started."""
    return folder.resolve() / command[0] if command[0].startswith("./") else Path(command[0])


def argv_of(folder: Path, command: list[str]) -> tuple[str, ...]:
    """The command, with the places of its own files."""
    whole = folder.resolve()
    return tuple(str(whole / word[2:]) if word.startswith("./") else word for word in command)


def files_of(folder: Path) -> Iterator[Path]:
    """All files beside the declaration, in order, its own left out."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path != folder / ENTRY:
            yield path


def contents(folder: Path) -> Iterator[bytes]:
    """Name and content of each file, for the digest."""
    for path in files_of(folder):
        yield str(path.relative_to(folder)).encode()
        yield path.read_bytes()


def seal_of(folder: Path) -> str:
    """A digest over the files as they are now."""
    seal = hashlib.sha256()
    for part in contents(folder):
        seal.update(hashlib.sha256(part).digest())
    return seal.hexdigest()


def _problems(path: Path) -> list[Problem]:
    return content_of(path, limit=LARGEST_FILE)[1]
