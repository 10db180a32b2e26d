"""Templates beside each other and what waits for what, as the command line says it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from partwell.cli.output import table
from partwell.journeys.template.comparison import Counts, Likeness, Pair
from partwell.journeys.template.dependencies import Dependencies
from partwell.journeys.template.difference import FieldChange
from partwell.journeys.template.model import PHASES, Template, TemplateStep
from partwell.journeys.template.word_changes import Fate, words_between
from partwell.journeys.template_comparisons import SideBySide, VersionDifference
from partwell.people.roles import ROLE_LABELS, Role

MARKS = {Fate.KEPT: "{}", Fate.REMOVED: "[-{}-]", Fate.ADDED: "{{+{}+}}"}
LIKENESS = {
    Likeness.SAME_KEY: "in both",
    Likeness.COUNTERPARTS: "counterparts",
    Likeness.ONLY_LEFT: "only left",
    Likeness.ONLY_RIGHT: "only right",
}
MOST_HOLDING = 5


def difference_as_text(shown: VersionDifference) -> str:
    """Everything that differs, texts word by word: [-removed-] and {+added+}."""
    found = shown.found
    head = f"{shown.new.template_id}, from version {shown.old.version} to {shown.new.version}"
    if not found.count:
        return f"{head}: nothing differs."
    differ = "thing differs" if found.count == 1 else "things differ"
    lines = [f"{head}: {found.count} {differ}.", *_changes(found.fields)]
    lines += [f"Added    {_step(step)}" for step in found.added]
    lines += [f"Removed  {_step(step)}" for step in found.removed]
    for each in found.changed:
        lines += [f"Changed  {_step(each.new)}", *_changes(each.fields)]
    lines += [
        f"Moved    {_step(each.step)}, from place {each.old_place} to {each.new_place} in its phase"
        for each in found.moved
    ]
    if found.is_mixed_anew:
        lines.append("Steps of different phases stand in another order in the file.")
    return "\n".join(lines)


def comparison_as_text(shown: SideBySide) -> str:
    """Counts by role, then every step by phase."""
    found = shown.found
    sides = f"Left: {shown.left.version.title} ({shown.left.version})"
    lines = [sides, f"Right: {shown.right.version.title} ({shown.right.version})", ""]
    rows: list[list[Any]] = [["everybody", *_counts(Counts.of(found.pairs))]]
    rows += [
        [ROLE_LABELS[role], *_counts(Counts.of(found.of_role(role)))] for role in Role if found.of_role(role)
    ]
    lines.append(table(rows, ("whose", *LIKENESS.values())))
    for phase, title in PHASES.items():
        lines += ["", f"{phase}. {title}", *(f"   {_pair(pair)}" for pair in found.of_phase(phase))]
    practice = found.practice
    lines += ["", "Good practice"]
    for words, served in (
        ("both", practice.both),
        ("only left", practice.only_left),
        ("only right", practice.only_right),
    ):
        lines.append(f"   {words}: {', '.join(served) or 'none'}")
    return "\n".join(lines)


def dependencies_as_text(template: Template, found: Dependencies) -> str:
    """The longest chain, what holds up most, and what each step waits for."""
    lines = [f"Never open, for they wait for each other: {', '.join(ring)}" for ring in found.rings]
    lines += ["The longest chain"]
    lines += [f"   {key}" for key in found.longest] or ["   no step waits for another"]
    lines += ["", "Steps that hold up most"]
    lines += [f"   {key}: {len(found.links[key].after)}" for key in found.holding_up[:MOST_HOLDING]]
    for phase, title in PHASES.items():
        steps = [step for step in template.steps if step.phase == phase]
        lines += ["", f"{phase}. {title}"] if steps else []
        lines += [f"   {step.key}{_waits(found.links[step.key].needs)}" for step in steps]
    return "\n".join(lines)


def _waits(needs: tuple[str, ...]) -> str:
    return f" waits for {', '.join(needs)}" if needs else ""


def _counts(counts: Counts) -> Iterable[int]:
    return counts.as_dict().values()


def _step(step: TemplateStep) -> str:
    return f"{step.key}: {step.title}"


def _pair(pair: Pair) -> str:
    words = f"{LIKENESS[pair.likeness]:<13} {' | '.join(_step(step) for step in _told(pair))}"
    differing = ", ".join(change.field for change in pair.changes)
    return f"{words}  (differs in {differing})" if differing else words


def _told(pair: Pair) -> tuple[TemplateStep, ...]:
    """The steps of a pair; one of them where both say the same."""
    return tuple({_step(step): step for step in pair.steps}.values())


def _changes(changes: Iterable[FieldChange]) -> Iterator[str]:
    for change in changes:
        if isinstance(change.old, str) and isinstance(change.new, str):
            runs = words_between(change.old, change.new)
            yield f"   {change.field}: " + "".join(MARKS[run.fate].format(run.text) for run in runs)
        else:
            yield f"   {change.field}: {_value(change.old)} → {_value(change.new)}"


def _value(value: Any) -> str:
    return value if isinstance(value, str) else "none" if value is None else json.dumps(value)
