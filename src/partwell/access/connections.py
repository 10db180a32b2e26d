"""From a system's row to a connector that can be called, each call within a time limit.

Connectors are async and know no database; Django's ORM is not async. So work goes in turns: rows are read
and written between calls, never during one, and no transaction is open while a target is asked.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from types import TracebackType
from typing import Any, TypeVar
from uuid import UUID

from django.conf import settings

from partwell import clock
from partwell.access.models import System
from partwell.connector_kit import registry
from partwell.connector_kit.addresses import AllowList
from partwell.connector_kit.calls import Notes, NotingSecrets
from partwell.connector_kit.contract import (
    Connection,
    Connector,
    ConnectorError,
    ErrorKind,
    Identity,
    Reversibility,
    TransferKind,
)
from partwell.connector_kit.limiter import Limiter, rates_of
from partwell.connector_kit.secrets import ReferencedSecrets
from partwell.connector_kit.transport import Transport
from partwell.departures.models import Departure
from partwell.departures.states import SubjectKind
from partwell.people.models import Client, Contact, Person, PersonAlias

T = TypeVar("T")


@dataclass(frozen=True)
class Target:
    """One system as a value, with what its connection can do here, and how many calls it takes at once.
    `digest` tells one connection from another (`System.connection_digest`).

    `transfers` are the kinds that it gives to a successor, `transfers_before_suspension` those of them that
    it gives only while the account is not suspended.
    """

    system_id: int
    name: str
    connector: str
    settings: Mapping[str, Any]
    capabilities: Mapping[str, Reversibility | None]
    time_limit_seconds: float
    sessions_note: str = ""
    at_once: int = 1
    transfers: tuple[TransferKind, ...] = ()
    transfers_before_suspension: frozenset[TransferKind] = frozenset()
    digest: str = ""


def target_of(system: System) -> Target:
    """The system as a value. One whose connector is not installed can do nothing: a person has to."""
    registered = registry.find(system.connector)
    capabilities = {} if registered is None else dict(registered.manifest.capabilities)
    hands_over = registered is not None and "transfer" in capabilities and "transfer" not in system.without
    return Target(
        system_id=system.pk,
        name=system.name,
        connector=system.connector,
        settings=system.settings,
        capabilities={name: value for name, value in capabilities.items() if name not in system.without},
        time_limit_seconds=system.time_limit_seconds,
        sessions_note="" if registered is None else registered.manifest.sessions_note,
        at_once=1 if registered is None else int(registered.manifest.limits.get("concurrent", 1)),
        transfers=registered.manifest.transfers if registered and hands_over else (),
        transfers_before_suspension=(
            registered.manifest.transfers_before_suspension if registered and hands_over else frozenset()
        ),
        digest=system.connection_digest,
    )


def open_connector(target: Target, *, read_only: bool = False, notes: Notes | None = None) -> Connector:
    """A connector for this target; with `notes`, one for a dry run that shows calls, which changes nothing.
    Raises `ConnectorError` when it cannot even be built."""
    registered = registry.find(target.connector)
    if registered is None:
        raise ConnectorError(
            ErrorKind.UNSUPPORTED, f"There is no connector called {target.connector!r} here."
        )
    secrets = ReferencedSecrets()
    connection = Connection(
        name=target.name,
        settings=target.settings,
        secrets=secrets if notes is None else NotingSecrets(secrets, notes),
        # Who does not promise that every write passes the transport gets no further than its first one.
        transport=transport(
            target,
            read_only=read_only or notes is not None,
            notes=notes if registered.manifest.shows_calls else None,
        ),
        now=clock.now,
    )
    try:
        return registered.open(connection)
    except ConnectorError:
        raise
    except Exception as error:
        raise _fault(error) from error


def transport(
    target: Target | None = None, *, read_only: bool = False, notes: Notes | None = None
) -> Transport:
    """The guarded way out, with the operator's allow-list; for a target, within what it may be asked."""
    return Transport(
        AllowList.parse(settings.OUTBOUND_ALLOW),
        read_only=read_only,
        notes=notes,
        limiter=None if target is None else _limiter(target.system_id, target.connector),
    )


@cache
def _limiter(system_id: int, connector: str) -> Limiter:
    """One for each connection in this process, whoever asks there."""
    registered = registry.find(connector)
    return Limiter({} if registered is None else rates_of(registered.manifest.limits))


async def limited(call: Awaitable[T], seconds: float) -> T:
    """Await a call to a target; whatever goes wrong comes out as `ConnectorError`."""
    try:
        # Not `wait_for`, which makes a task of every call.
        async with asyncio.timeout(seconds):
            return await call
    except ConnectorError:
        raise
    except TimeoutError:
        raise ConnectorError(ErrorKind.RETRYABLE, f"It did not answer within {seconds:g} seconds.") from None
    except Exception as error:
        raise _fault(error) from error


def _fault(error: Exception) -> ConnectorError:
    # Only the kind of the fault: its text may quote what was sent, secrets included.
    return ConnectorError(ErrorKind.RETRYABLE, f"The connector has a fault ({type(error).__name__}).")


