"""Reading the registers: who is found, page by page, in few queries; and the commands over them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from partwell.cli.people import clients_app, contracts_app, people_app, roles_app
from partwell.people import operations, queries
from partwell.people.actors import Actor, Channel, Grant, console_actor
from partwell.people.models import Client, Contact, Contract, Person, PersonAlias
from partwell.people.roles import Role
from partwell.refusals import Conflict, Invalid, NotAllowed, NotFound

pytestmark = pytest.mark.django_db

CONSOLE = console_actor()
NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)


def somebody(name: str, **fields: object) -> Person:
    return Person.objects.create(**({"email": f"{name.lower()}@example.com", "name": name} | fields))


def names(**asked: object) -> list[str]:
    return [person.name for person in queries.list_people(actor=CONSOLE, **asked)[0]]


class TestFinding:
    def test_a_person_is_found_by_address_alias_or_number(self) -> None:
        ada = somebody("Ada", employee_number="E1")
        PersonAlias.objects.create(person=ada, email="Countess@Example.com")
        for text in ("ADA@example.com", " countess@example.com ", "E1"):
            assert queries.find_person(text) == ada
        for text in ("e1", "", "Ada", "%"):
            with pytest.raises(Invalid, match="Check it"):
                queries.find_person(text)

    def test_a_text_that_means_two_people_is_refused(self) -> None:
        somebody("Ada", employee_number="bob@example.com")
        somebody("Bob")
        with pytest.raises(Conflict, match=r"ada@example\.com or bob@example\.com"):
            queries.find_person("bob@example.com")

    def test_a_client_is_found_by_reference_before_name(self) -> None:
        first = Client.objects.create(client_ref="Beta", name="Acme")
        second = Client.objects.create(client_ref="C2", name="Beta")
        assert queries.find_client("Beta") == first
        assert queries.find_client("beta") == second
        assert queries.find_client("C2") == second

    def test_the_name_of_two_clients_is_refused_with_their_references(self) -> None:
        for ref in ("C1", "C2"):
            Client.objects.create(client_ref=ref, name="ÉTÉ")
        with pytest.raises(Conflict, match="C1, C2"):
            queries.find_client("été")
        with pytest.raises(Invalid):
            queries.find_client("C3")


class TestLists:
    def test_search_finds_every_word_whatever_the_case_of_any_letter(self) -> None:
        asa = somebody("Åsa Öberg", email="asa@example.com", department="Säljare")
        somebody("Bo")
        PersonAlias.objects.create(person=asa, email="old-name@example.com")
        assert names(search="åSA SÄLJ") == ["Åsa Öberg"]
        assert names(search="old-name") == ["Åsa Öberg"]
        assert names(search="asa nobody") == []
        assert names(search="%") == []
        assert names(department="Säljare") == ["Åsa Öberg"]
        asa.name = "Åsa Lind"
        asa.save()
        assert names(search="lind") == ["Åsa Lind"]

    def test_pages_hold_everybody_once_also_with_equal_names(self) -> None:
        for n in range(7):
            somebody("Same" if n % 2 else f"N{n}", email=f"{n}@example.com")
        seen, after = [], None
        while True:
            page, after = queries.list_people(actor=CONSOLE, after=after, limit=2)
            seen += [person.pk for person in page]
            if after is None:
                break
        assert sorted(seen) == sorted(Person.objects.values_list("pk", flat=True))
        assert len(seen) == 7

    @pytest.mark.parametrize("cursor", ["x", "!!!", "W10", "WyJhIiwiYiJd"])
    def test_a_made_up_cursor_is_refused(self, cursor: str) -> None:
        with pytest.raises(Invalid, match="not one of ours"):
            queries.list_people(actor=CONSOLE, after=cursor)

    def test_clients_are_found_by_their_contacts_too(self) -> None:
        client = Client.objects.create(client_ref="C1", name="Acme")
        Contact.objects.create(client=client, email="wile@coyote.example")
        Client.objects.create(name="Beta")
        assert queries.list_clients(actor=CONSOLE, search="coyote") == ([client], None)

    def test_a_list_and_a_page_take_few_queries_whatever_they_hold(self, django_assert_num_queries) -> None:
        boss = somebody("Boss")
        client = Client.objects.create(name="Acme", account_manager=boss)
        for n in range(20):
            person = somebody(f"P{n}", manager=boss)
            PersonAlias.objects.create(person=person, email=f"alias{n}@example.com")
            Contact.objects.create(client=client, email=f"{n}@x.org")
            Contract.objects.create(client=client, title=str(n))
        with django_assert_num_queries(1):
            page, _ = queries.list_people(actor=CONSOLE)
            assert [person.manager for person in page].count(boss) == 20
        with django_assert_num_queries(3):
            found = queries.view_person(boss.pk, actor=CONSOLE)
            assert len(found.reports.all()) == 20
            assert not found.aliases.all()
        with django_assert_num_queries(3):
            shown = queries.view_client(client.pk, actor=CONSOLE)
            assert (len(shown.contacts.all()), len(shown.contracts.all())) == (20, 20)

    def test_what_does_not_exist_is_not_found(self) -> None:
        with pytest.raises(NotFound):
            queries.view_person(999, actor=CONSOLE)
        with pytest.raises(NotFound):
            queries.view_client(999, actor=CONSOLE)


def test_the_register_is_for_the_office_and_for_those_it_names_as_managers() -> None:
    boss, report = somebody("Boss"), None
    report = somebody("Report", manager=boss)

    def web(person: Person, *roles: Role) -> Actor:
        grants = frozenset(Grant(role) for role in roles)
        return Actor(label="x", channel=Channel.WEB, user_id=1, person_id=person.pk, grants=grants)

    assert len(queries.list_people(actor=web(report, Role.HR))[0]) == 2
    assert len(queries.list_people(actor=web(boss))[0]) == 2
    with pytest.raises(NotAllowed):
        queries.list_people(actor=web(report))
    with pytest.raises(NotAllowed):
        queries.view_person(boss.pk, actor=web(report))
    with pytest.raises(NotAllowed):
        queries.list_people(actor=Actor(label="guest", channel=Channel.GUEST, guest_capacity="departing"))


def run(app: object, *words: str) -> Result:
    return CliRunner().invoke(app, list(words))


class TestCommands:
    def test_import_export_and_dry_run(self, tmp_path: Path) -> None:
        file = tmp_path / "people.csv"
        file.write_text("email,name,title\nada@example.com,Ada,=SUM\n")
        dry = run(people_app, "import", str(file), "--dry-run")
        assert dry.exit_code == 0
        assert "+ line 2 ada@example.com: email: “” → “ada@example.com”" in dry.stdout
        assert "1 new, 0 changed, 0 unchanged. Dry run: nothing was imported." in dry.stderr
        assert not Person.objects.exists()
        done = run(people_app, "import", str(file), "--json")
        assert done.exit_code == 0
        report = json.loads(done.stdout)
        assert (report["applied"], report["created"]) == (True, 1)
        out = tmp_path / "out.csv"
        assert run(people_app, "export", "-o", str(out)).exit_code == 0
        assert "'=SUM" in out.read_text()
        assert run(people_app, "export").stdout_bytes == out.read_bytes()

    def test_bad_lines_are_told_and_the_exit_code_says_so(self, tmp_path: Path) -> None:
        file = tmp_path / "people.csv"
        file.write_text("email,name\nada,Ada\n")
        told = run(people_app, "import", str(file))
        assert told.exit_code == 1
        assert told.stdout.startswith("! line 2, email “ada”: it is no e-mail address. Write it as")
        assert "1 problem found, so nothing was imported" in told.stderr
        as_json = run(people_app, "import", str(file), "--json", "--dry-run")
        assert as_json.exit_code == 1
        data = json.loads(as_json.stdout)
        assert data["error"]["code"] == "bad_lines"
        assert data["bad_lines"][0]["line"] == 2

    def test_a_file_that_is_not_there_is_a_refusal(self, tmp_path: Path) -> None:
        answer = run(contracts_app, "import", str(tmp_path / "none.csv"), "--json")
        assert answer.exit_code == 1
        assert json.loads(answer.stdout)["error"]["field"] == "file"
        assert run(clients_app, "import").exit_code == 2

    def test_roles_are_granted_listed_and_taken_back(self) -> None:
        assert run(roles_app, "grant", "ada@example.com", "hr", "--department", "Sales").exit_code == 0
        items = json.loads(run(roles_app, "list", "--json").stdout)
        assert items["next"] is None
        assert [(i["email"], i["role"], i["department"]) for i in items["items"]] == [
            ("ada@example.com", "hr", "Sales")
        ]
        assert run(roles_app, "revoke", "ada@example.com", "hr", "--department", "Sales").exit_code == 0
        refused = run(roles_app, "revoke", "ada@example.com", "hr", "--json")
        assert refused.exit_code == 1
        assert json.loads(refused.stdout)["error"]["code"] == "role_not_held"

    def test_somebody_who_may_not_is_told_so_by_exit_code_3(self) -> None:
        operations.initialise(company="P", practice=True, actor=CONSOLE, now=NOW)
        operations.grant_role(email="hr@example.com", role="hr", actor=CONSOLE, now=NOW)
        words = ("grant", "x@example.com", "hr", "--as", "hr@example.com", "--json")
        refused = run(roles_app, *words)
        assert refused.exit_code == 3
        assert json.loads(refused.stdout)["error"]["code"] == "not_allowed"
