"""Seeds of second factors lie sealed in the database; what reads them is in the web room."""

from __future__ import annotations

from typing import Any

from allauth.mfa.models import Authenticator

from partwell.sealing import Renewal, Seal, SealBroken

SEAL = Seal("partwell second factors")
# Where allauth keeps what it has sealed, by the kind of factor: an authenticator app's secret, the seed of
# recovery codes.
SEALED_IN = ("secret", "seed")


def renew_seals() -> Renewal:
    """Seal anew what was sealed under a secret key from before. A code that is used meanwhile stays used."""
    renewed = unreadable = 0
    for key in list(Authenticator.objects.values_list("pk", flat=True)):
        row = Authenticator.objects.filter(pk=key)
        data: dict[str, Any] = row.values_list("data", flat=True).first() or {}
        stale = {name: data[name] for name in SEALED_IN if name in data and not SEAL.is_current(data[name])}
        if not stale:
            continue
        try:
            fresh = {name: SEAL.renewed(sealed) for name, sealed in stale.items()}
        except SealBroken:
            unreadable += 1
            continue
        renewed += row.filter(data=data).update(data=data | fresh)
    return Renewal("second factors", renewed, unreadable)
