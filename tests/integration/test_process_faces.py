"""How the process goes, by the browser, the API and the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from typer.testing import CliRunner

from partwell import clock
from partwell.cli.main import app, load_commands
from partwell.evidence.models import Event
from partwell.insights.tables import TABLES
from partwell.journeys.models import Step, TemplateUpkeep, TemplateVersion
from partwell.people.actors import console_actor
from partwell.people.models import User
from partwell.people.roles import Role
from partwell.people.token_operations import create_token
from tests.factories import make_holder, publish
from tests.integration.test_process import DAY, STARTED, done, gone, step

pytestmark = pytest.mark.django_db(transaction=True)
PERIOD = {"since": "2026-01-01", "until": "2026-11-02"}
NOTE = "Read every step; it holds."


@pytest.fixture
def version() -> TemplateVersion:
    return publish(now=STARTED)


@pytest.fixture
def hanna() -> User:
    return make_holder(Role.HR, "Hanna Weiss")


@pytest.fixture
def browser(hanna: User) -> Client:
    browser = Client(SERVER_NAME="localhost")
    browser.force_login(hanna)
    return browser


@pytest.fixture
def api(hanna: User) -> Client:
    _, secret = create_token(scopes=["write"], email=hanna.email, actor=console_actor(), now=clock.now())
    return Client(SERVER_NAME="localhost", headers={"Authorization": f"Bearer {secret}"})


def some(version: TemplateVersion, count: int, owner: User | None = None) -> list[Step]:
    """Closed and running journeys, each with a late step, one left out and one open."""
    made = []
    for number in range(count):
        closed = gone(version, f"Closed {number} of {count}", ended=STARTED + 40 * DAY)
        done(closed, "confirm", 2 * DAY)
        done(closed, "initiate", state="skipped", skip_reason="=1+1 was told before", phase=3)
        running = gone(version, f"Running {number} of {count}")
        made.append(step(running, "cut-access", role="it_security", phase=6, owner=owner))
    return made


def test_the_page_tells_every_part_and_links_to_the_rows(browser: Client, version: TemplateVersion) -> None:
    some(version, 2, make_holder(Role.IT_SECURITY, "Tom Wirth"))
    page = browser.get("/process/", PERIOD).content.decode()
    for words in ("Tom Wirth", "Late by role", "Cut all access", "was told before", "Nobody answers for it"):
        assert words in page, words
    rows = browser.get("/process/steps/", PERIOD | {"standing": "late", "role": "hr"}).content.decode()
    assert "Closed 0 of 2" in rows
    assert "Closed 1 of 2" in rows


def test_the_same_sentence_about_hidden_ones_stands_there_always(browser: Client) -> None:
    assert (
        "A need-to-know departure is counted for those alone who take part in it"
        in browser.get("/process/").content.decode()
    )


@pytest.mark.parametrize("wrong", [{"since": "2026-12-01"}, {"until": "2100-01-01"}, {"since": "nonsense"}])
def test_a_period_that_cannot_be_is_said_at_its_field(browser: Client, wrong: dict[str, str]) -> None:
    assert browser.get("/process/", PERIOD | wrong).status_code == 422


def test_more_journeys_ask_no_more_queries(browser: Client, version: TemplateVersion) -> None:
    tom = make_holder(Role.IT_SECURITY, "Tom Wirth")

    def asked(address: str, query: dict[str, str]) -> int:
        browser.get(address, query)
        with CaptureQueriesContext(connection) as captured:
            assert browser.get(address, query).status_code == 200
            return len(captured)

    pages = {
        "/process/": PERIOD,
        "/process/steps/": PERIOD | {"standing": "late"},
        "/process/load/": {"owner": str(tom.pk)},
    }
    some(version, 1, tom)
    few = {page: asked(page, query) for page, query in pages.items()}
    some(version, 8, tom)
    assert {page: asked(page, query) for page, query in pages.items()} == few
    assert few["/process/"] < 20


def test_each_table_is_a_file_in_which_no_cell_runs(browser: Client, version: TemplateVersion) -> None:
    some(version, 1)
    for table in TABLES:
        answer = browser.get(f"/process/tables/{table}/", PERIOD)
        assert answer.status_code == 200
        assert answer["Content-Type"] == "text/csv"
    reasons = browser.get("/process/tables/reasons/", PERIOD).content.decode()
    assert '"\'=1+1 was told before"' in reasons
    assert browser.get("/process/tables/none/", PERIOD).status_code == 404


def test_chosen_steps_go_to_somebody_else_and_what_is_refused_is_said(
    browser: Client, version: TemplateVersion
) -> None:
    tom, ann = make_holder(Role.IT_SECURITY, "Tom Wirth"), make_holder(Role.IT_SECURITY, "Ann Light")
    steps = some(version, 3, tom)
    address = f"/process/load/?owner={tom.pk}"
    chosen = {"step": [str(steps[0].pk), str(steps[2].pk)], "to": str(ann.pk)}
    answer = browser.post(address, chosen, follow=True)
    assert f"{ann} has 2 of 2 chosen steps now." in answer.content.decode()
    assert Step.objects.filter(owner=ann).count() == 2
    again = browser.post(address, chosen, follow=True).content.decode()
    assert "2 of the chosen steps were settled or given to somebody else meanwhile" in again
    assert "chosen steps now" not in again
    nothing = browser.post(address, {"to": str(ann.pk)})
    assert nothing.status_code == 422
    assert "Choose at least one step." in nothing.content.decode()
    assert browser.post(address, {"step": [str(steps[1].pk)], "to": "999999"}).status_code == 422


@pytest.mark.parametrize("query", ["", "owner=", "owner=999999", f"owner={'9' * 30}", "queue=nobody"])
def test_a_list_of_nobodys_steps_is_not_there(browser: Client, query: str) -> None:
    assert browser.get(f"/process/load/?{query}").status_code == 404


def test_by_the_browser_a_template_gets_an_owner_and_is_read(
    browser: Client, hanna: User, version: TemplateVersion
) -> None:
    address = "/templates/small/upkeep/"
    assert browser.post(address, {"to": str(hanna.pk)}).status_code == 302
    assert browser.post(address, {"version": "1", "note": NOTE}).status_code == 302
    assert browser.post(address, {"version": "7", "note": NOTE}).status_code == 422
    assert browser.post(address, {"version": "1", "note": ""}).status_code == 422
    for page in (address, "/templates/", "/templates/small/"):
        assert "Hanna Weiss" in browser.get(page).content.decode()


def test_by_the_api_the_process_is_read_and_a_template_kept(
    api: Client, hanna: User, version: TemplateVersion
) -> None:
    some(version, 2)
    found = api.get("/api/v1/process", PERIOD).json()
    assert {line["role"]: line["due"] for line in found["late_by_role"]} == {"hr": 4, "it_security": 2}
    assert found["timezone"] == "UTC"
    first = api.get("/api/v1/process/steps", PERIOD | {"standing": "due", "limit": "4"}).json()
    then = api.get("/api/v1/process/steps", PERIOD | {"standing": "due", "cursor": first["next"]}).json()
    assert (len(first["items"]), len(then["items"]), then["next"]) == (4, 2, None)
    owned = api.post(
        "/api/v1/templates/small/owner", {"owner": hanna.email}, content_type="application/json"
    ).json()
    assert owned["owner"] == str(hanna)
    read = api.post(
        "/api/v1/templates/small/review", {"version": 1, "note": NOTE}, content_type="application/json"
    ).json()
    assert (read["lacks"], read["review_note"]) == ([], NOTE)
    assert api.get("/api/v1/templates/small/upkeep").json() == read
    wrong = api.get("/api/v1/process", PERIOD | {"timezone": "Mars/Olympus"})
    assert (wrong.status_code, wrong.json()["field"]) == (422, "timezone")


def test_by_the_command_line_the_process_is_read_and_a_template_kept(
    hanna: User, version: TemplateVersion, tmp_path: Path
) -> None:
    load_commands()
    some(version, 2, hanna)
    run = CliRunner().invoke
    period = ["--since", PERIOD["since"], "--until", PERIOD["until"]]
    shown = run(app, ["process", "show", *period])
    assert shown.exit_code == 0, shown.output
    for words in ("Late by role", "Hanna Weiss", "=1+1 was told before"):
        assert words in shown.stdout, words
    found = json.loads(run(app, ["process", "show", *period, "--json"]).stdout)
    assert found["journeys"]["closed"] == 2
    late = json.loads(run(app, ["process", "steps", "late", *period, "--json"]).stdout)
    assert [each["key"] for each in late["items"]] == ["confirm", "confirm"]
    file = tmp_path / "phases.csv"
    assert run(app, ["process", "export", "phases", "-o", str(file), *period]).exit_code == 0
    assert file.read_text().startswith('"phase","title","worked_on_journeys"')
    assert run(app, ["process", "export", "none", "-o", str(file), *period]).exit_code == 1
    assert run(app, ["templates", "own", "small", hanna.email]).exit_code == 0
    assert run(app, ["templates", "reviewed", "small", "--note", NOTE]).exit_code == 0
    assert "Hanna Weiss" in run(app, ["templates", "upkeep"]).stdout
    assert TemplateUpkeep.objects.get().reviewed_version == 1
    assert run(app, ["templates", "own", "small", "nobody"]).exit_code == 0
    assert Event.objects.filter(kind="template.owner_set").count() == 2
