"""One departure from notice to proven closure, by the command line alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from tests.console import Console
from tests.servers.samba import SambaServer
from tests.servers.scim import ScimServer
from tests.servers.slapd import SlapdServer
from tests.shows import (
    AMARA,
    INES,
    LETTER,
    MARIT,
    OTTO,
    SECRETS,
    Accounts,
    complete_all,
    connect,
    day,
    found_firm,
)

pytestmark = pytest.mark.server("slapd")
STEP = {"key", "phase", "title", "role", "owner", "due_at", "state", "blocked_by", "kind"}
CHANGE = {"system", "account", "action", "state", "reason"}


@pytest.fixture
def console(tmp_path: Path) -> Iterator[Console]:
    """An installation of its own: its data folder, and on PostgreSQL its own database."""
    folder = tmp_path / "data"
    folder.mkdir()
    server = os.environ.get("PARTWELL_DATABASE_URL", "")
    if not server:
        with Console(folder, SECRETS) as console:
            yield console
        return
    name = f"shows_{os.getpid()}_{abs(hash(tmp_path)) % 10_000_000}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    own = urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
    with Console(folder, {**SECRETS, "PARTWELL_DATABASE_URL": own}) as console:
        yield console
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def letter(tmp_path: Path) -> Path:
    file = tmp_path / "letter.pdf"
    file.write_bytes(LETTER)
    return file


def test_a_resignation_in_three_real_systems(
    console: Console,
    letter: Path,
    tmp_path: Path,
    slapd_server: SlapdServer,
    samba_ad_server: SambaServer,
    scim_server: ScimServer,
) -> None:
    found_firm(console, tmp_path)
    marit = Accounts(slapd_server, samba_ad_server, scim_server, MARIT, "marit").make()
    for name, description in marit.systems().items():
        connect(console, tmp_path, name, description)

    start = ["journeys", "start", "--template", "staff-resignation", "--person", MARIT, "--last-day", day(30)]
    assert console.ask(*start, "--dry-run")["id"] is None
    journey = console.ask(*start, "--reason", "relocation")["id"]

    plan = console.ask("access", "plan", journey, "--as", INES)
    assert {(row["system"], row["state"]) for row in plan["changes"] if row["action"] == "suspend"} == {
        ("directory", "planned"),
        ("domain", "planned"),
        ("chat", "planned"),
    }
    held_open = marit.open_connection()
    console.ask("access", "approve", journey, "--as", OTTO)
    applied = console.ask("access", "apply", journey, expect=1)
    print(json.dumps(applied["changes"], indent=1))
    assert marit.can_sign_in() == {"directory": False, "domain": False, "chat": False}
    assert held_open.extend.standard.who_am_i()
