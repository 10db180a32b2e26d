"""For whom a pack is made, and what it leaves out: tables, so that they can be read and argued over.

Packs for the inside leave fields out by name; packs for the other side, and for auditors, carry only what
is listed. A field or an event that nobody has thought about stays inside.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Audience(StrEnum):
    """Who will read the pack."""

    INTERNAL = "internal"
    LEAVER = "leaver"
    CLIENT = "client"
    AUDITOR = "auditor"


AUDIENCE_LABELS: dict[Audience, str] = {
    Audience.INTERNAL: "our own file",
    Audience.LEAVER: "the one who leaves",
    Audience.CLIENT: "the client",
    Audience.AUDITOR: "an auditor",
}

# Read through the matrix: an internal pack holds these only when the one who exports it may read them.
GUARDED_FIELDS: dict[str, str] = {"reason": "departure.reason", "rehire": "departure.rehire"}
# Only these events tell the departure's own facts; a connector's `reason` is why a system refused.
_TELL_FACTS = ("journey.", "departure.", "notice.")

_REGISTER = ("imported", "exported")
_WHAT_AND_WHEN = frozenset({"kind", "at", "scope"})


@dataclass(frozen=True)
class Shown:
    """Which fields of a kind of event leave the house. `other_side` is None where the event itself does not.

    The one who leaves and the client read of their own dates, steps and accounts, never who on our side did
    what, what anybody wrote, or what went wrong on the way. Auditors read which of us did what and when,
    because separation of duties is what they ask about; they read neither free text nor whose accounts those
    were, and of the leaving side and its guests no name either.
    """

    other_side: frozenset[str] | None
    auditor: frozenset[str]


def _inside(auditor: str = "") -> Shown:
    return Shown(None, frozenset(auditor.split()))


def _both(fields: str, *, auditor: str = "") -> Shown:
    return Shown(frozenset(fields.split()), frozenset(auditor.split()))


_DATES = "notice_date last_working_day access_end contract_end"
_STEP = _both("step title", auditor="step title opened")
_CHANGE = "system system_title verb verbs restores authority before attempt"
_CUT = _both("system system_title account login verb verbs restores", auditor=_CHANGE)
_GHOST = "system system_title ghost"
_HANDED = "transfer_kind system system_title"
_LINK = _both("guest ends_at", auditor="capacity steps is_work_address ends_at")

# Every kind of event that a departure's record can hold; a test compares this with what the source records.
EVENTS: dict[str, Shown] = {
    "journey.started": _both(
        _DATES, auditor=f"{_DATES} template template_digest steps round round_approved_by"
    ),
    "journey.brought_forward": _inside("access_end"),
    "journey.moved": _both("dates", auditor="dates steps"),
    "journey.version_changed": _inside(
        "template version_before version_after digest_before digest_after seen"
        " added changed fell_away set_aside stayed"
    ),
    "journey.withdrawn": _both("", auditor="done undone restorable given own_sign_in_reopened"),
    "journey.override_requested": _inside(),
    "journey.closed": _both(""),
    "journey.closed_with_override": _both("", auditor="requested_by"),
    "departure.edited": _inside(),
    "participant.added": _inside("part"),
    "participant.removed": _inside("part"),
    "user.ended": _both("user", auditor="grants duties_handed_on"),
    "step.completed": _STEP,
    "step.skipped": _STEP,
    "step.settled": _STEP,
    "step.reopened": _both("step title", auditor="step title opened was"),
    "step.attached": _both("step title file sha256 size", auditor="step title sha256 size"),
    "step.added": _inside("step title to due"),
    "step.claimed": _inside("step title to"),
    "step.reassigned": _inside("step title from to"),
    "step.commented": _inside("step title"),
    "access.planned": _inside("plan plan_kind checksum changes"),
    "access.tried": _inside("plan checksum calls"),
    "access.asked": _inside("question"),
    "access.approved": _inside("plan checksum"),
    "access.approval_ended": _inside("plan checksum system system_title"),
    "access.apply_started": _inside("plan plan_kind checksum"),
    "access.cut_ordered": _inside("cut people"),
    "access.cut_approved": _inside("cut"),
    "access.map_taken": _inside("who systems unreachable"),
    "access.cut_fired": _inside("cut plan"),
    "access.cut_cancelled": _inside("cut"),
    "access.cut_stopped": _inside("cut plans spared"),
    "access.cut_held": _inside("cut because"),
    "access.cut_resumed": _inside("cut"),
    "access.cut_reviewed": _inside("cut"),
    "access.ghost_found": _inside(_GHOST),
    "access.ghost_cut": _inside(_GHOST),
    "access.ghost_dismissed": _inside(_GHOST),
    "access.ghost_assigned": _inside(_GHOST),
    "access.ghost_gone": _inside(_GHOST),
    "access.reverified": _inside("day proven came_back unread"),
    "access.drifted": _inside("plan delta system system_title"),
    "access.account_linked": _inside("system system_title"),
    "access.alert_raised": _inside("alert"),
    "access.read_back": _inside(),
    "access.requested": _inside(_CHANGE),
    "access.accepted": _CUT,
    "access.verified": _CUT,
    "access.attested": _CUT,
    "access.impossible": _CUT,
    "access.failed": _inside(_CHANGE),
    "access.manual": _inside(_CHANGE),
    "access.unreachable": _inside(_CHANGE),
    "transfer.opened": _inside(_HANDED),
    "transfer.successor_named": _inside(_HANDED),
    "transfer.asked": _inside(_HANDED),
    "transfer.requested": _inside(_HANDED),
    "transfer.queued": _inside(_HANDED),
    "transfer.running": _inside(_HANDED),
    "transfer.done": _inside(_HANDED),
    "transfer.failed": _inside(_HANDED),
    "transfer.unknown": _inside(_HANDED),
    "transfer.attested": _inside(_HANDED),
    "transfer.accepted": _inside(_HANDED),
    "transfer.missing": _inside(_HANDED),
    "transfer.not_needed": _inside(_HANDED),
    "transfer.taking_back": _inside(_HANDED),
    "transfer.ended": _inside(_HANDED),
    "transfer.end_attested": _inside(_HANDED),
    "transfer.mailbox_settled": _inside(_HANDED),
    "credential.rotation_opened": _inside("credential"),
    "credential.rotation_requested": _inside("credential system system_title"),
    "credential.rotation_accepted": _inside("credential told"),
    "credential.rotation_verified": _inside("credential told"),
    "credential.rotation_failed": _inside("credential"),
    "credential.rotation_attested": _inside("credential told"),
    "credential.rotation_not_needed": _inside("credential"),
    "guest.invited": _LINK,
    "guest.link_renewed": _LINK,
    "guest.opened": _LINK,
    "guest.revoked": _LINK,
    "mail.sent": _inside("purpose"),
    "mail.failed": _inside("purpose"),
    "mail.queued_again": _inside("purpose"),
    "signal.accepted": _inside("receiver signal jti attempts"),
    "signal.given_up": _inside("receiver signal jti attempts"),
    "signal.queued_again": _inside("receiver signal jti"),
    "evidence.exported": _inside("audience head events"),
    "evidence.erased": _inside("event erased basis"),
}

# Kinds that stand in the register's, a system's, a receiver's, a notice's or the installation's record, in
# no departure's.
ELSEWHERE: frozenset[str] = frozenset(
    {
        *(f"{register}.{what}" for register in ("people", "clients", "contracts") for what in _REGISTER),
        *("notice.given", "notice.started", "notice.declined"),
        *("round.prepared", "round.approved", "round.batch_started"),
        *("round.recalled", "round.recall_finished"),
        *("role.granted", "role.revoked", "token.created", "token.revoked"),
        *("user.created", "user.invitation_accepted"),
        *(
            "system.added",
            "system.changed",
            "system.asked",
            "system.tested",
            "system.swept",
            "system.accounts_uploaded",
            "ghosts.sweep_started",
        ),
        *(f"system.ghost_{what}" for what in ("found", "dismissed", "assigned", "gone")),
        *(f"system.ghost_{what}" for what in ("said_whose", "kept", "again", "looked_at", "restored")),
        *(f"system.ghost_cut_{what}" for what in ("proposed", "approved", "called_off", "drifted")),
        *("receiver.added", "receiver.changed", "receiver.tested", "signing_key.made"),
        *(f"template.draft_{what}" for what in ("begun", "changed", "discarded")),
        *("template.owner_set", "template.reviewed"),
        *("template.published", "file.stored", "evidence.key_made", "installation.initialised", "demo.built"),
        *("credential.added", "credential.changed", "credential.retired"),
        *("credentials.imported", "credentials.exported"),
        *("credential.holder_added", "credential.holder_ended"),
        "installation.changed",
        "setup.put_aside",
        "setup.taken_up",
        *(f"practice.{what}" for what in ("begun", "step_settled", "step_reopened", "moved", "ended")),
        "installation.seals_renewed",
        *("audit.population_listed", "audit.sample_drawn", "audit.sample_exported"),
    }
)


def is_other_side(audience: Audience) -> bool:
    """Whether the pack goes to the one who leaves or to the client."""
    return audience in (Audience.LEAVER, Audience.CLIENT)


def shows_event(
    audience: Audience, kind: str, said: Mapping[str, Any], steps_for_all: frozenset[str]
) -> bool:
    """Whether an event belongs in the pack. `steps_for_all`: keys of the steps that everybody sees."""
    if not is_other_side(audience):
        return True
    if kind not in EVENTS or EVENTS[kind].other_side is None:
        return False
    if kind.startswith("step."):
        return said.get("step") in steps_for_all
    # A helper's link is between the helper and us.
    return not kind.startswith("guest.") or said.get("capacity") == "departing"


def shows_field(
    audience: Audience,
    kind: str,
    name: str,
    hidden: frozenset[str],
    *,
    withheld: frozenset[str] = frozenset(),
) -> bool:
    """Whether a field's value belongs in the pack; `hidden`: guarded ones that the exporter may not read.

    `withheld`: listed fields that an auditor does not read in this very event after all, because a name of
    the leaving side or free text stands in them here.
    """
    if audience is Audience.INTERNAL:
        return not is_hidden(kind, name, hidden)
    if name in _WHAT_AND_WHEN:
        return True
    shown = EVENTS.get(kind, _inside())
    if is_other_side(audience):
        return name in (shown.other_side or ())
    return name not in withheld and (name == "actor" or name in shown.auditor)


def is_hidden(kind: str, name: str, hidden: frozenset[str]) -> bool:
    """Whether an event's field tells a guarded fact, as it is, or as it was before or after a change."""
    fact = name.removesuffix("_before").removesuffix("_after")
    return fact in hidden and kind.startswith(_TELL_FACTS)
