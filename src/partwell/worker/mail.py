"""The mail that goes out on a schedule: what waits in the outbox, and the reminders that belong into it."""

from __future__ import annotations

from partwell import clock
from partwell.closure.statements import closing_statement, head_to_keep
from partwell.departures.models import Departure
from partwell.journeys import correspondence, reminders, upkeep_reminders
from partwell.signals.sending import send_pending

SEND_EVERY_SECONDS = 5
TELL_EVERY_SECONDS = 30
REMIND_EVERY_SECONDS = 300


def send() -> None:
    """Hand what is due over to the mail server."""
    send_pending(now=clock.now(), limit=200)


def tell() -> None:
    """Queue what must not wait: access that needs somebody, invitations, closing statements."""
    now = clock.now()
    correspondence.tell_of_access(now=now)
    correspondence.invite_to_sign_in(now=now)
    correspondence.send_closing_statements(statement_of=_statement, now=now)


def remind() -> None:
    """Queue the reminders of steps that are due or late, and of templates that their owners should read."""
    now = clock.now()
    reminders.remind(now=now)
    upkeep_reminders.remind_owners(now=now)


def _statement(departure: Departure) -> str | None:
    """The lines that both parties keep, once the whole record is signed."""
    return closing_statement(departure) if head_to_keep(departure) else None
