"""The office at the console: registers, templates, roles and tokens, in the words that others rely on."""

from __future__ import annotations

from pathlib import Path

from tests.console import Console
from tests.factories import SMALL_TEMPLATE
from tests.shows import AMARA, INES, PEOPLE


def test_registers_templates_roles_and_tokens_in_the_words_that_others_rely_on(
    console: Console, tmp_path: Path
) -> None:
    assert console.cold("init", "--practice").out == ""
    people, template = tmp_path / "people.csv", tmp_path / "template.yaml"
    people.write_text(PEOPLE)
    assert console.ask("people", "import", str(people), "--dry-run")["created"] == PEOPLE.count("\n") - 1
    assert console.ask("people", "import", str(people))["created"] == PEOPLE.count("\n") - 1
    assert console.ask("people", "import", str(people))["unchanged"] == PEOPLE.count("\n") - 1
    people.write_text("email,name\nno address,Ada\n")
    refused = console.ask("people", "import", str(people), expect=1)
    assert (refused["error"]["field"], refused["bad_lines"][0]["line"]) == ("email", 2)

    assert console.refused("roles", "grant", AMARA, "boss")["field"] == "role"
    granted = console.ask("roles", "grant", AMARA, "hr", "--department", "Platform")
    assert (granted["email"], granted["role"], granted["department"]) == (AMARA, "hr", "Platform")
    assert console.refused("roles", "grant", INES, "hr", "--as", AMARA, code=3)["code"] == "not_allowed"

    listed = {row["id"] for row in console.ask("templates", "list")["items"]}
    assert {"staff-resignation", "staff-dismissal-for-cause", "client-contract-expiry"} <= listed
    shown = console.ask("templates", "show", "staff-resignation")
    assert {step["phase"] for step in shown["steps"]} == set(range(1, 11))
    template.write_text("id: broken\nsteps: []\n")
    assert console.refused("templates", "check", str(template))["code"] == "template_broken"
    template.write_text(SMALL_TEMPLATE)
    assert console.ask("templates", "check", str(template)) == {"items": [], "next": None}

    assert len(console.ask("tokens", "create", "--scope", "read", "--email", AMARA)["token"]) > 30
    assert console.refused("tokens", "create", "--scope", "everything", "--email", AMARA)["field"] == "scopes"
