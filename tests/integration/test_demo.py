"""The demo firm is what it promises, comes once, can be signed in to, and can be built anew."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.test import Client as Browser
from django.test import override_settings
from pytest_django.plugin import DjangoDbBlocker
from typer.testing import CliRunner

from partwell import clock
from partwell.access.models import AccountRecord, Plan, SystemRun
from partwell.access.states import AccessState, PlanState
from partwell.cli.demo import app
from partwell.demo import systems
from partwell.demo.firm import address
from partwell.demo.operations import ensure_demo
from partwell.demo.signin import PASSWORD, present_code
from partwell.departures.models import Departure, Notice
from partwell.engine import schema
from partwell.engine.borrowed import borrowed_connection
from partwell.engine.models import Timer
from partwell.evidence.models import Event
from partwell.evidence.verification import verify_database
from partwell.first_run.guide import is_set_up_open
from partwell.journeys.models import Attachment, Comment, Journey, Step
from partwell.people.models import Client, Contract, Person, User
from partwell.refusals import Conflict, NotFound

# One worker builds the demo, once for all these tests; each of them leaves it as it was.
pytestmark = [pytest.mark.django_db, pytest.mark.xdist_group("demo"), pytest.mark.usefixtures("demo")]


@pytest.fixture(scope="module")
def demo(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The demo firm, in a data folder of its own; how to sign in."""
    folder = tmp_path_factory.mktemp("demo")
    with override_settings(DATA_DIR=folder, MEDIA_ROOT=folder / "files"), django_db_blocker.unblock():
        yield ensure_demo(clock.now())
        call_command("flush", interactive=False, verbosity=0)
        schema.forget_runs()


def test_the_demo_is_a_firm_with_departures_in_every_phase_and_some_in_trouble() -> None:
    now = clock.now()
    assert (Person.objects.count(), Client.objects.count(), Contract.objects.count()) == (120, 25, 25)
    assert len(set(Person.objects.values_list("timezone", flat=True))) >= 6
    assert Person.objects.filter(manager=None).count() == 1
    assert Departure.objects.filter(state="active").count() >= 9
    assert set(Journey.objects.values_list("state", flat=True)) == {"active", "closed", "withdrawn"}
    _every_phase_is_lived_in()
    assert not is_set_up_open()

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


def test_a_second_start_finds_the_demo_and_adds_nothing(demo: str) -> None:
    before = Event.objects.count()
    assert ensure_demo(clock.now()) == demo
    assert Event.objects.count() == before


def test_visitors_sign_in_with_what_is_printed(demo: str) -> None:
    amara, priya = address("Amara Osei"), address("Priya Raman")
    for word in (PASSWORD, amara, priya, "partwell demo code"):
        assert word in demo
    assert User.objects.get(email=amara).check_password(PASSWORD)
    client = Browser(HTTP_HOST="localhost")
    answer = client.post("/account/login/", {"login": priya, "password": PASSWORD})
    answer = client.post(answer["Location"], {"code": present_code(priya)})
    assert answer.status_code == 302
    assert client.get("/steps/").status_code == 200
    with pytest.raises(Conflict, match="without a code"):
        present_code(amara)
    with pytest.raises(NotFound):
        present_code("nobody@harbourvale.example")


def test_a_reset_builds_the_same_firm_anew_and_forgets_what_was_changed() -> None:
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
    with borrowed_connection() as (client, _):
        inputs = [str(run.input) for run in client.list_workflows()]
    assert inputs
    return [found for found in inputs for gone in departures if str(gone) in found]
