"""The states of a timer, and which may follow which."""

from __future__ import annotations

from enum import StrEnum


class TimerState(StrEnum):
    """`armed` waits for its moment; `claimed` has been handed to the engine; `fired` and `cancelled` rest."""

    ARMED = "armed"
    CLAIMED = "claimed"
    FIRED = "fired"
    CANCELLED = "cancelled"


# A resting timer that is set for another moment is armed again; a failed handler re-arms its timer.
TRANSITIONS: dict[TimerState, frozenset[TimerState]] = {
    TimerState.ARMED: frozenset({TimerState.CLAIMED, TimerState.CANCELLED}),
    TimerState.CLAIMED: frozenset({TimerState.ARMED, TimerState.FIRED, TimerState.CANCELLED}),
    TimerState.FIRED: frozenset({TimerState.ARMED}),
    TimerState.CANCELLED: frozenset({TimerState.ARMED}),
}
