"""From a role to the one person who owns it in this departure, or to the team that claims it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from partwell.departures.models import Departure
from partwell.departures.states import SubjectKind
from partwell.people.actors import register_entry
from partwell.people.models import Person, User
from partwell.people.operations import ensure_user
from partwell.people.queries import nearest_holders
from partwell.people.roles import ROLE_LABELS, Role


@dataclass(frozen=True)
class Owner:
    """Who does a role's steps: a user, or a queue that holders of the role claim from, or nobody yet.

    `name` is what people read; on a departing side's step it is the leaver's name and `user` is None.
    `is_vacant` says that nobody who could do it holds the role, so that its queue is nobody's.
    """

    user: User | None
    name: str
    queue: str = ""
    is_vacant: bool = False


class Register:
    """What plannings of one moment ask the register, each thing once: who holds which role where, and who
    signs in with which account. A planning of many shares one."""

    def __init__(self) -> None:
        self._holders: dict[str, dict[Role, list[User]]] = {}
        self._users: dict[int, User | None] = {}
        self._managers: dict[int, Person | None] = {}
        self._entries: dict[int, int | None] = {}

    def holders(self, department: str) -> dict[Role, list[User]]:
        """Who answers for each role in a department; asked once for all roles."""
        if department not in self._holders:
            self._holders[department] = nearest_holders(department)
        return self._holders[department]

    def user_of(self, person: Person) -> User | None:
        """The sign-in account of a register entry."""
        if person.pk not in self._users:
            self._users[person.pk] = User.objects.filter(person=person).first()
        return self._users[person.pk]

    def know_account(self, person: Person, user: User | None) -> None:
        """Take it from whoever has just asked."""
        self._users[person.pk] = user

    def know_accounts(self, people: Collection[Person]) -> None:
        """Ask for the accounts of all of these at once."""
        found = {user.person_id: user for user in User.objects.filter(person__in=people)}
        self._users |= {person.pk: found.get(person.pk) for person in people}

    def make_user_of(self, person: Person, *, now: datetime) -> User:
        """As `user_of`, made where there is none."""
        if (user := self.user_of(person)) is None:
            user = self._users[person.pk] = ensure_user(person, now=now)
        return user

    def manager_of(self, person: Person) -> Person | None:
        """Whom the register names as their manager."""
        if person.manager_id is None:
            return None
        if person.manager_id not in self._managers:
            self._managers[person.manager_id] = person.manager
        return self._managers[person.manager_id]

    def entry_of(self, user: User) -> int | None:
        """Whose account it is, as `register_entry`."""
        if user.pk not in self._entries:
            self._entries[user.pk] = register_entry(user)
        return self._entries[user.pk]


class Owners:
    """Resolves each role once per planning."""

    def __init__(
        self,
        departure: Departure,
        *,
        now: datetime,
        may_create: bool = True,
        starter_id: int | None = None,
        register: Register | None = None,
    ) -> None:
        self._departure = departure
        self.register = register or Register()
        self._now = now
        self._may_create = may_create
        self._starter_id = starter_id
        self._resolved: dict[Role, Owner] = {}

    def of(self, role: Role) -> Owner:
        """The owner of `role`. Never the one who leaves, never somebody who has left."""
        if role not in self._resolved:
            self._resolved[role] = self._resolve(role)
        return self._resolved[role]

    def resolved(self) -> dict[Role, Owner]:
        """All roles asked so far."""
        return dict(self._resolved)

    @property
    def holders(self) -> dict[Role, list[User]]:
        """Who answers for each role where the subject works."""
        return self.register.holders(self._departure.subject_department)

    def _resolve(self, role: Role) -> Owner:
        departure = self._departure
        if role is Role.DEPARTING:
            return Owner(None, departure.subject_name)
        if role is Role.LINE_MANAGER:
            return self._from_register(self._manager(), role)
        if role is Role.ACCOUNT_MANAGER and departure.client is not None:
            return self._from_register(departure.client.account_manager, role)
        if role is Role.ACCOUNT_MANAGER and len(self.holders.get(role, [])) != 1:
            # A grant as account manager opens no colleague's departure, so a queue of them would be nobody's.
            return self._from_register(self._manager(), role)
        return self._from_grants(role)

    def _manager(self) -> Person | None:
        departure = self._departure
        if departure.subject_kind == SubjectKind.STAFF:
            return self.register.manager_of(departure.person) if departure.person else None
        manager = departure.client.account_manager if departure.client else None
        return self.register.manager_of(manager) if manager else None

    def _from_register(self, person: Person | None, role: Role) -> Owner:
        # A manager who has left, or leaves, is stood in for by theirs.
        for _ in range(12):
            if person is None:
                break
            user = self.register.user_of(person)
            if person.pk != self._departure.person_id and _is_here(person, user):
                if user is None and self._may_create:
                    user = self.register.make_user_of(person, now=self._now)
                return Owner(user, (user.name if user else "") or person.name)
            person = self.register.manager_of(person)
        return self._from_grants(role)

    def _from_grants(self, role: Role) -> Owner:
        leaver = self._departure.person_id
        holders = [
            user
            for user in self.holders.get(role, [])
            if leaver is None or self.register.entry_of(user) != leaver
        ]
        if len(holders) == 1:
            return Owner(holders[0], holders[0].name or holders[0].email)
        if self._departure.is_restricted:
            # A queue would show the departure to the whole team: whoever starts it does their own role's
            # steps, and for the others somebody inside names the owner.
            starter = next((user for user in holders if user.pk == self._starter_id), None)
            return Owner(starter, str(starter) if starter else "", is_vacant=not holders)
        return Owner(None, f"{ROLE_LABELS[role]} team", queue=role.value, is_vacant=not holders)


def _is_here(person: Person, user: User | None) -> bool:
    """Whether they are still with us: not marked as left, and their sign-in has not been ended."""
    return person.left_on_date is None and (user is None or user.is_active)
