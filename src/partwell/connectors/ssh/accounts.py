"""One login on many hosts, as one account."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from partwell.connector_kit.contract import Account, Entitlement, Holding, HoldingKind, Nature
from partwell.connectors.ssh.reading import Entry, Roster, Seen
from partwell.connectors.ssh.rules import Rules


def as_account(
    name: str,
    seen: Mapping[str, Seen],
    rules: Rules,
    *,
    missed: str,
    matched_by: str = "",
) -> Account:
    """The account, from what each host that answered shows; `missed` says in words which did not."""
    first = next(iter(seen.values()))
    details = {"hosts": "; ".join(f"{host}: {each.said}" for host, each in seen.items())}
    if why := next(
        (f"{host}: {each.why_protected}" for host, each in seen.items() if each.why_protected), ""
    ):
        details["protected"] = why
    if missed:
        details["not_asked"] = missed
    return Account(
        external_id=name,
        login=name,
        display_name=_display_name(first.entry),
        is_active=_is_active([each.is_open for each in seen.values()], is_whole=not missed),
        matched_by=matched_by,
        entitlements=_entitlements(seen),
        open_sessions=None if missed else sum(len(each.processes) for each in seen.values()),
        is_protected=bool(why),
        details=details,
        emails=_emails(rules, [each.entry for each in seen.values()]),
        nature=Nature.SERVICE if any(each.is_service for each in seen.values()) else Nature.PERSON,
    )


def as_summary(name: str, rosters: Mapping[str, Roster], rules: Rules) -> Account:
    """The account without what it holds, for listing everybody."""
    there = {host: roster for host, roster in rosters.items() if name in roster.entries}
    entries = {host: roster.entries[name] for host, roster in there.items()}
    is_service = any(rules.is_service(entries[host], roster) for host, roster in there.items())
    return Account(
        external_id=name,
        login=name,
        display_name=_display_name(next(iter(entries.values()))),
        is_active=_is_active([roster.is_open(name) for roster in there.values()], is_whole=True),
        is_protected=any(rules.why_protected(entries[host], roster) for host, roster in there.items()),
        details={"hosts": ", ".join(there)},
        emails=_emails(rules, list(entries.values())),
        nature=Nature.SERVICE if is_service else Nature.PERSON,
    )


def as_holdings(seen: Mapping[str, Seen], crontabs: Mapping[str, bool], now: datetime) -> list[Holding]:
    """Keys, processes and crontabs of one login, on each host."""
    found: dict[str, Holding] = {}

    def add(kind: HoldingKind, external_id: str, name: str, **details: str) -> None:
        found[external_id] = Holding(kind, external_id, name, details=details)

    for host, each in seen.items():
        for file in each.key_files:
            for number, key in enumerate(file.keys, start=1):
                said = f"{key.said} in {file.path} on {host}"
                id_ = f"{host}:{file.path}:{key.fingerprint or number}"
                add(HoldingKind.KEY, id_, said, host=host, fingerprint=key.fingerprint)
        for process in each.processes:
            since = (now - timedelta(seconds=process.seconds)).isoformat(timespec="seconds")
            said = f"{process.program}, process {process.pid} on {host}"
            add(HoldingKind.SESSION, f"{host}:{process.pid}", said, host=host, since=since)
        if crontabs.get(host):
            add(HoldingKind.OWNED, f"{host}:crontab", f"crontab on {host}", host=host)
    return list(found.values())


def _is_active(is_open: list[bool | None], *, is_whole: bool) -> bool | None:
    if any(is_open):
        return True
    return False if is_whole and None not in is_open else None


def _entitlements(seen: Mapping[str, Seen]) -> tuple[Entitlement, ...]:
    """Groups and sudo rules, each once with where it holds: a host that is down is no change of rights."""
    held: dict[tuple[str, str], list[str]] = {}
    for host, each in seen.items():
        for kind, names in (("group", each.groups), ("sudo", each.rules)):
            for name in names:
                held.setdefault((kind, name), []).append(host)
    said = {"group": "group {}", "sudo": "may run by sudo {}"}
    return tuple(
        Entitlement(kind, name, f"{said[kind].format(name)} (on {', '.join(hosts)})")
        for (kind, name), hosts in sorted(held.items())
    )


def _emails(rules: Rules, entries: list[Entry]) -> tuple[str, ...]:
    found = [mail for entry in entries for mail in rules.logins.emails(entry.name, entry.comment)]
    return tuple(dict.fromkeys(found))


def _display_name(entry: Entry) -> str:
    return entry.comment.partition(",")[0].strip()[:120]
