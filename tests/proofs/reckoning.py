"""What is left of an installation that was struck, against what it had acknowledged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Count

from partwell.api.models import KeptAnswer
from partwell.departures.models import Departure
from partwell.evidence.models import Event
from partwell.evidence.operations import departure_scope
from tests.proofs.callers import Call, Callers
from tests.proofs.engine_processes import Ledger, committed, open_runs

STEPS = 6
Moments = list[tuple[str, float]]


@dataclass
class Reckoning:
    """Counts of one round, or of several together."""

    kills: Counter[str] = field(default_factory=Counter)
    longest: dict[str, float] = field(default_factory=dict)
    figures: Counter[str] = field(default_factory=Counter)

    def add(self, other: Reckoning) -> None:
        self.kills += other.kills
        self.figures.update(other.figures)
        for kind, seconds in other.longest.items():
            self.longest[kind] = max(seconds, self.longest.get(kind, 0.0))

    @property
    def wrong(self) -> dict[str, int]:
        """What must not be."""
        names = ("lost", "half done", "doubled", "stuck", "refused and done")
        return {name: self.figures[name] for name in names if self.figures[name]}

    def text(self) -> str:
        tell = self.figures
        kinds = ", ".join(f"{self.kills[kind]} {kind}" for kind in sorted(self.kills))
        return (
            f"{self.kills.total()} kills: {kinds}\n"
            f"  {tell['asked']} journeys asked for over HTTP, {tell['acknowledged']} acknowledged,"
            f" {tell['again']} of them not at the first try;"
            f" {tell['given up']} given up, of which {tell['given up and there']} are there\n"
            f"  {tell['console']} tasks of the console, {tell['refused']} refused\n"
            f"  lost {tell['lost']}, half done {tell['half done']}, doubled {tell['doubled']},"
            f" stuck {tell['stuck']}; {tell['cut short']} runs were cut short and began again\n"
            "  longest until all that a kill struck was done: "
            + ", ".join(f"{kind} {self.longest[kind]:.1f} s" for kind in sorted(self.longest))
        )


def reckon(callers: Callers, ledger: Ledger, moments: Moments, done: Collection[str]) -> Reckoning:
    """Compare. `done` is what a worker has said to be done."""
    calls, acknowledged = callers.calls, callers.acknowledged()
    departures = list(Departure.objects.annotate(steps=Count("journey__steps")).select_related("person"))
    by_person = Counter(departure.person.email for departure in departures if departure.person)
    at_console, refused = committed(), ledger.tasks("refused")
    kept = KeptAnswer.objects.filter(status=201).count()
    figures = {
        "asked": len(calls),
        "acknowledged": len(acknowledged),
        "again": sum(call.tries > 1 for call in acknowledged),
        "given up": len(calls) - len(acknowledged),
        "given up and there": len(departures) - len(acknowledged),
        "console": len(at_console),
        "refused": len(refused),
        "lost": sum(not by_person[call.person] for call in acknowledged)
        + len(ledger.tasks("asked") - at_console),
        "half done": sum(not is_whole(departure) for departure in departures) + abs(kept - len(departures)),
        "doubled": sum(count - 1 for count in by_person.values()),
        "stuck": len({str(each.pk) for each in departures} - set(done))
        + len(at_console - set(done))
        + open_runs(),
        "refused and done": len(refused & (set(done) | at_console)),
        "cut short": len(ledger.lines("begin")) - len(ledger.lines("done")),
    }
    kills = Counter(kind for kind, _ in moments)
    return Reckoning(kills, longest_recoveries(moments, acknowledged, ledger), Counter(figures))


def is_whole(departure: Any) -> bool:
    """Whether all that starting a journey writes is there: steps, participants and one event."""
    started = Event.objects.filter(scope=departure_scope(departure.pk), kind="journey.started").count()
    return departure.steps == STEPS and started == 1 and departure.participants.exists()


def longest_recoveries(moments: Moments, calls: Collection[Call], ledger: Ledger) -> dict[str, float]:
    """For each kind of kill, the longest time from it until all that had been asked for was done, and the
    first thing that was asked for afterwards too. Later kills are part of it."""
    done: dict[str, float] = {}
    for line in ledger.lines("done"):
        done.setdefault(line.task, line.at)
    tasks = sorted(
        (call.sent_at, call.acknowledged_at, done[call.departure])
        for call in calls
        if call.acknowledged_at is not None and call.departure in done
    )
    longest: dict[str, float] = {}
    for kind, at in moments:
        struck = [finished for _, acknowledged, finished in tasks if acknowledged <= at < finished]
        following = [finished for sent, _, finished in tasks if sent >= at][:1]
        seconds = [finished - at for finished in (*struck, *following)]
        longest[kind] = max(longest.get(kind, 0.0), *seconds, 0.0)
    return longest
