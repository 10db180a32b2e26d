"""Several writes that make up one verb: what fails does not stop the others, and is named."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from partwell.connector_kit.contract import ErrorKind, Outcome, Receipt
from partwell.connector_kit.failures import together, try_each

Step = tuple[str, Callable[[], Awaitable[str]]]


async def take_steps(
    done: str, steps: Sequence[Step], *, gone_is_done: bool = False, note: str = ""
) -> Receipt:
    """Carry out every step, each with its name and a write that gives AWS's id for the request.

    With `gone_is_done` a step about something that is not there any more was not needed. Raises one error for
    all that failed, after everything was tried.
    """
    told, failures = await try_each(steps)
    if gone_is_done:
        failures = [(name, error) for name, error in failures if error.kind is not ErrorKind.NOT_FOUND]
    taken, request_ids = [name for name, _ in told], [request_id for _, request_id in told]
    if failures:
        raise together(f"{len(taken)} of {len(steps)} were {done}.{note}", failures)
    outcome = Outcome.DONE if taken else Outcome.ALREADY_DONE
    names = ", ".join(taken) or "nothing was left to do"
    return Receipt(
        outcome,
        f"{done[0].upper()}{done[1:]}: {names}.{note}",
        request_ids[-1] if request_ids else "",
        {done: taken},
        {"request_ids": request_ids},
    )
