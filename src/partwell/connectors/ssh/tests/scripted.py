"""Hosts that answer by script, over real SSH: what no healthy host says."""

from __future__ import annotations

import shlex
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import asyncssh

from partwell.connector_kit.contract import Connection
from partwell.connector_kit.secrets import ReferencedSecrets
from partwell.connector_kit.transport import Transport
from partwell.connectors.ssh.connector import CONNECTOR, SshConnector
from partwell.connectors.ssh.tests.world import LOOPBACK

KEY = asyncssh.generate_private_key("ssh-ed25519")
HANGS = (-9, "", "")

Answer = tuple[int, str, str]
_NO_FILE = (1, "", "/usr/bin/stat: cannot statx '.ssh': No such file or directory\n")
HEALTHY: Mapping[str, Answer] = {
    "getent passwd": (
        0,
        "root:x:0:0:root:/root:/bin/bash\n"
        "partwell:x:998:998::/home/partwell:/bin/sh\n"
        "ana:x:1001:1001:Ana Lima:/home/ana:/bin/bash\n",
        "",
    ),
    "getent passwd --": (2, "", ""),
    "getent group": (0, "root:x:0:\nana:x:1001:\nsudo:x:27:partwell\nteam:x:2000:ana\n", ""),
    "cut": (0, "root:\npartwell:\nana:\n", ""),
    "cat": (0, "# limits\nUID_MIN\t\t1000\nUID_MAX\t\t60000\n", ""),
    "id": (0, "1001 2000\n", ""),
    "passwd": (0, "ana P 2026-01-01 0 99999 7 -1\n", ""),
    "sudo": (0, "User ana is not allowed to run sudo on web-1.\n", ""),
    "stat": _NO_FILE,
    "ps": (1, "", ""),
    "crontab": (1, "", "no crontab for ana\n"),
}


@dataclass
class ScriptedHost:
    """Answers each command as `answers` says, and keeps what it was asked in `asked`."""

    answers: dict[str, Answer]
    asked: list[list[str]] = field(default_factory=list)
    signed_in: int = 0
    by_sudo: int = 0
    port: int = 0
    key: asyncssh.SSHKey = field(default_factory=lambda: asyncssh.generate_private_key("ssh-ed25519"))

    @property
    def writes(self) -> list[str]:
        """The programs that were run and would change something."""
        programs = [words[0].rpartition("/")[2] for words in self.asked]
        return [each for each in programs if each in ("chage", "usermod", "pkill", "mv", "gpasswd")]

    async def answer(self, process: Any) -> None:
        """Answer one command."""
        words = shlex.split(process.command)
        assert words[:2] == ["/usr/bin/env", "LC_ALL=C"]
        words = words[2:]
        if words[:3] == ["/usr/bin/sudo", "-n", "--"]:
            words = words[3:]
            self.by_sudo += 1
        self.asked.append(words)
        status, out, err = self.answers.get(_key(words), (0, "", ""))
        if (status, out, err) == HANGS:
            await process.wait_closed()
            return
        process.stdout.write(out)
        process.stderr.write(err)
        process.exit(status)


def _key(words: list[str]) -> str:
    program = words[0].rpartition("/")[2]
    if program != "getent":
        return program
    return " ".join(["getent", words[1], *(["--"] if "--" in words else [])])


@asynccontextmanager
async def scripted(
    *, authority: asyncssh.SSHKey | None = None, **changes: Answer
) -> AsyncIterator[ScriptedHost]:
    """A healthy host on which `ana` has an account, but for what is changed (blanks as underscores). An
    `authority` signs its key, for the name web-1."""
    host = ScriptedHost({**HEALTHY, **{name.replace("_", " "): answer for name, answer in changes.items()}})

    class Server(asyncssh.SSHServer):
        def begin_auth(self, username: str) -> bool:
            return True

        def auth_completed(self) -> None:
            host.signed_in += 1

    certificates = []
    if authority is not None:
        certificates = [authority.generate_host_certificate(host.key, "web-1", principals=["web-1"])]
    listener = await asyncssh.listen(
        "127.0.0.1",
        0,
        server_factory=Server,
        server_host_keys=[host.key],
        server_host_certs=certificates,
        authorized_client_keys=asyncssh.import_authorized_keys(KEY.export_public_key().decode()),
        process_factory=host.answer,
    )
    host.port = listener.get_port()
    try:
        yield host
    finally:
        listener.close()
        await listener.wait_closed()


def connect_to(hosts: Mapping[str, ScriptedHost | int], **settings: Any) -> SshConnector:
    """A connection to these, by name; a number is a port on which nobody answers."""
    ports = {name: each if isinstance(each, int) else each.port for name, each in hosts.items()}
    lines = [
        f"[{name}]:{each.port} {each.key.export_public_key().decode().strip()}"
        for name, each in hosts.items()
        if isinstance(each, ScriptedHost)
    ]
    return CONNECTOR(
        Connection(
            name="servers",
            settings={
                "hosts": [f"{name}:{port}" for name, port in ports.items()],
                "known_hosts": "\n".join(lines) + "\n",
                "user": "partwell",
                "private_key": "env:SSH_KEY",
                "timeout_seconds": 5,
                **settings,
            },
            secrets=ReferencedSecrets({"SSH_KEY": KEY.export_private_key().decode()}),
            transport=Transport(LOOPBACK, resolver=lambda host, port: ["127.0.0.1"]),
            now=lambda: datetime(2026, 11, 27, 16, 30, tzinfo=UTC),
        )
    )
