"""Whether a control is met for one leaver: small pure functions over facts.

Proven is only what was read back. A person's word is `ATTESTED`, whatever they attached. What is late counts
as late where a reason is on record, and as a gap where none is. What nobody can know yet is unknown.
`says` carries no name and nothing that anybody wrote, so that it may leave the house; `reason` does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from fnmatch import fnmatchcase

from partwell.access.credentials.states import SETTLED as ROTATED
from partwell.access.credentials.states import RotationState
from partwell.access.states import AccessState, PlanKind
from partwell.access.timing import Counted, Timing, duration
from partwell.closure.audits.controls import Control
from partwell.journeys.states import PENDING, StepState


class Standing(StrEnum):
    """How a control stands for one leaver, worst first."""

    GAP = "gap"  # it was due, and nothing shows it
    UNKNOWN = "unknown"  # nobody can say: not due yet, not asked, or no answer
    LATE = "late"  # done after its time, with a reason on record
    ATTESTED = "attested"  # a person says so
    PROOF = "proof"  # read back, or on the signed record itself
    NOT_APPLICABLE = "not_applicable"  # with the reason


@dataclass(frozen=True)
class Finding:
    """One answer. `where` says where its proof stands: `access`, `evidence`, `credentials` or `step:KEY`."""

    standing: Standing
    says: str
    where: str = "evidence"
    reason: str = ""


@dataclass(frozen=True)
class StepFact:
    """`reason` is why it was skipped or is asked no longer, or what was last said of it."""

    key: str
    title: str
    state: StepState
    due_at: datetime
    settled_at: datetime | None = None
    reason: str = ""
    files: int = 0
    is_set_aside: bool = False

    @property
    def late_by(self) -> timedelta:
        return max((self.settled_at or self.due_at) - self.due_at, timedelta(0))


@dataclass(frozen=True)
class AccountFact:
    system: str
    state: AccessState
    timing: Timing


@dataclass(frozen=True)
class ChangeFact:
    """One verb on one account; `authority` is on whose word it ran."""

    verb: str
    state: AccessState
    authority: str = ""


@dataclass(frozen=True)
class PlanFact:
    """`answers` are what each system said; `is_reviewed` is None where no kill switch was used."""

    kind: str
    made_by: str
    approved_by: str
    made_at: datetime
    answers: tuple[str, ...] = ()
    is_reviewed: bool | None = None


@dataclass(frozen=True)
class RotationFact:
    state: RotationState
    settled_at: datetime | None = None
    reason: str = ""


@dataclass(frozen=True)
class DayFact:
    """A day on which what was settled is read again."""

    day: int
    due_at: datetime
    is_done: bool
    came_back: int = 0
    unread: int = 0


@dataclass(frozen=True)
class Facts:
    """All that the record holds of one departure for these questions. `alerts` are what people were told
    went wrong with access, which is why something was late; `ghosts` counts open ones."""

    now: datetime
    access_end_at: datetime
    steps: tuple[StepFact, ...] = ()
    accounts: tuple[AccountFact, ...] = ()
    changes: tuple[ChangeFact, ...] = ()
    plans: tuple[PlanFact, ...] = ()
    rotations: tuple[RotationFact, ...] = ()
    days: tuple[DayFact, ...] = ()
    alerts: tuple[str, ...] = ()
    ghosts: int = 0


SHARED_SECRETS = timedelta(hours=8)
TOLD = timedelta(hours=24)
OVER_ALL = frozenset({PlanKind.FULL, PlanKind.STANDING, PlanKind.CUT})
_ORDER = tuple(Standing)


def judge(control: Control, facts: Facts | None) -> Finding:
    """How `control` stands; without facts there is no departure that the reader may read."""
    if facts is None:
        return Finding(Standing.GAP, "No departure that you may read, so nothing shows it.", where="")
    return JUDGES[control.judge](control, facts)


def worst(findings: Iterable[Finding]) -> Finding:
    """What several answers come to: the worst decides, not applicable ones count only alone."""
    found = sorted(findings, key=lambda finding: _ORDER.index(finding.standing))
    return found[0]


def steps(control: Control, facts: Facts) -> Finding:
    """By the steps that answer it, each by its own due date."""
    mine = [step for step in facts.steps if any(fnmatchcase(step.key, each) for each in control.steps)]
    if not mine:
        return Finding(Standing.UNKNOWN, "No step of this departure's template answers it; look through it.")
    return worst(_of_step(step, facts.now) for step in mine)


def _of_step(step: StepFact, now: datetime) -> Finding:
    where, said = f"step:{step.key}", f"“{step.key}”"
    if step.is_set_aside:
        said = f"{said} is asked no longer; why is on record."
        return Finding(Standing.NOT_APPLICABLE, said, where, step.reason)
    if step.state == StepState.NOT_NEEDED:
        return Finding(Standing.NOT_APPLICABLE, f"{said} was not needed: its condition was not met.", where)
    if step.state == StepState.SKIPPED:
        return Finding(Standing.NOT_APPLICABLE, f"{said} was skipped; why is on record.", where, step.reason)
    if step.state in PENDING and step.due_at > now:
        return Finding(Standing.UNKNOWN, f"{said} is not due before {step.due_at:%Y-%m-%d}.", where)
    if step.state != StepState.DONE:
        return Finding(Standing.GAP, f"{said} was due on {step.due_at:%Y-%m-%d} and is not done.", where)
    if step.late_by:
        late = f"{said} was done {duration(step.late_by)} late"
        if step.reason:
            return Finding(Standing.LATE, f"{late}; what was said of it is on record.", where, step.reason)
        return Finding(Standing.GAP, f"{late}, and no reason is on record.", where)
    with_file = f", with {step.files} file{'s' if step.files > 1 else ''}" if step.files else ""
    return Finding(Standing.ATTESTED, f"{said} is done in time, by a person's word{with_file}.", where)


def steps_with_file(control: Control, facts: Facts) -> Finding:
    """As `steps`; what is done without an attached certificate is a gap."""
    found = steps(control, facts)
    mine = [step for step in facts.steps if found.where == f"step:{step.key}"]
    if found.standing == Standing.ATTESTED and not mine[0].files:
        return Finding(Standing.GAP, f"“{mine[0].key}” is done, and no certificate is attached.", found.where)
    return found


def revocation(_control: Control, facts: Facts) -> Finding:
    """Every account within the time of its system's class, by what was read back."""
    if not facts.accounts:
        return _without_accounts(facts)
    timings = [account.timing for account in facts.accounts]
    is_open = [timing for timing in timings if timing.counted == Counted.OPEN]
    total, late = len(timings), [t for t in timings if t.counted == Counted.REVOKED and t.is_late]
    if overdue := [timing for timing in is_open if timing.is_late]:
        return Finding(Standing.GAP, f"{len(overdue)} of {total} accounts not proven gone in time.", "access")
    if is_open:
        return Finding(Standing.UNKNOWN, f"{len(is_open)} of {total} accounts open, and not due.", "access")
    if late:
        by = duration(max(timing.late_by for timing in late))
        said = f"{len(late)} of {total} accounts proven gone up to {by} late"
        if facts.alerts:
            words = " ".join(facts.alerts)
            return Finding(Standing.LATE, f"{said}; what went wrong is on record.", "access", words)
        return Finding(Standing.GAP, f"{said}, and no reason is on record.", "access")
    if attested := [timing for timing in timings if timing.counted == Counted.SAID]:
        said = f"{len(attested)} of {total} accounts by a person's word; nothing was read back."
        return Finding(Standing.ATTESTED, said, "access")
    return Finding(Standing.PROOF, f"{total} of {total} accounts proven gone in time.", "access")


