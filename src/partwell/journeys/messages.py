"""What Partwell writes to people, in plain words.

No mail ever says why somebody leaves. A mail about a need-to-know departure says nothing but that
something waits, and where: it may be read on a locked screen, by an assistant, or in a forwarded mailbox.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from partwell import clock
from partwell.departures.guests import Invitation, ends_at
from partwell.departures.models import Departure
from partwell.departures.policies import is_own_account
from partwell.departures.states import GuestCapacity, SubjectKind
from partwell.evidence.operations import departure_scope
from partwell.journeys.addresses import guest_page, invitation_page, journey_page, upkeep_page
from partwell.journeys.models import Step
from partwell.journeys.states import PENDING
from partwell.people.actors import Actor
from partwell.people.invitations import GOOD_FOR, needs_invitation
from partwell.people.models import User
from partwell.people.queries import installation
from partwell.people.roles import ROLE_LABELS, Role
from partwell.signals.outbox import Mail, drop_mails, queue_mails

SHOWN = 8
"""Steps that a mail lists; the rest are counted, and stand on the page."""

ASSIGNED, DUE, OVERDUE, ESCALATED = "step_assigned", "step_due", "step_overdue", "step_escalated"
INVITATION, GUEST, CLOSING, ACCESS = "invitation", "guest_link", "closing_statement", "access_alert"
LET_IN, UNREAD = "let_in", "template_unread"


def key_of(kind: str, departure: Departure, about: str) -> str:
    """The key under which the outbox knows a mail to somebody on the inside."""
    return f"{kind}:{departure.pk}:{about}"


def tell_all_assigned(
    departure: Departure,
    steps: Iterable[Step],
    *,
    holders: Mapping[Role, Sequence[User]],
    actor: Actor,
    now: datetime,
    occasion: str = "start",
) -> None:
    """One mail to each owner with all of these steps that are theirs, one to each member of a team whose
    queue got some.

    `holders` says who is in which team here, `occasion` what gave the steps: of each nobody is told twice.
    Whoever acts knows already. One insert, whatever the number of steps.
    """
    mine: dict[User, list[Step]] = {}
    queued: dict[str, list[Step]] = {}
    for step in steps:
        if step.state not in PENDING:
            continue
        if step.owner is not None:
            mine.setdefault(step.owner, []).append(step)
        elif step.queue:
            queued.setdefault(step.queue, []).append(step)
    mails = [
        _about_steps(
            ASSIGNED, user, departure, theirs, f"{occasion}:{user.pk}", _count(theirs) + " for you", now
        )
        for user, theirs in mine.items()
        if _may_write(user, departure, actor)
    ]
    queue = "queue" if occasion == "start" else f"queue:{occasion}"
    for role, waiting in queued.items():
        what = f"{_count(waiting)} to claim for {ROLE_LABELS[Role(role)]}"
        mails += [
            _about_steps(ASSIGNED, user, departure, waiting, f"{queue}:{role}:{user.pk}", what, now)
            for user in holders.get(Role(role), [])
            if _may_write(user, departure, actor) and user not in mine
        ]
    queue_mails(mails, now=now)


def tell_assigned(step: Step, *, to: User, actor: Actor, now: datetime) -> None:
    """A mail to somebody who was given a step, unless they took it themselves."""
    departure = step.journey.departure
    if _may_write(to, departure, actor):
        key = f"given:{step.pk}:{to.pk}:{now.isoformat()}"
        queue_mails([_about_steps(ASSIGNED, to, departure, [step], key, "1 step for you", now)], now=now)


def tell_let_in(user: User, departure: Departure, part: str, *, actor: Actor, now: datetime) -> None:
    """A mail to somebody who was let into a departure, unless they did it themselves."""
    if not _may_write(user, departure, actor):
        return
    subject, text = "A page waits for you", "A page waits for you in Partwell."
    if not departure.is_restricted:
        subject = f"{departure.subject_name}: you take part"
        text = f"{_leaves(departure)} You now take part in it as: {part}."
    mail = _mail(LET_IN, user, departure, subject, text, f"{part}:{user.pk}:{now.isoformat()}", now)
    queue_mails([mail], now=now)


def due_soon(user: User, departure: Departure, steps: Sequence[Step], *, key: str, now: datetime) -> Mail:
    """A reminder on the morning of the working day before."""
    return _about_steps(DUE, user, departure, steps, key, f"{_count(steps)} due soon", now)


def overdue(user: User, departure: Departure, steps: Sequence[Step], *, key: str, now: datetime) -> Mail:
    """A reminder that something is late."""
    return _about_steps(OVERDUE, user, departure, steps, key, f"{_count(steps)} late", now)


def escalated(hr: User, departure: Departure, steps: Sequence[Step], *, key: str, now: datetime) -> Mail:
    """Word to HR that others' steps have been late for days, with whose they are."""
    return _about_steps(
        ESCALATED, hr, departure, steps, key, f"{_count(steps)} late for days", now, owners=True
    )


