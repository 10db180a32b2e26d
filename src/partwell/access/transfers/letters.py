"""Mail to successors, and the words that an automatic reply has unless somebody writes others. None says why
somebody leaves."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.urls import reverse

from partwell.access.credentials.rotations import may_be_known
from partwell.access.models import Transfer
from partwell.evidence.operations import departure_scope
from partwell.people.invitations import invitation_token, needs_invitation
from partwell.people.models import User
from partwell.people.queries import installation
from partwell.signals.outbox import Mail, drop_mails, queue_mails

HANDED_OVER = "handed_over"


def usual_reply(leaver: str, successor: str, address: str) -> str:
    """What an automatic reply says to whoever writes."""
    return (
        f"Thank you for your message. {leaver} does not read it any more. "
        f"Please write to {successor}, {address}, who will be glad to help."
    )


def tell_successor(transfer: Transfer, *, now: datetime) -> None:
    """Word to the successor that something is there for them, once for each giving, and not before they may
    know of it."""
    person = transfer.successor
    if person is None or transfer.given_at is None or not may_be_known(transfer.departure, now):
        return
    lines = [
        f"“{transfer}” of {transfer.departure.subject_name} is with you now."
        + (f" It stays with you until {transfer.last_day:%d %b %Y}." if transfer.last_day else ""),
        "Please look whether all of it is there, and say so on its page. If something is missing, say what: "
        "until you have said that you have it, nothing that it hangs on is deleted.",
    ]
    page = f"{settings.BASE_URL}{reverse('web:transfer', args=[transfer.pk])}"
    user = User.objects.filter(person=person).first()
    if user is not None and needs_invitation(user):
        token = reverse("web:invitation", args=[invitation_token(user, now=now)])
        lines.append(f"You have no password here yet. Set one first: {settings.BASE_URL}{token}")
    here = installation()
    text = "\n\n".join(["Hello,", *lines, page, here.company_name if here else "Partwell"])
    mail = Mail(
        kind=HANDED_OVER,
        to=transfer.successor_email,
        subject=f"For you: {transfer}",
        text=f"{text}\n",
        dedupe_key=f"{HANDED_OVER}:{transfer.pk}:{transfer.given_at.isoformat()}",
        scope=departure_scope(transfer.departure_id),
    )
    queue_mails([mail], now=now)


def drop_waiting(transfer: Transfer, *, now: datetime) -> None:
    """Take the mail to the successor back, if it still waits."""
    if transfer.given_at is not None:
        key = f"{HANDED_OVER}:{transfer.pk}:{transfer.given_at.isoformat()}"
        drop_mails(scope=departure_scope(transfer.departure_id), keys=[key], now=now)
