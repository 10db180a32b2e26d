"""Templates beside each other: on pages and at the command line, for whoever may read templates."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from benchmarks.firm import template_text
from partwell.journeys.template_comparisons import (
    compare_templates,
    diff_versions,
    show_dependencies,
    usual_pair,
)
from partwell.people.actors import actor_for_user, console_actor
from partwell.people.models import User
from partwell.people.operations import ensure_user
from partwell.people.roles import Role
from partwell.refusals import Invalid, NotAllowed, NotFound
from tests.compared_templates import NEWER, OTHER
from tests.console import Console
from tests.factories import NOW, SMALL_TEMPLATE, make_holder, make_person, publish

pytestmark = pytest.mark.django_db

# Whole requests: session, sign-in and frame included.
BUDGET = 12


@pytest.fixture
def published() -> None:
    publish(SMALL_TEMPLATE)
    publish(NEWER)
    publish(OTHER)


@pytest.fixture
def browser() -> Client:
    return signed_in(Role.HR)


def somebody_without_office() -> User:
    return ensure_user(make_person("Nobody At All"), now=NOW)


def signed_in(role: Role | None) -> Client:
    user = make_holder(role, "Amara Osei") if role else somebody_without_office()
    browser = Client(headers={"host": "localhost"})
    browser.force_login(user, backend="partwell.web.signin.Backend")
    return browser


def queries_of(browser: Client, path: str) -> int:
    browser.get(path)
    with CaptureQueriesContext(connection) as seen:
        assert browser.get(path).status_code == 200
    return len(seen)


def test_the_latest_two_versions_differ_by_default(published: None) -> None:
    found = diff_versions(template_id="small", actor=console_actor())
    assert (found.old.version, found.new.version) == (1, 2)
    assert {each.new.key for each in found.found.changed} == {"confirm", "extra"}
    back = diff_versions(template_id="small", actor=console_actor(), old=2, new=1)
    assert [
        change.new for each in back.found.changed for change in each.fields if change.field == "phase"
    ] == [4]


def test_what_is_not_there_is_said_to_be_so(published: None) -> None:
    actor = console_actor()
    with pytest.raises(Invalid) as refused:
        diff_versions(template_id="small-client", actor=actor)
    assert refused.value.code == "no_earlier_version"
    for asked in ({"old": 9}, {"new": 9}):
        with pytest.raises(NotFound, match="version 9"):
            diff_versions(template_id="small", actor=actor, **asked)
    for named in ("none", "small@7", "small@0", "small@", "Small", "small@1@2", "small@" + "9" * 12):
        with pytest.raises(NotFound):
            compare_templates(left="small", right=named, actor=actor)


def test_versions_can_stand_beside_each_other_too(published: None) -> None:
    found = compare_templates(left="small@1", right="small", actor=console_actor())
    assert (found.left.version.version, found.right.version.version) == (1, 2)
    assert len(found.found.pairs) == 6


def test_a_client_s_ending_stands_beside_a_colleague_s_where_nobody_chose(published: None) -> None:
    assert usual_pair(actor=console_actor()) == ("small-client", "small")


def test_one_audience_alone_makes_no_pair(browser: Client) -> None:
    publish(SMALL_TEMPLATE)
    assert usual_pair(actor=console_actor()) is None
    page = browser.get("/compare/")
    assert page.status_code == 200
    assert b"Choose two templates" in page.content


@pytest.mark.parametrize(
    "ask",
    [
        lambda actor: diff_versions(template_id="small", actor=actor),
        lambda actor: compare_templates(left="small", right="small-client", actor=actor),
        lambda actor: usual_pair(actor=actor),
        lambda actor: show_dependencies(template_id="small", actor=actor),
    ],
    ids=["difference", "comparison", "usual pair", "dependencies"],
)
def test_who_may_not_read_templates_reads_none_of_it(published: None, ask: Callable[[Any], Any]) -> None:
    ask(actor_for_user(make_holder(Role.FINANCE, "Fin Ance")))
    with pytest.raises(NotAllowed):
        ask(actor_for_user(somebody_without_office()))


def test_the_pages_are_for_those_who_may_read_templates(published: None) -> None:
    nobody = signed_in(None)
    for path in ("/compare/", "/templates/small/difference/", "/templates/small/"):
        assert nobody.get(path).status_code == 403


def test_the_page_of_two_templates_says_what_is_shared_by_phase_and_role(
    published: None, browser: Client
) -> None:
    page = browser.get("/compare/").content.decode()
    assert "6 steps in both, 0 pairs of counterparts, 0 only left, 0 only right" in page
    assert "who" in page and "Line manager" in page
    only = browser.get("/compare/?left=small-client&right=small&role=line_manager").content.decode()
    assert "Hand over the team" in only and "Cut all access" not in only
    left_alone = browser.get("/compare/?left=small-client@1").content.decode()
    assert 'value="small@2" selected' in left_alone
    assert 'value="small-client@1" selected' in browser.get("/compare/?left=small@1").content.decode()
    assert browser.get("/compare/?left=small&right=none").status_code == 404
    assert browser.get("/compare/?left=small&right=small&role=boss").status_code == 404


def test_the_page_of_a_difference_shows_old_and_new_words(published: None, browser: Client) -> None:
    page = browser.get("/templates/small/difference/").content.decode()
    assert "From version 1 to 2" in page
    assert '<ins><span class="pw-vh">added: </span> in writing</ins>' in page
    assert "3 Initiation" in page and "4 Knowledge transfer" in page
    same = browser.get("/templates/small/difference/?from=2&to=2").content.decode()
    assert "Nothing differs" in same
    assert browser.get("/templates/small/difference/?from=x").status_code == 404
    assert browser.get("/templates/small/difference/?from=7").status_code == 404
    assert browser.get("/templates/small-client/difference/").status_code == 422


def test_the_page_of_a_template_shows_what_waits_for_what_and_what_changed(
    published: None, browser: Client
) -> None:
    page = browser.get("/templates/small/").content.decode()
    assert "The longest chain: 3 steps" in page
    assert 'aria-label="6.1 Approve the access plan, waits for 1.1, holds up 1"' in page
    assert "Changes since version 1" in page
    assert "1.1 Confirm the notice in writing: title, how it is done" in page
    assert "Changes since" not in browser.get("/templates/small/?version=1").content.decode()


def test_larger_templates_and_more_of_them_take_no_more_queries(published: None, browser: Client) -> None:
    paths = ("/templates/small/", "/templates/small/difference/", "/compare/?left=small&right=small-client")
    before = [queries_of(browser, path) for path in paths]
    publish(template_text("many", 150))
    publish(template_text("many", 151))
    for number in range(5):
        publish(SMALL_TEMPLATE.replace("id: small", f"id: small-{number}"))
    paths = ("/templates/many/", "/templates/many/difference/", "/compare/?left=many&right=small-client")
    assert [queries_of(browser, path) for path in paths] <= before
    assert max(before) <= BUDGET, before


def test_the_command_line_says_it_in_words_and_in_json(console: Console, tmp_path: Path) -> None:
    console.cold("init", "--practice")
    for number, text in enumerate((SMALL_TEMPLATE, NEWER, OTHER)):
        file = tmp_path / f"{number}.yaml"
        file.write_text(text)
        console.run("templates", "publish", str(file))
    changed = console.ask("templates", "diff", "small", "--from", "1", "--to", "2")
    assert [step["key"] for step in changed["changed"]] == ["confirm", "extra"]
    words = console.run("templates", "diff", "small").out
    assert "title: Confirm the notice{+ in writing+}" in words
    assert "phase: 4 → 3" in words
    assert "nothing differs" in console.run("templates", "diff", "small", "--from", "2").out
    assert console.refused("templates", "diff", "small-client")["code"] == "no_earlier_version"
    assert console.ask("templates", "compare", "small@1", "small-client")["counts"]["same_key"] == 6
    words = console.run("templates", "compare", "small-client", "small").out
    assert "in both       extra: Hand over the team  (differs in phase, role, when)" in words
    assert console.refused("templates", "compare", "small", "none")["code"] == "not_found"
    assert console.ask("templates", "map", "small")["longest"][-1] == "cut-access"
    words = console.run("templates", "map", "small", "--version", "1").out
    assert "cut-access waits for approve-access-plan" in words and "confirm: 4" in words