def _without_accounts(facts: Facts) -> Finding:
    found = every_list(None, facts)
    if found.standing == Standing.PROOF:
        return Finding(Standing.PROOF, "Every connected system was asked, and none knows them.", "access")
    return found


def every_list(_control: Control | None, facts: Facts) -> Finding:
    """The newest plan over all systems: which answered."""
    asked = [plan for plan in facts.plans if plan.answers and plan.kind in OVER_ALL]
    if not asked:
        return Finding(Standing.GAP, "No connected system was asked what they have.", "access")
    answers = max(asked, key=lambda plan: plan.made_at).answers
    silent = [answer for answer in answers if answer not in ("found", "none")]
    if by_hand := [answer for answer in silent if answer == "manual"]:
        rest = len(silent) - len(by_hand)
        if not rest:
            said = (
                f"{len(answers) - len(by_hand)} systems answered; {len(by_hand)} only a person can look into."
            )
            return Finding(Standing.ATTESTED, said, "access")
    if silent:
        return Finding(Standing.UNKNOWN, f"{len(silent)} of {len(answers)} systems gave no answer.", "access")
    return Finding(Standing.PROOF, f"All {len(answers)} connected systems answered.", "access")


def deletion(_control: Control, facts: Facts) -> Finding:
    return _by_verbs(facts, {"delete"}, none="Nothing of theirs was deleted here.", what="deletions")


