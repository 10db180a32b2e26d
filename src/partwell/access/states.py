"""What a change, an account and a plan can be, and how a change may move on.

An account is never better than the weakest of its changes (`weakest`), so it needs no table of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from partwell.refusals import Conflict


class AccessState(StrEnum):
    """Where one change, or one account, stands. Only `VERIFIED` was read back; nothing else is green."""

    PLANNED = "planned"  # nothing was asked of the target yet
    AMBIGUOUS = "ambiguous"  # several accounts match; a person says which
    REQUESTED = "requested"  # the intent is on record; the target is being asked
    ACCEPTED = "accepted"  # the target says yes; that is no proof
    VERIFIED = "verified"  # read back, and it is so
    FAILED = "failed"  # read back and not so, or refused for good
    UNREACHABLE = "unreachable"  # the target could not be asked; what is there is unknown
    MANUAL = "manual"  # a person has to do it
    ATTESTED = "attested"  # a person says that it is done; nothing was read back
    IMPOSSIBLE = "impossible"  # a person says, with a reason, that it cannot be done


# ATTESTED reaches VERIFIED only because `verify` reads the account afresh; no other code may take that way.
TRANSITIONS: dict[AccessState, frozenset[AccessState]] = {
    AccessState.PLANNED: frozenset(
        {
            AccessState.REQUESTED,
            AccessState.VERIFIED,
            AccessState.UNREACHABLE,
            AccessState.FAILED,
            AccessState.ATTESTED,
            AccessState.IMPOSSIBLE,
        }
    ),
    AccessState.AMBIGUOUS: frozenset({AccessState.PLANNED, AccessState.MANUAL, AccessState.IMPOSSIBLE}),
    AccessState.REQUESTED: frozenset(
        {
            AccessState.REQUESTED,
            AccessState.ACCEPTED,
            AccessState.VERIFIED,
            AccessState.FAILED,
            AccessState.UNREACHABLE,
        }
    ),
    AccessState.ACCEPTED: frozenset(
        {
            AccessState.REQUESTED,
            AccessState.VERIFIED,
            AccessState.FAILED,
            AccessState.UNREACHABLE,
            AccessState.MANUAL,
        }
    ),
    AccessState.VERIFIED: frozenset({AccessState.FAILED}),
    AccessState.FAILED: frozenset(
        {AccessState.REQUESTED, AccessState.VERIFIED, AccessState.ATTESTED, AccessState.IMPOSSIBLE}
    ),
    AccessState.UNREACHABLE: frozenset(
        {
            AccessState.REQUESTED,
            AccessState.VERIFIED,
            AccessState.FAILED,
            AccessState.ATTESTED,
            AccessState.IMPOSSIBLE,
        }
    ),
    AccessState.MANUAL: frozenset({AccessState.VERIFIED, AccessState.ATTESTED, AccessState.IMPOSSIBLE}),
    AccessState.ATTESTED: frozenset({AccessState.VERIFIED, AccessState.FAILED}),
    AccessState.IMPOSSIBLE: frozenset({AccessState.VERIFIED, AccessState.ATTESTED}),
}

# Nothing is left to do, by proof or by a person's word.
SETTLED = frozenset({AccessState.VERIFIED, AccessState.ATTESTED, AccessState.IMPOSSIBLE})

_WEAKEST_FIRST = (
    AccessState.FAILED,
    AccessState.UNREACHABLE,
    AccessState.AMBIGUOUS,
    AccessState.REQUESTED,
    AccessState.ACCEPTED,
    AccessState.PLANNED,
    AccessState.MANUAL,
    AccessState.IMPOSSIBLE,
    AccessState.ATTESTED,
    AccessState.VERIFIED,
)


def weakest(states: Iterable[str]) -> AccessState:
    """The state of an account whose changes are in these states; `PLANNED` when there are none."""
    present = set(states)
    return next((state for state in _WEAKEST_FIRST if state in present), AccessState.PLANNED)


def check_move(before: str, after: str) -> None:
    """Raise `Conflict` unless a change may go from `before` to `after`."""
    if AccessState(after) not in TRANSITIONS[AccessState(before)]:
        raise Conflict("no_such_move", f"What is {before} cannot become {after}. Make a fresh plan.")


class PlanState(StrEnum):
    """`PROPOSED` waits for a second person. `APPLIED` means that every system's run has ended, not that
    all went well: the accounts say that."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    APPLYING = "applying"
    APPLIED = "applied"
    DRIFTED = "drifted"
    SUPERSEDED = "superseded"


