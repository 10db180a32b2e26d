"""Orders of the kill switch."""

from __future__ import annotations

import uuid

from django.db import models

from partwell.access.states import CutState
from partwell.departures.models import choices


class Cut(models.Model):
    """One order of the kill switch: these departures, now or at `fire_at`, by one person's word, or by two
    where it is many. `stage_size` people are shut out at a time, all at once where it is empty; where more
    than `hold_above_percent` of a stage's accounts came to nothing, it waits for somebody. Whoever reviews it
    afterwards is another person than the one who ordered it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    title = models.CharField(max_length=200)
    reason = models.TextField()
    state = models.CharField(max_length=10, choices=choices(CutState))
    departures = models.ManyToManyField("departures.Departure", related_name="access_cuts")
    ordered_by = models.CharField(max_length=300)
    ordered_by_id = models.BigIntegerField(null=True, blank=True)
    ordered_at = models.DateTimeField()
    approved_by = models.CharField(max_length=300, blank=True)
    approved_at = models.DateTimeField(null=True, blank=True)
    fire_at = models.DateTimeField(null=True, blank=True)
    fired_at = models.DateTimeField(null=True, blank=True)
    stage_size = models.PositiveSmallIntegerField(null=True, blank=True)
    hold_above_percent = models.PositiveSmallIntegerField(null=True, blank=True)
    held_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    review_due_at = models.DateTimeField(null=True, blank=True)
    reviewed_by = models.CharField(max_length=300, blank=True)
    reviewed_at = models.DateTimeField(null=True, blank=True)
    review_note = models.TextField(blank=True)

    class Meta:
        ordering = ["-ordered_at", "pk"]
        indexes = [models.Index(fields=["state", "review_due_at"], name="cut_to_review")]

    def __str__(self) -> str:
        return self.title
