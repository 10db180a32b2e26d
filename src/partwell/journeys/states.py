"""What a journey and its steps can be, and how they may change."""

from __future__ import annotations

from enum import StrEnum


class JourneyState(StrEnum):
    ACTIVE = "active"
    CLOSED = "closed"
    WITHDRAWN = "withdrawn"


class StepState(StrEnum):
    """`BLOCKED` waits for other steps, `OPEN` can be done now; `NOT_NEEDED` had a condition that was not
    met, or was set aside by another version of the template; `WITHDRAWN` ended with its journey, undone."""

    BLOCKED = "blocked"
    OPEN = "open"
    DONE = "done"
    SKIPPED = "skipped"
    NOT_NEEDED = "not_needed"
    WITHDRAWN = "withdrawn"


STEP_TRANSITIONS: dict[StepState, frozenset[StepState]] = {
    StepState.BLOCKED: frozenset(
        {StepState.OPEN, StepState.SKIPPED, StepState.NOT_NEEDED, StepState.WITHDRAWN}
    ),
    StepState.OPEN: frozenset(
        {StepState.BLOCKED, StepState.DONE, StepState.SKIPPED, StepState.NOT_NEEDED, StepState.WITHDRAWN}
    ),
    StepState.DONE: frozenset({StepState.OPEN, StepState.BLOCKED}),
    StepState.SKIPPED: frozenset({StepState.OPEN, StepState.BLOCKED}),
    StepState.NOT_NEEDED: frozenset({StepState.OPEN, StepState.BLOCKED}),
    StepState.WITHDRAWN: frozenset(),
}

# States in which a step no longer holds up those that need it.
SETTLED = frozenset({StepState.DONE, StepState.SKIPPED, StepState.NOT_NEEDED})
PENDING = frozenset({StepState.BLOCKED, StepState.OPEN})
