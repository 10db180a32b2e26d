"""People, clients, contracts and templates through the API."""

from __future__ import annotations

from typing import Any

from partwell.people.models import Client, Contract, Person
from tests.factories import SMALL_TEMPLATE, make_client
from tests.integration.api.conftest import Api

CSV = "email,name,department\nann@harbour.example,Ann Ford,Sales\nbo@harbour.example,Bo Lund,Sales\n"


def send_csv(api: Api, path: str, text: str, kind: str = "text/csv", **headers: str) -> Any:
    return api.raw("post", path, {"data": text.encode(), "content_type": kind}, **headers)


def test_an_import_shows_everything_first_then_applies_and_exports_the_same(hr: Api) -> None:
    dry = send_csv(hr, "/people/import?dry_run=true", CSV).json()
    assert (dry["created"], dry["applied"], dry["changes"][0]["line"]) == (2, False, 2)
    assert not Person.objects.filter(email="ann@harbour.example").exists()
    assert send_csv(hr, "/people/import", CSV).json()["applied"] is True
    exported = hr.get("/people/export")
    assert exported["Content-Type"] == "text/csv; charset=utf-8"
    again = send_csv(hr, "/people/import?dry_run=true", exported.content.decode()).json()
    assert (again["created"], again["updated"]) == (0, 0)


def test_an_import_with_bad_lines_changes_nothing_and_names_them(hr: Api) -> None:
    answer = send_csv(hr, "/people/import", CSV + "no-address,Cy,Sales\n")
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_lines")
    bad = answer.json()["bad_lines"][0]
    assert (bad["line"], bad["field"], bad["value"]) == (4, "email", "no-address")
    assert not Person.objects.filter(email="ann@harbour.example").exists()


def test_a_body_of_another_type_is_refused_as_such(hr: Api) -> None:
    answer = send_csv(hr, "/people/import", CSV, kind="application/json")
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
    answer = send_csv(hr, "/templates/check", "id: x", kind="text/yaml")
    assert answer.status_code == 415


def test_people_come_in_pages_that_miss_nobody(hr: Api, firm: dict) -> None:
    send_csv(hr, "/people/import", CSV)
    names, path = [], "/people?limit=2"
    while path:
        page = hr.get(path).json()
        assert len(page["items"]) <= 2
        names += [row["name"] for row in page["items"]]
        path = f"/people?limit=2&cursor={page['next']}" if page["next"] else ""
    assert sorted(names) == sorted(Person.objects.values_list("name", flat=True))
    assert hr.get("/people?limit=201").status_code == 422
    assert hr.get("/people?cursor=nonsense").json()["code"] == "cursor_unknown"


def test_a_person_is_shown_with_manager_and_reports(hr: Api, firm: dict) -> None:
    shown = hr.get(f"/people/{firm['person'].pk}").json()
    assert (shown["name"], shown["manager_email"]) == ("Marit Lindqvist", firm["manager"].email)
    assert hr.get(f"/people/{firm['manager'].pk}").json()["reports"] == [firm["person"].email]
    assert hr.get("/people/999999").status_code == 404


def test_clients_are_shown_with_contacts_and_contracts(hr: Api, firm: dict) -> None:
    client = make_client(manager=firm["manager"], client_ref="BW-1")
    rows = "client_ref,title,start_date,end_date,notice_days\nBW-1,Support,2025-01-01,2026-12-31,90\n"
    assert send_csv(hr, "/contracts/import", rows).json()["created"] == 1
    shown = hr.get(f"/clients/{client.pk}").json()
    assert shown["contacts"][0]["email"] == "orla@brightwater.example"
    assert shown["contracts"][0]["end_date"] == "2026-12-31"
    contract = Contract.objects.get()
    assert hr.get(f"/contracts/{contract.pk}").json()["client"] == "Brightwater Dental"
    listed = hr.get(f"/contracts?client={client.pk}").json()["items"]
    assert [row["title"] for row in listed] == ["Support"]
    assert hr.get(f"/contracts?client={client.pk + 1}").json()["items"] == []
    more = "client_ref,name\nBW-2,Zeppelin\n"
    assert send_csv(hr, "/clients/import", more).json()["created"] == 1
    assert [row["name"] for row in hr.get("/clients?search=zepp").json()["items"]] == ["Zeppelin"]
    assert Client.objects.count() == 2


def test_templates_are_listed_shown_and_checked(hr: Api, firm: dict) -> None:
    listed = hr.get("/templates").json()["items"]
    assert [(row["id"], row["version"], row["steps"]) for row in listed] == [("small", 1, 6)]
    assert hr.get("/templates/small").json()["steps"][0]["key"] == "confirm"
    assert hr.get("/templates/none").status_code == 404
    assert hr.post("/templates/check", {"source": SMALL_TEMPLATE}).json()["items"] == []
    broken = hr.post("/templates/check", {"source": "id: small\ntitle: Only this\n"}).json()["items"]
    assert broken and broken[0]["line"] >= 1


def test_text_that_no_database_keeps_is_refused_at_the_door(hr: Api) -> None:
    assert hr.get("/people?search=%00").json()["code"] == "text_unreadable"
    assert hr.get("/templates/%00").status_code == 404
    answer = hr.post("/templates/check", {"source": "a\0b"})
    assert (answer.status_code, answer.json()["code"]) == (400, "text_unreadable")
    broken = hr.raw("post", "/templates/check", {"data": b"{", "content_type": "application/json"})
    assert (broken.status_code, broken.json()["code"]) == (400, "body_unreadable")


def test_unknown_addresses_and_methods_are_problems_too(hr: Api) -> None:
    assert hr.get("/nowhere").json()["code"] == "not_found"
    answer = hr.call("delete", "/people")
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert answer["Allow"] == "GET"
