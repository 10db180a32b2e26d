"""An administrator has a gateway told when access ends, and reads what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from partwell import clock
from partwell.access.announcing import note_settled_signal
from partwell.departures.states import Confidentiality
from partwell.evidence.operations import departure_scope
from partwell.people.actors import console_actor
from partwell.people.models import User
from partwell.people.operations import initialise
from partwell.people.roles import Role
from partwell.signals import delivery
from partwell.signals.models import Receiver, SecurityEvent, SigningKey
from partwell.signals.security_events import Announcement, Subject, announce
from partwell.signals.states import Signal
from tests.access_world import make_departure
from tests.browser import Trouble, beside_the_browser
from tests.event_receiver import AUDIENCE, EventReceiver, Reply, open_receiver
from tests.factories import make_holder
from tests.signing_in import PASSWORD, code_now

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def gateway(live_server: Any, tmp_path: Path, settings: Any) -> Iterator[EventReceiver]:
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]
    with open_receiver(tmp_path / "receiver", transmitter=live_server.url) as listening:
        yield listening


@pytest.fixture
def ada(transactional_db: None) -> User:
    """The administrator of a firm that is set up."""
    initialise(company="Harbour & Vale", practice=False, actor=console_actor(), now=clock.now())
    user = make_holder(Role.ADMIN, "Ada Min")
    user.set_password(PASSWORD)
    user.save()
    return user


def confirm(page: Page, back: str) -> None:
    """Set a second factor up and prove it, with one of its recovery codes, as the page asked for."""
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Confirm").click()
    secret = page.locator("#totp-key").inner_text()
    page.get_by_label("Six digits").fill(code_now(secret))
    page.get_by_role("button", name="Turn it on").click()
    recovery = page.locator(".pw-codes li").first.inner_text()
    page.goto(f"/account/second-factor/reauthenticate/?next={back}")
    page.get_by_label("Six digits").fill(recovery)
    page.get_by_role("button", name="Confirm").click()


def work() -> int:
    """Play the worker."""
    return delivery.deliver(str(Receiver.objects.get().pk), settled=note_settled_signal)


def tell(name: str, confidentiality: str = Confidentiality.NORMAL) -> None:
    """Tell the receivers that somebody's sessions ended."""
    departure = make_departure(f"{name}@firm.example")
    departure.confidentiality = confidentiality
    departure.save()
    told = Announcement(
        signal=Signal.SESSION_REVOKED,
        subjects=(Subject(emails=(f"{name}@firm.example",)),),
        about=name,
        scope=departure_scope(departure.pk),
    )
    announce([told], receivers=Receiver.objects.all(), now=clock.now())


def fill_in(page: Page, gateway: EventReceiver) -> None:
    page.get_by_label("As people call it").fill("Office gateway")
    page.get_by_label("Name", exact=True).fill("gateway")
    page.get_by_label("Endpoint").fill(gateway.url)
    page.get_by_label("Audience").fill(AUDIENCE)
    page.get_by_label("Certificates of a private authority").fill(gateway.ca_file)


def test_a_receiver_is_registered_tested_told_and_told_again(
    ada: User,
    sign_in: Callable[..., Page],
    axe: Callable[[Page, str], None],
    trouble: Trouble,
    gateway: EventReceiver,
) -> None:
    trouble.expected += ["422"]
    page = sign_in(ada.email)
    page.goto("/settings/")
    page.get_by_role("link", name="Receivers").click()
    expect(page.get_by_text("Nobody outside is told yet")).to_be_visible()
    page.get_by_role("link", name="Register a receiver").first.click()
    # The page itself needs a fresh second factor, so that nothing is typed in vain.
    confirm(page, "/settings/receivers/add/")
    fill_in(page, gateway)
    page.get_by_label("Authorisation").fill("Bearer secret-in-the-clear")
    page.get_by_role("button", name="Register it").click()
    expect(page.get_by_text("Put the secret into the environment").first).to_be_visible()
    axe(page, "receiver-add-refused")
    page.get_by_label("Authorisation").fill("")
    page.get_by_role("button", name="Register it").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Office gateway")
    expect(page.get_by_text("Never tested")).to_be_visible()

    page.get_by_role("button", name="Test it").click()
    expect(page.get_by_text("Sending it the verification event…")).to_be_visible()
    axe(page, "receiver-being-tested")
    beside_the_browser(work)
    expect(page.get_by_text("It took the verification event")).to_be_visible()

    gateway.says(Reply(400, b'{"err": "invalid_audience"}'))
    beside_the_browser(lambda: tell("grace"))
    beside_the_browser(lambda: tell("mary", Confidentiality.NEED_TO_KNOW))
    beside_the_browser(work)
    page.reload()
    row = page.get_by_role("row").filter(has_text="Sessions ended")
    expect(row).to_have_count(1)
    expect(page.get_by_text("grace")).to_have_count(0)
    assert gateway.refusals == [] and SecurityEvent.objects.count() == 3
    axe(page, "receiver")
    page.get_by_role("button", name="Send again").click()
    expect(page.get_by_role("status").first).to_contain_text("queued again")
    beside_the_browser(work)
    page.reload()
    expect(row).to_contain_text("Taken")
    assert {event.state for event in SecurityEvent.objects.all()} == {"accepted"}

    page.goto("/settings/receivers/")
    key = SigningKey.objects.get().kid
    expect(page.get_by_text(key)).to_be_visible()
    axe(page, "receivers")
    page.get_by_role("button", name="Replace the key").click()
    expect(page.get_by_role("status").first).to_contain_text("signed with a new key")
    expect(page.get_by_text("Replaced", exact=True)).to_be_visible()
    page.get_by_role("link", name="Office gateway").click()
    page.get_by_role("link", name="Change").click()
    page.get_by_label("It is told").uncheck()
    axe(page, "receiver-change")
    page.get_by_role("button", name="Keep").click()
    expect(page.get_by_text("Off: it is not told")).to_be_visible()
    expect(page.get_by_role("button", name="Test it")).to_have_count(0)
