"""Append-only evidence events. The tree over them is in `tree.py`; sequencing in `sequencer.py`."""

from __future__ import annotations

import uuid

from django.db import models


class Event(models.Model):
    """One change of state: who (as text), when, what.

    `fields` holds, per field name, `{"salt", "value"}`; the leaf commits to the salted hash of each, so
    that a value can be erased or left out of a pack while the proofs still verify. Columns beside it
    carry no personal data: they are for finding events.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    scope = models.CharField(max_length=80)
    kind = models.CharField(max_length=60)
    occurred_at = models.DateTimeField()
    fields = models.JSONField()
    leaf = models.BinaryField()
    sequence = models.BigIntegerField(null=True, blank=True, unique=True)

    class Meta:
        ordering = ["occurred_at", "pk"]
        indexes = [
            models.Index(fields=["scope", "occurred_at"], name="event_by_scope"),
            models.Index(
                fields=["occurred_at"], condition=models.Q(sequence__isnull=True), name="event_unsequenced"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} at {self.occurred_at.isoformat()}"
