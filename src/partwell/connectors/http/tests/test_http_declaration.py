"""What a mistake in an HTTP declaration is answered with: its line, and the way out."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from partwell.connector_kit.declared import digest_of, read, schema_text
from partwell.connector_kit.limiter import rates_of
from partwell.connectors.http.declaration import KIND
from partwell.connectors.http.model import HttpDeclaration
from partwell.connectors.http.schema import SCHEMA_FILE
from partwell.connectors.http.tests.connecting import DIRECTORY, EXAMPLES, SCIM, changed

FILE = Path("service.yaml")
READ_ABSENT = "absent: {status: [404], where: [{at: /error, equals: no_such_user}]}\n\nlist_accounts"
MISTAKES = [
    # A status in quotes never equals a number.
    ("status: [200], where: [{at: /id", 'status: ["200"], where: [{at: /id', "without quotes"),
    ("success: {status: [204]}", "success: {status: [500]}", "Success is 2xx"),
    ("success: {status: [204]}", "success: {never: true}", "what success looks like"),
    ("accepted: [202]", "accepted: [302]", "Success is 2xx"),
    (READ_ABSENT, "absent: {status: [500]}\n\nlist_accounts", "500 is no absence"),
    (READ_ABSENT, "absent: {status: [403]}\n\nlist_accounts", "403 is no absence"),
    (READ_ABSENT, "absent: {status: [200]}\n\nlist_accounts", "200 alone is no absence"),
    (READ_ABSENT, "absent: {never: true}\n\nlist_accounts", "there is no such account"),
    (READ_ABSENT, "\n\nlist_accounts", "“absent” is missing"),
    ("/users/{account.id}/sessions\n        s", "/users/{account.name}/sessions\n        s", "not known"),
    ("path: /{settings.tenant}/about", "path: /x-{settings.tenant}/about", "whole segment"),
    ("path: /{settings.tenant}/about", "path: /../about", "without dots"),
    ("path: /{settings.tenant}/about", "path: //{settings.token}/about", "not known here"),
    ("path: /{settings.tenant}/about", "path: https://evil.example/", "pattern"),
    ('query: {mail: "{value}"}', 'query: {mail: "mail={value}"}', "{value|json}"),
    ('query: {mail: "{value}"}', 'query: {mail: "{account.id}"}', "not known here"),
    ("body: {state: disabled", 'body: {"{account.id}": disabled', "Braces"),
    ("body: {state: disabled", 'body: {state: "x {account.id}"', "{account.id|json}"),
    ("X-Client: partwell", 'X-Client: "{settings.tenant}"', "constant"),
    ("X-Client: partwell", "Host: evil.example", "belongs to the connection"),
    ("X-Client: partwell", "Authorization: x", "belongs to the connection"),
    ("  bearer: token", "  bearer: tenant", "secret: true"),
    ("  bearer: token", "  bearer: token\n  header: X-Key", "bearer, or username"),
    ("    secret: true\n", "", "secret: true"),
    ("  tenant:\n", "  url:\n", "already"),
    ("DELETE\n        path: /{settings.tenant}/", "GET\n        path: /{settings.tenant}/", "GET changes"),
    ("test:\n  method: GET", "test:\n  method: POST", "changes_nothing: true"),
    ("style: link}\n  - by: username", "style: cursor}\n  - by: username", "query"),
    ("requests_per_minute: 600", "requests_per_minute: 0", "greater than or equal to 1"),
    ("kind: http", "kind: soap", "http"),
    ("    done_when: [{at: /count, equals: 0}]", "    done_when: [{at: /count}]", "exactly one of equals"),
    ("    done_when: [{at: /count, equals: 0}]", "    done_whenn: []", "Did you mean “done_when”"),
    ("  suspend:\n", "  suspnd:\n", "suspend"),
    ("    done_when: [{at: /count", "    undone: partial\n    done_when: [{at: /count", "cannot be undone"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "message"), MISTAKES, ids=lambda text: text[:40])
def test_a_mistake_is_found_with_its_line(old: str, new: str, message: str) -> None:
    text = changed(DIRECTORY, old, new)
    problems = read(text, file=FILE, kind=KIND)[1]
    assert any(message in problem.message for problem in problems), problems
    lines = text.splitlines()
    first_changed = next(n for n, line in enumerate(lines, 1) if line != DIRECTORY.splitlines()[n - 1])
    (near,) = {min(abs(p.line - first_changed) for p in problems if message in p.message)}
    assert near <= 30, (first_changed, problems)
    assert all(str(problem).startswith(f"service.yaml:{problem.line}:") for problem in problems)


@pytest.mark.parametrize("text", [DIRECTORY, SCIM])
def test_the_examples_are_sound_also_for_editors(text: str) -> None:
    declared, problems = read(text, file=FILE, kind=KIND)
    assert declared is not None
    assert problems == []
    jsonschema.validate(yaml.safe_load(text), json.loads(SCHEMA_FILE.read_text()))


def test_the_schema_for_editors_is_the_one_of_the_code() -> None:
    assert SCHEMA_FILE.read_text() == schema_text(HttpDeclaration), (
        "run python -m partwell.connectors.http.schema"
    )


def test_the_digest_follows_what_is_said_and_not_the_layout() -> None:
    def digest(text: str) -> str:
        declared, _ = read(text, file=FILE, kind=KIND)
        assert declared is not None
        return digest_of(declared)

    assert digest(DIRECTORY) == digest("# a comment\n" + DIRECTORY.replace("\n\n", "\n"))
    assert digest(DIRECTORY) != digest(changed(DIRECTORY, "equals: disabled", "equals: active"))


def test_a_file_that_says_nothing_of_a_verb_leaves_it_to_people() -> None:
    text = DIRECTORY.split("  remove_entitlements:\n")[0]
    declared, _ = read(text, file=FILE, kind=KIND)
    assert declared is not None
    capabilities = KIND.capabilities(declared)
    assert "remove_entitlements" not in capabilities
    assert "restore" in capabilities
    assert capabilities["suspend"] == {"reversibility": "reversible"}
    assert capabilities["revoke_sessions"] == {"reversibility": "none"}
    assert not hasattr(KIND.build(declared, "", EXAMPLES), "remove_entitlements")
    assert rates_of(KIND.limits(declared)) == {"default": 600}


def test_a_file_that_puts_nothing_back_does_not_offer_it() -> None:
    declared, problems = read(DIRECTORY.split("  suspend:\n")[0], file=FILE, kind=KIND)
    assert declared is not None and not problems
    assert "restore" not in KIND.capabilities(declared)
    assert not hasattr(KIND.build(declared, "", EXAMPLES), "restore")
