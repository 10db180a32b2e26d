"""A small firm for whole stories: its registers as CSV, who plays which part, its real systems as YAML."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import ldap3
import psycopg

from tests.console import Console
from tests.servers import samba, scim, slapd

MARIT, TOMAS, LUCIA = "marit.lindqvist@firm.test", "tomas.weber@firm.test", "lucia.menon@firm.test"
AMARA, INES, OTTO = "amara.osei@firm.test", "ines.duarte@firm.test", "otto.brandt@firm.test"
JOON, EVA, NOOR = "joon-ho.baek@firm.test", "eva.novak@firm.test", "noor.haddad@firm.test"
FRITZ, LENA = "fritz.keller@firm.test", "lena.ricci@firm.test"
HANNE, PAVEL = "hanne.larsen@firm.test", "pavel.horak@firm.test"

PEOPLE = f"""\
email,name,manager_email,department,title,start_date,country,timezone,employment_type,aliases,username,employee_number
{EVA},Eva Novak,,Board,Managing director,2015-01-01,DE,Europe/Berlin,permanent,,eva,E-001
{JOON},Joon-ho Baek,{EVA},Platform,Head of platform,2016-03-01,DE,Europe/Berlin,permanent,,joon,E-002
{AMARA},Amara Osei,{EVA},People,HR partner,2017-05-01,DE,Europe/Berlin,permanent,,amara,E-003
{INES},Ines Duarte,{EVA},IT,IT lead,2018-01-01,PT,Europe/Lisbon,permanent,,ines,E-004
{OTTO},Otto Brandt,{FRITZ},Finance,Accountant,2019-01-01,DE,Europe/Berlin,permanent,,otto,E-005
{NOOR},Noor Haddad,{EVA},Sales,Account manager,2019-06-01,DE,Europe/Berlin,permanent,,noor,E-006
{FRITZ},Fritz Keller,{EVA},Finance,Accountant,2020-01-01,DE,Europe/Berlin,permanent,,fritz,E-007
{LENA},Lena Ricci,{EVA},Legal,Counsel,2020-02-01,DE,Europe/Berlin,permanent,,lena,E-008
{MARIT},Marit Lindqvist,{JOON},Platform,Engineer,2021-04-01,DE,Europe/Berlin,permanent,ml@fi.test,marit,E-1042
{TOMAS},Tomas Weber,{JOON},Platform,Engineer,2022-04-01,DE,Europe/Berlin,permanent,,tomas,E-1043
{LUCIA},Lucia Menon,{JOON},Platform,Engineer,2023-04-01,IN,Asia/Kolkata,permanent,,lucia,E-1044
{HANNE},Hanne Larsen,{JOON},Platform,Engineer,2021-05-01,DE,Europe/Berlin,permanent,hl@fi.test,hanne,E-1045
{PAVEL},Pavel Horak,{JOON},Platform,Engineer,2022-05-01,DE,Europe/Berlin,permanent,,pavel,E-1046
"""
CLIENTS = f"""\
client_ref,name,account_manager_email,contact_name,contact_email,tier,country
C-7,Brightwater Dental,{NOOR},Orla Byrne,orla@brightwater.test,gold,DE
"""
CONTRACTS = """\
client_ref,title,start_date,end_date,notice_days,governing_law
C-7,Support,2024-01-01,{end},90,German law
"""
ROLES = {
    AMARA: "hr",
    INES: "it_security",
    OTTO: "finance",
    EVA: "executive",
    FRITZ: "finance",
    LENA: "legal",
    NOOR: "account_manager",
}
# Who plays a step's role in these stories.
PLAYS = {
    "hr": AMARA,
    "it_security": INES,
    "line_manager": JOON,
    "account_manager": NOOR,
    "executive": EVA,
    "finance": FRITZ,
    "legal": LENA,
}

LETTER = b"%PDF-1.7\n%a letter of these tests\n%%EOF\n"
SECRETS = {
    "DIRECTORY_PASSWORD": slapd.SERVICE_PASSWORD,
    "DOMAIN_PASSWORD": samba.ADMIN_PASSWORD,
    "CHAT_TOKEN": scim.TOKEN,
    "PARTWELL_OUTBOUND_ALLOW": "127.0.0.0/8,::1",
}


def day(days: int) -> str:
    """A date so many days from now, as it is typed."""
    return (datetime.now(UTC).date() + timedelta(days=days)).isoformat()


@dataclass(frozen=True)
class Accounts:
    """One person's accounts in the three real systems, and what those say when they are asked directly."""

    slapd: slapd.SlapdServer
    samba: samba.SambaServer
    scim: scim.ScimServer
    email: str
    login: str
    password: str = "Correct.Horse.7"
    chat_id: str = ""

    def make(self) -> Accounts:
        """Create the accounts, each in a group, in place of those that an earlier story left there."""
        for server in (self.slapd, self.samba, self.scim):
            server.forget(self.email)
        dn = self.slapd.add_person(self.login, self.email, password=self.password)
        self.slapd.add_group(f"staff-{self.login}", [dn, slapd.SERVICE_DN])
        domain = self.samba.add_person(self.login, self.email, password=self.password)
        self.samba.add_group(f"staff-{self.login}", [domain])
        chat = self.scim.add_person(self.login, self.email)
        self.scim.add_group(f"staff-{self.login}", [chat])
        return replace(self, chat_id=chat)

    @property
    def dn(self) -> str:
        """The entry in slapd."""
        return f"uid={self.login},ou=people,{slapd.SUFFIX}"

    def open_connection(self) -> ldap3.Connection:
        """A session in slapd that stays open."""
        return self.slapd.connect(self.dn, self.password)

    def can_sign_in(self) -> dict[str, bool]:
        """Where a new sign-in works right now, by the system's name."""
        return {name: works() for name, works in self.ways_in().items()}

    def ways_in(self) -> dict[str, Callable[[], bool]]:
        """How each system is asked whether a new sign-in works."""
        return {
            "directory": lambda: self.slapd.try_bind(self.dn, self.password),
            "domain": lambda: self.samba.try_bind(self.login, self.password),
            "chat": lambda: self.scim.try_bind(self.chat_id),
        }

    def systems(self) -> dict[str, str]:
        """The three systems as `partwell systems add` takes them; secrets by reference."""
        return {
            "directory": f"""\
name: directory
connector: ldap
title: Directory
sla: critical
settings:
  url: {self.slapd.ldaps_url}
  ca_file: {self.slapd.ca_file}
  bind_dn: {slapd.SERVICE_DN}
  password: env:DIRECTORY_PASSWORD
  base_dn: {slapd.SUFFIX}
""",
            "domain": f"""\
name: domain
connector: ldap
title: Domain
settings:
  url: {self.samba.url}
  allow_plain: true
  bind_dn: {samba.ADMIN}
  password: env:DOMAIN_PASSWORD
  base_dn: {samba.BASE_DN}
""",
            "chat": f"""\
name: chat
connector: scim
title: Chat
settings:
  url: {self.scim.url}
  allow_plain: true
  token: env:CHAT_TOKEN
""",
        }


