"""The registry finds connectors and compares what they declare with what they can do."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from partwell.connector_kit import registry
from partwell.connector_kit.contract import Reversibility
from partwell.connectors.fake.connector import FakeConnector

RAW: dict[str, Any] = {
    "id": "x",
    "title": "X",
    "summary": "An example.",
    "capabilities": {"discover": True, "suspend": {"reversibility": "reversible"}},
    "settings": {
        "type": "object",
        "additionalProperties": False,
        "properties": {"url": {"type": "string"}, "password": {"type": "string", "secret": True}},
        "required": ["url"],
    },
}


def test_each_folder_is_a_connector_whose_manifest_is_true() -> None:
    found = registry.connectors()
    assert {"fake", "ldap", "scim", "manual"} <= set(found)
    for registered in found.values():
        assert not registry.mismatches(registered.manifest, registered.build)


def test_threads_that_ask_at_once_read_everything_once_together(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    meet = threading.Barrier(6)

    def count(module: str) -> Mapping[str, Any]:
        read.append(module)
        return raw_manifest(module)

    def ask(_: int) -> list[str]:
        meet.wait()
        return sorted(manifests(registry.PACKAGE))

    raw_manifest = registry.raw_manifest
    monkeypatch.setattr(registry, "raw_manifest", count)
    manifests = registry._once(registry._manifests.__wrapped__)  # type: ignore[attr-defined]
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(ask, range(6)))
    assert sorted(read) == answers[0] and answers == answers[:1] * 6


def test_a_manifest_that_promises_too_much_or_too_little_is_found() -> None:
    manifest = registry.read_manifest(RAW, where="x")

    class Poor:
        async def discover(self, identity: Any) -> list[Any]:
            return []

        async def read(self, external_id: str) -> None:
            return None

    assert registry.mismatches(manifest, Poor) == ["suspend is declared, but Poor has no such method"]
    assert "FakeConnector can delete, but the manifest does not declare it" in registry.mismatches(
        manifest, FakeConnector
    )


@pytest.mark.parametrize(
    ("needs_active", "before_suspension"),
    [(True, {"mailbox", "files"}), (["mailbox"], {"mailbox"}), (False, set())],
)
def test_a_manifest_says_what_it_can_hand_over_and_when(
    needs_active: object, before_suspension: set[str]
) -> None:
    raw = RAW | {"capabilities": {"transfer": {"kinds": ["mailbox", "files"], "needs_active": needs_active}}}
    manifest = registry.read_manifest(raw, where="x")
    assert manifest.transfers == ("mailbox", "files")
    assert manifest.transfers_before_suspension == before_suspension


@pytest.mark.parametrize(
    "change",
    [
        {"capabilities": {"fly": True}},
        {"capabilities": {"suspend": True}},
        {"capabilities": {"transfer": True}},
        {"capabilities": {"transfer": {"kinds": ["moods"], "needs_active": False}}},
        {"capabilities": {"transfer": {"kinds": ["files"], "needs_active": ["mailbox"]}}},
        {"title": None},
    ],
)
def test_a_broken_manifest_is_refused(change: dict[str, Any]) -> None:
    raw = {key: value for key, value in (RAW | change).items() if value is not None}
    with pytest.raises(registry.BrokenConnector):
        registry.read_manifest(raw, where="x")


def test_reversibility_is_read_from_the_manifest() -> None:
    assert registry.read_manifest(RAW, where="x").capabilities["suspend"] is Reversibility.REVERSIBLE


@pytest.mark.parametrize("value", ["hunter2-canary", "env:", "file:relative", 7])
def test_a_secret_itself_is_refused_and_never_repeated(value: object) -> None:
    manifest = registry.read_manifest(RAW, where="x")
    problems = registry.settings_problems(manifest, {"url": "u", "password": value})
    assert [name for name, _ in problems] == ["password"]
    assert "canary" not in problems[0][1]
    assert not registry.settings_problems(manifest, {"url": "u", "password": "env:MAIL_PASSWORD"})


@pytest.mark.parametrize(
    ("held", "named"),
    [
        ([{"label": "mail", "token": "hunter2-canary"}], "held.0.token"),
        ([{"label": "mail", "token": {"canary": 1}}], "held.0.token"),
        (["hunter2-canary"], "held.0"),
        ("hunter2-canary", "held"),
        ([{"label": "mail"}], "held.0"),
    ],
)
def test_a_secret_itself_within_a_list_is_refused_and_never_repeated(held: object, named: str) -> None:
    group = {
        "type": "object",
        "required": ["label", "token"],
        "properties": {"label": {"type": "string"}, "token": {"type": "string", "secret": True}},
    }
    settings = {"type": "object", "properties": {"held": {"type": "array", "items": group}}}
    manifest = registry.read_manifest(RAW | {"settings": settings}, where="x")
    problems = registry.settings_problems(manifest, {"held": held})
    assert {name for name, _ in problems} == {named}
    assert "canary" not in repr(problems)
    assert not registry.settings_problems(manifest, {"held": [{"label": "mail", "token": "env:MAIL"}]})


def test_every_wrong_setting_is_named() -> None:
    manifest = registry.read_manifest(RAW, where="x")
    assert registry.settings_problems(manifest, {"url": 3})[0][0] == "url"
    assert registry.settings_problems(manifest, {})[0][1] == "'url' is a required property"


def test_a_choice_is_explained_by_the_manifest_and_repeats_no_setting() -> None:
    settings = {
        "type": "object",
        "description": "Set either a or b.",
        "required": ["url"],
        "oneOf": [{"required": ["a"]}, {"required": ["b"]}],
        "properties": {name: {"type": "string", "secret": name == "a"} for name in ("url", "a", "b")},
    }
    manifest = registry.read_manifest(RAW | {"settings": settings}, where="x")
    assert manifest.needed_settings == ("url", "a")
    assert registry.settings_problems(manifest, {"url": "u"}) == [("", "Set either a or b.")]
    problems = registry.settings_problems(manifest, {"url": "u", "a": "hunter2-canary", "b": "y"})
    assert [name for name, _ in problems] == ["a", ""]
    assert "canary" not in repr(problems)
