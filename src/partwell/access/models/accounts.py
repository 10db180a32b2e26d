"""The accounts that were found, and what people must be told of them."""

from __future__ import annotations

from typing import Any

from django.db import models

from partwell.access.models.systems import System
from partwell.access.models.whose import OfADeparture
from partwell.access.states import SETTLED, AccessState, Link
from partwell.departures.models import choices
from partwell.evidence.operations import departure_scope


class AccountRecord(OfADeparture, models.Model):
    """One account of the leaver in one system, as last read; without a departure, one of nobody that is cut.

    An empty `external_id` stands for a system that could not be asked, or that only a person can.
    `snapshot` is the state before our first write; it stays until the account has been restored.
    `revoked_at` is when all access here was proven gone. A later plan that finds it so leaves it as it is; it
    is empty again once access was found there or given back.
    """

    departure = models.ForeignKey(
        "departures.Departure",
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="access_accounts",
    )
    system = models.ForeignKey(System, on_delete=models.PROTECT, related_name="accounts")
    external_id = models.CharField(max_length=400, blank=True)
    login = models.CharField(max_length=320, blank=True)
    display_name = models.CharField(max_length=320, blank=True)
    matched_by = models.CharField(max_length=60, blank=True)
    is_active = models.BooleanField(null=True, blank=True)
    is_protected = models.BooleanField(default=False)
    open_sessions = models.PositiveIntegerField(null=True, blank=True)
    entitlements = models.JSONField(default=list)
    link = models.CharField(max_length=10, choices=choices(Link), default=Link.UNDECIDED, blank=True)
    state = models.CharField(max_length=12, choices=choices(AccessState), default=AccessState.PLANNED)
    reason = models.TextField(blank=True)
    snapshot = models.JSONField(null=True, blank=True)
    snapshot_taken_at = models.DateTimeField(null=True, blank=True)
    last_read_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["system__name", "login", "pk"]
        constraints = [
            models.UniqueConstraint("departure", "system", "external_id", name="account_once_per_departure"),
            models.UniqueConstraint(
                "system",
                "external_id",
                condition=models.Q(departure__isnull=True),
                name="account_once_of_nobody",
            ),
        ]
        indexes = [models.Index(fields=["state"], name="account_by_state")]

    def __str__(self) -> str:
        return f"{self.login or self.external_id or '(unknown)'} in {self.system}"

    @property
    def scope(self) -> str:
        """Whose record tells of it: its departure's, or its system's where it is nobody's."""
        return departure_scope(self.departure_id) if self.departure_id else f"system:{self.system.name}"

    @property
    def is_settled(self) -> bool:
        """Whether nothing is left to do here."""
        return self.state in SETTLED


class Alert(models.Model):
    """Something that people must be told, until it is resolved. `key` keeps one from being raised twice."""

    departure = models.ForeignKey(
        "departures.Departure", on_delete=models.CASCADE, related_name="access_alerts"
    )
    kind = models.CharField(max_length=40)
    key = models.CharField(max_length=120, blank=True)
    text = models.TextField()
    raised_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-raised_at", "pk"]
        constraints = [models.UniqueConstraint("departure", "kind", "key", name="alert_once")]
        indexes = [models.Index(fields=["resolved_at", "raised_at"], name="alert_open")]

    def __str__(self) -> str:
        return self.text[:80]

    def as_dict(self) -> dict[str, Any]:
        """The shape that faces show."""
        return {"kind": self.kind, "text": self.text, "raised_at": self.raised_at.isoformat()}
