"""The outbox: mails and signals that wait, and what became of them; receivers of signals; signing keys."""

from __future__ import annotations

import uuid

from django.db import models

from partwell.signals.sealing import unseal
from partwell.signals.states import MailState, Signal, SignalState, SubjectFormat


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


class Receiver(models.Model):
    """A place that wants to know at once when somebody's sessions ended or their account was disabled.

    `authorization` is a reference to the secret (`env:NAME`, `file:/PATH`), never the secret. `signals` are
    those that it is told. People are named as `subject_format` says; `subject_issuer` is whose user names
    those are, for `iss_sub` only.
    """

    name = models.SlugField(max_length=60, unique=True)
    title = models.CharField(max_length=120)
    endpoint = models.CharField(max_length=500)
    audience = models.CharField(max_length=500)
    authorization = models.CharField(max_length=500, blank=True)
    ca_file = models.CharField(max_length=500, blank=True)
    signals = models.JSONField(default=list)
    subject_format = models.CharField(
        max_length=10, choices=[(f.value, f.value) for f in SubjectFormat], default=SubjectFormat.EMAIL
    )
    subject_issuer = models.CharField(max_length=500, blank=True)
    is_enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.title


class SecurityEvent(models.Model):
    """One signal for one receiver about one identifier of one person.

    `jti` names it to the receiver and stays the same however often it is sent. What it says is sealed while
    it waits and erased once the receiver took it: the row names nobody. `dedupe_key` names what it is about;
    the same key is never queued twice. `lease` marks the worker that is sending it.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    receiver = models.ForeignKey(Receiver, on_delete=models.PROTECT, related_name="security_events")
    signal = models.CharField(max_length=20, choices=[(s.value, s.value) for s in Signal])
    jti = models.CharField(max_length=32, unique=True)
    sealed_claims = models.TextField(blank=True)
    dedupe_key = models.CharField(max_length=64, unique=True)
    scope = models.CharField(max_length=80)
    state = models.CharField(
        max_length=8, choices=[(s.value, s.value) for s in SignalState], default=SignalState.QUEUED
    )
    created_at = models.DateTimeField()
    give_up_at = models.DateTimeField()
    next_attempt_at = models.DateTimeField()
    attempts = models.PositiveSmallIntegerField(default=0)
    lease = models.CharField(max_length=32, blank=True)
    settled_at = models.DateTimeField(null=True, blank=True)
    answer = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["-created_at", "pk"]
        indexes = [
            models.Index(
                fields=["receiver", "next_attempt_at"],
                condition=models.Q(state=SignalState.QUEUED),
                name="signal_waiting",
            ),
            models.Index(fields=["receiver", "-created_at", "id"], name="signal_by_receiver"),
        ]

    def __str__(self) -> str:
        return f"{self.signal} for {self.receiver}"


class SigningKey(models.Model):
    """A key that signals are signed with; one is in use, those before it are only published for a while."""

    kid = models.CharField(max_length=64, unique=True)
    public_jwk = models.JSONField()
    sealed_private = models.TextField(blank=True)
    is_in_use = models.BooleanField(default=True)
    made_at = models.DateTimeField()
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-made_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                "is_in_use", condition=models.Q(is_in_use=True), name="signing_key_one_in_use"
            )
        ]

    def __str__(self) -> str:
        return self.kid
