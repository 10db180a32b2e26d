"""The systems of the demo firm, and everybody's accounts in them. They are one file in the data folder."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from zlib import crc32

from django.conf import settings

from partwell.access.models import System
from partwell.access.operations import add_system
from partwell.connectors.fake.store import FakeStore
from partwell.people.actors import Actor
from partwell.people.models import Contact, Person

EVERYBODY = frozenset(
    {"Management", "Finance", "People & Culture", "Legal", "Platform", "Client services", "IT", "Studio"}
    | {"Support"}
)
ENGINEERS = frozenset({"Platform", "IT"})
CLIENT_SIDE = frozenset({"Client services", "Support", "Management"})
DESIGNERS = frozenset({"Studio", "Client services", "Platform"})


@dataclass(frozen=True)
class DemoSystem:
    """One connected system: who has an account there, with which groups, how soon it must be cut, and whether
    it hands over what people leave there."""

    name: str
    title: str
    departments: frozenset[str]
    groups: tuple[str, ...] = ()
    sla: str = "normal"
    sessions: int = 2
    for_clients: bool = False
    hands_over: bool = False


SYSTEMS = (
    DemoSystem("okta", "Okta", EVERYBODY, ("Everyone", "VPN users", "MFA enforced"), "critical", 4),
    DemoSystem("aws", "AWS production", ENGINEERS, ("Developers", "ReadOnlyAccess"), "critical", 1),
    DemoSystem("github", "GitHub Enterprise", ENGINEERS, ("platform", "reviewers"), "critical", 2),
    DemoSystem("postgresql", "PostgreSQL orders", frozenset({"Platform"}), ("orders_rw",), "critical", 2),
    DemoSystem("hosts", "Production hosts", ENGINEERS, ("sudo", "deploy"), "critical", 1),
    DemoSystem(
        "google", "Google Workspace", EVERYBODY, ("all-staff", "calendar-rooms"), "high", 3, hands_over=True
    ),
    DemoSystem("slack", "Slack", EVERYBODY, ("general",), "high", 2, for_clients=True),
    DemoSystem("vpn", "Client VPN", ENGINEERS | {"Support"}, ("remote-access",), "high", 1),
    DemoSystem("salesforce", "Salesforce", CLIENT_SIDE | {"Finance"}, ("Sales cloud",), "normal", 1),
    DemoSystem("portal", "Client portal", CLIENT_SIDE, ("Project spaces",), "normal", 1, for_clients=True),
)
BY_HAND: tuple[dict[str, Any], ...] = (
    {
        "name": "figma",
        "title": "Figma",
        "settings": {
            "login_pattern": "{username}",
            "instructions": "Remove the seat under Admin, Members, and attach a picture of the list.",
        },
    },
    {
        "name": "badges",
        "title": "Door badges",
        "sla": "high",
        "settings": {
            "login_pattern": "HV-{employee_number}",
            "instructions": "Reception blocks the badge at the door system and notes its number.",
        },
    },
)
FAILING, SLOW = "postgresql", "hosts"
"""One system refuses our account's writes; one takes its time with each answer."""


def folder() -> Path:
    """Where the demo keeps its systems."""
    return Path(settings.DATA_DIR) / "demo"


def store() -> FakeStore:
    """The demo's systems themselves."""
    return FakeStore(folder() / "systems.sqlite3")


def remove_store() -> None:
    """Forget the demo's systems and all accounts in them."""
    shutil.rmtree(folder(), ignore_errors=True)


def connect_systems(*, actor: Actor, now: datetime) -> list[System]:
    """Connect every system of the firm, as an administrator would."""
    path = str(folder() / "systems.sqlite3")
    described: list[dict[str, Any]] = [
        {
            "name": system.name,
            "title": system.title,
            "sla": system.sla,
            "connector": "fake",
            "settings": {"store": path},
            "without": [] if system.hands_over else ["transfer", "end_transfer"],
        }
        for system in SYSTEMS
    ]
    described += [{"connector": "manual", **row} for row in BY_HAND]
    return [add_system(description=description, actor=actor, now=now) for description in described]


def fill_systems() -> int:
    """Give everybody their accounts, live sessions included, and return how many there are."""
    folder().mkdir(parents=True, exist_ok=True)
    path = store().path
    rows = [
        (system.name, account["login"], json.dumps(account))
        for system in SYSTEMS
        for account in _accounts(system)
    ]
    # All in one transaction; the store's own way opens its file for each account.
    with closing(sqlite3.connect(path)) as db, db:
        db.executemany("insert or replace into account values (?, ?, ?)", rows)
    return len(rows)


def _accounts(system: DemoSystem) -> Iterator[dict[str, Any]]:
    for person in Person.objects.prefetch_related("aliases").order_by("pk"):
        if person.department in system.departments:
            team = person.department.lower().replace(" & ", "-").replace(" ", "-")
            emails = [person.email, *(alias.email for alias in person.aliases.all())]
            yield _account(system, person.username, emails, person.name, [*system.groups, team])
    if system.for_clients:
        for contact in Contact.objects.select_related("client").order_by("pk"):
            login = contact.email.lower()
            yield _account(system, login, [login], contact.name, [contact.client.name], sessions=1)


def _account(
    system: DemoSystem,
    login: str,
    emails: list[str],
    name: str,
    groups: list[str],
    sessions: int | None = None,
) -> dict[str, Any]:
    most = system.sessions if sessions is None else sessions
    return {
        "login": login,
        "emails": [email.lower() for email in emails],
        "name": name,
        "is_active": True,
        "is_blocked": False,
        # Between one and `most`, the same in every demo.
        "sessions": 1 + crc32(f"{system.name}:{login}".encode()) % most,
        "groups": {f"g{number}": group for number, group in enumerate(groups, 1)},
        "employee_number": "",
        "is_protected": False,
    }


def misbehave(*, seconds: float = 1.5) -> None:
    """From now on one system refuses and another one dawdles, as some always do."""
    practice = store()
    practice.set_mode(FAILING, "denies")
    practice.set_mode(SLOW, "slow", seconds=seconds)


def behave() -> None:
    """Let all systems work: what the past of the demo was cut with."""
    practice = store()
    for name in (FAILING, SLOW):
        practice.set_mode(name, "ok")
