"""Which of a system's accounts are ghosts. Pure: no database, no clock, no network.

An `Index` knows everybody who has left, everybody who is here, and the accounts that departures know of.
`differences` passes over accounts once and yields only what needs somebody. An account is judged by the
strongest thing that is known of it:

1. its identifier in that system is on record with a departure: what became of it there decides;
2. somebody who is here is known by one of its addresses, names or numbers: it is theirs;
3. somebody who has left is: no departure knew of it;
4. nobody is: then a near miss of somebody who has left is suggested, or it is nobody's.

Facts match exactly, in one spelling (`one_spelling`). Only the last rule guesses, and says that it does.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from rapidfuzz import process
from rapidfuzz.distance import OSA

from partwell.connector_kit.contract import Account, Nature

# Two letters at the front are taken to be right; with the domain they keep near misses few to look through.
PREFIX = 2
# A name this short has too many neighbours to guess from.
SHORTEST_GUESS = 4


# What an account is known by that only a person's word ties to somebody.
BY_WORD = "said to be theirs"


class GhostKind(StrEnum):
    """What is the matter with an account."""

    CAME_BACK = "came_back"  # it was cut, and is active again
    STILL_USED = "still_used"  # it was used after access had ended
    NEVER_KNOWN = "never_known"  # it is of somebody who has left, and no departure knew of it
    SUGGESTED = "suggested"  # nobody's, and spelled almost as somebody who has left: a guess
    NOBODYS = "nobodys"  # it is of nobody who is here or has left


class Fate(StrEnum):
    """What became of an account that a departure knows of."""

    CUT = "cut"  # it was proven closed, or a person said so
    OPEN = "open"  # it is on the access page, and waits there
    SET_ASIDE = "set aside"  # a person said that it is not the leaver's


@dataclass(frozen=True, slots=True)
class Departed:
    """Somebody whose access has ended."""

    departure_id: UUID
    access_end_at: datetime


@dataclass(frozen=True, slots=True)
class KnownAccount:
    """An account on record with a departure. `gone_at` is when it was proven gone, if it was."""

    departed: Departed
    fate: Fate
    gone_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """One account that needs somebody. `by` is the fact that matched, or that is almost the same."""

    account: Account
    kind: GhostKind
    departed: Departed | None = None
    by: str = ""


def one_spelling(text: str) -> str:
    """The text as it is compared: without spaces around it, case and Unicode forms made alike."""
    text = text.strip()
    return text.lower() if text.isascii() else unicodedata.normalize("NFKC", text).casefold()


def number_key(number: str) -> str:
    """An employee number, apart from names: “1042” may be a login of somebody else."""
    return f"#{one_spelling(number)}" if number.strip() else ""


def _login_key(system_id: int, login: str) -> str:
    """A login that was once known in one system; another system may have given it to another person."""
    return f"{system_id}/{one_spelling(login)}"


class Index:
    """Everybody who has left or is here, by the facts they are known by."""

    def __init__(self) -> None:
        self._departed: dict[str, Departed] = {}
        self._people: dict[int, Departed] = {}
        self._known: dict[int, dict[str, KnownAccount]] = {}
        # Of those who are here only whether a fact is theirs is asked, so 64 bits of it are kept: in some ten
        # million passes over a million accounts, one account of nobody passes for theirs.
        self._present: set[int] = set()
        # Most blocks hold one name, which then needs no list of its own.
        self._blocks: dict[int, str | list[str]] = {}

    def add_departed(self, who: Departed, *, names: Iterable[str] = (), employee_number: str = "") -> None:
        """Somebody who has left: `names` are their addresses, aliases and user names.

        Where two have left by the same name, it stands for the one who left last.
        """
        for key in (*map(one_spelling, names), number_key(employee_number)):
            if not key:
                continue
            before = self._departed.get(key)
            if before is None:
                if key[0] != "#":
                    self._add_to_block(key)
            elif before.access_end_at >= who.access_end_at:
                continue
            self._departed[key] = who

    def _add_to_block(self, key: str) -> None:
        block = _block(key)
        if block is None:
            return
        there = self._blocks.setdefault(block, key)
        if isinstance(there, list):
            there.append(key)
        elif there is not key:
            self._blocks[block] = [there, key]

    def add_leaver(self, person_id: int, who: Departed) -> None:
        """An entry of the register whose access has ended."""
        self._people[person_id] = who

    def leaver(self, person_id: int) -> Departed | None:
        """As what this entry of the register has left, or None for somebody who is here."""
        return self._people.get(person_id)

    def add_known(self, system_id: int, external_id: str, account: KnownAccount, *, login: str = "") -> None:
        """An account that a departure knows of. Its login stands for the leaver in that system alone."""
        accounts = self._known.setdefault(system_id, {})
        before = accounts.get(external_id)
        if before is None or before.departed.access_end_at < account.departed.access_end_at:
            accounts[external_id] = account
        is_new = self._departed.get(one_spelling(login)) is not account.departed
        if login and is_new and account.fate is not Fate.SET_ASIDE:
            self._departed.setdefault(_login_key(system_id, login), account.departed)

    def add_present(self, *, names: Iterable[str] = (), employee_number: str = "") -> None:
        """Somebody who is here, or whose access has not ended yet."""
        self._present.update(hash(key) for key in map(one_spelling, names) if key)
        if employee_number.strip():
            self._present.add(hash(number_key(employee_number)))

    def known(self, system_id: int, external_id: str) -> KnownAccount | None:
        """What a departure has on record of this very account."""
        accounts = self._known.get(system_id)
        return None if accounts is None else accounts.get(external_id)

    def is_here(self, account: Account) -> bool:
        """Whether somebody who is here is known by one of the account's facts; most are, by the first."""
        present = self._present
        for text in account.emails:
            if hash(one_spelling(text)) in present:
                return True
        number = account.employee_number
        return hash(one_spelling(account.login)) in present or (
            bool(number) and hash(number_key(number)) in present
        )

    def departed(self, system_id: int, keys: Iterable[str], login: str) -> tuple[Departed, str] | None:
        """Who has left and is known by one of these, and by which."""
        for key in keys:
            if (who := self._departed.get(key)) is not None:
                return who, key
        if login and (who := self._departed.get(_login_key(system_id, login))) is not None:
            return who, one_spelling(login)
        return None

    def near(self, keys: Iterable[str]) -> tuple[Departed, str] | None:
        """Who has left and is known by almost one of these names, and by what; the nearest, then the first.

        Numbers stand in no block: one that is almost right is somebody else's.
        """
        found: list[tuple[float, str]] = []
        for key in keys:
            block = _block(key)
            names = None if block is None else self._blocks.get(block)
            if names is None:
                continue
            most = 1 if len(key.partition("@")[0]) < 2 * SHORTEST_GUESS else 2
            choices = [names] if isinstance(names, str) else names
            nearest = process.extractOne(key, choices, scorer=OSA.distance, score_cutoff=most)
            if nearest is not None:
                found.append((nearest[1], nearest[0]))
        if not found:
            return None
        _, key = min(found)
        return self._departed[key], key


