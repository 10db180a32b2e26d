"""Events become one signed tree: whatever commits, in whatever order, once and for ever."""

from __future__ import annotations

import json
import stat
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, connections, transaction

from partwell.evidence import keys, queries
from partwell.evidence.heads import head_text, is_signed
from partwell.evidence.models import Event, SigningKey, TreeHead, TreeNode
from partwell.evidence.operations import OWN_FIELDS, build, erase_fields, record, record_many
from partwell.evidence.sequencer import sequence_pending
from partwell.evidence.verification import verify_database
from partwell.evidence.verifier import leaf_hash, verify_consistency, verify_inclusion
from partwell.refusals import Invalid
from tests.evidence_record import NOW, record_one

pytestmark = pytest.mark.django_db(transaction=True)
LATER = NOW + timedelta(minutes=1)


def sequenced(count: int) -> list[Event]:
    for number in range(count):
        record_one(number)
    sequence_pending(now=NOW)
    return list(Event.objects.filter(kind="person.changed").order_by("sequence"))


def test_an_event_is_recorded_with_its_action_or_not_at_all() -> None:
    with pytest.raises(RuntimeError, match="in the transaction"):
        record_many([build("person.changed", scope="register", actor="Nora", at=NOW)])
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        record("person.changed", scope="register", actor="Nora", at=NOW)
        1 / 0  # noqa: B018
    assert not Event.objects.exists()


