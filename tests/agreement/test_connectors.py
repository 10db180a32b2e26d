"""What connectors declare agrees with their code, their settings and the documentation."""

from __future__ import annotations

import importlib
from pathlib import Path

import jsonschema
import pytest
import yaml

import partwell.connectors
from partwell.connector_kit.contract import PROTOCOLS, Reversibility, Verb
from partwell.connector_kit.quality import RULES, quality_problems

FOLDER = Path(partwell.connectors.__file__).parent
ROOT = Path(__file__).resolve().parents[2]
RATED = [path.parent for path in sorted(FOLDER.glob("*/quality.yaml"))]
by_name = pytest.mark.parametrize("folder", RATED, ids=lambda folder: folder.name)


def manifest(folder: Path) -> dict:
    return yaml.safe_load((folder / "manifest.yaml").read_text())


def test_the_three_connectors_are_rated():
    assert {"scim", "ldap", "manual"} <= {folder.name for folder in RATED}


@by_name
def test_the_quality_scale_tells_the_truth(folder):
    assert len(RULES) == 10
    assert quality_problems(folder) == []


@by_name
def test_the_manifest_declares_exactly_what_the_class_can_do(folder):
    connector = importlib.import_module(f"partwell.connectors.{folder.name}.connector").CONNECTOR
    declared = manifest(folder)["capabilities"]
    assert set(declared) == {name for name, protocol in PROTOCOLS.items() if issubclass(connector, protocol)}
    for name in set(declared) & set(Verb):
        Reversibility(declared[name]["reversibility"])


@by_name
def test_a_connector_that_changes_anything_shows_its_calls_in_a_dry_run(folder):
    """Each that says so is held to it by its contract tests."""
    declared = manifest(folder)
    if set(declared["capabilities"]) & set(Verb):
        assert declared.get("shows_calls") is True


@by_name
def test_settings_are_a_schema_in_which_everything_is_explained(folder):
    settings = manifest(folder)["settings"]
    jsonschema.Draft202012Validator.check_schema(settings)
    assert settings["additionalProperties"] is False
    for name, rule in settings["properties"].items():
        assert rule.get("description"), name
        names_a_place = name in ("url", "hosts") or name.endswith(("_url", "endpoint"))
        assert ("address" in rule) == names_a_place, name


@by_name
def test_the_reference_page_lists_every_setting_and_capability(folder):
    page = (ROOT / "docs" / "reference" / "connectors.md").read_text()
    declared = manifest(folder)
    section = page.split(f"## `{declared['id']}`")[1].split("\n## ")[0]
    assert declared["title"] in section
    for name in (*declared["capabilities"], *declared["settings"]["properties"]):
        assert f"`{name}`" in section, name


def test_a_false_claim_of_quality_is_found(tmp_path):
    """The check itself can fail: a connector that claims everything and has nothing."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "connector.py").write_text("import socket\n\ndef f():\n    raise KeyError(1)\n")
    (tmp_path / "README.md").write_text("Nothing.")
    (tmp_path / "manifest.yaml").write_text("scopes: []\ncapabilities: {}\nsettings: {properties: {}}\n")
    (tmp_path / "quality.yaml").write_text("".join(f"{name}: done\n" for name in RULES))
    assert len(quality_problems(tmp_path)) == len(RULES)
