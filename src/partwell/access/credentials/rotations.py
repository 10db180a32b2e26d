"""Opening a rotation for every secret that somebody who leaves knows, and what follows when it is settled.

What is here runs in the transaction of whoever calls it: a journey that starts, a holder who is added, access
that ends. What people do about a rotation is in `settling`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from django.db.models import Q, QuerySet

from partwell import clock
from partwell.access.credentials import letters
from partwell.access.credentials.states import SETTLED, UNSETTLED, RotationState
from partwell.access.models import Credential, CredentialRotation, Holder
from partwell.departures.models import Departure
from partwell.departures.states import DepartureState
from partwell.evidence.operations import build, departure_scope, record_many
from partwell.people.actors import Actor


def open_rotations(departure: Departure, *, actor: Actor, now: datetime) -> list[CredentialRotation]:
    """Open what is not open yet for this departure, and tell the owners who may know of it by now.

    One for each secret that the leaver, or anybody at the client, knows; for a client also for what we know
    of theirs. To be called when a departure begins and when its access ends.
    """
    if not departure.is_open:
        return []
    there = set(departure.credential_rotations.values_list("credential_id", flat=True))
    found = Credential.objects.filter(_of(departure), retired_at__isnull=True).exclude(pk__in=there)
    made = _open(departure, list(found.select_related("owner").distinct()), actor, now)
    tell_of(departure, now=now)
    return made


def _of(departure: Departure) -> Q:
    held = Q(holders__until_date__isnull=True)
    if departure.client_id is not None:
        at_client = Q(client_id=departure.client_id)
        return at_client | (held & Q(holders__contact__client_id=departure.client_id))
    return held & Q(holders__person_id=departure.person_id or 0)


def open_for_holders(holders: Iterable[Holder], *, actor: Actor, now: datetime) -> None:
    """Open rotations for those of these new holders who are leaving already."""
    holders = list(holders)
    people = {holder.person_id for holder in holders if holder.person_id}
    clients = {holder.contact.client_id for holder in holders if holder.contact}
    leaving = Departure.objects.filter(
        Q(person_id__in=people) | Q(client_id__in=clients), state=DepartureState.ACTIVE
    )
    for departure in leaving:
        open_rotations(departure, actor=actor, now=now)


def open_for_client(credential: Credential, *, actor: Actor, now: datetime) -> None:
    """Open the rotation of a client login whose client is leaving already."""
    if credential.client_id is not None:
        for departure in Departure.objects.filter(
            client_id=credential.client_id, state=DepartureState.ACTIVE
        ):
            open_rotations(departure, actor=actor, now=now)


def _open(
    departure: Departure, credentials: Sequence[Credential], actor: Actor, now: datetime
) -> list[CredentialRotation]:
    rows = []
    for credential in credentials:
        owner = credential.owner
        # Nobody changes a secret that they must not know any more.
        if owner is not None and (owner.pk == departure.person_id or owner.left_on_date is not None):
            owner = None
        rows.append(
            CredentialRotation(
                credential=credential,
                departure=departure,
                owner=owner,
                owner_name=owner.name if owner else "",
                opened_at=now,
            )
        )
    CredentialRotation.objects.bulk_create(rows)
    record_many(
        build(
            "credential.rotation_opened",
            scope=departure_scope(departure.pk),
            actor=actor.label,
            at=now,
            fields={"credential": row.credential.name, "owner": row.owner_name},
        )
        for row in rows
    )
    return rows


def may_be_known(departure: Departure, now: datetime) -> bool:
    """Whether owners of secrets may know that somebody leaves: of a need-to-know departure not before
    access has ended."""
    return not departure.is_restricted or now >= departure.access_end_at


def tell_of(departure: Departure, *, now: datetime) -> None:
    """Tell the owners of what is open, and end that the leaver knows what was changed before, once either
    may be known."""
    if not may_be_known(departure, now):
        return
    rotations = departure.credential_rotations.select_related("owner", "credential", "departure")
    letters.tell_owners(rotations.filter(state__in=UNSETTLED), now=now)
    for rotation in rotations.filter(state__in=(RotationState.VERIFIED, RotationState.ATTESTED)):
        end_knowing(rotation, now=now)


def open_first(departures: Sequence[Departure], *, actor: Actor, now: datetime) -> None:
    """`open_rotations` for departures that begin together and have none yet.

    Three queries at most for those who know nothing that is on record, whatever their number.
    """
    _open_of(departures, _who_know(departures), actor, now)


def open_all(departures: Sequence[Departure], *, actor: Actor, now: datetime) -> None:
    """`open_rotations` for departures whose access ends together, with one query more than `open_first`."""
    rotations = CredentialRotation.objects.order_by().filter(departure__in=departures)
    begun = set(rotations.values_list("departure_id", flat=True))
    _open_of(departures, _who_know(departures) | begun, actor, now)


def _open_of(departures: Sequence[Departure], chosen: set[UUID], actor: Actor, now: datetime) -> None:
    for departure in departures:
        if departure.pk in chosen:
            open_rotations(departure, actor=actor, now=now)


def _who_know(departures: Sequence[Departure]) -> set[UUID]:
    """Those of people who know a secret that is on record, and of clients who do or have a login there."""
    people = [departure.person_id for departure in departures if departure.person_id]
    clients = [departure.client_id for departure in departures if departure.client_id]
    holders = Holder.objects.order_by().filter(until_date__isnull=True)
    holding: set[int | None] = set()
    at_clients: set[int | None] = set()
    if people:
        holding |= set(holders.filter(person_id__in=people).values_list("person_id", flat=True))
    if clients:
        contacts = holders.filter(contact__client_id__in=clients)
        logins = Credential.objects.order_by().filter(client_id__in=clients)
        at_clients |= set(contacts.values_list("contact__client_id", flat=True))
        at_clients |= set(logins.values_list("client_id", flat=True))
    return {
        departure.pk
        for departure in departures
        if departure.person_id in holding or departure.client_id in at_clients
    }


def withdraw_rotations(departure: Departure, *, actor: Actor, now: datetime) -> None:
    """They stay, so nothing has to be changed for them any more."""
    rotations = list(departure.credential_rotations.filter(state__in=UNSETTLED).select_related("credential"))
    for rotation in rotations:
        rotation.state, rotation.settled_at, rotation.settled_by = RotationState.WITHDRAWN, now, actor.label
        rotation.save(update_fields=["state", "settled_at", "settled_by"])
        letters.drop_waiting(rotation, now=now)


def end_knowing(rotation: CredentialRotation, *, now: datetime) -> None:
    """The leaving side does not know the secret as it is now."""
    leavers_of(rotation).update(until_date=clock.today_in("UTC", now=now))


def leavers_of(rotation: CredentialRotation) -> QuerySet[Holder]:
    """The open entries of the leaving side."""
    departure = rotation.departure
    theirs = (
        Q(contact__client_id=departure.client_id)
        if departure.client_id is not None
        else Q(person_id=departure.person_id or 0)
    )
    return rotation.credential.holders.filter(theirs, until_date__isnull=True)


def remaining(rotation: CredentialRotation, *, now: datetime) -> list[Holder]:
    """Those colleagues who go on knowing it: neither on the leaving side nor gone themselves by now."""
    gone = Departure.objects.filter(state=DepartureState.ACTIVE, access_end_at__lte=now, person__isnull=False)
    found = rotation.credential.holders.filter(
        until_date__isnull=True, person__isnull=False, person__left_on_date__isnull=True
    )
    found = found.exclude(pk__in=leavers_of(rotation).values("pk"))
    return list(found.exclude(person_id__in=gone.values("person_id")).select_related("person"))


def unsettled(departure: Departure) -> list[CredentialRotation]:
    """What has still to be changed for this departure."""
    return list(
        departure.credential_rotations.exclude(state__in=SETTLED).select_related("credential", "departure")
    )
