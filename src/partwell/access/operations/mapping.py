"""Taking the access map of a person, or of all contacts of a client."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from partwell.access.connections import identities_of_contacts, identities_of_person, run_together, target_of
from partwell.access.discovery import Found, Known
from partwell.access.ghosts.said import said_to_be_of
from partwell.access.maps import look
from partwell.access.models import AccessMap, AccountRecord, System
from partwell.access.states import Link
from partwell.evidence.operations import record
from partwell.people.actors import Actor
from partwell.people.authorisation import check_office, operation
from partwell.people.models import Client, Person


def take_map(
    *, person: Person | None = None, client: Client | None = None, actor: Actor, now: datetime
) -> AccessMap:
    """Ask every connected system, side by side, what this person has, or what this client's contacts have.

    No transaction is open while systems are asked. Raises `NotAllowed` before any is.
    """
    check_office(actor, "access.take_map")
    systems = list(System.objects.filter(is_enabled=True))
    if person is not None:
        identities = identities_of_person(person)
    elif client is not None:
        identities = identities_of_contacts(client)
    else:
        raise ValueError("a map is of a person or of a client")
    known = _known(person, client)
    answers = run_together(
        [look(target_of(system), identities, known.get(system.pk, Known())) for system in systems]
    )
    shown = [
        answer.as_dict(title=system.title, sla_class=system.sla_class, now=now)
        for system, answer in zip(systems, answers, strict=True)
    ]
    silent = [answer.target.name for answer in answers if answer.found is Found.UNREACHABLE]
    return _keep_map(person=person, client=client, shown=shown, silent=silent, actor=actor, now=now)


@operation("access.take_map")
def _keep_map(
    *,
    person: Person | None,
    client: Client | None,
    shown: list[dict[str, object]],
    silent: list[str],
    actor: Actor,
    now: datetime,
) -> AccessMap:
    check_office(actor, "access.take_map")
    with transaction.atomic():
        kept, _ = AccessMap.objects.update_or_create(
            person=person,
            client=client,
            defaults={"systems": shown, "taken_at": now, "taken_by": actor.label},
        )
        record(
            "access.map_taken",
            scope="installation",
            actor=actor.label,
            at=now,
            fields={"who": str(person or client), "systems": len(shown), "unreachable": silent},
        )
    return kept


def _known(person: Person | None, client: Client | None) -> dict[int, Known]:
    """What people said before of accounts in each system, in any departure of theirs or beside them."""
    said = AccountRecord.objects.filter(link__in=(Link.OURS, Link.NOT_OURS)).exclude(external_id="")
    said = said.filter(departure__person=person) if person else said.filter(departure__client=client)
    rows = list(said.values_list("system_id", "external_id", "link"))
    if person:
        rows += [(*each, Link.OURS) for each in said_to_be_of(person)]
    found: dict[int, dict[str, set[str]]] = {}
    for system_id, external_id, link in rows:
        found.setdefault(system_id, {Link.OURS: set(), Link.NOT_OURS: set()})[link].add(external_id)
    return {
        system_id: Known(frozenset(sets[Link.OURS]), frozenset(sets[Link.NOT_OURS]))
        for system_id, sets in found.items()
    }