@pytest.mark.parametrize("name", sorted(OWN_FIELDS))
def test_a_field_cannot_take_the_name_of_one_that_every_event_has(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        build("person.changed", scope="register", actor="Nora", at=NOW, fields={name: "x"})


def test_recording_is_one_insert(django_assert_num_queries: Any) -> None:
    with transaction.atomic(), django_assert_num_queries(1):
        record("person.changed", scope="register", actor="Nora", at=NOW, fields={"name": "Viktor"})


def test_sequencing_signs_a_head_over_every_event_and_each_proof_verifies() -> None:
    events = sequenced(23)
    head = queries.head()
    assert head is not None and is_signed(head)
    assert head.size == 24  # the key's own announcement is on record, too
    for event in events:
        assert event.sequence is not None
        proof = queries.inclusion_proof(event.sequence, head.size)
        leaf = leaf_hash(bytes(event.leaf))
        assert verify_inclusion(leaf, event.sequence, head.size, proof, bytes(head.root))
    assert sequence_pending(now=NOW) == 0
    assert TreeHead.objects.count() == 1


def test_heads_of_different_moments_are_consistent() -> None:
    for _ in range(5):
        sequenced(3)
    heads = list(TreeHead.objects.order_by("size"))
    assert len(heads) == 5
    for old in heads:
        for new in heads[heads.index(old) :]:
            proof = queries.consistency_proof(old.size, new.size)
            assert verify_consistency(old.size, new.size, bytes(old.root), bytes(new.root), proof)


def test_a_proof_is_one_query(django_assert_num_queries: Any) -> None:
    sequenced(130)
    with django_assert_num_queries(1):
        queries.inclusion_proof(17, 131)
    with django_assert_num_queries(1):
        queries.consistency_proof(70, 131)


def test_more_than_a_batch_is_taken_in_one_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("partwell.evidence.sequencer.BATCH", 7)
    sequenced(20)
    assert not Event.objects.filter(sequence__isnull=True).exists()
    assert verify_database(now=NOW).is_whole


def test_a_batch_that_fails_half_way_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    sequenced(3)
    before = TreeNode.objects.count()
    record_one(50)
    with monkeypatch.context() as broken:
        broken.setattr("partwell.evidence.sequencer.make_head", lambda *a, **k: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            sequence_pending(now=NOW)
    assert TreeNode.objects.count() == before
    assert Event.objects.filter(sequence__isnull=True).count() == 1
    assert sequence_pending(now=NOW) == 1
    assert verify_database(now=NOW).is_whole


def test_writers_and_several_sequencers_at_once_lose_and_double_nothing() -> None:
    writers, each, failures = 4, 25, []
    done = threading.Event()

    def run(work: Any) -> None:
        try:
            work()
        except Exception as error:
            failures.append(error)
        finally:
            connections.close_all()

    def write() -> None:
        for number in range(each):
            with transaction.atomic():
                record("person.changed", scope="register", actor="Nora", at=NOW, fields={"n": number})
                if number % 5 == 4:
                    transaction.set_rollback(True)

    def sequence() -> None:
        while not done.is_set():
            sequence_pending(now=NOW)

    writing = [threading.Thread(target=run, args=(write,)) for _ in range(writers)]
    sequencing = [threading.Thread(target=run, args=(sequence,)) for _ in range(2)]
    for thread in writing + sequencing:
        thread.start()
    for thread in writing:
        thread.join()
    done.set()
    for thread in sequencing:
        thread.join()
    sequence_pending(now=NOW)
    assert not failures
    kept = writers * each * 4 // 5
    assert sorted(Event.objects.values_list("sequence", flat=True)) == list(range(kept + 1))
    assert verify_database(now=NOW).is_whole


def test_an_event_that_commits_late_is_not_passed_over() -> None:
    if connection.vendor == "sqlite":
        # SQLite has one writer at a time; what can come late there is only the event's own time.
        record_one(100)
        sequence_pending(now=NOW)
        record_one(0)
    else:
        started, may_commit = threading.Event(), threading.Event()

        def slow() -> None:
            with transaction.atomic():
                record("person.changed", scope="register", actor="Nora", at=NOW, fields={"n": 1})
                started.set()
                may_commit.wait(10)
            connections.close_all()

        thread = threading.Thread(target=slow)
        thread.start()
        assert started.wait(10)
        record_one(100)
        assert sequence_pending(now=NOW) == 2
        may_commit.set()
        thread.join()
    assert sequence_pending(now=NOW) == 1
    assert verify_database(now=NOW).is_whole


def test_pages_of_a_scope_come_newest_first_and_hold_each_event_once() -> None:
    for number in range(7):
        record_one(number // 3)
    seen: list[Event] = []
    page = queries.events_of("register", limit=3)
    while True:
        seen += page.items
        if page.next is None:
            break
        page = queries.events_of("register", after=page.next, limit=3)
    assert len({event.pk for event in seen}) == 7 == len(seen)
    assert [event.occurred_at for event in seen] == sorted((e.occurred_at for e in seen), reverse=True)
    with pytest.raises(Invalid):
        queries.events_of("register", after="nonsense")


def test_an_erased_value_is_gone_marked_on_record_and_still_proven() -> None:
    event = sequenced(3)[1]
    with transaction.atomic():
        erase_fields(event.pk, "name", actor="Nora", basis="Art. 17 GDPR", now=NOW)
    sequence_pending(now=NOW)
    event.refresh_from_db()
    assert queries.fields_of(event)["name"] == queries.FieldValue(None, is_erased=True)
    assert "Person 1" not in json.dumps(event.fields)
    assert verify_database(now=NOW).is_whole
    with pytest.raises(Invalid, match="stays"), transaction.atomic():
        erase_fields(event.pk, "kind", actor="Nora", basis="x", now=NOW)


def test_a_value_taken_away_behind_the_records_back_is_named() -> None:
    event = sequenced(3)[1]
    kept = json.loads(bytes(event.leaf))["fields"]["name"]
    event.fields["name"] = {"digest": kept}
    event.save()
    report = verify_database(now=NOW)
    assert [(p.code, p.where, p.field) for p in report.problems] == [
        ("unrecorded_erasure", str(event.pk), "name")
    ]


def test_events_that_wait_too_long_are_named() -> None:
    event = record_one(0)
    assert verify_database(now=NOW + timedelta(seconds=2)).is_whole
    problems = verify_database(now=LATER).problems
    assert [(p.code, p.where) for p in problems] == [("unsequenced", str(event.pk))]


def test_without_an_outside_head_the_report_says_what_it_does_not_show() -> None:
    sequenced(2)
    head = queries.head()
    assert head is not None
    assert "No head was given" in verify_database(now=NOW).notes[0]
    assert verify_database(now=NOW, head=head_text(head)).notes == []
    assert "fingerprint" in verify_database(now=NOW, head=head_text(head).rsplit(":", 1)[0]).notes[0]


@pytest.fixture
def own_data_dir(settings: Any, tmp_path: Path) -> Path:
    settings.DATA_DIR = tmp_path
    return tmp_path


def test_the_key_is_made_once_sealed_and_readable_by_us_alone(own_data_dir: Path, settings: Any) -> None:
    first = keys.load_signer()
    path = own_data_dir / "keys" / keys.KEY_FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [each.name for each in path.parent.iterdir()] == [keys.KEY_FILE]
    keys._load.cache_clear()
    assert keys.load_signer().fingerprint == first.fingerprint
    settings.SECRET_KEY = "another secret key altogether"
    with pytest.raises(keys.KeyUnreadable, match="PARTWELL_SECRET_KEY"):
        keys.load_signer()
    record_one(0)
    with pytest.raises(keys.KeyUnreadable):
        sequence_pending(now=NOW)
    assert not TreeHead.objects.exists()


def test_a_new_key_is_announced_and_one_that_is_not_is_named(own_data_dir: Path) -> None:
    sequenced(2)
    assert Event.objects.filter(kind="evidence.key_made").count() == 1
    SigningKey.objects.create(fingerprint="ab" * 32, public_key=b"\x01" * 32, first_used_at=NOW)
    assert [p.code for p in verify_database(now=NOW).problems] == ["unannounced_key"]