def _block(key: str) -> int | None:
    """Within what near misses are looked for: the same domain, the same first letters, the same digits, as
    one hash; two blocks that fall together only give more names to compare.

    `smith1` is no slip for `smith2`. None for what is too short to guess from.
    """
    local, _, domain = key.partition("@")
    if len(local) < SHORTEST_GUESS:
        return None
    return hash((domain, local[:PREFIX], "".join(filter(str.isdigit, local))))


def keys_of(account: Account) -> list[str]:
    """By what an account may be somebody's: its addresses, its login, its number."""
    names = map(one_spelling, (*account.emails, account.login))
    return list(dict.fromkeys(key for key in (*names, number_key(account.employee_number)) if key))


def differences(index: Index, accounts: Iterable[Account], *, system_id: int) -> Iterator[Difference]:
    """The accounts among these that need somebody, in their order."""
    for account in accounts:
        if (found := judge(index, account, system_id=system_id)) is not None:
            yield found


def judge(index: Index, account: Account, *, system_id: int) -> Difference | None:
    """What is the matter with one account, or None when nothing is."""
    known = index.known(system_id, account.external_id)
    if known is not None:
        kind = _of_known(account, known)
        return Difference(account, kind, known.departed, "on record") if kind else None
    if account.is_active is False:
        return None
    if index.is_here(account):
        return None
    keys = keys_of(account)
    if (match := index.departed(system_id, keys, account.login)) is not None:
        return _unknown(account, *match)
    if account.nature is Nature.SERVICE or account.is_protected:
        return None  # made to be nobody's
    # Where a system does not say whether an account is active, a guess would say too much.
    if account.is_active and (guess := index.near(keys)) is not None:
        return Difference(account, GhostKind.SUGGESTED, guess[0], guess[1])
    return Difference(account, GhostKind.NOBODYS)


def as_said(account: Account, who: Departed) -> Difference:
    """What is the matter with an account that a person said is theirs, once they have left."""
    return _unknown(account, who, BY_WORD)


def _unknown(account: Account, who: Departed, by: str) -> Difference:
    used = account.last_used_at is not None and account.last_used_at > who.access_end_at
    return Difference(account, GhostKind.STILL_USED if used else GhostKind.NEVER_KNOWN, who, by)


def _of_known(account: Account, known: KnownAccount) -> GhostKind | None:
    if known.fate is Fate.SET_ASIDE:
        return None
    if known.fate is Fate.CUT and account.is_active:
        return GhostKind.CAME_BACK
    used_at = account.last_used_at
    if used_at is None:
        return None
    if known.gone_at is not None:
        # Between access end and the proof it was open, and that is on record as time to revoke.
        return GhostKind.STILL_USED if used_at > known.gone_at else None
    if account.is_active is False:
        return None
    return GhostKind.STILL_USED if used_at > known.departed.access_end_at else None
