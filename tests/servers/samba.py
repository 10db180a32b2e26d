"""Samba as an Active Directory domain controller, on a loopback address of its own: its ports are fixed.

Making a domain takes seconds, so it is made once per machine and Samba version and copied for each run.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import ldap3
from ldap3.protocol.formatters.formatters import format_sid

from tests.servers.catalogue import find_program
from tests.servers.running import answers, running

HOST = "127.0.0.77"
REALM, BASE_DN = "PARTWELL.TEST", "dc=partwell,dc=test"
USERS_DN = f"CN=Users,{BASE_DN}"
ADMIN, ADMIN_PASSWORD = "administrator@partwell.test", "Passw0rd.of.the.Tests"
_SERVICES = "ldap, kdc, cldap, rpc"
_PORTS = (389, 636, 88)
_NORMAL_ACCOUNT, _WORKSTATION = 512, 4096
# Identifiers in Active Directory's schema.
_USER, _GROUP = "bf967aba-0de6-11d0-a285-00aa003049e2", "bf967a9c-0de6-11d0-a285-00aa003049e2"
_ACCOUNT_CONTROL = "bf967a68-0de6-11d0-a285-00aa003049e2"
_MEMBER = "bf9679c0-0de6-11d0-a285-00aa003049e2"


@dataclass(frozen=True)
class SambaServer:
    """A running domain controller. Plain LDAP is open to tests; StartTLS and LDAPS verify by `ca_file`."""

    folder: Path
    host: str = HOST

    @property
    def url(self) -> str:
        return f"ldap://{self.host}"

    def connect(self, user: str, password: str) -> ldap3.Connection:
        """A connection signed in as `user` (name@realm or DN), left open. Raises when it is refused."""
        server = ldap3.Server(self.host, get_info=ldap3.NONE, connect_timeout=5)
        return ldap3.Connection(
            server,
            user,
            password,
            auto_bind=True,
            raise_exceptions=True,
            check_names=False,
            receive_timeout=10,
        )

    def try_bind(self, login: str, password: str) -> bool:
        """Whether a new sign-in as `login` (a sAMAccountName) with this password works."""
        server = ldap3.Server(self.host, get_info=ldap3.NONE, connect_timeout=5)
        connection = ldap3.Connection(server, f"{login}@partwell.test", password, receive_timeout=10)
        try:
            return connection.bind()
        finally:
            connection.unbind()

    def add_person(
        self, login: str, mail: str, *, password: str = "Correct.Horse.7", employee_number: str = ""
    ) -> str:
        """Add an enabled person and return the DN."""
        dn = f"CN={login},{USERS_DN}"
        attributes = {
            "sAMAccountName": login,
            "userPrincipalName": f"{login}@partwell.test",
            "mail": mail,
            "displayName": login.title(),
            "userAccountControl": _NORMAL_ACCOUNT,
            # AD takes a password only as UTF-16 in quotes, and only over TLS
            "unicodePwd": f'"{password}"'.encode("utf-16-le"),
        }
        if employee_number:
            attributes["employeeNumber"] = employee_number
        with self._admin_over_tls() as admin:
            admin.add(dn, ["top", "person", "organizationalPerson", "user"], attributes)
        return dn

    def add_group(self, name: str, members: list[str]) -> str:
        """Add a group and return the DN. A group may be a member of a group."""
        dn = f"CN={name},{USERS_DN}"
        attributes = {"sAMAccountName": name} | ({"member": members} if members else {})
        with self._admin_over_tls() as admin:
            admin.add(dn, ["top", "group"], attributes)
        return dn

    def add_computer(self, name: str, attributes: dict) -> str:
        """Add a computer and return the DN."""
        dn = f"CN={name},CN=Computers,{BASE_DN}"
        given = {"sAMAccountName": f"{name}$", "userAccountControl": _WORKSTATION, **attributes}
        with self._admin_over_tls() as admin:
            admin.add(dn, ["top", "person", "organizationalPerson", "user", "computer"], given)
        return dn

    def relative_id(self, dn: str) -> str:
        """The last part of an entry's security identifier."""
        with self._admin_over_tls() as admin:
            admin.search(dn, "(objectClass=*)", ldap3.BASE, attributes=["objectSid"])
            return format_sid(admin.response[0]["raw_attributes"]["objectSid"][0]).rpartition("-")[2]

    def delegate(self, login: str) -> None:
        """Give `login` the rights of docs/how-to/connect-active-directory.md on the Users container."""
        with self._admin_over_tls() as admin:
            admin.search(f"CN={login},{USERS_DN}", "(objectClass=*)", ldap3.BASE, attributes=["objectSid"])
            sid = format_sid(admin.response[0]["raw_attributes"]["objectSid"][0])
        rights = "".join(
            f"(OA;CIIO;RPWP;{attribute};{object_class};{sid})"
            for attribute, object_class in ((_ACCOUNT_CONTROL, _USER), (_MEMBER, _GROUP))
        )
        command = [str(find_program("samba-tool")), "dsacl", "set", f"--objectdn={USERS_DN}"]
        command += [f"--sddl={rights}", f"--URL=ldap://{self.host}", f"--user={ADMIN}"]
        command += [f"--password={ADMIN_PASSWORD}", f"--configfile={self.folder / 'etc' / 'smb.conf'}"]
        subprocess.run(command, check=True, capture_output=True, timeout=60)

    def members(self, group_dn: str) -> list[str]:
        """The group's direct members, read now."""
        with self._admin_over_tls() as admin:
            admin.search(group_dn, "(objectClass=*)", ldap3.BASE, attributes=["member"])
            return [value.decode() for value in admin.response[0]["raw_attributes"].get("member", [])]

    def modify(self, dn: str, changes: dict) -> None:
        """Change an entry as the domain's administrator."""
        with self._admin_over_tls() as admin:
            admin.modify(dn, changes)

    def forget(self, mail: str) -> None:
        """Remove everybody with this address, and the groups made for them."""
        with self._admin_over_tls() as admin:
            admin.search(USERS_DN, f"(mail={mail})", attributes=["sAMAccountName"])
            for person in admin.entries:
                admin.search(USERS_DN, f"(sAMAccountName=staff-{person.sAMAccountName})")
                for entry in (*admin.entries, person):
                    admin.delete(entry.entry_dn)

    def _admin_over_tls(self) -> ldap3.Connection:
        server = ldap3.Server(self.host, use_ssl=True, get_info=ldap3.NONE, connect_timeout=5)
        return ldap3.Connection(
            server, ADMIN, ADMIN_PASSWORD, auto_bind=True, raise_exceptions=True, check_names=False
        )


