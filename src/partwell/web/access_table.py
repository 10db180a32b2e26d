"""An access plan as one table: what is proposed and what was read back share their columns, so that what
was approved can be compared with what happened, cell by cell. Pure functions over `queries.plan_view`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from partwell.access.states import SLA_MINUTES, AccessState, SlaClass, weakest
from partwell.access.timing import Counted, duration
from partwell.connector_kit.contract import Verb
from partwell.connector_kit.plan import ASKED_FOR

TITLES: dict[str, str] = {
    Verb.BLOCK_SIGN_IN: "Block sign-in",
    Verb.REVOKE_SESSIONS: "End sessions",
    Verb.REVOKE_TOKENS: "Revoke tokens",
    Verb.SUSPEND: "Suspend",
    Verb.REMOVE_ENTITLEMENTS: "Remove groups",
    Verb.RELEASE_LICENCE: "Release licence",
    Verb.DELETE: "Delete",
}
MARKS: dict[str, str] = {
    AccessState.AMBIGUOUS: "approval",
    AccessState.IMPOSSIBLE: "cannot",
    "unknown": "unreachable",
}
SAYS: dict[str, str] = {
    AccessState.PLANNED: "Not started",
    AccessState.AMBIGUOUS: "Several match",
    AccessState.REQUESTED: "Asked, no answer yet",
    AccessState.ACCEPTED: "Accepted, not read back yet",
    AccessState.IMPOSSIBLE: "Not possible, reason kept",
    AccessState.MANUAL: "By hand",
}
NEEDS_A_PERSON = (AccessState.FAILED, AccessState.MANUAL, AccessState.AMBIGUOUS)
MOVING = (AccessState.REQUESTED, AccessState.ACCEPTED)
ORDER = {SlaClass.CRITICAL.value: 0, SlaClass.HIGH.value: 1, SlaClass.NORMAL.value: 2}


def mark_of(state: str) -> str:
    """The status of the vocabulary for an access state."""
    return MARKS.get(state, state)


def says_of(state: str) -> str:
    """The words beside the mark; never more than was seen."""
    return SAYS.get(state, state.capitalize())


def table_of(
    view: Mapping[str, Any],
    *,
    capabilities: Mapping[str, Iterable[str]],
    access_end_at: datetime,
    now: datetime,
) -> dict[str, Any]:
    """Columns, groups by how soon access has to be gone, and the accounts that are unclear.

    `capabilities` names, per system, what its connection can do here.
    """
    changes = [row for row in view["changes"] if row["state"] != AccessState.AMBIGUOUS]
    verbs = [verb for verb in TITLES if verb not in ASKED_FOR or any(_verb(row) == verb for row in changes)]
    changes.sort(key=lambda row: (ORDER[row["sla"]], row["title"], row["account"]))
    rows = [
        _row(list(found), verbs, set(capabilities.get(name, ())), now)
        for (name, _), found in groupby(changes, key=lambda row: (row["system"], row["account"]))
    ]
    kept = {found["sla"]: found for found in view.get("time_to_revoke", ())}
    return {
        "columns": [TITLES[verb] for verb in verbs],
        "width": len(verbs) + 2,
        "groups": [
            _group(sla, list(found), kept.get(sla), access_end_at, now)
            for sla, found in groupby(rows, key=lambda row: str(row["sla"]))
        ],
        "rows": rows,
        "unclear": _unclear(view["changes"]),
    }


def _verb(change: Mapping[str, Any]) -> str:
    return str(change["action"]).removeprefix("restore:")


def _row(changes: list[dict[str, Any]], verbs: list[str], can: set[str], now: datetime) -> dict[str, Any]:
    first = changes[0]
    by_verb = {_verb(change): change for change in changes}
    restores = str(first["action"]).startswith("restore:")
    state = weakest(change["state"] for change in changes)
    has_verbs = any(verb in by_verb for verb in verbs)
    cells = [_cell(by_verb.get(verb), verb, restores) for verb in verbs]
    if not has_verbs:
        cells[0] = {"mark": mark_of(state), "says": says_of(state), "words": _whole(first), "is_off": False}
    problem = next((c for c in changes if c["state"] == state and c["reason"]), None)
    return {
        "system": first["system"],
        "title": first["title"],
        "sla": first["sla"],
        "account": first["account"],
        "name": first["login"] or first["account"] or "the system itself",
        "is_protected": first["is_protected"],
        "cells": cells,
        "state": state.value,
        "mark": mark_of(state),
        "says": _row_says(state, changes, restores),
        "proven_by": _proven_by(has_verbs, can),
        "reason": problem["reason"]
        if problem and state not in (AccessState.VERIFIED, AccessState.PLANNED)
        else "",
        "waits": problem["reason"] if problem and state == AccessState.PLANNED else "",
        "not_repeated": _not_repeated(changes)
        if state in (AccessState.FAILED, AccessState.UNREACHABLE)
        else "",
        "next_at": min(
            (moment for c in changes if (moment := _moment(c.get("next_attempt_at")))), default=None
        ),
        "tone": {AccessState.FAILED: "is-problem", AccessState.UNREACHABLE: "is-unreach"}.get(state, ""),
        "pips": _pips(changes, state),
        "took": _took(changes, state, now),
        "time": "" if restores else _time(first),
        "is_late": bool(first.get("is_late")) and not restores,
        "can_be_said": state in (AccessState.FAILED, AccessState.UNREACHABLE, AccessState.MANUAL)
        and not any(c["state"] in MOVING for c in changes),
        "restores": restores,
    }


def _cell(change: Mapping[str, Any] | None, verb: str, restores: bool) -> dict[str, Any] | None:
    if change is None:
        return None
    state = change["state"]
    return {
        "mark": mark_of(state),
        "says": says_of(state),
        "words": "By hand" if state == AccessState.MANUAL else _words(change, verb, restores),
        "is_off": state == AccessState.PLANNED,
    }


def _words(change: Mapping[str, Any], verb: str, restores: bool) -> str:
    if restores:
        return "Put back" if change["state"] != AccessState.IMPOSSIBLE else "Cannot be put back"
    if verb == Verb.REVOKE_SESSIONS:
        count = change["open_sessions"]
        return "Sessions, number unknown" if count is None else _count(count, "session")
    if verb == Verb.REMOVE_ENTITLEMENTS:
        names = change["entitlements"]
        return str(names[0]) if len(names) == 1 else f"{len(names)} groups, roles or licences"
    if verb == Verb.REVOKE_TOKENS:
        return "Tokens and keys"
    if verb == Verb.DELETE:
        return "Delete: cannot be undone"
    return TITLES[verb]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _whole(change: Mapping[str, Any]) -> str:
    """What stands for a system that has no account in the plan, or an account without anything to do."""
    if change["state"] == AccessState.UNREACHABLE:
        return "Unknown: it did not answer"
    if change["state"] == AccessState.VERIFIED:
        return "Read back: not there"
    if change["state"] == AccessState.PLANNED:
        return "Nothing to do"
    return "By hand"


def _row_says(state: AccessState, changes: list[dict[str, Any]], restores: bool) -> str:
    if state == AccessState.FAILED:
        failed = [TITLES.get(_verb(c), "it").lower() for c in changes if c["state"] == AccessState.FAILED]
        return f"Failed: {', '.join(failed)}"
    if restores and state in (AccessState.VERIFIED, AccessState.IMPOSSIBLE):
        return "Put back, as far as it can be"
    return says_of(state)


def _proven_by(has_verbs: bool, can: set[str]) -> str:
    if not has_verbs:
        return "A person looks, and attests"
    return (
        "Fresh read, and a refused try where it allows one"
        if "verify" in can
        else "A person looks, and attests"
    )


def _not_repeated(changes: list[dict[str, Any]]) -> str:
    proven = [
        TITLES[_verb(c)].lower() for c in changes if c["state"] == AccessState.VERIFIED and _verb(c) in TITLES
    ]
    return f"Proven, and not repeated: {', '.join(proven)}." if proven else ""


def _pips(changes: list[dict[str, Any]], state: AccessState) -> dict[str, Any]:
    """How far the weakest of the changes came: asked, accepted, read back, and where it stopped."""
    if state == AccessState.VERIFIED:
        return {"n": 3, "stopped": ""}
    if state in (AccessState.FAILED, AccessState.UNREACHABLE):
        stuck = [c for c in changes if c["state"] == state]
        if any(c.get("accepted_at") for c in stuck):
            return {"n": 2, "stopped": "3c" if state == AccessState.UNREACHABLE else "3"}
        n = 1 if any(c.get("requested_at") for c in stuck) else 0
        return {"n": n, "stopped": "" if state == AccessState.UNREACHABLE else str(n + 1)}
    return {"n": {AccessState.ACCEPTED: 2, AccessState.REQUESTED: 1}.get(state, 0), "stopped": ""}


def _took(changes: list[dict[str, Any]], state: AccessState, now: datetime) -> str:
    """From the first request to the last proof, or to now while it is on its way."""
    asked = [moment for c in changes if (moment := _moment(c.get("requested_at")))]
    if not asked:
        return ""
    if state == AccessState.VERIFIED:
        proven = [moment for c in changes if (moment := _moment(c.get("verified_at")))]
        return duration(max(proven, default=now) - min(asked))
    return duration(now - min(asked)) if state in (*MOVING, AccessState.UNREACHABLE) else ""


def _time(change: Mapping[str, Any]) -> str:
    """How long after access end the account was proven gone, and by how much that or what is open is late."""
    late = f"{duration(timedelta(seconds=change['late_by_seconds']))} late" if change.get("is_late") else ""
    if change.get("counted_as") != Counted.REVOKED:
        return late
    after = timedelta(seconds=change["seconds_to_revoke"])
    said = f"{duration(after)} after access end" if after else "before access end"
    return f"{said}, {late}" if late else said


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def allowed_words(sla: str) -> str:
    """“15 minutes”, “4 hours”: how long after access end access in such systems may last."""
    minutes = SLA_MINUTES[SlaClass(sla)]
    return f"{minutes} minutes" if minutes < 60 else f"{minutes // 60} hours"


def _group(
    sla: str,
    rows: list[dict[str, Any]],
    kept: Mapping[str, Any] | None,
    access_end_at: datetime,
    now: datetime,
) -> dict[str, Any]:
    verified = sum(row["state"] == AccessState.VERIFIED for row in rows)
    limit = access_end_at + timedelta(minutes=SLA_MINUTES[SlaClass(sla)])
    is_done = all(row["state"] in ("verified", "attested", "impossible") for row in rows)
    left = ""
    if now >= access_end_at and not is_done:
        left = f"{duration(limit - now)} left" if limit > now else f"{duration(now - limit)} late"
    elif now >= access_end_at and kept is not None and not any(row["restores"] for row in rows):
        left = _kept(kept)
    return {
        "sla": sla.capitalize(),
        "allowed": allowed_words(sla),
        "systems": _count(len({row["system"] for row in rows}), "system"),
        "progress": f"{verified} of {len(rows)} verified" if any(r["pips"]["n"] for r in rows) else "",
        "left": left,
        "is_late": " late" in left,
        "rows": rows,
    }


def _kept(found: Mapping[str, Any]) -> str:
    """Whether the class's time was kept, once nothing in it is open."""
    said = []
    if found["late"]:
        late_by = duration(timedelta(seconds=found["late_by_seconds"]))
        said.append(f"{found['late']} late, by {'up to ' if found['late'] > 1 else ''}{late_by}")
    elif found["revoked"]:
        last = "the last after" if found["revoked"] > 1 else "after"
        longest = timedelta(seconds=found["longest_seconds"])
        said.append(f"in time, {last} {duration(longest)}" if longest else "in time, before access ended")
    if found["said"]:
        said.append(f"{found['said']} by a person’s word, not counted")
    return ", ".join(said)


