"""Files that people attached. The bytes are kept outside the web root, named by their digest."""

from __future__ import annotations

import uuid

from django.db import models


class StoredFile(models.Model):
    """One uploaded file, checked, with its SHA-256; what it is called and who brought it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=200)
    media_type = models.CharField(max_length=100)
    size = models.PositiveBigIntegerField()
    sha256 = models.CharField(max_length=64)
    stored_at = models.DateTimeField()
    stored_by = models.CharField(max_length=300)

    class Meta:
        ordering = ["stored_at", "pk"]

    def __str__(self) -> str:
        return self.name
