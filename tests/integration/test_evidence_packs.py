"""A pack is made for a reader, verifies without us, and any change to it is named."""

from __future__ import annotations

import hashlib
import io
import json
import random
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import transaction
from typer.testing import CliRunner

from partwell.cli.evidence import app
from partwell.closure.audiences import Audience
from partwell.closure.operations import erase_field, export_pack
from partwell.closure.packs import zip_members
from partwell.closure.queries import departure_events, readable_fields, verify_record
from partwell.closure.statements import closing_statement
from partwell.departures.models import Departure
from partwell.departures.states import Confidentiality, SubjectKind
from partwell.documents.models import StoredFile
from partwell.evidence import verifier
from partwell.evidence.models import Event
from partwell.evidence.operations import departure_scope, record
from partwell.evidence.sequencer import sequence_pending
from partwell.evidence.verifier import Report, verify_pack
from partwell.journeys.models import Attachment, Journey, Step, TemplateVersion
from partwell.people.actors import Actor, Channel, Grant, console_actor
from partwell.people.roles import Role
from partwell.refusals import FreshSignInNeeded, Invalid, NotAllowed, NotFound
from tests.evidence_record import NOW, a_departure, events_of_a_departure, record_one

pytestmark = pytest.mark.django_db(transaction=True)
LETTER = b"%PDF-1.7 the letter"
SECRETS = ("salary", "alert(1)")


def somebody(*roles: Role, **values: Any) -> Actor:
    return Actor(
        label="Legal <legal@example.org>",
        channel=Channel.WEB,
        user_id=7,
        grants=frozenset(Grant(role) for role in roles),
        **values,
    )


@pytest.fixture
def departure() -> Departure:
    """Viktor's departure with events, a file on a step for everybody and one on a step for the inside."""
    departure = a_departure()
    template = TemplateVersion.objects.create(
        template_id="staff-resignation",
        version=1,
        digest="ab" * 32,
        title="Resignation",
        audience="staff",
        source="",
        published_at=NOW,
        published_by="Nora",
    )
    journey = Journey.objects.create(
        departure=departure, template=template, template_digest="ab" * 32, started_at=NOW, started_by="Nora"
    )
    for number, (key, visibility) in enumerate([("return-badge", "everybody"), ("inside-talk", "inside")]):
        step = Step.objects.create(
            journey=journey,
            key=key,
            position=number,
            phase=1,
            title=key,
            role=Role.HR,
            due_rule="notice",
            due_at=NOW,
            visibility=visibility,
        )
        content = LETTER + key.encode()
        digest = hashlib.sha256(content).hexdigest()
        path = Path(django_settings.MEDIA_ROOT) / digest[:2] / digest
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        file = StoredFile.objects.create(
            name=f"../{key}.pdf",
            media_type="application/pdf",
            size=len(content),
            sha256=digest,
            stored_at=NOW,
            stored_by="Nora",
        )
        Attachment.objects.create(step=step, file=file, attached_by="Nora", attached_at=NOW)
    events_of_a_departure(departure)
    return departure


def export(departure: Departure, tmp_path: Path, audience: Audience = Audience.INTERNAL, **who: Any) -> Path:
    actor = who.get("actor") or console_actor()
    path = tmp_path / f"{audience}.zip"
    path.write_bytes(export_pack(departure=departure, audience=audience, actor=actor, now=NOW))
    return path


