"""One person with an account in every real server that runs here, and what those servers say of it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncssh
import psycopg
import pymysql

from tests.console import Console
from tests.servers.aws import AwsServer, Keys
from tests.servers.catalogue import find_program
from tests.servers.mariadb import SERVICE as MARIADB_SERVICE
from tests.servers.mariadb import SERVICE_PASSWORD as MARIADB_PASSWORD
from tests.servers.mariadb import MariaDbServer
from tests.servers.postgresql import SERVICE, SERVICE_PASSWORD, PostgresqlServer
from tests.servers.sshd import SshdServer
from tests.servers.synapse import SynapseServer
from tests.shows import Accounts, connect

PASSWORD = "Correct.Horse.7"


@dataclass
class Servers:
    """The servers beside the three directories of `Accounts`."""

    postgresql: PostgresqlServer
    mariadb: MariaDbServer
    sshd: SshdServer
    aws: AwsServer
    synapse: SynapseServer


@dataclass
class Everywhere:
    """One person. `folder` keeps the secrets of connections, each in a file."""

    accounts: Accounts
    servers: Servers
    folder: Path
    login: str
    key: asyncssh.SSHKey = field(default_factory=lambda: asyncssh.generate_private_key("ssh-ed25519"))
    unix: str = ""
    aws_key: Keys | None = None
    rooms_token: str = ""

    def make(self) -> None:
        """Create the accounts, each in a group where there are groups."""
        self.accounts = self.accounts.make()
        servers, email = self.servers, self.accounts.email
        servers.postgresql.add_person(self.login, password=PASSWORD, comment=email)
        servers.postgresql.add_group(f"staff_{self.login}", [self.login])
        servers.mariadb.add_person(self.login, password=PASSWORD)
        servers.mariadb.add_role(f"staff_{self.login}", [(self.login, "%")])
        self.unix = servers.sshd.name()
        servers.sshd.add_login(self.unix, comment=email)
        servers.sshd.let_in(self.unix, self.key)
        servers.sshd.add_group(servers.sshd.name(), self.unix)
        iam = servers.aws.iam()
        iam.create_user(UserName=self.login, Tags=[{"Key": "email", "Value": email}])
        servers.aws.allow_everything(self.login)
        self.aws_key = servers.aws.add_key(self.login)
        _, self.rooms_token = servers.synapse.register(self.login, mail=email)

    def connect(self, console: Console) -> None:
        """Connect every system, and see that each connection works."""
        for name, description in self.accounts.systems().items():
            connect(console, self.folder, name, description)
        for name, description in self._systems().items():
            connect(console, self.folder, name, description)

    def _systems(self) -> dict[str, str]:
        servers = self.servers
        known = "\n".join(f"    {line}" for line in servers.sshd.known_hosts.splitlines())
        return {
            "database": f"""\
name: database
connector: postgresql
title: Database
settings:
  url: {servers.postgresql.url}
  ca_file: {servers.postgresql.ca_file}
  user: {SERVICE}
  password: {self._secret("database", SERVICE_PASSWORD)}
""",
            "shop": f"""\
name: shop
connector: mysql
title: Shop
settings:
  url: {servers.mariadb.url}
  ca_file: {servers.mariadb.ca_file}
  user: {MARIADB_SERVICE}
  password: {self._secret("shop", MARIADB_PASSWORD)}
""",
            "machine": f"""\
name: machine
connector: ssh
title: Machine
settings:
  hosts: ["{servers.sshd.address}"]
  known_hosts: |
{known}
  user: {servers.sshd.service}
  private_key: {self._secret("machine", servers.sshd.service_key)}
  match_on: [comment]
""",
            "cloud": f"""\
name: cloud
connector: aws
title: Cloud
settings:
  endpoint: {servers.aws.url}
  sts_endpoint: {servers.aws.url}
  allow_plain: true
  service_credentials: false
  access_key: {self._secret("cloud-id", servers.aws.service.id)}
  secret_key: {self._secret("cloud", servers.aws.service.secret)}
""",
            "rooms": f"""\
name: rooms
connector: matrix
title: Rooms
settings:
  url: {servers.synapse.url}
  allow_plain: true
  token: {self._secret("rooms", servers.synapse.admin_token)}
""",
        }

    def _secret(self, name: str, value: str) -> str:
        path = self.folder / f"secret-of-{name}"
        path.write_text(value)
        path.chmod(0o600)
        return f"file:{path}"

    def can_sign_in(self, *, without: str = "") -> dict[str, bool]:
        """Where a new sign-in, or a request with a key, works right now; one system may be left out."""
        key = self.aws_key
        assert key is not None
        ways = {
            **self.accounts.ways_in(),
            "database": lambda: self.servers.postgresql.try_sign_in(self.login, PASSWORD),
            "shop": lambda: self.servers.mariadb.try_sign_in(self.login, PASSWORD),
            "machine": lambda: self._ssh("/bin/true").wait(timeout=30) == 0,
            "cloud": lambda: self.servers.aws.may(key),
            "rooms": lambda: self.servers.synapse.sign_in(self.login).status_code == 200,
        }
        return {name: works() for name, works in ways.items() if name != without}

    def open_sessions(self) -> OpenSessions:
        """Sign in wherever a session stays open, and leave it open."""
        shell = self._ssh("echo in; exec sleep 3600")
        assert shell.stdout is not None and shell.stdout.readline() == b"in\n"
        return OpenSessions(
            self.accounts.open_connection(),
            self.servers.postgresql.connect(self.login, PASSWORD),
            self.servers.mariadb.connect(self.login, PASSWORD),
            shell,
            lambda: self.servers.synapse.whoami(self.rooms_token).status_code == 200,
        )

    def _ssh(self, command: str) -> subprocess.Popen[bytes]:
        key = self.folder / "own-key"
        if not key.exists():
            key.touch(mode=0o600)
            key.write_bytes(self.key.export_private_key())
        options = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "BatchMode=yes"]
        return subprocess.Popen(
            [
                str(find_program("ssh")),
                *("-F", "none", "-i", str(key), "-p", str(self.servers.sshd.port)),
                *(part for option in options for part in ("-o", option)),
                f"{self.unix}@127.0.0.1",
                command,
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )


@dataclass
class OpenSessions:
    """Sessions that were opened before the cut."""

    directory: Any
    database: psycopg.Connection[Any]
    shop: pymysql.Connection[Any]
    machine: subprocess.Popen[bytes]
    rooms: Callable[[], bool]

    def alive(self) -> dict[str, bool]:
        """Which of them still do something."""
        return {
            "directory": self._reads_on(),
            "database": self._queries_on(),
            "shop": self._asks_on(),
            "machine": self.machine.poll() is None,
            "rooms": self.rooms(),
        }

    def _reads_on(self) -> bool:
        return bool(self.directory.extend.standard.who_am_i())

    def _queries_on(self) -> bool:
        try:
            self.database.execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def _asks_on(self) -> bool:
        try:
            self.shop.ping(reconnect=False)
        except pymysql.Error:
            return False
        return True
