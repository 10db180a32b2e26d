"""Signals to a receiver that nobody here wrote the checks of: what it is told, when, and what it is not."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import time_machine
from django.db import transaction

from partwell import clock
from partwell.access import runs
from partwell.access.announcing import note_settled_signal
from partwell.access.models import Alert, Plan, SystemRun
from partwell.access.operations import cuts
from partwell.access.operations.enforcement import enforce_access_end
from partwell.departures.states import Confidentiality
from partwell.evidence.models import Event
from partwell.evidence.queries import fields_of
from partwell.people.actors import console_actor
from partwell.people.models import PersonAlias
from partwell.refusals import Conflict, Invalid
from partwell.signals import delivery, pushing, receivers
from partwell.signals.models import Receiver, SecurityEvent, SigningKey
from partwell.signals.queries import signal_dict
from partwell.signals.signing import PUBLISHED_FOR
from tests.access_world import ADA, World
from tests.event_receiver import AUDIENCE, CAEP, RISC, SSF, EventReceiver, Reply, open_receiver

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_pauses")]

SECRET = "Bearer canary-secret-7f3a9b"
WHY = "Their laptop was stolen, canary-reason-51."
PRIVATE = ("canary", "stolen", "Ada", "resign", "dismiss")


@pytest.fixture
def receiver(live_server: Any, tmp_path: Path, settings: Any) -> Iterator[EventReceiver]:
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]
    with open_receiver(tmp_path / "receiver", transmitter=live_server.url) as listening:
        yield listening


def register(listening: EventReceiver, name: str = "gateway", **changes: Any) -> Receiver:
    description = {
        "title": "Gateway",
        "endpoint": listening.url,
        "audience": AUDIENCE,
        "ca_file": listening.ca_file,
    }
    return receivers.add_receiver(
        name=name, description={**description, **changes}, actor=console_actor(), now=clock.now()
    )


def change(receiver: Receiver, **changes: Any) -> Receiver:
    return receivers.change_receiver(
        receiver=receiver, changes=changes, actor=console_actor(), now=clock.now()
    )


def cut(world: World) -> Plan:
    """Shut the leaver out, and play the worker until nothing is due."""
    ordered = cuts.order_cut(
        departures=[world.departure], title="Now", reason=WHY, actor=world.requester, now=clock.now()
    )
    for _ in range(6):
        due = SystemRun.objects.filter(plan__cut=ordered, state__in=("running", "waiting"))
        for system_id in set(due.values_list("system_id", flat=True)):
            runs.run_cut(str(ordered.pk), str(system_id))
    return Plan.objects.get(cut=ordered)


def fire(world: World) -> None:
    """Shut the leaver out, without a worker."""
    cuts.order_cut(
        departures=[world.departure], title="Now", reason=WHY, actor=world.console, now=clock.now()
    )


def deliver(receiver: Receiver) -> int:
    return delivery.deliver(str(receiver.pk), settled=note_settled_signal)


def kinds(listening: EventReceiver) -> list[str]:
    return [next(iter(claims["events"])) for claims in listening.claims]


def read(listening: EventReceiver, path: str) -> Any:
    """What somebody without an account reads from us over HTTP."""
    answer = httpx.get(listening.transmitter + path)
    assert answer.status_code == 200
    return answer.json()


def said(kind: str) -> list[dict[str, Any]]:
    events = Event.objects.filter(kind=kind).order_by("occurred_at")
    return [{name: value.value for name, value in fields_of(event).items()} for event in events]


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
    world.add_system("mail", settings={"faults": {"silent": ["block_sign_in", "suspend"]}})
    gateway = register(receiver, signals=["account-disabled"])
    fire(world)
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


def test_it_is_told_only_what_it_wants_and_nothing_when_it_is_off(
    world: World, receiver: EventReceiver
) -> None:
    world.add_system("mail")
    wants = register(receiver, signals=["account-disabled"])
    off = register(receiver, "off", is_enabled=False)
    cut(world)
    assert (deliver(wants), deliver(off)) == (1, 0)
    assert kinds(receiver) == [f"{RISC}account-disabled"]


def test_a_restore_tells_nothing(world: World, receiver: EventReceiver) -> None:
    from partwell.access.operations import restore_plan

    world.add_system("mail")
    gateway = register(receiver)
    cut(world)
    deliver(gateway)
    restore_plan(departure=world.departure, actor=world.console, now=clock.now())
    world.run()
    deliver(gateway)
    assert len(receiver.claims) == 2


# -- what comes back ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(400, b'{"err":"invalid_key","description":"x"}'), "It refused the token: invalid_key."),
        (Reply(400, b"<html>Bad request</html>"), "It answered 400."),
        (Reply(400, b'{"err":["a"]}'), "It answered 400."),
        (Reply(401), "It does not let us in (401): look at the authorisation."),
        (Reply(403, b"no"), "It does not let us in (403): look at the authorisation."),
        (Reply(429), "It asks us to slow down (429)."),
        (Reply(500, b"oops"), "It answered 500."),
        (Reply(200, b"<html>Sign in</html>"), "It answered 200 where 202 says that a token was taken"),
        (Reply(302, headers={"location": "https://127.0.0.1/x"}), "It wants us to go elsewhere (302)"),
        (Reply(500, b"x" * 100_000), "sent more than 65536 bytes"),
    ],
)
def test_whatever_else_it_answers_is_said_and_tried_again_with_the_same_jti(
    world: World, receiver: EventReceiver, reply: Reply, words: str
) -> None:
    gateway = register(receiver)
    receiver.says(reply)
    fire(world)
    assert deliver(gateway) == 0
    event = SecurityEvent.objects.get()
    assert (event.state, event.attempts) == ("queued", 1)
    assert words in event.answer
    with time_machine.travel(event.next_attempt_at, tick=False):
        assert deliver(gateway) == 1
    assert receiver.refusals == []
    (claims,) = receiver.claims
    assert claims["jti"] == event.jti
    assert len(receiver.tokens) == 2


@pytest.mark.parametrize("code", ["invalid_request", "invalid_issuer", "invalid_audience"])
def test_a_token_that_is_refused_for_good_is_not_sent_again_and_people_are_told(
    world: World, receiver: EventReceiver, code: str
) -> None:
    gateway = register(receiver)
    receiver.says(Reply(400, json.dumps({"err": code, "description": f"for {ADA}"}).encode()))
    fire(world)
    deliver(gateway)
    event = SecurityEvent.objects.get()
    assert (event.state, event.answer) == ("failed", f"It refused the token: {code}.")
    assert [e["reason"] for e in said("signal.given_up")] == [event.answer]
    alert = Alert.objects.get(kind="signal_failed")
    assert alert.text.startswith("Gateway was not told that the sessions of ") and code in alert.text
    again = receivers.send_signal_again(event=event, actor=console_actor(), now=clock.now())
    assert deliver(gateway) == 1
    assert receiver.claims[0]["jti"] == again.jti == event.jti
    alert.refresh_from_db()
    assert alert.resolved_at is not None
    with pytest.raises(Conflict):
        receivers.send_signal_again(event=again, actor=console_actor(), now=clock.now())


@pytest.mark.parametrize("wish", ["600", "date"])
def test_a_receiver_that_asks_for_time_gets_it_for_everything(
    world: World, receiver: EventReceiver, wish: str
) -> None:
    gateway = register(receiver)
    person = world.departure.person
    PersonAlias.objects.create(person=person, email="ada.b@firm.example")
    start = clock.now().replace(microsecond=0)
    with time_machine.travel(start, tick=False):
        moment = start + timedelta(seconds=600)
        text = wish if wish == "600" else moment.strftime("%a, %d %b %Y %H:%M:%S GMT")
        receiver.says(Reply(429, headers={"retry-after": text}))
        fire(world)
        deliver(gateway)
        assert len(receiver.tokens) == 1
        assert {e.next_attempt_at for e in SecurityEvent.objects.all()} == {moment}
        assert delivery.ask_for_due(now=moment - timedelta(seconds=1)) == 0
        assert delivery.ask_for_due(now=moment) == 1
    with time_machine.travel(moment, tick=False):
        assert deliver(gateway) == 2


def test_one_that_hangs_is_left_after_its_time_and_holds_up_no_other(
    world: World, receiver: EventReceiver, live_server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pushing, "ANSWER_SECONDS", 0.5)
    with open_receiver(tmp_path / "other", transmitter=live_server.url) as prompt:
        slow, quick = register(receiver), register(prompt, "quick")
        receiver.says(Reply(202, hangs=True))
        fire(world)
        deliver(slow)
        assert "did not answer within 0.5 seconds" in slow.security_events.get().answer
        assert deliver(quick) == 1


def test_pauses_grow_and_it_is_given_up_after_three_days(world: World, receiver: EventReceiver) -> None:
    gateway = register(receiver)
    start = clock.now()
    fire(world)
    moment, pauses = clock.now(), []
    while (event := SecurityEvent.objects.get()).state == "queued":
        receiver.says(Reply(503))
        moment = max(moment, event.next_attempt_at)
        with time_machine.travel(moment, tick=False):
            deliver(gateway)
        pauses.append(SecurityEvent.objects.get().next_attempt_at - moment)
    assert [p.total_seconds() for p in pauses[:7]] == [5, 30, 120, 600, 1800, 3600, 10800]
    assert timedelta(days=3) <= moment - start < timedelta(days=3, minutes=1)
    assert event.answer == "It answered 503."
    assert Alert.objects.filter(kind="signal_failed", resolved_at__isnull=True).count() == 1


def test_a_worker_that_dies_between_sending_and_noting_sends_the_same_token_id_again(
    world: World, receiver: EventReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = register(receiver)
    fire(world)
    with monkeypatch.context() as dying:
        dying.setattr(delivery, "_settle", _die)
        with pytest.raises(SystemExit):
            deliver(gateway)
    assert len(receiver.claims) == 1
    assert deliver(gateway) == 0, "it is claimed while the lease lasts"
    with time_machine.travel(clock.now() + delivery.LEASE + timedelta(seconds=1), tick=False):
        assert delivery.ask_for_due(now=clock.now()) == 1
        assert deliver(gateway) == 1
    assert receiver.claims[0]["jti"] == receiver.claims[1]["jti"]
    assert len(said("signal.accepted")) == 1


def _die(*args: object, **kwargs: object) -> None:
    raise SystemExit


def test_two_workers_at_once_send_each_signal_once(world: World, receiver: EventReceiver) -> None:
    person = world.departure.person
    for number in range(6):
        PersonAlias.objects.create(person=person, email=f"ada{number}@firm.example")
    gateway = register(receiver)
    fire(world)
    workers = [threading.Thread(target=_deliver_in_thread, args=(gateway,)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(receiver.claims) == len({c["jti"] for c in receiver.claims}) == 7


def _deliver_in_thread(gateway: Receiver) -> None:
    from django.db import connection

    try:
        deliver(gateway)
    finally:
        connection.close()


# -- keys, secrets, addresses ------------------------------------------------------------------------


def test_after_a_rotation_old_tokens_still_hold_and_new_ones_name_the_new_key(
    world: World, receiver: EventReceiver
) -> None:
    gateway = register(receiver)
    fire(world)
    deliver(gateway)
    old = SigningKey.objects.get().kid
    new = receivers.rotate_signing_key(actor=console_actor(), now=clock.now()).kid
    fire(world)
    deliver(gateway)
    assert receiver.kids == [old, new] and old != new
    receiver._check(receiver.heads[0], receiver.tokens[0])
    keys = read(receiver, "/security-events/jwks.json")["keys"]
    assert {key["kid"] for key in keys} == {old, new}
    assert not {"d", "p", "q", "dp", "dq", "qi"} & {name for key in keys for name in key}
    with time_machine.travel(clock.now() + PUBLISHED_FOR + timedelta(minutes=1), tick=False):
        keys = read(receiver, "/security-events/jwks.json")["keys"]
    assert [key["kid"] for key in keys] == [new]
    assert SigningKey.objects.get(kid=old).sealed_private == ""
    assert "PRIVATE KEY" not in repr(list(SigningKey.objects.values()))


def test_a_forged_token_is_refused_by_the_receiver(world: World, receiver: EventReceiver) -> None:
    gateway = register(receiver)
    fire(world)
    deliver(gateway)
    head, payload, signature = receiver.tokens[0].split(".")
    assert receiver.take(receiver.heads[0], f"{head}.{payload[:-4]}AAAA.{signature}".encode()).status == 400
    assert receiver.refusals[-1].startswith("invalid_key")


def test_the_secret_goes_to_the_receiver_and_nowhere_else(
    world: World, receiver: EventReceiver, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("GATEWAY_TOKEN", SECRET)
    receiver.authorization = SECRET
    gateway = register(receiver, authorization="env:GATEWAY_TOKEN")
    echo = json.dumps({"err": "invalid_request", "description": f"you sent {SECRET.split()[1]}"}).encode()
    receiver.says(Reply(400, echo))
    tried = receivers.test_receiver(receiver=gateway, actor=console_actor(), now=clock.now())
    tried = delivery.deliver_now(tried)
    assert (tried.state, tried.answer) == ("failed", "It refused the token: invalid_request.")
    receiver.says(Reply(400, json.dumps({"err": SECRET.split()[1]}).encode()))
    fire(world)
    deliver(gateway)
    monkeypatch.delenv("GATEWAY_TOKEN")
    missing = receivers.test_receiver(receiver=gateway, actor=console_actor(), now=clock.now())
    assert "'env:GATEWAY_TOKEN' is missing" in delivery.deliver_now(missing).answer
    kept = [*SecurityEvent.objects.values(), *Receiver.objects.values(), *Event.objects.values()]
    kept += [*Alert.objects.values()]
    assert "canary-secret" not in repr(kept) + caplog.text


def test_a_secret_that_no_header_can_carry_is_said_to_be_one(
    receiver: EventReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEWAY_TOKEN", "Bearer a\r\nX-Evil: 1")
    gateway = register(receiver, authorization="env:GATEWAY_TOKEN")
    tried = receivers.test_receiver(receiver=gateway, actor=console_actor(), now=clock.now())
    assert "signs that a header cannot carry" in delivery.deliver_now(tried).answer
    assert receiver.tokens == []


@pytest.mark.parametrize(
    ("endpoint", "part"),
    [
        ("http://hooks.example.com/x", "https://"),
        ("https://169.254.169.254/latest", "metadata"),
        ("https://10.1.2.3/x", "private network"),
        ("https://[::1]/x", "private network"),
        ("https://user:pass@hooks.example.com/", "credentials"),
        ("https://2130706433/", "plain form"),
        ("nonsense", "https://"),
    ],
)
def test_an_endpoint_where_partwell_does_not_go_is_refused_when_it_is_registered(
    receiver: EventReceiver, endpoint: str, part: str
) -> None:
    with pytest.raises(Invalid) as refused:
        register(receiver, endpoint=endpoint)
    assert refused.value.field == "endpoint" and part in refused.value.message


def test_an_endpoint_is_checked_again_whenever_something_is_sent(
    world: World, receiver: EventReceiver, settings: Any
) -> None:
    gateway = register(receiver)
    settings.OUTBOUND_ALLOW = []
    fire(world)
    deliver(gateway)
    assert "inside a private network" in SecurityEvent.objects.get().answer
    assert receiver.tokens == []


def test_a_certificate_that_nobody_vouches_for_is_refused(world: World, receiver: EventReceiver) -> None:
    gateway = register(receiver, ca_file="")
    fire(world)
    deliver(gateway)
    assert "TLS certificate could not be verified" in SecurityEvent.objects.get().answer
    assert receiver.tokens == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"authorization": SECRET}, "authorization"),
        ({"audience": " "}, "audience"),
        ({"signals": []}, "signals"),
        ({"signals": ["verification"]}, "signals"),
        ({"subject_format": "phone"}, "subject_format"),
        ({"subject_format": "iss_sub"}, "subject_issuer"),
        ({"ca_file": "ca.pem"}, "ca_file"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_what_is_wrong_is_refused_by_its_field(
    receiver: EventReceiver, changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(Invalid) as refused:
        register(receiver, **changes)
    assert refused.value.field == field
    assert "canary" not in refused.value.message
    assert not Receiver.objects.exists()


# -- trying and switching off ------------------------------------------------------------------------


def test_the_verification_event_is_sent_once_and_its_answer_shown(receiver: EventReceiver) -> None:
    gateway = register(receiver)
    tried = receivers.test_receiver(receiver=gateway, actor=console_actor(), now=clock.now())
    assert delivery.deliver_now(tried).state == "accepted"
    assert kinds(receiver) == [f"{SSF}verification"]
    assert receiver.claims[0]["sub_id"] == {"format": "opaque", "id": "gateway"}
    receiver.says(Reply(400, b'{"err":"invalid_audience","description":"We are\\u0000 someone else."}'))
    tried = receivers.test_receiver(receiver=gateway, actor=console_actor(), now=clock.now())
    answer = delivery.deliver_now(tried)
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
