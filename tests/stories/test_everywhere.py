"""One person with an account in every real system that runs here: shut out of all, proven, and brought back.

The installation runs as people run it (`partwell up`). One of the servers hangs while the switch is pressed,
and comes back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.console import Console
from tests.everywhere import Everywhere, OpenSessions, Servers
from tests.installation import Installation, served
from tests.servers.aws import AwsServer
from tests.servers.mariadb import MariaDbServer
from tests.servers.postgresql import PostgresqlServer
from tests.servers.running import wait_until
from tests.servers.samba import SambaServer
from tests.servers.scim import ScimServer
from tests.servers.slapd import SlapdServer
from tests.servers.sshd import SshdServer
from tests.servers.synapse import SynapseServer
from tests.shows import AMARA, INES, LUCIA, Accounts, found_firm, own_console
from tests.signing_in import sign_in_surely

Shot = Callable[[Page, str], None]
# What a worker does in its own time: asking every system, cutting it, reading it back.
WORK = 120
ALL = {"directory", "domain", "chat", "database", "shop", "machine", "cloud", "rooms"}


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    """Lucia's firm, served and worked for."""
    with own_console(tmp_path) as console:
        found_firm(console, tmp_path)
        with served(console) as made:
            made.give_passwords(AMARA, INES)
            yield made


@pytest.fixture
def address(installation: Installation) -> str:
    return installation.url


@pytest.fixture(autouse=True)
def no_limits_left_over() -> None:
    """Nothing is left over in a new installation, and this story uses no other database."""


@pytest.fixture
def lucia(
    tmp_path: Path,
    slapd_server: SlapdServer,
    samba_ad_server: SambaServer,
    scim_server: ScimServer,
    postgresql_server: PostgresqlServer,
    mariadb_server: MariaDbServer,
    sshd_server: SshdServer,
    aws_server: AwsServer,
    synapse_server: SynapseServer,
) -> Iterator[Everywhere]:
    made = Everywhere(
        Accounts(slapd_server, samba_ad_server, scim_server, LUCIA, "lucia"),
        Servers(postgresql_server, mariadb_server, sshd_server, aws_server, synapse_server),
        tmp_path,
        "lucia",
    )
    made.make()
    yield made
    scim_server.go_on()


def test_the_kill_switch_in_every_real_system(
    installation: Installation,
    lucia: Everywhere,
    browser_page: Page,
    open_context: Callable[[], BrowserContext],
    shot: Shot,
) -> None:
    console = installation.console
    lucia.connect(console)
    assert lucia.can_sign_in() == dict.fromkeys(ALL, True)
    sessions = lucia.open_sessions()
    assert all(sessions.alive().values())

    lucia.accounts.scim.stop()
    ines = browser_page
    sign_in_surely(ines, INES, installation.give_second_factor(INES))
    shut_out(ines, shot)
    heard = ALL - {"chat"}
    wait_until(
        lambda: not any(lucia.can_sign_in(without="chat").values()),
        seconds=WORK,
        what="every new sign-in refused",
    )
    wait_until(lambda: said_of(console, heard) <= {"verified", "manual"}, seconds=WORK, what="all read back")
    the_open_sessions_are_dead_where_they_can_be(sessions)
    wait_until(
        lambda: said_of(console, {"chat"}) == {"unreachable"}, seconds=WORK, what="the silence being told"
    )
    ines.get_by_role("link", name="Lucia Menon", exact=True).first.click()
    expect(ines.get_by_role("heading", level=1)).to_contain_text("Lucia Menon")
    shot(ines, "everywhere-one-silent")

    lucia.accounts.scim.go_on()
    wait_until(lambda: said_of(console, {"chat"}) <= {"verified", "manual"}, seconds=WORK, what="healed")
    assert not any(lucia.can_sign_in().values())
    shot(ines, "everywhere-healed")

    a_reenabled_account_is_a_ghost(console, lucia)
    what_can_be_restored_is(console, lucia)


def shut_out(ines: Page, shot: Shot) -> None:
    """Two clicks and the typed name."""
    ines.get_by_role("link", name="People").first.click()
    ines.get_by_role("link", name="Lucia Menon").click()
    ines.get_by_role("link", name="Shut out now").click()
    ines.get_by_label("Type Lucia Menon to confirm").fill("Lucia Menon")
    ines.get_by_label("Why can it not wait?").fill("Their laptop was stolen an hour ago.")
    shot(ines, "everywhere-before")
    ines.get_by_role("button", name=f"Shut out of {len(ALL)} systems").click()
    expect(ines.get_by_role("heading", level=1)).to_have_text("Kill switch: Lucia Menon")


def said_of(console: Console, systems: set[str]) -> set[str]:
    """The states of all that is known of these systems."""
    (journey,) = console.ask("journeys", "list")["items"]
    changes = console.ask("access", "show", journey["id"])["changes"]
    of = {system: {c["state"] for c in changes if c["system"] == system} for system in systems}
    return set().union(*(states or {"nothing"} for states in of.values()))


def the_open_sessions_are_dead_where_they_can_be(sessions: OpenSessions) -> None:
    alive = sessions.alive()
    # OpenLDAP ends no connection that is open, and Partwell says so: a task for people.
    assert alive == {"directory": True, "database": False, "shop": False, "machine": False, "rooms": False}


def a_reenabled_account_is_a_ghost(console: Console, lucia: Everywhere) -> None:
    lucia.servers.postgresql.run("ALTER ROLE {} LOGIN", lucia.login)
    found = console.ask("ghosts", "sweep")
    assert ("database", "lucia") in {(ghost["system"], ghost["login"]) for ghost in found["ghosts"]}
    lucia.servers.postgresql.run("ALTER ROLE {} NOLOGIN", lucia.login)


def what_can_be_restored_is(console: Console, lucia: Everywhere) -> None:
    (journey,) = console.ask("journeys", "list")["items"]
    restored = console.ask("access", "restore", journey["id"])
    assert restored["kind"] == "restore"
    assert lucia.can_sign_in(without="cloud") == dict.fromkeys(ALL - {"cloud"}, True)
    # The emulator takes what ended old sessions for a denial of everything; AWS lets new ones in.
    iam = lucia.servers.aws.iam()
    assert iam.list_user_policies(UserName=lucia.login)["PolicyNames"] == [
        "PartwellEndSessions",
        "everything",
    ]
    (key,) = iam.list_access_keys(UserName=lucia.login)["AccessKeyMetadata"]
    assert key["Status"] == "Active"
