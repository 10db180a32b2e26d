"""A local command, as the operator's file declares it: JSON in, JSON out."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import AsyncIterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from partwell.connector_kit.calls import Call
from partwell.connector_kit.contract import (
    Account,
    Connection,
    ConnectorError,
    ErrorKind,
    Identity,
    Outcome,
    Proof,
    Receipt,
    Reversibility,
    Snapshot,
    TestReport,
    Verb,
    Verdict,
)
from partwell.connector_kit.protection import Protection
from partwell.connector_kit.settling import Settling
from partwell.connectors.script.answers import (
    AccountAnswer,
    AccountsAnswer,
    DeedAnswer,
    Part,
    ReadAnswer,
    TestAnswer,
    read_answer,
)
from partwell.connectors.script.files import argv_of, seal_of
from partwell.connectors.script.model import ScriptDeclaration
from partwell.connectors.script.process import Command, ask, shown

GONE = "There is no such account any more."
MAX_PAGES = 1000
VERSION = 1
OUTCOMES = {"done": Outcome.DONE, "accepted": Outcome.ACCEPTED, "already": Outcome.ALREADY_DONE}
A = TypeVar("A", bound=Part)


class ScriptConnector:
    """What every declared command has; `declared_class` adds the verbs that its file declares."""

    declaration: ClassVar[ScriptDeclaration]
    digest: ClassVar[str]
    folder: ClassVar[Path]
    seal: ClassVar[str]

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._transport = connection.transport
        self._protection = Protection(connection.settings)
        self._settling = Settling(connection.settings, connection.now)

    async def close(self) -> None:
        """Nothing to let go of: each question is a process of its own, which has ended."""

    # -- asking ---------------------------------------------------------------------------------------

    async def test(self) -> TestReport:
        """Ask the command whether it can do its work. Changes nothing."""
        try:
            answer = await self._ask("test", TestAnswer)
        except ConnectorError as error:
            return TestReport(False, error.message, (error.message,))
        says = answer.says or "The command answers."
        if not answer.ok:
            return TestReport(False, says, (says,))
        return TestReport(True, f"{says} The digest of its files is {self.digest[:16]}.")

    async def discover(self, identity: Identity) -> list[Account]:
        """All accounts that match one fact about the person exactly, compared here as well."""
        if not any((any(identity.emails), any(identity.usernames), identity.employee_number)):
            return []
        answer = await self._ask("find", AccountsAnswer, identity=asdict(identity))
        if answer.next is not None:
            raise ConnectorError(ErrorKind.RETRYABLE, "The command found more than it printed (“next”).")
        found: dict[str, Account] = {}
        for each in answer.accounts:
            if why := _match(each.account(), identity):
                found[each.id] = self._protection.mark(each.account(why))
        return list(found.values())

    async def read(self, external_id: str) -> Account | None:
        """The account afresh; None when the command says that it looked and there is none."""
        answer = await self._read(external_id)
        return None if answer is None else self._protection.mark(answer.account())

    async def snapshot(self, external_id: str) -> Snapshot:
        """The account as the command shows it; `restore` gets it back."""
        answer = await self._must_read(external_id)
        return Snapshot(self.connection.now(), answer.model_dump(mode="json"))

    # -- changing -------------------------------------------------------------------------------------

    async def do(self, verb: Verb, external_id: str) -> Receipt:
        """Read, and let the command do it unless it is so already."""
        self._transport.check_write()
        answer = await self._read(external_id)
        if answer is None:
            return Receipt(Outcome.ALREADY_DONE, GONE)
        if self._is_done(verb, answer) is True:
            return Receipt(Outcome.ALREADY_DONE, "It was so before.")
        self._protection.refuse(answer.account())
        did = await self._tell(verb.value, account=_named(answer))
        if did.outcome == "absent":
            if await self._read(external_id) is None:
                return Receipt(Outcome.ALREADY_DONE, "The account was deleted meanwhile.")
            raise ConnectorError(
                ErrorKind.RETRYABLE,
                "The command says that there is no such account, and shows it still.",
            )
        if did.outcome == "accepted":
            self._settling.accepted(external_id, verb)
        return self._receipt(verb, did, provable=self._is_provable(verb))

    async def put_back(self, external_id: str, verb: Verb, snapshot: Snapshot) -> Receipt:
        """Let the command put back what the snapshot shows for `verb`."""
        self._transport.check_write()
        deed = self.declaration.verbs.get(verb)
        if deed is None or deed.undone is Reversibility.NONE:
            raise ConnectorError(ErrorKind.UNSUPPORTED, f"The file declares no way to undo '{verb}'.")
        answer = await self._must_read(external_id)
        if _said_done(snapshot.state, verb):
            return Receipt(Outcome.ALREADY_DONE, "It was so before the cut, and stays so.")
        did = await self._tell(
            "restore", verb=verb.value, account=_named(answer), snapshot=dict(snapshot.state)
        )
        if did.outcome == "absent":
            raise ConnectorError(ErrorKind.NOT_FOUND, GONE)
        self._settling.forget(external_id, verb)
        return self._receipt(verb, did, provable=self._is_provable(verb))

    def _receipt(self, verb: Verb, did: DeedAnswer, *, provable: bool) -> Receipt:
        outcome = OUTCOMES[did.outcome]
        note = "" if provable else " It declares nothing by which this could be read back."
        if outcome is not Outcome.ALREADY_DONE and not provable:
            # A yes that nothing can prove is an acceptance, whatever the command calls it.
            outcome = Outcome.ACCEPTED
        return Receipt(
            outcome,
            f"The command says: {did.says or did.outcome}.{note}",
            request={"declaration": self.digest, "do": verb.value},
            response={"outcome": did.outcome},
        )

    # -- proving --------------------------------------------------------------------------------------

    async def verify(self, external_id: str, verb: Verb) -> Proof:
        """Read afresh, in a process of its own, and look whether it shows the verb as done."""
        if verb not in self.declaration.verbs:
            return Proof(Verdict.UNVERIFIABLE, f"The file does not declare '{verb}'.")
        answer = await self._read(external_id)
        if answer is None:
            return Proof(Verdict.CONFIRMED, f"Read afresh: {GONE[0].lower()}{GONE[1:]}")
        if not self._is_provable(verb):
            return Proof(Verdict.UNVERIFIABLE, "The command shows nothing by which this could be read back.")
        done = self._is_done(verb, answer)
        if done is None:
            return Proof(Verdict.UNVERIFIABLE, f"Read afresh: it is not shown whether {verb} holds.")
        if done:
            return Proof(Verdict.CONFIRMED, f"Read afresh by the command: {verb} holds.")
        return self._settling.not_yet(external_id, verb, f"Read afresh by the command: {verb} does not hold.")

    def _is_provable(self, verb: Verb) -> bool:
        return self.declaration.verbs[verb].read_back

    def _is_done(self, verb: Verb, answer: AccountAnswer) -> bool | None:
        if verb is Verb.DELETE:
            return False
        if verb is Verb.REMOVE_ENTITLEMENTS:
            return not answer.groups
        return answer.done.get(verb)

    # -- the command ----------------------------------------------------------------------------------

    async def _read(self, external_id: str) -> AccountAnswer | None:
        answer = await self._ask("read", ReadAnswer, account={"id": external_id})
        if answer.absent == (answer.account is not None):
            raise ConnectorError(
                ErrorKind.RETRYABLE, "The command has to show the account, or say “absent”: one of the two."
            )
        if answer.account is not None and answer.account.id != external_id:
            raise ConnectorError(ErrorKind.RETRYABLE, "The command shows another account than was asked for.")
        return answer.account

    async def _must_read(self, external_id: str) -> AccountAnswer:
        answer = await self._read(external_id)
        if answer is None:
            raise ConnectorError(ErrorKind.NOT_FOUND, GONE)
        return answer

    async def _tell(self, do: str, **more: Any) -> DeedAnswer:
        """Let the command change something. A dry run shows it with its input, does not start it, and takes
        it for done."""
        command, question, secrets = await self._question(do, more)
        if not self._transport.may_write(Call("run", shlex.join(command.argv), question)):
            return DeedAnswer(outcome="done")
        return await self._put(command, question, secrets, DeedAnswer)

    async def _ask(self, do: str, model: type[A], **more: Any) -> A:
        """Ask the command something, which changes nothing."""
        return await self._put(*await self._question(do, more), model)

    async def _question(
        self, do: str, more: Mapping[str, Any]
    ) -> tuple[Command, dict[str, Any], dict[str, str]]:
        """What to start, what to ask it, and the variables with secrets."""
        if await asyncio.to_thread(seal_of, self.folder) != self.seal:
            raise ConnectorError(
                ErrorKind.RETRYABLE,
                "The command's files have changed since Partwell started, so it was not run. Check them, "
                "then start Partwell again.",
            )
        settings, declared = self.connection.settings, self.declaration
        secrets = {
            variable: self.connection.secrets.resolve(str(settings[name]))
            for variable, name in declared.secrets.items()
            if name in settings
        }
        plain = {n: settings[n] for n, rule in declared.settings.items() if not rule.secret and n in settings}
        command = Command(
            argv_of(self.folder, declared.command),
            declared.environment,
            declared.timeout_seconds,
            declared.largest_answer_kb * 1024,
        )
        return command, {"version": VERSION, "do": do, "settings": plain, **more}, secrets

    async def _put(
        self, command: Command, question: Mapping[str, Any], secrets: Mapping[str, str], model: type[A]
    ) -> A:
        await self._transport.limiter.wait()
        content = await ask(command, question, secrets=secrets)
        try:
            return read_answer(_without(content, secrets), model)
        except ConnectorError as error:
            raise ConnectorError(error.kind, shown(error.message, secrets), retry_at=error.retry_at) from None


class _Lists(ScriptConnector):
    """Where the command answers `list`."""

    async def list_accounts(self) -> AsyncIterator[list[Account]]:
        """Every account, page by page."""
        after: str | None = None
        asked: set[str | None] = set()
        while after not in asked:
            asked.add(after)
            if len(asked) > MAX_PAGES:
                raise ConnectorError(ErrorKind.INVALID, f"There are more than {MAX_PAGES} pages.")
            answer = await self._ask("list", AccountsAnswer, after=after)
            yield [each.account() for each in answer.accounts]
            after = answer.next
            if after is None:
                return
        raise ConnectorError(ErrorKind.RETRYABLE, "The pages go round in a circle.")


class _Restores(ScriptConnector):
    """Where the file declares that at least one verb can be put back."""

    async def restore(self, external_id: str, verb: Verb, snapshot: Snapshot) -> Receipt:
        """Put back what the snapshot shows for `verb`."""
        return await self.put_back(external_id, verb, snapshot)


def _match(account: Account, identity: Identity) -> str:
    """By which fact this account is the person's; empty when it is not."""
    if identity.employee_number and account.employee_number.casefold() == identity.employee_number.casefold():
        return f"employee number {identity.employee_number}"
    for name in identity.usernames:
        if name and name.casefold() == account.login.casefold():
            return f"user name {name}"
    known = {account.login.casefold(), *map(str.casefold, account.emails)}
    return next((f"e-mail {mail}" for mail in identity.emails if mail and mail.casefold() in known), "")


