"""The editor's pages: who opens them, what they refuse, and how many queries they take with 150 steps."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from partwell.journeys.draft_operations import Origin, begin_draft
from partwell.journeys.models import TemplateDraft
from partwell.journeys.template.check import check
from partwell.people.actors import console_actor
from partwell.people.roles import Role
from tests.factories import NOW, SMALL_TEMPLATE, make_holder, make_person, publish
from tests.integration.test_office_pages import signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser() -> Client:
    return signed_in(make_holder(Role.HR, "Amara Osei"))


@pytest.fixture
def draft() -> TemplateDraft:
    publish()
    return begin_draft(origin=Origin(template="small"), actor=console_actor(), now=NOW)


def content() -> dict[str, Any]:
    found: dict[str, Any] = TemplateDraft.objects.get().content
    return found


def step(key: str) -> dict[str, Any]:
    return next(each for each in content()["steps"] if each["key"] == key)


FIELDS = {
    "title": "Confirm the notice",
    "phase": "1",
    "role": "hr",
    "due_unit": "days",
    "due_side": "",
    "due_anchor": "notice",
    "condition": "always",
    "join": "all",
    "evidence": "note",
    "kind": "task",
    "visibility": "inside",
    "revision": "1",
}


def test_only_those_who_may_write_templates_open_the_pages(draft: TemplateDraft) -> None:
    finance = signed_in(make_holder(Role.FINANCE, "Finn Ance"))
    for path in (
        "",
        "small/",
        "small/about/",
        "small/steps/confirm/",
        "small/try/",
        "small/publish/",
        "small/waits/",
        "small/export/",
    ):
        assert finance.get(f"/drafts/{path}").status_code == 403
    assert "/drafts/" not in finance.get("/templates/small/").content.decode()


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ({"how": "copy", "template": "small"}, "Give the copy an id of its own"),
        ({"how": "copy", "template": "small", "id": "Not One"}, "is no id"),
        ({"how": "nothing"}, "Give the new template an id"),
        ({"how": "next", "template": "small"}, "began a draft of “small” already"),
        ({"how": "file"}, "Choose the YAML file"),
    ],
)
def test_what_cannot_begin_says_why_and_keeps_what_was_typed(
    browser: Client, draft: TemplateDraft, typed: dict[str, str], says: str
) -> None:
    answer = browser.post("/drafts/", {"audience": "client", "title": "Kept here", **typed})
    assert answer.status_code == 422
    assert says in answer.content.decode()
    assert "Kept here" in answer.content.decode()


def test_a_file_becomes_a_draft_or_is_refused_with_its_line(browser: Client) -> None:
    def send(text: bytes) -> Any:
        file = SimpleUploadedFile("own.yaml", text)
        return browser.post("/drafts/", {"how": "file", "audience": "staff", "file": file})

    assert "own.yaml:2: Anchors" in send(b"id: x\nsteps: &a []\n").content.decode()
    assert "not UTF-8" in send(b"id: \xff\xfe\n").content.decode()
    assert send(SMALL_TEMPLATE.encode()).headers["Location"] == "/drafts/small/"
    exported = browser.get("/drafts/small/export/")
    assert check(exported.content.decode(), file="small.yaml") == []
    assert 'filename="small.yaml"' in exported.headers["Content-Disposition"]


def test_the_map_of_a_draft_leads_to_its_steps_and_names_those_that_wait_for_each_other(
    browser: Client, draft: TemplateDraft
) -> None:
    page = browser.get("/drafts/small/waits/").content.decode()
    assert 'href="/drafts/small/steps/cut-access/" aria-label="' in page
    assert "wait for each other" not in page
    browser.post("/drafts/small/steps/confirm/", {**FIELDS, "needs": ["cut-access"]})
    page = browser.get("/drafts/small/waits/").content.decode()
    assert "These steps wait for each other" in page
    browser.post("/drafts/", {"how": "nothing", "id": "own-one", "title": "Own", "audience": "staff"})
    assert "There is no step yet" in browser.get("/drafts/own-one/waits/").content.decode()


def test_a_role_that_nobody_holds_is_named_with_what_waits_for_it(
    browser: Client, draft: TemplateDraft
) -> None:
    mei = make_person("Mei Tanaka", email="mei@harbour.example")
    asked = {"subject": mei.email, "notice_date": "2026-11-20", "last_day": "2027-02-26"}
    page = browser.post("/drafts/small/try/", asked).content.decode()
    assert "2 steps for IT/Security would find nobody to do them" in page
    assert "Ask an administrator to grant it, or name somebody on each step." in page
    assert "The register names no line manager of Mei Tanaka who is still here." in page
    make_holder(Role.IT_SECURITY, "Tomas Berg")
    mei.manager = make_person("Joon-ho Baek")
    mei.save()
    assert "would find nobody" not in browser.post("/drafts/small/try/", asked).content.decode()


def test_html_in_a_step_is_shown_as_text(browser: Client, draft: TemplateDraft) -> None:
    bad = "<script>alert(1)</script><b>bold</b>"
    browser.post("/drafts/small/steps/confirm/", {**FIELDS, "title": bad, "guidance": bad})
    assert step("confirm")["title"] == bad
    for path in ("/drafts/small/", "/drafts/small/steps/confirm/", "/drafts/small/steps/confirm/remove/"):
        page = browser.get(path).content.decode()
        assert "alert(1)" in page and "<script>alert" not in page and "<b>bold" not in page


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ({"due_count": "3"}, "Give a number and before or after"),
        ({"condition": "chosen"}, "Choose a field, or let the step be there always."),
        ({"condition": "chosen", "field_1": "person.tenure_years", "value_1": "many"}, "is a number"),
        ({"role": "admin"}, "not one of the available choices"),
        ({"title": "a\x07b"}, "control character"),
        ({"phase": "11"}, "not one of the available choices"),
        ({"due_count": "1000", "due_side": "+"}, "less than or equal to 999"),
    ],
)
def test_a_step_that_cannot_be_says_why_and_keeps_what_was_typed(
    browser: Client, draft: TemplateDraft, typed: dict[str, str], says: str
) -> None:
    answer = browser.post("/drafts/small/steps/confirm/", {**FIELDS, "guidance": "Kept here", **typed})
    assert answer.status_code == 422
    page = answer.content.decode()
    assert says in page and "Kept here" in page
    assert TemplateDraft.objects.get().revision == 1


def test_a_step_that_was_taken_out_meanwhile_can_be_kept_as_a_new_one(
    browser: Client, draft: TemplateDraft
) -> None:
    browser.post("/drafts/small/steps/extra/remove/", {"revision": 1})
    answer = browser.post("/drafts/small/steps/extra/", {**FIELDS, "title": "Mine, not lost"})
    page = answer.content.decode()
    assert answer.status_code == 409
    assert "This step was taken out meanwhile" in page and "Mine, not lost" in page
    kept = browser.post("/drafts/small/add/", {**FIELDS, "title": "Mine, not lost", "revision": 2})
    assert kept.status_code == 302
    assert step("mine-not-lost")["phase"] == 1


def test_about_it_keeps_what_both_typed(browser: Client, draft: TemplateDraft) -> None:
    typed = {
        "summary": content()["summary"],
        "audience": "staff",
        "initiated_by": "leaver",
        "reasons": "pay, moving",
    }
    typed |= {"confidentiality": "normal"}
    typed |= {f"empty_phase_{n}": why for n, why in content()["empty_phases"].items()}
    typed |= {f"empty_role_{role}": why for role, why in content()["empty_roles"].items()}
    assert browser.post("/drafts/small/about/", {**typed, "title": "One", "revision": 1}).status_code == 302
    late = {**typed, "title": "A small journey", "reasons": "pay", "revision": 1}
    told = browser.post("/drafts/small/about/", late)
    form = told.context["form"]
    assert told.status_code == 409
    assert (form["title"].value(), form["reasons"].value(), form["revision"].value()) == ("One", "pay", 2)
    assert "operator@console" not in told.content.decode() and "Amara Osei" in told.content.decode()


@pytest.mark.parametrize("drop", ["confirm", "confirm:x:1", "confirm:1", "confirm:1:²", ":::"])
def test_a_drop_that_is_no_place_moves_nothing(browser: Client, draft: TemplateDraft, drop: str) -> None:
    assert browser.post("/drafts/small/move/", {"revision": 1, "drop": drop}).status_code == 422
    assert browser.post("/drafts/small/move/", {"revision": 1, "up": "none"}).status_code == 404
    assert TemplateDraft.objects.get().revision == 1


def test_the_arrows_go_over_the_edge_of_a_phase_and_stop_at_the_ends(
    browser: Client, draft: TemplateDraft
) -> None:
    def move(revision: int, **wanted: str) -> None:
        assert browser.post("/drafts/small/move/", {"revision": revision, **wanted}).status_code == 302

    move(1, up="initiate")
    assert step("initiate")["phase"] == 2
    move(2, up="initiate")
    assert [each["key"] for each in content()["steps"] if each["phase"] == 1] == ["confirm", "initiate"]
    move(3, down="initiate")
    assert step("initiate")["phase"] == 2
    move(4, up="confirm")
    assert TemplateDraft.objects.get().revision == 4, "it is the first already"
    late = browser.post("/drafts/small/move/", {"revision": 1, "up": "extra"})
    assert late.status_code == 409 and "has changed this draft" in late.content.decode()


@pytest.fixture
def large() -> TemplateDraft:
    steps = "".join(
        f"  - {{key: s{n}, phase: 7, title: Step {n}, role: finance, due: contract_end, needs: [confirm], "
        f'when: "person.tenure_years >= {n}"}}\n'
        for n in range(144)
    )
    source = SMALL_TEMPLATE.replace("finance: not in a test, ", "") + steps
    return begin_draft(origin=Origin(source=source), actor=console_actor(), now=NOW)


def test_no_page_takes_more_queries_with_150_steps(browser: Client, large: TemplateDraft) -> None:
    make_person("Mei Tanaka", email="mei@harbour.example")
    asked = {"subject": "mei@harbour.example", "last_day": "2027-02-26"}
    calls = (
        lambda: browser.get("/drafts/small/"),
        lambda: browser.get("/drafts/small/steps/s100/"),
        lambda: browser.post("/drafts/small/check/", {**FIELDS, "step": "s100"}),
        lambda: browser.post(
            "/drafts/small/move/", {"revision": 1, "up": "s100"}, headers={"HX-Request": "true"}
        ),
        lambda: browser.post("/drafts/small/steps/s100/", {**FIELDS, "revision": 2}),
        lambda: browser.post("/drafts/small/try/", asked),
        lambda: browser.get("/drafts/small/publish/"),
        lambda: browser.get("/drafts/"),
    )
    browser.get("/drafts/")
    for call in calls:
        with CaptureQueriesContext(connection) as seen:
            assert call().status_code in (200, 302)
        assert len(seen) <= 24, [query["sql"][:90] for query in seen]
