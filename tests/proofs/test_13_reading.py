"""Proof 13, the reading half: who reads what. Canary words stand in every personal or inside field of
departures of each kind; everybody reads every page, answer, file, pack, mail and command, and no word may
come back to somebody whom the matrix file does not name for it. A hidden departure changes nothing at all.

The oracle reads the file by itself. One thing is outside of it: the record is one for the whole installation,
so its size and root grow with whatever happens, hidden or not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.db import transaction
from django.db.models import Q

from partwell.departures.models import Departure, GuestLink
from partwell.people.models import Installation
from partwell.people.queries import nearest_holders
from partwell.refusals import NotAllowed
from tests.factories import NOW
from tests.reading.asking import ask, bare
from tests.reading.commands import COMMANDS, EXPORTS, said
from tests.reading.doors import API, Address, api_calls
from tests.reading.looking import Seen, judge, lock_outs, look
from tests.reading.mails import judge_mails, send_every_mail
from tests.reading.places import places_for
from tests.reading.readers import Reader, reading_as
from tests.reading.stage import HIDDEN, ReadingStage, build_reading_stage, unmake

pytestmark = pytest.mark.django_db

# One reads the events themselves, which a departure that never was would not have left; the other shows a new
# secret each time.
NEVER_THE_SAME = {"api/v1/evidence/verify", "mfa_activate_totp"}
# In a short run: whose part is played at the console, and who would notice by lists, counts and settings.
PLAYED = {"granted hr", "granted finance", "takes part as it_security", "mighty leaver of normal", "stranger"}
NOTICING = {"granted hr", "granted it_security", "granted admin", "leaver of restricted", "stranger"}


@pytest.fixture(scope="module")
def whole(django_db_setup: None, django_db_blocker: Any, long: bool) -> Iterator[ReadingStage]:
    with django_db_blocker.unblock(), time_machine.travel(NOW, tick=False), transaction.atomic():
        yield build_reading_stage(long=long)
        transaction.set_rollback(True)


def test_everybody_reads_what_the_matrix_allows_and_nothing_else(
    whole: ReadingStage, figure: Callable[[str], None]
) -> None:
    seen, locked = Seen(), []
    for reader in whole.readers:
        look(reader, whole.addresses_for(reader), whole.stage, whole.canaries, seen)
        places = places_for(reader, whole.canaries, long=whole.long)
        locked += lock_outs(reader, places, whole.scenes_for(reader), whole.stage, whole.canaries, seen)
    words = len(whole.canaries.words) + len(whole.canaries.secrets)
    figure(
        f"proof 13, reading: {len(whole.doors)} addresses, {seen.pages:,} answers to {len(whole.readers)} "
        f"readers × {words} words looked for, {len(seen.leaks)} leaks, {len(locked)} lock-outs"
    )
    assert not seen.leaks, "\n".join(sorted(set(seen.leaks))[:40])
    assert not locked, "\n".join(locked[:40])


def test_a_hidden_departure_changes_nothing_that_an_outsider_sees(
    whole: ReadingStage, figure: Callable[[str], None]
) -> None:
    compared, different = _compare(whole, whole.outsiders if whole.long else _named(whole, NOTICING))
    figure(f"proof 13, hiding: {compared:,} answers the same as if it had never been")
    assert not different, "\n".join(different[:40])


def test_what_is_hidden_answers_as_what_never_was(whole: ReadingStage, figure: Callable[[str], None]) -> None:
    names = {"granted hr", "mighty leaver of restricted", "helper guest of normal", "nobody"}
    compared, different = _ask_for_hidden(whole, whole.outsiders if whole.long else _named(whole, names))
    figure(f"proof 13, hiding: {compared:,} answers the same as for an id that nobody has")
    assert not different, "\n".join(different[:40])


def test_a_mail_tells_its_reader_no_more_than_their_pages(
    whole: ReadingStage, figure: Callable[[str], None]
) -> None:
    mark = transaction.savepoint()
    send_every_mail(whole)
    count, kinds, leaks = judge_mails(whole)
    transaction.savepoint_rollback(mark)
    figure(f"proof 13, mail: {count} mails of {len(kinds)} kinds, {len(leaks)} leaks")
    assert not leaks, "\n".join(leaks[:40])
    assert kinds >= {"step_assigned", "step_due", "step_overdue", "step_escalated", "guest_link"}
    assert kinds >= {"access_alert", "closing_statement", "invitation"}


def test_a_command_played_as_somebody_tells_them_no_more_than_their_pages(
    whole: ReadingStage, figure: Callable[[str], None]
) -> None:
    seen = Seen()
    players = [reader for reader in whole.readers if reader.user and (whole.long or reader.name in PLAYED)]
    Installation.objects.update(is_practice=True)
    for reader in players:
        with reading_as(reader):
            for words in _commands(whole, whole.scenes_for(reader)):
                seen.pages += 1
                for canary in whole.canaries.found_in(said(reader, *words)):
                    judge(reader, canary, whole.stage, seen, where=" ".join(words))
    figure(f"proof 13, commands: {seen.pages} as {len(players)} people, {len(seen.leaks)} leaks")
    assert not seen.leaks, "\n".join(sorted(set(seen.leaks))[:40])


def test_a_command_tells_nobody_that_a_departure_is_hidden(whole: ReadingStage) -> None:
    Installation.objects.update(is_practice=True)
    hidden, nobodys = str(whole.hidden.departure.pk), str(uuid4())
    for name in ("granted hr", "mighty leaver of restricted"):
        with reading_as(reader := whole.reader(name)):
            for cut in (8, 36):
                for words in (words for words in COMMANDS if "{}" in words):
                    one = said(reader, *(word.format(hidden[:cut]) for word in words))
                    other = said(reader, *(word.format(nobodys[:cut]) for word in words))
                    assert one.replace(hidden[:cut], "") == other.replace(nobodys[:cut], ""), words


# --- Each rule, once it is loose, is seen --------------------------------------------------------------

Loosen = tuple[str, Any]
LOOSE: dict[str, tuple[Loosen, str, set[str]]] = {
    "all departures are listed for all": (
        ("partwell.departures.policies.visibility", lambda actor, **_: Q()),
        "stranger",
        {"departures", "home", "api/v1/journeys"},
    ),
    "the reason is for everybody": (
        ("partwell.departures.policies.may_read_field", lambda actor, name, held: True),
        "granted executive",
        {"journey", "api/v1/journeys/{journey_id}/events"},
    ),
    "search forgets who takes part": (
        ("partwell.web.find.visible_departures", lambda actor: Departure.objects.all()),
        "granted hr",
        {"find"},
    ),
    "the one who leaves counts as what they were granted": (
        ("partwell.departures.policies.is_leaver", lambda actor, departure: False),
        "mighty leaver of normal",
        {"journey", "step"},
    ),
    "another account of the one who leaves is nobody's": (
        ("partwell.people.actors._register_entry", lambda user: user.person_id),
        "mighty leaver of normal by another account",
        {"journey", "departures"},
    ),
    "what keeps a journey open names the accounts": (
        ("partwell.journeys.operations.ending.load_matrix", lambda: _access_for("finance")),
        "granted finance",
        {"journey_override"},
    ),
    "a pack for outside holds every field": (
        ("partwell.closure.packs.shows_field", lambda *_, **__: True),
        "granted legal",
        {"api/v1/journeys/{journey_id}/pack"},
    ),
}


@pytest.mark.parametrize("rule", LOOSE)
def test_the_proof_sees_one_loosened_rule(
    rule: str, whole: ReadingStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    (target, loosened), name, doors = LOOSE[rule]
    reader, seen = whole.reader(name), Seen()
    found = [door for door in whole.doors if door.name in doors]
    assert {door.name for door in found} == doors
    addresses = whole.addresses({"normal", HIDDEN}, doors=found)
    look(reader, addresses, whole.stage, whole.canaries, seen)
    assert not seen.leaks
    monkeypatch.setattr(target, loosened)
    look(reader, addresses, whole.stage, whole.canaries, seen)
    assert seen.leaks


def test_the_proof_sees_mail_to_somebody_who_takes_no_part(
    whole: ReadingStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def every_holder(role: Any, departures: Iterable[Departure]) -> dict[Any, list[Any]]:
        return {departure.pk: nearest_holders().get(role, []) for departure in departures}

    monkeypatch.setattr("partwell.journeys.correspondence.answerable", every_holder)
    mark = transaction.savepoint()
    send_every_mail(whole)
    _, _, leaks = judge_mails(whole)
    transaction.savepoint_rollback(mark)
    assert leaks


def test_the_proof_sees_a_count_that_a_hidden_departure_raises(
    whole: ReadingStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("partwell.journeys.template_queries.visibility", lambda actor, **_: Q())
    _, different = _compare(whole, [whole.reader("granted hr")], only={"templates", "template"})
    assert different


def test_the_proof_sees_an_answer_that_tells_hidden_from_missing(
    whole: ReadingStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusal = NotAllowed("hidden", "This departure is for its participants.")
    monkeypatch.setattr("partwell.departures.policies.NotFound", lambda kind: refusal)
    _, different = _ask_for_hidden(whole, [whole.reader("granted hr")], only={"journey"})
    assert different


# --- How it is looked at -------------------------------------------------------------------------------


def _named(whole: ReadingStage, names: set[str]) -> list[Reader]:
    return [whole.reader(name) for name in sorted(names)]


def _compare(
    whole: ReadingStage, readers: list[Reader], *, only: set[str] | None = None
) -> tuple[int, list[str]]:
    """What each reader is shown while the hidden departure is under way, and as if it had never been."""
    mark = transaction.savepoint()
    # Invited ones know; here the one who leaves does not.
    GuestLink.objects.filter(departure=whole.hidden.departure).delete()
    doors = [
        door
        for door in whole.doors
        if door.name not in NEVER_THE_SAME and (only is None or door.name in only)
    ]
    others = {"normal", "client"} if whole.long else set()
    addresses = [a for a in whole.addresses(others, doors=doors) if _is_of_others(a, whole)]
    with_it = {reader.name: _read_all(reader, addresses) for reader in readers}
    unmake(whole.hidden)
    without = {reader.name: _read_all(reader, addresses) for reader in readers}
    transaction.savepoint_rollback(mark)
    different = [
        f"{name} sees a difference at {path}"
        for name, answers in with_it.items()
        for path, answer in answers.items()
        if answer != without[name][path]
    ]
    return sum(len(answers) for answers in with_it.values()), different


def _is_of_others(address: Address, whole: ReadingStage) -> bool:
    """A notice about somebody whose departure never was would wait for HR, and so it never was either."""
    gone = {str(pk) for pk in whole.hidden.departure.person.notices.values_list("pk", flat=True)}
    return not any(pk in address.path for pk in gone)


def _read_all(reader: Reader, addresses: list[Address]) -> dict[str, Any]:
    with reading_as(reader) as browser:
        return {address.path: bare(ask(browser, reader, address.path)) for address in addresses}


def _ask_for_hidden(
    whole: ReadingStage, readers: list[Reader], *, only: set[str] | None = None
) -> tuple[int, list[str]]:
    """What each reader is answered for the hidden departure's id, and for an id that nobody has."""
    hidden, nobodys = str(whole.hidden.departure.pk), str(uuid4())
    pages = [door for door in (*whole.doors, *whole.forms) if not door.route.startswith(API)]
    doors = [(method, door) for door in pages for method in ("get", "post")]
    calls = [
        (method, address)
        for method, door in (*doors, *api_calls())
        if door.is_of_a_departure and (only is None or door.name in only)
        for address in whole.addresses({HIDDEN}, doors=[door], deep=2)
    ]
    different = []
    for reader in readers:
        with reading_as(reader) as browser:
            for method, address in calls:
                path = address.path.replace(hidden, nobodys)
                one = bare(ask(browser, reader, address.path, method=method), hidden)
                other = bare(ask(browser, reader, path, method=method), nobodys)
                if one != other:
                    different.append(f"{reader.name} is told the difference by {method} {address.path}")
    return len(calls) * len(readers), different


def _commands(whole: ReadingStage, scenes: set[str]) -> Iterator[list[str]]:
    for words in (*COMMANDS, *EXPORTS):
        ids = [str(whole.stage.scenes[name].departure.pk) for name in scenes] if "{}" in words else [""]
        more = [] if words in EXPORTS else ["--json"]
        for pk in ids:
            yield [*(word.format(pk) for word in words), *more]


def _access_for(role: str) -> Any:
    from dataclasses import replace

    from partwell.people.authorisation import load_matrix

    matrix = load_matrix()
    row = matrix.operations["access.view"]
    loose = replace(row, allow=row.allow | {role})
    return replace(matrix, operations={**matrix.operations, "access.view": loose})
