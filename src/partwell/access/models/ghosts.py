"""Sweeps over all accounts, the ghosts that they found, and the days on which what was cut is read again."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from partwell.access.ghosts.matching import GhostKind
from partwell.access.models.cuts import Cut
from partwell.access.models.systems import System
from partwell.access.states import GhostState, KeptAs, SweepState
from partwell.departures.models import choices


class Sweep(models.Model):
    """One look at all accounts of all systems, or at a file with those of one."""

    started_at = models.DateTimeField()
    started_by = models.CharField(max_length=300)
    is_scheduled = models.BooleanField(default=False)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-started_at", "-pk"]

    def __str__(self) -> str:
        return f"sweep of {self.started_at:%Y-%m-%d %H:%M}"


class SystemSweep(models.Model):
    """How far one system was read in a sweep. Only `READ` says anything about what is not there.

    `accounts` were read. `left_out` are those of nobody that were counted and not kept, because there are
    too many to look at. `source` names the file where the accounts came from one.
    """

    sweep = models.ForeignKey(Sweep, on_delete=models.CASCADE, related_name="systems")
    system = models.ForeignKey(System, on_delete=models.CASCADE, related_name="sweeps")
    state = models.CharField(max_length=12, choices=choices(SweepState), default=SweepState.WAITING)
    reason = models.TextField(blank=True)
    source = models.CharField(max_length=200, blank=True)
    accounts = models.PositiveIntegerField(default=0)
    left_out = models.PositiveIntegerField(default=0)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["system__name", "pk"]
        constraints = [models.UniqueConstraint("sweep", "system", name="system_once_per_sweep")]
        indexes = [models.Index(fields=["system", "-sweep"], name="sweeps_of_system")]

    def __str__(self) -> str:
        return f"{self.system} in {self.sweep}"


class Ghost(models.Model):
    """One account that should not be as it is. While it is seen there is one row for it, so that a person's
    word about it holds; once it is seen no more the row is over, and coming back makes another.

    `by` is the fact that matched somebody who has left, or is almost the same. Without an owner it waits in
    the queue of IT/Security. `kept_as` with `person` is what somebody said of an account of nobody: whose it
    is, or who answers for it until `review_date`. A cut of one that is nobody's is in its `plans`, any other
    is a `cut` of the kill switch.
    """

    system = models.ForeignKey(System, on_delete=models.CASCADE, related_name="ghosts")
    external_id = models.CharField(max_length=400)
    kind = models.CharField(max_length=12, choices=choices(GhostKind))
    departure = models.ForeignKey(
        "departures.Departure", null=True, blank=True, on_delete=models.CASCADE, related_name="access_ghosts"
    )
    by = models.CharField(max_length=400, blank=True)
    login = models.CharField(max_length=320, blank=True)
    display_name = models.CharField(max_length=320, blank=True)
    is_active = models.BooleanField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    state = models.CharField(max_length=10, choices=choices(GhostState), default=GhostState.OPEN)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="ghosts"
    )
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    seen_in = models.ForeignKey(SystemSweep, null=True, on_delete=models.SET_NULL, related_name="ghosts")
    kept_as = models.CharField(max_length=10, choices=choices(KeptAs), blank=True)
    person = models.ForeignKey(
        "people.Person", null=True, blank=True, on_delete=models.SET_NULL, related_name="accounts_kept"
    )
    person_name = models.CharField(max_length=200, blank=True)
    review_date = models.DateField(null=True, blank=True)
    cut = models.ForeignKey(Cut, null=True, blank=True, on_delete=models.PROTECT, related_name="ghosts")
    settled_at = models.DateTimeField(null=True, blank=True)
    settled_by = models.CharField(max_length=300, blank=True)
    reason = models.TextField(blank=True)

    class Meta:
        ordering = ["-first_seen_at", "pk"]
        constraints = [
            models.UniqueConstraint(
                "system", "external_id", condition=~models.Q(state=GhostState.GONE), name="ghost_once"
            )
        ]
        indexes = [models.Index(fields=["state", "kind"], name="ghost_by_state")]

    def __str__(self) -> str:
        return f"{self.login or self.external_id} in {self.system}"


class Reverification(models.Model):
    """A day after access end on which everything that was settled is read again. `done_at` is empty until
    it was; `unread` counts what could not be read, of which nothing is known."""

    departure = models.ForeignKey(
        "departures.Departure", on_delete=models.CASCADE, related_name="access_reverifications"
    )
    day = models.PositiveSmallIntegerField()
    due_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True, blank=True)
    proven = models.PositiveIntegerField(default=0)
    came_back = models.PositiveIntegerField(default=0)
    unread = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["departure", "day"]
        constraints = [models.UniqueConstraint("departure", "day", name="reverification_once_a_day")]

    def __str__(self) -> str:
        return f"day {self.day} of {self.departure}"
