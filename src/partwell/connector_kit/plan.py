"""What is done to an account, in which order, and by which seal people approve it. Pure functions.

The order is data: sign-in is blocked first, sessions die while the account can still be addressed, what is
hardest to undo comes last. Deleting is never planned unless somebody asked for it by name.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from partwell.connector_kit.contract import Account, Reversibility, Verb

ORDER: tuple[Verb, ...] = (
    Verb.BLOCK_SIGN_IN,
    Verb.REVOKE_SESSIONS,
    Verb.REVOKE_TOKENS,
    Verb.SUSPEND,
    Verb.REMOVE_ENTITLEMENTS,
    Verb.RELEASE_LICENCE,
    Verb.DELETE,
)

# What the standing rule may do without a signature: it keeps the account and all that it holds.
STANDING: frozenset[Verb] = frozenset(
    {Verb.BLOCK_SIGN_IN, Verb.REVOKE_SESSIONS, Verb.REVOKE_TOKENS, Verb.SUSPEND}
)

# Verbs that may be asked a second time after an unknown outcome. Deleting is not one of them: between the
# two calls the identifier may have come to mean another account.
REPEATABLE: frozenset[Verb] = frozenset(ORDER) - {Verb.DELETE}

# Done as an extra where the target can; what every account needs is the rest.
OPTIONAL: frozenset[Verb] = frozenset(
    {Verb.BLOCK_SIGN_IN, Verb.REVOKE_TOKENS, Verb.RELEASE_LICENCE, Verb.DELETE}
)

# Never planned unless somebody asks for it by name: data goes with it.
ASKED_FOR: frozenset[Verb] = frozenset({Verb.RELEASE_LICENCE, Verb.DELETE})

MANUAL_TEXT: dict[Verb, str] = {
    Verb.REVOKE_SESSIONS: "This connection cannot end open sessions: end them by hand, and "
    "what tokens and keys there are with them, and attest it.",
    Verb.SUSPEND: "This connection cannot suspend: do it by hand and attest it.",
    Verb.REMOVE_ENTITLEMENTS: "This connection cannot take groups away: do it by hand and attest it.",
}


@dataclass(frozen=True)
class Action:
    """One thing to do to one account. `manual_reason` is set where a person has to do it."""

    verb: Verb
    reversibility: Reversibility
    manual_reason: str = ""


def position(verb: str) -> int:
    """Where a verb stands in `ORDER`; whatever is not in it comes after all that is."""
    return ORDER.index(Verb(verb)) if verb in set(ORDER) else len(ORDER)


def actions_for(
    account: Account,
    capabilities: Mapping[str, Reversibility | None],
    *,
    asked_for: Collection[Verb] = (),
) -> list[Action]:
    """What to do to `account`, in order, on a connection with these capabilities.

    A verb that the connection does not declare becomes a manual action, never a silent gap. A protected
    account gets manual actions only. `asked_for` names verbs that nobody gets by default (`ASKED_FOR`).
    """
    found = []
    for verb in ORDER:
        if verb in ASKED_FOR and verb not in asked_for:
            continue
        if verb is Verb.REMOVE_ENTITLEMENTS and not account.entitlements:
            continue
        can = verb in capabilities
        if not can and verb in OPTIONAL:
            continue
        if account.is_protected:
            reason = "Refused: this is a protected account (operator, break-glass or last administrator)."
        else:
            reason = "" if can else MANUAL_TEXT[verb]
        found.append(Action(verb, capabilities.get(verb) or Reversibility.NONE, reason))
    return found


def is_under_standing_rule(verb: str, reversibility: str) -> bool:
    """Whether this may run at access end without a signature: what can be undone, and ended sessions."""
    if verb not in STANDING:
        return False
    return verb == Verb.REVOKE_SESSIONS or reversibility != Reversibility.NONE


def is_under_kill_switch(verb: str, reversibility: str) -> bool:
    """Whether one person alone may have this done at once: what can be undone whole, and what the standing
    rule would do in any case."""
    return reversibility == Reversibility.REVERSIBLE or is_under_standing_rule(verb, reversibility)


def choose(
    candidates: Sequence[Account], *, ours: Collection[str] = (), not_ours: Collection[str] = ()
) -> tuple[list[Account], list[Account]]:
    """Split what a target found for one identity into (matched, ambiguous).

    One candidate is a match. Several are for a person to decide, who says which are `ours` and which are
    `not_ours`; a candidate that turns up after such a decision is ambiguous again.
    """
    left = [account for account in candidates if account.external_id not in set(not_ours)]
    matched = [account for account in left if account.external_id in set(ours)]
    undecided = [account for account in left if account.external_id not in set(ours)]
    if len(undecided) == 1 and not matched and len(candidates) == 1:
        return undecided, []
    return matched, undecided


def expectation(account: Account) -> dict[str, Any]:
    """What was seen when the plan was made; drift is any difference from it. Sessions come and go and are
    no drift."""
    return {
        "is_active": account.is_active,
        "entitlements": sorted(f"{e.kind}:{e.external_id}" for e in account.entitlements),
        "is_protected": account.is_protected,
    }


def drift_between(expected: Mapping[str, Any], account: Account | None) -> str:
    """In words, what changed since the plan was made; empty when nothing did."""
    if account is None:
        return "the account is gone"
    seen = expectation(account)
    if seen["is_protected"] and not expected.get("is_protected"):
        return "the account has become a protected one"
    if seen["is_active"] != expected.get("is_active"):
        return "the account is active again" if seen["is_active"] else "the account is no longer active"
    before, after = set(expected.get("entitlements", ())), set(seen["entitlements"])
    if before != after:
        return f"its groups and roles changed: {len(after - before)} new, {len(before - after)} gone"
    return ""


def checksum(changes: Iterable[Mapping[str, Any]]) -> str:
    """SHA-256 over what would be written where. The order in which changes are given does not matter.

    Each change has `system`, `account`, `verb`, `expects`; an approval is bound to this value.
    """
    rows = sorted(
        json.dumps(dict(change), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        for change in changes
    )
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()
