"""Django's mail backend: what Django or allauth mails joins the outbox like everything else."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend

from partwell import clock
from partwell.signals.outbox import Mail, queue_mails


class OutboxBackend(BaseEmailBackend):
    """Queues each mail once for each of its recipients; attachments and HTML parts are not ours to send."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Put the mails into the outbox; return how many there were."""
        queue_mails(
            (
                Mail(
                    kind="account",
                    to=address,
                    subject=str(message.subject),
                    text=str(message.body),
                    dedupe_key=f"account:{uuid.uuid4()}",
                    scope="installation",
                )
                for message in email_messages
                for address in message.recipients()
            ),
            now=clock.now(),
        )
        return len(email_messages)
