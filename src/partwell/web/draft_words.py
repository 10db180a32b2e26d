"""What the editor of templates says: fields, steps and changes in plain words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.urls import reverse

from partwell.journeys.models import DraftChange
from partwell.journeys.template.condition_choices import Comparison
from partwell.journeys.template.drafting import DraftTemplate
from partwell.journeys.template.model import PHASES, Anchor, Due
from partwell.people.roles import ROLE_LABELS, Role
from partwell.web import presenting

FIELDS = {
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
COMPARISON_WORDS = {
    Comparison.IS: "is",
    Comparison.IS_NOT: "is not",
    Comparison.AT_LEAST: "is at least",
    Comparison.AT_MOST: "is at most",
    Comparison.ONE_OF: "is one of",
    Comparison.NONE_OF: "is none of",
    Comparison.CONTAINS: "contains",
    Comparison.STARTS_WITH: "starts with",
    Comparison.YES: "is so",
    Comparison.NO: "is not so",
}


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


def field_name(name: str) -> str:
    """A condition's field as words: `person.tenure_years` → “Person: tenure years”."""
    group, key = name.split(".")
    return f"{group.capitalize()}: {key.replace('_', ' ')}"


def problem_rows(draft: DraftTemplate, problems: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    """Each problem with the step and field that it is about, in words, and where it is mended."""
    numbers = draft.numbers
    titles = {step.key: step.title for step in draft.steps}
    rows = []
    for field, message in problems:
        parts = field.split(".")
        key = parts[1] if parts[0] == "steps" and len(parts) > 1 else ""
        if key in numbers:
            what = parts[2] if len(parts) > 2 else "title"
            where = f"{numbers[key]} {titles[key] or key}: {FIELDS.get(what, what)}"
            url = reverse("web:draft_step", args=[draft.id, key])
        else:
            where = FIELDS.get(parts[0], "The template")
            if len(parts) > 1 and parts[0] == "empty_roles":
                where += f": {ROLE_LABELS[Role(parts[1])]}"
            url = reverse("web:draft_about", args=[draft.id])
            if parts[0] in ("empty_phases", "empty_roles") and len(parts) > 1:
                url += f"#id_{parts[0][:-1]}_{parts[1]}"
            elif parts[0] != "steps":
                url += f"#id_{parts[0]}"
            else:
                url = reverse("web:draft_add", args=[draft.id])
        rows.append({"where": where, "message": message, "url": url, "key": key})
    return rows


def change_rows(changes: Iterable[DraftChange], draft: DraftTemplate) -> list[dict[str, Any]]:
    """Who changed what and when, the latest first."""
    titles = {step.key: step.title for step in draft.steps}
    return [
        {
            "who": presenting.name_of(change.changed_by),
            "at": change.changed_at,
            "what": [_difference(each, titles) for each in change.differences],
        }
        for change in changes
    ]


def _difference(found: dict[str, Any], titles: dict[str, str]) -> dict[str, str]:
    parts = found["path"].split(".")
    before, after = found.get("before"), found.get("after")
    if parts[0] != "steps":
        shown = FIELDS.get(parts[0], parts[0])
        return {"what": shown, "before": value_words(parts[0], before), "after": value_words(parts[0], after)}
    name = f"“{titles.get(parts[1]) or parts[1]}”"
    if len(parts) == 2:
        gone = before is not None
        title = (before or after or {}).get("title") or parts[1]
        return {"what": f"Step “{title}”", "before": "", "after": "taken out" if gone else "added"}
    field = parts[2]
    return {
        "what": f"{name}: {FIELDS.get(field, field)}",
        "before": value_words(field, before),
        "after": value_words(field, after),
    }


def value_words(field: str, value: Any) -> str:
    """A value of a draft as people read it."""
    if value in (None, "", [], {}):
        return "nothing"
    match field, value:
        case "due", str():
            return due_words(value)
        case "role", str():
            return ROLE_LABELS[Role(value)]
        case "phase", int():
            return f"{value} {PHASES[value]}"
        case "required", bool():
            return "yes" if value else "no"
        case (("title" | "summary" | "when" | "guidance" | "place"), str()):
            return value if len(value) <= 160 else f"{value[:160]}…"
        case _, list():
            return ", ".join(str(each) for each in value)
        case _, dict():
            return "; ".join(f"{key}: {each}" for key, each in value.items())
        case _, str():
            return presenting.words(value)
    return str(value)
