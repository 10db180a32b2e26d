"""Whether sudo would let Partwell do what it needs, asked without doing it."""

from __future__ import annotations

from partwell.connectors.ssh.changes import ASIDE, CLOSED_SINCE, Command
from partwell.connectors.ssh.reading import NOLOGIN
from partwell.connectors.ssh.shell import Shell

# A login that fits every pattern, whether or not anybody has it.
_WHO = "somebody"
_KEYS = f"/home/{_WHO}/.ssh/authorized_keys"
NEEDED: tuple[Command, ...] = (
    ("/usr/bin/chage", "-E", CLOSED_SINCE, "--", _WHO),
    ("/usr/bin/chage", "-E", "-1", "--", _WHO),
    ("/usr/sbin/usermod", "-s", NOLOGIN, "--", _WHO),
    ("/usr/sbin/usermod", "-s", "/bin/bash", "--", _WHO),
    ("/usr/sbin/usermod", "-L", "--", _WHO),
    ("/usr/sbin/usermod", "-U", "--", _WHO),
    ("/usr/bin/pkill", "-KILL", "-U", "1000"),
    ("/usr/bin/mv", "--backup=numbered", "-T", "--", _KEYS, _KEYS + ASIDE),
    ("/usr/bin/mv", "--backup=numbered", "-T", "--", _KEYS + ASIDE, _KEYS),
    ("/usr/bin/gpasswd", "-d", _WHO, "games"),
    ("/usr/bin/gpasswd", "-a", _WHO, "games"),
    ("/usr/bin/crontab", "-l", "-u", _WHO),
    ("/usr/bin/su", "-s", "/usr/bin/true", "--", _WHO),
)


async def missing_rights(shell: Shell) -> list[str]:
    """The commands that sudo would refuse, as one would type them."""
    missing = []
    for command in NEEDED:
        # 1: not allowed; what is allowed is printed.
        done = await shell.run("/usr/bin/sudo", "-n", "-l", "--", *command, expect=(0, 1))
        if done.status == 1:
            missing.append(" ".join(command))
    return missing
