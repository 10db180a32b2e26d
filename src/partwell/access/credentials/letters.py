"""Mail about shared credentials. None says a value, who leaves, or why."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from zoneinfo import ZoneInfo

from django.conf import settings
from django.urls import reverse

from partwell.access.credentials.states import RotationState
from partwell.access.models import Credential, CredentialRotation, Holder
from partwell.evidence.operations import departure_scope
from partwell.people.models import Person
from partwell.people.queries import installation
from partwell.signals.outbox import Mail, drop_mails, queue_mails

TO_CHANGE, CHANGED = "credential_to_change", "credential_changed"


def tell_owners(rotations: Iterable[CredentialRotation], *, now: datetime) -> None:
    """Word to each owner that a secret of theirs has to be changed; once, however often this is called."""
    queue_mails([_to_change(each, each.owner) for each in rotations if each.owner is not None], now=now)


def _to_change(rotation: CredentialRotation, owner: Person) -> Mail:
    due = rotation.due_at.astimezone(ZoneInfo(rotation.departure.timezone))
    what = (
        "Ask the client to change it, and note what they answered."
        if rotation.credential.direction == "theirs"
        else "Change it then, and say so on its page. Tell the new one only to who still needs it."
    )
    text = (
        f"The shared secret “{rotation.credential.name}” has to be changed on {due:%d %b %Y} at {due:%H:%M} "
        f"({rotation.departure.timezone}): somebody who knows it will not need it any more. {what}"
    )
    return Mail(
        kind=TO_CHANGE,
        to=owner.email,
        subject=f"To be changed: {rotation.credential.name}",
        text=_letter(text, rotation.credential),
        dedupe_key=f"{TO_CHANGE}:{rotation.pk}",
        scope=departure_scope(rotation.departure_id),
    )


def drop_waiting(rotation: CredentialRotation, *, now: datetime) -> None:
    """Take the mail to the owner back, if it still waits."""
    keys = [f"{TO_CHANGE}:{rotation.pk}"]
    drop_mails(scope=departure_scope(rotation.departure_id), keys=keys, now=now)


def tell_holders(rotation: CredentialRotation, holders: Iterable[Holder], *, now: datetime) -> int:
    """Word to those who go on knowing the secret that it was changed; returns how many were written to.

    Contacts of a client get none: what goes outside, a person says.
    """
    credential = rotation.credential
    sure = (
        "The old one was tried and is refused."
        if rotation.state == RotationState.VERIFIED
        else "That was said by a person or by the system; nobody has tried the old one since."
    )
    ask = (
        f"Ask {credential.owner_name} for the new one" if credential.owner_name else "Ask IT/Security for it"
    )
    text = (
        f"The shared secret “{credential.name}” was changed. {sure} {ask} if you still need it. The new one "
        "is never sent by mail."
    )
    mails = [
        Mail(
            kind=CHANGED,
            to=holder.person.email,
            subject=f"Changed: {credential.name}",
            text=_letter(text, credential),
            dedupe_key=f"{CHANGED}:{rotation.pk}:{holder.pk}:{now.isoformat()}",
            scope=f"credential:{credential.pk}",
        )
        for holder in holders
        if holder.person is not None
    ]
    queue_mails(mails, now=now)
    return len(mails)


def _letter(text: str, credential: Credential) -> str:
    here = installation()
    page = f"{settings.BASE_URL}{reverse('web:credential', args=[credential.pk])}"
    return f"Hello,\n\n{text}\n\n{page}\n\n{here.company_name if here else 'Partwell'}\n"
