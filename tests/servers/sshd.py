"""sshd on a free port of this machine, with real logins that are made for the tests and removed again."""

from __future__ import annotations

import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import asyncssh

from tests.servers.catalogue import find_program
from tests.servers.running import answers, free_port, running, wait_until

HOW_TO = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "connect-ssh.md"
_SUDOERS = Path("/etc/sudoers.d")
_numbers = count(1)


@dataclass
class SshdServer:
    """A running server. `prefix` begins the names of all logins and groups that are made here."""

    port: int
    prefix: str
    host_key: asyncssh.SSHKey
    service: str = ""
    service_key: str = ""
    logins: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    host: str = "localhost"

    @property
    def address(self) -> str:
        """As the connector's settings name it."""
        return f"{self.host}:{self.port}"

    @property
    def known_hosts(self) -> str:
        """The line that pins this server's key."""
        return f"[{self.host}]:{self.port} {public_line(self.host_key)}\n"

    def name(self) -> str:
        """A login's or a group's name that nobody has."""
        return f"{self.prefix}{next(_numbers)}"

    def add_login(
        self, name: str, *, comment: str = "", password: str = "*", shell: str = "/bin/bash"
    ) -> Path:
        """Make a login; its home. `password` is as /etc/shadow has it."""
        self.logins.append(name)
        run("useradd", "-m", "-s", shell, "-c", comment, "-p", password, name)
        return Path("/home") / name

    def add_group(self, name: str, *members: str) -> None:
        """Make a group with these logins in it."""
        self.groups.append(name)
        run("groupadd", name)
        for member in members:
            run("gpasswd", "-a", member, name)

    def let_in(self, name: str, key: asyncssh.SSHKey, *, file: str = "authorized_keys") -> Path:
        """Put a key where sshd looks for the login's; the file."""
        folder = Path("/home") / name / ".ssh"
        folder.mkdir(mode=0o700, exist_ok=True)
        path = folder / file
        path.write_text(f"# laptop\n{public_line(key)} {name}@laptop\n")
        path.chmod(0o600)
        for each in (folder, path):
            shutil.chown(each, name, name)
        return path

    async def connect(self, name: str, key: asyncssh.SSHKey) -> asyncssh.SSHClientConnection:
        """A connection signed in by this key, left open. Raises when sshd refuses."""
        return await asyncssh.connect(
            "127.0.0.1",
            self.port,
            username=name,
            client_keys=[key],
            known_hosts=None,
            config=None,
            agent_path=None,
            preferred_auth="publickey",
        )

    async def lets_in(self, name: str, key: asyncssh.SSHKey) -> bool:
        """Whether a new sign-in by this key can run something."""
        try:
            async with await self.connect(name, key) as connection:
                done = await connection.run("/bin/echo alive")
                return done.stdout == "alive\n"
        except (asyncssh.Error, OSError):
            return False

    async def connects(self, name: str, key: asyncssh.SSHKey) -> bool:
        """Whether sshd takes this key for a connection, whatever it may be used for."""
        try:
            (await self.connect(name, key)).abort()
        except (asyncssh.Error, OSError):
            return False
        return True

    def add_sudo_rule(self, name: str, text: str) -> Path:
        """Put a rule into a file of sudoers, checked before it counts."""
        path = _SUDOERS / name
        draft = path.with_suffix(".draft")  # sudo reads no file with a dot in its name
        draft.write_text(text)
        draft.chmod(0o440)
        try:
            run("visudo", "-cf", str(draft))
        except RuntimeError:
            draft.unlink()
            raise
        draft.rename(path)
        return path


def run(program: str, *arguments: str) -> str:
    """What a program prints. Waits while another changes the same files. Raises with its words."""
    command = [str(find_program(program)), *arguments]
    done: list[subprocess.CompletedProcess[str]] = []

    def is_over() -> bool:
        done.append(subprocess.run(command, capture_output=True, text=True, timeout=60, check=False))
        return done[-1].returncode == 0 or "lock" not in done[-1].stderr

    wait_until(is_over, seconds=30, what=f"{program} getting its turn")
    if done[-1].returncode:
        raise RuntimeError(f"{program} ended with {done[-1].returncode}: {done[-1].stderr}")
    return done[-1].stdout


def public_line(key: asyncssh.SSHKey) -> str:
    """The public half as authorized_keys and known_hosts have it."""
    return key.export_public_key().decode().strip()


def sudoers_of_the_how_to(login: str) -> str:
    """What the how-to puts into sudoers, for another login than `partwell`."""
    block = HOW_TO.read_text().split("```sudoers\n")[1].split("```")[0]
    return block.replace("PARTWELL_", f"{login.upper()}_").replace("partwell ALL", f"{login} ALL")


@contextmanager
def sshd(folder: Path) -> Iterator[SshdServer]:
    """A fresh server with Partwell's own login as the how-to makes it."""
    folder.mkdir(parents=True, exist_ok=True)
    host_key = asyncssh.generate_private_key("ssh-ed25519")
    key_file = folder / "host_key"
    key_file.write_bytes(host_key.export_private_key())
    key_file.chmod(0o600)
    port = free_port()
    config = folder / "sshd_config"
    config.write_text(
        f"""Port {port}
ListenAddress 127.0.0.1
HostKey {key_file}
PidFile none
UsePAM yes
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin no
MaxStartups 100
"""
    )
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    command = [str(find_program("sshd")), "-D", "-e", "-f", str(config)]
    server = SshdServer(port, f"pw{secrets.token_hex(3)}", host_key)
    with running(command, ready=lambda: answers("127.0.0.1", port), log=folder / "sshd.log"):
        try:
            _add_service(server)
            yield server
        finally:
            _remove(server)


def _add_service(server: SshdServer) -> None:
    key = asyncssh.generate_private_key("ssh-ed25519")
    server.service = server.name()
    server.service_key = key.export_private_key().decode()
    server.add_login(server.service, shell="/bin/sh")
    server.let_in(server.service, key)
    server.add_sudo_rule(server.service, sudoers_of_the_how_to(server.service))


def _remove(server: SshdServer) -> None:
    for path in _SUDOERS.glob(f"{server.prefix}*"):
        path.unlink()
    for name in server.logins:
        subprocess.run(["pkill", "-KILL", "-u", name], check=False, capture_output=True)
        wait_until(lambda name=name: _is_gone(name), seconds=30, what=f"{name} removed")  # type: ignore[misc]
    for name in server.groups:
        subprocess.run(["groupdel", name], check=False, capture_output=True)


def _is_gone(name: str) -> bool:
    """Remove a login, which a process that is just ending holds up."""
    done = subprocess.run(["userdel", "-r", name], check=False, capture_output=True)
    return done.returncode in (0, 6, 12)  # 6: there is no such login; 12: all but the home went
