"""OpenLDAP's slapd on a free port: ppolicy, memberof, refint and cn=monitor, with TLS of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ldap3

from tests.servers.catalogue import find_program
from tests.servers.certificates import make_certificates
from tests.servers.running import answers, free_port, running

SUFFIX = "dc=firm,dc=test"
ADMIN_DN, ADMIN_PASSWORD = f"cn=admin,{SUFFIX}", "admin-password-of-the-tests"
SERVICE_DN, SERVICE_PASSWORD = f"cn=partwell,ou=services,{SUFFIX}", "service-password-of-the-tests"

# The access rules are those of docs/how-to/connect-openldap.md: the tests run with least privilege.
_CONFIG = """\
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
attributetype ( 1.3.6.1.4.1.24552.500.1.1.1.13 NAME 'sshPublicKey'
  EQUALITY octetStringMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.40 )
objectclass ( 1.3.6.1.4.1.24552.500.1.1.2.0 NAME 'ldapPublicKey' SUP top AUXILIARY MAY sshPublicKey )
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload ppolicy
moduleload memberof
moduleload refint
pidfile {folder}/slapd.pid
TLSCACertificateFile {ca}
TLSCertificateFile {certificate}
TLSCertificateKeyFile {key}

database mdb
suffix "{suffix}"
rootdn "{admin}"
rootpw {admin_password}
directory {folder}/data
overlay ppolicy
ppolicy_default "cn=default,ou=policies,{suffix}"
{use_lockout}
overlay memberof
overlay refint
refint_attributes member
access to attrs=userPassword by anonymous auth by self write by * none
access to attrs=pwdAccountLockedTime by dn.exact="{service}" write by * none
access to dn.subtree="ou=groups,{suffix}" attrs=member by dn.exact="{service}" write by users read by * none
access to * by dn.exact="{service}" read by users read by * none

database monitor
access to dn.subtree="cn=Monitor" by dn.exact="{service}" read by * none
"""


@dataclass(frozen=True)
class SlapdServer:
    """A running slapd. `url` is plain, `ldaps_url` is TLS; `ca_file` verifies both StartTLS and LDAPS."""

    host: str
    port: int
    ldaps_port: int
    ca_file: Path

    @property
    def url(self) -> str:
        return f"ldap://{self.host}:{self.port}"

    @property
    def ldaps_url(self) -> str:
        return f"ldaps://{self.host}:{self.ldaps_port}"

    def connect(self, dn: str, password: str) -> ldap3.Connection:
        """A connection signed in as `dn`, left open for the caller. Raises when the sign-in is refused."""
        server = ldap3.Server(self.host, self.port, get_info=ldap3.NONE, connect_timeout=5)
        return ldap3.Connection(
            server, dn, password, auto_bind=True, raise_exceptions=True, check_names=False, receive_timeout=5
        )

    def try_bind(self, dn: str, password: str) -> bool:
        """Whether a new sign-in with this password works."""
        server = ldap3.Server(self.host, self.port, get_info=ldap3.NONE, connect_timeout=5)
        connection = ldap3.Connection(server, dn, password, receive_timeout=5)
        try:
            return connection.bind()
        finally:
            connection.unbind()

    def add_person(
        self, uid: str, mail: str, *, password: str = "correct horse", employee_number: str = ""
    ) -> str:
        """Add a person and return the DN."""
        dn = f"uid={uid},ou=people,{SUFFIX}"
        attributes = {"cn": uid.title(), "sn": uid.title(), "mail": mail, "userPassword": password}
        if employee_number:
            attributes["employeeNumber"] = employee_number
        self._write(lambda admin: admin.add(dn, "inetOrgPerson", attributes))
        return dn

    def add_group(self, name: str, members: list[str]) -> str:
        """Add a group (groupOfNames, so it needs a member) and return the DN."""
        dn = f"cn={name},ou=groups,{SUFFIX}"
        self._write(lambda admin: admin.add(dn, "groupOfNames", {"member": members}))
        return dn

    def add(self, dn: str, classes: list[str], attributes: dict[str, Any]) -> str:
        """Add any entry and return the DN."""
        self._write(lambda admin: admin.add(dn, classes, attributes))
        return dn

    def members(self, group_dn: str) -> list[str]:
        """The group's members, read now."""
        with self.connect(ADMIN_DN, ADMIN_PASSWORD) as admin:
            admin.search(group_dn, "(objectClass=*)", ldap3.BASE, attributes=["member"])
            return [value.decode() for value in admin.response[0]["raw_attributes"]["member"]]

    def modify(self, dn: str, changes: dict) -> None:
        """Change an entry as the directory's administrator."""
        self._write(lambda admin: admin.modify(dn, changes))

    def forget(self, mail: str) -> None:
        """Remove everybody with this address, and the groups made for them."""
        with self.connect(ADMIN_DN, ADMIN_PASSWORD) as admin:
            admin.search(f"ou=people,{SUFFIX}", f"(mail={mail})", attributes=["uid"])
            for person in admin.entries:
                admin.search(f"ou=groups,{SUFFIX}", f"(cn=staff-{person.uid})")
                for entry in (*admin.entries, person):
                    admin.delete(entry.entry_dn)

    def _write(self, write) -> None:
        with self.connect(ADMIN_DN, ADMIN_PASSWORD) as admin:
            write(admin)


@contextmanager
def slapd(folder: Path, *, use_lockout: bool = True) -> Iterator[SlapdServer]:
    """A fresh directory in `folder`. Without `use_lockout` it does not say that an account is locked."""
    (folder / "data").mkdir(parents=True)
    ca, certificate, key = make_certificates(folder, names=["localhost"], addresses=["127.0.0.1"])
    config = folder / "slapd.conf"
    config.write_text(
        _CONFIG.format(
            folder=folder,
            ca=ca,
            certificate=certificate,
            key=key,
            suffix=SUFFIX,
            admin=ADMIN_DN,
            admin_password=ADMIN_PASSWORD,
            service=SERVICE_DN,
            use_lockout="ppolicy_use_lockout" if use_lockout else "",
        )
    )
    port = free_port()
    ldaps_port = free_port()
    server = SlapdServer("localhost", port, ldaps_port, ca)
    command = [str(find_program("slapd")), "-f", str(config), "-d", "0"]
    command += ["-h", f"ldap://127.0.0.1:{port}/ ldaps://127.0.0.1:{ldaps_port}/"]
    with running(command, ready=lambda: answers("127.0.0.1", ldaps_port), log=folder / "slapd.log"):
        with server.connect(ADMIN_DN, ADMIN_PASSWORD) as admin:
            admin.add(SUFFIX, ["dcObject", "organization"], {"o": "Firm"})
            for unit in ("people", "groups", "services", "policies"):
                admin.add(f"ou={unit},{SUFFIX}", "organizationalUnit")
            admin.add(
                SERVICE_DN,
                ["organizationalRole", "simpleSecurityObject"],
                {"userPassword": SERVICE_PASSWORD},
            )
            admin.add(
                f"cn=default,ou=policies,{SUFFIX}",
                ["device", "pwdPolicy"],
                {"pwdAttribute": "userPassword", "pwdLockout": "TRUE", "pwdMaxFailure": "100"},
            )
        yield server
