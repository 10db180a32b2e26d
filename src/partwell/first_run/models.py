"""What of the set-up somebody has put aside. Everything else about it is read from the rooms below."""

from __future__ import annotations

from django.db import models


class PutAside(models.Model):
    """A part of the set-up that somebody does not want to do now; taking it up again removes the row."""

    part = models.CharField(max_length=20, primary_key=True)
    put_aside_at = models.DateTimeField()
    put_aside_by = models.CharField(max_length=300)

    class Meta:
        ordering = ["part"]

    def __str__(self) -> str:
        return self.part
