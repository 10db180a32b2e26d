"""What one cell may hold: each function takes the cell's text, cleaned, and gives the value to store."""

from __future__ import annotations

import re
import unicodedata
from datetime import date
from functools import lru_cache
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from partwell.clock import is_known_country, is_timezone

# Spreadsheets run cells that begin so. The wide forms count too: some turn them into the plain ones.
FORMULA_STARTS = "=+-@\t\r\n＝＋－＠"
MARK = "'"
EARLIEST, LATEST = date(1900, 1, 1), date(2200, 1, 1)
LONGEST_NOTICE_DAYS = 3650
_ISO_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class BadValue(Exception):
    """Why a cell cannot be taken, and what to write instead; `value` when only a part of it is at fault."""

    def __init__(self, reason: str, way_out: str, value: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.way_out = way_out
        self.value = value


# Parts of words in some scripts, so they stay although nobody sees them.
JOINERS = "\u200c\u200d"
UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})


def clean(cell: str) -> str:
    """The cell without the mark that an export set, in one Unicode form, without spaces around it.

    Raises `BadValue` for characters that nobody can see: they make two equal-looking values differ.
    """
    text = unicodedata.normalize("NFC", unmark(cell)).strip()
    if not text.isascii() or not text.isprintable():
        for character in text:
            if unicodedata.category(character) in UNSEEN and character not in JOINERS:
                raise BadValue(
                    f"it contains the invisible character U+{ord(character):04X}", "Type the value afresh."
                )
    return text


def mark(text: str) -> str:
    """The text as an export writes it: a leading apostrophe before what a spreadsheet would run."""
    text = text.replace("\x00", "\ufffd")
    risky = text.lstrip(" \u00a0")[:1]
    return MARK + text if risky and (risky in FORMULA_STARTS or risky == MARK) else text


def unmark(cell: str) -> str:
    """The text as it was before `mark`."""
    risky = cell[1:].lstrip(" \u00a0")[:1]
    if cell.startswith(MARK) and risky and (risky in FORMULA_STARTS or risky == MARK):
        return cell[1:]
    return cell


@lru_cache(maxsize=4096)
def email(text: str) -> str:
    """The address in small letters."""
    address = text.lower()
    try:
        validate_email(address)
    except ValidationError:
        raise BadValue("it is no e-mail address", "Write it as name@example.com.") from None
    if len(address) > 254:
        raise BadValue("it is longer than 254 characters", "Use the address that mail really reaches.")
    return address


def emails(text: str) -> tuple[str, ...]:
    """Several addresses, separated by semicolons, in order and each once."""
    found = []
    for part in text.split(";"):
        if address := clean(part):
            try:
                found.append(email(address))
            except BadValue as bad:
                raise BadValue(
                    f"“{address}” in it is no e-mail address", "Separate several addresses with ;", address
                ) from bad
    return tuple(dict.fromkeys(found))


@lru_cache(maxsize=4096)
def iso_date(text: str) -> date:
    """A calendar date, written year-month-day."""
    try:
        if not _ISO_DATE.fullmatch(text):
            raise ValueError
        day = date.fromisoformat(text)
    except ValueError:
        raise BadValue(
            "it is no date of the form year-month-day", "Write it as 2026-03-31; other orders can be misread."
        ) from None
    if not EARLIEST <= day <= LATEST:
        raise BadValue("the year cannot be right", f"Use a date from {EARLIEST} to {LATEST}.")
    return day


@lru_cache(maxsize=1024)
def country(text: str) -> str:
    """An ISO 3166 code of two letters, in capitals."""
    code = text.upper()
    if not is_known_country(code):
        hint = (
            "Great Britain is GB." if code == "UK" else "Use the two-letter ISO 3166 code, such as DE or US."
        )
        raise BadValue("it is no country code", hint)
    return code


@lru_cache(maxsize=1024)
def timezone(text: str) -> str:
    """The name of a timezone in the IANA database."""
    if not is_timezone(text):
        raise BadValue("it is no timezone", "Use a name of the IANA database, such as Europe/Berlin.")
    return text


def days(text: str) -> int:
    """A whole number of days."""
    if not (text.isascii() and text.isdigit() and len(text) < 6 and int(text) <= LONGEST_NOTICE_DAYS):
        raise BadValue("it is no number of days", f"Write a whole number from 0 to {LONGEST_NOTICE_DAYS}.")
    return int(text)


def shown(value: Any) -> str:
    """A stored value as a cell's text, before it is marked; the inverse of the functions above."""
    if value is None:
        return ""
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, tuple):
        return ";".join(value)
    return str(value)
