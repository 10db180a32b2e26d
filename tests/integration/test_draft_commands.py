"""Drafts of templates at the console: out as a file, changed there, and back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from partwell.cli.drafts import app
from partwell.journeys.template.check import check
from tests.factories import SMALL_TEMPLATE, make_person, publish

pytestmark = pytest.mark.django_db


def run(*words: Any) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def data(*words: Any) -> Any:
    said = run(*words, "--json")
    assert said.exit_code == 0, said.output
    return json.loads(said.stdout)


def test_a_draft_goes_out_as_a_file_that_passes_the_check_and_comes_back_changed(tmp_path: Path) -> None:
    publish()
    assert data("begin", "--template", "small")["revision"] == 1
    shown = run("show", "small")
    assert check(shown.stdout, file="own.yaml") == []
    own = tmp_path / "own.yaml"
    own.write_text(shown.stdout.replace("Hand over the team", "Hand over to the team"), encoding="utf-8")
    assert data("change", "small", "--revision", 1, "--file", own)["revision"] == 2
    [changed] = data("show", "small", "--since", 1)["items"]
    assert [each["path"] for each in changed["differences"]] == ["steps.extra.title"]
    assert data("publish", "small", "--revision", 2, "--over", 1)["version"] == 2
    assert data("list")["items"] == []


def test_one_change_is_made_from_json_and_a_broken_one_refused() -> None:
    publish()
    run("begin", "--template", "small", "--id", "own-one")
    change = {"do": "change_step", "key": "extra", "fields": {"when": "person.salary > 1"}}
    said = run("change", "own-one", "--revision", 1, "--change", json.dumps(change))
    assert said.exit_code == 0
    assert "steps.extra.when: Conditions know no field person.salary." in said.stderr
    for words in (["--change", "{"], ["--change", '{"do": "fly"}'], []):
        refused = run("change", "own-one", "--revision", 2, *words, "--json")
        assert refused.exit_code == 1
        assert json.loads(refused.stdout)["error"]["field"] == "change"
    assert "cut-access waits for approve-access-plan" in run("dependencies", "own-one").stdout
    ring = {"do": "change_step", "key": "confirm", "fields": {"needs": ["cut-access"]}}
    assert run("change", "own-one", "--revision", 2, "--change", json.dumps(ring)).exit_code == 0
    assert "Never open, for they wait for each other: " in run("dependencies", "own-one").stdout
    assert data("dependencies", "own-one")["rings"] != []
    assert run("publish", "own-one", "--revision", 3, "--over", 0).exit_code == 1
    assert run("discard", "own-one", "--revision", 3).exit_code == 0


def test_a_draft_is_tried_on_somebody(tmp_path: Path) -> None:
    make_person("Mei Tanaka", email="mei@harbour.example")
    own = tmp_path / "own.yaml"
    own.write_text(SMALL_TEMPLATE, encoding="utf-8")
    run("begin", "--file", own)
    said = run(
        "try",
        "small",
        "--person",
        "mei@harbour.example",
        "--last-day",
        "2027-02-26",
        "--notice",
        "2027-01-04",
    )
    assert said.exit_code == 0, said.output
    assert "Left out: extra, when person.manages_people; person.manages_people is False." in said.stdout
    assert said.stdout.rstrip().endswith("Nothing was stored.")


def test_a_file_that_is_no_template_is_refused_with_its_line(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("id: x\nsteps: &s []\n", encoding="utf-8")
    refused = run("begin", "--file", own)
    assert refused.exit_code == 1
    assert f"{own}:2: Anchors (&) and aliases (*) are not read." in refused.stderr