@contextmanager
def own_console(tmp_path: Path) -> Iterator[Console]:
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


# What was prepared once in this process, by name: its data folder, and on PostgreSQL a database beside it.
_prepared: dict[str, Path] = {}


def found_firm(console: Console, folder: Path) -> None:
    """Set a practice installation up, import its registers and grant its roles."""
    prepare(console, "firm", lambda: _found(console, folder))


def prepare(console: Console, name: str, make: Callable[[], object]) -> None:
    """Bring a new installation to where `make` brings one. That takes ten seconds, so it is done once in each
    process; the others begin with a copy of it."""
    template, url = f"shows_{name}_{os.getpid()}", console.environment.get("PARTWELL_DATABASE_URL", "")
    if name in _prepared:
        shutil.copytree(_prepared[name], console.folder, dirs_exist_ok=True)
        if url:
            _copy_database(url, template, _name_of(url))
        return
    make()
    kept = Path(tempfile.mkdtemp(prefix="partwell-shows-"))
    atexit.register(shutil.rmtree, kept, ignore_errors=True)
    shutil.copytree(console.folder, kept, dirs_exist_ok=True)
    if url:
        _copy_database(url, _name_of(url), template)
    _prepared[name] = kept


def _found(console: Console, folder: Path) -> None:
    console.run("init", "--practice")
    for kind, text in (
        ("people", PEOPLE),
        ("clients", CLIENTS),
        ("contracts", CONTRACTS.format(end=day(60))),
    ):
        file = folder / f"{kind}.csv"
        file.write_text(text)
        console.run(kind, "import", str(file))
    for email, role in ROLES.items():
        console.run("roles", "grant", email, role)


