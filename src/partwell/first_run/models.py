"""What of the set-up somebody has put aside, and departures that people only practise.

Everything else about the set-up is read from the rooms below.
"""

from __future__ import annotations

from django.conf import settings
from django.db import models

from partwell.journeys.models import TemplateVersion
from partwell.people.models import Person


class PutAside(models.Model):
    """A part of the set-up that somebody does not want to do now; taking it up again removes the row."""

    part = models.CharField(max_length=20, primary_key=True)
    put_aside_at = models.DateTimeField()
    put_aside_by = models.CharField(max_length=300)

    class Meta:
        ordering = ["part"]

    def __str__(self) -> str:
        return self.part


class Practice(models.Model):
    """Somebody tries on themselves what a departure is like. There is no departure, no journey and no step:
    the plan is made anew from these few values whenever it is looked at.

    `settled` says by a step's key what they did with it: `done` or `skipped`. Ending it forgets that, and
    leaves that there was one.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="practices")
    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="+")
    template = models.ForeignKey(TemplateVersion, on_delete=models.PROTECT, related_name="+")
    notice_date = models.DateField()
    last_working_date = models.DateField()
    settled = models.JSONField(default=dict)
    begun_at = models.DateTimeField()
    planned_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["begun_at", "pk"]
        constraints = [
            models.UniqueConstraint(
                "user", condition=models.Q(ended_at__isnull=True), name="practice_one_at_a_time"
            )
        ]

    def __str__(self) -> str:
        return f"practice of {self.user}"
