"""The rules of cutting access, without a database."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partwell.access.states import SETTLED, TRANSITIONS, AccessState, check_move, weakest
from partwell.connector_kit.contract import Account, Entitlement, Reversibility, Verb
from partwell.connector_kit.plan import (
    ASKED_FOR,
    ORDER,
    actions_for,
    checksum,
    choose,
    drift_between,
    expectation,
    is_under_standing_rule,
    position,
)

ALL = dict.fromkeys(Verb, Reversibility.REVERSIBLE)
ACCOUNT = Account("1", "ada", is_active=True, entitlements=(Entitlement("group", "g", "Staff"),))
states = st.sampled_from(list(AccessState))


@given(st.lists(states, min_size=1))
def test_an_account_is_settled_only_if_each_of_its_changes_is(changes: list[AccessState]) -> None:
    assert (weakest(changes) in SETTLED) == all(state in SETTLED for state in changes)


@given(st.lists(states, min_size=1))
def test_an_account_is_verified_only_if_each_of_its_changes_was_read_back(changes: list[AccessState]) -> None:
    assert (weakest(changes) is AccessState.VERIFIED) == (set(changes) == {AccessState.VERIFIED})


@given(st.lists(states))
def test_walks_through_the_table_never_make_acceptance_green_by_itself(wishes: list[AccessState]) -> None:
    """Whatever is wished for, the table lets nothing leave `verified` but to `failed`."""
    here = AccessState.PLANNED
    for wish in wishes:
        try:
            check_move(here, wish)
        except Exception:
            assert wish not in TRANSITIONS[here]
            continue
        if here is AccessState.VERIFIED:
            assert wish is AccessState.FAILED
        here = wish


def test_the_table_knows_every_state_and_nobody_gets_stuck() -> None:
    assert set(TRANSITIONS) == set(AccessState)
    for state in AccessState:
        seen, todo = {state}, [state]
        while todo:
            for after in TRANSITIONS[todo.pop()] - seen:
                seen.add(after)
                todo.append(after)
        assert seen & SETTLED, f"{state} leads nowhere"


def test_sign_in_is_blocked_first_and_deletion_comes_last() -> None:
    planned = [action.verb for action in actions_for(ACCOUNT, ALL, asked_for=ASKED_FOR)]
    assert planned == list(ORDER)
    assert planned[0] is Verb.BLOCK_SIGN_IN and planned[-1] is Verb.DELETE
    assert [position(verb) for verb in planned] == sorted(position(verb) for verb in planned)


def test_nothing_that_takes_data_with_it_is_done_unless_asked_for() -> None:
    planned = {action.verb for action in actions_for(ACCOUNT, ALL)}
    assert planned == set(Verb) - {Verb.DELETE, Verb.RELEASE_LICENCE}


@given(st.sets(st.sampled_from(list(Verb))))
def test_what_a_connection_cannot_do_is_a_persons_task_and_never_a_gap(can: set[Verb]) -> None:
    actions = {a.verb: a for a in actions_for(ACCOUNT, dict.fromkeys(can, Reversibility.REVERSIBLE))}
    for verb in (Verb.SUSPEND, Verb.REVOKE_SESSIONS, Verb.REMOVE_ENTITLEMENTS):
        assert bool(actions[verb].manual_reason) == (verb not in can)


def test_a_protected_account_is_refused_whatever_the_connection_can_do() -> None:
    actions = actions_for(replace(ACCOUNT, is_protected=True), ALL, asked_for=(Verb.DELETE,))
    assert actions and all("protected" in action.manual_reason for action in actions)


def test_the_standing_rule_never_covers_what_cannot_be_undone() -> None:
    assert is_under_standing_rule(Verb.SUSPEND, Reversibility.REVERSIBLE)
    assert is_under_standing_rule(Verb.REVOKE_SESSIONS, Reversibility.NONE)
    assert not is_under_standing_rule(Verb.SUSPEND, Reversibility.NONE)
    assert not is_under_standing_rule(Verb.REVOKE_TOKENS, Reversibility.NONE)
    for verb in (Verb.REMOVE_ENTITLEMENTS, Verb.RELEASE_LICENCE, Verb.DELETE):
        assert not is_under_standing_rule(verb, Reversibility.REVERSIBLE)


rows = st.lists(
    st.fixed_dictionaries(
        {"system": st.text(max_size=5), "account": st.text(max_size=5), "verb": st.sampled_from([*Verb])}
    ),
    min_size=1,
    max_size=6,
)


@given(rows, st.randoms(use_true_random=False))
def test_the_checksum_does_not_depend_on_the_order(changes: list[dict[str, str]], rng: random.Random) -> None:
    shuffled = list(changes)
    rng.shuffle(shuffled)
    assert checksum(changes) == checksum(shuffled)


@given(rows, st.integers(0, 5), st.sampled_from(["system", "account", "verb"]))
def test_the_checksum_changes_with_anything_that_would_be_written(
    changes: list[dict[str, str]], index: int, name: str
) -> None:
    index %= len(changes)
    altered = [dict(row) for row in changes]
    altered[index][name] += "x"
    assert checksum(altered) != checksum(changes)


@pytest.mark.parametrize(
    ("account", "words"),
    [
        (None, "gone"),
        (replace(ACCOUNT, is_active=False), "no longer active"),
        (replace(ACCOUNT, is_protected=True), "protected"),
        (replace(ACCOUNT, entitlements=()), "1 gone"),
        (replace(ACCOUNT, open_sessions=5, display_name="Ada L."), ""),
    ],
)
def test_drift_is_said_in_words_and_sessions_are_none(account: Account | None, words: str) -> None:
    found = drift_between(expectation(ACCOUNT), account)
    assert words in found and bool(found) == bool(words)


def test_one_candidate_is_a_match_and_several_are_for_a_person() -> None:
    one, two = ACCOUNT, replace(ACCOUNT, external_id="2")
    assert choose([one]) == ([one], [])
    assert choose([one, two]) == ([], [one, two])
    assert choose([one, two], ours={"1"}, not_ours={"2"}) == ([one], [])
    three = replace(ACCOUNT, external_id="3")
    assert choose([one, two, three], ours={"1"}, not_ours={"2"}) == ([one], [three])
