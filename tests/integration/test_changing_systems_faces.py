"""Changing a system on its page, by the API and at the command line."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from typer.testing import CliRunner

from partwell import clock
from partwell.access.models import Plan, System
from partwell.cli import systems as commands
from partwell.departures.models import Departure
from partwell.departures.states import Confidentiality
from partwell.people.models import User
from partwell.people.roles import Role
from tests.access_world import World, make_user
from tests.factories import make_holder
from tests.integration.api.conftest import Api, token_for

pytestmark = pytest.mark.django_db
CHANGE = "/systems/idp/change/"


@pytest.fixture
def browser(world: World) -> Client:
    """Rita of IT/security, signed in."""
    client = Client(SERVER_NAME="localhost")
    client.force_login(User.objects.get(email="rita@firm.example"))
    return client


@pytest.fixture
def it(db: None) -> Api:
    cache.clear()
    return token_for(make_holder(Role.IT_SECURITY, "Otto Berg"), "read", "write")


@pytest.fixture
def idp(db: None) -> System:
    return System.objects.create(
        name="idp",
        title="Identity",
        connector="scim",
        settings={
            "url": "https://93.184.215.14/scim",
            "token": "env:IDP_TOKEN",
            "protected": ["root", "break-glass"],
            "groups": False,
            "timeout_seconds": 5,
        },
        without=["suspend"],
        created_at=clock.now(),
    )


def filled(browser: Client, address: str = CHANGE, **typed: Any) -> dict[str, Any]:
    """What the form sends: all that stands in it, and what somebody types."""
    form = browser.get(address).context["form"]
    shown = {bound.name: "" if bound.value() is None else bound.value() for bound in form}
    was = {bound.html_initial_name: shown[bound.name] for bound in form if bound.name != "revision"}
    return {**shown, **was, **typed}


def run(*words: str, expect: int = 0) -> dict[str, Any]:
    result = CliRunner().invoke(commands.app, [*words, "--json"])
    assert result.exit_code == expect, result.output
    data: dict[str, Any] = json.loads(result.stdout)
    return data


def test_the_form_shows_what_is_there_and_sent_as_it_is_changes_nothing(browser: Client, idp: System) -> None:
    page = browser.get(CHANGE).content.decode()
    for shown in ("Identity", "https://93.184.215.14/scim", "env:IDP_TOKEN", "root\nbreak-glass"):
        assert shown in page
    assert "Nothing: it says all this already." in browser.post(CHANGE, filled(browser)).content.decode()
    assert browser.post(CHANGE, {**filled(browser), "keep": "1"}).status_code == 302
    before = idp.revision
    idp.refresh_from_db()
    assert idp.revision == before


def test_the_difference_is_shown_before_it_is_kept_and_secrets_only_as_moved(
    browser: Client, idp: System
) -> None:
    typed = {
        "sla": "critical",
        "setting_token": "env:OTHER_TOKEN",
        "setting_protected": "root\r\n",
        "setting_groups": "",
        "setting_timeout_seconds": "7",
        "without": [],
    }
    shown = browser.post(CHANGE, filled(browser, **typed))
    page = shown.content.decode()
    assert "Keep 6 changes" in page and "kept in another place" in page
    rows = {row["label"]: (row["before"], row["after"]) for row in shown.context["rows"]}
    assert rows["protected"] == ("root, break-glass", "root")
    assert rows["groups"] == ("No", "as usual")
    assert rows["What it must not do here"] == ("Suspend", "nothing")
    idp.refresh_from_db()
    assert idp.sla_class == "normal"
    kept = browser.post(CHANGE, {**filled(browser, **typed), "keep": "1"}, follow=True)
    assert "Test it before you rely on it" in kept.content.decode()
    idp.refresh_from_db()
    assert (idp.sla_class, idp.without) == ("critical", [])
    assert idp.settings == {
        "url": "https://93.184.215.14/scim",
        "token": "env:OTHER_TOKEN",
        "protected": ["root"],
        "timeout_seconds": 7,
    }


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"title": ""}, "title"),
        ({"time_limit": "500"}, "time_limit"),
        ({"setting_url": ""}, "setting_url"),
        ({"setting_url": "https://169.254.169.254/"}, "setting_url"),
        ({"setting_token": "hunter2"}, "setting_token"),
        ({"setting_match_on": "shoe size"}, "setting_match_on"),
    ],
)
def test_what_is_refused_stands_at_its_field_with_what_was_typed(
    browser: Client, idp: System, typed: dict[str, str], field: str
) -> None:
    answer = browser.post(
        CHANGE, {**filled(browser, setting_protected="kept-as-typed", **typed), "keep": "1"}
    )
    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == [field]
    assert "kept-as-typed" in answer.content.decode()
    idp.refresh_from_db()
    assert idp.title == "Identity" and "hunter2" not in str(idp.settings)


def test_the_second_of_two_is_told_keeps_what_they_typed_and_sees_it_against_what_is_there(
    browser: Client, idp: System
) -> None:
    mine = filled(browser, title="Mine", setting_protected="ada")
    System.objects.filter(pk=idp.pk).update(title="Theirs", sla_class="critical")
    told = browser.post(CHANGE, {**mine, "keep": "1"})
    page = told.content.decode()
    assert told.status_code == 409
    assert "Somebody has changed Theirs since you looked" in page
    rows = {row["label"]: (row["before"], row["after"]) for row in told.context["rows"]}
    assert rows == {"As people call it": ("Theirs", "Mine"), "protected": ("root, break-glass", "ada")}
    form = told.context["form"]
    # What she did not touch says what it says now, and is not put back by her.
    assert [form[name].value() for name in ("title", "setting_protected", "sla")] == [
        "Mine",
        "ada",
        "critical",
    ]
    idp.refresh_from_db()
    assert idp.title == "Theirs"
    again = {**form.data, "revision": form["revision"].value()}
    assert browser.post(CHANGE, {**again, "keep": "1"}).status_code == 302
    idp.refresh_from_db()
    assert (idp.title, idp.sla_class, idp.settings["protected"]) == ("Mine", "critical", ["ada"])


def test_what_might_be_a_secret_itself_is_not_in_the_form(browser: Client, idp: System) -> None:
    System.objects.filter(pk=idp.pk).update(settings={**idp.settings, "token": "hunter2"})
    assert "hunter2" not in browser.get(CHANGE).content.decode()


def test_groups_of_settings_are_changed_line_by_line_and_a_secret_itself_is_refused(browser: Client) -> None:
    held = {"label": "mail archive", "account": "ana@firm.example", "token": "env:ARCHIVE"}
    system = System.objects.create(
        name="sign-in",
        title="Sign-in",
        connector="oidc",
        settings={
            "issuer_url": "https://93.184.215.14",
            "client_id": "partwell",
            "client_secret": "env:OIDC",
            "held_tokens": [held],
        },
        created_at=clock.now(),
    )
    address = f"/systems/{system.name}/change/"
    form = filled(browser, address)
    line = "{label: mail archive, account: ana@firm.example, token: 'env:ARCHIVE'}"
    assert form["setting_held_tokens"] == line
    assert "Nothing: it says all this already." in browser.post(address, form).content.decode()

    for wrong in ("{label: wiki, account: ana@firm.example, token: s3cret-itself}", "{label: [", "wiki"):
        refused = browser.post(address, {**form, "setting_held_tokens": f"{line}\n{wrong}", "keep": "1"})
        assert refused.status_code == 422, wrong
        assert refused.context["form"].errors["setting_held_tokens"], wrong
    more = "{label: wiki, account: ana@firm.example, token: 'file:/run/wiki'}"
    kept = browser.post(address, {**form, "setting_held_tokens": f"{line}\n{more}", "keep": "1"})
    assert kept.status_code == 302
    system.refresh_from_db()
    wiki = {"label": "wiki", "account": "ana@firm.example", "token": "file:/run/wiki"}
    assert system.settings["held_tokens"] == [held, wiki]


def test_a_system_without_settings_or_without_its_connector_has_a_form_too(
    browser: Client, world: World
) -> None:
    for name, connector in (("door", "manual"), ("odd", "gone")):
        System.objects.create(name=name, title=name.title(), connector=connector, created_at=clock.now())
        address = f"/systems/{name}/change/"
        kept = browser.post(address, {**filled(browser, address, title="Renamed"), "keep": "1"})
        assert kept.status_code == 302
        assert System.objects.get(name=name).title == "Renamed"


def test_the_page_says_that_it_was_not_tested_since(browser: Client, world: World) -> None:
    world.add_system("crm")
    run("test", "crm")
    assert "Not tested since" not in browser.get("/systems/crm/").content.decode()
    run("change", "crm", "--set", "settings.mode=ok")
    for page in ("/systems/crm/", "/systems/"):
        assert "Not tested since it was changed" in browser.get(page).content.decode()
    run("test", "crm")
    assert "Not tested since" not in browser.get("/systems/crm/").content.decode()


def test_the_departures_that_need_a_new_approval_are_named_to_those_who_may_see_them(
    browser: Client, world: World
) -> None:
    world.add_system("crm")
    world.approve(world.plan())
    address = "/systems/crm/change/"
    typed = filled(browser, address, setting_mode="ok")
    open_one = browser.post(address, typed).content.decode()
    assert "Ada</a>, plan 1" in open_one
    Departure.objects.update(confidentiality=Confidentiality.NEED_TO_KNOW)
    hidden = browser.post(address, typed).content.decode()
    Plan.objects.update(state="proposed")
    nothing = browser.post(address, typed).content.decode()
    assert "Ada" not in hidden
    # Word for word as if there were no such departure.
    assert without_token(hidden) == without_token(nothing)


def without_token(page: str) -> str:
    """The page without what is another one at each visit."""
    return re.sub(r"[A-Za-z0-9]{64}(?=\")", "", page)


def test_a_plan_from_before_the_change_says_why_nobody_can_approve_it(browser: Client, world: World) -> None:
    world.add_system("crm")
    world.approve(world.plan(actor=world.approver), actor=world.requester)
    run("change", "crm", "--set", "settings.mode=ok")
    page = browser.get(f"/departures/{world.departure.pk}/access/").content.decode()
    assert "Nobody can approve it as it is: the connection of Crm was changed" in page
    assert "Approve in" not in page
    world.plan(actor=world.approver)
    page = browser.get(f"/departures/{world.departure.pk}/access/").content.decode()
    assert "Approve in 1 system" in page


def test_the_console_checks_and_changes_from_values_and_from_a_file(tmp_path: Path, idp: System) -> None:
    words = ("change", "idp", "--set", "sla=high", "--set", "settings.protected=[ada]")
    checked = run(*words, "--check")
    assert (checked["is_kept"], checked["needs_test"]) == (False, True)
    idp.refresh_from_db()
    assert idp.sla_class == "normal"
    kept = run(*words, "--set", "settings.timeout_seconds=null")
    assert kept["is_kept"] and kept["changed"][0] == {
        "field": "sla",
        "before": "normal",
        "after": "high",
        "is_secret": False,
    }
    idp.refresh_from_db()
    assert idp.settings["protected"] == ["ada"] and "timeout_seconds" not in idp.settings
    file = tmp_path / "idp.yaml"
    file.write_text(
        "name: idp\nconnector: scim\ntitle: Sign-in\nsettings: {token: 'file:/run/secrets/idp'}\n"
    )
    assert [row["field"] for row in run("change", "idp", str(file))["changed"]] == ["title", "settings.token"]
    assert run("change", "idp", str(file))["is_kept"] is False
    file.write_text("name: other\n")
    assert run("change", "idp", str(file), expect=1)["error"]["code"] == "name_stays"
    assert run("change", "idp", expect=1)["error"]["code"] == "nothing_given"
    assert run("change", "idp", "--set", "title", expect=1)["error"]["field"] == "title"
    assert run("change", "nowhere", "--set", "sla=high", expect=1)["error"]["code"] == "not_found"
    said = CliRunner().invoke(commands.app, ["change", "idp", "--set", "settings.token=env:IDP_TOKEN"])
    assert "settings.token: kept in another place" in said.stdout
    assert "IDP_TOKEN" not in said.stdout and "Test it: partwell systems test idp" in said.stdout


def test_a_program_changes_what_it_names_and_is_told_of_others(it: Api, idp: System) -> None:
    listed = it.get("/systems").json()["items"][0]
    body = {"sla": "critical", "settings": {"protected": None}, "revision": listed["revision"]}
    checked = it.call("patch", "/systems/idp", {**body, "check": True}).json()
    assert checked["is_kept"] is False and len(checked["changed"]) == 2
    kept = it.call("patch", "/systems/idp", body, **{"Idempotency-Key": "once"})
    assert kept.status_code == 200 and kept.json()["is_kept"] is True
    assert kept.json()["revision"] == it.get("/systems").json()["items"][0]["revision"]
    again = it.call("patch", "/systems/idp", body, **{"Idempotency-Key": "once"})
    assert again.json() == kept.json()
    late = it.call("patch", "/systems/idp", {**body, "title": "Late"})
    assert (late.status_code, late.json()["code"]) == (409, "changed_meanwhile")
    wrong = it.call("patch", "/systems/idp", {"settings": {"url": "http://10.0.0.1"}})
    assert (wrong.status_code, wrong.json()["field"]) == (422, "settings.url")
    assert it.call("patch", "/systems/idp", {"connector": "fake"}).status_code == 422
    idp.refresh_from_db()
    assert (idp.title, idp.sla_class) == ("Identity", "critical")
    assert idp.settings["groups"] is False and "protected" not in idp.settings


def test_without_the_role_nobody_changes_a_system_by_page_or_api(idp: System, it: Api) -> None:
    fiona = make_user("fiona", ["finance"])
    client = Client(SERVER_NAME="localhost")
    client.force_login(fiona)
    assert client.get(CHANGE).status_code == 403
    assert client.post(CHANGE, {"title": "Mine", "keep": "1"}).status_code == 403
    assert token_for(fiona).call("patch", "/systems/idp", {"title": "Mine"}).status_code == 403
    assert token_for(it.user, "read").call("patch", "/systems/idp", {"title": "Mine"}).status_code == 403
    idp.refresh_from_db()
    assert idp.title == "Identity"
