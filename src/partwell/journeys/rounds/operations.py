"""Preparing a round, approving it as a second person, recalling it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from partwell.engine.operations import cancel_timer, set_timer
from partwell.evidence.operations import record
from partwell.journeys.models import Round, RoundMember, RoundParticipant
from partwell.journeys.rounds.drift import drift_of
from partwell.journeys.rounds.letters import ask_to_approve
from partwell.journeys.rounds.preview import Preview, Terms, preview_round, start_moments
from partwell.journeys.rounds.queries import APPROVERS, members_of, round_scope, visible_rounds
from partwell.journeys.rounds.states import MemberState, RoundState
from partwell.people.actors import Actor, register_entry
from partwell.people.authorisation import check_office, operation
from partwell.people.models import RoleGrant, User
from partwell.people.roles import Role
from partwell.refusals import Conflict, Invalid, NotAllowed, NotFound
from partwell.rows import write_rows
from partwell.signals.outbox import drop_mails

GO_ON = "rounds.go_on"
"""The timer that starts what is due, and withdraws what was recalled. Its key is the round's id."""


@operation("rounds.prepare")
def prepare_round(
    *,
    terms: Terms,
    data: bytes,
    approvers: Sequence[User] = (),
    digest: str | None = None,
    actor: Actor,
    now: datetime,
) -> Round:
    """Keep a round as its preview shows it, for a second person. Nobody of it leaves by this.

    `approvers` are let in; a need-to-know round needs one. With `digest`, raises `Conflict` when it is not
    what was looked at any more. Raises `Invalid` for a bad line, else as `preview_round`.
    """
    preview = preview_round(terms=terms, data=data, actor=actor, now=now)
    if preview.bad_lines:
        first = preview.bad_lines[0]
        raise Invalid(
            "lines_bad", f"{len(preview.bad_lines)} lines cannot be taken, the first: {first}", field="who"
        )
    if not preview.members:
        raise Invalid("nobody", "Nobody is left to start: see who is left out, and why.", field="who")
    if digest is not None and digest != preview.digest:
        raise Conflict(
            "changed_meanwhile", "Something has changed since you looked. Look at the preview once more."
        )
    _check_approvers(preview, approvers, actor)
    kept = Round.objects.create(
        name=terms.name.strip(),
        template=preview.version,
        reason=terms.reason,
        notice_date=terms.notice_date,
        jurisdiction=terms.jurisdiction.upper(),
        confidentiality=preview.confidentiality,
        starts_at=terms.starts_at,
        batch_size=terms.batch_size,
        digest=preview.digest,
        overview=preview.overview,
        prepared_by=actor.label,
        prepared_by_id=actor.user_id,
        prepared_at=now,
    )
    RoundMember.objects.bulk_create(
        RoundMember(
            round=kept,
            position=position,
            person=each.entry.person,
            name=each.departure.subject_name,
            email=each.departure.subject_email,
            department=each.departure.subject_department,
            last_working_date=each.departure.last_working_date,
            notice_date=each.entry.notice_date or terms.notice_date,
            reason=each.departure.reason,
            steps=each.steps,
            batch=each.batch,
        )
        for position, each in enumerate(preview.members, 1)
    )
    _let_in(kept, approvers, actor)
    ask_to_approve(kept, approvers, now=now)
    record(
        "round.prepared",
        scope=round_scope(kept.pk),
        actor=actor.label,
        at=now,
        fields={
            "name": kept.name,
            "template": f"{preview.version.template_id} v{preview.version.version}",
            "template_digest": preview.version.digest,
            "digest": kept.digest,
            "confidentiality": kept.confidentiality,
            "people": [each.departure.subject_email for each in preview.members],
            "left_out": len(preview.left_out),
            "approvers": [user.email for user in approvers],
        },
    )
    return kept


@operation("rounds.approve")
def approve_round(*, found: Round, digest: str, actor: Actor, now: datetime) -> Round:
    """Approve, as a second person, what was prepared; it starts at its moment, or now.

    `digest` is the one of the drift that was looked at (`drift_of`). Who dropped out since the preparation is
    left out by name. Raises `Conflict` where something changed since the look, or needs a new preparation;
    `NotAllowed` for the one who prepared it, for tokens and the console, and for whose role does not count
    for everybody of the round.
    """
    check_office(actor, "rounds.approve")
    found = lock_round(found, actor)
    if not actor.can_be_second_person:
        raise NotAllowed(
            "second_person_needed",
            "This needs a person who is signed in on the web; a token or the console is not one.",
        )
    if actor.user_id == found.prepared_by_id:
        raise NotAllowed("same_person", "You prepared this round yourself. Another person has to approve it.")
    departments = found.members.values_list("department", flat=True).distinct()
    if elsewhere := [d for d in departments if not actor.roles_in(d) & set(APPROVERS)]:
        raise NotAllowed(
            "not_for_everybody", f"Your role does not count for “{elsewhere[0]}”, which is in this round."
        )
    if found.state != RoundState.PREPARED:
        raise Conflict("round_not_prepared", f"This round is {found.state}; it waits for no approval.")
    drift = drift_of(found, now=now)
    if drift.obstacles:
        raise Conflict("round_drifted", f"{' '.join(drift.obstacles)} Recall it, and prepare it anew.")
    if digest != drift.digest:
        raise Conflict("changed_meanwhile", "Something has changed since you looked. Look at it once more.")
    for member, reason in drift.leaving_out:
        member.state, member.note = MemberState.LEFT_OUT, reason
    write_rows([member for member, _ in drift.leaving_out], ["state", "note"])
    members = list(found.members.filter(state=MemberState.WAITING))
    first = max(found.starts_at or now, now)
    moments = start_moments(
        max(member.batch for member in members) + 1, 1, first=first, jurisdiction=found.jurisdiction
    )
    for member in members:
        member.starts_at = moments[member.batch]
    write_rows(members, ["starts_at"])
    found.state, found.approved_by, found.approved_at = RoundState.APPROVED, actor.label, now
    found.save(update_fields=["state", "approved_by", "approved_at"])
    _let_in(found, (), actor)
    record(
        "round.approved",
        scope=round_scope(found.pk),
        actor=actor.label,
        at=now,
        fields={
            "digest": found.digest,
            "people": len(members),
            "left_out": [{"email": member.email, "reason": reason} for member, reason in drift.leaving_out],
            "starts_at": first.isoformat(),
        },
    )
    set_timer(GO_ON, key=str(found.pk), due_at=min(member.starts_at or now for member in members))
    return found