def _named(answer: AccountAnswer) -> dict[str, Any]:
    return {"id": answer.id, "login": answer.login}


def _said_done(state: Mapping[str, Any], verb: Verb) -> bool:
    if verb is Verb.REMOVE_ENTITLEMENTS:
        return not state.get("groups")
    return (state.get("done") or {}).get(verb.value) is True


def _without(content: Any, secrets: Mapping[str, str]) -> Any:
    """The answer without any secret that the command was given: what it prints is shown and kept."""
    if isinstance(content, str):
        for secret in filter(None, secrets.values()):
            content = content.replace(secret, "•••")
        return content
    if isinstance(content, list):
        return [_without(each, secrets) for each in content]
    if isinstance(content, dict):
        return {key: _without(each, secrets) for key, each in content.items()}
    return content


def _verb_method(verb: Verb) -> Any:
    async def method(self: ScriptConnector, external_id: str) -> Receipt:
        return await self.do(verb, external_id)

    method.__name__ = verb.value
    method.__doc__ = f"{verb.value}, as the command does it."
    return method


def declared_class(
    declared: ScriptDeclaration, digest: str, folder: Path, seal: str
) -> type[ScriptConnector]:
    """The class for one file: it can do what the file declares, and nothing else."""
    can_restore = any(deed.undone is not Reversibility.NONE for deed in declared.verbs.values())
    bases: list[type[ScriptConnector]] = [_Restores] if can_restore else []
    bases += [_Lists] if declared.lists_accounts else []
    members = {"declaration": declared, "digest": digest, "folder": folder, "seal": seal}
    verbs = {verb.value: _verb_method(verb) for verb in declared.verbs}
    return type("DeclaredScriptConnector", tuple(bases or [ScriptConnector]), members | verbs)


# All that a file can declare; the registry builds `declared_class` of each file instead.
CONNECTOR = type("AnyScriptConnector", (_Restores, _Lists), {verb.value: _verb_method(verb) for verb in Verb})
