"""What can wait gives way to what somebody pressed a button for, and not for ever."""

from __future__ import annotations

from partwell.engine.haste import LONGEST_SECONDS, GivingWay, under_way


def test_it_works_at_every_turn_while_nobody_waits() -> None:
    turns = GivingWay(since=100.0)
    assert [turns.is_turn(100.0 + second) for second in range(3)] == [True] * 3


def test_it_waits_while_anything_is_in_haste_and_goes_on_right_after() -> None:
    turns = GivingWay(since=100.0)
    with under_way():
        with under_way():
            assert not turns.is_turn(101.0)
        assert not turns.is_turn(102.0), "one of two is still under way"
    assert turns.is_turn(103.0)


def test_it_waits_for_a_stalled_system_no_longer_than_stated() -> None:
    turns = GivingWay(since=100.0)
    with under_way():
        assert not turns.is_turn(100.0 + LONGEST_SECONDS - 1)
        assert turns.is_turn(100.0 + LONGEST_SECONDS)
        assert not turns.is_turn(101.0 + LONGEST_SECONDS), "it has had its turn, and waits again"


def test_what_fails_in_haste_is_over_all_the_same() -> None:
    try:
        with under_way():
            raise RuntimeError
    except RuntimeError:
        pass
    assert GivingWay(since=0.0).is_turn(1.0)
