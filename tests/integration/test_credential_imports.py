"""Importing shared secrets: what of a password manager's export is kept, and that nothing secret ever is."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client as Browser
from django.test import override_settings
from typer.testing import CliRunner

from partwell.access.credentials import files, imports, queries
from partwell.access.credentials.imports import ForAll
from partwell.access.models import Credential
from partwell.cli import main
from partwell.people.actors import console_actor
from partwell.people.models import Installation
from partwell.people.roles import Role
from partwell.people.token_operations import create_token
from tests.canaries import whole_database
from tests.factories import NOW, as_actor, make_client, make_holder, make_person

pytestmark = pytest.mark.django_db

CONSOLE = console_actor()
SECRET = "zqhunter2canary"

CSV_FILES = {
    "Bitwarden (CSV)": (
        "folder,favorite,type,name,notes,fields,reprompt,login_uri,login_username,login_password,login_totp\n"
        f'Office,,login,Bank portal,"{SECRET} in\na note","pin: {SECRET}",0,'
        f"https://ann:{SECRET}@bank.example/{SECRET}?t={SECRET},billing,{SECRET},{SECRET}\n"
        f"Office,,note,A note,{SECRET},,0,,,,\n"
    ),
    "LastPass (CSV)": (
        "url,username,password,totp,extra,name,grouping,fav\n"
        f'https://bank.example/{SECRET},billing,{SECRET},{SECRET},"{SECRET}",Bank portal,Office,0\n'
        f"http://sn,,,,{SECRET},A note,Office,0\n"
    ),
    "KeePassXC (CSV)": (
        '"Group","Title","Username","Password","URL","Notes","TOTP","Icon","Last Modified","Created"\n'
        f'"Root","Bank portal","billing","{SECRET}","bank.example/{SECRET}","{SECRET}","{SECRET}","0","",""\n'
    ),
    "KeePass (CSV)": (
        '"Account","Login Name","Password","Web Site","Comments"\n'
        f'"Bank portal","billing","{SECRET}","https://bank.example/#{SECRET}","{SECRET}"\n'
    ),
    "1Password (CSV)": (
        "Title,Url,Username,Password,OTPAuth,Favorite,Archived,Tags,Notes\n"
        f"Bank portal,https://bank.example/?k={SECRET},billing,{SECRET},otpauth://{SECRET},,,,{SECRET}\n"
    ),
}
BITWARDEN = {
    "encrypted": False,
    "folders": [{"id": SECRET, "name": "Office"}],
    "items": [
        {
            "type": 1,
            "name": "Bank portal",
            "notes": SECRET,
            "fields": [{"name": "pin", "value": SECRET, "type": 1}],
            "login": {
                "uris": [{"match": None, "uri": f"https://bank.example/{SECRET}"}],
                "username": "billing",
                "password": SECRET,
                "totp": SECRET,
            },
            "passwordHistory": [{"password": SECRET}],
        },
        {"type": 2, "name": "A note", "notes": SECRET},
        {"type": 3, "name": "A card", "card": {"number": SECRET}},
    ],
}
ENTRY = f"""<Entry><UUID>e=</UUID>
<String><Key>Title</Key><Value>Bank portal</Value></String>
<String><Key>UserName</Key><Value>billing</Value></String>
<String><Key>Password</Key><Value ProtectInMemory="True">{SECRET}</Value></String>
<String><Key>URL</Key><Value>https://bank.example/{SECRET}</Value></String>
<String><Key>Notes</Key><Value>{SECRET}</Value></String>
<History><Entry><String><Key>Title</Key><Value>{SECRET}</Value></String></Entry></History></Entry>"""
KEEPASS = f"""<?xml version="1.0" encoding="utf-8"?>
<KeePassFile><Meta><RecycleBinUUID>bin=</RecycleBinUUID></Meta>
<Root><Group><UUID>g=</UUID><Name>Office</Name><Group><UUID>s=</UUID>{ENTRY}</Group>
<Group><UUID>bin=</UUID>{ENTRY.replace("Bank portal", "Thrown away " + SECRET)}</Group></Group></Root>
</KeePassFile>"""
VAULTS: dict[str, bytes] = {name: text.encode() for name, text in CSV_FILES.items()}
VAULTS |= {"Bitwarden (JSON)": json.dumps(BITWARDEN).encode(), "KeePass 2 (XML)": KEEPASS.encode()}

# Whatever is wrong with a file, its words are secret until the opposite is known.
BROKEN: dict[str, bytes] = {
    "no header": f"https://bank.example,billing,{SECRET}\n".encode(),
    "a row too long": VAULTS["LastPass (CSV)"] + f"a,b,{SECRET},,{SECRET},x,y,0,more\n".encode(),
    "an open quote": VAULTS["LastPass (CSV)"] + f'a,b,"{SECRET}\n'.encode(),
    "a column of secrets": f"name,{SECRET},password\nBank,x,{SECRET}\n".encode(),
    "a secret as a date": f"name,rotated_on\nBank,{SECRET}\n".encode(),
    "a secret as an address": f"name,owner_email\nBank,{SECRET}\n".encode(),
    "a secret as holders": f"name,holders\nBank,{SECRET};{SECRET}@x.example\n".encode(),
    "a secret as a client": f"name,client_ref\nBank,{SECRET}\n".encode(),
    "a secret as a system": f"name,system\nBank,{SECRET}\n".encode(),
    "broken JSON": f'{{"items": [{{"name": "{SECRET}"'.encode(),
    "other JSON": json.dumps({"items": [SECRET]}).encode(),
    "encrypted JSON": json.dumps({"encrypted": True, "data": SECRET}).encode(),
    "deep JSON": b'{"items":' + b"[" * 100_000 + SECRET.encode(),
    "broken XML": f"<KeePassFile><Root>{SECRET}".encode(),
    "an XML bomb": (
        '<!DOCTYPE x [<!ENTITY a "' + SECRET + '"><!ENTITY b "&a;&a;&a;&a;">]><KeePassFile>&b;</KeePassFile>'
    ).encode(),
    "a file from elsewhere": (
        f'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]><KeePassFile>{SECRET}&a;</KeePassFile>'
    ).encode(),
    "other XML": f"<Vault>{SECRET}</Vault>".encode(),
    "UTF-16": VAULTS["LastPass (CSV)"].decode().encode("utf-16"),
    "Latin-1": f"name,login\nBänk,{SECRET}\n".encode("latin-1"),
    "NUL": f"name,login\nBank,{SECRET}\0\n".encode(),
    "too large": b"name,login\n" + f"{SECRET},x\n".encode() * 400_000,
    "too many": CSV_FILES["1Password (CSV)"].encode()
    + b"".join(f"n{n},,,{SECRET},,,,,\n".encode() for n in range(6_000)),
}


def load(data: bytes, **options: Any) -> imports.CredentialReport:
    return imports.import_credentials(data=data, actor=CONSOLE, now=NOW, **options)


@pytest.fixture
def kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Iterator[Path]:
    """A data folder of its own, and everything that is logged."""
    folder = tmp_path / "data"
    folder.mkdir()
    uploads = tmp_path / "uploads"
    uploads.mkdir()
    caplog.set_level(logging.DEBUG)
    with override_settings(
        DATA_DIR=folder, MEDIA_ROOT=folder / "files", FILE_UPLOAD_TEMP_DIR=str(uploads),
        FILE_UPLOAD_MAX_MEMORY_SIZE=10,
    ):  # fmt: skip
        yield tmp_path


def nothing_left(kept: Path, log: str) -> None:
    texts = {"the database": whole_database().decode(errors="replace"), "the log": log}
    for path in kept.rglob("*"):
        if path.is_file():
            texts[str(path)] = path.read_bytes().decode(errors="replace")
    assert [where for where, text in texts.items() if SECRET in text] == []


@pytest.mark.parametrize("title", VAULTS)
def test_of_an_export_the_title_the_host_and_the_user_name_are_kept(title: str) -> None:
    report = load(VAULTS[title])
    assert report.read_as == title and report.is_applied, report.as_dict()
    made = Credential.objects.get(name="Bank portal")
    assert (made.used_at, made.login, made.kind) == ("bank.example", "billing", "password")
    names = set(Credential.objects.values_list("name", flat=True))
    assert names == ({"Bank portal", "A note"} if title.startswith("LastPass") else {"Bank portal"})
    again = load(VAULTS[title])
    assert (again.created, again.updated) == (0, 0)


@pytest.mark.parametrize("title", [*VAULTS, *BROKEN])
def test_no_secret_of_a_file_is_found_anywhere(
    title: str, kept: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = (VAULTS | BROKEN)[title]
    Installation.objects.create(company_name="Harbour & Vale", initialised_at=NOW)
    security = make_holder(Role.IT_SECURITY, "Ines Sec")
    _, secret = create_token(scopes=["read", "write"], actor=as_actor(security), now=NOW)
    browser = Browser(SERVER_NAME="localhost")
    browser.force_login(security)
    answers = []

    shown = browser.post("/credentials/import/", {"file": SimpleUploadedFile("vault", data)})
    answers.append(shown.content.decode())
    nothing_left(kept, caplog.text)
    if title in VAULTS:
        context = shown.context
        applied = browser.post(
            "/credentials/import/",
            {"apply": "1", "digest": context["report"].digest, "seal": context["seal"]},
        )
        assert applied.status_code == 302, applied.content.decode()
        answers.append(browser.get("/credentials/").content.decode())
    else:
        assert shown.status_code == 422
    api = Browser(headers={"Authorization": f"Bearer {secret}", "Idempotency-Key": "once"})
    for dry_run in ("true", "false"):
        answer = api.post(
            f"/api/v1/credentials/import?dry_run={dry_run}",
            data,
            content_type="application/octet-stream",
            headers={"Idempotency-Key": dry_run},
        )
        answers.append(answer.content.decode())
    file = kept / "vault"
    main.load_commands()
    file.write_bytes(data)
    for words in (["--dry-run"], ["--json"], []):
        done = CliRunner().invoke(main.app, ["credentials", "import", str(file), *words])
        answers.append(done.output)
        assert done.exception is None or isinstance(done.exception, SystemExit)
    file.unlink()
    answers.append(browser.get("/credentials/export/").content.decode())

    assert [text[:200] for text in answers if SECRET in text] == []
    nothing_left(kept, caplog.text)
    assert Credential.objects.exists() == (title in VAULTS)


@pytest.mark.parametrize("title", BROKEN)
def test_one_bad_line_is_named_without_what_it_says_and_nothing_is_imported(title: str) -> None:
    report = load(BROKEN[title])
    assert report.bad_lines and not report.is_applied
    assert all(bad.value == "" and bad.reason and bad.way_out for bad in report.bad_lines)
    assert not Credential.objects.exists()


def test_the_own_file_comes_back_as_it_went_out_also_where_a_spreadsheet_would_run_it() -> None:
    client = make_client(client_ref="BW")
    make_person("Olga Own")
    rows = (
        "name,kind,used_at,login,owner_email,client_ref,direction,rotated_on,rotate_every_days,holders,since\r\n"
        '"=HYPERLINK(""http://x"")",portal,@office,-1+1,olga.own@harbour.example,,,2026-01-31,90,'
        "olga.own@harbour.example,2026-02-01\r\n"
        "Shop backend,client_login,shop.example,,,BW,ours,,,orla@brightwater.example,\r\n"
    )
    first = load(rows.encode())
    assert first.is_applied, first.as_dict()
    formula = Credential.objects.get(kind="portal")
    assert formula.name == '=HYPERLINK("http://x")' and formula.rotate_every_days == 90
    assert formula.holders.get().since_date.isoformat() == "2026-02-01"
    assert Credential.objects.get(client=client).holders.get().contact is not None
    out = imports.export_credentials(actor=CONSOLE, now=NOW)
    assert b"\"'=HYPERLINK" in out and b"\"'@office" in out and b"\"'-1+1" in out
    again = load(out)
    assert (again.created, again.updated, again.unchanged) == (0, 0, 2), again.as_dict()


def test_what_is_said_of_a_whole_vault_goes_to_entries_that_do_not_say_it() -> None:
    for name in ("Olga Own", "Hal Hold", "Mia More"):
        make_person(name)
    load(b"name,used_at,owner_email\nBank,bank.example,mia.more@harbour.example\n")
    whole = ForAll("olga.own@harbour.example", "hal.hold@harbour.example; olga.own@harbour.example")
    report = load(b"name,used_at\nBank,bank.example\nWi-Fi,office\n", for_all=whole)
    assert (report.created, report.updated) == (1, 1), report.as_dict()
    owners = dict(Credential.objects.values_list("name", "owner_name"))
    assert owners == {"Bank": "Mia More", "Wi-Fi": "Olga Own"}
    for each in Credential.objects.all():
        view = queries.credential_view(CONSOLE, each, today=NOW.date())
        assert [holder["name"] for holder in view["holders"]] == ["Hal Hold", "Olga Own"]
    assert load(b"name\nBank\n", for_all=ForAll("nobody@x.example")).is_ok
    assert not load(b"name\nNew\n", for_all=ForAll("nobody@x.example")).is_ok


def test_a_kind_that_a_person_gave_stays_when_a_vault_is_imported_again() -> None:
    load(VAULTS["LastPass (CSV)"])
    load(b"name,kind\nBank portal,portal\n")
    assert load(VAULTS["LastPass (CSV)"]).updated == 0
    assert Credential.objects.get(name="Bank portal").kind == "portal"


def test_what_was_shown_is_not_applied_once_the_register_has_changed(kept: Path) -> None:
    Installation.objects.create(company_name="Harbour & Vale", initialised_at=NOW)
    browser = Browser(SERVER_NAME="localhost")
    browser.force_login(make_holder(Role.IT_SECURITY, "Ines Sec"))
    data = VAULTS["LastPass (CSV)"]
    shown = browser.post("/credentials/import/", {"file": io.BytesIO(data)})
    load(data)
    late = browser.post(
        "/credentials/import/",
        {"apply": "1", "digest": shown.context["report"].digest, "seal": shown.context["seal"]},
    )
    assert late.status_code == 409 and "has changed since you looked" in late.content.decode()


def test_a_forged_form_is_refused(kept: Path) -> None:
    Installation.objects.create(company_name="Harbour & Vale", initialised_at=NOW)
    browser = Browser(enforce_csrf_checks=True, SERVER_NAME="localhost")
    browser.force_login(make_holder(Role.IT_SECURITY, "Ines Sec"))
    answer = browser.post("/credentials/import/", {"file": io.BytesIO(VAULTS["LastPass (CSV)"])})
    assert answer.status_code == 403 and not Credential.objects.exists()


def test_reading_is_bounded() -> None:
    deep = b"<KeePassFile><Root>" + b"<Group>" * 200_000 + b"</Group>" * 200_000 + b"</Root></KeePassFile>"
    assert files.read(deep).bad
    wide = b"name" + b",x" * 500_000
    assert files.read(wide).bad