def invitation(user: User, *, now: datetime) -> Mail:
    """The first mail to somebody who can sign in once they have set a password."""
    return Mail(
        kind=INVITATION,
        to=user.email,
        subject=f"{_company()}: your account at Partwell",
        text=letter(
            "You now have an account at Partwell, where departures are planned and finished.", user, now
        ),
        dedupe_key=f"{INVITATION}:{user.pk}",
        scope="installation",
    )


def template_unread(user: User, title: str, template_id: str, *, key: str, now: datetime) -> Mail:
    """Asks a template's owner to read it and to say whether it still holds."""
    body = (
        f"You answer for the template “{title}”. It is time to read it once more: does it still say what you "
        f"do when somebody leaves? Say so there, or change it.\n\n{upkeep_page(template_id)}"
    )
    return Mail(
        kind=UNREAD,
        to=user.email,
        subject=f"Does “{title}” still hold?",
        text=letter(body, user, now),
        dedupe_key=key,
        scope="installation",
    )


def send_guest_link(invitation: Invitation, *, now: datetime) -> None:
    """Mail a guest their link. The mail is the only place where its token is kept, until it is sent."""
    link, departure = invitation.link, invitation.link.departure
    until = ends_at(link).astimezone(ZoneInfo(departure.timezone))
    company = _company()
    if link.capacity == GuestCapacity.HELPER or departure.is_restricted:
        subject, about = f"{company}: a page waits for you", "A step waits for you."
    else:
        subject, about = (
            f"{company}: your page",
            "This page is yours. It shows what happens next and when, what we need from you, what we owe "
            "you, and who to ask.",
        )
    text = (
        f"Hello,\n\n{about}\n\n{guest_page(invitation.token)}\n\n"
        f"The link opens once, until {_day(until.date())}, {until:%H:%M} ({departure.timezone}). The page "
        "you come to lets you ask for a new one. Please do not pass it on: whoever has it comes in as you."
        "\n\n"
        f"{company}\n"
    )
    mail = Mail(GUEST, link.email, subject, text, f"{GUEST}:{link.pk}", departure_scope(departure.pk))
    queue_mails([mail], now=now)


def drop_guest_link(link_id: object, departure: Departure, *, now: datetime) -> None:
    """Take the mail with a link back, if it still waits."""
    drop_mails(scope=departure_scope(departure.pk), keys=[f"{GUEST}:{link_id}"], now=now)


def drop_waiting(departure: Departure, *, now: datetime) -> None:
    """Take back what still waits to be sent about steps: the journey has ended."""
    kinds = [ASSIGNED, DUE, OVERDUE, ESCALATED, ACCESS, LET_IN]
    drop_mails(scope=departure_scope(departure.pk), kinds=kinds, now=now)


