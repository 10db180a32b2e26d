"""What a round and each person of it can be, and how they may change."""

from __future__ import annotations

from enum import StrEnum


class RoundState(StrEnum):
    """`PREPARED` waits for a second person, `APPROVED` starts what is due, `STARTED` has nobody left to
    start, `RECALLED` was taken back whole."""

    PREPARED = "prepared"
    APPROVED = "approved"
    STARTED = "started"
    RECALLED = "recalled"


ROUND_TRANSITIONS: dict[RoundState, frozenset[RoundState]] = {
    RoundState.PREPARED: frozenset({RoundState.APPROVED, RoundState.RECALLED}),
    RoundState.APPROVED: frozenset({RoundState.STARTED, RoundState.RECALLED}),
    RoundState.STARTED: frozenset({RoundState.RECALLED}),
    RoundState.RECALLED: frozenset(),
}


class MemberState(StrEnum):
    """`WAITING` has no journey yet, `STARTED` has one, `LEFT_OUT` gets none, and its note says why;
    `RECALLING` has a journey that is about to be withdrawn, `RECALLED` has none any more or never got one."""

    WAITING = "waiting"
    STARTED = "started"
    LEFT_OUT = "left_out"
    RECALLING = "recalling"
    RECALLED = "recalled"


MEMBER_TRANSITIONS: dict[MemberState, frozenset[MemberState]] = {
    MemberState.WAITING: frozenset({MemberState.STARTED, MemberState.LEFT_OUT, MemberState.RECALLED}),
    MemberState.STARTED: frozenset({MemberState.RECALLING}),
    MemberState.LEFT_OUT: frozenset(),
    # Back to `STARTED` where it could not be withdrawn.
    MemberState.RECALLING: frozenset({MemberState.RECALLED, MemberState.STARTED}),
    MemberState.RECALLED: frozenset(),
}
