"""The engine's one domain row: a moment at which something has to happen."""

from __future__ import annotations

from django.db import models

from partwell.engine.states import TimerState


class Timer(models.Model):
    """A promise that `name` runs for `key` at `due_at`, once for each moment that it is set to.

    This row is the truth; what the engine's own tables say can be lost and rebuilt from it. `wake_at` is
    when somebody has to look at the row again: first `due_at`, then the end of a claim's lease, then the
    next try after a failure.
    """

    name = models.CharField(max_length=60)
    key = models.CharField(max_length=200)
    state = models.CharField(
        max_length=10,
        choices=[(state.value, state.value) for state in TimerState],
        default=TimerState.ARMED,
    )
    due_at = models.DateTimeField()
    wake_at = models.DateTimeField()
    attempts = models.PositiveIntegerField(default=0)
    fired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["name", "key"], name="engine_timer_once_per_key")]
        indexes = [
            # What the sweep asks twice a second; fired and cancelled rows stay out of it.
            models.Index(
                fields=["wake_at"],
                name="engine_timer_open",
                condition=models.Q(state__in=[TimerState.ARMED, TimerState.CLAIMED]),
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.key} {self.state} {self.due_at:%Y-%m-%dT%H:%M:%SZ}"
