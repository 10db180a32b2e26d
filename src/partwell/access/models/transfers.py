"""What the leaver looked after, who gets it, and what became of handing it over."""

from __future__ import annotations

import uuid
from datetime import date, datetime

from django.db import models

from partwell.access.models.accounts import AccountRecord
from partwell.access.models.systems import System
from partwell.access.transfers import days
from partwell.access.transfers.states import (
    FOR_A_TIME,
    GIVEN,
    MAY_HAVE,
    SETTLED,
    HandedKind,
    TransferBy,
    TransferState,
)
from partwell.departures.models import choices


class Transfer(models.Model):
    """One thing that goes from a leaver to a successor. Without an `account` it is handed over by hand.

    The successor's name and address outlive their row; `successor_login` is what they are called in the
    system, where that is not their address. `ends_on_date` is the last day of what is given for a time, and
    empty means the usual one. `handle` finds the system's job again. `given_at` is when it was read back, or
    said, that the successor has it, `first_due_at` when a suspension first waited for it. `proof` is what was
    read, or what a person said; `note` what the successor said.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    departure = models.ForeignKey("departures.Departure", on_delete=models.CASCADE, related_name="transfers")
    account = models.ForeignKey(
        AccountRecord, null=True, blank=True, on_delete=models.SET_NULL, related_name="transfers"
    )
    system = models.ForeignKey(
        System, null=True, blank=True, on_delete=models.PROTECT, related_name="transfers"
    )
    system_title = models.CharField(max_length=120, blank=True)
    kind = models.CharField(max_length=20, choices=choices(HandedKind))
    what = models.CharField(max_length=300, blank=True)
    successor = models.ForeignKey(
        "people.Person", null=True, blank=True, on_delete=models.SET_NULL, related_name="transfers_received"
    )
    successor_name = models.CharField(max_length=200, blank=True)
    successor_email = models.EmailField(blank=True)
    successor_login = models.CharField(max_length=320, blank=True)
    ends_on_date = models.DateField(null=True, blank=True)
    text = models.TextField(blank=True)
    state = models.CharField(max_length=12, choices=choices(TransferState), default=TransferState.OPEN)
    by = models.CharField(max_length=10, choices=choices(TransferBy), blank=True)
    is_early = models.BooleanField(default=False)
    handle = models.TextField(blank=True)
    reason = models.TextField(blank=True)
    proof = models.JSONField(null=True, blank=True)
    note = models.TextField(blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    opened_at = models.DateTimeField()
    first_due_at = models.DateTimeField(null=True, blank=True)
    asked_at = models.DateTimeField(null=True, blank=True)
    next_at = models.DateTimeField(null=True, blank=True)
    given_at = models.DateTimeField(null=True, blank=True)
    answered_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    settled_by = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["system_title", "kind", "what", "pk"]
        constraints = [
            models.UniqueConstraint(
                "account", "kind", condition=models.Q(what=""), name="transfer_once_per_account"
            )
        ]
        indexes = [
            models.Index(fields=["state", "departure"], name="transfer_by_state"),
            models.Index(fields=["successor", "state"], name="transfer_by_successor"),
        ]

    def __str__(self) -> str:
        where = f" in {self.system_title}" if self.system_title else ""
        return f"{self.title}{where}"

    @property
    def title(self) -> str:
        """What it is, in a word or in those of whoever opened it."""
        return self.what or self.kind.replace("_", " ")

    @property
    def is_settled(self) -> bool:
        """Whether nothing is left to do before the departure closes."""
        return self.state in SETTLED

    @property
    def is_given(self) -> bool:
        """Whether the successor has it, as far as anybody knows, also where the notice was withdrawn."""
        return self.state in GIVEN and self.given_at is not None

    @property
    def is_still_with_successor(self) -> bool:
        """Whether what is given for a time was given and not taken away, or nobody can tell."""
        was_given = self.given_at is not None or self.state == TransferState.UNKNOWN
        return self.is_for_a_time and was_given and self.ended_at is None and self.state in MAY_HAVE

    @property
    def is_for_a_time(self) -> bool:
        return self.kind in FOR_A_TIME

    @property
    def last_day(self) -> date | None:
        """The last day of what is given for a time; None for what is given for good."""
        return (self.ends_on_date or days.usual_last_day(self.departure)) if self.is_for_a_time else None

    @property
    def ends_at(self) -> datetime | None:
        """When it is taken away again; None for what is given for good."""
        return None if (day := self.last_day) is None else days.end_of(day, self.departure)
