"""Twenty-five leavers are drawn with a seed, each control is shown, and the pack is exported and verifies."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from partwell import clock
from partwell.access.models import AccountRecord, System
from partwell.departures.models import Departure
from partwell.evidence.verifier import verify_pack
from partwell.people.models import RoleGrant, User
from partwell.people.roles import Role
from tests.factories import make_person
from tests.integration.test_auditing import departed
from tests.packs import verified_alone

pytestmark = pytest.mark.django_db(transaction=True)
LEA, TOM = "lea@hv.example", "tom@hv.example"


@pytest.fixture
def leavers(make_user: Callable[..., User]) -> list[Departure]:
    """Thirty who left by a departure, one by the register alone; one account each, every tenth late."""
    for email, name, role in ((LEA, "Lea Marchand", Role.LEGAL), (TOM, "Tom Wirth", Role.IT_SECURITY)):
        user = make_user(email, name)
        RoleGrant.objects.create(user=user, role=role, granted_at=clock.now(), granted_by="tests")
    day = clock.now().date() - timedelta(days=60)
    system = System.objects.create(
        name="crm", title="CRM", connector="fake", sla_class="high", created_at=clock.now()
    )
    found = [departed(make_person(f"Leaver {number:02}", left_on_date=day), day) for number in range(30)]
    for number, departure in enumerate(found):
        gone = departure.access_end_at + timedelta(minutes=3 if number % 10 else 999)
        AccountRecord.objects.create(
            departure=departure, system=system, external_id="1", state="verified", revoked_at=gone
        )
    make_person("Nora Unseen", left_on_date=day)
    return found


def test_twenty_five_leavers_are_drawn_with_a_seed_and_their_pack_verifies(
    leavers: list[Departure], sign_in: Callable[..., Page], axe: Callable[[Page, str], None], tmp_path: Path
) -> None:
    page = sign_in(LEA)
    page.goto("/evidence/")
    page.get_by_role("link", name="Who left, and samples").click()
    expect(page.get_by_text("31 leavers")).to_be_visible()
    expect(page.get_by_text("Nora Unseen")).to_be_visible()
    expect(page.get_by_role("img", name="Accounts by the time")).to_be_visible()
    figures = page.get_by_role("row", name="High").get_by_role("cell")
    expect(figures).to_have_text(["30", "27", "3", "0", "0", "0"])
    axe(page, "audit-period")

    page.get_by_label("Seed (optional)").fill("8841-2210")
    page.get_by_role("button", name="Draw", exact=True).click()
    expect(page.get_by_role("heading", level=1, name="25 of 31 leavers")).to_be_visible()
    expect(page.get_by_text("draw 1 of 1")).to_be_visible()
    page.get_by_text("Control by control").first.click()
    expect(page.get_by_text("accounts proven gone").first).to_be_visible()
    axe(page, "audit-sample")
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Export the pack").click()
    pack = tmp_path / "sample.zip"
    waiting.value.save_as(pack)
    report = verify_pack(str(pack))
    assert report.is_whole, report.as_text()
    assert report.figures["sample"] == "25 of 31, seed 8841-2210"
    assert verified_alone(pack).returncode == 0
    page.goto("/evidence/")
    page.get_by_label("Evidence pack").set_input_files(pack)
    page.get_by_role("button", name="Verify the pack").click()
    expect(page.get_by_role("heading", name="The pack is whole")).to_be_visible()

    page.goto("/evidence/audits/")
    page.get_by_label("Seed (optional)").fill("another")
    page.get_by_role("button", name="Draw", exact=True).click()
    expect(page.get_by_text("draw 2 of 2")).to_be_visible()


def test_those_whose_work_is_audited_do_not_draw(
    leavers: list[Departure], sign_in: Callable[..., Page]
) -> None:
    page = sign_in(TOM)
    page.goto("/evidence/")
    expect(page.get_by_role("heading", name="Verify a pack")).to_be_visible()
    expect(page.get_by_role("link", name="Who left, and samples")).to_have_count(0)
    assert page.request.get(f"{page.url}audits/").status == 403