@contextmanager
def samba_ad(folder: Path) -> Iterator[SambaServer]:
    """A fresh copy of the machine's prepared domain, served from `folder`."""
    # One domain controller at a time on the machine: the address and ports are fixed.
    with _prepared_domain() as (prepared, lock):
        fcntl.flock(lock, fcntl.LOCK_EX)
        _refuse_a_leftover()
        domain = folder / "domain"
        shutil.copytree(prepared, domain, ignore=shutil.ignore_patterns("*.sock", "sock", "msg*"))
        config = domain / "etc" / "smb.conf"
        config.write_text(config.read_text().replace(str(prepared), str(domain)))
        command = [str(find_program("samba")), "-s", str(config), "-i", "--debug-stdout", "-M", "single"]
        with running(command, ready=_is_ready, log=folder / "samba.log", seconds=60):
            yield SambaServer(domain)


def _refuse_a_leftover() -> None:
    """Raise when something answers where this domain controller shall: tests would ask the wrong one."""
    if taken := [port for port in _PORTS if answers(HOST, port)]:
        raise RuntimeError(
            f"something answers on {HOST}, port {', '.join(map(str, taken))}, already: perhaps a Samba of an "
            f"earlier run. Find it with `ss -ltnp 'src {HOST}'`, end it, and run the tests again."
        )


def _is_ready() -> bool:
    return all(answers(HOST, port) for port in _PORTS)


@contextmanager
def _prepared_domain() -> Iterator[tuple[Path, int]]:
    """The machine's prepared domain, made under a lock when this Samba version has none yet."""
    version = subprocess.run(
        [str(find_program("samba")), "--version"], capture_output=True, text=True, check=True
    ).stdout.split()[-1]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "partwell-tests"
    cache.mkdir(parents=True, exist_ok=True)
    prepared = cache / f"samba-{version}-1"
    lock = os.open(cache / "samba.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (prepared / ".complete").exists():
            shutil.rmtree(prepared, ignore_errors=True)
            _provision(prepared)
            (prepared / ".complete").touch()
        yield prepared, lock
    finally:
        os.close(lock)


def _provision(folder: Path) -> None:
    options = {
        "interfaces": f"{HOST}/8",
        "bind interfaces only": "yes",
        "server services": _SERVICES,
        "log file": f"{folder}/log.samba",
        "pid directory": str(folder),
        "ncalrpc dir": f"{folder}/ncalrpc",
    }
    command = [str(find_program("samba-tool")), "domain", "provision", f"--targetdir={folder}"]
    command += [f"--realm={REALM}", "--domain=PARTWELL", "--host-name=dc1", f"--host-ip={HOST}"]
    command += ["--server-role=dc", "--dns-backend=NONE", f"--adminpass={ADMIN_PASSWORD}"]
    command += [f"--option={name}={value}" for name, value in options.items()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        raise RuntimeError(f"Samba's domain could not be made:\n{(done.stdout + done.stderr)[-2000:]}")
    config = folder / "etc" / "smb.conf"
    # Provisioning drops this one, and tests of plain binds need it.
    text = config.read_text().replace("[global]", "[global]\n\tldap server require strong auth = no", 1)
    config.write_text(text)
