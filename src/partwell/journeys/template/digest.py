"""A template's digest: the same content, the same digest, however the file was laid out."""

from __future__ import annotations

import hashlib

from partwell.evidence.leaf import canonical
from partwell.journeys.template.model import Template


def digest_of(template: Template) -> str:
    """SHA-256 over the canonical JSON of all that differs from the defaults, as 64 hex digits.

    Leaving defaults out keeps the digests of published versions when a release gives steps a new field.
    """
    return hashlib.sha256(canonical(template.model_dump(mode="json", exclude_defaults=True))).hexdigest()
