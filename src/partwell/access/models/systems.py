"""Connected systems."""

from __future__ import annotations

import hashlib
import json

from django.db import models

from partwell.access.states import MOST_ACCOUNTS, MOST_PERCENT, SLA_MINUTES, SlaClass
from partwell.departures.models import choices


class System(models.Model):
    """One place where people have accounts. `settings` hold references to secrets, never secrets.

    `without` names capabilities that the connector has and this installation does not use here; what they
    would do becomes a task for a person. By a rule or by one person alone, no more than `most_accounts` of
    one person are cut here, and no more than `most_percent` of all accounts by one order of one person.
    `connection_changed_at` is when it was last changed in a way of which an earlier test says nothing.
    """

    name = models.SlugField(max_length=60, unique=True)
    title = models.CharField(max_length=120)
    connector = models.CharField(max_length=60)
    settings = models.JSONField(default=dict)
    without = models.JSONField(default=list)
    sla_class = models.CharField(max_length=10, choices=choices(SlaClass), default=SlaClass.NORMAL)
    time_limit_seconds = models.FloatField(default=20)
    most_accounts = models.PositiveIntegerField(default=MOST_ACCOUNTS)
    most_percent = models.PositiveSmallIntegerField(default=MOST_PERCENT)
    is_enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField()
    connection_changed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.title

    @property
    def sla_minutes(self) -> int:
        """Minutes after access end within which access here has to be gone."""
        return SLA_MINUTES[SlaClass(self.sla_class)]

    @property
    def connection_digest(self) -> str:
        """What is asked here and what may be done, as one value: another one may mean another server. The
        places of secrets count too, because at some services the credential alone says whose accounts are
        meant."""
        return _digest([self.connector, self.settings, sorted(self.without)])

    @property
    def revision(self) -> str:
        """All that can be changed, as one value, so that who changes it can say what they have seen."""
        return _digest(
            [
                self.connection_digest,
                self.title,
                self.sla_class,
                float(self.time_limit_seconds),
                self.most_accounts,
                self.most_percent,
            ]
        )


def _digest(said: list[object]) -> str:
    text = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
