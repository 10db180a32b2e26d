"""Files are kept once, handed out as downloads only, and checked against their digest."""

from __future__ import annotations

import hashlib
import io
from datetime import UTC, datetime
from pathlib import Path

import pytest

from partwell.documents.models import StoredFile
from partwell.documents.operations import download_headers, open_file, store_file, verify_files
from partwell.evidence.models import Event
from partwell.refusals import Conflict

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def folder(settings: object, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path / "files"
    return tmp_path / "files"


def store(name: str = "notes.txt", data: bytes = b"keys returned\n") -> StoredFile:
    return store_file(name=name, stream=io.BytesIO(data), actor_label="Ada", now=NOW)


def test_a_file_comes_back_as_it_was(folder: Path) -> None:
    stored = store()
    digest = hashlib.sha256(b"keys returned\n").hexdigest()
    assert (stored.sha256, stored.size, stored.stored_by, stored.stored_at) == (digest, 14, "Ada", NOW)
    with open_file(stored) as file:
        assert file.read() == b"keys returned\n"
    assert [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()] == [
        f"{digest[:2]}/{digest}"
    ]
    assert (folder / digest[:2] / digest).stat().st_mode & 0o077 == 0


def test_equal_bytes_are_kept_once_under_both_names(folder: Path) -> None:
    first, second = store("a.txt"), store("b.txt")
    assert first.pk != second.pk
    assert len([path for path in folder.rglob("*") if path.is_file()]) == 1


def test_keeping_a_file_leaves_an_event_without_its_name() -> None:
    stored = store("Kündigung Ada.txt")
    event = Event.objects.get(kind="file.stored")
    assert event.fields["sha256"]["value"] == stored.sha256
    assert "Kündigung" not in str(event.fields)


def test_a_download_is_saved_and_never_shown() -> None:
    headers = download_headers(store("Übergabe; x=1.md", b"# hi\n"))
    assert headers["Content-Disposition"] == "attachment; filename*=utf-8''%C3%9Cbergabe%3B%20x%3D1.md"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in headers["Content-Security-Policy"]


def test_a_changed_and_a_missing_file_are_named(folder: Path) -> None:
    good, changed, missing = store(), store(data=b"one\n"), store(data=b"two\n")
    assert verify_files() == []
    (folder / changed.sha256[:2] / changed.sha256).write_bytes(b"One\n")
    (folder / missing.sha256[:2] / missing.sha256).unlink()
    found = {problem.sha256: problem.problem for problem in verify_files()}
    assert found == {changed.sha256: "changed", missing.sha256: "missing"}
    assert good.sha256 not in found
    with pytest.raises(Conflict, match="backup"):
        open_file(missing)
    store(data=b"one\n")
    store(data=b"two\n")
    assert verify_files() == []


def test_a_file_that_cannot_be_recorded_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("the audit store is read-only")

    monkeypatch.setattr("partwell.documents.operations.record", refuse)
    with pytest.raises(OSError, match="read-only"):
        store()
    assert not StoredFile.objects.exists()
