"""Mail that follows from what other rooms did: access that needs somebody, invitations, closing statements.

Like `reminders`, it remembers nothing: the outbox takes each key once.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.db.models import Exists, OuterRef, Q

from partwell.access.models import Alert
from partwell.access.states import AlertKind
from partwell.departures.models import Departure, GuestLink
from partwell.departures.states import DepartureState, GuestCapacity, SubjectKind
from partwell.evidence.operations import departure_scope
from partwell.journeys import messages
from partwell.journeys.reminders import answerable, queue_new
from partwell.people.models import RoleGrant, User
from partwell.people.roles import Role
from partwell.signals.models import Message
from partwell.signals.outbox import Mail, queue_mails

# What can come up when a departure is over.
AFTER_CLOSING = (
    AlertKind.GHOST,
    AlertKind.ACCESS_BACK,
    AlertKind.HANDOVER_MISSING,
    AlertKind.NOT_TAKEN_BACK,
    AlertKind.MAILBOX_DUE,
)
CLOSED_WITHIN = timedelta(days=7)
INVITATIONS_AT_ONCE = 500


def tell_of_access(*, now: datetime) -> None:
    """Queue what the access room raised and nobody has resolved, for IT/Security, once for each raising.

    Of a departure that is over only what came up since, such as an account that came back.
    """
    is_told_of = Q(departure__state=DepartureState.ACTIVE) | Q(
        departure__state=DepartureState.CLOSED, kind__in=AFTER_CLOSING
    )
    alerts = list(
        Alert.objects.filter(is_told_of, resolved_at__isnull=True)
        .select_related("departure")
        .order_by("raised_at", "pk")
    )
    if not alerts:
        return
    holders = answerable(Role.IT_SECURITY, {a.departure_id: a.departure for a in alerts}.values())
    candidates: dict[str, Callable[[], Mail]] = {}
    for alert in alerts:
        for user in holders[alert.departure_id]:
            about = f"{alert.pk}:{alert.raised_at.isoformat()}:{user.pk}"
            candidates[messages.key_of(messages.ACCESS, alert.departure, about)] = partial(
                messages.access_alert, user, alert.departure, alert.text, key=about, now=now
            )
    queue_new(candidates, now=now)


def invite_to_sign_in(*, now: datetime) -> None:
    """Invite whoever was given a role and never set a password. Owners of steps are invited with the step."""
    asked = Message.objects.filter(kind=messages.INVITATION, to__iexact=OuterRef("email"))
    never_set = Q(password__startswith=UNUSABLE_PASSWORD_PREFIX)
    has_role = Exists(RoleGrant.objects.filter(user=OuterRef("pk")))
    users = User.objects.filter(never_set, has_role, ~Exists(asked), is_active=True)
    queue_mails([messages.invitation(user, now=now) for user in users[:INVITATIONS_AT_ONCE]], now=now)


def send_closing_statements(*, statement_of: Callable[[Departure], str | None], now: datetime) -> None:
    """Queue the statement of each departure closed in the last week for both its parties.

    `statement_of` gives the lines to keep, or None while the record is not signed yet: then the next call
    asks again.
    """
    closed = list(Departure.objects.filter(state=DepartureState.CLOSED, ended_at__gte=now - CLOSED_WITHIN))
    scopes = {departure_scope(departure.pk): departure for departure in closed}
    told = set(
        Message.objects.filter(kind=messages.CLOSING, scope__in=scopes).values_list("scope", flat=True)
    )
    for scope, departure in scopes.items():
        if scope not in told and (statement := statement_of(departure)):
            mails = [messages.closing_statement(to, departure, statement) for to in _parties(departure)]
            queue_mails(mails, now=now)


def _parties(departure: Departure) -> list[str]:
    """Whoever answers for it on our side, and the leaving side where it still reads mail.

    A leaver's work mailbox is gone by now, so theirs is the private address to which they were invited.
    """
    role = Role.HR if departure.subject_kind == SubjectKind.STAFF else Role.ACCOUNT_MANAGER
    ours = [user.email for user in answerable(role, [departure])[departure.pk]]
    links = GuestLink.objects.filter(
        departure=departure, capacity=GuestCapacity.DEPARTING, is_work_address=False, revoked_at__isnull=True
    )
    theirs = list(links.order_by("-invited_at").values_list("email", flat=True)[:1])
    if not theirs and departure.subject_kind == SubjectKind.CLIENT and departure.subject_email:
        theirs = [departure.subject_email]
    return list(dict.fromkeys([*ours, *theirs]))
