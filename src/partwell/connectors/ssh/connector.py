"""Accounts of Linux hosts, over SSH.

A firm's hosts share their logins, so a login is one account here, and every verb acts on all hosts that have
it. A host that does not answer stops nothing on the others; nothing is called proven until it has answered.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from partwell.connector_kit.contract import (
    Account,
    Connection,
    ConnectorError,
    ErrorKind,
    Holding,
    Identity,
    Outcome,
    Proof,
    Receipt,
    Snapshot,
    TestReport,
    Verb,
    Verdict,
)
from partwell.connector_kit.transport import Transport
from partwell.connectors.ssh import changes
from partwell.connectors.ssh.accounts import as_account, as_holdings, as_summary
from partwell.connectors.ssh.changes import Command, as_snapshot, undoing
from partwell.connectors.ssh.fleet import Answers, Fleet, Host
from partwell.connectors.ssh.proofs import Looked, Probe, probe_sign_in, prove
from partwell.connectors.ssh.reading import (
    Roster,
    Seen,
    checked_name,
    has_crontab,
    possible_names,
    read_login,
    read_processes,
    read_roster,
)
from partwell.connectors.ssh.rights import missing_rights
from partwell.connectors.ssh.rules import Rules
from partwell.connectors.ssh.shell import Shell, SignIn

T = TypeVar("T")
Refusals = list[tuple[str, ConnectorError]]

PAGE_SIZE = 500
KILLING_ROUNDS = 5
DEFAULT_KEY_FILES = (".ssh/authorized_keys", ".ssh/authorized_keys2")
GONE = "There is no such account any more."


class SshConnector:
    """See the manifest for settings and the README for the rights that Partwell's own login needs."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        settings = connection.settings
        self._transport: Transport = connection.transport
        self._rules = Rules.from_settings(settings)
        self._key_files: Sequence[str] = tuple(settings.get("authorized_keys", DEFAULT_KEY_FILES))
        hosts = [Host.parse(str(each)) for each in settings["hosts"]]
        self._fleet = Fleet(hosts, self._transport, self._sign_in)

    async def close(self) -> None:
        """Nothing to let go of: every call closes its own connections."""

    # -- asking -------------------------------------------------------------------------------------------

    async def test(self) -> TestReport:
        """Sign in to every host, read, and ask sudo what it would allow. Changes nothing."""

        async def look(host: str, shell: Shell) -> list[str]:
            roster = await self._roster(shell)
            await self._login(shell, roster, self._rules.own)
            return await missing_rights(shell) if self._rules.own != "root" else []

        answers = await self._fleet.each(look)
        problems = [f"{host}: {error.message}" for host, error in answers.failures]
        for host, missing in answers.by_host.items():
            problems += [f"{host}: sudo does not let Partwell run {command}." for command in missing]
        count = len(self._fleet.hosts)
        if problems:
            good = sum(1 for missing in answers.by_host.values() if not missing)
            return TestReport(False, f"{good} of {count} hosts are as Partwell needs them.", tuple(problems))
        return TestReport(
            True, f"Signed in to {count} hosts as {self._rules.own}; sudo allows what is needed."
        )

    async def discover(self, identity: Identity) -> list[Account]:
        """All logins of this person; a host that did not answer is named in `details`, unless none that
        answered has the person: that raises."""
        rules, names = self._rules, possible_names(self._rules.candidates(identity))

        async def look(host: str, shell: Shell) -> dict[str, tuple[Seen, str]]:
            roster = await self._roster(shell, names)
            found = {}
            for entry in roster.entries.values():
                if reason := rules.matched_by(entry, identity):
                    seen = await self._login(shell, roster, entry.name)
                    if seen is not None:
                        found[entry.name] = (seen, reason)
            return found

        answers = await self._fleet.each(look)
        logins: dict[str, dict[str, tuple[Seen, str]]] = {}
        for host, found in answers.by_host.items():
            for name, each in found.items():
                logins.setdefault(name, {})[host] = each
        if answers.failures and not logins:
            raise answers.failure(_none_elsewhere(answers))
        return [
            as_account(
                name,
                {host: seen for host, (seen, _) in by_host.items()},
                rules,
                missed=answers.missed,
                matched_by=next(reason for _, reason in by_host.values()),
            )
            for name, by_host in sorted(logins.items())
        ]

    async def read(self, external_id: str) -> Account | None:
        """The login afresh on every host. Raises where a host that may have it did not answer and the
        others have it not."""
        answers = await self._look(external_id)
        seen = _there(answers)
        if not seen:
            if answers.failures:
                raise answers.failure(_none_elsewhere(answers))
            return None
        return as_account(external_id, seen, self._rules, missed=answers.missed)

    async def list_accounts(self) -> AsyncIterator[list[Account]]:
        """Every login in order of its name, the systems' own among them."""

        async def look(host: str, shell: Shell) -> Roster:
            return await self._roster(shell)

        answers = await self._fleet.each(look)
        if answers.failures:
            raise answers.failure("Not everybody could be listed.")
        rosters = answers.by_host
        names = sorted({name for roster in rosters.values() for name in roster.entries})
        for start in range(0, len(names), PAGE_SIZE):
            yield [as_summary(name, rosters, self._rules) for name in names[start : start + PAGE_SIZE]]

    async def holdings(self, external_id: str) -> list[Holding]:
        """Keys, processes and crontabs, on every host. Raises where one does not answer."""
        name = checked_name(external_id)

        async def look(host: str, shell: Shell) -> tuple[Seen, bool] | None:
            seen = await self._login(shell, await self._roster(shell, [name]), name)
            return None if seen is None else (seen, await has_crontab(shell, name))

        answers = await self._fleet.each(look)
        if answers.failures:
            raise answers.failure("What it holds is not known whole.")
        there = _there(answers)
        return as_holdings(
            {host: seen for host, (seen, _) in there.items()},
            {host: has for host, (_, has) in there.items()},
            self.connection.now(),
        )

    async def snapshot(self, external_id: str) -> Snapshot:
        """What `restore` needs, for each host that answered; those that did not are named in it."""
        answers = await self._look(external_id)
        seen = _there(answers)
        if not seen:
            if answers.failures:
                raise answers.failure(_none_elsewhere(answers))
            raise ConnectorError(ErrorKind.NOT_FOUND, GONE)
        state = {
            "login": external_id,
            "hosts": {host: as_snapshot(each) for host, each in seen.items()},
            "not_seen": [host for host, _ in answers.failures],
        }
        return Snapshot(self.connection.now(), state)

    # -- changing -----------------------------------------------------------------------------------------

    async def block_sign_in(self, external_id: str) -> Receipt:
        """Expire the account, so that sshd and PAM refuse it by any key and password; take its shell."""
        return await self._cut(external_id, Verb.BLOCK_SIGN_IN)

    async def suspend(self, external_id: str) -> Receipt:
        """As `block_sign_in`, and lock its password. What runs already goes on."""
        return await self._cut(external_id, Verb.SUSPEND)

    async def revoke_sessions(self, external_id: str) -> Receipt:
        """Kill every process of the login, its open connections among them."""
        return await self._cut(external_id, Verb.REVOKE_SESSIONS)

    async def revoke_tokens(self, external_id: str) -> Receipt:
        """Move its files with SSH keys aside, from where `restore` brings them back."""
        return await self._cut(external_id, Verb.REVOKE_TOKENS)

    async def remove_entitlements(self, external_id: str) -> Receipt:
        """Take it out of all groups but its own. Rules of sudo that name it are told, for a person."""
        return await self._cut(external_id, Verb.REMOVE_ENTITLEMENTS)

    async def restore(self, external_id: str, verb: Verb, snapshot: Snapshot) -> Receipt:
        """Put back on each host what the snapshot shows of it. Raises where a host could not be asked, or was
        cut without its state from before being known; the others are restored all the same."""
        if verb not in changes.FOR or verb is Verb.REVOKE_SESSIONS:
            raise ConnectorError(ErrorKind.UNSUPPORTED, f"Over SSH '{verb}' cannot be undone.")
        self._transport.check_write()
        answers = await self._look(external_id)
        seen = _there(answers)
        if not seen and not answers.failures:
            raise ConnectorError(ErrorKind.NOT_FOUND, GONE)
        before: Mapping[str, Mapping[str, Any]] = snapshot.state["hosts"]
        problems = list(answers.failures)
        unknown = ConnectorError(
            ErrorKind.CONFLICT, "its state from before the cut is not known; look by hand"
        )
        problems += [(host, unknown) for host in snapshot.state.get("not_seen", ()) if host in seen]
        gone = ConnectorError(ErrorKind.NOT_FOUND, "the account is gone there; it cannot be restored")
        problems += [
            (host, gone) for host, found in answers.by_host.items() if found is None and host in before
        ]
        known = {host: each for host, each in seen.items() if host in before}
        to_run, refused = _planned(known, lambda host, each: undoing(verb, each, before[host]))
        done = await self._run_everywhere(external_id, to_run)
        problems += [*refused, *done.failures]
        said = f"Put back on {', '.join(done.by_host) or 'no host'}."
        if problems:
            raise Answers({}, tuple(problems)).failure(said)
        if not to_run:
            return Receipt(Outcome.ALREADY_DONE, "It is as it was before the cut.")
        return Receipt(Outcome.DONE, said, request=_told(to_run))

    # -- proving ------------------------------------------------------------------------------------------

    async def verify(self, external_id: str, verb: Verb) -> Proof:
        """Read every host afresh; of a blocked account, also try to become it through PAM."""
        name = checked_name(external_id)
        if verb not in changes.FOR:
            return Proof(Verdict.UNVERIFIABLE, f"Over SSH it cannot be asked whether '{verb}' holds.")

        async def look(host: str, shell: Shell) -> Looked | None:
            seen = await self._login(shell, await self._roster(shell, [name]), name)
            if seen is None:
                return None
            tries = verb in (Verb.BLOCK_SIGN_IN, Verb.SUSPEND) and seen.is_blocked
            return Looked(seen, await probe_sign_in(shell, name) if tries else Probe.UNKNOWN)

        answers = await self._fleet.each(look)
        if not answers.by_host or not answers.may_pass:
            raise answers.failure("It could not be read back everywhere.")
        return prove(verb, _there(answers), missed=answers.missed, now=self.connection.now())

    # -- inside -------------------------------------------------------------------------------------------

    async def _cut(self, external_id: str, verb: Verb) -> Receipt:
        """What `verb` needs on each host. ACCEPTED when some did not answer: the proof waits for them."""
        self._transport.check_write()
        answers = await self._look(external_id)
        if not answers.by_host:
            raise answers.failure("Nothing was changed.")
        seen = _there(answers)
        to_run, refused = _planned(seen, lambda _, each: changes.FOR[verb](each))
        if to_run or refused:
            _refuse_protected(external_id, seen)
        done = await self._run_everywhere(external_id, to_run)
        all_of_it = Answers(answers.by_host, (*answers.failures, *refused, *done.failures))
        said = _summary(to_run, done, seen)
        if not all_of_it.may_pass or (done.failures and not done.by_host):
            raise all_of_it.failure(said)
        if all_of_it.failures:
            return Receipt(
                Outcome.ACCEPTED, f"{said} Not everywhere: {all_of_it.missed}", request=_told(to_run)
            )
        outcome = Outcome.DONE if to_run else Outcome.ALREADY_DONE
        return Receipt(outcome, said, request=_told(to_run))

    async def _run_everywhere(self, name: str, to_run: Mapping[str, list[Command]]) -> Answers[int]:
        async def run(host: str, shell: Shell) -> int:
            for command in to_run[host]:
                await _run(shell, command)
            return len(to_run[host])

        return await self._fleet.each(run, list(to_run)) if to_run else Answers({}, ())

    async def _look(self, external_id: str) -> Answers[Seen | None]:
        name = checked_name(external_id)

        async def look(host: str, shell: Shell) -> Seen | None:
            return await self._login(shell, await self._roster(shell, [name]), name)

        return await self._fleet.each(look)

    async def _roster(self, shell: Shell, also: Sequence[str] = ()) -> Roster:
        return await read_roster(shell, also, self.connection.now())

    async def _login(self, shell: Shell, roster: Roster, name: str) -> Seen | None:
        seen = await read_login(shell, roster, name, self._key_files)
        if seen is None:
            return None
        return replace(
            seen,
            why_protected=self._rules.why_protected(seen.entry, roster),
            is_service=self._rules.is_service(seen.entry, roster),
        )

    def _sign_in(self) -> SignIn:
        settings = self.connection.settings
        return SignIn(
            user=str(settings["user"]),
            private_key=self.connection.secrets.resolve(str(settings["private_key"])),
            known_hosts=str(settings["known_hosts"]),
            timeout=float(settings.get("timeout_seconds", 5)),
        )


