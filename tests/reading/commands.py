"""Commands that only read, played as somebody in a practice installation."""

from __future__ import annotations

from functools import lru_cache

from typer import Typer
from typer.testing import CliRunner

from partwell.cli import main
from tests.reading.readers import Reader

# {} stands for the id of a departure.
COMMANDS = (
    ("journeys", "list", "--all"),
    ("journeys", "show", "{}"),
    ("steps", "list", "{}"),
    ("guests", "list", "{}"),
    ("systems", "list"),
    ("receivers", "list"),
    ("receivers", "signals", "gateway"),
    ("tokens", "list"),
)
EXPORTS = (("people", "export"), ("clients", "export"), ("contracts", "export"))


@lru_cache(maxsize=1)
def _program() -> Typer:
    main.load_commands()
    return main.app


def said(reader: Reader, *words: str) -> str:
    """All that a command says to somebody: its answer, its talk and its exit code."""
    assert reader.user is not None
    done = CliRunner().invoke(_program(), [*words, "--as", reader.user.email])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return f"{done.stdout}\n{done.stderr}\n{done.exit_code}"