def _unclear(changes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Systems in which several accounts match, with those accounts; a person says which are meant."""
    found: dict[str, dict[str, Any]] = {}
    for row in changes:
        if row["state"] == AccessState.AMBIGUOUS:
            entry = found.setdefault(
                row["system"], {"system": row["system"], "title": row["title"], "accounts": []}
            )
            entry["accounts"].append(row)
    return list(found.values())


def progress_of(
    rows: list[dict[str, Any]], unclear: list[dict[str, Any]], *, restores: bool
) -> dict[str, Any]:
    """How far it came, in words and shares. Counts accounts; an unclear system counts once."""
    states = Counter(str(row["state"]) for row in rows)
    states[AccessState.AMBIGUOUS.value] += len(unclear)
    total = sum(states.values())
    verified = states[AccessState.VERIFIED]
    noun = "account" if total == 1 else "accounts"
    is_are = "is" if verified == 1 else "are"
    said = f"{verified} of {total} {noun} {is_are} proven {'put back' if restores else 'closed'}"
    needs = sum(states[state] for state in NEEDS_A_PERSON)
    moving = sum(states[state] for state in MOVING)
    more = []
    if needs:
        more.append(f"{_capital(needs)} {'needs' if needs == 1 else 'need'} you")
    if moving:
        more.append(f"{_capital(moving)} {'is' if moving == 1 else 'are'} being read back")
    if silent := states[AccessState.UNREACHABLE]:
        more.append(f"{_capital(silent)} did not answer; what is there is unknown")
    if waiting := states[AccessState.PLANNED]:
        more.append(f"{_capital(waiting)} {'has' if waiting == 1 else 'have'} not been touched")
    if said_so := states[AccessState.ATTESTED] + states[AccessState.IMPOSSIBLE]:
        more.append(f"{_capital(said_so)} {'rests' if said_so == 1 else 'rest'} on a person’s word")
    shares = [
        {"kind": bar, "share": round(100 * count / total) if total else 0}
        for bar, names in (
            ("verified", (AccessState.VERIFIED,)),
            ("accepted", MOVING),
            ("failed", (AccessState.FAILED,)),
            ("unreachable", (AccessState.UNREACHABLE,)),
            (
                "manual",
                (AccessState.MANUAL, AccessState.AMBIGUOUS, AccessState.ATTESTED, AccessState.IMPOSSIBLE),
            ),
            ("planned", (AccessState.PLANNED,)),
        )
        if (count := sum(states[name] for name in names))
    ]
    legend = [
        {"mark": mark_of(state), "words": f"{count} {says_of(state).lower()}"}
        for state, count in sorted(states.items())
        if count
    ]
    return {
        "said": said,
        "more": (". ".join(more) + ".") if more else "Read back, every one of them.",
        "verified": verified,
        "total": total,
        "needs": needs,
        "shares": shares,
        "legend": legend,
    }


_NUMBERS = ("No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine")


def _capital(number: int) -> str:
    return _NUMBERS[number] if number < len(_NUMBERS) else str(number)
