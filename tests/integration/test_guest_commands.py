"""Guests and mail on the command line."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from partwell.cli import guests, mail
from partwell.departures.models import GuestLink
from partwell.signals.models import Message
from tests.guest_world import PRIVATE, World, open_browser

pytestmark = pytest.mark.django_db


@pytest.fixture
def world() -> World:
    return World()


def run(app: Any, *arguments: str, code: int = 0) -> Any:
    result = CliRunner().invoke(app, [*arguments, "--json"])
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


def test_a_guest_is_invited_listed_and_taken_back(world: World) -> None:
    pk = str(world.departure.pk)
    made = run(guests.app, "invite", pk, "--email", PRIVATE)
    assert made["capacity"] == "departing"
    token = made["url"].partition("/g/")[2].strip("/")
    assert open_browser().post(f"/g/{token}/").status_code == 302
    (listed,) = run(guests.app, "list", pk)["items"]
    assert (listed["email"], listed["state"]) == (PRIVATE, "open")
    assert token not in json.dumps(listed)
    assert run(guests.app, "revoke", pk, listed["id"][:8])["state"] == "revoked"
    assert GuestLink.objects.get().revoked_at is not None
    again = run(guests.app, "revoke", pk, listed["id"], code=1)
    assert again["error"]["code"] == "link_revoked"


def test_a_helper_needs_real_steps(world: World) -> None:
    pk = str(world.departure.pk)
    made = run(
        guests.app, "invite", pk, "--email", "bo@courier.example", "--helper", "--steps", "collect, shared"
    )
    assert made["steps"] == ["collect", "shared"]
    refused = run(
        guests.app, "invite", pk, "--email", "bo@courier.example", "--helper", "--steps", "nope", code=1
    )
    assert refused["error"]["field"] == "steps"
    assert GuestLink.objects.count() == 1


def test_without_a_mail_server_the_console_reads_a_mail_to_hand_it_over(world: World, settings) -> None:
    settings.MAIL_SERVER = None
    run(guests.app, "invite", str(world.departure.pk), "--email", PRIVATE)
    (row,) = [r for r in run(mail.app, "list")["items"] if r["kind"] == "guest_link"]
    assert "text" not in row
    assert "/g/" in run(mail.app, "show", row["id"])["text"]
    settings.MAIL_SERVER = {"host": "127.0.0.1"}
    assert run(mail.app, "show", row["id"], code=1)["error"]["code"] == "mail_is_private"


def test_only_a_failed_mail_is_sent_again(world: World) -> None:
    message = Message.objects.first()
    assert message is not None
    assert run(mail.app, "send-again", str(message.pk), code=1)["error"]["code"] == "mail_not_failed"
    Message.objects.filter(pk=message.pk).update(state="failed")
    assert run(mail.app, "send-again", str(message.pk))["state"] == "queued"
    assert [row["id"] for row in run(mail.app, "list", "--state", "failed")["items"]] == []
