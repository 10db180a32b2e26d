"""What a receiver answers, and what becomes of the signal: tried again, given up, sent once, never lost."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.db import connection

from partwell import clock
from partwell.access.models import Alert
from partwell.people.actors import console_actor
from partwell.people.models import PersonAlias
from partwell.refusals import Conflict
from partwell.signals import delivery, pushing, receivers
from partwell.signals.models import Receiver, SecurityEvent
from tests.access_world import ADA, World
from tests.event_receiver import EventReceiver, Reply, open_receiver
from tests.signal_world import deliver, fire, register, said

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_pauses")]


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
    try:
        deliver(gateway)
    finally:
        connection.close()
