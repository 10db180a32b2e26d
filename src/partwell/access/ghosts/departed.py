"""Filling the index: who has left, who is here, and what departures know of. Nine queries, streamed.

Left is whoever's access has ended, unless they came back: the register says so by a date of leaving that is
gone again. Who has a departure under way whose access has not ended yet is here.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from partwell.access.ghosts.matching import Departed, Fate, Index, KnownAccount
from partwell.access.models import AccountRecord, Change
from partwell.access.states import AccessState, Authority, Link
from partwell.connector_kit.contract import Verb
from partwell.departures.models import Departure
from partwell.departures.states import DepartureState, SubjectKind
from partwell.people.models import Client, Contact, Person, PersonAlias, User

CHUNK = 5000
SHUT = (AccessState.VERIFIED, AccessState.ATTESTED)
# What makes an account inactive, or takes it away. Of other verbs `is_active` says nothing.
CLOSING = (Verb.SUSPEND, Verb.DELETE)


def read_index(*, now: datetime) -> Index:
    """Everybody by what they are known by, as of `now`."""
    index = Index()
    people, clients, departed = _departures(index, now)
    _people(index, people)
    _contacts(index, clients)
    users = User.objects.filter(is_active=True)
    for email, person_id in users.values_list("email", "person_id").iterator(CHUNK):
        if person_id not in people:
            index.add_present(names=(email,))
    _accounts(index, departed, now)
    return index


def _ended(now: datetime) -> QuerySet[Departure]:
    states = (DepartureState.ACTIVE, DepartureState.CLOSED)
    return Departure.objects.filter(state__in=states, access_end_at__lte=now)


def _departures(
    index: Index, now: datetime
) -> tuple[dict[int, Departed], dict[int, Departed], dict[Any, Departed]]:
    """Who has left, by person, by client and by departure; whoever is in no register is added at once."""
    people: dict[int, Departed] = {}
    clients: dict[int, Departed] = {}
    departed: dict[Any, Departed] = {}
    staying = _back_again(now)
    rows = (
        _ended(now)
        .order_by("access_end_at")
        .values_list("pk", "access_end_at", "subject_kind", "subject_email", "person_id", "client_id")
    )
    for pk, access_end_at, kind, email, person_id, client_id in rows.iterator(CHUNK):
        if f"{kind}:{person_id or client_id}" in staying:
            continue
        who = departed[pk] = Departed(pk, access_end_at)
        if email:
            index.add_departed(who, names=(email,))
        if person_id:
            people[person_id] = who
            index.add_leaver(person_id, who)
        if client_id:
            clients[client_id] = who
    return people, clients, departed


def _back_again(now: datetime) -> set[str]:
    """People and clients that left and returned, or that leave a second time and have not yet: `kind:id`."""
    under_way = Departure.objects.filter(state=DepartureState.ACTIVE)
    closed = Departure.objects.filter(state=DepartureState.CLOSED)
    has_closed = {
        "person": closed.filter(person=OuterRef("pk")),
        "client": closed.filter(client=OuterRef("pk")),
    }
    ended = under_way.filter(access_end_at__lte=now)
    people = (
        Person.objects.order_by()
        .filter(Exists(has_closed["person"]), left_on_date=None)
        .exclude(Exists(ended.filter(person=OuterRef("pk"))))
        .values_list("pk", flat=True)
    )
    clients = (
        Client.objects.order_by()
        .filter(Exists(has_closed["client"]), ended_on_date=None)
        .exclude(Exists(ended.filter(client=OuterRef("pk"))))
        .values_list("pk", flat=True)
    )
    back = {f"{SubjectKind.STAFF}:{pk}" for pk in people} | {f"{SubjectKind.CLIENT}:{pk}" for pk in clients}
    again = under_way.filter(access_end_at__gt=now)
    for kind, person_id, client_id in again.values_list("subject_kind", "person_id", "client_id"):
        back.add(f"{kind}:{person_id or client_id}")
    return back


def _people(index: Index, departed: dict[int, Departed]) -> None:
    rows = Person.objects.order_by().values_list("pk", "email", "username", "employee_number")
    for pk, email, username, number in rows.iterator(CHUNK):
        if (who := departed.get(pk)) is not None:
            index.add_departed(who, names=(email, username), employee_number=number)
        else:
            index.add_present(names=(email, username), employee_number=number)
    for pk, email in PersonAlias.objects.order_by().values_list("person_id", "email").iterator(CHUNK):
        if (who := departed.get(pk)) is not None:
            index.add_departed(who, names=(email,))
        else:
            index.add_present(names=(email,))


def _contacts(index: Index, departed: dict[int, Departed]) -> None:
    for pk, email in Contact.objects.order_by().values_list("client_id", "email").iterator(CHUNK):
        if (who := departed.get(pk)) is not None:
            index.add_departed(who, names=(email,))
        else:
            index.add_present(names=(email,))


def _accounts(index: Index, departed: dict[Any, Departed], now: datetime) -> None:
    """The accounts on record, with what became of each."""
    current = Change.objects.filter(account=OuterRef("pk"), is_current=True)
    closing = current.filter(verb__in=CLOSING).exclude(authority=Authority.RESTORE)
    records = (
        AccountRecord.objects.filter(departure__in=_ended(now).order_by().values("pk"))
        .exclude(external_id="")
        .annotate(
            # What was read back and was not so any more had been shut as well.
            was_shut=Exists(closing.filter(Q(state__in=SHUT) | Q(came_back_at__isnull=False))),
            is_worked_on=Exists(current),
        )
        .order_by()
        .values_list(
            "departure_id", "system_id", "external_id", "login", "link", "state", "revoked_at",
            "was_shut", "is_worked_on",
        )
    )  # fmt: skip
    for pk, system_id, external_id, login, link, state, gone_at, was_shut, is_worked_on in records.iterator(
        CHUNK
    ):
        if (who := departed.get(pk)) is None:
            continue
        fate = Fate.OPEN
        if link == Link.NOT_OURS:
            fate = Fate.SET_ASIDE
        elif was_shut or (state == AccessState.VERIFIED and not is_worked_on):
            fate = Fate.CUT
        is_theirs = fate is not Fate.SET_ASIDE and state != AccessState.AMBIGUOUS
        known = KnownAccount(who, fate, gone_at if fate is Fate.CUT else None)
        index.add_known(system_id, external_id, known, login=login if is_theirs else "")