@operation("rounds.recall")
def recall_round(
    *,
    found: Round,
    reason: str,
    people: Collection[int] | None = None,
    actor: Actor,
    now: datetime,
) -> Round:
    """Take a round back, or some of it (`people`: keys of its members), of those whom the actor sees in it.

    Who has not started never will. Journeys that run are withdrawn by the engine, which notes for each what
    was done and what can be restored; one whose access has ended is left as it is, and says so. Raises
    `Invalid` without a reason, `Conflict` where there is nothing to recall.
    """
    check_office(actor, "rounds.recall")
    found = lock_round(found, actor)
    reason = reason.strip()
    if len(reason) < 10:
        raise Invalid(
            "reason_missing", "Say in a sentence why it is recalled; the record keeps it.", field="reason"
        )
    members = members_of(found, actor).filter(state__in=(MemberState.WAITING, MemberState.STARTED))
    if people is not None:
        members = members.filter(pk__in=people)
    waiting = [member for member in members if member.state == MemberState.WAITING]
    running = [member for member in members if member.state == MemberState.STARTED]
    if not waiting and not running:
        raise Conflict("nothing_to_recall", "Nobody of these is left to recall.", field="people")
    for member in waiting:
        member.state = MemberState.RECALLED
    for member in running:
        member.state, member.note = MemberState.RECALLING, ""
    write_rows([*waiting, *running], ["state", "note"])
    found.recalled_by, found.recalled_at, found.recall_reason = actor.label, now, reason
    left = set(found.members.values_list("state", flat=True))
    nobody_starts = MemberState.WAITING not in left
    if not left & {MemberState.WAITING, MemberState.STARTED}:
        found.state = RoundState.RECALLED
        drop_mails(scope=round_scope(found.pk), now=now)
    elif found.state == RoundState.APPROVED and nobody_starts:
        found.state = RoundState.STARTED
    found.save(update_fields=["state", "recalled_by", "recalled_at", "recall_reason"])
    record(
        "round.recalled",
        scope=round_scope(found.pk),
        actor=actor.label,
        at=now,
        fields={
            "reason": reason,
            "whole": found.state == RoundState.RECALLED,
            "not_started": len(waiting),
            "to_withdraw": len(running),
        },
    )
    if running:
        set_timer(GO_ON, key=str(found.pk), due_at=now)
    elif nobody_starts:
        cancel_timer(GO_ON, key=str(found.pk))
    return found


def lock_round(found: Round, actor: Actor) -> Round:
    """The round afresh, locked until the transaction ends, with its template. Raises `NotFound` where it does
    not exist for the actor."""
    rounds = visible_rounds(actor).select_for_update(of=("self",)).select_related("template")
    locked = rounds.filter(pk=found.pk).first()
    if locked is None:
        raise NotFound("round")
    return locked


def _check_approvers(preview: Preview, approvers: Sequence[User], actor: Actor) -> None:
    if preview.confidentiality != "normal" and not approvers:
        raise Invalid(
            "approver_missing",
            "Only those whom you let in know of this round. Say who approves it.",
            field="approvers",
        )
    in_round = {each.departure.person_id for each in preview.members}
    departments = {each.departure.subject_department for each in preview.members}
    counts_in: dict[int, set[str]] = {}
    grants = RoleGrant.objects.filter(user__in=approvers, role__in=APPROVERS)
    for user_id, department in grants.values_list("user_id", "department"):
        counts_in.setdefault(user_id, set()).add(department)
    for user in approvers:
        if user.pk == actor.user_id:
            why = "You prepare this round, so another person approves it."
        elif not user.is_active:
            why = f"{user} cannot sign in any more."
        elif "" not in (where := counts_in.get(user.pk, set())) and departments - where:
            why = f"{user} is not HR or an executive for everybody in this round."
        elif register_entry(user) in in_round:
            why = f"{user} is in this round."
        else:
            continue
        raise Invalid("approver_unfit", why, field="approvers")


def _let_in(found: Round, approvers: Sequence[User], actor: Actor) -> None:
    """Whoever prepares or approves takes part, and who is asked to approve."""
    if actor.user_id is not None:
        approvers = [*approvers, User.objects.get(pk=actor.user_id)]
    executives = set(
        RoleGrant.objects.filter(user__in=approvers, role=Role.EXECUTIVE).values_list("user_id", flat=True)
    )
    RoundParticipant.objects.bulk_create(
        (
            RoundParticipant(
                round=found, user=user, capacity=Role.EXECUTIVE if user.pk in executives else Role.HR
            )
            for user in approvers
        ),
        ignore_conflicts=True,
    )
