"""What the plans of a round ask of whom, for its preview and for whoever approves it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import asdict
from datetime import date
from typing import Any

from partwell import clock
from partwell.departures.policies import visibility, visible_departures
from partwell.departures.states import Confidentiality, DepartureState
from partwell.journeys.models import Step
from partwell.journeys.operations.starting import Draft
from partwell.journeys.owners import Register
from partwell.journeys.rounds import loads
from partwell.journeys.states import PENDING
from partwell.people.actors import Actor
from partwell.people.models import Person
from partwell.people.roles import ROLE_LABELS, Role


def overview_of(drafts: Sequence[Draft], register: Register, actor: Actor) -> dict[str, Any]:
    """Owners' loads, queues, roles without anybody, dates that clash and managers to be followed, as JSON.

    What owners have open already, and whether they leave themselves, is told of departures that are no
    secret: whoever approves reads it too. Few queries, whatever the size.
    """
    names, entries = _owners(drafts, register)
    steps = [_planned(draft, step) for draft in drafts for step in draft.steps if step.state in PENDING]
    already = _already_open(names, actor)
    leaving = {d.departure.person_id: d.departure.last_working_date for d in drafts}
    dates = [
        (each.subject_name, what, day, each.jurisdiction[:2])
        for each in (draft.departure for draft in drafts)
        for what, day in (("notice", each.notice_date), ("last working day", each.last_working_date))
    ]
    clashes = [
        *loads.days_off(dates, clock.is_working_day),
        *loads.owners_who_leave(steps, _last_days(leaving, entries, actor)),
        *loads.days_too_full(steps, already),
    ]
    return {
        "totals": asdict(loads.totals_of(steps)),
        "loads": [
            {
                **_portable(asdict(load)),
                "owner": names[load.owner],
                "is_in_round": entries[load.owner] in leaving,
            }
            for load in loads.loads_of(steps, already)
        ],
        "queues": _by_role(loads.queues_of(steps)),
        "nobody": _by_role(loads.roles_without_owner(steps)),
        "clashes": [
            {**_portable(asdict(clash)), "about": names.get(clash.about, clash.about)} for clash in clashes
        ],
        "managers": _managers(drafts),
    }


def _by_role(counts: dict[str, int]) -> list[dict[str, Any]]:
    return [{"role": role, "title": ROLE_LABELS[Role(role)], "steps": n} for role, n in counts.items()]


def _planned(draft: Draft, step: Step) -> loads.Planned:
    departure = draft.departure
    return loads.Planned(
        who=departure.subject_email,
        role=step.role,
        day=clock.today_in(departure.timezone, now=step.due_at),
        owner=_owner_key(step),
        queue=step.queue,
        is_leavers=step.role == Role.DEPARTING,
    )


def _owner_key(step: Step) -> str:
    """An owner without an account yet is known by name: the account is made when the journey starts."""
    if step.role == Role.DEPARTING or step.queue:
        return ""
    if step.owner_id:
        return f"user {step.owner_id}"
    return f"name {step.owner_name}" if step.owner_name else ""


def _owners(drafts: Sequence[Draft], register: Register) -> tuple[dict[str, str], dict[str, int | None]]:
    """Each owner's name, and their entry in the register where they have an account."""
    names: dict[str, str] = {}
    entries: dict[str, int | None] = {}
    for draft in drafts:
        for owner in draft.owners.resolved().values():
            if owner.user is not None:
                key = f"user {owner.user.pk}"
                names[key], entries[key] = owner.name, register.entry_of(owner.user)
            elif owner.name:
                names[f"name {owner.name}"], entries[f"name {owner.name}"] = owner.name, None
    return names, entries


def _already_open(owners: Collection[str], actor: Actor) -> dict[str, list[date]]:
    """The due days of what these owners have open."""
    users = [int(key.removeprefix("user ")) for key in owners if key.startswith("user ")]
    pending = Step.objects.filter(
        visibility(actor, prefix="journey__departure__"),
        owner_id__in=users,
        state__in=PENDING,
        journey__departure__state=DepartureState.ACTIVE,
        journey__departure__confidentiality=Confidentiality.NORMAL,
    )
    found: dict[str, list[date]] = {}
    for owner, due_at, zone in pending.values_list("owner_id", "due_at", "journey__departure__timezone"):
        found.setdefault(f"user {owner}", []).append(clock.today_in(zone, now=due_at))
    return found


def _last_days(
    leaving: dict[int | None, date], entries: dict[str, int | None], actor: Actor
) -> dict[str, date]:
    """The last working days of owners who leave themselves: with this round, or before it."""
    owners = {pk for pk in entries.values() if pk is not None}
    before = visible_departures(actor).filter(
        state=DepartureState.ACTIVE, confidentiality=Confidentiality.NORMAL, person__in=owners
    )
    known = dict(before.values_list("person_id", "last_working_date")) | leaving
    return {key: known[pk] for key, pk in entries.items() if pk is not None and pk in known}


def _managers(drafts: Sequence[Draft]) -> list[dict[str, Any]]:
    """Those of the round who manage people who stay, with how many: somebody has to follow them."""
    names = {d.departure.person_id: d.departure.subject_name for d in drafts if d.departure.person_id}
    stay = Person.objects.filter(manager_id__in=names, left_on_date__isnull=True).exclude(pk__in=names)
    counts = Counter(stay.values_list("manager_id", flat=True))
    return [{"name": names[pk], "people": count} for pk, count in counts.items()]


def _portable(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, date) else value for name, value in values.items()}