def sessions(_control: Control, facts: Facts) -> Finding:
    verbs = {"revoke_sessions", "revoke_tokens"}
    found = _by_verbs(facts, verbs, none="", what="ends of sessions and tokens")
    if found.standing != Standing.NOT_APPLICABLE:
        return found
    if facts.accounts:
        said = "No plan ended sessions or tokens: what was open then is unknown."
        return Finding(Standing.UNKNOWN, said, "access")
    return _without_accounts(facts)


def _by_verbs(facts: Facts, verbs: set[str], *, none: str, what: str) -> Finding:
    """How the changes with these verbs stand: read back, said, or neither."""
    mine = [change.state for change in facts.changes if change.verb in verbs]
    if not mine:
        return Finding(Standing.NOT_APPLICABLE, none, "access")
    if proven := mine.count(AccessState.VERIFIED):
        said = f"{proven} of {len(mine)} {what} read back."
    else:
        said = f"None of {len(mine)} {what} read back."
    if proven == len(mine):
        return Finding(Standing.PROOF, said, "access")
    spoken = sum(state in (AccessState.ATTESTED, AccessState.IMPOSSIBLE) for state in mine)
    standing = Standing.ATTESTED if proven + spoken == len(mine) else Standing.GAP
    if standing == Standing.GAP and AccessState.UNREACHABLE in mine:
        standing = Standing.UNKNOWN
    return Finding(standing, said, "access")


def second_person(_control: Control, facts: Facts) -> Finding:
    """Two people where a plan was approved; a review where the kill switch was used; else the rule."""
    if any(plan.is_reviewed is False for plan in facts.plans):
        return Finding(Standing.GAP, "The kill switch was used, and nobody has reviewed it.", "access")
    approved = [plan for plan in facts.plans if plan.approved_by]
    if any(plan.approved_by == plan.made_by for plan in approved):
        return Finding(Standing.GAP, "Who asked for a plan also approved it.", "access")
    if approved or any(plan.is_reviewed for plan in facts.plans):
        return Finding(Standing.PROOF, "Every approval and review is by another person.", "access")
    if any(change.authority == "standing rule" for change in facts.changes):
        said = "Only the standing rule acted, which needs no approval."
        return Finding(Standing.NOT_APPLICABLE, said, "access")
    return Finding(Standing.UNKNOWN, "No plan was approved.", "access")


def before_telling(control: Control, facts: Facts) -> Finding:
    """Whether accounts were off when the meeting's step was settled; that moment is a person's word."""
    told = [step for step in facts.steps if step.key in control.steps]
    if not told:
        return Finding(Standing.NOT_APPLICABLE, "They were not dismissed for cause.")
    where = f"step:{told[0].key}"
    if told[0].state != StepState.DONE or told[0].settled_at is None:
        return Finding(Standing.UNKNOWN, "When they were told is not on record.", where)
    gone = [account.timing.revoked_at for account in facts.accounts]
    if not gone:
        return _without_accounts(facts)
    if any(at is None or at > told[0].settled_at for at in gone):
        return Finding(Standing.GAP, "Not every account was proven gone when the meeting was noted.", where)
    said = "Every account was gone when the meeting was noted; its time is a person's word."
    return Finding(Standing.ATTESTED, said, where)


