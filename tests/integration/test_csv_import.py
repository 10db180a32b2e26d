"""Importing the registers from CSV files, and exporting them again."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime
from typing import Any

import pytest

from partwell.evidence.models import Event
from partwell.people import imports, operations
from partwell.people.actors import Actor, Channel, Grant, console_actor
from partwell.people.exports import EXPORTS
from partwell.people.imports.report import ImportReport
from partwell.people.models import Client, Contact, Contract, Person, PersonAlias
from partwell.people.roles import Role
from partwell.refusals import NotAllowed

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
CONSOLE = console_actor()


def load(kind: str, text: str | bytes, **options: Any) -> ImportReport:
    data = text if isinstance(text, bytes) else text.encode()
    return operations.IMPORTS[kind](data=data, actor=CONSOLE, now=NOW, **options)


def people(text: str | bytes, **options: Any) -> ImportReport:
    return load("people", text, **options)


def problems(report: ImportReport) -> list[tuple[int, str, str]]:
    return [(bad.line, bad.field, bad.value) for bad in report.bad_lines]


FULL = (
    "email,name,manager_email,department,title,start_date,country,timezone,employment_type,aliases,username,"
    "employee_number\n"
    "ada@example.com,Ada Lovelace,boss@example.com,R&D,Analyst,2020-02-29,gb,Europe/London,permanent,"
    "a.l@example.com; countess@example.com,ada,E1\n"
    "Boss@Example.com,Charles,,,,,,,,,,\n"
)


def test_a_full_file_becomes_register_entries() -> None:
    report = people(FULL)
    assert (report.created, report.updated, report.unchanged, report.is_applied) == (2, 0, 0, True)
    ada = Person.objects.get(email="ada@example.com")
    assert ada.manager is not None
    assert ada.manager.email == "boss@example.com"  # further down in the file
    assert (ada.country, ada.timezone, ada.start_date) == ("GB", "Europe/London", date(2020, 2, 29))
    assert ada.employee_number == "E1"
    assert set(ada.aliases.values_list("email", flat=True)) == {"a.l@example.com", "countess@example.com"}


def test_importing_the_same_file_again_changes_nothing() -> None:
    people(FULL)
    again = people(FULL)
    assert (again.created, again.updated, again.unchanged) == (0, 0, 2)


def test_one_event_says_what_the_file_was_and_whom_it_changed() -> None:
    report = people(FULL)
    event = Event.objects.get(kind="people.imported")
    fields = {name: salted["value"] for name, salted in event.fields.items()}
    assert event.scope == "register"
    assert fields["file_sha256"] == report.digest
    first, last = Person.objects.order_by("pk").values_list("pk", flat=True)
    assert (fields["created"], fields["created_ids"]) == (2, f"{first}-{last}")


def test_a_dry_run_shows_each_change_and_changes_nothing() -> None:
    people(FULL)
    edited = FULL.replace("Analyst", "Countess").replace("2020-02-29", "")
    report = imports.preview("people", io.BytesIO(edited.encode()), actor=CONSOLE, now=NOW)
    assert report.as_dict()["changes"] == [
        {
            "line": 2,
            "what": "updated",
            "key": "ada@example.com",
            "fields": [
                {"field": "title", "old": "Analyst", "new": "Countess"},
                {"field": "start_date", "old": "2020-02-29", "new": ""},
            ],
        }
    ]
    assert not report.is_applied
    assert Person.objects.get(email="ada@example.com").title == "Analyst"
    assert Event.objects.filter(kind="people.imported").count() == 1


def test_the_operation_s_own_dry_run_is_the_same_report() -> None:
    shown = imports.preview("people", io.BytesIO(FULL.encode()), actor=CONSOLE, now=NOW)
    assert people(FULL, dry_run=True).as_dict() == shown.as_dict()
    assert not Person.objects.exists()


def test_a_column_that_is_not_there_is_left_alone_and_a_blank_cell_clears() -> None:
    people(FULL)
    people("email,name,title\nada@example.com,Ada Lovelace,\n")
    ada = Person.objects.get(email="ada@example.com")
    assert (ada.title, ada.department) == ("", "R&D")
    assert ada.manager is not None
    people("email,name,manager_email,aliases,employee_number\nada@example.com,Ada Lovelace,,,\n")
    ada.refresh_from_db()
    assert ada.manager is None
    assert not ada.aliases.exists()
    assert ada.employee_number == "E1"  # what identifies somebody is not lost by leaving it out


def test_one_bad_line_and_nothing_is_imported_but_every_bad_line_is_told() -> None:
    report = people(
        "email,name,start_date,country,timezone,manager_email\n"
        "good@example.com,Good,2020-01-01,DE,Europe/Berlin,\n"
        "nobody,,01.02.2020,XX,Mars/Base,ghost@example.com\n"
        "\n"
        "late@example.com,Late,2020-02-30,,,ghost@example.com\n"
        "last@example.com,Last,,,,ghost@example.com\n"
    )
    assert problems(report) == [
        (3, "email", "nobody"),
        (3, "name", ""),
        (3, "start_date", "01.02.2020"),
        (3, "country", "XX"),
        (3, "timezone", "Mars/Base"),
        (5, "start_date", "2020-02-30"),
        (6, "manager_email", "ghost@example.com"),
    ]
    assert all(bad.reason and bad.way_out for bad in report.bad_lines)
    assert report.rows == 4
    assert not report.is_applied
    assert not Person.objects.exists()
    assert not Event.objects.exists()


def test_a_line_number_counts_lines_inside_quoted_cells() -> None:
    report = people('email,name\na@example.com,"two\nlines"\nbad,B\n')
    assert [(bad.line, bad.field) for bad in report.bad_lines] == [(2, "name"), (4, "email")]


def test_a_manager_on_a_line_that_is_bad_for_another_reason_is_not_called_unknown() -> None:
    report = people("email,name,manager_email,country\na@example.com,A,b@example.com,\nb@example.com,B,,XX\n")
    assert problems(report) == [(3, "country", "XX")]


class TestWhoIsMeant:
    def test_the_number_wins_where_there_is_one_and_the_address_changes(self) -> None:
        people(FULL)
        report = people("email,name,employee_number\nking@example.com,Ada King,E1\n")
        assert report.updated == 1
        assert Person.objects.get(employee_number="E1").email == "king@example.com"

    def test_without_a_number_the_address_says_who(self) -> None:
        people(FULL)
        people("email,name\nADA@example.com,Ada King\n")
        assert Person.objects.get(employee_number="E1").name == "Ada King"

    def test_an_alias_says_who_and_the_main_address_stays(self) -> None:
        people(FULL)
        report = people("email,name\ncountess@example.com,Ada King\n")
        ada = Person.objects.get(employee_number="E1")
        assert (ada.email, ada.name) == ("ada@example.com", "Ada King")
        assert [f.field for f in report.changes[0].fields] == ["name"]
        assert ada.aliases.count() == 2

    def test_an_alias_becomes_the_main_address_under_the_number_and_the_former_stays_known(self) -> None:
        people(FULL)
        people("email,name,employee_number\ncountess@example.com,Ada Lovelace,E1\n")
        ada = Person.objects.get(employee_number="E1")
        assert ada.email == "countess@example.com"
        assert set(ada.aliases.values_list("email", flat=True)) == {"a.l@example.com", "ada@example.com"}

    def test_a_number_is_added_to_somebody_who_has_none(self) -> None:
        people(FULL)
        people("email,name,employee_number\nboss@example.com,Charles,E2\n")
        assert Person.objects.get(employee_number="E2").email == "boss@example.com"

    @pytest.mark.parametrize("number", ["E1", "E9"])
    def test_a_number_and_an_address_of_different_people_are_ambiguous(self, number: str) -> None:
        people(FULL)
        people("email,name,employee_number\nboss@example.com,Charles,E2\n")
        report = people(f"email,name,employee_number\nboss@example.com,Charles,{number}\n")
        assert problems(report) == [(2, "employee_number", number)]
        assert "ambiguous" in report.bad_lines[0].reason

    @pytest.mark.parametrize(
        ("lines", "line", "field"),
        [
            ("a@example.com,A,,\nA@Example.com,B,,\n", 3, "email"),
            ("a@example.com,A,b@example.com,\nb@example.com,B,,\n", 3, "email"),
            ("a@example.com,A,c@example.com,\nb@example.com,B,c@example.com,\n", 3, "aliases"),
            ("a@example.com,A,,7\nb@example.com,B,,7\n", 3, "employee_number"),
            ("z@example.com,Z,ada@example.com,\n", 2, "aliases"),
            ("z@example.com,Z,countess@example.com,\n", 2, "aliases"),
            ("ada@example.com,A,,\ncountess@example.com,B,,\n", 3, "email"),
        ],
    )
    def test_an_address_or_number_of_two_people_is_refused(self, lines: str, line: int, field: str) -> None:
        people(FULL)
        report = people("email,name,aliases,employee_number\n" + lines)
        assert [(bad.line, bad.field) for bad in report.bad_lines] == [(line, field)]

    def test_a_manager_may_be_named_by_an_alias(self) -> None:
        people(FULL)
        people("email,name,manager_email\nnew@example.com,New,countess@example.com\n")
        manager = Person.objects.get(email="new@example.com").manager
        assert manager is not None
        assert manager.email == "ada@example.com"


@pytest.mark.parametrize(
    ("lines", "chain"),
    [
        ("a@x.org,A,a@x.org\n", "a@x.org → a@x.org"),
        (
            "a@x.org,A,b@x.org\nb@x.org,B,c@x.org\nc@x.org,C,a@x.org\n",
            "a@x.org → b@x.org → c@x.org → a@x.org",
        ),
        (
            "boss@example.com,Charles,ada@example.com\n",
            "boss@example.com → ada@example.com → boss@example.com",
        ),
    ],
)
def test_managers_in_a_circle_are_refused_once_with_the_circle(lines: str, chain: str) -> None:
    people(FULL)
    report = people("email,name,manager_email\n" + lines)
    assert [bad.field for bad in report.bad_lines] == ["manager_email"]
    assert report.bad_lines[0].reason == f"the managers form a circle: {chain}"


def test_a_chain_of_new_managers_in_any_order_is_set() -> None:
    lines = "".join(f"p{n}@x.org,P{n},{f'p{n + 1}@x.org' if n < 2500 else ''}\n" for n in range(2501))
    people("email,name,manager_email\n" + lines)
    managers = dict(Person.objects.values_list("email", "manager__email"))
    assert all(managers[f"p{n}@x.org"] == f"p{n + 1}@x.org" for n in range(2500))
    assert managers["p2500@x.org"] is None


class TestClients:
    FILE = (
        "client_ref,name,account_manager_email,contact_name,contact_email,tier,country\n"
        "C1,Acme,countess@example.com,Wile,wile@acme.example,gold,US\n"
        "C1,Acme,,Road,road@acme.example,,\n"
        ",Beta GmbH,,,,,DE\n"
    )

    def test_several_contacts_are_several_rows(self) -> None:
        people(FULL)
        report = load("clients", self.FILE)
        assert problems(report) == []
        acme = Client.objects.get(client_ref="C1")
        assert acme.account_manager is not None
        assert (acme.account_manager.email, acme.tier, acme.country) == ("ada@example.com", "gold", "US")
        assert list(acme.contacts.values_list("name", flat=True)) == ["Wile", "Road"]
        again = load("clients", self.FILE)
        assert (again.created, again.updated, again.unchanged) == (0, 0, 2)

    def test_a_contact_is_added_or_renamed_and_never_taken_away(self) -> None:
        people(FULL)
        load("clients", self.FILE)
        report = load(
            "clients",
            "client_ref,name,contact_name,contact_email\nC1,ACME Inc,Wile E.,wile@acme.example\n"
            "C1,ACME Inc,New,new@acme.example\n",
        )
        shown = [(f.field, f.old, f.new) for f in report.changes[0].fields]
        assert shown == [
            ("name", "Acme", "ACME Inc"),
            ("contact", "Wile <wile@acme.example>", "Wile E. <wile@acme.example>"),
            ("contact", "", "New <new@acme.example>"),
        ]
        assert list(Contact.objects.values_list("name", flat=True)) == ["Wile E.", "Road", "New"]

    def test_a_reference_is_given_to_the_client_of_that_name(self) -> None:
        people(FULL)
        load("clients", self.FILE)
        load("clients", "client_ref,name\nC2,BETA  gmbh\n")
        assert Client.objects.get(client_ref="C2").pk == Client.objects.get(country="DE").pk

    @pytest.mark.parametrize(
        ("lines", "line", "field"),
        [
            (",Twin,,,\n", 2, "name"),
            ("C1,Twin,,,\nC1,Twin,,silver,\nC1,Twin,,gold,\n", 4, "tier"),
            ("C9,Nine,nobody@example.com,,\n", 2, "account_manager_email"),
            ("C1,Beta GmbH,,,\n", 2, "client_ref"),
            ("C9,Nine,,,q@x.org\nC9,Nine,,,q@x.org\n", 3, "contact_email"),
        ],
    )
    def test_what_is_ambiguous_or_contradicts_itself_is_refused(
        self, lines: str, line: int, field: str
    ) -> None:
        people(FULL)
        load("clients", self.FILE)
        for ref in ("T1", "T2"):
            Client.objects.create(client_ref=ref, name="Twin")
        report = load("clients", "client_ref,name,account_manager_email,tier,contact_email\n" + lines)
        assert [(bad.line, bad.field) for bad in report.bad_lines] == [(line, field)]

    def test_a_contact_without_an_address_is_refused(self) -> None:
        report = load("clients", "name,contact_name\nAcme,Wile\n")
        assert problems(report) == [(2, "contact_name", "Wile")]


class TestContracts:
    def test_a_contract_finds_its_client_by_reference_or_name(self) -> None:
        load("clients", "client_ref,name\nC1,Acme\n,Beta\n")
        report = load(
            "contracts",
            "client_ref,title,start_date,end_date,notice_days,governing_law\n"
            "C1,Support,2025-01-01,2026-12-31,90,England\nbeta,Hosting,,,,\n",
        )
        assert problems(report) == []
        support = Contract.objects.get(title="Support")
        assert (support.notice_days, support.end_date) == (90, date(2026, 12, 31))
        report = load("contracts", "client_ref,title,notice_days\nC1,Support,30\nbeta,Hosting,\n")
        assert (report.updated, report.unchanged) == (1, 1)
        assert report.changes[0].fields[0].old == "90"

    @pytest.mark.parametrize(
        ("line", "field"),
        [
            ("C9,Support,,,", "client_ref"),
            ("Twin,Support,,,", "client_ref"),
            ("C1,,,,", "title"),
            ("C1,S,2026-01-02,2026-01-01,", "end_date"),
            ("C1,S,,,-5", "notice_days"),
            ("C1,S,,,1.5", "notice_days"),
            ("C1,S,,,99999", "notice_days"),
        ],
    )
    def test_a_contract_that_cannot_be_is_refused(self, line: str, field: str) -> None:
        Client.objects.create(client_ref="C1", name="Twin")
        Client.objects.create(client_ref="C2", name="Twin")
        report = load("contracts", f"client_ref,title,start_date,end_date,notice_days\n{line}\n")
        assert [(bad.line, bad.field) for bad in report.bad_lines] == [(2, field)]

    def test_an_end_before_the_start_that_is_stored_already_is_refused(self) -> None:
        client = Client.objects.create(client_ref="C1", name="Acme")
        Contract.objects.create(client=client, title="S", start_date=date(2026, 5, 1))
        report = load("contracts", "client_ref,title,end_date\nC1,S,2026-04-30\n")
        assert problems(report) == [(2, "end_date", "2026-04-30")]


def test_the_register_is_read_in_a_few_queries_whatever_its_size(django_assert_max_num_queries) -> None:
    lines = "".join(f"p{n}@x.org,P{n},p0@x.org,x{n}@x.org\n" if n else "p0@x.org,P0,,\n" for n in range(900))
    text = "email,name,manager_email,aliases\n" + lines
    with django_assert_max_num_queries(45):  # SQLite takes few values in one statement
        people(text)
    with django_assert_max_num_queries(8):
        assert people(text).unchanged == 900


@pytest.mark.parametrize("kind", ["people", "clients", "contracts"])
def test_importing_and_exporting_need_the_office_for_it(kind: str) -> None:
    it = Actor(label="x", channel=Channel.WEB, user_id=1, grants=frozenset({Grant(Role.IT_SECURITY)}))
    with pytest.raises(NotAllowed):
        operations.IMPORTS[kind](data=b"", actor=it, now=NOW)
    with pytest.raises(NotAllowed):
        imports.preview(kind, io.BytesIO(), actor=it, now=NOW)
    with pytest.raises(NotAllowed):
        EXPORTS[kind](actor=it, now=NOW)


def test_what_is_exported_comes_back_without_a_change() -> None:
    people(FULL)
    load("clients", TestClients.FILE)
    load("contracts", "client_ref,title,end_date\nC1,Support,2026-12-31\nBeta GmbH,=Hosting,\n")
    for kind, export in EXPORTS.items():
        report = load(kind, export(actor=CONSOLE, now=NOW))
        assert (report.changes, problems(report)) == ([], []), kind
        assert report.unchanged == 2


def test_addresses_stored_in_capitals_come_back_without_a_change() -> None:
    boss = Person.objects.create(email="Boss@Example.com", name="Boss")
    other = Person.objects.create(email="Other@Example.com", name="Other", manager=boss)
    PersonAlias.objects.create(person=other, email="O@Example.com")
    report = people(EXPORTS["people"](actor=CONSOLE, now=NOW))
    assert (report.changes, problems(report), report.unchanged) == ([], [], 2)


def test_progress_is_told_until_all_is_done() -> None:
    told: list[tuple[str, int, int]] = []
    lines = "".join(f"p{n}@x.org,P{n}\n" for n in range(2500))
    people("email,name\n" + lines, on_progress=lambda *what: told.append(what))
    assert ("read", 1001, 2502) in told
    assert told[-1] == ("added", 2500, 2500)


def test_an_end_date_says_that_somebody_has_left_and_a_blank_one_leaves_it_so() -> None:
    load("people", "email,name,start_date,end_date\nada@x.example,Ada,2020-01-01,2020-06-30\n")
    load("people", "email,name,end_date\nada@x.example,Ada L,\n")
    ada = Person.objects.get()
    assert (ada.name, ada.left_on_date) == ("Ada L", date(2020, 6, 30))


def test_a_day_to_come_and_an_end_before_the_start_are_refused() -> None:
    report = load(
        "people",
        "email,name,start_date,end_date\nada@x.example,Ada,2020-01-01,2100-06-30\n"
        "ben@x.example,Ben,2020-07-01,2020-06-30\n",
    )
    assert [(bad.line, bad.field) for bad in report.bad_lines] == [(2, "end_date"), (3, "end_date")]
    assert not Person.objects.exists()


def test_a_later_start_says_that_they_are_back() -> None:
    Person.objects.create(email="ada@x.example", name="Ada", left_on_date=date(2020, 6, 30))
    load("people", "email,name,start_date,end_date\nada@x.example,Ada,2021-01-01,\n")
    assert Person.objects.get().left_on_date is None
