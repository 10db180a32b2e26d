"""A small firm with practice systems, for tests of the access room."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from partwell import clock
from partwell.access import operations, queries, runs
from partwell.access.models import Change, Plan, System, SystemRun
from partwell.connectors.fake.store import FakeStore
from partwell.departures.models import Departure
from partwell.people.actors import Actor, actor_for_user, console_actor
from partwell.people.models import Client, Contact, Person, RoleGrant, User

ADA = "ada@firm.example"


@dataclass
class World:
    """One leaver, two people of IT/security, and systems in a store."""

    store: FakeStore
    departure: Departure
    requester: Actor
    approver: Actor
    console: Actor
    systems: dict[str, System] = field(default_factory=dict)

    def add_system(
        self, name: str, *, accounts: int = 1, settings: dict[str, Any] | None = None, **row: Any
    ) -> System:
        """A practice system in which the leaver has accounts."""
        system = System.objects.create(
            name=name,
            title=name.title(),
            connector=row.pop("connector", "fake"),
            settings={"store": self.store.path, **(settings or {})},
            created_at=clock.now(),
            # What is handed over has a world of its own.
            **{"without": ["transfer", "end_transfer"], **row},
        )
        self.systems[name] = system
        for number in range(accounts):
            self.add_account(name, f"{name}-{number}")
        return system

    def add_account(self, system: str, account_id: str, **fields: Any) -> None:
        given = {"login": "ada", "emails": [ADA], "sessions": 2, "groups": {"staff": "Staff"}} | fields
        self.store.add_account(system, account_id, **given)

    def plan(self, actor: Actor | None = None, **options: Any) -> Plan:
        return operations.make_plan(
            departure=self.departure, actor=actor or self.requester, now=clock.now(), **options
        )

    def approve(self, plan: Plan, actor: Actor | None = None, checksum: str | None = None) -> Plan:
        return operations.approve_plan(
            plan=plan, checksum=checksum or plan.checksum, actor=actor or self.approver, now=clock.now()
        )

    def apply(self, plan: Plan) -> Plan:
        return operations.apply_plan(plan=plan, actor=self.console, now=clock.now())

    def cut(self) -> Plan:
        """Plan, approve, apply and run to the end."""
        plan = self.plan()
        self.approve(plan)
        self.apply(plan)
        self.run()
        return plan

    def enforce(self) -> Plan | None:
        return operations.enforce_access_end(departure_id=self.departure.pk, now=clock.now())

    def end_access(self) -> None:
        """Let access end a minute ago."""
        self.departure.access_end_at = clock.now() - timedelta(minutes=1)
        self.departure.save()

    def run(self, rounds: int = 12) -> None:
        """Play the worker: go on with every run, until nothing is due any more."""
        for _ in range(rounds):
            due = [
                run
                for run in SystemRun.objects.filter(
                    plan__departure=self.departure, state__in=("running", "waiting")
                )
                if run.next_at is None or run.next_at <= clock.now()
            ]
            if not due:
                return
            for run in due:
                runs.run_system(str(run.plan_id), str(run.system_id))

    def view(self) -> dict[str, Any]:
        return queries.plan_view(self.departure, actor=self.console, now=clock.now())

    def states(self, system: str | None = None) -> dict[str, str]:
        """Verb (or action) to state, of one system or of all."""
        return {
            (row["action"] if system else f"{row['system']}:{row['action']}"): row["state"]
            for row in self.view()["changes"]
            if system is None or row["system"] == system
        }

    def change(self, system: str, verb: str) -> Change:
        return Change.objects.get(account__system__name=system, verb=verb, is_current=True)

    def effects(self, system: str) -> list[str]:
        return [effect.verb for effect in self.store.ledger(system)]

    @property
    def is_settled(self) -> bool:
        return queries.is_settled(self.departure)


def make_user(name: str, roles: Iterable[str] = ("it_security",)) -> User:
    user = User.objects.create_user(email=f"{name}@firm.example", name=name.title())
    for role in roles:
        RoleGrant.objects.create(user=user, role=role, granted_at=clock.now(), granted_by="tests")
    return user


def make_departure(email: str = ADA, *, access_end_at: datetime | None = None) -> Departure:
    person = Person.objects.create(
        email=email, name=email.partition("@")[0].title(), username="", department="Sales"
    )
    return Departure.objects.create(
        subject_kind="staff",
        person=person,
        subject_name=person.name,
        subject_email=email,
        subject_department="Sales",
        scenario="staff-resignation",
        initiated_by="leaver",
        notice_date=date(2026, 11, 1),
        last_working_date=date(2026, 11, 30),
        contract_end_date=date(2026, 11, 30),
        access_end_at=access_end_at or clock.now() + timedelta(days=8),
        timezone="Europe/Berlin",
        created_at=clock.now(),
    )


def make_client_departure(*emails: str) -> Departure:
    client = Client.objects.create(name="Northwind")
    for email in emails:
        Contact.objects.create(client=client, email=email)
    return Departure.objects.create(
        subject_kind="client",
        client=client,
        subject_name="Northwind",
        scenario="client-contract-expiry",
        initiated_by="expiry",
        notice_date=date(2026, 11, 1),
        last_working_date=date(2026, 11, 30),
        contract_end_date=date(2026, 11, 30),
        access_end_at=clock.now() + timedelta(days=8),
        timezone="UTC",
        created_at=clock.now(),
    )


def make_world(folder: Path, departure: Departure | None = None) -> World:
    return World(
        store=FakeStore(folder / "practice.sqlite3"),
        departure=departure or make_departure(),
        requester=actor_for_user(make_user("rita"), is_fresh=True),
        approver=actor_for_user(make_user("otto"), is_fresh=True),
        console=console_actor(),
    )
