"""What a fresh read of every host shows of each verb, and what PAM says to becoming the login."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from partwell.connector_kit.contract import ConnectorError, ErrorKind, Proof, Verb, Verdict
from partwell.connectors.ssh.reading import Seen
from partwell.connectors.ssh.shell import Shell

# For how long a host that does not answer is waited for, before a person has to look.
WAITS_FOR_HOSTS = timedelta(hours=24)
MOST_NAMES = 10


class Probe(StrEnum):
    """What came of becoming the login through PAM."""

    LET_IN = "let in"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Looked:
    """A login as seen, with the probe where the account is blocked."""

    seen: Seen
    probe: Probe = Probe.UNKNOWN


async def probe_sign_in(shell: Shell, name: str) -> Probe:
    """Become the login to run nothing: PAM is asked whether the account may be used, as sshd asks it."""
    try:
        done = await shell.run(
            "/usr/bin/su", "-s", "/usr/bin/true", "--", name, as_root=True, expect=range(-1, 256)
        )
    except ConnectorError as error:
        if error.kind is ErrorKind.DENIED:
            return Probe.UNKNOWN  # the reading stands without it
        raise
    if done.status == 0:
        return Probe.LET_IN
    return Probe.REFUSED if "account has expired" in done.err else Probe.UNKNOWN


def prove(verb: Verb, looked: Mapping[str, Looked], *, missed: str, now: datetime) -> Proof:
    """Whether `verb` holds on every host. `looked` has those hosts that answered and have the login; `missed`
    names those that did not answer, so that nothing is confirmed for them."""
    seen = {host: each.seen for host, each in looked.items()}
    wrong = {host: said for host, each in seen.items() if (said := _WRONG[verb](each))}
    still_open = None if missed else sum(len(each.processes) for each in seen.values())
    probe = _probe_said(looked) if verb in (Verb.BLOCK_SIGN_IN, Verb.SUSPEND) else ""
    if wrong:
        said = "; ".join(f"{host}: {what}" for host, what in wrong.items())
        return Proof(Verdict.FAILED, f"Read afresh: {said}. {missed}".strip(), probe, still_open)
    read = _right(verb, seen)
    if missed:
        return Proof(
            Verdict.PENDING,
            f"{read} Not every host answered, and what is there is unknown: {missed}",
            probe,
            retry_until=now + WAITS_FOR_HOSTS,
        )
    return Proof(Verdict.CONFIRMED, read, probe, still_open)


def _right(verb: Verb, seen: Mapping[str, Seen]) -> str:
    if not seen:
        return "Read afresh: no host that answered has such an account."
    what = f"Read afresh on {', '.join(seen)}: {_DONE[verb]}."
    if verb in (Verb.BLOCK_SIGN_IN, Verb.SUSPEND) and (left := sum(len(s.processes) for s in seen.values())):
        return f"{what} {left} processes of it go on until they are ended."
    return what


def _probe_said(looked: Mapping[str, Looked]) -> str:
    said = []
    if refused := [host for host, each in looked.items() if each.probe is Probe.REFUSED]:
        said.append(f"becoming it through PAM was refused as expired ({', '.join(refused)})")
    if let_in := [host for host, each in looked.items() if each.probe is Probe.LET_IN]:
        # Some systems let root become anybody, whatever the account's state.
        said.append(f"root may become it all the same, which says nothing of sshd ({', '.join(let_in)})")
    return "; ".join(said)


def _block(seen: Seen) -> str:
    return "" if seen.is_blocked else seen.said


def _suspension(seen: Seen) -> str:
    return _block(seen) or ("its password is not locked" if seen.has_password else "")


def _sessions(seen: Seen) -> str:
    return f"{len(seen.processes)} processes run as it" if seen.processes else ""


def _tokens(seen: Seen) -> str:
    return f"{len(seen.keys)} keys are in place" if seen.keys else ""


def _entitlements(seen: Seen) -> str:
    held = [*(f"group {each}" for each in seen.groups), *(f"sudo rule {each}" for each in seen.rules)]
    more = f" and {len(held) - MOST_NAMES} more" if len(held) > MOST_NAMES else ""
    return f"it holds {', '.join(held[:MOST_NAMES])}{more}" if held else ""


_WRONG: Mapping[Verb, Callable[[Seen], str]] = {
    Verb.BLOCK_SIGN_IN: _block,
    Verb.SUSPEND: _suspension,
    Verb.REVOKE_SESSIONS: _sessions,
    Verb.REVOKE_TOKENS: _tokens,
    Verb.REMOVE_ENTITLEMENTS: _entitlements,
}
_DONE = {
    Verb.BLOCK_SIGN_IN: "the account has expired and has no shell",
    Verb.SUSPEND: "the account has expired, has no shell, and no password of it works",
    Verb.REVOKE_SESSIONS: "nothing runs as it",
    Verb.REVOKE_TOKENS: "no key is where sshd looks",
    Verb.REMOVE_ENTITLEMENTS: "it is in no group but its own, and no sudo rule is for it",
}
