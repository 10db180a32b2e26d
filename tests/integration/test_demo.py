"""The demo firm is what it promises, comes once, can be built anew, and never where real people are."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.test import Client as Browser
from typer.testing import CliRunner

from partwell import clock
from partwell.access.models import AccountRecord, Plan, SystemRun
from partwell.access.states import AccessState, PlanState
from partwell.cli.demo import app
from partwell.demo import systems
from partwell.demo.firm import address
from partwell.demo.operations import ensure_demo, is_demo, reset_demo
from partwell.demo.signin import PASSWORD, present_code
from partwell.departures.models import Departure, Notice
from partwell.engine.models import Timer
from partwell.evidence.models import Event
from partwell.evidence.verification import verify_database
from partwell.journeys.models import Attachment, Comment, Journey, Step
from partwell.people.actors import console_actor
from partwell.people.models import Client, Contract, Person, User
from partwell.people.operations import initialise
from partwell.refusals import Conflict, NotAllowed, NotFound

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, settings: object) -> Iterator[None]:
    settings.DATA_DIR = tmp_path  # type: ignore[attr-defined]
    settings.MEDIA_ROOT = tmp_path / "files"  # type: ignore[attr-defined]
    yield


def test_the_demo_is_a_firm_with_departures_in_every_phase_and_some_in_trouble() -> None:
    now = clock.now()
    ensure_demo(now)

    assert (Person.objects.count(), Client.objects.count(), Contract.objects.count()) == (120, 25, 25)
    assert len(set(Person.objects.values_list("timezone", flat=True))) >= 6
    assert Person.objects.filter(manager=None).count() == 1
    assert Departure.objects.filter(state="active").count() >= 9
    assert set(Journey.objects.values_list("state", flat=True)) == {"active", "closed", "withdrawn"}
    _every_phase_is_lived_in()

    steps = Step.objects.filter(journey__state="active")
    assert steps.filter(state="open", due_at__lt=now).exists()
    assert steps.filter(state="blocked").exists()
    assert steps.filter(state="skipped").exclude(skip_reason="").exists()
    assert Comment.objects.exists()
    assert Attachment.objects.exists()
    assert Notice.objects.filter(state="waiting").count() == 1
    assert Departure.objects.filter(confidentiality="need_to_know", state="active").count() == 1
    assert Journey.objects.filter(state="active").exclude(override_reason="").count() == 1
    assert not Event.objects.filter(occurred_at__gt=now + timedelta(seconds=1)).exists()

    report = verify_database(now=clock.now())
    assert report.is_whole, report.as_text()
    assert report.figures["events"] == Event.objects.count()


def _every_phase_is_lived_in() -> None:
    """For each phase some journey under way has finished part of it and has part of it left, or is there."""
    done = Step.objects.filter(journey__state="active", state="done").values_list("phase", flat=True)
    open_ = Step.objects.filter(journey__state="active", state="open").values_list("phase", flat=True)
    assert set(done) == set(open_) == set(range(1, 11))


def test_access_was_really_cut_and_one_system_refuses_while_another_is_slow() -> None:
    ensure_demo(clock.now())
    practice = systems.store()
    assert practice.mode(systems.FAILING) == ("denies", {})
    assert practice.mode(systems.SLOW)[0] == "slow"  # type: ignore[index]
    states = set(AccountRecord.objects.values_list("state", flat=True))
    assert {
        AccessState.VERIFIED,
        AccessState.FAILED,
        AccessState.MANUAL,
        AccessState.ATTESTED,
        AccessState.PLANNED,
    } <= states
    for account in AccountRecord.objects.filter(state="verified", system__connector="fake"):
        kept = practice.account(account.system.name, account.external_id)
        assert kept is not None
        assert not kept["is_active"]
        assert kept["sessions"] == 0
    assert Plan.objects.filter(state=PlanState.PROPOSED).exists()
    # One run is left to the worker, so that a visitor sees access being cut.
    assert SystemRun.objects.get(state="running").system.name == systems.SLOW
    # What the timers would have done was played; the worker must not do it a second time.
    ended = Departure.objects.filter(access_end_at__lte=clock.now()).values_list("pk", flat=True)
    assert not Timer.objects.filter(name="access.end", key__in=map(str, ended), state="armed").exists()


def test_a_second_start_finds_the_demo_and_adds_nothing() -> None:
    first = ensure_demo(clock.now())
    before = Event.objects.count()
    assert ensure_demo(clock.now()) == first
    assert Event.objects.count() == before


def test_visitors_sign_in_with_what_is_printed(client: Browser) -> None:
    said = ensure_demo(clock.now())
    amara, priya = address("Amara Osei"), address("Priya Raman")
    for word in (PASSWORD, amara, priya, "partwell demo code"):
        assert word in said
    assert User.objects.get(email=amara).check_password(PASSWORD)
    answer = client.post("/account/login/", {"login": priya, "password": PASSWORD})
    answer = client.post(answer["Location"], {"code": present_code(priya)})
    assert answer.status_code == 302
    assert client.get("/steps/").status_code == 200
    with pytest.raises(Conflict, match="without a code"):
        present_code(amara)
    with pytest.raises(NotFound):
        present_code("nobody@harbourvale.example")


def test_a_reset_builds_the_same_firm_anew_and_forgets_what_was_changed() -> None:
    ensure_demo(clock.now())
    gone = set(Departure.objects.values_list("pk", flat=True))
    Person.objects.filter(email=address("Amara Osei")).update(name="Somebody else")
    said = CliRunner().invoke(app, ["reset", "--yes"])
    assert said.exit_code == 0, said.output
    assert Person.objects.get(email=address("Amara Osei")).name == "Amara Osei"
    assert Person.objects.count() == 120
    assert not Departure.objects.filter(pk__in=gone).exists()
    assert verify_database(now=clock.now()).is_whole
    assert not _workflows_about(gone)


def _workflows_about(departures: set[object]) -> list[str]:
    """Runs that the engine still holds for these departures."""
    from partwell.engine.borrowed import borrowed_connection

    with borrowed_connection() as (client, _):
        inputs = [str(run.input) for run in client.list_workflows()]
    assert inputs
    return [found for found in inputs for gone in departures if str(gone) in found]


def test_an_installation_of_somebody_is_never_filled_nor_reset() -> None:
    initialise(company="Real Ltd", practice=False, actor=console_actor(), now=clock.now())
    with pytest.raises(Conflict) as refused:
        ensure_demo(clock.now())
    assert refused.value.code == "installation_in_use"
    with pytest.raises(NotAllowed) as refused_reset:
        reset_demo(clock.now())
    assert refused_reset.value.code == "not_the_demo"
    assert CliRunner().invoke(app, ["reset", "--yes"]).exit_code == 3
    with pytest.raises(NotAllowed):
        present_code(address("Priya Raman"))
    assert not is_demo()


def test_practice_that_is_no_demo_is_not_reset_either() -> None:
    initialise(company="Practice", practice=True, actor=console_actor(), now=clock.now())
    with pytest.raises(NotAllowed):
        reset_demo(clock.now())
