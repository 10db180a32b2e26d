"""Mail about rounds: to whom an approval is asked of, and one to each owner about all that a start brings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Count

from partwell.departures.states import Confidentiality
from partwell.journeys.addresses import my_steps_page, round_page
from partwell.journeys.messages import ASSIGNED, SHOWN, letter
from partwell.journeys.models import Round, RoundMember, Step
from partwell.journeys.owners import Register
from partwell.journeys.rounds.queries import round_scope
from partwell.journeys.states import PENDING
from partwell.people.models import User
from partwell.people.roles import ROLE_LABELS, Role
from partwell.signals.outbox import Mail, queue_mails

TO_APPROVE = "round_to_approve"


@dataclass
class _New:
    """What a start brings one person: how many steps in whose departures, and which queues got some."""

    steps: int = 0
    people: Counter[str] = field(default_factory=Counter)
    queues: set[str] = field(default_factory=set)


def ask_to_approve(found: Round, approvers: Sequence[User], *, now: datetime) -> None:
    """Tell those whom the preparer chose that a round waits for one of them."""
    subject, text = "A page waits for you", "A page waits for you in Partwell."
    if found.confidentiality == Confidentiality.NORMAL:
        subject = f"{found.name}: waits for an approval"
        text = f"{found.prepared_by} has prepared “{found.name}”. You may approve it."
    queue_mails(
        (
            Mail(
                kind=TO_APPROVE,
                to=user.email,
                subject=subject,
                text=letter(f"{text}\n\n{round_page(found.pk)}", user, now),
                dedupe_key=f"{TO_APPROVE}:{found.pk}:{user.pk}",
                scope=round_scope(found.pk),
            )
            for user in approvers
        ),
        now=now,
    )


def tell_owners(found: Round, members: Sequence[RoundMember], *, now: datetime) -> None:
    """Tell everybody who got steps in the journeys of these members, once each, whatever their number; not
    whoever prepared the round, who knows. What a need-to-know round is about is not said."""
    new: dict[User, _New] = {}
    for user, row in _rows(members):
        if user.is_active and user.pk != found.prepared_by_id:
            mine = new.setdefault(user, _New())
            mine.steps += row["steps"]
            mine.people[row["journey__departure__subject_name"]] += row["steps"]
            mine.queues |= {row["queue"]} - {""}
    first = members[0].starts_at or now
    queue_mails((_mail(found, user, mine, first, now) for user, mine in new.items()), now=now)


def _rows(members: Sequence[RoundMember]) -> Iterator[tuple[User, dict[str, Any]]]:
    """Who has steps to do in which departure, and how many; never the one who leaves."""
    departure = "journey__departure__"
    rows = (
        Step.objects.filter(journey_id__in=[member.departure_id for member in members], state__in=PENDING)
        .values(
            "owner_id",
            "queue",
            f"{departure}person_id",
            f"{departure}subject_name",
            f"{departure}subject_department",
        )
        .annotate(steps=Count("pk"))
        .order_by(f"{departure}subject_name")
    )
    register = Register()
    owners = User.objects.in_bulk({row["owner_id"] for row in rows if row["owner_id"] is not None})
    for row in rows:
        if row["owner_id"] is not None:
            doers = [owners[row["owner_id"]]]
        else:
            holders = register.holders(row[f"{departure}subject_department"])
            doers = holders.get(Role(row["queue"]), []) if row["queue"] else []
        for user in doers:
            if register.entry_of(user) != row[f"{departure}person_id"]:
                yield user, row


def _mail(found: Round, user: User, new: _New, first: datetime, now: datetime) -> Mail:
    subject, text = "Steps wait for you", "Steps wait for you in Partwell."
    if found.confidentiality == Confidentiality.NORMAL:
        steps = f"{new.steps} step{'' if new.steps == 1 else 's'}"
        people = f"{len(new.people)} {'person leaves' if len(new.people) == 1 else 'people leave'}"
        lines = [f"- {name}" for name in list(new.people)[:SHOWN]]
        if len(new.people) > SHOWN:
            lines.append(f"- and {len(new.people) - SHOWN} more")
        subject, claimed = f"{steps} for you: {people}", ""
        if new.queues:
            teams = " and ".join(sorted(ROLE_LABELS[Role(queue)] for queue in new.queues))
            claimed = f" Some are to be claimed for {teams}."
        text = f"{subject}.{claimed}\n\n" + "\n".join(lines)
    return Mail(
        kind=ASSIGNED,
        to=user.email,
        subject=subject,
        text=letter(f"{text}\n\n{my_steps_page()}", user, now),
        dedupe_key=f"{ASSIGNED}:round:{found.pk}:{first.isoformat()}:{user.pk}",
        scope=round_scope(found.pk),
    )
