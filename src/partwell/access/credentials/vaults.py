"""Reading the exports of password managers, of which everything secret is dropped while it is read.

Of an entry only its title, its address and its user name come out of here, and of the address only the host
is kept afterwards. Passwords, notes, one-time codes and custom fields are never copied; what is wrong with a
file is said without a word of it.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

SEPARATORS = (",", ";", "\t")
PLAIN_EXPORT = "Export it again, without encryption and without a password."


class Unreadable(Exception):
    """The file cannot be read; `line` where it stops, 0 for all of it. Says nothing of what it holds."""

    def __init__(self, reason: str, way_out: str, *, line: int = 0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.way_out = way_out
        self.line = line


@dataclass(frozen=True)
class Entry:
    """What is taken of one entry; `line` is its line in a CSV file, else which entry it is."""

    line: int
    name: str
    address: str
    login: str
    kind: str = ""


@dataclass(frozen=True)
class CsvVault:
    """Which columns of a password manager's CSV file are read. `known` make its header sure."""

    title: str
    known: frozenset[str]
    name: str
    address: str
    login: str
    type: str = ""
    wanted: str = ""


CSV_VAULTS = (
    CsvVault(
        "Bitwarden (CSV)",
        frozenset({"name", "login_uri", "login_username", "login_password"}),
        "name",
        "login_uri",
        "login_username",
        type="type",
        wanted="login",
    ),
    CsvVault(
        "LastPass (CSV)",
        frozenset({"url", "username", "password", "extra", "name", "grouping"}),
        "name",
        "url",
        "username",
    ),
    CsvVault(
        "KeePassXC (CSV)",
        frozenset({"group", "title", "username", "password", "url", "notes"}),
        "title",
        "url",
        "username",
    ),
    CsvVault(
        "KeePass (CSV)",
        frozenset({"account", "login name", "password", "web site", "comments"}),
        "account",
        "web site",
        "login name",
    ),
    CsvVault(
        "1Password (CSV)", frozenset({"title", "username", "password", "url"}), "title", "url", "username"
    ),
)
TITLES = (*(vault.title for vault in CSV_VAULTS), "Bitwarden (JSON)", "KeePass 2 (XML)")


def records(text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """The records of a CSV text, each with the line where it begins. Raises `Unreadable`."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            raise Unreadable(
                "a quoted cell is not closed properly, or is too large",
                "Export the file again; do not edit it in between.",
                line=line,
            ) from None
        if any(cell.strip() for cell in cells):
            yield line, cells


def vault_of(header: list[str]) -> CsvVault | None:
    """Whose export has this header (in small letters), if we know it."""
    return next((vault for vault in CSV_VAULTS if vault.known <= set(header)), None)


def read_csv(
    vault: CsvVault, header: list[str], rows: Iterator[tuple[int, list[str]]]
) -> Iterator[Entry | None]:
    """The entries of a CSV export; None for one that is no login."""
    places = {name: header.index(name) for name in (vault.name, vault.address, vault.login)}
    at_type = header.index(vault.type) if vault.type in header else -1
    for line, cells in rows:
        if len(cells) != len(header):
            raise Unreadable(
                f"it has {len(cells)} cells, the header has {len(header)}",
                "Export the file again; do not edit it in between.",
                line=line,
            )
        if at_type >= 0 and cells[at_type].strip().lower() != vault.wanted:
            yield None
            continue
        name, address, login = (cells[places[each]] for each in (vault.name, vault.address, vault.login))
        yield Entry(line, name, address, login)


def read_bitwarden(text: str) -> Iterator[Entry | None]:
    """The entries of Bitwarden's JSON; None for notes, cards and identities. Raises `Unreadable`."""
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError):
        raise Unreadable("it is no JSON that can be read", PLAIN_EXPORT) from None
    if not isinstance(whole, dict):
        raise Unreadable("it is not an export of Bitwarden", PLAIN_EXPORT)
    if whole.get("encrypted") not in (None, False):
        raise Unreadable("it is encrypted", PLAIN_EXPORT)
    items = whole.get("items")
    if not isinstance(items, list):
        raise Unreadable("it is not an export of Bitwarden: it has no list of items", PLAIN_EXPORT)
    del whole
    for number, item in enumerate(items, 1):
        yield _bitwarden_item(number, item)


LOGIN, SSH_KEY = 1, 5


def _bitwarden_item(number: int, item: object) -> Entry | None:
    if not isinstance(item, Mapping):
        raise Unreadable("it is no entry of Bitwarden", PLAIN_EXPORT, line=number)
    kind = item.get("type")
    if kind == SSH_KEY:
        return Entry(number, _said(item.get("name")), "", "", "api_key")
    if kind != LOGIN:
        return None
    login = item.get("login")
    login = login if isinstance(login, Mapping) else {}
    uris = login.get("uris")
    first = uris[0] if isinstance(uris, list) and uris else {}
    address = first.get("uri") if isinstance(first, Mapping) else ""
    return Entry(number, _said(item.get("name")), _said(address), _said(login.get("username")))


def _said(value: Any) -> str:
    return value if isinstance(value, str) else ""


def read_keepass(data: bytes) -> Iterator[Entry | None]:
    """The entries of KeePass 2's XML, those in its recycle bin and its histories left out.

    Raises `Unreadable`, also for a file with a document type: entities can make a small one enormous.
    """
    try:
        root = fromstring(data, forbid_dtd=True)
    except DefusedXmlException:
        raise Unreadable(
            "it declares a document type, which an export of KeePass does not", "Export it again."
        ) from None
    except (SyntaxError, ValueError, LookupError):
        raise Unreadable("it is no XML that can be read", "Export it again as “KeePass XML (2.x)”.") from None
    if root.tag != "KeePassFile":
        raise Unreadable("it is not an export of KeePass 2", "Export it as “KeePass XML (2.x)”.")
    bin_id = (root.findtext("Meta/RecycleBinUUID") or "").strip()
    # A stack, because nothing says how deep groups may stand in each other.
    waiting: list[Element] = list(root.findall("Root/Group"))
    number = 0
    while waiting:
        group = waiting.pop(0)
        if bin_id and (group.findtext("UUID") or "").strip() == bin_id:
            continue
        waiting[:0] = group.findall("Group")
        for entry in group.findall("Entry"):
            number += 1
            yield _keepass_entry(number, entry)


def _keepass_entry(number: int, entry: Element) -> Entry:
    found = {"Title": "", "URL": "", "UserName": ""}
    for field in entry.findall("String"):
        if (key := field.findtext("Key")) in found and key is not None:
            found[key] = field.findtext("Value") or ""
    return Entry(number, found["Title"], found["URL"], found["UserName"])
