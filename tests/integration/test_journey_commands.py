"""What the console does to a journey, its steps and its people, and to the record of it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from typer.testing import CliRunner

from partwell.cli import evidence, journeys, notices, participants, settings, steps
from partwell.departures.models import Departure, Participant
from partwell.evidence.sequencer import sequence_pending
from partwell.journeys.intake import Intake
from partwell.journeys.models import Journey
from partwell.journeys.operations.starting import give_notice
from partwell.people.actors import console_actor
from partwell.people.models import Installation
from partwell.people.operations import initialise
from partwell.people.roles import Role
from tests.factories import LAST_DAY, NOW, make_holder, make_person, publish, start_journey

pytestmark = pytest.mark.django_db


@pytest.fixture
def journey() -> Journey:
    """One journey, with somebody from HR and IT around it."""
    publish()
    make_holder(Role.HR, "Amara Osei")
    make_holder(Role.IT_SECURITY, "Otto Berg")
    return start_journey(make_person(manager=make_person("Mara Lund")))


def run(app: Any, *words: str, code: int = 0) -> Any:
    result = CliRunner().invoke(app, [*words, "--json"])
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


def talk(app: Any, *words: str) -> str:
    """What a person reads who asked for no JSON."""
    result = CliRunner().invoke(app, [*words])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_step_is_added_handed_on_talked_about_and_shown(journey: Journey) -> None:
    pk, otto, amara = str(journey.pk), "otto.berg@harbour.example", "amara.osei@harbour.example"
    own = ["--title", "Collect the parking card", "--phase", "5", "--guidance", "At the gate."]
    added = run(steps.app, "add", pk, *own, "--owner", otto, "--due", "2026-11-20", "--required")
    assert (added["owner"], added["phase"], added["required"]) == ("Otto Berg", 5, True)
    assert added["due_at"].startswith("2026-11-20")
    assert run(steps.app, "add", pk, *own, "--owner", otto)["due_at"].startswith("2026-11-27")
    assert run(steps.app, "add", pk, *own, "--owner", "who@x.example", code=1)["error"]["field"] == "owner"
    assert run(steps.app, "reassign", pk, added["key"], "--to", amara)["owner"] == "Amara Osei"
    said = run(steps.app, "comment", pk, added["key"], "Ask Bo at the gate.")
    shown = run(steps.app, "show", pk, added["key"])
    assert (shown["comments"], shown["guidance"]) == ([said], "At the gate.")
    assert "operator@console: Ask Bo at the gate." in talk(steps.app, "show", pk, added["key"])


def test_facts_are_edited_and_wrong_ones_refused(journey: Journey) -> None:
    pk = str(journey.pk)
    changed = run(journeys.app, "edit", pk, "--rehire", "welcome", "--jurisdiction", "FR")
    assert {row["field"]: row["after"] for row in changed["dates"]} == {
        "rehire": "welcome", "jurisdiction": "FR",
    }  # fmt: skip
    assert run(journeys.app, "edit", pk, "--timezone", "Mars/Base", code=1)["error"]["field"] == "timezone"
    assert "Changed." in talk(journeys.app, "edit", pk, "--rehire", "no")
    assert Departure.objects.get().rehire == "no"


def test_somebody_is_let_in_and_taken_out_again(journey: Journey) -> None:
    pk, lena = str(journey.pk), make_holder(Role.LEGAL, "Lena Ricci")
    part = run(participants.app, "add", pk, "--person", lena.email, "--part", "legal")
    assert (part["email"], part["part"]) == (lena.email, "legal")
    assert part in run(participants.app, "list", pk)["items"]
    assert lena.email in talk(participants.app, "list", pk)
    assert run(participants.app, "remove", pk, "--email", lena.email) == part
    assert not Participant.objects.filter(user=lena).exists()
    assert run(participants.app, "remove", pk, "--email", lena.email, code=1)["error"]["field"] == "email"
    assert (
        run(participants.app, "add", pk, "--person", lena.email, "--part", "boss", code=1)["error"]["field"]
        == "part"
    )


def test_a_notice_is_listed_and_settled_with_its_journey_or_with_none(journey: Journey) -> None:
    for minute, name in enumerate(("Ann Ford", "Bo Lund")):
        intake = Intake(person=make_person(name), last_working_date=LAST_DAY, notice_date=NOW.date())
        at = NOW + timedelta(minutes=minute)
        give_notice(template_id="small", intake=intake, actor=console_actor(), now=at)
    first, second = run(notices.app, "list")["items"]
    assert (first["subject"], second["subject"]) == ("Ann Ford", "Bo Lund")
    answered = run(notices.app, "settle", first["id"], "--journey", str(journey.pk))
    assert (answered["state"], answered["journey"]) == ("started", str(journey.pk))
    assert "about Bo Lund is settled" in talk(notices.app, "settle", second["id"])
    assert run(notices.app, "list") == {"items": [], "next": None}
    assert run(notices.app, "settle", first["id"], code=1)["error"]["code"] == "not_found"


def test_settings_are_shown_and_changed_and_what_is_not_named_stays() -> None:
    initialise(company="Harbour & Vale", practice=False, country="DE", actor=console_actor(), now=NOW)
    assert run(settings.app, "show")["company"] == "Harbour & Vale"
    changed = run(settings.app, "change", "--timezone", "Europe/Berlin")
    assert (changed["company"], changed["country"], changed["timezone"]) == (
        "Harbour & Vale",
        "DE",
        "Europe/Berlin",
    )
    assert run(settings.app, "change", "--country", "XX", code=1)["error"]["field"] == "country"
    assert talk(settings.app, "show") == "Harbour & Vale, DE, Europe/Berlin\n"
    assert Installation.objects.get().timezone == "Europe/Berlin"


def test_events_are_listed_and_a_value_erased_from_one_while_the_record_stays_whole(
    journey: Journey,
) -> None:
    pk = str(journey.pk)
    run(steps.app, "comment", pk, "confirm", "He said it on the phone.")
    sequence_pending(now=NOW)
    newest, *_, oldest = run(evidence.app, "events", pk)["items"]
    assert (newest["kind"], oldest["kind"]) == ("step.commented", "journey.started")
    assert newest["fields"]["text"] == "He said it on the phone."
    gone = ["--field", "text", "--basis", "asked for by the person"]
    assert run(evidence.app, "erase", pk, newest["id"], *gone)["erased"] == ["text"]
    sequence_pending(now=NOW)
    after = run(evidence.app, "events", pk)["items"]
    assert after[0]["kind"] == "evidence.erased"
    assert (after[1]["id"], after[1]["erased"], after[1]["fields"]["text"]) == (newest["id"], ["text"], None)
    assert run(evidence.app, "verify")["whole"] is True
    assert "evidence.erased" in talk(evidence.app, "events", pk)
    again = run(evidence.app, "erase", pk, newest["id"], "--field", "text", "--basis", " ", code=1)
    assert again["error"]["field"] == "basis"
