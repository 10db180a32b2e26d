"""Whoever leaves knew some secrets: each is changed, by a connector or by hand, and the others are told."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client as Browser
from django.test import override_settings

from partwell.access import summaries
from partwell.access.credentials import imports, operations, settling
from partwell.access.credentials.rotation_queries import (
    get_rotation,
    my_rotations,
    rotation_dict,
    visible_rotations,
)
from partwell.access.models import Credential, CredentialRotation, System
from partwell.access.operations import enforcement
from partwell.connector_kit.contract import (
    ConnectorError,
    ErrorKind,
    Outcome,
    Proof,
    Receipt,
    Rotation,
    Verdict,
)
from partwell.departures.models import Departure
from partwell.departures.policies import sees_inside
from partwell.evidence.models import Event
from partwell.evidence.queries import fields_of
from partwell.journeys.intake import Intake
from partwell.journeys.operations import ending
from partwell.journeys.operations.shutting_out import shut_out
from partwell.journeys.operations.starting import start
from partwell.journeys.template.library import LIBRARY_DIR
from partwell.people.actors import Actor, console_actor
from partwell.people.models import Installation, Person, User
from partwell.people.roles import Role
from partwell.refusals import Conflict, FreshSignInNeeded, Invalid, NotFound
from partwell.signals.models import Message
from partwell.signals.sealing import unseal
from tests.factories import (
    LAST_DAY,
    NOW,
    as_actor,
    make_client,
    make_holder,
    make_person,
    publish,
    start_journey,
)
from tests.servers.postgresql import SERVICE, SERVICE_PASSWORD, PostgresqlServer

pytestmark = pytest.mark.django_db

CONSOLE = console_actor()
NEW = "zqnewsecretcanary"


def share(name: str, *known_by: str, **given: Any) -> Credential:
    made = operations.add_credential(given={"name": name, **given}, actor=CONSOLE, now=NOW)
    for email in known_by:
        operations.add_holder(credential=made, email=email, actor=CONSOLE, now=NOW)
    return made


def of(departure: Any) -> dict[str, CredentialRotation]:
    found = CredentialRotation.objects.filter(departure_id=departure.pk).select_related(
        "credential__system", "departure", "owner"
    )
    return {each.credential.name: each for each in found}


def mails(kind: str) -> list[tuple[str, str, str]]:
    found = Message.objects.filter(kind=kind).order_by("to")
    return [(m.to, m.state, f"{m.subject}\n{unseal(m.sealed_text) if m.sealed_text else ''}") for m in found]


@pytest.fixture
def leaver() -> Person:
    publish()
    return make_person("Marit Lindqvist")


@pytest.fixture
def owner(leaver: Person) -> Actor:
    person = make_person("Olga Own")
    return as_actor(User.objects.create_user(person.email, name=person.name, person=person))


OLGA, MARIT, HAL = "olga.own@harbour.example", "marit.lindqvist@harbour.example", "hal.hold@harbour.example"


def test_a_departure_opens_one_rotation_for_each_secret_that_the_leaver_knows(
    leaver: Person, owner: Actor
) -> None:
    share("Wi-Fi", MARIT, OLGA, owner_email=OLGA)
    share("Bank", OLGA, owner_email=OLGA)
    share("Door", MARIT)
    share("Own", MARIT, owner_email=MARIT)
    ended = share("Old", MARIT).holders.get()
    operations.end_holder(holder=ended, reason="It was changed.", actor=CONSOLE, now=NOW)
    departure = start_journey(leaver, reason="pay").departure
    opened = of(departure)
    assert {name: each.owner_name for name, each in opened.items()} == {
        "Wi-Fi": "Olga Own",
        "Door": "",
        "Own": "",
    }
    assert all(each.due_at == departure.access_end_at and each.state == "open" for each in opened.values())
    assert [each.credential.name for each in my_rotations(owner, now=NOW)] == ["Wi-Fi"]
    assert [(to, state) for to, state, _ in mails("credential_to_change")] == [(OLGA, "queued")]
    text = mails("credential_to_change")[0][2]
    assert "Wi-Fi" in text and "Marit" not in text and "pay" not in text


def test_who_learns_a_secret_while_leaving_has_it_changed_too(leaver: Person, owner: Actor) -> None:
    departure = start_journey(leaver).departure
    made = share("Wi-Fi", OLGA)
    assert of(departure) == {}
    operations.add_holder(credential=made, email=MARIT, actor=CONSOLE, now=NOW)
    imports.import_credentials(data=f"name,holders\nVault,{MARIT}\n".encode(), actor=CONSOLE, now=NOW)
    assert set(of(departure)) == {"Wi-Fi", "Vault"}


def test_a_client_that_leaves_has_both_directions_changed(leaver: Person) -> None:
    publish((LIBRARY_DIR / "client-contract-expiry.yaml").read_text("utf-8"))
    client = make_client(manager=make_person("Ann Account"))
    share("Their shop", client_ref=client.name, direction="theirs")
    share("Our preview", "orla@brightwater.example", client_ref=client.name, direction="ours")
    share("Elsewhere")
    intake = Intake(client=client, last_working_date=LAST_DAY, notice_date=NOW.date())
    departure = start(template_id="client-contract-expiry", intake=intake, actor=CONSOLE, now=NOW).departure
    assert set(of(departure)) == {"Their shop", "Our preview"}
    settling.attest_rotation(
        rotation=of(departure)["Our preview"], note="New code at the proxy.", actor=CONSOLE, now=NOW
    )
    assert Credential.objects.get(name="Our preview").holders.get().until_date == NOW.date()
    assert mails("credential_changed") == []


def test_a_person_says_with_proof_that_it_is_changed_and_the_others_are_told(
    leaver: Person, owner: Actor
) -> None:
    make_person("Hal Hold")
    made = share("Wi-Fi", MARIT, OLGA, HAL, owner_email=OLGA)
    departure = start_journey(leaver, reason="pay").departure
    rotation = of(departure)["Wi-Fi"]
    with pytest.raises(Invalid, match="how one can see"):
        settling.attest_rotation(rotation=rotation, note="ok", actor=owner, now=NOW)
    done = settling.attest_rotation(
        rotation=rotation, note="New one in the vault, old one refused.", link="https://vault.example/1",
        actor=owner, now=NOW,
    )  # fmt: skip
    assert (done.state, done.by, done.told) == ("attested", "person", 2)
    made.refresh_from_db()
    assert made.rotated_on_date == NOW.date()
    assert set(made.holders.filter(until_date=None).values_list("name", flat=True)) == {
        "Olga Own",
        "Hal Hold",
    }
    assert [(to, state) for to, state, _ in mails("credential_to_change")] == [(OLGA, "dropped")]
    told = mails("credential_changed")
    assert [to for to, _, _ in told] == [HAL, OLGA]
    assert all("Marit" not in text and "pay" not in text and "Wi-Fi" in text for _, _, text in told)
    with pytest.raises(Conflict):
        settling.leave_rotation(rotation=rotation, reason="Not needed after all.", actor=owner, now=NOW)


def test_the_owner_is_not_told_who_leaves_unless_they_see_that_departure(
    leaver: Person, owner: Actor
) -> None:
    share("Wi-Fi", MARIT, owner_email=OLGA)
    departure = start_journey(leaver).departure
    rotation = get_rotation(owner, of(departure)["Wi-Fi"].pk, now=NOW)
    assert sees_inside(owner, [rotation], to="access.view") == set()
    assert rotation_dict(rotation, names_departure=False)["subject"] is None
    browser = Browser(SERVER_NAME="localhost")
    Installation.objects.create(company_name="Harbour & Vale", initialised_at=NOW)
    browser.force_login(User.objects.get(email=OLGA))
    for page in (f"/rotations/{rotation.pk}/", f"/credentials/{rotation.credential_id}/", "/steps/"):
        text = browser.get(page).content.decode()
        assert "Wi-Fi" in text and f"/rotations/{rotation.pk}/" in text
        # Whoever answers for a secret reads who knows it, on its own page alone.
        assert page.startswith("/credentials/") or "Marit" not in text


def test_nobody_learns_of_a_need_to_know_departure_before_access_has_ended(
    leaver: Person, owner: Actor
) -> None:
    share("Wi-Fi", MARIT, owner_email=OLGA)
    departure = start_journey(leaver, confidentiality="need_to_know").departure
    security = as_actor(make_holder(Role.IT_SECURITY, "Ines Sec"))
    rotation = of(departure)["Wi-Fi"]
    for outsider in (owner, security):
        assert not visible_rotations(outsider, now=NOW).exists()
        with pytest.raises(NotFound):
            get_rotation(outsider, rotation.pk, now=NOW)
    with pytest.raises(NotFound):
        settling.attest_rotation(rotation=rotation, note="I guess that it is so.", actor=owner, now=NOW)
    assert mails("credential_to_change") == []
    later = departure.access_end_at + timedelta(minutes=1)
    enforcement.enforce_access_end(departure_id=departure.pk, now=later)
    assert [to for to, _, _ in mails("credential_to_change")] == [OLGA]
    assert my_rotations(owner, now=later) == [rotation]


def test_what_was_changed_before_shows_no_sooner_that_somebody_leaves(leaver: Person, owner: Actor) -> None:
    made = share("Wi-Fi", MARIT, owner_email=OLGA)
    departure = start_journey(leaver, confidentiality="need_to_know").departure
    settling.attest_rotation(
        rotation=of(departure)["Wi-Fi"], note="Changed by the console.", actor=CONSOLE, now=NOW
    )
    assert made.holders.get().until_date is None
    later = departure.access_end_at + timedelta(minutes=1)
    enforcement.enforce_access_end(departure_id=departure.pk, now=later)
    assert made.holders.get().until_date is not None


def test_the_leaver_sees_nothing_of_it_even_as_the_owner_of_another_secret(leaver: Person) -> None:
    user = User.objects.create_user(MARIT, name=leaver.name, person=leaver)
    share("Wi-Fi", MARIT)
    departure = start_journey(leaver).departure
    CredentialRotation.objects.update(owner=leaver)
    actor = as_actor(user)
    assert my_rotations(actor, now=NOW) == []
    with pytest.raises(NotFound):
        get_rotation(actor, of(departure)["Wi-Fi"].pk, now=NOW)
    with pytest.raises(NotFound):
        settling.attest_rotation(
            rotation=of(departure)["Wi-Fi"], note="I did it, believe me.", actor=actor, now=NOW
        )


def test_an_unchanged_secret_stands_in_the_way_of_closing(leaver: Person) -> None:
    share("Wi-Fi", MARIT)
    departure = start_journey(leaver).departure
    assert [o.what for o in ending.obstacles(departure) if o.kind == "credential"] == [
        "Shared secret “Wi-Fi”: open"
    ]
    assert summaries.picture(departure).secrets
    with pytest.raises(Conflict, match="Wi-Fi"):
        ending.close(departure=departure, actor=CONSOLE, now=NOW)
    settling.leave_rotation(
        rotation=of(departure)["Wi-Fi"], reason="They never had the code.", actor=CONSOLE, now=NOW
    )
    assert summaries.picture(departure).secrets == []


def test_withdrawing_the_notice_leaves_every_secret_as_it_is(leaver: Person, owner: Actor) -> None:
    made = share("Wi-Fi", MARIT, OLGA, owner_email=OLGA)
    departure = start_journey(leaver).departure
    ending.withdraw(departure=departure, reason="They stay after all.", actor=CONSOLE, now=NOW)
    assert of(departure)["Wi-Fi"].state == "withdrawn"
    assert made.holders.filter(until_date=None).count() == 2
    assert [state for _, state, _ in mails("credential_to_change")] == ["dropped"]


def test_the_kill_switch_opens_them_in_the_same_moment(leaver: Person, owner: Actor) -> None:
    publish((LIBRARY_DIR / "staff-urgent-cut.yaml").read_text("utf-8"))
    share("Wi-Fi", MARIT, owner_email=OLGA)
    cut = shut_out(people=[leaver], reason="Their laptop was stolen.", actor=CONSOLE, now=NOW)
    departure = cut.departures.get()
    rotation = of(departure)["Wi-Fi"]
    assert rotation.state == "open" and rotation.due_at == NOW
    assert [to for to, _, _ in mails("credential_to_change")] == [OLGA]


# --- By a connector -----------------------------------------------------------------------------------


class Told:
    """Stands where the connection to a system does, and says what it was told to say."""

    answer: Rotation | ConnectorError
    makes_one = True

    def __init__(self, target: Any) -> None:
        """As of a real one."""

    def __enter__(self) -> Told:
        return self

    def __exit__(self, *error: object) -> None:
        """Nothing was opened."""

    def call(self, make: Callable[[Any], Any]) -> Rotation:
        import asyncio

        return asyncio.new_event_loop().run_until_complete(make(self))

    async def discover(self, identity: Any) -> list[Any]:
        return []

    async def rotate(self, external_id: str, *, old: str, keep: Callable[[dict[str, str]], None]) -> Rotation:
        if self.makes_one:
            keep({"password": NEW})
        if isinstance(self.answer, ConnectorError):
            raise self.answer
        return self.answer


def came(verdict: Verdict) -> Rotation:
    return Rotation(Receipt(Outcome.DONE, "Done."), Proof(verdict, "It was changed.", "It was tried."))


@pytest.fixture
def orders(leaver: Person, owner: Actor, monkeypatch: pytest.MonkeyPatch) -> CredentialRotation:
    """A secret that a connector can change, known by somebody who leaves."""
    System.objects.create(name="orders", title="Orders", connector="postgresql", created_at=NOW)
    share("Reporting role", MARIT, OLGA, owner_email=OLGA, system="orders", account="reporting")
    monkeypatch.setattr(settling, "Session", Told)
    return of(start_journey(leaver).departure)["Reporting role"]


@pytest.mark.parametrize(
    ("answer", "makes_one", "state"),
    [
        (came(Verdict.CONFIRMED), True, "verified"),
        (came(Verdict.UNVERIFIABLE), True, "accepted"),
        (came(Verdict.FAILED), True, "failed"),
        (ConnectorError(ErrorKind.RETRYABLE, "No answer."), True, "failed"),
        (ConnectorError(ErrorKind.DENIED, "Not allowed."), False, "failed"),
    ],
)
def test_only_what_was_tried_counts_as_verified_and_the_new_secret_is_shown_once(
    orders: CredentialRotation, owner: Actor, answer: Any, makes_one: bool, state: str
) -> None:
    Told.answer, Told.makes_one = answer, makes_one
    done = settling.rotate(rotation=orders, actor=owner, now=NOW)
    assert done.rotation.state == state and NEW not in repr(done)
    assert dict(done.secret) == ({"password": NEW} if makes_one else {})
    assert (done.rotation.told == 1) == (state in ("verified", "accepted"))
    assert done.rotation.is_settled == (state == "verified")
    assert ("may be valid" in done.rotation.reason) == (makes_one and isinstance(answer, ConnectorError))
    said = [fields_of(event) for event in Event.objects.all()]
    rows = list(CredentialRotation.objects.values()) + list(Message.objects.values("subject"))
    assert NEW not in repr(said) + repr(rows)
    assert Event.objects.filter(kind="credential.rotation_requested").count() == 1
    assert Event.objects.filter(kind=f"credential.rotation_{state}").count() == 1


def test_no_system_is_asked_where_the_intent_cannot_be_put_on_record(
    orders: CredentialRotation, owner: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Asked(Told):
        def __init__(self, target: Any) -> None:
            pytest.fail("the system was asked")

    def full(*args: object, **fields: object) -> None:
        raise OSError("attempt to write a readonly database")

    monkeypatch.setattr(settling, "Session", Asked)
    monkeypatch.setattr(settling, "record", full)
    before = orders.state
    with pytest.raises(OSError, match="readonly"):
        settling.rotate(rotation=orders, actor=owner, now=NOW)
    orders.refresh_from_db()
    assert (orders.state, orders.asked_at) == (before, None)


def test_a_lost_answer_is_shown_as_one_and_two_do_not_change_it_at_once(
    orders: CredentialRotation, owner: Actor
) -> None:
    class Dies(Told):
        def call(self, make: Callable[[Any], Any]) -> Rotation:
            raise KeyboardInterrupt

    settling.Session = Dies  # type: ignore[misc,assignment]
    with pytest.raises(KeyboardInterrupt):
        settling.rotate(rotation=orders, actor=owner, now=NOW)
    orders.refresh_from_db()
    assert orders.state == "requested" and not orders.is_settled
    with pytest.raises(Conflict, match="at this moment"):
        settling.rotate(rotation=orders, actor=owner, now=NOW + timedelta(minutes=1))
    settling.Session = Told  # type: ignore[misc,assignment]
    Told.answer, Told.makes_one = came(Verdict.CONFIRMED), True
    done = settling.rotate(rotation=orders, actor=owner, now=NOW + timedelta(minutes=5))
    assert done.rotation.state == "verified"


def test_changing_it_needs_a_fresh_second_factor(orders: CredentialRotation, owner: Actor) -> None:
    stale = as_actor(User.objects.get(email=OLGA), is_fresh=False)
    with pytest.raises(FreshSignInNeeded):
        settling.rotate(rotation=orders, actor=stale, now=NOW)
    assert not Event.objects.filter(kind="credential.rotation_requested").exists()


@pytest.mark.server("postgresql")
@pytest.mark.django_db(transaction=True)
def test_a_real_role_gets_a_new_password_and_the_old_one_is_refused(
    leaver: Person, owner: Actor, postgresql_server: PostgresqlServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, before = "reporting_shared", "the password so far"
    postgresql_server.add_person(name, password=before, comment="shared")
    monkeypatch.setenv("PG_SERVICE", SERVICE_PASSWORD)
    server = postgresql_server
    door = {"ca_file": str(server.ca_file)} if server.ca_file else {"allow_plain": True}
    System.objects.create(
        name="orders",
        title="Orders",
        connector="postgresql",
        settings={"url": server.url, **door, "user": SERVICE, "password": "env:PG_SERVICE"},
        created_at=NOW,
    )
    share("Reporting role", MARIT, OLGA, owner_email=OLGA, system="orders", account=name)
    departure: Departure = start_journey(leaver).departure
    with override_settings(OUTBOUND_ALLOW=["127.0.0.0/8", "::1"]):
        done = settling.rotate(rotation=of(departure)["Reporting role"], old=before, actor=owner, now=NOW)
    assert done.rotation.state == "verified", done.rotation.reason
    new = done.secret["password"]
    assert server.try_sign_in(name, new) and not server.try_sign_in(name, before)
    assert done.rotation.proof is not None and "old password was refused" in done.rotation.proof["probe"]
    assert new not in repr([fields_of(event) for event in Event.objects.all()])
    assert new not in repr(list(CredentialRotation.objects.values()))
    assert not {new, before} & {str(value) for row in Message.objects.values() for value in row.values()}
