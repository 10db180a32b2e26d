"""What somebody has everywhere: asked of all systems at once, kept, read by risk, honest about the rest."""

from __future__ import annotations

from typing import Any

import ldap3
import pytest

from partwell import clock
from partwell.access import questions
from partwell.access.map_queries import latest_map, map_view
from partwell.access.models import AccessMap, AccountRecord, Question, System
from partwell.access.operations.mapping import take_map
from partwell.evidence.models import Event
from partwell.people.models import Client, Contact, Person, PersonAlias
from partwell.refusals import NotAllowed
from tests.access_world import World, make_user
from tests.servers.postgresql import SERVICE as PG_SERVICE
from tests.servers.postgresql import SERVICE_PASSWORD as PG_PASSWORD
from tests.servers.postgresql import PostgresqlServer
from tests.servers.slapd import SERVICE_DN, SERVICE_PASSWORD, SUFFIX, SlapdServer

pytestmark = pytest.mark.django_db


@pytest.fixture
def bo(world: World) -> Person:
    """A colleague who does not leave, in three systems, one of them silent; the fourth nobody can ask."""
    person = Person.objects.create(name="Bo Lind", email="bo@firm.example", employee_number="17")
    PersonAlias.objects.create(person=person, email="b.lind@firm.example")
    for name in ("mail", "cloud", "crm"):
        world.add_system(name, accounts=0)
    world.add_system("badge", connector="manual", accounts=0)
    world.add_account("mail", "m1", login="bo", emails=["bo@firm.example"], sessions=2)
    world.add_account(
        "cloud",
        "c1",
        login="bo.lind",
        sessions=0,
        emails=["b.lind@firm.example"],
        groups={"a": "Domain Admins", "s": "Staff"},
        holdings={"k1": ("key", "Laptop"), "r1": ("owned", "Billing job")},
    )
    world.store.set_mode("crm", "down")
    return person


