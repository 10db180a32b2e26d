"""Templates in words: fields by their names on pages, values as people read them, and what differs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from partwell.journeys.template.difference import Difference, FieldChange
from partwell.journeys.template.model import PHASES, Anchor, Due, Template
from partwell.journeys.template.word_changes import Fate, Words, words_between
from partwell.people.roles import ROLE_LABELS, Role
from partwell.web import presenting

LABELS = {
    "id": "Name",
    "title": "Title",
    "summary": "Summary",
    "audience": "For",
    "initiated_by": "Who ends it",
    "confidentiality": "Who may know",
    "reasons": "Reasons",
    "empty_phases": "Why a phase is empty",
    "empty_roles": "Why a role has no step",
    "steps": "Steps",
    "key": "Name",
    "phase": "Phase",
    "role": "Who",
    "due": "Due",
    "needs": "Needs",
    "when": "Only if",
    "evidence": "Proof",
    "kind": "Kind",
    "visibility": "Who sees it",
    "required": "Must be done",
    "guide": "Good practice",
    "guidance": "How it is done",
    "place": "Place",
    "order": "Order of the steps",
}
ANCHORS = {
    Anchor.NOTICE: "the notice",
    Anchor.LAST_WORKING_DAY: "the last working day",
    Anchor.ACCESS_END: "the end of access",
    Anchor.CONTRACT_END: "the end of the contract",
}
TEXTS = {"title", "summary", "guidance"}


def label_of(field: str) -> str:
    """A field's name on pages."""
    name, _, part = field.partition(".")
    if name == "empty_phases" and part:
        return f"Why phase {part} has no step"
    if name == "empty_roles" and part:
        return f"Why there is no step for {ROLE_LABELS[Role(part)]}"
    return LABELS.get(name, name)


def due_words(due: str) -> str:
    """A due rule as words: “5 working days before the last working day”."""
    rule = Due.parse(due)
    if not rule.offset:
        return (
            f"on {ANCHORS[rule.anchor]}" if rule.anchor is not Anchor.ACCESS_END else "at the end of access"
        )
    count = abs(rule.offset)
    unit = rule.unit.replace("_", " ")
    side = "before" if rule.offset < 0 else "after"
    return f"{count} {unit if count != 1 else unit[:-1]} {side} {ANCHORS[rule.anchor]}"


def change_rows(changes: Iterable[FieldChange]) -> list[dict[str, Any]]:
    """For each changed field its label, and the runs of words that were kept, removed and added."""
    return [{"label": label_of(change.field), "words": _words(change)} for change in changes]


def change_lines(found: Difference, old: Template, new: Template) -> list[str]:
    """One line for everything that differs, as a list of changes shows it."""
    was, now = old.numbers, new.numbers
    lines = [f"{label_of(change.field)} changed" for change in found.fields]
    lines += [f"Added {now[step.key]} {step.title}" for step in found.added]
    lines += [f"Removed {step.title}, which was {was[step.key]}" for step in found.removed]
    lines += [
        f"{now[each.new.key]} {each.new.title}: {_in_one(label_of(change.field) for change in each.fields)}"
        for each in found.changed
    ]
    lines += [
        f"{now[each.step.key]} {each.step.title} was {was[each.step.key]} before" for each in found.moved
    ]
    if found.is_mixed_anew:
        lines.append("Steps of different phases stand in another order in the file; nothing moves on pages")
    return lines


def _in_one(labels: Iterable[str]) -> str:
    return ", ".join(label[0].lower() + label[1:] for label in labels)


def _words(change: FieldChange) -> tuple[Words, ...]:
    if change.field in TEXTS or "." in change.field:
        return words_between(change.old or "", change.new or "")
    if isinstance(change.old, list) and sorted(change.old) != sorted(change.new):
        gone = [item for item in change.old if item not in change.new]
        come = [item for item in change.new if item not in change.old]
        return _replaced(", ".join(gone), ", ".join(come))
    return _replaced(said(change.field, change.old), said(change.field, change.new))


def _replaced(old: str, new: str) -> tuple[Words, ...]:
    between = " → " if old and new else ""
    runs = ((Fate.REMOVED, old), (Fate.KEPT, between), (Fate.ADDED, new))
    return tuple(Words(fate, text) for fate, text in runs if text)


def said(field: str, value: Any) -> str:
    """A value as people read it; empty for one that is not there."""
    match field, value:
        case "when", _:
            return str(value or "always")
        case _, None | "" | [] | {}:
            return ""
        case "due", str():
            return due_words(value)
        case "role", str():
            return ROLE_LABELS[Role(value)]
        case "phase", int():
            return f"{value} {PHASES[value]}"
        case _, bool():
            return "yes" if value else "no"
        case _, list():
            return ", ".join(str(each) for each in value)
        case _, dict():
            return "; ".join(f"{key}: {each}" for key, each in value.items())
        case (("id" | "title" | "summary" | "guidance" | "place"), _):
            return str(value)
    return presenting.words(str(value))