def access_alert(user: User, departure: Departure, words: str, *, key: str, now: datetime) -> Mail:
    """Word to IT/Security that access is about to end, or has ended, with something open."""
    if departure.is_restricted:
        return _mail(ACCESS, user, departure, "", "", key, now)
    return _mail(ACCESS, user, departure, f"{departure.subject_name}: access needs you", words, key, now)


def closing_statement(to: str, departure: Departure, statement: str) -> Mail:
    """What both parties keep when a departure is closed: with it, nobody can change the record unseen."""
    company = _company()
    what = "The departure is closed." if departure.is_restricted else _closed(departure)
    return Mail(
        kind=CLOSING,
        to=to,
        subject=f"{company}: closed, with the lines to keep",
        text=f"Hello,\n\n{what}\n\n{statement}\n{company}\n",
        dedupe_key=f"{CLOSING}:{departure.pk}:{to.lower()}",
        scope=departure_scope(departure.pk),
    )


def _about_steps(
    kind: str,
    user: User,
    departure: Departure,
    steps: Sequence[Step],
    key: str,
    what: str,
    now: datetime,
    *,
    owners: bool = False,
) -> Mail:
    if departure.is_restricted:
        return _mail(kind, user, departure, "", "", key, now)
    lines = [
        f"- {step.title}, by {_day(_local(step.due_at, departure))}"
        + (f" ({step.owner_name or 'nobody yet'})" if owners else "")
        for step in sorted(steps, key=lambda step: step.due_at)[:SHOWN]
    ]
    if len(steps) > SHOWN:
        lines.append(f"- and {len(steps) - SHOWN} more")
    text = f"{_leaves(departure)}\n\n" + "\n".join(lines)
    return _mail(kind, user, departure, f"{departure.subject_name}: {what}", text, key, now)


def _mail(
    kind: str, user: User, departure: Departure, subject: str, text: str, key: str, now: datetime
) -> Mail:
    """A mail to somebody on the inside; without words of its own it says only that a step waits."""
    body = f"{text or 'A step waits for you in Partwell.'}\n\n{journey_page(departure)}"
    return Mail(
        kind=kind,
        to=user.email,
        subject=subject or "A step waits for you",
        text=letter(body, user, now),
        dedupe_key=key_of(kind, departure, key),
        scope=departure_scope(departure.pk),
    )


def letter(body: str, user: User, now: datetime) -> str:
    """The whole text of a mail to somebody on the inside, with the way in for who has never signed in."""
    parts = ["Hello,", body]
    if needs_invitation(user):
        # In UTC: whose timezone counts would be a question for each of many letters.
        until = (now + GOOD_FOR).astimezone(UTC)
        parts.append(
            "You have not signed in yet. Set your password first; this link is for you alone and works "
            f"until {_day(until.date())}, {until:%H:%M} UTC:\n\n{invitation_page(user, now=now)}"
        )
    return "\n\n".join([*parts, "Partwell"]) + "\n"


def _may_write(user: User, departure: Departure, actor: Actor) -> bool:
    return user.is_active and user.pk != actor.user_id and not is_own_account(user, departure)


def _leaves(departure: Departure) -> str:
    if departure.subject_kind == SubjectKind.STAFF:
        day = _day(departure.last_working_date)
        return f"{departure.subject_name} leaves; the last working day is {day}."
    return f"The contract with {departure.subject_name} ends on {_day(departure.contract_end_date)}."


def _closed(departure: Departure) -> str:
    if departure.subject_kind == SubjectKind.STAFF:
        return f"The departure of {departure.subject_name} is closed: everything we had to do is done."
    return f"The contract with {departure.subject_name} is closed: everything we had to do is done."


def _company() -> str:
    here = installation()
    return here.company_name if here else "Partwell"


def _count(steps: Sequence[Step]) -> str:
    return f"{len(steps)} step{'' if len(steps) == 1 else 's'}"


def _local(moment: datetime, departure: Departure) -> date:
    return clock.today_in(departure.timezone, now=moment)


def _day(day: date) -> str:
    return f"{day:%a} {day.day} {day:%b %Y}"
