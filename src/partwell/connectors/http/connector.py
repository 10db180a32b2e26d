"""A system with an HTTP interface, as the operator's file declares it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, ClassVar

from partwell.connector_kit.contract import (
    Account,
    Connection,
    ConnectorError,
    Entitlement,
    ErrorKind,
    Identity,
    Outcome,
    Proof,
    Receipt,
    Snapshot,
    TestReport,
    Verb,
    Verdict,
)
from partwell.connector_kit.failures import together
from partwell.connector_kit.protection import Protection
from partwell.connector_kit.settling import Settling
from partwell.connectors.http.accounts import account_of, compared, entitlement_of, facts, values_of
from partwell.connectors.http.client import Client, Meaning, Reply
from partwell.connectors.http.conditions import all_hold, in_words
from partwell.connectors.http.model import Deed, HttpDeclaration, Request

GONE = "There is no such account any more."


class HttpConnector:
    """What every declared system has; `declared_class` adds the verbs that its file declares."""

    declaration: ClassVar[HttpDeclaration]
    digest: ClassVar[str]

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        settings = connection.settings
        self._client = Client(connection, self.declaration)
        self._protection = Protection(settings)
        self._settling = Settling(settings, connection.now)

    async def close(self) -> None:
        """Nothing to let go of: connections belong to the transport."""

    # -- asking ---------------------------------------------------------------------------------------

    async def test(self) -> TestReport:
        """Send the declared test. Changes nothing."""
        try:
            await self._client.check_alive()
        except ConnectorError as error:
            return TestReport(False, error.message, (error.message,))
        return TestReport(
            True,
            "It answers as its file declares. Whether it lets Partwell change anything shows with the first "
            f"change. The file's digest is {self.digest[:16]}.",
        )

    async def discover(self, identity: Identity) -> list[Account]:
        """All accounts that match one fact about the person exactly, compared here as well: a target that
        ignores what it was asked for returns everybody."""
        found: dict[str, str] = {}
        for find, value in facts(self.declaration, identity):
            async for items in self._client.pages(find, {"value": value}):
                for item in items:
                    account = account_of(self.declaration.account, item)
                    if account.external_id not in found and await self._matches(find.by, value, account):
                        found[account.external_id] = f"{find.by.replace('_', ' ')} {value}"
        accounts = [await self._read(external_id, why) for external_id, why in found.items()]
        return [account for account in accounts if account is not None]

    async def _matches(self, by: str, value: str, account: Account) -> bool:
        if compared(by, value, account):
            return True
        shown = {"email": account.emails, "employee_number": account.employee_number, "username": "login"}[by]
        if shown:
            return False
        # A list that leaves the fact out shows neither that it is theirs nor that it is not.
        whole = await self._read(account.external_id, "")
        return whole is not None and compared(by, value, whole)

    async def read(self, external_id: str) -> Account | None:
        """The account afresh, with its groups; None when the target says, as declared, that there is none."""
        return await self._read(external_id, "")

    async def snapshot(self, external_id: str) -> Snapshot:
        """What `restore` needs: what was so before, and the groups."""
        account = await self._must_read(external_id)
        state: dict[str, Any] = {
            "login": account.login,
            "is_active": account.is_active,
            "groups": [{"id": each.external_id, "name": each.name} for each in account.entitlements],
            "done": {},
        }
        for verb, deed in self.declaration.verbs.items():
            if deed.done_when and deed.restore:
                state["done"][verb.value] = await self._is_done(deed, account)
        return Snapshot(self.connection.now(), state)

    # -- changing -------------------------------------------------------------------------------------

    async def do(self, verb: Verb, external_id: str) -> Receipt:
        """Read, and send what the file declares unless it is so already."""
        self._client.transport.check_write()
        deed = self.declaration.verbs[verb]
        account = await self._read(external_id, "")
        if account is None:
            return Receipt(Outcome.ALREADY_DONE, GONE)
        if verb is Verb.REMOVE_ENTITLEMENTS:
            if not account.entitlements:
                return Receipt(Outcome.ALREADY_DONE, "It was in no group.")
            self._protection.refuse(account)
            return await self._leave(deed, account)
        if deed.done_when and await self._is_done(deed, account) is True:
            return Receipt(Outcome.ALREADY_DONE, "It was so before.")
        self._protection.refuse(account)
        replies = await self._send_all(deed.requests, account)
        if any(reply.meaning is Meaning.ABSENT for reply in replies):
            await self._client.check_alive()
            if await self._read(external_id, "") is None:
                return Receipt(Outcome.ALREADY_DONE, "The account was deleted meanwhile.")
            raise ConnectorError(
                ErrorKind.RETRYABLE, "It said that there is no such account, and shows it all the same."
            )
        provable = bool(deed.done_when) or verb is Verb.DELETE
        return self._receipt(verb, account, deed.requests, replies, provable=provable)

    async def put_back(self, external_id: str, verb: Verb, snapshot: Snapshot) -> Receipt:
        """Put back what the snapshot shows for `verb`, as the file declares."""
        self._client.transport.check_write()
        deed = self.declaration.verbs.get(verb)
        if deed is None or not deed.restore:
            raise ConnectorError(ErrorKind.UNSUPPORTED, f"The file declares no way to undo '{verb}'.")
        account = await self._must_read(external_id)
        if verb is Verb.REMOVE_ENTITLEMENTS:
            return await self._join(deed, account, snapshot)
        if (snapshot.state.get("done") or {}).get(verb.value) is True:
            return Receipt(Outcome.ALREADY_DONE, "It was so before the cut, and stays so.")
        if deed.done_when and await self._is_done(deed, account) is False:
            return Receipt(Outcome.ALREADY_DONE, "It is as it was.")
        replies = await self._send_all(deed.restore, account)
        if any(reply.meaning is Meaning.ABSENT for reply in replies):
            raise ConnectorError(ErrorKind.NOT_FOUND, GONE)
        self._settling.forget(external_id, verb)
        return self._receipt(None, account, deed.restore, replies, provable=bool(deed.done_when))

    async def _send_all(self, requests: list[Request], account: Account) -> list[Reply]:
        replies: list[Reply] = []
        for request in requests:
            try:
                replies.append(await self._client.ask(request, values_of(account)))
            except ConnectorError as error:
                if not replies:
                    raise
                done = f"{len(replies)} of {len(requests)} requests are done."
                raise together(done, [(f"{request.method} {request.path}", error)]) from None
        return replies

    async def _leave(self, deed: Deed, account: Account) -> Receipt:
        replies, failures = await self._each(deed.requests, account, account.entitlements)
        if failures:
            done = len(account.entitlements) - len(failures)
            raise together(f"{done} of {len(account.entitlements)} groups are done.", failures)
        return self._receipt(Verb.REMOVE_ENTITLEMENTS, account, deed.requests, replies, provable=True)

    async def _join(self, deed: Deed, account: Account, snapshot: Snapshot) -> Receipt:
        present = {each.external_id for each in account.entitlements}
        kind = self.declaration.entitlements.kind if self.declaration.entitlements else ""
        missing = tuple(
            Entitlement(kind, group["id"], group["name"])
            for group in snapshot.state.get("groups", [])
            if group["id"] not in present
        )
        if not missing:
            return Receipt(Outcome.ALREADY_DONE, "It is in all of its groups.")
        replies, failures = await self._each(deed.restore, account, missing, absent_fails=True)
        if failures:
            done = len(missing) - len(failures)
            raise together(f"{done} of {len(missing)} groups are done.", failures)
        return self._receipt(None, account, deed.restore, replies, provable=True)

    async def _each(
        self,
        requests: list[Request],
        account: Account,
        groups: tuple[Entitlement, ...],
        *,
        absent_fails: bool = False,
    ) -> tuple[list[Reply], list[tuple[str, ConnectorError]]]:
        """Send for each group. One that refuses does not stop the others, unless the target says to wait."""
        replies: list[Reply] = []
        failures: list[tuple[str, ConnectorError]] = []
        for number, group in enumerate(groups):
            values = {"entitlement.id": group.external_id, "entitlement.name": group.name}
            try:
                for request in requests:
                    reply = await self._client.ask(request, {**values_of(account), **values})
                    if absent_fails and reply.meaning is Meaning.ABSENT:
                        raise ConnectorError(ErrorKind.NOT_FOUND, "It does not exist any more.")
                    replies.append(reply)
            except ConnectorError as error:
                failures.append((group.name, error))
                if error.kind is ErrorKind.THROTTLED:
                    failures += [(left.name, error) for left in groups[number + 1 :]]
                    break
        return replies, failures

    def _receipt(
        self,
        verb: Verb | None,
        account: Account,
        requests: list[Request],
        replies: list[Reply],
        *,
        provable: bool,
    ) -> Receipt:
        statuses = [reply.answer.status for reply in replies]
        later = any(reply.meaning is Meaning.ACCEPTED for reply in replies)
        if later and verb is not None:
            self._settling.accepted(account.external_id, verb)
        said = ", ".join(map(str, sorted(set(statuses))))
        note = "" if provable else " The file declares nothing by which it could be read back."
        return Receipt(
            # A yes that nothing can prove is an acceptance, whatever its status.
            Outcome.ACCEPTED if later or not provable else Outcome.DONE,
            f"Sent {len(replies)} request{'' if len(replies) == 1 else 's'}; it answered {said}.{note}",
            next((reply.answer.request_id for reply in replies if reply.answer.request_id), ""),
            {"declaration": self.digest, "requests": [f"{each.method} {each.path}" for each in requests]},
            {"statuses": statuses},
        )

    # -- proving --------------------------------------------------------------------------------------

    async def verify(self, external_id: str, verb: Verb) -> Proof:
        """Read afresh, and compare with what the file says that a done verb looks like."""
        deed = self.declaration.verbs.get(verb)
        if deed is None:
            return Proof(Verdict.UNVERIFIABLE, f"The file does not declare '{verb}'.")
        account = await self._read(external_id, "")
        if account is None:
            return Proof(Verdict.CONFIRMED, f"Read afresh: {GONE[0].lower()}{GONE[1:]}")
        if verb is Verb.DELETE:
            return self._settling.not_yet(external_id, verb, "Read afresh: the account is still there.")
        if verb is Verb.REMOVE_ENTITLEMENTS:
            if not account.entitlements:
                return Proof(Verdict.CONFIRMED, "Read afresh: no group has this account.")
            names = ", ".join(sorted(each.name for each in account.entitlements)[:10])
            count = len(account.entitlements)
            return self._settling.not_yet(
                external_id, verb, f"Read afresh: still in {count} groups ({names})."
            )
        if not deed.done_when:
            return Proof(Verdict.UNVERIFIABLE, "The file declares nothing by which this could be read back.")
        shown = "; ".join(in_words(test) for test in deed.done_when)
        done = await self._is_done(deed, account)
        if done:
            return Proof(Verdict.CONFIRMED, f"Read afresh: {shown}.")
        if done is None:
            return Proof(Verdict.UNVERIFIABLE, f"Read afresh: the answer does not show whether {shown}.")
        return self._settling.not_yet(external_id, verb, f"Read afresh: it does not hold that {shown}.")

    async def _is_done(self, deed: Deed, account: Account) -> bool | None:
        reply = await self._client.ask(deed.read_back or self.declaration.read, values_of(account))
        if reply.meaning is Meaning.ABSENT:
            await self._client.check_alive()
            # The account was there a moment ago. That a part of it is not found may as well be a wrong path.
            return None if deed.read_back else True
        return all_hold(deed.done_when, reply.document())

    # -- reading --------------------------------------------------------------------------------------

    async def _read(self, external_id: str, matched_by: str) -> Account | None:
        reply = await self._client.ask(self.declaration.read, {"account.id": external_id})
        if reply.meaning is Meaning.ABSENT:
            await self._client.check_alive()
            return None
        document = reply.document()
        account = account_of(self.declaration.account, document)
        if account.external_id != external_id:
            raise ConnectorError(
                ErrorKind.RETRYABLE,
                "It answered with another account than was asked for; it is not believed.",
            )
        groups = await self._groups(account)
        account = account_of(self.declaration.account, document, matched_by=matched_by, entitlements=groups)
        return self._protection.mark(account)

    async def _must_read(self, external_id: str) -> Account:
        account = await self._read(external_id, "")
        if account is None:
            raise ConnectorError(ErrorKind.NOT_FOUND, GONE)
        return account

    async def _groups(self, account: Account) -> tuple[Entitlement, ...]:
        declared = self.declaration.entitlements
        if declared is None:
            return ()
        pages = self._client.pages(declared, values_of(account))
        return tuple([entitlement_of(declared, item) async for items in pages for item in items])


class _Lists(HttpConnector):
    """Where the file declares how everybody is listed."""

    async def list_accounts(self) -> AsyncIterator[list[Account]]:
        """Every account, page by page."""
        declared = self.declaration.list_accounts
        if declared is None:
            raise ConnectorError(ErrorKind.UNSUPPORTED, "The file does not declare how everybody is listed.")
        async for items in self._client.pages(declared, {}):
            yield [account_of(self.declaration.account, item) for item in items]


class _Restores(HttpConnector):
    """Where the file declares for at least one verb how it is put back."""

    async def restore(self, external_id: str, verb: Verb, snapshot: Snapshot) -> Receipt:
        """Put back what the snapshot shows for `verb`."""
        return await self.put_back(external_id, verb, snapshot)


def _verb_method(verb: Verb) -> Any:
    async def method(self: HttpConnector, external_id: str) -> Receipt:
        return await self.do(verb, external_id)

    method.__name__ = verb.value
    method.__doc__ = f"{verb.value}, as the file declares it."
    return method


def declared_class(declared: HttpDeclaration, digest: str) -> type[HttpConnector]:
    """The class for one file: it can do what the file declares, and nothing else."""
    bases: list[type[HttpConnector]] = (
        [_Restores] if any(deed.restore for deed in declared.verbs.values()) else []
    )
    bases += [_Lists] if declared.list_accounts else []
    members: dict[str, Any] = {"declaration": declared, "digest": digest}
    return type("DeclaredHttpConnector", tuple(bases or [HttpConnector]), members | _methods(declared.verbs))


def _methods(verbs: Mapping[Verb, Deed]) -> dict[str, Any]:
    return {verb.value: _verb_method(verb) for verb in verbs}


# All that a file can declare; the registry builds `declared_class` of each file instead.
CONNECTOR = type("AnyHttpConnector", (_Restores, _Lists), {verb.value: _verb_method(verb) for verb in Verb})
