"""The real servers as fixtures, one of each per test run. Tests add their own people, so they share them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.aws import AwsServer, aws
from tests.servers.mariadb import MariaDbServer, mariadb
from tests.servers.oidc import OidcServer, oidc
from tests.servers.plugin import require
from tests.servers.postgresql import PostgresqlServer, postgresql
from tests.servers.samba import SambaServer, samba_ad
from tests.servers.scim import ScimServer, scim
from tests.servers.slapd import SlapdServer, slapd
from tests.servers.sshd import SshdServer, sshd
from tests.servers.synapse import SynapseServer, synapse


@pytest.fixture(scope="session")
def slapd_server(request: pytest.FixtureRequest, server_folder: Path) -> Iterator[SlapdServer]:
    """OpenLDAP with ppolicy, memberof and cn=monitor."""
    require(request, "slapd")
    with slapd(server_folder / "slapd") as server:
        yield server


@pytest.fixture(scope="session")
def quiet_slapd_server(request: pytest.FixtureRequest, server_folder: Path) -> Iterator[SlapdServer]:
    """OpenLDAP that does not say why it refuses a sign-in (no `ppolicy_use_lockout`)."""
    require(request, "slapd")
    with slapd(server_folder / "quiet-slapd", use_lockout=False) as server:
        yield server


@pytest.fixture(scope="session")
def samba_ad_server(request: pytest.FixtureRequest, server_folder: Path) -> Iterator[SambaServer]:
    """Samba as an Active Directory domain controller."""
    require(request, "samba-ad")
    (server_folder / "samba").mkdir()
    with samba_ad(server_folder / "samba") as server:
        yield server


@pytest.fixture(scope="session")
def scim_server(request: pytest.FixtureRequest, server_folder: Path) -> Iterator[ScimServer]:
    """A SCIM 2.0 service."""
    require(request, "scim2-server")
    (server_folder / "scim").mkdir()
    with scim(server_folder / "scim") as server:
        yield server


@pytest.fixture(scope="session")
def postgresql_server(request: pytest.FixtureRequest) -> Iterator[PostgresqlServer]:
    """PostgreSQL as Debian has it, with TLS."""
    require(request, "postgresql")
    with postgresql() as server:
        yield server


@pytest.fixture
def standby_postgresql_server(request: pytest.FixtureRequest) -> Iterator[PostgresqlServer]:
    """PostgreSQL as a standby that waits for its primary."""
    require(request, "postgresql")
    with postgresql(is_standby=True) as server:
        yield server


@pytest.fixture(scope="session")
def newest_postgresql_server(request: pytest.FixtureRequest) -> Iterator[PostgresqlServer]:
    """PostgreSQL 18, without TLS."""
    require(request, "postgresql")
    require(request, "postgresql-18")
    with postgresql(newest=True) as server:
        yield server


@pytest.fixture(scope="session")
def mariadb_server(request: pytest.FixtureRequest) -> Iterator[MariaDbServer]:
    """MariaDB, with TLS."""
    require(request, "mariadb")
    with mariadb() as server:
        yield server


@pytest.fixture(scope="session")
def sshd_server(request: pytest.FixtureRequest, server_folder: Path) -> Iterator[SshdServer]:
    """OpenSSH on this machine, with logins of its own."""
    require(request, "sshd")
    with sshd(server_folder / "sshd") as server:
        yield server


@pytest.fixture(scope="session")
def aws_server(request: pytest.FixtureRequest, server_folder: Path) -> Iterator[AwsServer]:
    """AWS's IAM, emulated, with policies enforced."""
    require(request, "moto")
    (server_folder / "aws").mkdir()
    with aws(server_folder / "aws") as server:
        yield server


@pytest.fixture(scope="session")
def synapse_server(request: pytest.FixtureRequest, server_folder: Path) -> Iterator[SynapseServer]:
    """A Matrix homeserver."""
    require(request, "synapse")
    with synapse(server_folder / "synapse") as server:
        yield server


@pytest.fixture(scope="session")
def oidc_server(request: pytest.FixtureRequest, server_folder: Path) -> Iterator[OidcServer]:
    """An OpenID Connect provider with introspection and global revocation."""
    require(request, "oidc-provider")
    with oidc(server_folder / "oidc") as server:
        yield server


@pytest.fixture(scope="session")
def plain_oidc_server(request: pytest.FixtureRequest, server_folder: Path) -> Iterator[OidcServer]:
    """An OpenID Connect provider that can be asked for little."""
    require(request, "oidc-provider")
    with oidc(server_folder / "plain-oidc", is_plain=True) as server:
        yield server
