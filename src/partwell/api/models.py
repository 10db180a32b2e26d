"""Answers that are kept so that a repeated call gets the same one."""

from __future__ import annotations

from django.db import models


class KeptAnswer(models.Model):
    """What a call with an `Idempotency-Key` was, and how it was answered; no status while it runs."""

    token = models.ForeignKey("people.ApiToken", on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    began_at = models.DateTimeField()
    status = models.PositiveSmallIntegerField(null=True, blank=True)
    content_type = models.CharField(max_length=100, blank=True)
    body = models.TextField(blank=True)

    class Meta:
        constraints = [models.UniqueConstraint("token", "key", name="api_key_once_per_token")]
        indexes = [models.Index(fields=["token", "began_at"], name="api_answer_age")]

    def __str__(self) -> str:
        return self.key