class Session:
    """A connector on an event loop of its own, called in turns from synchronous code. With `notes`, it shows
    what it would send and changes nothing."""

    def __init__(self, target: Target, *, notes: Notes | None = None) -> None:
        self.target = target
        self._loop = asyncio.new_event_loop()
        try:
            self.connector = open_connector(target, notes=notes)
        except BaseException:
            self._loop.close()
            raise

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._loop.run_until_complete(limited(self.connector.close(), self.target.time_limit_seconds))
        except ConnectorError:
            pass  # it lets go or it does not; what was done is on record by now
        finally:
            # Not `asyncio.Runner`: closing that waits for threads, and a blocking library may be stuck.
            self._loop.close()

    def call(self, make: Callable[[Any], Awaitable[T]]) -> T:
        """Run `make(connector)` within the system's time limit. Raises `ConnectorError` only."""
        return self._loop.run_until_complete(limited(make(self.connector), self.target.time_limit_seconds))

    def pages(self, make: Callable[[Any], AsyncIterator[T]]) -> Iterator[T]:
        """What `make(connector)` yields, one after another, each within the system's time limit. Raises
        `ConnectorError` only; what came until then is not all there is."""
        pages = make(self.connector)
        while True:
            try:
                yield self._loop.run_until_complete(limited(_next(pages), self.target.time_limit_seconds))
            except _NoMore:
                return

    def call_all(self, makes: Sequence[Callable[[Any], Awaitable[T]]]) -> list[T | ConnectorError]:
        """As `call` for each, as many at once as the target takes; in order, errors in their places."""
        return self._loop.run_until_complete(self._gather(makes))

    async def _gather(self, makes: Sequence[Callable[[Any], Awaitable[T]]]) -> list[T | ConnectorError]:
        places = asyncio.Semaphore(self.target.at_once)

        async def one(make: Callable[[Any], Awaitable[T]]) -> T | ConnectorError:
            async with places:
                try:
                    return await limited(make(self.connector), self.target.time_limit_seconds)
                except ConnectorError as error:
                    return error

        return list(await asyncio.gather(*map(one, makes)))

    def run(self, make: Callable[[Any], Coroutine[Any, Any, T]]) -> T:
        """Run `make(connector)`, which limits its own calls."""
        return self._loop.run_until_complete(make(self.connector))


class _NoMore(ConnectorError):
    """The pages are over. A `ConnectorError`, because `limited` lets those through as they are."""


async def _next(pages: AsyncIterator[T]) -> T:
    try:
        return await anext(pages)
    except StopAsyncIteration:
        raise _NoMore(ErrorKind.NOT_FOUND, "There are no more pages.") from None


def run_together(work: list[Coroutine[Any, Any, T]]) -> list[T]:
    """Run coroutines side by side on a loop of their own; none may raise."""

    async def gather() -> list[T]:
        return list(await asyncio.gather(*work))

    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(gather())
    finally:
        loop.close()


def identities_of(departure: Departure) -> tuple[Identity, ...]:
    """By what the leaver may be known: one identity for a colleague, one for each contact of a client."""
    return identities_of_all([departure])[departure.pk]


def identities_of_all(departures: Sequence[Departure]) -> dict[UUID, tuple[Identity, ...]]:
    """`identities_of` for many departures, with two queries. Their people and clients are loaded already."""
    contacts: dict[int, list[Contact]] = defaultdict(list)
    for contact in Contact.objects.filter(client_id__in={d.client_id for d in departures if d.client_id}):
        contacts[contact.client_id].append(contact)
    aliases: dict[int, list[str]] = defaultdict(list)
    people = {d.person_id for d in departures if d.person_id}
    for alias in PersonAlias.objects.filter(person_id__in=people):
        aliases[alias.person_id].append(alias.email)
    return {
        departure.pk: _identities(
            departure, contacts[departure.client_id or 0], aliases[departure.person_id or 0]
        )
        for departure in departures
    }


def _identities(
    departure: Departure, contacts: Sequence[Contact], aliases: Sequence[str]
) -> tuple[Identity, ...]:
    if departure.subject_kind == SubjectKind.CLIENT:
        found = [Identity(emails=(c.email,), display_name=c.name) for c in contacts]
        known = {identity.emails[0].lower() for identity in found}
        if departure.subject_email and departure.subject_email.lower() not in known:
            found.append(Identity(emails=(departure.subject_email,)))
        return tuple(found)
    person = departure.person
    identity = Identity(emails=_once(departure.subject_email), display_name=departure.subject_name)
    if person is None:
        return (identity,)
    return (
        replace(
            identity,
            emails=_once(person.email, departure.subject_email, *aliases),
            usernames=_once(person.username),
            employee_number=person.employee_number,
        ),
    )


def identities_of_person(person: Person) -> tuple[Identity, ...]:
    """By what a colleague may be known, whether or not they leave."""
    return (
        Identity(
            emails=_once(person.email, *(alias.email for alias in person.aliases.all())),
            usernames=_once(person.username),
            employee_number=person.employee_number,
            display_name=person.name,
        ),
    )


def identities_of_contacts(client: Client) -> tuple[Identity, ...]:
    """By what a client's contacts may be known, each for themselves."""
    return tuple(
        Identity(emails=(contact.email,), display_name=contact.name) for contact in client.contacts.all()
    )


def identity_of(departure: Departure) -> Identity:
    """All by which the leaver may be known, together."""
    identities = identities_of(departure)
    return Identity(
        emails=_once(*(email for identity in identities for email in identity.emails)),
        usernames=_once(*(name for identity in identities for name in identity.usernames)),
        employee_number=next((i.employee_number for i in identities if i.employee_number), ""),
        display_name=departure.subject_name,
    )


def _once(*values: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value for value in values if value))
