"""The engine's rules hold under every order of events that a seeded, faulty world comes up with.

The world: people set, move and cancel timers, some of it rolled back; the engine sweeps; runs come late,
twice, out of order or never; handlers fail; workers start again. A model beside it says what is right.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction

from partwell.engine import operations, registry, timers
from partwell.engine.models import Timer
from partwell.engine.states import TRANSITIONS, TimerState

START = datetime(2027, 1, 1, tzinfo=UTC)
KEYS = ("a", "b", "c", "d")
STEPS = 50
SHORT, LONG = 150, 5_000


class HandlerFailed(Exception):
    pass


@dataclass
class World:
    """What people wanted, what ran, and the runs under way between engine and handler."""

    dice: random.Random
    now: datetime = START
    wanted: dict[str, datetime | None] = field(default_factory=dict)
    completed: list[tuple[str, datetime]] = field(default_factory=list)
    under_way: list[tuple[str, ...]] = field(default_factory=list)
    known: set[str] = field(default_factory=set)
    failures: float = 0.2

    def handler(self, key: str, now: datetime) -> None:
        due = self.wanted.get(key)
        assert due is not None, f"{key} fired although it was cancelled or never set"
        assert now >= due, f"{key} fired early: at {now}, due {due}"
        assert (key, due) not in self.completed, f"{key} fired twice for {due}"
        if self.dice.random() < self.failures:
            raise HandlerFailed
        self.completed.append((key, due))

    def submit(self, workflow: str, args: tuple[str, ...], *, key: str, lane: str) -> None:
        """The engine's queue: it knows a key once."""
        if key not in self.known:
            self.known.add(key)
            self.under_way.append(args)

    def step(self) -> None:
        self.dice.choice(
            [
                *(self.set, self.set, self.cancel, self.pass_time, self.pass_time, self.sweep, self.sweep),
                *(self.run_one, self.run_one, self.run_twice, self.lose_one, self.start_again),
                self.roll_back,
            ]
        )()

    def set(self) -> None:
        key, due = self.dice.choice(KEYS), self.now + timedelta(seconds=self.dice.randrange(0, 1_800))
        operations.set_timer("sim", key=key, due_at=due)
        self.wanted[key] = due

    def cancel(self) -> None:
        key = self.dice.choice(KEYS)
        operations.cancel_timer("sim", key=key)
        due = self.wanted.get(key)
        if due is not None and (key, due) not in self.completed:
            self.wanted[key] = None

    def roll_back(self) -> None:
        try:
            with transaction.atomic():
                operations.set_timer("sim", key=self.dice.choice(KEYS), due_at=self.now)
                operations.cancel_timer("sim", key=self.dice.choice(KEYS))
                raise LookupError
        except LookupError:
            pass

    def pass_time(self) -> None:
        self.now += timedelta(seconds=self.dice.choice([0, 1, 60, 600, 86_400]))

    def sweep(self) -> None:
        timers.fire_due(self.now)

    def run_one(self) -> None:
        if self.under_way:
            self._run(self.under_way.pop(self.dice.randrange(len(self.under_way))))

    def run_twice(self) -> None:
        """A worker died after its handler's work, before it could say so; another does it again."""
        if self.under_way:
            args = self.under_way.pop(self.dice.randrange(len(self.under_way)))
            self._run(args)
            self._run(args)

    def lose_one(self) -> None:
        if self.under_way:
            self.under_way.pop(self.dice.randrange(len(self.under_way)))

    def start_again(self) -> None:
        timers.ask_again()

    def settle(self) -> None:
        """Let time pass without faults until everything that is due has run."""
        self.failures = 0
        for _ in range(12):
            self.now += timers.LEASE
            timers.fire_due(self.now)
            while self.under_way:
                self.run_one()

    def _run(self, args: tuple[str, ...]) -> None:
        with suppress(HandlerFailed):
            timers.run(*args, now=self.now)


@pytest.mark.django_db
def test_no_order_of_events_fires_a_timer_early_twice_or_never(
    long: bool, figure: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    base = random.randrange(1_000_000)
    episodes = LONG if long else SHORT
    completed = 0
    for seed in range(base, base + episodes):
        registry.REGISTERED.clear()
        world = World(random.Random(seed))
        registry.timer("sim", world.handler)
        monkeypatch.setattr(timers, "submit", world.submit)
        try:
            # Rolled back, not deleted: PostgreSQL cleans up after the one at once, and never after the other
            # within a test's one transaction.
            with transaction.atomic():
                play(world)
                transaction.set_rollback(True)
        except AssertionError as broken:
            raise AssertionError(f"seed {seed}: {broken}") from broken
        completed += len(world.completed)
    registry.REGISTERED.clear()
    figure(
        f"proof 8 ({connection.vendor}): seeds {base} to {base + episodes - 1}, {STEPS} steps each,"
        f" {completed} timers fired, 0 violations"
    )


def play(world: World) -> None:
    """One episode, and what must hold at its end."""
    for _ in range(STEPS):
        world.step()
    world.settle()
    for key, due in world.wanted.items():
        assert due is None or due > world.now or (key, due) in world.completed, f"{key} missed at {due}"
    assert set(Timer.objects.values_list("state", flat=True)) <= {"fired", "cancelled", "armed"}


def test_every_state_of_a_timer_has_its_row_in_the_table() -> None:
    assert set(TRANSITIONS) == set(TimerState)
