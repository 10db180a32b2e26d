"""The kill switch for people and clients. Who does not leave yet gets a short journey of its own for it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from partwell import clock
from partwell.access.models import Cut
from partwell.access.operations.cuts import Stages, order_cut
from partwell.departures.models import Departure, Participant
from partwell.departures.policies import capacities
from partwell.departures.states import DepartureState
from partwell.evidence.operations import departure_scope, record
from partwell.journeys.intake import Intake, draft_departure
from partwell.journeys.operations.starting import known_template, plan_draft, store
from partwell.journeys.template_queries import load_version
from partwell.people.actors import Actor
from partwell.people.authorisation import check_office, operation
from partwell.people.models import Client, Person
from partwell.people.operations import tie_account
from partwell.people.queries import find_client, find_person, usual_place
from partwell.people.roles import ROLE_LABELS, Role
from partwell.refusals import Conflict, Invalid, NotAllowed

STAFF, CLIENT = "staff-urgent-cut", "client-urgent-cut"
# Journeys that begin with the switch, and that nobody chooses.
URGENT = frozenset({STAFF, CLIENT})
REASON = "security-incident"


@operation("access.shut_out")
def shut_out(
    *,
    people: Sequence[Person] = (),
    clients: Sequence[Client] = (),
    reason: str,
    actor: Actor,
    now: datetime,
    fire_at: datetime | None = None,
    stages: Stages | None = None,
) -> Cut:
    """Shut these people, and all contacts of these clients, out of everything: now, or at `fire_at`.

    Who leaves already is cut within that departure, also where the actor took no part in it until now: from
    then on they do, and it is on record. For the others a short journey starts, which asks what follows.

    Raises `Invalid` without a reason or for nobody, `NotAllowed` for oneself, else as `order_cut`.
    """
    check_office(actor, "access.shut_out")
    if not people and not clients:
        raise Invalid("nobody", "Say whom to shut out.", field="who")
    if actor.person_id is not None and actor.person_id in {person.pk for person in people}:
        raise NotAllowed("oneself", "You cannot shut yourself out. Ask somebody in IT/security or HR.")
    departures = [_departure_of(actor, now, fire_at, person=person) for person in people]
    departures += [_departure_of(actor, now, fire_at, client=client) for client in clients]
    names = ", ".join(departure.subject_name for departure in departures[:3])
    more = f" and {len(departures) - 3} more" if len(departures) > 3 else ""
    return order_cut(
        departures=departures,
        title=f"{names}{more}",
        reason=reason,
        actor=actor,
        now=now,
        fire_at=fire_at,
        stages=stages,
    )


def find_subjects(*, people: Sequence[str], clients: Sequence[str]) -> tuple[list[Person], list[Client]]:
    """Those who are meant by these addresses, numbers, references or names, each once.

    Raises `Invalid` for one that nobody has, `Conflict` for one that several have.
    """
    persons = {person.pk: person for person in map(find_person, people)}
    firms = {client.pk: client for client in map(find_client, clients)}
    return list(persons.values()), list(firms.values())


def _departure_of(
    actor: Actor,
    now: datetime,
    fire_at: datetime | None,
    *,
    person: Person | None = None,
    client: Client | None = None,
) -> Departure:
    """The departure under way, or a short journey begun for this."""
    if person is not None:
        if person.left_on_date is not None and person.left_on_date < clock.today_in("UTC", now=now):
            raise Conflict(
                "already_left",
                f"{person.name} left on {person.left_on_date}. What came back is cut where it was found.",
                field="who",
            )
        running = Departure.objects.filter(person=person, state=DepartureState.ACTIVE).first()
    else:
        running = Departure.objects.filter(client=client, state=DepartureState.ACTIVE).first()
    if running is not None:
        _take_part(running, actor, now)
        return running
    if person is not None:
        tie_account(person)
    version = known_template(STAFF if person is not None else CLIENT)
    template = load_version(version)
    moment = fire_at or now
    timezone = (person.timezone if person else "") or usual_place().timezone
    today = clock.today_in(timezone, now=moment)
    intake = Intake(
        last_working_date=today,
        notice_date=clock.today_in(timezone, now=now),
        person=person,
        client=client,
        reason=REASON,
        access_end_at=moment,
    )
    draft = plan_draft(
        version,
        template,
        draft_departure(intake, template, now=now),
        actor=actor,
        now=now,
        may_create=True,
    )
    return store(draft, actor=actor, now=now).departure


def _take_part(departure: Departure, actor: Actor, now: datetime) -> None:
    """Let the one who pressed the switch see what they have set off."""
    if actor.user_id is None or capacities(actor, departure):
        return
    role = Role.HR if actor.has_role(Role.HR) else Role.IT_SECURITY
    Participant.objects.create(departure=departure, user_id=actor.user_id, capacity=role.value, added_at=now)
    record(
        "participant.added",
        scope=departure_scope(departure.pk),
        actor=actor.label,
        at=now,
        fields={"user": actor.label, "part": ROLE_LABELS[role]},
    )
