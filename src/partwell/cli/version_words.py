"""What moving a journey to another version of its template changes, as the command line says it."""

from __future__ import annotations

from partwell.cli.dates import day_there
from partwell.cli.output import table
from partwell.journeys.earlier_versions import Behind
from partwell.journeys.operations.changing_version import Outcome
from partwell.journeys.version_change import Fate, StepChange
from partwell.journeys.version_drafts import VersionChange

FATES = {
    Fate.ADDED: "Added",
    Fate.CHANGED: "Changed",
    Fate.FALLS_AWAY: "Falls away",
    Fate.SET_ASIDE: "Set aside",
    Fate.STAYS: "Stays",
}


def change_as_text(change: VersionChange) -> str:
    """Every step that changes, comes, goes or stays although the version has it otherwise."""
    head = f"{change.new.template_id}, from version {change.old.version} to {change.new.version}"
    lines, zone = [f"{change.departure.subject_name} · {head}"], change.departure.timezone
    for fate, word in FATES.items():
        lines += [
            f"{word:<10}  {each.step.title} ({each.step.key}){_more(each, zone)}"
            for each in change.merged.of(fate)
        ]
    if change.merged.is_reordered:
        lines.append("Steps stand in another order.")
    if len(lines) == 1:
        lines.append("No step changes.")
    return "\n".join(lines)


def behind_as_text(rows: list[Behind]) -> str:
    """Journeys on earlier versions: how many steps would change in which way, and the digest to confirm."""
    shown = [
        (
            row.departure.pk,
            row.departure.subject_name,
            row.departure.last_working_date,
            row.departure.journey.template.version,
            ", ".join(f"{len(row.change.merged.of(fate))} {word.lower()}" for fate, word in FATES.items())
            if row.change
            else str(row.refusal),
            row.change.digest if row.change else "–",
        )
        for row in rows
    ]
    return table(shown, ("ID", "Who", "Last day", "Version", "Steps", "Digest"))


def outcomes_as_text(outcomes: list[Outcome]) -> str:
    """What came of each journey, one line each."""
    return "\n".join(
        f"{each.subject or each.departure_id}: "
        + (
            each.refusal.message
            if each.refusal
            else f"moved, {each.change.count if each.change else 0} steps"
        )
        for each in outcomes
    )


def _more(each: StepChange, zone: str) -> str:
    said = []
    if each.fields:
        said.append(", ".join(field.field for field in each.fields))
    before, after = each.before, each.after
    if before is None and after is not None:
        said.append(f"{after.owner or 'nobody yet'}, due {day_there(after.due_at, zone)}, {after.state}")
    elif before and after:
        for was, now in (
            (before.owner or "nobody yet", after.owner or "nobody yet"),
            (day_there(before.due_at, zone), day_there(after.due_at, zone)),
            (before.state, after.state),
        ):
            if was != now:
                said.append(f"{was} → {now}")
    if each.meant_for:
        said.append(f"would have been due on {day_there(each.meant_for, zone)}")
    if each.why:
        said.append(each.why)
    return f": {'; '.join(said)}" if said else ""
