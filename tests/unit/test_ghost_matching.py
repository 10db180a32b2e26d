"""Which accounts are ghosts: the rules, against a reading of them that asks everything of everybody."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partwell.access.ghosts.matching import (
    Departed,
    Difference,
    Fate,
    GhostKind,
    Index,
    KnownAccount,
    differences,
    judge,
)
from partwell.connector_kit.contract import Account, Nature

END = datetime(2026, 11, 27, 17, 30, tzinfo=UTC)
LATER = END + timedelta(days=3)
ADA = Departed(UUID(int=1), END)
MAIL, CHAT = 1, 2


def account(external_id: str = "9", login: str = "", **fields: object) -> Account:
    return Account(**{"external_id": external_id, "login": login, "is_active": True} | fields)


def index() -> Index:
    """Ada has left, Ben is here."""
    made = Index()
    made.add_departed(
        ADA, names=["ada.lovelace@firm.test", "ada@old.test", "alovelace"], employee_number="17"
    )
    made.add_present(names=["ben@firm.test", "ben"], employee_number="18")
    return made


def found(made: Index, of: Account, system_id: int = MAIL) -> tuple[str, str] | None:
    difference = judge(made, of, system_id=system_id)
    return None if difference is None else (difference.kind.value, difference.by)


@pytest.mark.parametrize(
    ("fields", "by"),
    [
        ({"emails": ("ADA.Lovelace@firm.test",)}, "ada.lovelace@firm.test"),
        ({"emails": ("other@firm.test", "ada@old.test")}, "ada@old.test"),
        ({"login": " ALovelace "}, "alovelace"),
        ({"login": "ada@old.test"}, "ada@old.test"),
        ({"employee_number": "17"}, "#17"),
    ],
)
def test_an_account_of_somebody_who_left_is_found_by_each_fact(fields: dict[str, object], by: str) -> None:
    assert found(index(), account(**fields)) == ("never_known", by)


def test_a_number_is_not_a_login() -> None:
    assert found(index(), account(login="17")) == ("nobodys", "")
    assert found(index(), account(login="17", employee_number="18")) is None


def test_an_account_that_was_cut_and_is_active_again_came_back() -> None:
    made = index()
    made.add_known(MAIL, "7", KnownAccount(ADA, Fate.CUT, END), login="renamed")
    assert found(made, account("7", is_active=False)) is None
    assert found(made, account("7", is_active=None)) is None
    assert found(made, account("7")) == ("came_back", "on record")
    assert found(made, account("7", login="ben@firm.test")) == ("came_back", "on record")
    assert found(made, account("7"), CHAT) == ("nobodys", "")


def test_a_login_that_was_known_in_one_system_says_nothing_in_another() -> None:
    made = index()
    made.add_known(MAIL, "7", KnownAccount(ADA, Fate.CUT, END), login="ada77")
    assert found(made, account("8", login="ada77")) == ("never_known", "ada77")
    assert found(made, account("8", login="ada77"), CHAT) == ("nobodys", "")


@pytest.mark.parametrize("fate", [Fate.OPEN, Fate.SET_ASIDE])
def test_what_is_on_the_access_page_already_is_no_ghost(fate: Fate) -> None:
    made = index()
    made.add_known(MAIL, "7", KnownAccount(ADA, fate))
    assert found(made, account("7", emails=("ada@old.test",))) is None


def test_use_after_access_end_is_told_of() -> None:
    made = index()
    made.add_known(MAIL, "7", KnownAccount(ADA, Fate.OPEN))
    made.add_known(MAIL, "8", KnownAccount(ADA, Fate.CUT, END + timedelta(hours=1)))
    for used, expected in ((END, None), (END + timedelta(minutes=5), ("still_used", "on record"))):
        assert found(made, account("7", last_used_at=used)) == expected
    before_the_proof, after_it = END + timedelta(minutes=59), END + timedelta(minutes=61)
    assert found(made, account("8", is_active=False, last_used_at=before_the_proof)) is None
    assert found(made, account("8", is_active=False, last_used_at=after_it)) == ("still_used", "on record")
    unknown = account(login="alovelace", last_used_at=LATER)
    assert found(made, unknown) == ("still_used", "alovelace")


def test_whoever_is_here_keeps_what_somebody_who_left_was_known_by() -> None:
    made = index()
    made.add_present(names=["alovelace"])
    assert found(made, account(login="alovelace", emails=("ada@old.test",))) is None


def test_an_account_without_a_person_is_nobodys_unless_it_was_made_to_be() -> None:
    assert found(index(), account(login="cy@firm.test")) == ("nobodys", "")
    assert found(index(), account(login="cy", is_active=None)) == ("nobodys", "")
    assert found(index(), account(login="backup", nature=Nature.SERVICE)) is None
    assert found(index(), account(login="root", is_protected=True)) is None
    assert found(index(), account(login="cy", is_active=False)) is None


@pytest.mark.parametrize(
    ("written", "is_near"),
    [
        ("ada.lovelcae@firm.test", True),  # two letters swapped
        ("ada.lovelac@firm.test", True),
        ("alovelaces", True),
        ("ada.lovelace@firm.tset", False),  # another domain
        ("eda.lovelace@firm.test", False),  # the first letters are taken to be right
        ("ada.lovelace2@firm.test", False),  # a number is no slip
        ("ada.byron@firm.test", False),
        ("ada", False),
    ],
)
def test_a_slip_of_the_pen_is_suggested_and_never_more(written: str, is_near: bool) -> None:
    kind = "suggested" if is_near else "nobodys"
    assert (found(index(), account(login=written)) or ("",))[0] == kind
    assert (found(index(), account(login=written, is_active=None)) or ("",))[0] == "nobodys"


# -- against a naive reading ------------------------------------------------------------------------------

WORDS = st.sampled_from(
    ["ada", "adaa", "Ada ", "ben", "ada.long", "ada.lnog", "x@f.test", "X@F.test", "17", ""]
)
MOMENTS = st.one_of(st.none(), st.integers(-3, 3).map(lambda days: END + timedelta(days=days)))
ACCOUNTS = st.builds(
    Account,
    external_id=st.sampled_from(["1", "2", "3", "4"]),
    login=WORDS,
    is_active=st.sampled_from([True, False, None]),
    emails=st.lists(WORDS, max_size=2).map(tuple),
    employee_number=st.sampled_from(["", "17", "18"]),
    last_used_at=MOMENTS,
    nature=st.sampled_from(Nature),
)
PEOPLE = st.lists(st.tuples(st.lists(WORDS, max_size=3), st.sampled_from(["", "17", "18"])), max_size=4)
KNOWN = st.lists(
    st.tuples(st.sampled_from(["1", "2"]), st.sampled_from(Fate), MOMENTS, st.integers(0, 3), WORDS),
    max_size=3,
)


def facts(names: list[str], number: str) -> set[str]:
    return {n.strip().lower() for n in names if n.strip()} | ({f"#{number}"} if number else set())


def naive(departed: list, present: list, known: list, of: Account) -> tuple[str, int] | None:
    """The rules read aloud: everything is compared with everything."""
    mine = facts([*of.emails, of.login], of.employee_number)
    here = any(mine & facts(*person) for person in present)
    on_record = [row for row in known if row[0] == of.external_id]
    if on_record:
        _, fate, gone_at, who, _ = on_record[0]
        used = of.last_used_at
        if fate is Fate.SET_ASIDE:
            return None
        if fate is Fate.CUT and of.is_active:
            return "came_back", who
        if used and (used > gone_at if gone_at else used > END and of.is_active is not False):
            return "still_used", who
        return None
    if of.is_active is False or here:
        return None
    left = [who for who, person in enumerate(departed) if mine & facts(*person)]
    by_login = [
        row[3]
        for row in known
        if row[1] is not Fate.SET_ASIDE and row[4].strip().lower() == of.login.strip().lower()
    ]
    if left or (of.login.strip() and by_login):
        return ("still_used" if of.last_used_at and of.last_used_at > END else "never_known"), -1
    return None if of.nature is Nature.SERVICE else ("nobody", -1)


@given(PEOPLE, PEOPLE, KNOWN, st.lists(ACCOUNTS, max_size=6), st.randoms(use_true_random=False))
def test_the_pass_agrees_with_comparing_everything_with_everything(
    departed, present, known, accounts, dice
) -> None:
    made = Index()
    for who, (names, number) in enumerate(departed):
        made.add_departed(Departed(UUID(int=who), END), names=names, employee_number=number)
    for names, number in present:
        made.add_present(names=names, employee_number=number)
    for external_id, fate, gone_at, who, login in known:
        made.add_known(
            MAIL, external_id, KnownAccount(Departed(UUID(int=who), END), fate, gone_at), login=login
        )
    for each in accounts:
        said = judge(made, each, system_id=MAIL)
        expected = naive(departed, present, known, each)
        if expected is None or said is None:
            assert (said, expected) == (None, None)
            continue
        kind, who = expected
        assert said.kind == kind or (kind == "nobody" and said.kind in ("suggested", "nobodys"))
        assert who < 0 or said.departed == Departed(UUID(int=who), END)
        # A guess is made of what nobody has, and never where the account is not known to be active.
        assert said.kind is not GhostKind.SUGGESTED or (kind == "nobody" and each.is_active)
    shuffled = dice.sample(accounts, len(accounts))
    assert in_any_order(differences(made, accounts, system_id=MAIL)) == in_any_order(
        differences(made, shuffled, system_id=MAIL)
    )


def in_any_order(found: object) -> list[str]:
    return sorted(map(repr, found))  # type: ignore[call-overload]


def test_of_two_who_left_by_the_same_name_it_stands_for_the_last() -> None:
    made = index()
    last = Departed(UUID(int=2), LATER)
    made.add_departed(last, names=["alovelace"])
    made.add_departed(ADA, names=["alovelace"])
    assert judge(made, account(login="alovelace"), system_id=MAIL) == Difference(
        account(login="alovelace"), GhostKind.NEVER_KNOWN, last, "alovelace"
    )