@pytest.fixture
def cy(
    world: World,
    postgresql_server: PostgresqlServer,
    slapd_server: SlapdServer,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> Person:
    """A colleague with a role in a database and an entry in a directory, both real."""
    settings.OUTBOUND_ALLOW = ["127.0.0.0/8", "::1"]
    monkeypatch.setenv("PG_SECRET", PG_PASSWORD)
    monkeypatch.setenv("LDAP_SECRET", SERVICE_PASSWORD)
    person = Person.objects.create(name="Cy Roe", email="cy.roe@firm.example")
    postgresql_server.add_person("cy_roe", comment=person.email)
    postgresql_server.add_group("reporting", ["cy_roe"])
    postgresql_server.run("CREATE ROLE everything SUPERUSER")
    postgresql_server.run("GRANT everything TO reporting")
    dn = slapd_server.add_person("cy-roe", person.email)
    group = slapd_server.add_group("choir", [dn, SERVICE_DN])
    slapd_server.modify(group, {"owner": [(ldap3.MODIFY_ADD, [dn])]})
    places = {
        "postgresql": {
            "url": postgresql_server.url,
            "ca_file": str(postgresql_server.ca_file),
            "user": PG_SERVICE,
            "password": "env:PG_SECRET",
        },
        "ldap": {
            "url": slapd_server.ldaps_url,
            "ca_file": str(slapd_server.ca_file),
            "bind_dn": SERVICE_DN,
            "password": "env:LDAP_SECRET",
            "base_dn": SUFFIX,
        },
    }
    for name, given in places.items():
        world.add_system(name, accounts=0, connector=name, settings=given)
        System.objects.filter(name=name).update(settings=given)
    return person


def take(world: World, **subject: Any) -> dict[str, Any]:
    return map_view(take_map(**subject, actor=world.requester, now=clock.now()))


def test_a_group_is_judged_by_what_it_may_do_and_things_need_a_new_owner(world: World, cy: Person) -> None:
    accounts = {account["system"]: account for account in take(world, person=cy)["accounts"]}
    database, directory = accounts["postgresql"], accounts["ldap"]
    assert database["risk"] == "high"
    assert database["reasons"] == [
        "Powerful: reporting, because it leads to everything, which has SUPERUSER; "
        "everything, because it has SUPERUSER"
    ]
    assert {held["name"]: held["power"] for held in database["entitlements"]} == {
        "reporting": "leads to everything, which has SUPERUSER",
        "everything": "has SUPERUSER",
    }
    assert (directory["risk"], directory["reasons"]) == ("raised", ["1 thing needs a new owner"])
    assert [held["name"] for held in directory["holdings"]] == ["owner of the group choir"]


def test_all_that_somebody_has_is_listed_with_the_most_dangerous_first(world: World, bo: Person) -> None:
    view = take(world, person=bo)
    assert [(a["system"], a["login"], a["risk"]) for a in view["accounts"]] == [
        ("cloud", "bo.lind", "high"),
        ("mail", "bo", "raised"),
    ]
    cloud, mail = view["accounts"]
    assert cloud["reasons"] == [
        "Powerful by name: Domain Admins",
        "1 token or key opens the door unattended",
        "1 thing needs a new owner",
    ]
    assert [held["name"] for held in cloud["holdings"]] == ["Laptop", "Billing job"]
    assert mail["reasons"] == ["2 open sessions"] and len(mail["holdings"]) == 2
    assert view["counts"] == {"high": 1, "raised": 1}


def test_what_could_not_be_asked_is_named_and_is_never_nothing(world: World, bo: Person) -> None:
    view = take(world, person=bo)
    assert {each["system"] for each in view["not_asked"]} == {"crm", "badge"}
    assert all(each["reason"] for each in view["not_asked"])
    assert view["none_in"] == []
    world.add_system("wiki", accounts=0)
    assert map_view(AccessMap.objects.get())["connected_since"] == ["Wiki"]
    assert take(world, person=bo)["none_in"] == ["Wiki"]


def test_holdings_that_cannot_be_listed_are_unknown_and_the_account_stands(
    world: World, bo: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    from partwell.connector_kit.contract import ConnectorError, ErrorKind
    from partwell.connectors.fake.connector import FakeConnector

    async def refuse(self: FakeConnector, external_id: str) -> None:
        raise ConnectorError(ErrorKind.DENIED, "The token lacks the scope keys:read.")

    monkeypatch.setattr(FakeConnector, "holdings", refuse)
    cloud = take(world, person=bo)["accounts"][0]
    assert cloud["holdings_unknown"] == "The token lacks the scope keys:read." and cloud["holdings"] == []


def test_two_matches_are_asked_about_and_what_was_said_before_counts(world: World, bo: Person) -> None:
    world.store.set_mode("mail", "two_matches")
    view = take(world, person=bo)
    assert len(view["ambiguous"]) >= 2 and "mail" not in {a["system"] for a in view["accounts"]}
    world.departure.person = bo
    world.departure.save()
    AccountRecord.objects.create(
        departure=world.departure, system=world.systems["mail"], external_id="m1", link="ours"
    )
    assert "mail" in {a["system"] for a in take(world, person=bo)["accounts"]}


def test_a_client_is_all_its_contacts(world: World, bo: Person) -> None:
    client = Client.objects.create(name="Kestrel", client_ref="KES")
    Contact.objects.create(client=client, name="Sabine", email="sabine@kestrel.example")
    Contact.objects.create(client=client, name="Jo", email="jo@kestrel.example")
    for name in ("sabine", "jo"):
        world.add_account("mail", name, login=name, emails=[f"{name}@kestrel.example"])
    view = take(world, client=client)
    assert {account["login"] for account in view["accounts"]} == {"sabine", "jo"}


def test_the_newest_replaces_the_one_before_and_each_asking_is_on_record(world: World, bo: Person) -> None:
    take(world, person=bo)
    world.store.edit("mail", "m1", sessions=0)
    take(world, person=bo)
    assert AccessMap.objects.count() == 1
    found = latest_map(world.requester, person=bo)
    assert found is not None and map_view(found)["accounts"][1]["reasons"] == []
    assert Event.objects.filter(kind="access.map_taken").count() == 2


def test_nothing_is_written_to_any_system(world: World, bo: Person) -> None:
    take(world, person=bo)
    assert world.store.ledger() == []


def test_who_is_not_of_it_or_hr_neither_asks_nor_reads(world: World, bo: Person) -> None:
    from partwell.people.actors import actor_for_user

    manager = actor_for_user(make_user("mara", roles=("finance",)), is_fresh=True)
    with pytest.raises(NotAllowed):
        take_map(person=bo, actor=manager, now=clock.now())
    with pytest.raises(NotAllowed):
        latest_map(manager, person=bo)
    with pytest.raises(NotAllowed):
        questions.ask_for_map(person=bo, actor=manager, now=clock.now())
    assert not Question.objects.exists()


def test_asked_from_a_page_the_engine_asks_once(world: World, bo: Person) -> None:
    first = questions.ask_for_map(person=bo, actor=world.requester, now=clock.now())
    assert questions.ask_for_map(person=bo, actor=world.approver, now=clock.now()) == first
    questions.answer(str(first.pk))
    first.refresh_from_db()
    assert (first.state, first.answer) == ("answered", "3 of 4 systems answered.")
    assert questions.open_map_question(person=bo) is None
