"""Proof 13, the reading half: who reads what. Canary words stand in every personal or inside field of
departures of each kind; everybody reads every page, answer, file, pack, mail and command, and no word may
come back to somebody whom the matrix file does not name for it. A hidden departure changes nothing at all.

The oracle reads the file by itself. One thing is outside of it: the record is one for the whole installation,
so its size and root grow with whatever happens, hidden or not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.db import transaction
from django.db.models import Q

from partwell.departures.models import Departure
from partwell.people.authorisation import load_matrix
from partwell.people.models import Installation
from partwell.people.queries import nearest_holders
from partwell.refusals import NotAllowed
from tests.factories import NOW
from tests.reading.commands import COMMANDS, EXPORTS, said
from tests.reading.hiding import ask_for_hidden, compare_with_never
from tests.reading.looking import Seen, judge, lock_outs, look
from tests.reading.mails import judge_every_mail
from tests.reading.places import places_for
from tests.reading.readers import Reader, reading_as
from tests.reading.stage import HIDDEN, ReadingStage, build_reading_stage

pytestmark = pytest.mark.django_db

# In a short run: whose part is played at the console, and who would notice by lists, counts and settings.
PLAYED = {"granted hr", "granted finance", "takes part as it_security", "mighty leaver of normal", "stranger"}
NOTICING = {"granted hr", "granted admin", "leaver of restricted"}


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
    compared, different = compare_with_never(
        whole, whole.outsiders if whole.long else _named(whole, NOTICING)
    )
    figure(f"proof 13, hiding: {compared:,} answers the same as if it had never been")
    assert not different, "\n".join(different[:40])


def test_what_is_hidden_answers_as_what_never_was(whole: ReadingStage, figure: Callable[[str], None]) -> None:
    names = {"granted hr", "mighty leaver of restricted", "helper guest of normal", "nobody"}
    compared, different = ask_for_hidden(whole, whole.outsiders if whole.long else _named(whole, names))
    figure(f"proof 13, hiding: {compared:,} answers the same as for an id that nobody has")
    assert not different, "\n".join(different[:40])


def test_a_mail_tells_its_reader_no_more_than_their_pages(
    whole: ReadingStage, figure: Callable[[str], None]
) -> None:
    count, kinds, leaks = judge_every_mail(whole)
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
        ("partwell.people.actors.register_entry", lambda user: user.person_id),
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
        "granted executive",
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


def every_holder(role: Any, departures: Iterable[Departure]) -> dict[Any, list[Any]]:
    """Whoever holds the role, whether or not the departure exists for them."""
    return {departure.pk: nearest_holders().get(role, []) for departure in departures}


@pytest.mark.parametrize(
    ("target", "loosened"),
    [
        ("partwell.journeys.correspondence.answerable", every_holder),
        ("partwell.journeys.messages.is_own_account", lambda user, departure: False),
    ],
)
def test_the_proof_sees_mail_to_somebody_who_takes_no_part(
    target: str, loosened: Any, whole: ReadingStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(target, loosened)
    assert judge_every_mail(whole)[2]


COUNTED: dict[str, tuple[Loosen, str, str]] = {
    "journeys of a template": (
        ("partwell.journeys.template_queries.visibility", lambda *_, **__: Q()),
        "granted admin",
        "templates",
    ),
    "accounts in a system": (
        ("partwell.access.queries.visibility", lambda *_, **__: Q()),
        "granted admin",
        "system",
    ),
    "mails in the outbox": (
        ("partwell.web.settings.scopes_of_others", lambda actor: []),
        "granted admin",
        "settings",
    ),
    "departures in flight": (
        ("partwell.web.context.visible_departures", lambda actor: Departure.objects.all()),
        "granted hr",
        "home",
    ),
    "a person who leaves already": (
        ("partwell.journeys.operations.starting.visible_departures", lambda actor: Departure.objects.all()),
        "granted hr",
        "healthz",
    ),
}


@pytest.mark.parametrize("what", COUNTED)
def test_the_proof_sees_what_is_counted_with_a_hidden_departure(
    what: str, whole: ReadingStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    (target, loosened), name, door = COUNTED[what]
    monkeypatch.setattr(target, loosened)
    _, different = compare_with_never(whole, [whole.reader(name)], only={door})
    assert different


def test_the_proof_sees_an_answer_that_tells_hidden_from_missing(
    whole: ReadingStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusal = NotAllowed("hidden", "This departure is for its participants.")
    monkeypatch.setattr("partwell.departures.policies.NotFound", lambda kind: refusal)
    _, different = ask_for_hidden(whole, [whole.reader("granted hr")], only={"journey"})
    assert different


# --- How it is looked at -------------------------------------------------------------------------------


def _named(whole: ReadingStage, names: set[str]) -> list[Reader]:
    return [whole.reader(name) for name in sorted(names)]


def _commands(whole: ReadingStage, scenes: set[str]) -> Iterator[list[str]]:
    for words in (*COMMANDS, *EXPORTS):
        ids = [str(whole.stage.scenes[name].departure.pk) for name in scenes] if "{}" in words else [""]
        more = [] if words in EXPORTS else ["--json"]
        for pk in ids:
            yield [*(word.format(pk) for word in words), *more]


def _access_for(role: str) -> Any:
    matrix = load_matrix()
    row = matrix.operations["access.view"]
    loose = replace(row, allow=row.allow | {role})
    return replace(matrix, operations={**matrix.operations, "access.view": loose})
