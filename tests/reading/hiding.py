"""Whether anything tells an outsider that a departure is hidden: whole answers are compared."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

from django.db import transaction

from partwell.departures.models import GuestLink, Notice
from tests.factories import LAST_DAY, NOW
from tests.reading.asking import ask, bare
from tests.reading.doors import API, Address, Door, api_calls
from tests.reading.readers import Reader, reading_as
from tests.reading.stage import HIDDEN, ReadingStage, unmake

_ID = re.compile(rb"[0-9a-f]{8}-[0-9a-f-]{27}")
# One reads the events themselves, which a departure that never was would not have left; the other shows a new
# secret each time.
NEVER_THE_SAME = {"api/v1/evidence/verify", "mfa_activate_totp"}


def compare_with_never(
    whole: ReadingStage, readers: list[Reader], *, only: set[str] | None = None
) -> tuple[int, list[str]]:
    """What each reader is shown while the hidden departure is under way, and as if it had never been."""
    mark = transaction.savepoint()
    # Invited ones know; here the one who leaves does not.
    GuestLink.objects.filter(departure=whole.hidden.departure).delete()
    wanted = [door for door in whole.doors if door.name not in NEVER_THE_SAME]
    doors = [door for door in wanted if only is None or door.name in only]
    others = {"normal", "client"} if whole.long else set()
    notices = _hidden_notices(whole)
    addresses = [
        address
        for address in whole.addresses(others, doors=doors)
        # Without the departure the notice would wait for HR, as it should: so it never was either.
        if not any(pk in address.path for pk in notices)
    ]
    subject = whole.hidden.departure.person.email
    with_it = {reader.name: dict(_read_all(reader, addresses, subject)) for reader in readers}
    unmake(whole.hidden)
    without = {reader.name: dict(_read_all(reader, addresses, subject)) for reader in readers}
    transaction.savepoint_rollback(mark)
    different = [
        f"{name} sees a difference at {path}"
        for name, answers in with_it.items()
        for path, answer in answers.items()
        if answer != without[name][path]
    ]
    return sum(len(answers) for answers in with_it.values()), different


def _read_all(reader: Reader, addresses: list[Address], subject: str) -> Iterator[tuple[str, Any]]:
    """Every address, and the plan of a departure of this very person, which is looked at and not begun."""
    day, last = NOW.date().isoformat(), LAST_DAY.isoformat()
    form = {"template": "small", "subject": subject, "notice_date": day, "last_day": last, "look": "1"}
    call = {"template": "small", "person": subject, "notice_date": day, "last_working_day": last}
    with reading_as(reader) as browser:
        for address in addresses:
            yield address.path, bare(ask(browser, reader, address.path))
        # A plan that nobody has begun has an id of its own each time.
        status, headers, body = bare(browser.post("/departures/new/", form))
        yield "the plan", (status, headers, _ID.sub(b"ID", body))
        token = {"Authorization": f"Bearer {reader.secret}"}
        said = browser.post(f"/{API}journeys?dry_run=true", call, "application/json", headers=token)
        yield "the plan by program", bare(said)


def ask_for_hidden(
    whole: ReadingStage, readers: list[Reader], *, only: set[str] | None = None
) -> tuple[int, list[str]]:
    """What each reader is answered for the hidden departure's id, and for an id that nobody has."""
    hidden, nobodys = [str(whole.hidden.departure.pk), *_hidden_notices(whole)], str(uuid4())
    calls = [
        (method, address.path)
        for method, door in _calls(whole)
        if only is None or door.name in only
        for address in whole.addresses({HIDDEN}, doors=[door], deep=2)
        if any(pk in address.path for pk in hidden)
    ]
    different = []
    for reader in readers:
        with reading_as(reader) as browser:
            for method, path in calls:
                asked = next(pk for pk in hidden if pk in path)
                one = bare(ask(browser, reader, path, method=method), asked)
                other = bare(ask(browser, reader, path.replace(asked, nobodys), method=method), nobodys)
                if one != other:
                    different.append(f"{reader.name} is told the difference by {method} {path}")
    return len(calls) * len(readers), different


def _calls(whole: ReadingStage) -> Iterator[tuple[str, Door]]:
    """Pages as a browser reads them, as htmx does, and as forms are sent to them; and the API's calls."""
    for door in (*whole.doors, *whole.forms):
        if not door.route.startswith(API):
            for method in ("get", "htmx", "post"):
                yield method, door
    yield from api_calls()


def _hidden_notices(whole: ReadingStage) -> list[str]:
    found = Notice.objects.filter(person=whole.hidden.departure.person)
    return [str(pk) for pk in found.values_list("pk", flat=True)]
