"""Append-only evidence events, and the tree over them. Growing the tree is in `sequencer.py`."""

from __future__ import annotations

import uuid

from django.db import models


class Event(models.Model):
    """One change of state: who (as text), when, what.

    `fields` holds, per field name, `{"salt", "value"}`, or `{"digest"}` once erased; the leaf commits to
    the salted hash of each, so that a value can be erased or left out of a pack while the proofs still
    verify. Columns beside it carry no personal data: they are for finding events.
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


class TreeNode(models.Model):
    """The root of one complete subtree; never changes once it is there. The key is `tree.position`."""

    position = models.BigIntegerField(primary_key=True)
    digest = models.BinaryField()

    def __str__(self) -> str:
        return f"node {self.position}"


class SigningKey(models.Model):
    """The public half of a key that has signed heads here; its fingerprint is SHA-256 of it, in hex."""

    fingerprint = models.CharField(max_length=64, primary_key=True)
    public_key = models.BinaryField()
    first_used_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.fingerprint


class TreeHead(models.Model):
    """A signed statement: at this moment the tree had this size and this root."""

    size = models.BigIntegerField(primary_key=True)
    root = models.BinaryField()
    signed_at = models.DateTimeField()
    key = models.ForeignKey(SigningKey, on_delete=models.PROTECT, related_name="heads")
    signature = models.BinaryField()

    class Meta:
        ordering = ["size"]

    def __str__(self) -> str:
        return f"{self.size}:{bytes(self.root).hex()}"


class SequencerLock(models.Model):
    """One row, locked by whoever grows the tree, so that only one at a time does (PostgreSQL). On SQLite
    the transaction itself excludes all other writers."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)

    def __str__(self) -> str:
        return "sequencer lock"
