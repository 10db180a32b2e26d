"""A server that could not be had is named at the end of a run, and with `CI=true` it fails the run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers import catalogue

ROOT = Path(__file__).resolve().parents[2]
TEST = """
import pytest
from tests.servers import catalogue

catalogue.SERVERS += (catalogue.Server("nowhere", programs=("no-such-program",), packages=("p",)),)


@pytest.mark.server("nowhere")
def test_that_needs_it():
    pass
"""


@pytest.mark.parametrize(("ci", "outcome", "code"), [("", "1 skipped", 0), ("true", "1 error", 1)])
def test_a_server_that_could_not_be_had_is_named_and_fails_in_ci(tmp_path, ci, outcome, code):
    (tmp_path / "test_it.py").write_text(TEST)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = server(name): needs it\n")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "tests.servers.plugin",
        "-p",
        "no:django",
        "-q",
        str(tmp_path),
    ]
    env = {**os.environ, "CI": ci, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}"}
    run = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert outcome in run.stdout
    assert "could not be had" in run.stdout
    assert "nowhere: no-such-program missing: scripts/servers install (p)" in run.stdout
    assert run.returncode == code


def test_a_server_with_an_environment_of_its_own_is_missing_until_just_its_requirements_are_installed(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(catalogue, "ROOT", tmp_path)
    server = catalogue.Server("chat", requirements="chat.txt")
    (tmp_path / "chat.txt").write_text("chat==1\n")
    assert server.missing() == "chat.txt is not installed: scripts/servers install"
    server.folder.mkdir(parents=True)
    (server.folder / "requirements.txt").write_text("chat==1\n")
    assert server.missing() == ""
    (tmp_path / "chat.txt").write_text("chat==2\n")
    assert server.missing() != ""


def test_a_server_of_npm_is_exactly_what_its_lock_file_names():
    server = catalogue.server("oidc-provider")
    lock = json.loads((ROOT / server.requirements).read_text())
    wanted = json.loads((ROOT / server.requirements).with_name("package.json").read_text())["dependencies"]
    assert wanted == {"oidc-provider": lock["packages"]["node_modules/oidc-provider"]["version"]}
    for name, package in lock["packages"].items():
        assert name == "" or package["integrity"].startswith("sha512-"), name
        assert "resolved" not in package, name
