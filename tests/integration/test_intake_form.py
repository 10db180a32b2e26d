"""What the form that starts a departure offers to choose from."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from partwell.journeys.template_operations import sync_library
from partwell.web.starting import IntakeForm
from tests.agreement.library import TEMPLATES

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 17, 9, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def library() -> None:
    sync_library(now=NOW)


def test_every_ending_of_the_library_is_offered_under_whose_it_is() -> None:
    offered = {whose: dict(endings) for whose, endings in IntakeForm().fields["template"].choices}  # type: ignore[attr-defined]
    for audience, whose in (("staff", "A colleague"), ("client", "A client")):
        assert offered.pop(whose) == {
            name: template.title
            for name, template in TEMPLATES.items()
            if template.audience == audience and not name.endswith("-urgent-cut")
        }
    assert offered == {}


def test_an_ending_is_still_taken_out_of_its_group_when_the_form_is_sent() -> None:
    form = IntakeForm(
        {
            "template": "client-trial-ended",
            "subject": "C-7",
            "notice_date": "2026-11-17",
            "last_day": "2026-12-01",
            "reason": "no-time-to-try",
        }
    )
    assert form.is_valid(), form.errors


def test_the_reasons_of_the_ending_that_a_page_suggests_come_first() -> None:
    form = IntakeForm(initial={"template": "client-contract-expiry"})
    _, (title, reasons), *_ = form.fields["reason"].choices  # type: ignore[attr-defined]
    own = TEMPLATES["client-contract-expiry"]
    assert title == own.title
    assert tuple(code for code, _ in reasons) == own.reasons
