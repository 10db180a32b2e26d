"""Somebody verifies the record, exports a pack, and a pack with one changed byte is refused and named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from partwell import clock
from partwell.departures.models import Departure
from partwell.evidence.models import Event
from partwell.evidence.sequencer import sequence_pending
from partwell.people.models import RoleGrant, User
from partwell.people.roles import Role
from tests.factories import make_person, publish, start_journey

pytestmark = pytest.mark.django_db(transaction=True)
HANNA = "hanna@hv.example"


@pytest.fixture
def departure(make_user: Callable[..., User]) -> Departure:
    user = make_user(HANNA, "Hanna Weiss")
    RoleGrant.objects.create(user=user, role=Role.HR, granted_at=clock.now(), granted_by="tests")
    publish()
    journey = start_journey(make_person("Marit Lindqvist"), now=clock.now())
    sequence_pending(now=clock.now())
    return journey.departure


def test_the_record_is_verified_and_damage_is_named(
    departure: Departure, sign_in: Callable[..., Page], axe: Callable[[Page, str], None]
) -> None:
    page = sign_in(HANNA)
    page.goto("/evidence/")
    axe(page, "evidence")
    page.get_by_role("button", name="Verify the record").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="The record is whole")).to_be_visible()
    axe(page, "evidence-whole")
    event = Event.objects.get(kind="journey.started")
    event.fields["actor"]["value"] = "somebody else"
    event.save()
    page.get_by_role("button", name="Verify the record").click()
    expect(page.get_by_role("heading", name="The record is not whole")).to_be_visible()
    expect(page.get_by_text(str(event.pk)).first).to_be_visible()
    axe(page, "evidence-damaged")


def test_a_pack_is_exported_changed_by_one_byte_and_refused(
    departure: Departure, sign_in: Callable[..., Page], axe: Callable[[Page, str], None], tmp_path: Path
) -> None:
    page = sign_in(HANNA)
    page.goto(f"/departures/{departure.pk}/evidence/")
    expect(page.get_by_text("started the journey with")).to_be_visible()
    page.get_by_text("What the record says").first.click()
    axe(page, "evidence-departure")
    page.get_by_label("Who will read it").select_option("auditor")
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Export").click()
    pack = tmp_path / "pack.zip"
    waiting.value.save_as(pack)
    assert waiting.value.suggested_filename.startswith("evidence-marit-lindqvist-auditor-")
    page.goto("/evidence/")
    page.get_by_label("Evidence pack").set_input_files(pack)
    page.get_by_role("button", name="Verify the pack").click()
    expect(page.get_by_role("heading", name="The pack is whole")).to_be_visible()

    content = bytearray(pack.read_bytes())
    at = content.index(b'"journey.started"')
    content[at + 1] ^= 1
    pack.write_bytes(content)
    page.get_by_label("Evidence pack").set_input_files(pack)
    page.get_by_role("button", name="Verify the pack").click()
    expect(page.get_by_role("heading", name="The pack is not whole")).to_be_visible()
    expect(page.get_by_text("events.json").first).to_be_visible()
    axe(page, "evidence-pack-refused")
    page.goto(f"/departures/{departure.pk}/evidence/")
    expect(page.get_by_text("Hanna Weiss exported 1 record for an auditor").first).to_be_visible()