async def _run(shell: Shell, command: Command) -> None:
    if command[0] != changes.PKILL:
        await shell.change(*command)
        return
    uid = int(command[-1])
    for _ in range(KILLING_ROUNDS):
        # 1: nothing was left by then. What was being started just now is met in the next round.
        if not await shell.change(*command, expect=(0, 1)) or not await read_processes(shell, uid):
            return


def _there(answers: Answers[T | None]) -> dict[str, T]:
    return {host: each for host, each in answers.by_host.items() if each is not None}


def _planned(
    seen: Mapping[str, Seen], plan: Callable[[str, Seen], list[Command]]
) -> tuple[dict[str, list[Command]], Refusals]:
    """What to run on each host, and where that must not be."""
    to_run: dict[str, list[Command]] = {}
    refused: Refusals = []
    for host, each in seen.items():
        try:
            if commands := plan(host, each):
                to_run[host] = commands
        except ConnectorError as error:
            refused.append((host, error))
    return to_run, refused


def _refuse_protected(name: str, seen: Mapping[str, Seen]) -> None:
    for host, each in seen.items():
        if each.why_protected:
            raise ConnectorError(
                ErrorKind.CONFLICT,
                f"{name} is protected on {host}: {each.why_protected}. Nothing was changed on any host.",
            )


def _summary(to_run: Mapping[str, list[Command]], done: Answers[int], seen: Mapping[str, Seen]) -> str:
    if to_run:
        return f"{sum(done.by_host.values())} changes on {', '.join(done.by_host) or 'no host'}."
    return f"It was so before on {', '.join(seen)}." if seen else GONE


def _told(to_run: Mapping[str, list[Command]]) -> dict[str, Any]:
    return {"commands": {host: [" ".join(each) for each in commands] for host, commands in to_run.items()}}


def _none_elsewhere(answers: Answers[Any]) -> str:
    asked = ", ".join(answers.by_host)
    return (
        f"There is no such account on {asked}, but not every host answered." if asked else "No host answered."
    )


CONNECTOR = SshConnector
