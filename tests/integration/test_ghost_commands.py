"""`partwell ghosts`, as somebody at the console uses it."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from partwell import clock
from partwell.access.ghosts import sweeping
from partwell.cli import ghosts
from partwell.people.models import Person
from tests.access_world import World

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_pauses")]


def run(*words: str, expect: int = 0) -> dict[str, Any]:
    result = CliRunner().invoke(ghosts.app, [*words, "--json"])
    assert result.exit_code == expect, result.output
    data: dict[str, Any] = json.loads(result.stdout)
    return data


@pytest.fixture
def left(world: World) -> World:
    """Ada's account was cut, access has ended, and the account is active again."""
    world.add_system("mail")
    world.cut()
    world.end_access()
    world.store.edit("mail", "mail-0", is_active=True)
    return world


def test_a_sweep_finds_a_reenabled_account_and_names_what_it_could_not_read(left: World) -> None:
    left.add_system("doors", connector="manual", accounts=0, settings={})
    found = run("sweep")
    (ghost,) = found["ghosts"]
    assert (ghost["kind"], ghost["system"], ghost["login"]) == ("came_back", "mail", "ada")
    assert ghost["says"] == "ada in Mail was cut, and is active again."
    assert (found["is_whole"], found["not_wholly_read"]) == (False, ["doors"])
    assert found["ended_at"] is not None
    text = CliRunner().invoke(ghosts.app, ["sweep"]).stdout
    assert "Not read to the end: doors" in text and "came_back" in text


def test_a_sweep_of_a_system_that_is_down_says_so(left: World) -> None:
    left.store.set_mode("mail", "down")
    found = run("sweep")
    assert (found["is_whole"], found["ghosts"], found["systems"][0]["read"]) == (False, [], "unread")
    assert run("coverage")["items"][0]["reason"].startswith("The system does not answer")


def test_while_a_worker_sweeps_the_console_shows_how_far_it_is(left: World) -> None:
    sweeping.start_sweep(actor=left.console, now=clock.now(), here=True)
    found = run("sweep")
    assert (found["ended_at"], found["systems"][0]["read"]) == (None, "waiting")


def test_one_is_listed_given_dismissed_and_cut(left: World) -> None:
    run("sweep")
    (ghost,) = run("list")["items"]
    key = str(ghost["id"])
    assert run("list", "--kind", "nobodys")["items"] == []
    assert run("list", "--kind", "poltergeist", expect=1)["error"]["code"] == "unknown_kind"
    assert run("assign", key, "--to", "otto@firm.example")["owner"] == "otto@firm.example"
    assert run("dismiss", key, "--reason", "no", expect=1)["error"]["field"] == "reason"
    dismissed = run("dismiss", key, "--reason", "It stays for the audit until March.")
    assert dismissed["state"] == "dismissed"
    cut = run("cut", key)
    assert cut["state"] == "cutting" and cut["cut_id"]
    assert run("show", key)["cut_id"] == cut["cut_id"]
    assert run("show", "999999", expect=1)["error"]["code"] == "not_found"


def test_a_list_is_looked_at_first_and_then_compared(left: World, tmp_path: Path) -> None:
    left.add_system("doors", connector="manual", accounts=0, settings={})
    file = tmp_path / "doors.csv"
    file.write_text("login,active\nbadge-1,yes\nbadge-2,perhaps\n")
    refused = run("upload", "doors", str(file), expect=1)
    assert (refused["error"]["code"], refused["bad_lines"][0]["line"]) == ("bad_lines", 3)
    file.write_text("login,active\nbadge-1,yes\n")
    assert run("upload", "doors", str(file), "--dry-run")["accounts"] == 1
    assert run("list")["items"] == []
    run("upload", "doors", str(file))
    assert [each["kind"] for each in run("list")["items"]] == ["nobodys"]
    assert run("upload", "doors", str(tmp_path / "none.csv"), expect=1)["error"]["code"] == "file_unreadable"
    assert run("upload", "mail", str(file), expect=1)["error"]["code"] == "lists_itself"


def test_an_account_of_nobody_is_decided_about(left: World) -> None:
    left.add_account("mail", "cron", login="cron", emails=[])
    run("sweep")
    (ghost,) = run("list", "--kind", "nobodys")["items"]
    key, ben = str(ghost["id"]), Person.objects.create(email="ben@firm.example", name="Ben")
    day = str(clock.today_in("UTC", now=clock.now()) + timedelta(days=60))
    kept = run("keep", key, "--owner", ben.email, "--reason", "It runs the nightly jobs.", "--review", day)
    assert (kept["state"], kept["person"], kept["review_date"]) == ("kept", "Ben", day)
    words = CliRunner().invoke(ghosts.app, ["show", key]).stdout
    assert f"Answers for it: Ben until {day}." in words
    wrong = run("keep", key, "--owner", "x", "--reason", "It runs jobs.", "--review", day, expect=1)
    assert wrong["error"]["field"] == "owner"
    assert run("whose", key, ben.email)["kept_as"] == "theirs"
    refused = run("cut", key, expect=1)
    assert refused["error"]["code"] == "nobodys_account"
    plan = run("propose-cut", key, "--reason", "Nobody knows what it was for.")["plan"]
    assert (plan["state"], len(plan["changes"])) == ("proposed", 3)
    words = CliRunner().invoke(ghosts.app, ["show", key]).stdout
    assert f"Another person approves it on the web, at /ghosts/{key}/." in words
    assert run("call-off", key)["plan"] is None
    assert run("restore", key, expect=1)["error"]["code"] == "nothing_to_restore"
