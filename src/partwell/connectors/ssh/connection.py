"""asyncssh behind errors of our own: sign in to one host, run commands. The only file that knows asyncssh.

Host keys are pinned by the settings and never learned. No configuration, agent or key of the machine that
Partwell runs on is used, and nothing of the host comes back but what commands print.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncssh

from partwell.connector_kit.calls import Call
from partwell.connector_kit.contract import ConnectorError, ErrorKind
from partwell.connector_kit.transport import Pinned
from partwell.connectors.ssh.shell import Done, SignIn, command_line, is_refused_by_sudo

# At INFO it logs every command, with logins in it.
asyncssh.set_log_level(logging.WARNING)

MAX_OUTPUT_BYTES = 4 * 1024 * 1024
_CHUNK = 64 * 1024


class SshShell:
    """A connection to a real host."""

    def __init__(
        self,
        connection: Any,
        host: str,
        *,
        is_root: bool,
        timeout: float,
        may_write: Callable[[Call], bool],
    ) -> None:
        self._connection = connection
        self._host = host
        self._is_root = is_root
        self._timeout = timeout
        self._may_write = may_write

    async def run(
        self, *argv: str, as_root: bool = False, expect: Sequence[int] = (0,), optional: bool = False
    ) -> Done:
        """As `Shell.run`. Raises `ConnectorError` only, with the program's name and never its output."""
        command = command_line(argv, by_sudo=as_root and not self._is_root)
        try:
            async with asyncio.timeout(self._timeout):
                done = await self._read(command)
        except TimeoutError:
            raise self._failed(argv, f"did not end within {self._timeout:g} seconds") from None
        except (asyncssh.Error, OSError) as error:
            raise self._failed(argv, f"broke off ({type(error).__name__})") from None
        said = _first_line(done.err)
        # Before the status is looked at: a refusal ends with 1, as "there is none" does.
        if done.status and as_root and is_refused_by_sudo(done.err):
            raise ConnectorError(ErrorKind.DENIED, f"sudo does not let Partwell run {argv[0]} there.")
        if done.status in expect or (optional and done.is_not_installed):
            return done
        raise self._failed(argv, f"ended with {done.status}: {said}" if said else f"ended with {done.status}")

    async def change(self, *argv: str, expect: Sequence[int] = (0,)) -> bool:
        """As `Shell.change`."""
        if not self._may_write(Call("run", self._host, command_line(argv, by_sudo=not self._is_root))):
            return False
        await self.run(*argv, as_root=True, expect=expect)
        return True

    async def _read(self, command: str) -> Done:
        async with self._connection.create_process(command, encoding=None, stdin=asyncssh.DEVNULL) as process:
            out, err = await asyncio.gather(self._whole(process.stdout), self._whole(process.stderr))
            await process.wait_closed()
            status = process.exit_status
        # Killed by a signal, or cut off before it could say how it ended.
        return Done(-1 if status is None else int(status), out, err)

    async def _whole(self, reader: Any) -> str:
        read = bytearray()
        while chunk := await reader.read(_CHUNK):
            read += chunk
            if len(read) > MAX_OUTPUT_BYTES:
                raise ConnectorError(ErrorKind.RETRYABLE, f"it sent more than {MAX_OUTPUT_BYTES} bytes.")
        return read.decode("utf-8", errors="replace")

    def _failed(self, argv: Sequence[str], how: str) -> ConnectorError:
        return ConnectorError(ErrorKind.RETRYABLE, f"{argv[0]} {how}.")


@asynccontextmanager
async def signed_in(
    pinned: Pinned, host: str, sign_in: SignIn, may_write: Callable[[Call], bool]
) -> AsyncIterator[SshShell]:
    """A connection to the host at the addresses that were checked. Raises `ConnectorError` only."""
    connection = await _open(pinned, sign_in)
    try:
        yield SshShell(
            connection,
            host,
            is_root=sign_in.user == "root",
            timeout=sign_in.timeout,
            may_write=may_write,
        )
    finally:
        connection.abort()


async def _open(pinned: Pinned, sign_in: SignIn) -> Any:
    try:
        key = asyncssh.import_private_key(sign_in.private_key + "\n")
        known = asyncssh.import_known_hosts(sign_in.known_hosts)
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError):
        raise ConnectorError(
            ErrorKind.INVALID,
            "Partwell's private key cannot be read: it has to be OpenSSH or PEM, unencrypted.",
        ) from None
    except ValueError:
        raise ConnectorError(ErrorKind.INVALID, "'known_hosts' holds a line that cannot be read.") from None
    failure: Exception | None = None
    for address in pinned.addresses:
        try:
            return await asyncssh.connect(
                address,
                pinned.port,
                # Keys are looked up by the name that people wrote, whatever address it has.
                host_key_alias=pinned.host,
                known_hosts=known,
                username=sign_in.user,
                client_keys=[key],
                preferred_auth="publickey",
                disable_trivial_auth=True,
                config=None,
                agent_path=None,
                gss_host=None,
                connect_timeout=sign_in.timeout,
                login_timeout=sign_in.timeout,
            )
        except (asyncssh.Error, OSError, TimeoutError) as error:
            failure = error
            if isinstance(error, asyncssh.Error):
                break  # the host answered: another address is not another answer
    raise _refused(failure, sign_in.user)


def _refused(error: Exception | None, user: str) -> ConnectorError:
    if isinstance(error, asyncssh.HostKeyNotVerifiable):
        return ConnectorError(
            ErrorKind.DENIED, "it shows a host key that 'known_hosts' does not pin; nothing was done."
        )
    if isinstance(error, asyncssh.PermissionDenied):
        return ConnectorError(ErrorKind.DENIED, f"it does not let Partwell in as {user} by its key.")
    if isinstance(error, asyncssh.KeyExchangeFailed):
        return ConnectorError(
            ErrorKind.DENIED,
            "it and Partwell have no safe algorithm in common, or its key is not pinned.",
        )
    return ConnectorError(ErrorKind.RETRYABLE, f"it could not be reached ({type(error).__name__}).")


def _first_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[0][:200] if lines else ""
