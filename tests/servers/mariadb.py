"""MariaDB on a free port, with TLS."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymysql

from tests.servers.catalogue import find_program
from tests.servers.certificates import make_certificates
from tests.servers.running import answers, free_port, running

BOSS, BOSS_PASSWORD = "boss", "boss-password-of-the-tests"
SERVICE, SERVICE_PASSWORD = "partwell", "service-password-of-the-tests"
DATABASE = "shop"

# As docs/how-to/connect-mysql.md says: the tests run with least privilege.
_RIGHTS = (
    "GRANT SELECT ON mysql.* TO partwell@'127.0.0.1'",
    "GRANT CREATE USER, PROCESS, CONNECTION ADMIN, SHOW VIEW, TRIGGER ON *.* TO partwell@'127.0.0.1'",
    f"GRANT SELECT, INSERT, UPDATE, EXECUTE ON {DATABASE}.* TO partwell@'127.0.0.1' WITH GRANT OPTION",
)


@dataclass(frozen=True)
class MariaDbServer:
    """A running server. Methods act as its administrator; `ca_file` verifies it by its name and address."""

    port: int
    ca_file: Path
    host: str = "localhost"

    @property
    def url(self) -> str:
        return f"mysql://{self.host}:{self.port}"

    def connect(
        self, user: str = BOSS, password: str = BOSS_PASSWORD, **options: Any
    ) -> pymysql.Connection[Any]:
        """A session signed in as `user`, left open. Raises when the sign-in is refused."""
        return pymysql.connect(
            host="127.0.0.1",
            port=self.port,
            user=user,
            password=password,
            autocommit=True,
            connect_timeout=5,
            # Without TLS unless asked for: PyMySQL would read the system's authorities for each connection.
            **{"ssl_disabled": True} | options,
        )

    def try_sign_in(self, user: str, password: str) -> bool:
        """Whether a new sign-in with this password works."""
        try:
            self.connect(user, password).close()
        except pymysql.OperationalError:
            return False
        return True

    def ask(self, query: str, *parameters: object) -> list[tuple]:
        """The rows of a query, or none of a statement. Without parameters, percent signs are themselves."""
        connection = self.connect()
        try:
            with connection.cursor() as cursor:
                cursor.execute(query, parameters or None)
                return list(cursor.fetchall())
        finally:
            connection.close()

    def add_person(
        self, name: str, *, hosts: tuple[str, ...] = ("%",), password: str = "correct horse"
    ) -> None:
        """Add an account for each host from which the person may sign in."""
        for host in hosts:
            self.ask("CREATE USER %s@%s IDENTIFIED BY %s", name, host, password)

    def add_role(self, name: str, members: list[tuple[str, str]], *, admin: bool = False) -> None:
        """Add a role that Partwell may give and take; members are (user, host)."""
        self.ask(f"CREATE ROLE {name}")
        self.ask(f"GRANT {name} TO {SERVICE}@'127.0.0.1' WITH ADMIN OPTION")
        for user, host in members:
            self.ask(f"GRANT {name} TO %s@%s" + (" WITH ADMIN OPTION" if admin else ""), user, host)

    def grants_of(self, name: str, host: str = "%") -> set[str]:
        """What SHOW GRANTS tells of an account, but for the line that holds its verifier."""
        lines = {row[0] for row in self.ask("SHOW GRANTS FOR %s@%s", name, host)}
        return {line for line in lines if not line.startswith("GRANT USAGE ON *.*")}


@contextmanager
def mariadb() -> Iterator[MariaDbServer]:
    """A fresh server, with Partwell's own account as the how-to makes it.

    Its folder lies open in the system's own for temporary files: the server runs as a user who may not enter
    those of the tests.
    """
    folder = Path(tempfile.mkdtemp(prefix="partwell-mariadb-"))
    try:
        ca, certificate, key = make_certificates(folder, names=["localhost"], addresses=["127.0.0.1"])
        as_user = []
        if os.geteuid() == 0:
            user = pwd.getpwnam("mysql")
            as_user = ["--user=mysql"]
            for path in (folder, key):
                os.chown(path, user.pw_uid, user.pw_gid)
        key.chmod(0o600)
        # A server that starts deletes the temporary tables of all that share the folder for them.
        common = ["--no-defaults", *as_user, f"--datadir={folder / 'data'}", f"--tmpdir={folder}"]
        install = [str(find_program("mariadb-install-db")), *common, "--skip-test-db"]
        install += ["--auth-root-authentication-method=normal"]
        done = subprocess.run(install, capture_output=True, text=True, timeout=120, check=False)
        if done.returncode:
            raise RuntimeError(f"MariaDB's data could not be made:\n{(done.stdout + done.stderr)[-2000:]}")
        port = free_port()
        command = [str(find_program("mariadbd")), *common, f"--port={port}", "--bind-address=127.0.0.1"]
        command += [f"--socket={folder / 'socket'}", f"--pid-file={folder / 'pid'}", "--skip-name-resolve"]
        command += [f"--ssl-ca={ca}", f"--ssl-cert={certificate}", f"--ssl-key={key}", "--log-output=TABLE"]
        command += ["--event-scheduler=ON", "--innodb-flush-log-at-trx-commit=0"]
        log = folder / "log"
        with running(command, ready=lambda: answers("127.0.0.1", port), log=log, seconds=60):
            _make_accounts(port)
            yield MariaDbServer(port, ca)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _make_accounts(port: int) -> None:
    root = pymysql.connect(host="127.0.0.1", port=port, user="root", autocommit=True)
    with root.cursor() as cursor:
        cursor.execute("CREATE USER boss@'127.0.0.1' IDENTIFIED BY %s", [BOSS_PASSWORD])
        cursor.execute("GRANT ALL ON *.* TO boss@'127.0.0.1' WITH GRANT OPTION")
        cursor.execute("GRANT PROXY ON ''@'%' TO boss@'127.0.0.1' WITH GRANT OPTION")
        cursor.execute(f"CREATE DATABASE {DATABASE}")
        cursor.execute(f"CREATE TABLE {DATABASE}.orders (id INT, note TEXT)")
        cursor.execute("CREATE USER partwell@'127.0.0.1' IDENTIFIED BY %s", [SERVICE_PASSWORD])
        for statement in _RIGHTS:
            cursor.execute(statement)
    root.close()
