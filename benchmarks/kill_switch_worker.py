"""The worker of the kill-switch benchmark: a real one, with systems in its memory that take 200 ms a call."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

MODES = ("down", "stalls", "raises")
LATENCY, STALL = 0.2, 60.0


def _register() -> None:
    from partwell.connector_kit import registry
    from partwell.connector_kit.contract import (
        Account,
        ConnectorError,
        Entitlement,
        ErrorKind,
        Identity,
        Outcome,
        Proof,
        Receipt,
        Snapshot,
        Verb,
        Verdict,
    )
    from partwell.worker.register import register_all

    register_all()
    states: dict[tuple[str, str], set[str]] = {}

    class Measured:
        """One account for whoever is asked about; what was done to it is a set of verbs."""

        def __init__(self, connection: Any) -> None:
            self.connection = connection

        async def close(self) -> None:
            pass

        async def _answer(self) -> None:
            mode = self.connection.settings["mode"]
            await asyncio.sleep(STALL if mode == "stalls" else LATENCY)
            if mode == "down":
                raise ConnectorError(ErrorKind.RETRYABLE, "It does not answer.")
            if mode == "raises":
                raise RuntimeError("a fault")

        def _done(self, external_id: str) -> set[str]:
            return states.setdefault((self.connection.name, external_id), set())

        async def discover(self, identity: Identity) -> list[Account]:
            await self._answer()
            email = identity.emails[0]
            groups = tuple(Entitlement("group", f"g{n}", f"Group {n}") for n in range(3))
            return [
                Account(
                    email, email, is_active=True, matched_by="e-mail", entitlements=groups, open_sessions=2
                )
            ]

        async def snapshot(self, external_id: str) -> Snapshot:
            await self._answer()
            return Snapshot(self.connection.now(), {"was": sorted(self._done(external_id))})

        async def verify(self, external_id: str, verb: Verb) -> Proof:
            await self._answer()
            is_done = verb.value in self._done(external_id)
            return Proof(Verdict.CONFIRMED if is_done else Verdict.FAILED, "read afresh", still_open=0)

    def verb_method(name: str) -> Any:
        async def act(self: Measured, external_id: str) -> Receipt:
            await self._answer()
            self._done(external_id).add(name)
            return Receipt(Outcome.DONE, "Done.")

        return act

    for verb in ("block_sign_in", "revoke_sessions", "suspend", "remove_entitlements"):
        setattr(Measured, verb, verb_method(verb))

    fake = registry.connectors()["fake"]
    kept = (
        "discover",
        "snapshot",
        "verify",
        "block_sign_in",
        "revoke_sessions",
        "suspend",
        "remove_entitlements",
    )
    manifest = replace(
        fake.manifest,
        id="measured",
        capabilities={name: fake.manifest.capabilities[name] for name in kept},
        limits={"concurrent": 50},
    )
    registry.install({"measured": registry.Registered(manifest, Measured)})


def main() -> None:
    """Work until told to stop."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "partwell.config.settings")
    import django

    django.setup()

    from partwell.worker.run import run_worker

    def register() -> None:
        _register()
        (Path(os.environ["PARTWELL_DATA_DIR"]) / "benchmark-worker-ready").touch()

    run_worker(register)


if __name__ == "__main__":
    main()
