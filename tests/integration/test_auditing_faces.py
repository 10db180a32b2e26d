"""Answering an auditor by the browser, the API and the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from typer.testing import CliRunner

from partwell import clock
from partwell.cli.audits import app
from partwell.evidence.verifier import verify_pack
from partwell.people.actors import console_actor
from partwell.people.models import Person, User
from partwell.people.roles import Role
from partwell.people.token_operations import create_token
from tests.factories import make_holder, make_person
from tests.integration.test_auditing import DAY, departed, leavers

pytestmark = pytest.mark.django_db(transaction=True)
PERIOD = {"since": "2026-07-01", "until": "2026-09-30"}
OPTIONS = ["--since", PERIOD["since"], "--until", PERIOD["until"]]


@pytest.fixture
def hanna() -> User:
    return make_holder(Role.HR, "Hanna Weiss")


@pytest.fixture
def browser(hanna: User) -> Client:
    browser = Client(SERVER_NAME="localhost")
    browser.force_login(hanna)
    return browser


def test_a_period_is_shown_a_sample_drawn_and_its_pack_exported(browser: Client, tmp_path: Path) -> None:
    leavers(6)
    make_person("Left Unseen", left_on_date=DAY)
    page = browser.get("/evidence/audits/", PERIOD)
    assert page.status_code == 200
    assert "Left Unseen" in page.content.decode()
    answer = browser.post("/evidence/audits/draw/", PERIOD | {"size": "4", "seed": "4711"})
    assert answer.status_code == 302
    sample = browser.get(answer["Location"])
    assert "4 of 7 leavers" in sample.content.decode()
    assert "4711" in sample.content.decode()
    pack = tmp_path / "pack.zip"
    pack.write_bytes(browser.post(f"{answer['Location']}export/").content)
    assert verify_pack(str(pack)).is_whole


def test_the_population_as_a_file_runs_in_no_spreadsheet(browser: Client) -> None:
    departed(make_person("=1+1", email="x@x.example", left_on_date=DAY))
    text = browser.get("/evidence/audits/population/", PERIOD).content.decode()
    assert '"\'=1+1"' in text
    assert f'"P{Person.objects.get(email="x@x.example").pk}/2026-08-14"' in text


@pytest.mark.parametrize(
    "wrong", [{"since": "2026-12-01"}, {"until": "2100-01-01"}, {"since": "nonsense"}, {"since": ""}]
)
def test_a_period_that_cannot_be_is_said_at_its_field(browser: Client, wrong: dict[str, str]) -> None:
    assert browser.get("/evidence/audits/", PERIOD | wrong).status_code == 422
    assert browser.get("/evidence/audits/population/", PERIOD | wrong).status_code == 422
    assert browser.post("/evidence/audits/draw/", PERIOD | wrong | {"size": "4"}).status_code == 422


def queries_of(browser: Client, address: str) -> int:
    with CaptureQueriesContext(connection) as asked:
        browser.get(address, PERIOD)
        return len(asked.captured_queries)


def test_a_period_with_more_leavers_asks_no_more_queries(browser: Client) -> None:
    leavers(2)
    assert browser.get("/evidence/audits/", PERIOD).status_code == 200
    few = queries_of(browser, "/evidence/audits/")
    for number in range(10):
        departed(make_person(f"More {number}", left_on_date=DAY))
    assert queries_of(browser, "/evidence/audits/") == few <= 18


def test_a_larger_sample_asks_no_more_queries(browser: Client) -> None:
    leavers(12)
    shown = []
    for size in ("2", "12"):
        where = browser.post("/evidence/audits/draw/", PERIOD | {"size": size})["Location"]
        shown.append(queries_of(browser, where))
    assert shown[0] == shown[1] <= 30


def test_by_the_api_a_sample_is_drawn_read_and_packed(hanna: User, tmp_path: Path) -> None:
    leavers(6)
    _, secret = create_token(scopes=["write"], email=hanna.email, actor=console_actor(), now=clock.now())
    client = Client(SERVER_NAME="localhost", headers={"Authorization": f"Bearer {secret}"})
    found = client.get("/api/v1/audits/population", PERIOD).json()
    assert (found["count"], found["without_journey"]) == (6, 0)
    drawn = client.post(
        "/api/v1/audits/samples", PERIOD | {"size": 3, "seed": "4711"}, content_type="application/json"
    )
    assert drawn.status_code == 201
    where = f"/api/v1/audits/samples/{drawn.json()['id']}"
    assert len(client.get(where).json()["people"]) == 3
    assert [each["seed"] for each in client.get("/api/v1/audits/samples").json()["items"]] == ["4711"]
    pack = tmp_path / "pack.zip"
    pack.write_bytes(client.post(f"{where}/pack").content)
    assert verify_pack(str(pack)).is_whole


def test_by_the_command_line_a_sample_is_drawn_shown_and_packed(tmp_path: Path) -> None:
    leavers(6)
    runner = CliRunner()
    listed = runner.invoke(app, ["population", *OPTIONS, "-o", str(tmp_path / "people.csv")])
    assert "6 left from 2026-07-01 to 2026-09-30" in listed.output
    assert (tmp_path / "people.csv").read_text().count("\n") == 7
    drawn = json.loads(runner.invoke(app, ["draw", *OPTIONS, "--size", "3", "--seed", "a", "--json"]).stdout)
    assert "3 of 6" in runner.invoke(app, ["samples"]).stdout
    assert drawn["drawn"][0] in runner.invoke(app, ["show", drawn["id"]]).stdout
    pack = tmp_path / "pack.zip"
    ended = runner.invoke(app, ["export", drawn["id"], "-o", str(pack), "--json"])
    assert ended.exit_code == 0, ended.output
    assert json.loads(ended.stdout)["sample"] == "3 of 6, seed a"
    report = verify_pack(str(pack), head=json.loads(ended.stdout)["head"])
    assert report.is_whole
