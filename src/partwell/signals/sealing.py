"""What waits in the outbox is sealed: mails carry links that open accounts, signals say who left. So are the
keys that signals are signed with."""

from __future__ import annotations

from partwell.sealing import Seal, SealBroken

__all__ = ["SEAL", "SealBroken", "seal", "unseal"]

SEAL = Seal("partwell outbox")
seal, unseal = SEAL.seal, SEAL.unseal