def _name_of(url: str) -> str:
    return urlsplit(url).path.lstrip("/")


def _copy_database(url: str, source: str, target: str) -> None:
    """Put a copy of one database of this server in place of another, which nobody uses yet."""
    server = urlunsplit(urlsplit(url)._replace(path="/postgres"))
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{target}" WITH (FORCE)')
        connection.execute(f'CREATE DATABASE "{target}" TEMPLATE "{source}"')


def connect(console: Console, folder: Path, name: str, description: str) -> None:
    """Connect a system as described, and see that the connection works."""
    file = folder / f"{name}.yaml"
    file.write_text(description)
    console.run("systems", "add", str(file))
    assert console.ask("systems", "test", name)["ok"] is True


def open_steps(console: Console, journey: str, *, kinds: tuple[str, ...] = ("task", "approval")) -> list[Any]:
    """The steps that somebody can complete now."""
    steps = console.ask("steps", "list", journey)["items"]
    return [step for step in steps if step["state"] == "open" and step["kind"] in kinds]


def complete(console: Console, journey: str, step: dict[str, Any], letter: Path, who: str) -> Any:
    """Complete a step in somebody's part (or at the console) with the evidence that it asks for."""
    evidence = {
        "note": ["--note", f"Done: {step['title']}."],
        "file": ["--file", str(letter)],
        "link": ["--link", "https://files.firm.test/record"],
    }.get(step["evidence"], [])
    played = ["--as", who] if who else []
    if step["role"] == "finance":  # two hold that role, so its steps wait in a queue
        assert console.ask("steps", "claim", journey, step["key"], *played)["owner"] == "Fritz Keller"
    return console.ask("steps", "complete", journey, step["key"], *evidence, *played)


def complete_all(
    console: Console, journey: str, letter: Path, *, leave: tuple[str, ...] = (), **plays: str
) -> None:
    """Complete every step that a person completes, until none is open but those to `leave`. `plays` says who
    has which role, beside `PLAYS`; the console does the steps of a leaving side that has no account here."""
    while steps := [step for step in open_steps(console, journey) if step["key"] not in leave]:
        for step in steps:
            who = {**PLAYS, **plays}.get(step["role"], "")
            assert complete(console, journey, step, letter, who)["state"] == "done"


def close(console: Console, journey: str, *, played_by: str) -> str:
    """Close a journey, and see that nothing in it changes any more; the head of the record to keep."""
    assert console.ask("journeys", "list")["items"][0]["late"] == 0
    closed = console.ask("journeys", "close", journey, "--as", played_by)
    assert (closed["id"], closed["state"]) == (journey, "closed")
    assert closed["head"] in closed["statement"] and len(closed["head"].split(":")) == 3
    assert console.refused("journeys", "move", journey, "--last-day", day(40))["code"] == "departure_ended"
    assert console.ask("journeys", "list")["items"] == []
    assert [row["state"] for row in console.ask("journeys", "list", "--all")["items"]] == ["closed"]
    return str(closed["head"])
