"""What a system would be sent, verb by verb, without sending it.

Each verb is tried against the account as it is now, so that what one call changes is not seen by the next: a
verb that the one before makes needless is shown all the same. Reading is done and not shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from partwell.access.connections import Session, Target
from partwell.connector_kit import registry
from partwell.connector_kit.calls import Call, Notes
from partwell.connector_kit.contract import ConnectorError, Outcome, Receipt

NOT_TRIED = (
    "This type of connection does not promise that each of its calls can be held back, so it was not tried. "
    "What would be done is in the plan."
)
NOTHING_TO_SEND = "Nothing would be sent: it is so already."


@dataclass(frozen=True)
class Asked:
    """One verb on one account, as the plan has it."""

    external_id: str
    login: str
    verb: str


@dataclass(frozen=True)
class Tried:
    """What one verb on one account would send. `left_out` counts calls beyond those that are kept; `said` has
    words where there are no calls, or not all of them."""

    asked: Asked
    calls: tuple[Call, ...] = ()
    left_out: int = 0
    said: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The shape that a dry run keeps."""
        return {
            "account": self.asked.external_id,
            "login": self.asked.login,
            "verb": self.asked.verb,
            "calls": [call.as_dict() for call in self.calls],
            "left_out": self.left_out,
            "said": self.said,
        }


@dataclass(frozen=True)
class Shown:
    """What one system would be sent. `reason` says why nothing is shown of it."""

    target: Target
    tried: tuple[Tried, ...] = ()
    reason: str = ""
    can_show: bool = True

    @property
    def calls(self) -> int:
        return sum(len(each.calls) + each.left_out for each in self.tried)

    def as_dict(self, *, title: str) -> dict[str, Any]:
        """The shape that a dry run keeps."""
        return {
            "system": self.target.name,
            "title": title,
            "connector": self.target.connector,
            "can_show": self.can_show,
            "reason": self.reason,
            "calls": self.calls,
            "verbs": [each.as_dict() for each in self.tried],
        }


def try_in(target: Target, asked: Sequence[Asked]) -> Shown:
    """Show what these would send to one system, each within its time limit. Blocking; never raises."""
    registered = registry.find(target.connector)
    if registered is None or not registered.manifest.shows_calls:
        return Shown(target, tuple(Tried(each) for each in asked), NOT_TRIED, can_show=False)
    notes = Notes()
    try:
        with Session(target, notes=notes) as session:
            return Shown(target, tuple(_try(session, notes, each) for each in asked))
    except ConnectorError as error:
        return Shown(target, reason=notes.without_secrets(error.message))


def _try(session: Session, notes: Notes, asked: Asked) -> Tried:
    said = ""
    try:
        receipt: Receipt = session.call(lambda connector: getattr(connector, asked.verb)(asked.external_id))
        if receipt.outcome is Outcome.ALREADY_DONE:
            said = f"{NOTHING_TO_SEND} {receipt.summary}"
    except ConnectorError as error:
        said = error.message
    calls, total = notes.take()
    if said and calls:
        said = f"What follows depends on the system’s answer. {said}"
    return Tried(asked, tuple(calls), total - len(calls), notes.without_secrets(said))
