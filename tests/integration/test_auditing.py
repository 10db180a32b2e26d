"""Who left in a period, samples of them that can be drawn again, and packs of these that verify."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from partwell.access.models import AccountRecord, System
from partwell.closure.audits.judging import Standing
from partwell.closure.audits.packs import export_sample
from partwell.closure.audits.population import Doubt
from partwell.closure.audits.samples import AuditView, Sample, draw, list_samples, view_audit, view_sample
from partwell.closure.audits.times import EDGES
from partwell.departures.models import Departure, Participant
from partwell.departures.states import Confidentiality, DepartureState
from partwell.evidence.models import Event
from partwell.evidence.operations import departure_scope
from partwell.evidence.sequencer import sequence_pending
from partwell.evidence.verifier import draw_sample, verify_pack
from partwell.people.actors import Actor, Channel, Grant, console_actor
from partwell.people.models import Person
from partwell.people.roles import Role
from partwell.refusals import Invalid, NotAllowed, NotFound
from tests.evidence_record import record_one
from tests.factories import as_actor, make_holder, make_person
from tests.packs import verified_alone

pytestmark = pytest.mark.django_db(transaction=True)
NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
SINCE, UNTIL = date(2026, 7, 1), date(2026, 9, 30)
DAY = date(2026, 8, 14)
CONSOLE = console_actor()


def departed(person: Person | None, day: date = DAY, **changes: Any) -> Departure:
    """A closed departure that the register knows of, unless `changes` say otherwise."""
    values: dict[str, Any] = {
        "subject_kind": "staff",
        "person": person,
        "subject_name": person.name if person else "Somebody Gone",
        "subject_department": "Platform",
        "scenario": "staff-resignation",
        "initiated_by": "leaver",
        "notice_date": day - timedelta(days=30),
        "last_working_date": day,
        "contract_end_date": day,
        "access_end_at": datetime(day.year, day.month, day.day, 16, tzinfo=UTC),
        "timezone": "UTC",
        "state": DepartureState.CLOSED,
        "created_at": NOW,
    }
    departure = Departure.objects.create(**(values | changes))
    record_one(scope=departure_scope(departure.pk), kind="journey.started", last_working_date=f"{day}")
    return departure


def leavers(count: int) -> list[Departure]:
    return [
        departed(make_person(f"Leaver {number}", left_on_date=DAY), DAY) for number in range(count)
    ]  # fmt: skip


def look(actor: Actor = CONSOLE) -> AuditView:
    return view_audit(since=SINCE, until=UNTIL, actor=actor, now=NOW)


def drawn(size: int = 5, seed: str = "", actor: Actor = CONSOLE, now: datetime = NOW) -> Sample:
    return draw(since=SINCE, until=UNTIL, size=size, seed=seed, actor=actor, now=now)


def legal() -> Actor:
    return Actor(
        label="Lea <lea@x.example>", channel=Channel.WEB, user_id=7, grants=frozenset({Grant(Role.LEGAL)})
    )


def test_whoever_left_by_the_register_or_by_a_departure_is_in_the_population_once() -> None:
    departed(make_person("By Both", left_on_date=DAY))
    make_person("By Register", left_on_date=DAY)
    departed(make_person("Before", left_on_date=date(2026, 6, 30)), date(2026, 6, 30))
    make_person("Still Here")
    population = look().population
    assert [leaver.name for leaver in population.leavers] == ["By Both", "By Register"]
    assert [leaver.name for leaver in population.without_journey] == ["By Register"]
    assert population.doubtful == []


def test_what_register_and_departure_say_differently_is_named() -> None:
    departed(make_person("Other Day", left_on_date=date(2026, 8, 20)))
    departed(make_person("Outside", left_on_date=DAY), date(2026, 10, 2))
    departed(make_person("Not Told"))
    departed(None)
    departed(make_person("Taken Back", left_on_date=DAY), state=DepartureState.WITHDRAWN)
    make_person("Same Name", email="one@x.example", left_on_date=DAY)
    make_person("Same  name", email="two@x.example", left_on_date=DAY)
    found = {leaver.name: leaver.doubts for leaver in look().population.leavers}
    assert found == {
        "Other Day": (Doubt.OTHER_DAY,),
        "Outside": (Doubt.OTHER_DAY,),
        "Not Told": (Doubt.NOT_IN_REGISTER,),
        "Somebody Gone": (Doubt.NO_ENTRY,),
        "Taken Back": (Doubt.TAKEN_BACK,),
        "Same Name": (Doubt.SAME_NAME,),
        "Same  name": (Doubt.SAME_NAME,),
    }
    assert {each.name for each in look().population.without_journey} == {
        "Taken Back",
        "Same Name",
        "Same  name",
    }


def test_whoever_left_twice_is_there_twice_and_whoever_is_back_is_in_no_doubt() -> None:
    twice = make_person("Twice", left_on_date=date(2026, 9, 1), start_date=date(2026, 8, 20))
    departed(twice)
    departed(twice, date(2026, 9, 1))
    departed(make_person("Back", start_date=date(2026, 10, 1)), DAY + timedelta(days=1))
    assert [(each.name, each.doubts) for each in look().population.leavers] == [
        ("Twice", ()),
        ("Back", ()),
        ("Twice", ()),
    ]


def test_a_need_to_know_departure_brings_nobody_in_and_opens_to_its_participants_alone() -> None:
    secret = make_person("Quiet Case")
    departure = departed(secret, confidentiality=Confidentiality.NEED_TO_KNOW, state=DepartureState.ACTIVE)
    holder = make_holder(Role.HR, "Hanna Weiss")
    other = make_holder(Role.HR, "Hugo Other")
    Participant.objects.create(departure=departure, user=holder, capacity=Role.HR, added_at=NOW)
    assert look(as_actor(holder)).population.leavers == look(as_actor(other)).population.leavers == ()
    Person.objects.filter(pk=secret.pk).update(left_on_date=DAY)
    inside, outside = look(as_actor(holder)).population, look(as_actor(other)).population
    assert inside.digest == outside.digest
    assert [each.departure_id for each in inside.leavers] == [departure.pk]
    assert [each.departure_id for each in outside.leavers] == [None]


def test_only_hr_legal_and_executives_audit() -> None:
    it = Actor(label="x", channel=Channel.WEB, user_id=9, grants=frozenset({Grant(Role.IT_SECURITY)}))
    for call in (look, drawn, lambda actor: list_samples(actor=actor)):
        with pytest.raises(NotAllowed):
            call(actor=it)
    assert look(legal()).population.leavers == ()


@pytest.mark.parametrize(
    ("since", "until"),
    [(UNTIL, SINCE), (SINCE, date(2026, 12, 1)), (date(2010, 1, 1), UNTIL)],
)
def test_a_period_that_cannot_be_is_refused(since: date, until: date) -> None:
    with pytest.raises(Invalid):
        view_audit(since=since, until=until, actor=CONSOLE, now=NOW)


def test_the_same_seed_and_population_give_the_same_people_and_another_population_is_noticed() -> None:
    leavers(12)
    first, again, other = drawn(seed="4711"), drawn(seed="4711"), drawn(seed="4712")
    assert first.drawn == again.drawn != other.drawn
    refs = [leaver.ref for leaver in look().population.leavers]
    assert list(first.drawn) == draw_sample(refs, "4711", 5)
    assert view_sample(first.id, actor=CONSOLE, now=NOW).is_same
    make_person("Late Entry", left_on_date=DAY)
    assert not view_sample(first.id, actor=CONSOLE, now=NOW).is_same
    assert drawn(seed="4711").population != first.population


def test_drawing_again_is_visible_with_who_when_and_which_seed() -> None:
    leavers(3)
    drawn(seed="a")
    drawn(actor=legal(), now=NOW + timedelta(hours=1))
    newest, oldest = list_samples(actor=CONSOLE)
    assert [(each.number, each.of) for each in (oldest, newest)] == [(1, 2), (2, 2)]
    assert (oldest.seed, oldest.seed_given, newest.seed_given) == ("a", True, False)
    assert (newest.drawn_by, newest.drawn_at) == ("Lea <lea@x.example>", NOW + timedelta(hours=1))
    assert Event.objects.filter(kind="audit.population_listed").count() == 1


@pytest.mark.parametrize("options", [{"size": 0}, {"size": 201}, {"seed": "with space"}, {"seed": "x" * 65}])
def test_a_size_or_a_seed_that_cannot_be_is_refused(options: dict[str, Any]) -> None:
    leavers(1)
    with pytest.raises(Invalid):
        drawn(**options)
    assert not Event.objects.filter(scope="audits").exists()


def test_of_a_period_in_which_nobody_left_nothing_is_drawn() -> None:
    with pytest.raises(Invalid):
        drawn()


def test_who_left_without_a_departure_is_a_gap_in_every_control() -> None:
    make_person("By Register", left_on_date=DAY)
    (person,) = view_sample(drawn().id, actor=CONSOLE, now=NOW).people
    assert {finding.standing for _, finding in person.findings} == {Standing.GAP}


def test_accounts_are_counted_by_class_and_by_how_long_they_outlived_access_end() -> None:
    system = System.objects.create(
        name="crm", title="CRM", connector="fake", sla_class="high", created_at=NOW
    )
    departure = departed(make_person("Left", left_on_date=DAY))
    other = departed(make_person("Secret", left_on_date=DAY), confidentiality=Confidentiality.NEED_TO_KNOW)

    def account(
        number: int, state: str = "verified", after: int | None = None, of: Departure = departure
    ) -> None:
        gone = None if after is None else of.access_end_at + timedelta(minutes=after)
        AccountRecord.objects.create(
            departure=of, system=system, external_id=f"{number}", state=state, revoked_at=gone
        )

    for number, minutes in enumerate((-3, 5, 240, 241, 99999)):
        account(number, after=minutes)
    account(5, "attested")
    account(6, "failed")
    account(7, "ambiguous")
    account(8, after=1, of=other)
    (times,) = look(legal()).times
    assert times.sla == "high"
    assert dict(zip((*EDGES, None), times.counts, strict=True)) == {
        0: 1, 5: 1, 15: 0, 60: 0, 240: 1, 1440: 1, 4320: 0, 10080: 0, None: 1,
    }  # fmt: skip
    assert (times.late, times.said, times.overdue, times.open, times.total) == (2, 1, 1, 0, 7)


def packed(sample: Sample, tmp_path: Path, actor: Actor = CONSOLE) -> Path:
    path = tmp_path / "sample.zip"
    path.write_bytes(export_sample(sample_id=sample.id, actor=actor, now=NOW))
    return path


def member(path: Path, name: str) -> Any:
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read(name))


def test_the_pack_of_a_sample_verifies_alone_and_draws_it_again(tmp_path: Path) -> None:
    departures = leavers(6)
    drawn(seed="first")
    sample = drawn(size=4, seed="4711")
    path = packed(sample, tmp_path)
    report = verify_pack(str(path))
    assert report.is_whole, report.as_text()
    assert report.figures["sample"] == "4 of 6, seed 4711"
    alone = verified_alone(path)
    assert alone.returncode == 0, alone.stdout + alone.stderr
    events = member(path, "events.json")["events"]
    kinds = [event["fields"]["kind"]["value"] for event in events]
    assert kinds.count("audit.sample_drawn") == 2
    assert kinds.count("journey.started") == 4
    assert [each["ref"] for each in member(path, "findings.json")["people"]] == list(sample.drawn)
    handed_out = Event.objects.filter(kind="evidence.exported").values_list("scope", flat=True)
    assert set(handed_out) < {departure_scope(each.pk) for each in departures}
    assert len(handed_out) == 4
    assert verify_pack(str(path), head=report.figures["head"]).is_whole


def test_nobody_who_left_is_named_in_the_pack(tmp_path: Path) -> None:
    leavers(3)
    path = packed(drawn(), tmp_path)
    with zipfile.ZipFile(path) as archive:
        assert all(b"Leaver" not in archive.read(name) for name in archive.namelist() if name != "verify.py")


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [("seed", "4712", "wrong_sample"), ("population", "0" * 64, "other_population")],
)
def test_a_sample_that_does_not_follow_from_its_seed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, field: str, value: str, code: str
) -> None:
    """Somebody who has the key and the database records a draw that never was; the arithmetic finds it."""
    from partwell.closure.audits import samples

    leavers(6)
    whole: Callable[..., Any] = samples.build

    def forged(kind: str, **rest: Any) -> Any:
        if kind == "audit.sample_drawn":
            rest["fields"][field] = value
        return whole(kind, **rest)

    monkeypatch.setattr(samples, "build", forged)
    report = verify_pack(str(packed(drawn(size=2, seed="4711"), tmp_path)))
    assert [problem.code for problem in report.problems] == [code]


def test_a_sample_that_is_not_there_is_not_found() -> None:
    sequence_pending(now=NOW)
    with pytest.raises(NotFound):
        view_sample(uuid4(), actor=CONSOLE, now=NOW)
    with pytest.raises(NotFound):
        export_sample(sample_id=uuid4(), actor=CONSOLE, now=NOW)
