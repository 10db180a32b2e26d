"""One question to a command: a process without a shell, with little around it, and never left running."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import Any

from partwell.connector_kit.contract import ConnectorError, ErrorKind

PATH = "/usr/local/bin:/usr/bin:/bin"
KEPT_OF_STDERR = 64 * 1024
SHOWN_OF_STDERR = 300
_CHUNK = 65536


@dataclass(frozen=True)
class Command:
    """What to start, and within what bounds."""

    argv: tuple[str, ...]
    environment: Mapping[str, str]
    timeout_seconds: float
    largest_answer: int


async def ask(command: Command, question: Mapping[str, Any], *, secrets: Mapping[str, str]) -> Any:
    """The JSON that the command prints. `secrets` are variables by name.

    Raises RETRYABLE when it cannot be started, is too slow, prints too much or no JSON, or ends with anything
    but 0: whether it did something is then unknown. Its whole process group is killed in every case.
    """
    loop = asyncio.get_running_loop()
    with TemporaryDirectory(prefix="partwell-script-", ignore_cleanup_errors=True) as folder:
        environment = {
            "PATH": PATH,
            "LANG": "C.UTF-8",
            "HOME": folder,
            "TMPDIR": folder,
            "PYTHONDONTWRITEBYTECODE": "1",
            **command.environment,
            **secrets,
        }
        try:
            transport, protocol = await loop.subprocess_exec(
                lambda: asyncio.subprocess.SubprocessStreamProtocol(limit=_CHUNK, loop=loop),
                *command.argv,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                cwd=folder,
                env=environment,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or type(error).__name__
            raise _failed(f"The command could not be started: {why}.") from None
        process = asyncio.subprocess.Process(transport, protocol, loop)
        talk = asyncio.gather(
            _read(process.stdout, command.largest_answer),
            _drain(process.stderr),
            _write(process.stdin, question),
        )
        try:
            async with asyncio.timeout(command.timeout_seconds):
                answer, said, _ = await talk
                code = await process.wait()
        except TimeoutError:
            raise _failed(
                f"The command did not answer within {command.timeout_seconds:g} seconds, and was stopped."
            ) from None
        finally:
            talk.cancel()
            await _stop(process)
            # A child that hid from the group may hold the pipes: they are let go of here.
            transport.close()
            await asyncio.sleep(0)
    if code != 0:
        words = shown(said, secrets)
        ended = f"was ended by signal {-code}" if code < 0 else f"ended with {code}"
        raise _failed(f"The command {ended}" + (f": {words}" if words else "."))
    try:
        return json.loads(answer)
    except (ValueError, RecursionError):
        raise _failed("What the command printed is not JSON.") from None


def shown(text: bytes | str, secrets: Mapping[str, str]) -> str:
    """What may be shown of a command's words: no secret, one line, not much of it."""
    plain = text.decode("utf-8", errors="replace") if isinstance(text, bytes) else text
    for secret in sorted(filter(None, secrets.values()), key=len, reverse=True):
        plain = plain.replace(secret, "•••")
    plain = " ".join("".join(c if c.isprintable() else " " for c in plain).split())
    return plain if len(plain) <= SHOWN_OF_STDERR else plain[: SHOWN_OF_STDERR - 1] + "…"


async def _read(stream: asyncio.StreamReader | None, largest: int) -> bytes:
    assert stream is not None  # noqa: S101 - asked for as a pipe
    content = bytearray()
    while chunk := await stream.read(_CHUNK):
        content += chunk
        if len(content) > largest:
            raise _failed(f"The command printed more than {largest // 1024} KB, and was stopped.")
    return bytes(content)


async def _drain(stream: asyncio.StreamReader | None) -> bytes:
    assert stream is not None  # noqa: S101
    kept = bytearray()
    while chunk := await stream.read(_CHUNK):
        kept += chunk[: KEPT_OF_STDERR - len(kept)]
    return bytes(kept)


async def _write(stream: asyncio.StreamWriter | None, question: Mapping[str, Any]) -> None:
    assert stream is not None  # noqa: S101
    # A command may answer without reading; what it answers is looked at all the same.
    with suppress(BrokenPipeError, ConnectionResetError):
        stream.write(json.dumps(question, ensure_ascii=False).encode() + b"\n")
        await stream.drain()
        stream.close()
        await stream.wait_closed()


async def _stop(process: asyncio.subprocess.Process) -> None:
    """Kill the process group, its children included, and wait for its end."""
    # All of it ended already, or it belongs to another user by now (sudo).
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    if process.returncode is None:
        # One that cannot be killed is left: the answer is a failure already.
        with suppress(TimeoutError):
            async with asyncio.timeout(5):
                await process.wait()


def _failed(message: str) -> ConnectorError:
    return ConnectorError(ErrorKind.RETRYABLE, message)
