"""Rooms: which ones a user is in, which of them nobody else administers, and giving those to a successor.

Synapse makes somebody a room's administrator in the name of the strongest local member, here the leaver, and
refuses that while the leaver is suspended. Rooms are therefore handed over before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from partwell.connector_kit.contract import (
    ConnectorError,
    Entitlement,
    ErrorKind,
    Job,
    JobState,
    TransferKind,
    TransferRequest,
)
from partwell.connector_kit.pacing import side_by_side
from partwell.connectors.matrix.people import People, is_deactivated
from partwell.connectors.matrix.service import ADMIN, SUSPENDED, MatrixService, segment, shapes

AT_ONCE = 5
DEFAULT_POWER = 0
# What a room has without an event that says otherwise.
POWER_TO_CHANGE_STATE = 50


@dataclass(frozen=True)
class Administered:
    """A room, who in it may change what others may, and who was invited."""

    room_id: str
    name: str
    administrators: frozenset[str]
    invited: frozenset[str]


class Rooms:
    """Rooms of one homeserver, by the admin API."""

    def __init__(self, service: MatrixService, people: People) -> None:
        self._service = service
        self._people = people

    async def joined(self, user_id: str) -> tuple[Entitlement, ...]:
        """The rooms that the user is in, with their names. Nobody is in none."""
        found = await side_by_side(self._named, await self._ids(user_id), at_once=AT_ONCE)
        return tuple(room for room in found if room is not None)

    async def owned(self, user_id: str) -> list[Administered]:
        """The rooms in which the user is the only member who may change what others may."""
        found = await side_by_side(self._administered, await self.joined(user_id), at_once=AT_ONCE)
        return [room for room in found if room is not None and room.administrators == {user_id}]

    async def transfer(self, user_id: str, request: TransferRequest) -> Job:
        """Make the successor an administrator of each room that nobody else administers. Who is not in a
        private room is invited, and has to accept. Asked again, only what is missing is asked for."""
        if request.kind is not TransferKind.OBJECTS:
            raise ConnectorError(ErrorKind.UNSUPPORTED, "Matrix hands over rooms, and nothing else.")
        user = await self._people.must_read(user_id)
        successor = await self._people.successor(request.successor)
        if successor == user_id:
            raise ConnectorError(ErrorKind.INVALID, "Nobody can be their own successor.")
        rooms = await self.owned(user_id)
        if rooms and user.get("suspended") is True:
            raise ConnectorError(
                ErrorKind.CONFLICT,
                f"Synapse hands over no rooms of a suspended user ({SUSPENDED}). Restore the suspension, "
                "hand over, and suspend again; locking can stay as it is.",
            )
        stuck = []
        for room in rooms:
            if successor in room.invited and await self._may_administer(room, successor):
                continue  # asked before, and not accepted yet
            path = f"{ADMIN}/v1/rooms/{segment(room.room_id)}/make_room_admin"
            try:
                await self._service.call("POST", path, body={"user_id": successor})
            except ConnectorError as error:
                if error.kind not in (ErrorKind.INVALID, ErrorKind.NOT_FOUND):
                    raise
                stuck.append(f"{room.name} ({error.message.rstrip('.')})")
        return await self._job(user_id, successor, stuck)

    async def job(self, handle: str) -> Job:
        """How far it has come, read afresh."""
        kind, _, rest = handle.partition("|")
        user_id, _, successor = rest.partition("|")
        if kind != TransferKind.OBJECTS or not user_id or not successor:
            raise ConnectorError(ErrorKind.INVALID, "This is not a hand-over that this connection began.")
        return await self._job(user_id, successor, [])

    async def _job(self, user_id: str, successor: str, stuck: list[str]) -> Job:
        handle = f"{TransferKind.OBJECTS}|{user_id}|{successor}"
        user = await self._people.read(user_id)
        if user is None or is_deactivated(user):
            return Job(
                handle,
                JobState.UNKNOWN,
                "The user is deactivated and in no room any more: which were handed over cannot be seen.",
            )
        left = await self.owned(user_id)
        if not left:
            return Job(
                handle, JobState.DONE, "Read afresh: every room of the user has another administrator in it."
            )
        names = ", ".join(sorted(room.name for room in left)[:10])
        if stuck:
            return Job(
                handle, JobState.FAILED, f"Without another administrator: {names}. {'; '.join(stuck)}."
            )
        waiting = [room for room in left if successor in room.invited]
        if len(waiting) == len(left):
            return Job(handle, JobState.RUNNING, f"{successor} is invited, and has not joined yet: {names}.")
        return Job(
            handle, JobState.RUNNING, f"{successor} may join, and has not yet, in {len(left)} rooms: {names}."
        )

    # -- reading --------------------------------------------------------------------------------------

    async def _ids(self, user_id: str) -> list[str]:
        found = await self._service.find(f"{ADMIN}/v1/users/{segment(user_id)}/joined_rooms")
        rooms = found.get("joined_rooms") if found is not None else []
        if not isinstance(rooms, list) or not all(isinstance(room, str) and room for room in rooms):
            raise ConnectorError(ErrorKind.RETRYABLE, "Synapse did not list rooms as it does.")
        if found is not None and found.get("total", len(rooms)) != len(rooms):
            raise ConnectorError(ErrorKind.RETRYABLE, "Synapse counts more rooms than it listed.")
        return list(rooms)

    async def _named(self, room_id: str) -> Entitlement | None:
        room = await self._service.find(f"{ADMIN}/v1/rooms/{segment(room_id)}")
        if room is None:
            return None  # deleted meanwhile
        return Entitlement("room", room_id, str(room.get("name") or room.get("canonical_alias") or room_id))

    async def _administered(self, room: Entitlement) -> Administered | None:
        members = await self._state(room.external_id, "m.room.member")
        allowed = await self._powers(room.external_id)
        if members is None or allowed is None:
            return None
        by: dict[str, set[str]] = {"join": set(), "invite": set()}
        for event in members:
            by.get(str(_content(event).get("membership")), set()).add(str(event.get("state_key")))
        return Administered(
            room.external_id,
            room.name,
            frozenset(filter(allowed.includes, by["join"])),
            frozenset(by["invite"]),
        )

    async def _may_administer(self, room: Administered, user_id: str) -> bool:
        allowed = await self._powers(room.room_id)
        return allowed is not None and allowed.includes(user_id)

    async def _powers(self, room_id: str) -> _Powers | None:
        create = await self._state(room_id, "m.room.create")
        levels = await self._state(room_id, "m.room.power_levels")
        if create is None or levels is None:
            return None
        if len(create) != 1:
            raise ConnectorError(ErrorKind.RETRYABLE, "Synapse did not show how a room began.")
        return _powers_in(create[0], _content(levels[0]) if levels else None)

    async def _state(self, room_id: str, kind: str) -> list[dict[str, Any]] | None:
        # Older Synapse takes no `type` and gives the whole state, so it is compared here too.
        path = f"{ADMIN}/v1/rooms/{segment(room_id)}/state"
        try:
            found = await self._service.get(path, {"type": kind})
        except ConnectorError as error:
            if error.kind is ErrorKind.NOT_FOUND:
                return None
            raise
        return [each for each in shapes.as_list(found.get("state")) if each.get("type") == kind]


@dataclass(frozen=True)
class _Powers:
    """Who may change what others may: those at the level or above, and creators in rooms of version 12 on."""

    users: Mapping[str, int]
    default: int
    needed: int
    creators: frozenset[str]

    def includes(self, user_id: str) -> bool:
        return user_id in self.creators or self.users.get(user_id, self.default) >= self.needed


def _powers_in(create: Mapping[str, Any], levels: Mapping[str, Any] | None) -> _Powers:
    said = _content(create)
    creators = {str(create.get("sender"))}
    if _number(said.get("room_version"), 1) >= 12:
        creators |= {str(each) for each in said.get("additional_creators") or []}
    elif levels is not None:
        creators = set()
    if levels is None:
        return _Powers({}, DEFAULT_POWER, POWER_TO_CHANGE_STATE, frozenset(creators))
    events, users = levels.get("events"), levels.get("users")
    by_state = _number(levels.get("state_default"), POWER_TO_CHANGE_STATE)
    needed = _number(events.get("m.room.power_levels"), by_state) if isinstance(events, dict) else by_state
    held = {str(u): _number(p, 0) for u, p in users.items()} if isinstance(users, dict) else {}
    return _Powers(held, _number(levels.get("users_default"), DEFAULT_POWER), needed, frozenset(creators))


def _content(event: Mapping[str, Any]) -> Mapping[str, Any]:
    content = event.get("content")
    return content if isinstance(content, Mapping) else {}


def _number(value: Any, otherwise: int) -> int:
    """A power or a version; old rooms have them as text."""
    try:
        return int(value) if isinstance(value, int | str) else otherwise
    except ValueError:
        return otherwise
