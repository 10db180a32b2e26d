"""Sealing anew what this room keeps, after the secret key was changed."""

from __future__ import annotations

from partwell.sealing import Renewal, renew_column
from partwell.signals.models import Message, SecurityEvent, SigningKey
from partwell.signals.sealing import SEAL


def renew_seals() -> list[Renewal]:
    """Mails and signals that wait, and the keys that signals are signed with."""
    return [
        renew_column(Message.objects.all(), "sealed_text", SEAL, what="mails that wait"),
        renew_column(SecurityEvent.objects.all(), "sealed_claims", SEAL, what="signals that wait"),
        renew_column(SigningKey.objects.all(), "sealed_private", SEAL, what="signing keys of signals"),
    ]
