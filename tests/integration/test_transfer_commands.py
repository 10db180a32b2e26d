"""Handing over by command and by the API: the same operations, and the successor's word."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client as Browser
from typer.testing import CliRunner

from partwell.access.models import Transfer
from partwell.cli import main
from partwell.departures.models import Departure
from partwell.people.models import Installation, User
from partwell.people.roles import Role
from partwell.people.token_operations import create_token
from tests.factories import NOW, as_actor, make_holder, make_person, publish, start_journey

pytestmark = pytest.mark.django_db

SAM = "sam.next@harbour.example"
NOTE = "Moved to the queue of Sam."


@pytest.fixture
def departure() -> Departure:
    publish()
    Installation.objects.create(company_name="Harbour & Vale", initialised_at=NOW, is_practice=True)
    person = make_person("Sam Next")
    User.objects.create_user(SAM, name="Sam Next", person=person)
    return start_journey(make_person("Marit Lindqvist")).departure


def run(*words: str, code: int = 0) -> Any:
    main.load_commands()
    done = CliRunner().invoke(main.app, ["transfers", *words, "--json"])
    assert done.exit_code == code, done.output
    return json.loads(done.stdout)


def test_at_the_console_all_but_the_receipt(departure: Departure) -> None:
    made = run("open", str(departure.pk), "Tickets of the shop", "--kind", "tickets")
    assert (made["state"], made["by_connector"]) == ("open", False)
    assert run("open", str(departure.pk), "Shop", "--kind", "boat", code=1)["error"]["field"] == "kind"
    assert run("name", made["id"], SAM)["successor"] == "Sam Next"
    assert run("hand-over", made["id"], code=1)["error"]["code"] == "by_hand"
    assert run("attest", made["id"], "--note", NOTE)["state"] == "attested"
    assert run("accept", made["id"], code=3)["error"]["code"] == "not_allowed"
    assert [each["id"] for each in run("list", "--mine", "--as", SAM)["items"]] == [made["id"]]
    assert run("missing", made["id"], "--note", "Those of May.", "--as", SAM)["state"] == "missing"
    run("attest", made["id"], "--note", NOTE)
    assert run("accept", made["id"], "--note", "All there.", "--as", SAM)["note"] == "All there."
    assert run("list", "--journey", str(departure.pk))["items"] == []
    box = run("open", str(departure.pk), "Desk mailbox", "--kind", "mailbox")
    assert run("name", box["id"], SAM, "--ends-on", "2027-06-01", code=1)["error"]["field"] == "ends_on"
    run("name", box["id"], SAM, "--ends-on", "2027-01-15")
    assert run("attest", box["id"], "--note", NOTE)["last_day"] == "2027-01-15"
    assert run("take-back", box["id"], code=1)["error"]["code"] == "by_hand"
    assert run("end", box["id"], "--note", "Taken away in the console.")["state"] == "ended"
    assert run("mailbox", box["id"], "--note", "Deleted in the console.")["note"] == "Deleted in the console."
    wiki = run("open", str(departure.pk), "Wiki pages")
    assert run("leave", wiki["id"], "--reason", "The wiki is gone.")["state"] == "not_needed"
    assert len(run("list", "--all")["items"]) == 3


class Caller:
    """A program with somebody's token."""

    def __init__(self, user: User, *scopes: str) -> None:
        _, secret = create_token(scopes=list(scopes), actor=as_actor(user), now=NOW)
        self.browser, self.headers = Browser(SERVER_NAME="localhost"), {"Authorization": f"Bearer {secret}"}

    def get(self, path: str) -> Any:
        return self.browser.get(f"/api/v1{path}", headers=self.headers)

    def post(self, path: str, body: Any = None) -> Any:
        return self.browser.post(
            f"/api/v1{path}", json.dumps(body or {}), content_type="application/json", headers=self.headers
        )


def test_by_the_api_it_is_opened_named_attested_and_left(departure: Departure) -> None:
    it = Caller(make_holder(Role.IT_SECURITY, "Ines Sec"), "read", "write", "access")
    opened = it.post("/transfers", {"journey": str(departure.pk), "kind": "mailbox", "what": "Desk mailbox"})
    assert opened.status_code == 201
    path = f"/transfers/{opened.json()['id']}"
    assert it.post(f"{path}/successor", {"email": SAM, "ends_on": "2027-06-01"}).status_code == 422
    assert it.post(f"{path}/successor", {"email": SAM}).json()["last_day"] == "2026-12-27"
    assert it.post(f"{path}/hand-over").json()["code"] == "by_hand"
    assert it.post(f"{path}/attest", {"note": NOTE}).json()["state"] == "attested"
    assert it.post(f"{path}/accept").status_code == 403
    assert it.post(f"{path}/missing", {"note": "Those of May."}).status_code == 403
    assert it.post(f"{path}/take-back").json()["code"] == "by_hand"
    assert it.post(f"{path}/end", {"note": "Taken away again."}).json()["state"] == "ended"
    assert it.post(f"{path}/mailbox", {"note": "Deleted it there."}).status_code == 200
    other = it.post("/transfers", {"journey": str(departure.pk), "kind": "other", "what": "Wiki"}).json()[
        "id"
    ]
    assert (
        it.post(f"/transfers/{other}/leave", {"reason": "The wiki is gone."}).json()["state"] == "not_needed"
    )
    assert [each["state"] for each in it.get("/transfers?state=all").json()["items"]] == [
        "ended",
        "not_needed",
    ]
    assert it.get(path).json()["subject"] == "Marit Lindqvist"
    assert Transfer.objects.count() == 2
