"""For whom a pack is made, and what it leaves out: tables, so that they can be read and argued over.

Packs for the inside leave fields out by name; packs for the other side, and for auditors, carry only what
is listed. A field or an event that nobody has thought about stays inside.
"""

from __future__ import annotations

from collections.abc import Mapping
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

_WHAT_AND_WHEN = frozenset({"kind", "at", "scope"})
_STEP = frozenset({"step", "key", "title", "phase", "due_at", "state"})
_DATES = frozenset(
    {
        "notice_date",
        "last_working_date",
        "last_working_day",
        "access_end_at",
        "access_end",
        "contract_end_date",
    }
)
_ACCESS = frozenset(
    {"system", "account", "action", "outcome", "state", "from", "to", "verified_at", "read_back"}
)
_FILE = frozenset({"file", "name", "sha256", "size"})

SHOWN_FIELDS: dict[Audience, frozenset[str]] = {
    Audience.LEAVER: _WHAT_AND_WHEN | _STEP | _DATES | _ACCESS | _FILE,
    Audience.CLIENT: _WHAT_AND_WHEN | _STEP | _DATES | _ACCESS | _FILE,
    # Who acted stays, because separation of duties is asked about; who leaves and free text do not.
    Audience.AUDITOR: _WHAT_AND_WHEN
    | _STEP
    | _DATES
    | _FILE
    | (_ACCESS - {"account"})
    | frozenset({"actor", "role", "template", "digest", "checksum", "plan", "requested_by", "approved_by"})
    | frozenset({"event", "erased", "basis", "audience", "head", "due_rule", "events"}),
}

# What the other side may know of at all. An event about a step counts when the step is shown to everybody.
STEP_EVENTS = ("step.", "steps.")
OTHER_SIDE_EVENTS = frozenset(
    {
        *(f"{room}.{what}" for room in ("journey", "journeys", "departure") for what in ("started", "moved")),
        *(
            f"{room}.{what}"
            for room in ("journey", "journeys", "departure")
            for what in ("withdrawn", "closed")
        ),
        *(f"access.{what}" for what in ("applied", "enforced", "suspended", "deprovisioned", "restored")),
        *(f"access.{what}" for what in ("accepted", "verified", "read_back", "revoked")),
    }
)


def is_other_side(audience: Audience) -> bool:
    """Whether the pack goes to the one who leaves or to the client."""
    return audience in (Audience.LEAVER, Audience.CLIENT)


def shows_event(
    audience: Audience, kind: str, said: Mapping[str, Any], steps_for_all: frozenset[str]
) -> bool:
    """Whether an event belongs in the pack. `steps_for_all`: keys and ids of steps that everybody sees."""
    if not is_other_side(audience):
        return True
    if kind.startswith(STEP_EVENTS):
        return any(str(said.get(name)) in steps_for_all for name in ("step", "key", "step_id"))
    return kind in OTHER_SIDE_EVENTS


def shows_field(audience: Audience, kind: str, name: str, hidden: frozenset[str]) -> bool:
    """Whether a field's value belongs in the pack; `hidden`: guarded ones that the exporter may not read."""
    if audience is Audience.INTERNAL:
        return not is_hidden(kind, name, hidden)
    return name in SHOWN_FIELDS[audience]


def is_hidden(kind: str, name: str, hidden: frozenset[str]) -> bool:
    """Whether an event's field tells a guarded fact, as it is, or as it was before or after a change."""
    fact = name.removesuffix("_before").removesuffix("_after")
    return fact in hidden and kind.startswith(_TELL_FACTS)
