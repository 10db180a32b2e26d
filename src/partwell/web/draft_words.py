"""What the editor of templates says: fields, steps and changes in plain words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.urls import reverse

from partwell.journeys.models import DraftChange
from partwell.journeys.template.condition_choices import Comparison
from partwell.journeys.template.drafting import DraftTemplate
from partwell.people.roles import ROLE_LABELS, Role
from partwell.web import presenting
from partwell.web.template_wording import LABELS, label_of, said

_MOST_LETTERS = 160
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
            where = f"{numbers[key]} {titles[key] or key}: {label_of(what)}"
            url = reverse("web:draft_step", args=[draft.id, key])
        else:
            where = LABELS.get(parts[0], "The template")
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
        shown = label_of(parts[0])
        return {"what": shown, "before": value_words(parts[0], before), "after": value_words(parts[0], after)}
    name = f"“{titles.get(parts[1]) or parts[1]}”"
    if len(parts) == 2:
        gone = before is not None
        title = (before or after or {}).get("title") or parts[1]
        return {"what": f"Step “{title}”", "before": "", "after": "taken out" if gone else "added"}
    field = parts[2]
    return {
        "what": f"{name}: {label_of(field)}",
        "before": value_words(field, before),
        "after": value_words(field, after),
    }


def value_words(field: str, value: Any) -> str:
    """A value of a draft as people read it, cut where it is long."""
    words = said(field, value) or "nothing"
    return words if len(words) <= _MOST_LETTERS else f"{words[:_MOST_LETTERS]}…"
