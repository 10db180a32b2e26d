"""Putting a user back as a snapshot shows it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from partwell.connector_kit.contract import ConnectorError, ErrorKind, Outcome, Receipt
from partwell.connectors.aws.credentials import ACTIVE, Credential, Credentials, were_active
from partwell.connectors.aws.policies import DENY_ALL, Policies
from partwell.connectors.aws.rights import Right, Rights, right_of
from partwell.connectors.aws.steps import Step, take_steps
from partwell.connectors.aws.users import User

LEFT_TO_DO = " An administrator sets a new console password: the one that it has now, nobody knows."


async def allow(user: User, state: Mapping[str, Any], policies: Policies) -> Receipt:
    """Take our denial away, unless it stood there before the cut."""
    if state.get("denied"):
        return Receipt(Outcome.ALREADY_DONE, "It was denied everything before the cut, and stays so.")
    try:
        request_id = await policies.remove(user.name, DENY_ALL)
    except ConnectorError as error:
        if error.kind is ErrorKind.NOT_FOUND:
            return Receipt(Outcome.ALREADY_DONE, f"It has no policy {DENY_ALL}.")
        raise
    return Receipt(Outcome.DONE, f"Took the policy {DENY_ALL} away.", request_id)


async def let_in(
    user: User, state: Mapping[str, Any], credentials: Credentials, *, with_password: bool
) -> Receipt:
    """Switch on again what was on. A password comes back as one that nobody knows."""
    ways = await credentials.of(user.name)
    wanted = were_active(state)
    closed = [each for each in ways.credentials if each.id in wanted and not each.is_active]
    steps = switching(credentials, user, closed, ACTIVE)
    note = ""
    if with_password and state.get("has_password") and not ways.has_password:
        steps.append(("console password", lambda: credentials.give_unknown_password(user.name)))
        note = LEFT_TO_DO
    if lost := wanted - {each.id for each in ways.credentials}:
        note += f" Deleted since, and not brought back: {', '.join(sorted(lost))}."
    return await take_steps("made usable again", steps, note=note)


async def give_rights(user: User, state: Mapping[str, Any], rights: Rights) -> Receipt:
    """Give groups and policies again that the user lacks."""
    held = {(right.kind, right.id) for right in await rights.of(user.name)}
    wanted = [right_of(given) for given in state.get("rights", [])]

    def giving(right: Right) -> Callable[[], Awaitable[str]]:
        return lambda: rights.give(user.name, right)

    lacking = [right for right in wanted if (right.kind, right.id) not in held]
    return await take_steps("given again", [(right.label, giving(right)) for right in lacking])


def switching(credentials: Credentials, user: User, chosen: Sequence[Credential], status: str) -> list[Step]:
    """The steps that switch credentials on or off."""

    def step(credential: Credential) -> Step:
        return credential.label, lambda: credentials.set_status(user.name, credential, status)

    return [step(credential) for credential in chosen]
