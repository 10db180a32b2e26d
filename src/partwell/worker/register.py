"""What the engine may run, and which room it comes from. The one place where names meet functions."""

from __future__ import annotations


def register_all() -> None:
    """Fill the engine's registry for a worker process.

    One line for each, in the words of `partwell.engine.registry`: `advance(…)` for `poke`,
    `workflow("name", …)` for `enqueue`, `timer("name", …)` for `set_timer`, `periodic("name", seconds, …)`
    for what runs on a schedule, `reconciler("name", …)` for what asks again when a worker starts.
    """
