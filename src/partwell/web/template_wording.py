"""What differs between templates, in words: fields by their names on pages, values as people read them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from partwell.journeys.template.difference import Difference, FieldChange
from partwell.journeys.template.model import PHASES, Template
from partwell.journeys.template.word_changes import Fate, Words, words_between
from partwell.people.roles import ROLE_LABELS, Role
from partwell.web import presenting

LABELS = {
    "id": "Name",
    "title": "Title",
    "summary": "Summary",
    "audience": "For",
    "initiated_by": "Begun by",
    "confidentiality": "Who may know",
    "reasons": "Reasons",
    "phase": "Phase",
    "guidance": "Guidance",
    "role": "Who",
    "due": "Due",
    "needs": "Needs",
    "when": "Only if",
    "evidence": "Proof",
    "kind": "Kind",
    "visibility": "Shown to",
    "required": "Closing waits for it",
    "guide": "Good practice",
}
TEXTS = {"title", "summary", "guidance"}


def label_of(field: str) -> str:
    """A field's name on pages."""
    name, _, part = field.partition(".")
    if name == "empty_phases":
        return f"Why phase {part} has no step"
    if name == "empty_roles":
        return f"Why there is no step for {ROLE_LABELS[Role(part)]}"
    return LABELS[name]


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
    return _replaced(_said(change.field, change.old), _said(change.field, change.new))


def _replaced(old: str, new: str) -> tuple[Words, ...]:
    between = " → " if old and new else ""
    runs = ((Fate.REMOVED, old), (Fate.KEPT, between), (Fate.ADDED, new))
    return tuple(Words(fate, text) for fate, text in runs if text)


def _said(field: str, value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if field == "phase":
        return f"{value} {PHASES[value]}"
    if field == "role":
        return ROLE_LABELS[Role(value)]
    if field == "due":
        return str(value).replace("_", " ")
    if field == "when":
        return value or "always"
    if field == "id":
        return str(value)
    return presenting.words(str(value))
