"""The register of shared secrets: who owns and knows each, and who may read of it."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from partwell.access.credentials import operations, queries
from partwell.access.models import Credential, Holder, System
from partwell.evidence.models import Event
from partwell.evidence.queries import fields_of
from partwell.people.actors import Actor, console_actor
from partwell.people.models import User
from partwell.people.roles import Role
from partwell.refusals import Conflict, Invalid, NotAllowed, NotFound
from tests.factories import NOW, as_actor, make_client, make_holder, make_person

pytestmark = pytest.mark.django_db

CONSOLE = console_actor()
TODAY = NOW.date()


def add(name: str = "Team Wi-Fi", **given: Any) -> Credential:
    return operations.add_credential(given={"name": name, **given}, actor=CONSOLE, now=NOW)


def know(credential: Credential, email: str) -> Holder:
    return operations.add_holder(credential=credential, email=email, actor=CONSOLE, now=NOW)


def person_actor(name: str) -> Actor:
    """A colleague without any role."""
    person = make_person(name)
    return as_actor(User.objects.create_user(person.email, name=name, person=person))


def listed(actor: Actor, **options: Any) -> list[str]:
    found, _ = queries.list_credentials(actor=actor, today=TODAY, **options)
    return [each.name for each in found]


def test_of_a_web_address_only_the_host_stays_because_the_rest_may_be_secret() -> None:
    made = add(used_at="https://ann:hunter2@hooks.example:8443/services/T0/s3cr3t?token=abc#frag")
    assert made.used_at == "hooks.example:8443"
    said = "".join(str(fields_of(event)) for event in Event.objects.all())
    assert "hunter2" not in said and "s3cr3t" not in said


def test_whoever_has_nothing_to_do_with_it_does_not_find_it() -> None:
    owner, holder, other = (person_actor(name) for name in ("Olga Own", "Hal Hold", "Otto Other"))
    made = add(owner_email="olga.own@harbour.example")
    know(made, "hal.hold@harbour.example")
    add("Bank portal")
    assert listed(owner) == listed(holder) == ["Team Wi-Fi"]
    assert listed(other) == []
    with pytest.raises(NotFound):
        queries.get_credential(other, made.pk)
    security = as_actor(make_holder(Role.IT_SECURITY, "Ines Sec"))
    assert listed(security) == ["Bank portal", "Team Wi-Fi"]


def test_who_knows_it_too_is_not_told_who_else_does_and_changes_nothing() -> None:
    holder = person_actor("Hal Hold")
    made = add()
    entry = know(made, "hal.hold@harbour.example")
    assert queries.credential_view(holder, made, today=TODAY)["holders"] is None
    with pytest.raises(NotFound):
        queries.get_holder(holder, made, entry.pk)
    with pytest.raises(NotAllowed):
        operations.change_credential(credential=made, given={"name": "Mine"}, actor=holder, now=NOW)


def test_ended_entries_stay_on_record_and_no_longer_let_anybody_read() -> None:
    holder = person_actor("Hal Hold")
    made = add()
    entry = know(made, "hal.hold@harbour.example")
    with pytest.raises(Conflict):
        know(made, "hal.hold@harbour.example")
    operations.end_holder(holder=entry, reason="They never knew it.", actor=CONSOLE, now=NOW)
    assert listed(holder) == []
    view = queries.credential_view(CONSOLE, made, today=TODAY)
    assert [(h["name"], h["until"]) for h in view["holders"]] == [("Hal Hold", TODAY.isoformat())]
    know(made, "hal.hold@harbour.example")
    assert listed(holder) == ["Team Wi-Fi"]


def test_a_holder_outlives_their_row() -> None:
    person = make_person("Gone Soon")
    made = add(owner_email=person.email)
    know(made, person.email)
    person.delete()
    made.refresh_from_db()
    assert made.owner_name == "Gone Soon" and made.holders.get().name == "Gone Soon"


def test_a_client_login_says_whose_it_is_and_a_contact_may_know_it() -> None:
    client = make_client()
    with pytest.raises(Invalid, match="theirs or ours"):
        add("Shop backend", client_ref=client.name)
    made = add("Shop backend", client_ref=client.name, direction="ours", kind="client login")
    entry = know(made, "orla@brightwater.example")
    assert entry.contact is not None and entry.contact.client == client
    with pytest.raises(Invalid):
        know(add("Other"), "orla@brightwater.example")


def test_only_a_system_that_can_change_a_secret_is_bound() -> None:
    for name, connector in (("chat", "slack"), ("orders", "postgresql")):
        System.objects.create(name=name, title=name.title(), connector=connector, created_at=NOW)
    with pytest.raises(Invalid, match="cannot change a secret"):
        add(system="chat", account="U1")
    with pytest.raises(Invalid, match="or neither"):
        add(system="orders")
    assert add(system="orders", account="reporting").external_id == "reporting"
    System.objects.filter(name="orders").update(without=["rotate"])
    with pytest.raises(Invalid, match="cannot change a secret"):
        add("Second", system="orders", account="reporting")


def test_the_same_twice_is_refused_until_the_first_is_retired() -> None:
    first = add(used_at="office")
    with pytest.raises(Conflict, match="on record already"):
        add(used_at="office")
    operations.retire_credential(credential=first, reason="The router is gone.", actor=CONSOLE, now=NOW)
    add(used_at="office")
    assert listed(CONSOLE) == listed(CONSOLE, only="retired") == ["Team Wi-Fi"]
    with pytest.raises(Conflict):
        operations.change_credential(credential=first, given={"login": "x"}, actor=CONSOLE, now=NOW)


def test_an_interval_makes_it_due() -> None:
    add("Old", rotated_on="2026-08-01", rotate_every_days="90")
    add("Young", rotated_on="2026-10-30", rotate_every_days="90")
    add("Never")
    assert listed(CONSOLE, only="due") == ["Old"]


def test_searching_goes_by_words_whatever_their_case_and_pages_follow_each_other() -> None:
    for number in range(5):
        add(f"Portal {number}", used_at="bank.example", login="billing")
    assert listed(CONSOLE, search="BILLING bank 3") == ["Portal 3"]
    names, after = [], None
    while True:
        page, after = queries.list_credentials(actor=CONSOLE, today=TODAY, after=after, limit=2)
        names += [each.name for each in page]
        if after is None:
            break
    assert names == [f"Portal {number}" for number in range(5)]


def test_what_is_wrong_is_named_and_never_repeated() -> None:
    for field, text in (
        ("rotated_on", "hunter2"),
        ("kind", "hunter2"),
        ("owner_email", "hunter2"),
        ("owner_email", "hunter2@nobody.example"),
        ("client_ref", "hunter2"),
        ("system", "hunter2"),
        ("used_at", "https://[hunter2"),
        ("login", "hunter2" * 40),
    ):
        with pytest.raises(Invalid) as refused:
            add(**{field: text})
        assert refused.value.field == field
        assert "hunter2" not in refused.value.message


def test_everything_leaves_its_event() -> None:
    make_person("Hal Hold")
    made = add()
    operations.change_credential(credential=made, given={"login": "guest"}, actor=CONSOLE, now=NOW)
    entry = know(made, "hal.hold@harbour.example")
    operations.end_holder(holder=entry, reason="They never knew it.", actor=CONSOLE, now=NOW)
    operations.retire_credential(credential=made, reason="Nothing uses it.", actor=CONSOLE, now=NOW)
    kinds = Event.objects.filter(scope=f"credential:{made.pk}").order_by("pk").values_list("kind", flat=True)
    assert set(kinds) == {
        "credential.added",
        "credential.changed",
        "credential.holder_added",
        "credential.holder_ended",
        "credential.retired",
    }
    with pytest.raises(Invalid):
        operations.add_holder(
            credential=add("New"), email="hal.hold@harbour.example", since=date(2030, 1, 1),
            actor=CONSOLE, now=NOW,
        )  # fmt: skip
