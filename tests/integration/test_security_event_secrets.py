"""Keys that signals are signed with, the secret that goes with them, and where they are not sent."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
import time_machine

from partwell import clock
from partwell.access.models import Alert
from partwell.evidence.models import Event
from partwell.people.actors import console_actor
from partwell.refusals import Invalid
from partwell.signals import receivers
from partwell.signals.models import Receiver, SecurityEvent, SigningKey
from partwell.signals.signing import PUBLISHED_FOR
from tests.access_world import World
from tests.event_receiver import EventReceiver, Reply
from tests.signal_world import SECRET, deliver, fire, read, register, verify

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_pauses")]


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
    tried = verify(gateway)
    assert (tried.state, tried.answer) == ("failed", "It refused the token: invalid_request.")
    receiver.says(Reply(400, json.dumps({"err": SECRET.split()[1]}).encode()))
    fire(world)
    deliver(gateway)
    monkeypatch.delenv("GATEWAY_TOKEN")
    missing = verify(gateway)
    assert "'env:GATEWAY_TOKEN' is missing" in missing.answer
    kept = [*SecurityEvent.objects.values(), *Receiver.objects.values(), *Event.objects.values()]
    kept += [*Alert.objects.values()]
    assert "canary-secret" not in repr(kept) + caplog.text


def test_a_secret_that_no_header_can_carry_is_said_to_be_one(
    receiver: EventReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEWAY_TOKEN", "Bearer a\r\nX-Evil: 1")
    gateway = register(receiver, authorization="env:GATEWAY_TOKEN")
    tried = verify(gateway)
    assert "signs that a header cannot carry" in tried.answer
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
