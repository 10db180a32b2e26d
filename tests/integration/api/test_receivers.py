"""Receivers of signals by API: registered with the scope `access`, tested, and read without names."""

from __future__ import annotations

from typing import Any

import pytest

from partwell import clock
from partwell.departures.models import Departure, Participant
from partwell.departures.states import Confidentiality
from partwell.evidence.operations import departure_scope
from partwell.people.actors import console_actor
from partwell.people.operations import initialise
from partwell.people.roles import Role
from partwell.signals.models import Receiver, SecurityEvent
from partwell.signals.security_events import Announcement, Subject, announce
from partwell.signals.states import Signal
from tests.access_world import make_departure
from tests.event_receiver import AUDIENCE, EventReceiver, Reply
from tests.factories import make_holder
from tests.integration.api.conftest import Api, token_for

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def admin(transactional_db: None) -> Api:
    initialise(company="Harbour & Vale", practice=False, actor=console_actor(), now=clock.now())
    return token_for(make_holder(Role.ADMIN, "Ada Min"), "write", "access")


def body(receiver: EventReceiver, **changes: Any) -> dict[str, Any]:
    given = {"name": "gateway", "endpoint": receiver.url, "audience": AUDIENCE}
    return {**given, "ca_file": receiver.ca_file, **changes}


def tell(confidentiality: str, number: int) -> Departure:
    """Queue a signal about somebody."""
    departure = make_departure(f"leaver{number}@firm.example")
    departure.confidentiality = confidentiality
    departure.save()
    told = Announcement(
        signal=Signal.SESSION_REVOKED,
        subjects=(Subject(emails=(f"leaver{number}@firm.example",)),),
        about=str(number),
        scope=departure_scope(departure.pk),
    )
    announce([told], receivers=Receiver.objects.all(), now=clock.now())
    return departure


def test_a_receiver_is_registered_changed_and_tested(admin: Api, receiver: EventReceiver) -> None:
    made = admin.post("/receivers", body(receiver), **{"Idempotency-Key": "once"})
    assert made.status_code == 201, made.json()
    again = admin.post("/receivers", body(receiver), **{"Idempotency-Key": "once"})
    assert again.json() == made.json() and Receiver.objects.count() == 1
    assert made.json()["signals"] == ["session-revoked", "account-disabled", "account-enabled"]
    assert admin.get("/receivers").json()["items"] == [made.json()]
    said = admin.post("/receivers/gateway/test").json()
    assert (said["signal"], said["state"], said["answer"]) == ("verification", "accepted", "")
    receiver.says(Reply(401))
    said = admin.post("/receivers/gateway/test").json()
    assert said["state"] == "failed" and "401" in said["answer"]
    changed = admin.call("patch", "/receivers/gateway", {"signals": ["session-revoked"], "is_enabled": False})
    assert changed.json() == {**made.json(), "signals": ["session-revoked"], "is_enabled": False}
    assert admin.get("/receivers/gateway").json() == changed.json()
    off = admin.post("/receivers/gateway/test")
    assert (off.status_code, off.json()["code"]) == (409, "receiver_off")
    key = admin.post("/receivers/signing-key/rotate").json()
    assert key["is_in_use"] is True and "sealed_private" not in key


def test_what_is_wrong_names_its_field_and_never_the_secret(admin: Api, receiver: EventReceiver) -> None:
    answer = admin.post("/receivers", body(receiver, authorization="Bearer canary"))
    assert (answer.status_code, answer.json()["field"]) == (422, "authorization")
    assert "canary" not in answer.content.decode()
    answer = admin.post("/receivers", body(receiver, endpoint="https://169.254.169.254/"))
    assert (answer.status_code, answer.json()["field"]) == (422, "endpoint")
    assert admin.get("/receivers/nobody").status_code == 404


def test_only_administrators_with_a_fresh_second_factor_or_the_scope_register(
    admin: Api, receiver: EventReceiver
) -> None:
    writes = token_for(admin.user, "write").post("/receivers", body(receiver))
    assert (writes.status_code, writes.json()["code"]) == (403, "scope_missing")
    hr = token_for(make_holder(Role.HR, "Hanna Weiss"), "access")
    for answer in (hr.post("/receivers", body(receiver)), hr.get("/receivers")):
        assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed")
    assert not Receiver.objects.exists()


def test_an_administrator_reads_no_signal_of_a_departure_that_does_not_exist_for_them(
    admin: Api, receiver: EventReceiver
) -> None:
    admin.post("/receivers", body(receiver))
    tell(Confidentiality.NORMAL, 1)
    hidden = tell(Confidentiality.NEED_TO_KNOW, 2)
    tell(Confidentiality.NORMAL, 3)
    first = admin.get("/receivers/gateway/signals?limit=1").json()
    second = admin.get(f"/receivers/gateway/signals?limit=1&cursor={first['next']}").json()
    assert second["next"] is None
    shown = [item["id"] for item in (*first["items"], *second["items"])]
    secret = SecurityEvent.objects.get(scope=departure_scope(hidden.pk))
    assert len(shown) == 2 and str(secret.pk) not in shown
    assert "leaver" not in str(first) + str(second)
    again = f"/receivers/gateway/signals/{secret.pk}/send-again"
    SecurityEvent.objects.update(state="failed")
    assert admin.post(again).status_code == 404
    Participant.objects.create(
        departure=hidden, user=admin.user, capacity=Role.ADMIN, added_at=clock.now(), added_by="HR"
    )
    assert admin.post(again).json()["state"] == "queued"
    assert admin.post(again).json()["code"] == "signal_not_failed"
