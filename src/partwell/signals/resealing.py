"""After the operator has changed the secret key: sealing everything anew, so that the old key may go.

It stands here because this is the highest of the rooms that keep something sealed.
"""

from __future__ import annotations

from datetime import datetime

from partwell.evidence import keys
from partwell.evidence.operations import record
from partwell.people import second_factors
from partwell.people.actors import Actor
from partwell.people.authorisation import check_office, operation
from partwell.sealing import Renewal, renew_column
from partwell.signals.models import Message, SecurityEvent, SigningKey
from partwell.signals.sealing import SEAL


@operation("installation.renew_seals")
def renew_seals(*, actor: Actor, now: datetime) -> list[Renewal]:
    """Seal under the present secret key all that lies sealed under one from before, by kind of thing.

    People may go on working meanwhile. What opens under none of the keys is counted and left as it is.
    """
    check_office(actor, "installation.renew_seals")
    renewals = [
        renew_column(Message.objects.all(), "sealed_text", SEAL, what="mails that wait"),
        renew_column(SecurityEvent.objects.all(), "sealed_claims", SEAL, what="signals that wait"),
        renew_column(SigningKey.objects.all(), "sealed_private", SEAL, what="signing keys of signals"),
        second_factors.renew_seals(),
        keys.renew_seal(),
    ]
    record(
        "installation.seals_renewed",
        scope="installation",
        actor=actor.label,
        at=now,
        fields={
            "renewed": {each.what: each.renewed for each in renewals},
            "unreadable": {each.what: each.unreadable for each in renewals if each.unreadable},
        },
    )
    return renewals
