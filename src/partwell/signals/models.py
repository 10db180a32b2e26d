"""The outbox: mails that wait, and what became of them."""

from __future__ import annotations

import uuid

from django.db import models

from partwell.signals.sealing import unseal
from partwell.signals.states import MailState


class Message(models.Model):
    """One mail to one address.

    The text is sealed while it waits and erased once the mail is sent or dropped, because it carries
    links that open things. `dedupe_key` names what the mail is about: the same key is never queued
    twice, and the Message-ID follows from it. `lease` and `leased_until` mark the worker that is sending.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=40)
    to = models.EmailField(max_length=254)
    subject = models.CharField(max_length=200)
    sealed_text = models.TextField(blank=True)
    dedupe_key = models.CharField(max_length=200, unique=True)
    scope = models.CharField(max_length=80)
    state = models.CharField(
        max_length=8, choices=[(s.value, s.value) for s in MailState], default=MailState.QUEUED
    )
    created_at = models.DateTimeField()
    not_before_at = models.DateTimeField()
    next_attempt_at = models.DateTimeField()
    attempts = models.PositiveSmallIntegerField(default=0)
    lease = models.CharField(max_length=32, blank=True)
    leased_until = models.DateTimeField(null=True, blank=True)
    settled_at = models.DateTimeField(null=True, blank=True)
    last_error = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["-created_at", "pk"]
        indexes = [
            models.Index(
                fields=["next_attempt_at"],
                condition=models.Q(state=MailState.QUEUED),
                name="mail_waiting",
            ),
            models.Index(fields=["scope", "kind"], name="mail_by_scope"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} to {self.to}"

    @property
    def text(self) -> str:
        """What the mail says; empty once it was sent. Raises `SealBroken` under another key."""
        return unseal(self.sealed_text) if self.sealed_text else ""