def contents(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def places(report: Report) -> set[str]:
    return {problem.where for problem in report.problems}


def run_alone(path: Path, *arguments: str) -> dict[str, Any]:
    """What `verify.py` says as a program of its own, without Partwell or any package in reach."""
    script = path.with_name("verify.py")
    script.write_bytes(Path(verifier.__file__).read_bytes())
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(script), str(path), "--json", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    assert report["whole"] is (done.returncode == 0)
    return report


@pytest.mark.parametrize("audience", [Audience.INTERNAL, Audience.LEAVER, Audience.AUDITOR])
def test_a_pack_verifies_here_and_alone_against_the_head_given_at_closing(
    departure: Departure, tmp_path: Path, audience: Audience
) -> None:
    sequence_pending(now=NOW)
    head = closing_statement(departure).split("Head: ")[1].split("\n")[0]
    record_one(9)
    path = export(departure, tmp_path, audience)
    report = verify_pack(str(path), head)
    assert report.is_whole, report.as_text()
    assert report.notes == []
    assert report.figures["head"] != head
    assert run_alone(path, "--head", head) == report.as_dict()
    assert "No head was given" in run_alone(path)["notes"][0]


def test_exporting_twice_at_one_moment_gives_the_same_readable_bytes(
    departure: Departure, tmp_path: Path
) -> None:
    members = contents(export(departure, tmp_path))
    assert zip_members(members) == (tmp_path / "internal.zip").read_bytes()
    assert sorted(name for name in members if name.startswith("files/")) == [
        "files/001-return-badge.pdf",
        "files/002-inside-talk.pdf",
    ]
    assert Event.objects.filter(kind="evidence.exported").count() == 1


def test_each_reader_gets_what_is_theirs_and_no_more(departure: Departure, tmp_path: Path) -> None:
    everything = b"".join(contents(export(departure, tmp_path)).values()).decode(errors="replace")
    assert "salary" in everything and "Nora Lind" in everything

    legal = somebody(Role.LEGAL)
    by_legal = b"".join(contents(export(departure, tmp_path, actor=legal)).values()).decode(errors="replace")
    assert "salary" not in by_legal and "Nora Lind" in by_legal

    leaver = contents(export(departure, tmp_path, Audience.LEAVER))
    text = b"".join(leaver.values()).decode(errors="replace")
    assert not [secret for secret in (*SECRETS, "Nora Lind", "inside-talk") if secret in text]
    assert "files/001-return-badge.pdf" in leaver and len([n for n in leaver if "files/" in n]) == 1
    kinds = {e["fields"]["kind"]["value"] for e in json.loads(leaver["events.json"])["events"]}
    assert kinds == {"journey.started", "access.verified", "journey.closed"}

    auditor = contents(export(departure, tmp_path, Audience.AUDITOR))
    text = b"".join(auditor.values()).decode(errors="replace")
    assert not [secret for secret in (*SECRETS, "Viktor", "vsandell") if secret in text]
    assert "Nora Lind" in text and not [name for name in auditor if "files/" in name]


def test_an_auditor_reads_who_of_us_acted_and_neither_the_leaver_a_guest_nor_what_was_typed(
    departure: Departure, tmp_path: Path
) -> None:
    Step.objects.create(
        journey=departure.journey, key="own-1", position=9, phase=5, title="Collect Viktor's card",
        role="hr", due_rule="", due_at=NOW, is_own=True,
    )  # fmt: skip
    scope = departure_scope(departure.pk)
    with transaction.atomic():
        for actor in ("Viktor Sandell <Viktor@example.org>", "bo@courier.example (guest, by link)"):
            record("step.completed", scope=scope, actor=actor, at=NOW, fields={"step": "badge"})
        nora = {"actor": "Nora Lind <nora@example.org>", "at": NOW, "scope": scope}
        record("step.added", **nora, fields={"step": "own-1", "title": "Collect Viktor's card"})
    path = export(departure, tmp_path, Audience.AUDITOR)
    text = b"".join(contents(path).values()).decode()
    assert "Nora Lind" in text
    for kept_back in ("Viktor", "viktor@", "bo@courier", "card"):
        assert kept_back not in text, kept_back
    assert verify_pack(str(path)).is_whole


def test_the_readable_page_escapes_what_people_wrote(departure: Departure, tmp_path: Path) -> None:
    page = contents(export(departure, tmp_path))["index.html"].decode()
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_an_erased_value_is_in_no_later_pack_and_the_pack_still_verifies(
    departure: Departure, tmp_path: Path
) -> None:
    event = Event.objects.get(kind="step.completed")
    asked: dict[str, Any] = {"departure": departure, "event_id": event.pk, "names": ["note"], "now": NOW}
    erase_field(**asked, basis="Art. 17 GDPR", actor=console_actor())
    path = export(departure, tmp_path)
    assert verify_pack(str(path)).is_whole
    assert b"alert(1)" not in b"".join(contents(path).values())
    assert b"Erased" in contents(path)["index.html"] or b"erased" in contents(path)["index.html"]
    with pytest.raises(NotAllowed):
        erase_field(**asked, basis="x", actor=somebody(Role.IT_SECURITY, is_fresh=True))
    with pytest.raises(FreshSignInNeeded):
        erase_field(**asked, basis="x", actor=somebody(Role.HR))
    with pytest.raises(Invalid):
        erase_field(**asked, basis=" ", actor=console_actor())
    with pytest.raises(NotFound):
        stranger = record_one(3)
        erase_field(**(asked | {"event_id": stranger.pk}), basis="x", actor=console_actor())


def test_any_changed_byte_of_any_member_is_named(departure: Departure, tmp_path: Path) -> None:
    members = contents(export(departure, tmp_path))
    path, dice, tried = tmp_path / "changed.zip", random.Random(12), 0
    for name, body in members.items():
        offsets = (
            range(len(body)) if len(body) < 150 else {0, len(body) - 1, *dice.choices(range(len(body)), k=8)}
        )
        for at in offsets:
            changed = body[:at] + bytes([body[at] ^ 1 << dice.randrange(8)]) + body[at + 1 :]
            path.write_bytes(zip_members(members | {name: changed}))
            found = places(verify_pack(str(path)))
            named = {name} if name not in ("manifest.sig",) else {"manifest.json"}
            assert named <= found, (name, at, found)
            tried += 1
    print(f"\n{tried} changed bytes in {len(members)} members: {tried} named")


def test_a_missing_an_extra_and_a_duplicate_member_are_named(departure: Departure, tmp_path: Path) -> None:
    members = contents(export(departure, tmp_path))
    path = tmp_path / "changed.zip"
    for name in members:
        path.write_bytes(zip_members({key: body for key, body in members.items() if key != name}))
        assert name in places(verify_pack(str(path)))
    for name in ("note.txt", "files/999-note.txt", "INDEX.HTML", "files\\001-return-badge.pdf"):
        path.write_bytes(zip_members(members | {name: b"extra"}))
        assert name in places(verify_pack(str(path)))
    for name in ("index.html", "Index.html", "./index.html", "files//001-return-badge.pdf", "/index.html"):
        target = io.BytesIO(zip_members(members))
        with (
            zipfile.ZipFile(target, "a") as archive,
            pytest.warns(UserWarning) if name == "index.html" else NO,
        ):
            archive.writestr(name, b"another")
        path.write_bytes(target.getvalue())
        found = verify_pack(str(path))
        assert ("duplicate_member", name) in {(p.code, p.where) for p in found.problems}


class _Nothing:
    def __enter__(self) -> None: ...
    def __exit__(self, *_: object) -> None: ...


NO = _Nothing()


def test_a_member_hidden_from_the_directory_is_found(departure: Departure, tmp_path: Path) -> None:
    whole = export(departure, tmp_path).read_bytes()
    hidden = zip_members({"hidden.txt": b"seen by readers that stream"})
    path = tmp_path / "changed.zip"
    path.write_bytes(hidden[: hidden.index(b"PK\x01\x02")] + whole)
    assert not verify_pack(str(path)).is_whole
    with zipfile.ZipFile(path, "w"):
        pass
    path.write_bytes(whole)
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = b"read me first"
    assert places(verify_pack(str(path))) == {"the zip"}


def test_a_pack_that_was_packed_again_with_the_same_contents_still_verifies(
    departure: Departure, tmp_path: Path
) -> None:
    path = export(departure, tmp_path)
    members = contents(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(members, reverse=True):
            archive.writestr(name, members[name])
    assert verify_pack(str(path)).is_whole


def test_what_is_no_pack_and_what_unpacks_to_too_much_is_said_not_raised(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    for content in (b"", b"PK", b"not a zip" * 100, zip_members({}), zip_members({"head.json": b"[1]"})):
        path.write_bytes(content)
        assert not verify_pack(str(path)).is_whole
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("head.json", b" " * 20_000_000)
    assert "weighs" in verify_pack(str(path)).as_text()
    hostile = dict.fromkeys(verifier.REQUIRED, b"[" * 100000)
    path.write_bytes(zip_members(hostile))
    assert not verify_pack(str(path)).is_whole


def test_a_pack_of_another_installation_is_told_by_the_fingerprint(
    departure: Departure, tmp_path: Path, settings: Any
) -> None:
    path = export(departure, tmp_path)
    report = verify_pack(str(path))
    size, root, key = str(report.figures["head"]).split(":")
    assert verify_pack(str(path), f"{size}:{root}:{'0' * 64}").problems[0].code == "other_key"
    assert verify_pack(str(path), f"{size}:{'0' * 64}:{key}").problems[0].code == "other_root"
    assert verify_pack(str(path), f"{int(size) + 1}:{root}:{key}").problems[0].code == "older_pack"
    assert "fingerprint" in verify_pack(str(path), f"{size}:{root}").notes[0]
    assert verify_pack(str(path), f"1:{'0' * 64}:{key}").problems[0].code in ("not_tied", "other_root")


def test_a_file_whose_bytes_are_gone_is_said_to_be_missing(departure: Departure, tmp_path: Path) -> None:
    stored = StoredFile.objects.order_by("pk").first()
    assert stored is not None
    (Path(django_settings.MEDIA_ROOT) / stored.sha256[:2] / stored.sha256).write_bytes(b"damaged")
    path = export(departure, tmp_path)
    assert verify_pack(str(path)).is_whole
    assert b"missing or damaged" in contents(path)["index.html"]
    assert b"damaged" not in b"".join(body for name, body in contents(path).items() if "files/" in name)


def test_only_those_whom_the_matrix_names_export_and_a_hidden_departure_does_not_exist(
    departure: Departure, tmp_path: Path
) -> None:
    with pytest.raises(NotAllowed):
        export(departure, tmp_path, actor=somebody(Role.IT_SECURITY))
    with pytest.raises(NotFound):
        export(departure, tmp_path, actor=somebody(Role.HR, person_id=departure.person_id))
    with pytest.raises(Invalid, match="does not fit"):
        export(departure, tmp_path, Audience.CLIENT)
    Departure.objects.filter(pk=departure.pk).update(confidentiality=Confidentiality.NEED_TO_KNOW)
    departure.refresh_from_db()
    with pytest.raises(NotFound):
        export(departure, tmp_path, actor=somebody(Role.LEGAL))
    assert not Event.objects.filter(kind="evidence.exported").exists()


def test_a_client_gets_a_clients_pack(departure: Departure, tmp_path: Path) -> None:
    Departure.objects.filter(pk=departure.pk).update(subject_kind=SubjectKind.CLIENT, person=None)
    departure.refresh_from_db()
    assert verify_pack(str(export(departure, tmp_path, Audience.CLIENT))).is_whole
    with pytest.raises(Invalid, match="does not fit"):
        export(departure, tmp_path, Audience.LEAVER)


def test_reading_events_hides_the_reason_from_all_but_hr(departure: Departure) -> None:
    page = departure_events(departure=departure, actor=somebody(Role.LEGAL))
    started = next(event for event in page.items if event.kind == "journey.started")
    asked: dict[str, Any] = {"event": started, "departure": departure}
    assert "reason" not in readable_fields(**asked, actor=somebody(Role.LEGAL))
    assert readable_fields(**asked, actor=somebody(Role.HR))["reason"].value == "salary"
    with pytest.raises(NotAllowed):
        departure_events(departure=departure, actor=somebody(Role.FINANCE))


def test_the_closing_statement_waits_for_the_signature_and_then_stays_the_same(departure: Departure) -> None:
    assert "being signed" in closing_statement(departure)
    sequence_pending(now=NOW)
    statement = closing_statement(departure)
    head = statement.split("Head: ")[1].split("\n")[0]
    for number in range(5):
        record_one(number)
        sequence_pending(now=NOW)
    assert closing_statement(departure) == statement
    assert verify_record(actor=console_actor(), now=NOW, head=head).is_whole
    with pytest.raises(NotAllowed):
        verify_record(actor=somebody(Role.FINANCE), now=NOW)
    with pytest.raises(Invalid, match="Copy it"):
        verify_record(actor=console_actor(), now=NOW, head="nonsense")


def test_the_console_exports_verifies_and_refuses(departure: Departure, tmp_path: Path) -> None:
    run, path = CliRunner().invoke, tmp_path / "pack.zip"
    made = run(app, ["export", str(departure.pk), "-o", str(path), "--json"])
    assert made.exit_code == 0, made.output
    head = json.loads(made.stdout)["head"]
    assert path.stat().st_mode & 0o077 == 0
    assert json.loads(run(app, ["verify", str(path), "--head", head, "--json"]).stdout)["whole"] is True
    checked = run(app, ["verify", "--head", head])
    assert "Whole" in checked.stdout or "waits for the tree" in checked.stdout
    members = contents(path)
    path.write_bytes(zip_members(members | {"index.html": members["index.html"] + b" "}))
    refused = run(app, ["verify", str(path)])
    assert refused.exit_code == 1 and "WRONG  index.html" in refused.stdout
    unknown = run(app, ["export", "nobody", "-o", str(path), "--json"])
    assert unknown.exit_code == 1 and json.loads(unknown.stdout)["error"]["code"] == "not_found"
    gone = run(app, ["verify", str(tmp_path / "none.zip"), "--json"])
    assert gone.exit_code == 1 and json.loads(gone.stdout)["error"]["field"] == "pack"
    nowhere = run(app, ["export", str(departure.pk), "-o", str(tmp_path / "no" / "x.zip"), "--json"])
    assert json.loads(nowhere.stdout)["error"]["code"] == "no_such_folder"


def test_an_export_that_cannot_be_recorded_hands_nothing_out(
    departure: Departure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("read-only")

    monkeypatch.setattr("partwell.evidence.operations.insert_values", refuse)
    with pytest.raises(OSError, match="read-only"), transaction.atomic():
        export(departure, tmp_path)
    assert not list(tmp_path.glob("*.zip"))
