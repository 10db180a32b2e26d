"""What is asked of a host, and what it answers: commands, told apart from how they get there."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

_NOT_INSTALLED = 127
_SUDO = ("/usr/bin/sudo", "-n", "--")
# What the sudo policy says when it does not let us, in the C locale.
_SUDO_REFUSALS = ("a password is required", "not allowed to", "may not run", "is not in the sudoers")


@dataclass(frozen=True)
class Done:
    """What a command came to."""

    status: int
    out: str
    err: str

    @property
    def is_not_installed(self) -> bool:
        """Whether the host has no such program."""
        return self.status == _NOT_INSTALLED or (
            self.err.startswith("sudo: ") and self.err.rstrip().endswith("command not found")
        )


class Shell(Protocol):
    """A signed-in connection to one host, on which commands are run."""

    async def run(
        self, *argv: str, as_root: bool = False, expect: Sequence[int] = (0,), optional: bool = False
    ) -> Done:
        """Run one command, with each argument as it is. Any exit status but those expected raises;
        `optional` lets a program be missing."""
        ...

    async def change(self, *argv: str, expect: Sequence[int] = (0,)) -> bool:
        """Run one command as root that changes something. False in a dry run, which shows it."""
        ...


@dataclass(frozen=True)
class SignIn:
    """Who signs in, by which key, to hosts with which keys."""

    user: str
    private_key: str
    known_hosts: str
    timeout: float

    def __repr__(self) -> str:
        return f"SignIn({self.user})"


def is_refused_by_sudo(said: str) -> bool:
    """Whether sudo, rather than the program, is what ended."""
    return any(
        line.startswith(("sudo: ", "Sorry, user ")) or "is not in the sudoers" in line
        for line in said.splitlines()
        if any(each in line for each in _SUDO_REFUSALS)
    )


def command_line(argv: Sequence[str], *, by_sudo: bool) -> str:
    """What sshd hands to the login's shell: every word quoted, in the plain locale."""
    return shlex.join(["/usr/bin/env", "LC_ALL=C", *(_SUDO if by_sudo else ()), *argv])
