"""A console at an installation of its own: `partwell …` as real processes, what they print, how they exit.

Starting Python and Django takes seconds, so a first process imports the program once and is forked for each
command: every command is a process with its own connection to the database, as at a real console.
`Console.cold` starts the program from nothing, as people do.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

PARTWELL = [sys.executable, "-m", "partwell.cli"]
LONGEST_SECONDS = 120
ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Said:
    """What one command printed, and its exit code."""

    words: tuple[str, ...]
    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """The one JSON object that it printed."""
        assert self.out.strip().count("\n") == 0, f"more than one line: {self.out}"
        return json.loads(self.out)


class Console:
    """The commands of one installation, whose data are in `folder`."""

    def __init__(self, folder: Path, settings: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.environment = {
            **{name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"},
            "PARTWELL_DATA_DIR": str(folder),
            "PARTWELL_LOG_LEVEL": "WARNING",
            **(settings or {}),
        }
        self._server: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._server is not None:
            assert self._server.stdin is not None
            self._server.stdin.close()
            self._server.wait(timeout=LONGEST_SECONDS)

    def run(self, *words: str, expect: int | None = 0) -> Said:
        """Run `partwell` with these words and assert its exit code, unless any will do (None)."""
        if self._server is None:
            self._server = subprocess.Popen(
                [sys.executable, "-m", "tests.console"],
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        assert self._server.stdin is not None and self._server.stdout is not None
        self._server.stdin.write(json.dumps(words) + "\n")
        self._server.stdin.flush()
        line = self._server.stdout.readline()
        assert line, "the console ended"
        said = Said(words=words, **json.loads(line))
        assert expect in (said.code, None), (
            f"partwell {' '.join(words)} → {said.code}\n{said.out}\n{said.err}"
        )
        return said

    def ask(self, *words: str, expect: int = 0) -> Any:
        """As `run`, with `--json`: the object that was printed."""
        return self.run(*words, "--json", expect=expect).data

    def refused(self, *words: str, code: int = 1) -> dict[str, str]:
        """As `ask`, for a command that is refused: what it says under `error`."""
        error: dict[str, str] = self.ask(*words, expect=code)["error"]
        assert set(error) == {"code", "field", "message"} and error["message"]
        return error

    def cold(self, *words: str, expect: int = 0) -> Said:
        """Run the program from nothing, through its own entry point."""
        done = subprocess.run(
            [*PARTWELL, *words],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=LONGEST_SECONDS,
        )
        assert done.returncode == expect, f"{words} → {done.returncode}\n{done.stdout}\n{done.stderr}"
        return Said(words, done.returncode, done.stdout, done.stderr)

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """Start a command that goes on, such as `worker`; its talk goes to `worker.log` in the folder."""
        with (self.folder / f"{words[0]}.log").open("ab") as log:
            return subprocess.Popen(
                [*PARTWELL, *words],
                env={**self.environment, "PARTWELL_LOG_LEVEL": "INFO"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )


def _serve() -> None:
    """Fork for each line of words on stdin; answer with one line that says what the child did."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "partwell.config.settings"
    import django

    django.setup()

    import partwell.cli

    for module in pkgutil.iter_modules(partwell.cli.__path__):
        if module.name != "__main__":
            importlib.import_module(f"partwell.cli.{module.name}")
    import dbos  # noqa: F401 - commands import it when they first need it, which takes a second each time

    for line in sys.stdin:
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            child = os.fork()
            if child == 0:
                os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
                os.dup2(out.fileno(), 1)
                os.dup2(err.fileno(), 2)
                os._exit(_command(json.loads(line)))
            _, status = os.waitpid(child, 0)
            for file in (out, err):
                file.seek(0)
            said = {"code": os.waitstatus_to_exitcode(status), "out": out.read(), "err": err.read()}
        print(json.dumps(said), flush=True)


def _command(words: list[str]) -> int:
    from partwell.cli import main

    sys.argv = ["partwell", *words]
    try:
        main.run()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except BaseException:
        traceback.print_exc()
        code = 1
    else:
        code = 0
    sys.stdout.flush()
    sys.stderr.flush()
    return code


if __name__ == "__main__":
    _serve()
