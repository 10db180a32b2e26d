"""Signals to a receiver that nobody here wrote the checks of: what it is told, when, and what it is not."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import time_machine
from django.db import transaction

from partwell import clock
from partwell.access.models import Alert
from partwell.access.operations import restore_plan
from partwell.access.operations.enforcement import enforce_access_end
from partwell.connector_kit.contract import ConnectorError, ErrorKind, Receipt, Snapshot, Verb
from partwell.connectors.fake.connector import FakeConnector
from partwell.departures.states import Confidentiality
from partwell.people.actors import console_actor
from partwell.people.models import PersonAlias
from partwell.refusals import Conflict
from partwell.signals import pushing, receivers
from partwell.signals.models import Receiver, SecurityEvent
from partwell.signals.overtaking import OVERTAKEN
from partwell.signals.queries import signal_dict
from tests.access_world import ADA, World, make_client_departure, make_world
from tests.event_receiver import CAEP, RISC, SSF, EventReceiver, Reply
from tests.signal_world import cut, deliver, fire, kinds, read, register, said, verify

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_pauses")]

PRIVATE = ("canary", "stolen", "Ada", "resign", "dismiss")


def test_a_cut_tells_the_receiver_that_sessions_ended_and_the_account_is_disabled(
    world: World, receiver: EventReceiver
) -> None:
    world.add_system("mail")
    gateway = register(receiver)
    cut(world)
    assert deliver(gateway) == 2
    assert receiver.refusals == []
    assert kinds(receiver) == [f"{CAEP}session-revoked", f"{RISC}account-disabled"]
    assert [c["sub_id"] for c in receiver.claims] == [{"format": "email", "email": ADA}] * 2
    assert {e.state for e in SecurityEvent.objects.all()} == {"accepted"}
    assert {e.sealed_claims for e in SecurityEvent.objects.all()} == {""}
    assert [event["signal"] for event in said("signal.accepted")] == ["session-revoked", "account-disabled"]
    assert deliver(gateway) == 0


def test_it_is_queued_at_the_firing_and_before_any_system_was_asked(
    world: World, receiver: EventReceiver
) -> None:
    world.add_system("mail")
    gateway = register(receiver)
    fire(world)
    assert deliver(gateway) == 1
    assert kinds(receiver) == [f"{CAEP}session-revoked"]
    assert world.states("mail") == {}


def test_an_account_is_called_disabled_only_once_that_was_read_back(
    world: World, receiver: EventReceiver
) -> None:
    world.add_system("mail")
    world.store.set_mode("mail", "lies")
    gateway = register(receiver, signals=["account-disabled"])
    cut(world)
    assert world.states("mail")["suspend"] == "failed"
    assert deliver(gateway) == 0
    assert not SecurityEvent.objects.exists()


def test_access_end_tells_once_however_often_the_timer_fires(world: World, receiver: EventReceiver) -> None:
    world.add_system("mail")
    gateway = register(receiver, signals=["session-revoked"])
    with time_machine.travel(world.departure.access_end_at + timedelta(minutes=1), tick=False):
        for _ in range(2):
            enforce_access_end(departure_id=world.departure.pk, now=clock.now())
        deliver(gateway)
        deliver(gateway)
    assert kinds(receiver) == [f"{CAEP}session-revoked"]


def test_the_action_and_its_signal_stand_or_fall_together(world: World, receiver: EventReceiver) -> None:
    register(receiver)
    with pytest.raises(RuntimeError), transaction.atomic():
        fire(world)
        assert SecurityEvent.objects.count() == 1
        raise RuntimeError
    assert not SecurityEvent.objects.exists()


def test_a_token_says_nothing_of_why_or_who_and_the_same_whoever_acted(
    world: World, receiver: EventReceiver
) -> None:
    world.departure.confidentiality = Confidentiality.NEED_TO_KNOW
    world.departure.save()
    gateway = register(receiver)
    fire(world)
    deliver(gateway)
    (claims,) = receiver.claims
    claims["sub_id"] = None
    assert UUID(hex=claims.pop("jti"))  # chance, in which a short name may stand by chance
    assert not [word for word in PRIVATE if word.lower() in json.dumps(claims).lower()]
    ((_, payload),) = claims["events"].items()
    assert payload.pop("event_timestamp") == claims["iat"]
    assert payload == {
        "initiating_entity": "policy",
        "reason_admin": {"en": "Access has ended."},
        "reason_user": {"en": "Your access has ended."},
    }


def test_what_waits_names_nobody_in_the_database_and_nowhere_for_readers(
    world: World, receiver: EventReceiver
) -> None:
    register(receiver)
    fire(world)
    row = SecurityEvent.objects.values().get()
    assert ADA not in repr(row) and ADA not in json.dumps(signal_dict(SecurityEvent.objects.get()))


@pytest.mark.parametrize(
    ("settings_of_it", "expected"),
    [
        ({"subject_format": "email"}, [("email", ADA), ("email", "ada.b@firm.example")]),
        ({"subject_format": "account"}, [("uri", f"acct:{ADA}"), ("uri", "acct:ada.b@firm.example")]),
        ({"subject_format": "iss_sub", "subject_issuer": "https://id.firm.example"}, [("sub", "ada.b")]),
    ],
)
def test_people_are_named_as_the_receiver_knows_them(
    world: World, receiver: EventReceiver, settings_of_it: dict[str, str], expected: list[tuple[str, str]]
) -> None:
    person = world.departure.person
    assert person is not None
    person.username = "ada.b"
    person.save()
    PersonAlias.objects.create(person=person, email="ada.b@firm.example")
    gateway = register(receiver, **settings_of_it)
    fire(world)
    deliver(gateway)
    assert receiver.refusals == []
    subjects = [claims["sub_id"] for claims in receiver.claims]
    assert sorted((name, s[name]) for s in subjects for name in {*s} - {"format", "iss"}) == sorted(expected)
    assert len({claims["txn"] for claims in receiver.claims}) == 1
    assert len({claims["jti"] for claims in receiver.claims}) == len(expected)


def test_a_person_without_the_identifier_is_not_passed_over_in_silence(
    world: World, receiver: EventReceiver
) -> None:
    gateway = register(receiver, subject_format="iss_sub", subject_issuer="https://id.firm.example")
    fire(world)
    assert deliver(gateway) == 0
    assert receiver.tokens == []
    event = SecurityEvent.objects.get()
    assert (event.state, event.answer) == ("failed", pushing.NO_IDENTIFIER)
    assert "Gateway was not told" in Alert.objects.get(kind="signal_failed").text


def test_of_a_client_only_the_contact_is_called_disabled_whose_account_it_was(
    tmp_path: Path, receiver: EventReceiver
) -> None:
    world = make_world(tmp_path, make_client_departure("nora@north.example", "olaf@north.example"))
    world.add_system("portal", accounts=0)
    world.add_account("portal", "p-1", login="Nora@north.example", emails=["nora@north.example"])
    gateway = register(receiver)
    cut(world)
    deliver(gateway)
    told = sorted(
        (kind, claims["sub_id"]["email"]) for claims in receiver.claims for kind in claims["events"]
    )
    assert told == [
        (f"{CAEP}session-revoked", "nora@north.example"),
        (f"{CAEP}session-revoked", "olaf@north.example"),
        (f"{RISC}account-disabled", "nora@north.example"),
    ]


def test_it_is_told_only_what_it_wants_and_nothing_when_it_is_off(
    world: World, receiver: EventReceiver
) -> None:
    world.add_system("mail")
    wants = register(receiver, signals=["account-disabled"])
    off = register(receiver, "off", is_enabled=False)
    cut(world)
    assert (deliver(wants), deliver(off)) == (1, 0)
    assert kinds(receiver) == [f"{RISC}account-disabled"]


def restore(world: World) -> None:
    restore_plan(departure=world.departure, actor=world.console, now=clock.now())
    world.run()


def test_a_restore_tells_that_the_account_is_enabled_once_all_of_it_was_read_back(
    world: World, receiver: EventReceiver
) -> None:
    world.add_system("mail")
    world.add_system("vpn")
    gateway = register(receiver)
    cut(world)
    deliver(gateway)
    world.store.set_mode("vpn", "down")
    restore(world)
    assert deliver(gateway) == 0
    world.store.set_mode("vpn", "ok")
    world.run()
    assert deliver(gateway) == 1
    assert receiver.refusals == []
    assert kinds(receiver)[2:] == [f"{RISC}account-enabled"]
    assert receiver.claims[-1]["sub_id"] == {"format": "email", "email": ADA}
    assert receiver.claims[-1]["events"] == {f"{RISC}account-enabled": {}}


def test_a_restore_of_which_something_failed_tells_nothing(
    world: World, receiver: EventReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.add_system("mail")
    world.add_system("vpn")
    gateway = register(receiver, signals=["account-enabled"])
    cut(world)
    whole = FakeConnector.restore

    async def refusing(self: FakeConnector, external_id: str, verb: Verb, snapshot: Snapshot) -> Receipt:
        if self.system == "vpn" and verb is Verb.SUSPEND:
            raise ConnectorError(ErrorKind.UNSUPPORTED, "It cannot be undone here.")
        return await whole(self, external_id, verb, snapshot)

    monkeypatch.setattr(FakeConnector, "restore", refusing)
    restore(world)
    assert world.states("vpn")["restore:suspend"] == "failed"
    assert world.states("mail")["restore:suspend"] == "verified"
    assert deliver(gateway) == 0 and not SecurityEvent.objects.exists()


def test_of_a_client_only_the_contact_is_called_enabled_whose_account_it_was(
    tmp_path: Path, receiver: EventReceiver
) -> None:
    world = make_world(tmp_path, make_client_departure("nora@north.example", "olaf@north.example"))
    world.add_system("portal", accounts=0)
    world.add_account("portal", "p-1", login="Nora@north.example", emails=["nora@north.example"])
    gateway = register(receiver, signals=["account-enabled"])
    cut(world)
    restore(world)
    deliver(gateway)
    assert [claims["sub_id"]["email"] for claims in receiver.claims] == ["nora@north.example"]


def test_what_is_told_last_arrives_last(world: World, receiver: EventReceiver) -> None:
    world.add_system("mail")
    gateway = register(receiver, signals=["account-disabled", "account-enabled"])
    cut(world)
    receiver.says(Reply(503))
    assert deliver(gateway) == 0
    restore(world)
    with time_machine.travel(clock.now() + timedelta(days=1)):
        deliver(gateway)
    assert kinds(receiver) == [f"{RISC}account-enabled"]
    overtaken = SecurityEvent.objects.get(signal="account-disabled")
    assert (overtaken.state, overtaken.answer) == ("failed", OVERTAKEN)
    assert not Alert.objects.filter(kind="signal_failed", resolved_at=None).exists()
    with pytest.raises(Conflict) as refused:
        receivers.send_signal_again(event=overtaken, actor=console_actor(), now=clock.now())
    assert refused.value.code == "signal_overtaken"


def test_a_receiver_that_wants_no_word_of_restores_gets_none(world: World, receiver: EventReceiver) -> None:
    world.add_system("mail")
    gateway = register(receiver, signals=["session-revoked", "account-disabled"])
    cut(world)
    restore(world)
    deliver(gateway)
    assert len(receiver.claims) == 2


def change(receiver: Receiver, **changes: Any) -> Receiver:
    return receivers.change_receiver(
        receiver=receiver, changes=changes, actor=console_actor(), now=clock.now()
    )


def test_the_verification_event_is_sent_once_and_its_answer_shown(receiver: EventReceiver) -> None:
    gateway = register(receiver)
    assert verify(gateway).state == "accepted"
    assert kinds(receiver) == [f"{SSF}verification"]
    assert receiver.claims[0]["sub_id"] == {"format": "opaque", "id": "gateway"}
    receiver.says(Reply(400, b'{"err":"invalid_audience","description":"We are\\u0000 someone else."}'))
    answer = verify(gateway)
    assert (answer.state, answer.attempts) == ("failed", 1)
    assert answer.answer == "It refused the token: invalid_audience, “We are someone else.”."
    receiver.says(Reply(503))
    tried = receivers.test_receiver(receiver=gateway, actor=console_actor(), now=clock.now())
    assert deliver(gateway) == 0
    assert SecurityEvent.objects.get(pk=tried.pk).state == "failed"
    assert not Alert.objects.exists()


def test_switching_off_gives_up_what_waits_and_says_so(world: World, receiver: EventReceiver) -> None:
    gateway = register(receiver)
    fire(world)
    change(gateway, is_enabled=False)
    assert deliver(gateway) == 0
    event = SecurityEvent.objects.get()
    assert (event.state, event.answer) == ("failed", "The receiver was switched off before it was told.")
    (changed,) = said("receiver.changed")
    assert (changed["changed"], changed["is_enabled"]) == (["is_enabled"], False)
    with pytest.raises(Conflict):
        receivers.test_receiver(receiver=gateway, actor=console_actor(), now=clock.now())
    with pytest.raises(Conflict):
        receivers.send_signal_again(event=event, actor=console_actor(), now=clock.now())


def test_anybody_may_read_who_transmits(receiver: EventReceiver, settings: Any) -> None:
    register(receiver)
    metadata = read(receiver, "/.well-known/ssf-configuration")
    assert metadata["issuer"] == settings.BASE_URL
    assert metadata["jwks_uri"].startswith(settings.BASE_URL)
    assert metadata["delivery_methods_supported"] == ["urn:ietf:rfc:8935"]
    assert metadata["spec_version"] == "1_0"
