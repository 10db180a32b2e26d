"""Publishing, listing and loading templates, by operation and by command."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from partwell.cli.templates import app
from partwell.evidence.models import Event
from partwell.journeys.models import TemplateVersion
from partwell.journeys.template.digest import digest_of
from partwell.journeys.template_operations import LIBRARY_ACTOR, publish_template, sync_library
from partwell.journeys.template_queries import latest, list_templates, load_version, show_template
from partwell.people.actors import Actor, Channel, Grant, console_actor
from partwell.people.roles import Role
from partwell.refusals import Conflict, Invalid, NotAllowed, NotFound
from tests.agreement.library import TEMPLATES
from tests.unit.template_texts import SOUND, with_change

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
LIBRARY = {
    "client-acquired-or-closed",
    "client-contract-expiry",
    "client-project-completion",
    "client-early-cancellation",
    "client-terminated-by-us",
    "client-trial-ended",
    "client-urgent-cut",
    "contractor-end",
    "intern-end",
    "staff-death-in-service",
    "staff-dismissal-for-cause",
    "staff-fixed-term-end",
    "staff-redundancy",
    "staff-resignation",
    "staff-retirement",
    "staff-urgent-cut",
}


def _publish(text: str = SOUND, actor: Actor | None = None) -> TemplateVersion:
    return publish_template(text=text, actor=actor or console_actor(), now=NOW, file="small.yaml")


def _with_role(role: Role) -> Actor:
    return Actor(label="somebody", channel=Channel.WEB, user_id=1, grants=frozenset({Grant(role)}))


def test_a_template_is_published_once_and_recorded() -> None:
    version = _publish()
    assert (version.template_id, version.version, version.audience) == ("small-one", 1, "staff")
    assert version.published_by == "operator@console"
    assert version.digest == digest_of(load_version(version))
    [event] = Event.objects.filter(kind="template.published")
    assert event.scope == "installation"
    assert event.fields["digest"]["value"] == version.digest


def test_layout_and_comments_are_no_content() -> None:
    first = _publish()
    again = _publish("# a comment\n" + SOUND.replace("[confirm-notice]", "\n      - confirm-notice"))
    assert again == first
    assert TemplateVersion.objects.count() == Event.objects.count() == 1


def test_changed_content_becomes_the_next_version_and_the_old_one_stays() -> None:
    first = _publish()
    second = _publish(with_change("Confirm the notice", "Confirm the notice in writing"))
    assert second.version == 2
    assert latest("small-one") == second
    first.refresh_from_db()
    assert load_version(first).step("confirm-notice").title == "Confirm the notice"
    assert load_version(second).step("confirm-notice").title == "Confirm the notice in writing"
    assert show_template(template_id="small-one", version=1, actor=console_actor()).version == first


def test_an_old_version_does_not_silently_become_the_latest_again() -> None:
    _publish()
    _publish(with_change("Confirm the notice", "Confirm the notice in writing"))
    with pytest.raises(Conflict, match="This is version 1 again, which version 2 has replaced") as caught:
        _publish()
    assert caught.value.code == "template_superseded"
    assert latest("small-one").version == 2


def test_a_broken_template_is_refused_with_its_lines_and_nothing_is_stored() -> None:
    with pytest.raises(Invalid) as caught:
        _publish(with_change("role: hr", "role: boss"))
    assert caught.value.code == "template_broken"
    assert caught.value.field == "steps.confirm-notice.role"
    assert "small.yaml:13: steps.confirm-notice.role: “boss” is not known here" in caught.value.message
    assert not TemplateVersion.objects.exists()
    assert not Event.objects.exists()


@pytest.mark.parametrize("role", sorted(Role))
def test_only_hr_and_administrators_publish(role: Role) -> None:
    if role in (Role.HR, Role.ADMIN):
        assert _publish(actor=_with_role(role)).version == 1
        return
    with pytest.raises(NotAllowed):
        _publish(actor=_with_role(role))
    assert not TemplateVersion.objects.exists()


def test_the_one_who_leaves_reads_no_templates() -> None:
    _publish()
    with pytest.raises(NotAllowed):
        list_templates(actor=_with_role(Role.DEPARTING))
    with pytest.raises(NotAllowed):
        show_template(template_id="small-one", actor=_with_role(Role.DEPARTING))
    assert len(list_templates(actor=_with_role(Role.FINANCE))) == 1


def test_a_stored_text_that_was_altered_is_refused() -> None:
    version = _publish(with_change("A small template", "A template to alter"))
    version.source = version.source.replace("role: hr", "role: legal")
    version.save()
    from partwell.journeys import template_queries

    template_queries._loaded.pop(version.digest, None)
    with pytest.raises(Conflict, match="is not what was published"):
        load_version(version)


def test_unknown_templates_and_versions_are_not_found() -> None:
    _publish()
    for template_id, version in (("nothing", None), ("small-one", 7)):
        with pytest.raises(NotFound):
            show_template(template_id=template_id, version=version, actor=console_actor())


def test_the_library_is_published_once() -> None:
    assert {v.template_id for v in sync_library(now=NOW)} == LIBRARY
    assert sync_library(now=NOW) == []
    assert [found.version.template_id for found in list_templates(actor=console_actor())] == sorted(LIBRARY)
    assert {v.published_by for v in TemplateVersion.objects.all()} == {LIBRARY_ACTOR.label}


def test_an_upgrade_brings_new_versions_and_leaves_a_firms_own_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from partwell.journeys.template import library

    file = tmp_path / "small-one.yaml"
    monkeypatch.setattr(library, "LIBRARY_DIR", tmp_path)
    file.write_text(SOUND)
    assert [v.version for v in sync_library(now=NOW)] == [1]
    file.write_text(with_change("Confirm the notice", "Confirm the notice soon"))
    assert [v.version for v in sync_library(now=NOW)] == [2]
    _publish(with_change("Confirm the notice", "Confirm it our own way"))
    file.write_text(with_change("Confirm the notice", "Confirm the notice sooner"))
    assert sync_library(now=NOW) == []
    assert load_version(latest("small-one")).step("confirm-notice").title == "Confirm it our own way"


def test_listing_takes_two_queries_however_many_there_are(django_assert_num_queries: Any) -> None:
    sync_library(now=NOW)
    with django_assert_num_queries(2):
        assert len(list_templates(actor=console_actor())) == len(LIBRARY)


def _run(*arguments: str) -> tuple[int, Any]:
    result = CliRunner().invoke(app, [*arguments, "--json"])
    return result.exit_code, json.loads(result.stdout)


def test_the_list_command_prints_items() -> None:
    sync_library(now=NOW)
    code, body = _run("list")
    assert code == 0
    assert body["next"] is None
    assert {item["id"] for item in body["items"]} == LIBRARY
    assert all(item["version"] == 1 for item in body["items"])
    assert {item["id"]: item["steps"] for item in body["items"]} == {
        name: len(template.steps) for name, template in TEMPLATES.items()
    }


def test_the_show_command_prints_the_template_with_its_steps() -> None:
    sync_library(now=NOW)
    code, body = _run("show", "staff-resignation")
    assert code == 0
    assert (body["id"], body["version"]) == ("staff-resignation", 1)
    assert body["steps"][-1]["key"] == "close-journey"
    text = CliRunner().invoke(app, ["show", "staff-resignation"]).stdout
    assert "6. Data security" in text and "Cut all access and read it back" in text
    assert _run("show", "nothing") == (
        1,
        {"error": {"code": "not_found", "field": "", "message": str(NotFound("template “nothing”"))}},
    )


def test_the_check_command_names_file_and_line(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(SOUND)
    assert _run("check", str(file)) == (0, {"items": [], "next": None})
    file.write_text(with_change("role: hr", "role: boss"))
    code, body = _run("check", str(file))
    assert code == 1
    assert (body["items"][0]["file"], body["items"][0]["line"]) == (str(file), 13)
    assert body["error"]["code"] == "template_broken"
    plain = CliRunner().invoke(app, ["check", str(file)])
    assert plain.exit_code == 1
    assert plain.stdout.startswith(f"{file}:13: steps.confirm-notice.role: ")
    assert plain.stderr == f"1 problem in {file}.\n"


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "own.yaml"
    if content is not None:
        file.write_bytes(content)
    for command in ("check", "publish"):
        code, body = _run(command, str(file))
        assert code == 1
        assert (body["error"]["code"], body["error"]["field"]) == ("file_unreadable", "file")


def test_the_publish_command_makes_a_version(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(SOUND)
    code, body = _run("publish", str(file))
    assert (code, body["id"], body["version"]) == (0, "small-one", 1)
    file.write_text("id: small-one\n")
    code, body = _run("publish", str(file))
    assert (code, body["error"]["code"]) == (1, "template_broken")
