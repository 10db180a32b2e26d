"""Which of the operator's files become connectors, and which are refused."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from partwell.access.apps import AccessConfig
from partwell.connector_kit import registry
from partwell.connector_kit.contract import Reversibility
from partwell.connector_kit.declared_registry import find_declared

EXAMPLES = Path(registry.__file__).parent.parent / "connectors" / "http" / "examples"
SOUND = (EXAMPLES / "scim.yaml").read_text()


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    found = tmp_path / "connectors"
    found.mkdir(mode=0o755)
    yield found
    registry.install({})


def put(path: Path, text: str = SOUND, mode: int = 0o644) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.parent.chmod(0o755)
    path.write_text(text)
    path.chmod(mode)
    return path


def test_a_file_and_a_folder_each_become_a_connector_type(folder: Path) -> None:
    put(folder / "scim.yaml")
    put(folder / "chat" / "connector.yaml", SOUND.replace("id: scim-by-file", "id: chat"))
    put(folder / "notes.txt", "not a declaration")
    found = find_declared(folder)
    assert found.problems == ()
    assert set(found.connectors) == {"http:scim-by-file", "http:chat"}
    assert len(found.connectors["http:chat"].digest) == 64
    manifest = found.connectors["http:scim-by-file"].manifest
    assert manifest.capabilities["suspend"] is Reversibility.REVERSIBLE
    assert manifest.secret_settings == {"token"}
    assert set(manifest.needed_settings) == {"url", "token"}


@pytest.mark.parametrize("mode", [0o664, 0o646, 0o666])
def test_a_file_that_others_may_write_is_refused(folder: Path, mode: int) -> None:
    put(folder / "scim.yaml", mode=mode)
    found = find_declared(folder)
    assert not found.connectors
    assert "chmod go-w" in found.problems[0].message


def test_a_folder_that_others_may_write_is_refused(folder: Path) -> None:
    put(folder / "scim.yaml")
    folder.chmod(0o777)
    found = find_declared(folder)
    assert not found.connectors
    assert "this folder" in found.problems[0].message


def test_a_link_to_a_file_in_a_folder_that_others_may_write_is_refused(folder: Path, tmp_path: Path) -> None:
    loose = tmp_path / "loose"
    target = put(loose / "scim.yaml")
    loose.chmod(0o777)
    (folder / "scim.yaml").symlink_to(target)
    assert "this folder" in find_declared(folder).problems[0].message


def test_a_file_of_another_user_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(folder / "scim.yaml")
    if path.stat().st_uid == 0:
        os.chown(path, 12345, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 12345)
    assert "belongs to another user" in find_declared(folder).problems[0].message


def test_a_broken_file_is_refused_with_its_line_and_the_others_count(folder: Path) -> None:
    put(folder / "a.yaml", SOUND.replace("title: A SCIM", "titel: A SCIM"))
    put(folder / "b.yaml")
    put(folder / "c.yaml", "kind: soap\n")
    put(folder / "d.yaml", "a: &x 1\n")
    put(folder / "e.yaml")  # the id of b.yaml again
    found = find_declared(folder)
    assert set(found.connectors) == {"http:scim-by-file"}
    said = {(Path(p.file).name, p.line): p.message for p in found.problems}
    assert "Did you mean “title”" in said["a.yaml", 3]
    assert "There is no kind “soap”" in said["c.yaml", 1]
    assert "Anchors" in said["d.yaml", 1]
    assert "declared by" in said["e.yaml", 1]


def test_the_folder_is_read_when_a_process_starts_and_only_then(folder: Path, settings) -> None:
    put(folder / "scim.yaml")
    assert registry.find("http:scim-by-file") is None
    settings.CONNECTORS_DIR = str(folder)
    AccessConfig("partwell.access", __import__("partwell.access").access).ready()
    found = registry.find("http:scim-by-file")
    assert found is not None
    (folder / "scim.yaml").unlink()
    assert registry.find("http:scim-by-file") is found


def test_a_kind_is_no_connector_by_itself() -> None:
    assert registry.find("http") is None
    assert "http" in registry.kinds()