class PlanKind(StrEnum):
    """`FULL` asks every system, `DELTA` follows drift or a choice, `STANDING` is the rule at access end,
    `CUT` the kill switch, `RESTORE` puts back what the snapshots hold, `GHOST` cuts one account of nobody."""

    FULL = "full"
    DELTA = "delta"
    STANDING = "standing"
    CUT = "cut"
    RESTORE = "restore"
    GHOST = "ghost"


class Authority(StrEnum):
    """On whose word a change runs. Without one it does not run."""

    NONE = ""
    APPROVAL = "approval"
    STANDING = "standing rule"
    CUT = "kill switch"
    RESTORE = "restore"


class CutState(StrEnum):
    """A cut that somebody ordered by the kill switch. More than a few people need a second person first."""

    WAITING = "waiting"  # for a second person
    READY = "ready"  # for its button or its time
    FIRED = "fired"
    HELD = "held"  # by itself, between two stages: too much of the last one came to nothing
    STOPPED = "stopped"  # by the stop button: who was not shut out yet is not
    CANCELLED = "cancelled"  # before it was fired


class RunState(StrEnum):
    """One plan's run in one system."""

    RUNNING = "running"
    WAITING = "waiting"  # for a time at which the target is asked again
    ENDED = "ended"
    DRIFTED = "drifted"


class QuestionKind(StrEnum):
    """What a person asked of systems from a page."""

    PLAN = "plan"
    READ_BACK = "read_back"
    MAP = "map"
    TEST = "test"
    DRY_RUN = "dry_run"


class QuestionState(StrEnum):
    """`REFUSED` means that the rules said no; what systems said, good or bad, is an answer."""

    OPEN = "open"
    ANSWERED = "answered"
    REFUSED = "refused"


class Link(StrEnum):
    """What a person said about an account that might be the leaver's."""

    UNDECIDED = ""
    OURS = "ours"
    NOT_OURS = "not ours"


class AlertKind(StrEnum):
    """What people must be told, until it is solved."""

    NO_APPROVED_PLAN = "no_approved_plan"  # access ends soon, and nobody has approved a plan
    AMBIGUOUS = "ambiguous"  # access has ended, and several accounts match
    UNREACHABLE = "unreachable"  # access has ended, and a system cannot be asked
    DRIFTED = "drifted"  # a system is not as it was when its plan was approved
    CUT_FAILED = "cut_failed"  # access has ended, and a change failed
    ACCESS_BACK = "access_back"  # what was settled is so no more
    CUT_HELD = "cut_held"  # a cut by stages stopped by itself, and waits for somebody
    MANY_ACCOUNTS = "many_accounts"  # more match than may be cut without a second person
    GHOST = "ghost"  # an account of somebody who has left came back, was never known or is still used
    CUT_NOT_REVIEWED = "cut_not_reviewed"  # the kill switch was used, and no second person has looked
    SIGNAL_FAILED = "signal_failed"  # a receiver outside was not told
    HANDOVER_FAILED = "handover_failed"  # something could not be handed over, or nobody knows
    HANDOVER_MISSING = "handover_missing"  # the successor says that something is missing
    NOT_TAKEN_BACK = "not_taken_back"  # given for a time that is over, and still given
    MAILBOX_DUE = "mailbox_due"  # a mailbox whose time is over has to be deleted


class SweepState(StrEnum):
    """How far a system was read in a sweep. Only `READ` says what is not there."""

    WAITING = "waiting"
    READ = "read"  # to the end
    BROKEN_OFF = "broken off"  # some accounts were read; of the others nothing is known
    UNREAD = "unread"  # it could not be asked
    CANNOT_LIST = "cannot list"  # it shows no accounts but those that are asked for by name


class GhostState(StrEnum):
    """What became of an account that should not be as it is. One that is gone was not seen any more, or was
    proven closed."""

    OPEN = "open"
    CUTTING = "cutting"  # somebody ordered it cut, and it is not proven yet
    DISMISSED = "dismissed"  # a person says that it is no ghost
    KEPT = "kept"  # a person says whose it is, or who answers for it
    GONE = "gone"


class KeptAs(StrEnum):
    """What a person said of an account that nobody was known by."""

    THEIRS = "theirs"  # it belongs to this person, and is cut when they leave
    SERVICE = "service"  # nobody's on purpose; this person answers for it, and looks at it again


class SlaClass(StrEnum):
    """How soon access to a system has to be gone after access end."""

    CRITICAL = "critical"
    HIGH = "high"
    NORMAL = "normal"


SLA_MINUTES: dict[SlaClass, int] = {SlaClass.CRITICAL: 15, SlaClass.HIGH: 240, SlaClass.NORMAL: 1440}

# What a connection lets the standing rule, or one person alone, cut in it unless it says otherwise.
MOST_ACCOUNTS, MOST_PERCENT = 20, 25