def told(_control: Control, facts: Facts) -> Finding:
    """A plan over the accounts is how those who look after them know."""
    if not facts.plans:
        return Finding(Standing.GAP, "No access plan was made.", "access")
    after = min(plan.made_at for plan in facts.plans) - facts.access_end_at
    if after > TOLD:
        said = f"The first access plan was made {duration(after)} after access end."
        return Finding(Standing.GAP, said, "access")
    return Finding(Standing.PROOF, "An access plan was on record in time.", "access")


def shared_secrets(_control: Control, facts: Facts) -> Finding:
    """Every rotation that their leaving called for."""
    if not facts.rotations:
        said = "The register of shared secrets names none that they knew."
        return Finding(Standing.NOT_APPLICABLE, said, "credentials")
    return worst(_of_rotation(each, facts) for each in facts.rotations)


def _of_rotation(rotation: RotationFact, facts: Facts) -> Finding:
    due_at = facts.access_end_at + SHARED_SECRETS
    if rotation.state not in ROTATED:
        if due_at > facts.now:
            return Finding(Standing.UNKNOWN, "A shared secret is still to be changed in time.", "credentials")
        return Finding(Standing.GAP, "A shared secret that they knew is not changed.", "credentials")
    if rotation.state in (RotationState.NOT_NEEDED, RotationState.WITHDRAWN):
        said = "A shared secret need not be changed; why is on record."
        return Finding(Standing.NOT_APPLICABLE, said, "credentials", rotation.reason)
    if rotation.settled_at is not None and rotation.settled_at > due_at:
        said = f"A shared secret was changed {duration(rotation.settled_at - due_at)} late"
        if rotation.reason:
            return Finding(Standing.LATE, f"{said}; why is on record.", "credentials", rotation.reason)
        return Finding(Standing.GAP, f"{said}, and no reason is on record.", "credentials")
    if rotation.state == RotationState.VERIFIED:
        return Finding(Standing.PROOF, "Shared secrets were changed, and the old refused.", "credentials")
    return Finding(Standing.ATTESTED, "A shared secret was changed, by a person's word.", "credentials")


def stays_gone(_control: Control, facts: Facts) -> Finding:
    """Read again up to day 45, with nothing back and no ghost open."""
    if facts.ghosts:
        return Finding(Standing.GAP, f"{facts.ghosts} accounts that should not be there are open.", "access")
    if not facts.days:
        return Finding(Standing.UNKNOWN, "No day is on record on which it was read again.", "access")
    if back := [each for each in facts.days if each.came_back]:
        return Finding(Standing.GAP, f"Something was back on day {back[0].day}.", "access")
    waiting = [each for each in facts.days if not each.is_done]
    if overdue := [each for each in waiting if each.due_at < facts.now]:
        return Finding(Standing.GAP, f"Day {overdue[0].day} is past, and nothing was read again.", "access")
    if waiting:
        last = max(facts.days, key=lambda each: each.day)
        return Finding(Standing.UNKNOWN, f"Day {last.day} is not before {last.due_at:%Y-%m-%d}.", "access")
    if any(each.unread for each in facts.days):
        return Finding(Standing.UNKNOWN, "On some day an account could not be read again.", "access")
    return Finding(Standing.PROOF, f"Read again on {len(facts.days)} days, and nothing was back.", "access")


def revocation_and_steps(control: Control, facts: Facts) -> Finding:
    return worst([revocation(control, facts), steps(control, facts)])


JUDGES: dict[str, Callable[[Control, Facts], Finding]] = {
    each.__name__: each
    for each in (
        steps,
        steps_with_file,
        revocation,
        every_list,
        deletion,
        sessions,
        second_person,
        before_telling,
        told,
        shared_secrets,
        stays_gone,
        revocation_and_steps,
    )
}
