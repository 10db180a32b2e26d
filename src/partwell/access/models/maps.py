"""What somebody has everywhere, as the systems said when they were last asked."""

from __future__ import annotations

from django.db import models


class AccessMap(models.Model):
    """One asking of all systems about one person or client. The newest counts; earlier ones are not kept,
    because what somebody once had is for the departure's evidence to say, not for a register.

    `systems` holds for each system what `maps.SystemAnswer.as_dict` gives.
    """

    person = models.OneToOneField(
        "people.Person", null=True, blank=True, on_delete=models.CASCADE, related_name="access_map"
    )
    client = models.OneToOneField(
        "people.Client", null=True, blank=True, on_delete=models.CASCADE, related_name="access_map"
    )
    systems = models.JSONField(default=list)
    taken_at = models.DateTimeField()
    taken_by = models.CharField(max_length=300)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(person__isnull=True) ^ models.Q(client__isnull=True),
                name="map_of_one",
            )
        ]

    def __str__(self) -> str:
        return f"access map of {self.person or self.client}"
