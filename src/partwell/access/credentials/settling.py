"""What people do about a secret that has to be changed: by a connector, or by hand with proof."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from partwell import clock
from partwell.access.connections import Session, target_of
from partwell.access.credentials import details, letters, rotations
from partwell.access.credentials.rotation_queries import also_of
from partwell.access.credentials.states import RotationBy, RotationState, check_move
from partwell.access.models import Credential, CredentialRotation, System
from partwell.connector_kit.contract import ConnectorError, Identity, Rotation, Verdict
from partwell.departures.policies import authorise
from partwell.engine.operations import poke
from partwell.evidence.operations import departure_scope, record
from partwell.people.actors import Actor
from partwell.people.authorisation import operation
from partwell.refusals import Conflict, Invalid

AFTERWARDS = {
    Verdict.CONFIRMED: RotationState.VERIFIED,
    Verdict.FAILED: RotationState.FAILED,
    Verdict.PENDING: RotationState.ACCEPTED,
    Verdict.UNVERIFIABLE: RotationState.ACCEPTED,
}
# So long another try waits for one whose answer is not on record.
UNDER_WAY = timedelta(minutes=3)


@dataclass(frozen=True)
class Rotated:
    """What came of it. `secret` is the new one by field name, in memory alone and in no `repr`: to be shown
    once to whoever asked, and then gone. It may be there although the rotation failed: then it may be valid.
    """

    rotation: CredentialRotation
    secret: Mapping[str, str] = field(default_factory=dict, repr=False)


def rotate(*, rotation: CredentialRotation, old: str = "", actor: Actor, now: datetime) -> Rotated:
    """Have the system's connector give the account a new secret, and try that the old one is refused.

    The intent is on record before the system is asked. `old`, where the caller knows it, is tried afterwards
    and kept nowhere. Raises `Conflict` where no connector can, or where somebody is at it.
    """
    asked, system = _begin(rotation=rotation, actor=actor, now=now)
    account = asked.credential.external_id
    secret: dict[str, str] = {}
    came: Rotation | ConnectorError

    async def change(connector: Any) -> Rotation:
        found = await connector.discover(Identity(emails=(), usernames=(account,)))
        ids = [each.external_id for each in found if each.login == account]
        # People write a login; where that is not one account's alone, it is an identifier.
        target = ids[0] if len(ids) == 1 else account
        done: Rotation = await connector.rotate(target, old=old, keep=secret.update)
        return done

    try:
        with Session(target_of(system)) as session:
            came = session.call(change)
    except ConnectorError as error:
        came = error
    return Rotated(_end(asked, came, was_made=bool(secret), actor=actor, now=now), secret)


@operation("credentials.rotate")
def _begin(*, rotation: CredentialRotation, actor: Actor, now: datetime) -> tuple[CredentialRotation, System]:
    rotation = locked(rotation)
    authorise(actor, "credentials.rotate", rotation.departure, also=also_of(actor, rotation, now))
    system = rotation.credential.system
    if system is None or not details.rotates(system):
        raise Conflict("no_connector", "No connector can change this one. Change it by hand, and say so.")
    if (
        rotation.state == RotationState.REQUESTED
        and rotation.asked_at is not None
        and now - rotation.asked_at < UNDER_WAY
    ):
        raise Conflict(
            "being_rotated", "Somebody is changing it at this moment. Look again in a few minutes."
        )
    check_move(rotation.state, RotationState.REQUESTED)
    rotation.state, rotation.asked_at, rotation.by = RotationState.REQUESTED, now, RotationBy.CONNECTOR
    rotation.save(update_fields=["state", "asked_at", "by"])
    record(
        "credential.rotation_requested",
        scope=departure_scope(rotation.departure_id),
        actor=actor.label,
        at=now,
        fields={
            "credential": rotation.credential.name,
            "system": system.name,
            "system_title": system.title,
            "account": rotation.credential.external_id,
        },
    )
    return rotation, system


@transaction.atomic
def _end(
    rotation: CredentialRotation,
    came: Rotation | ConnectorError,
    *,
    was_made: bool,
    actor: Actor,
    now: datetime,
) -> CredentialRotation:
    """Note what the system said and what was tried. A new secret that may be valid is said to be."""
    rotation = locked(rotation)
    if isinstance(came, ConnectorError):
        rotation.state, rotation.reason, rotation.proof = RotationState.FAILED, came.message, None
        if was_made:
            rotation.reason += " A new secret was made and may be valid already."
    else:
        rotation.state, rotation.reason = AFTERWARDS[came.proof.verdict], came.proof.read
        rotation.proof = {"read": came.proof.read, "probe": came.proof.probe, "said": came.receipt.summary}
    return _settled(rotation, actor, now, kind=f"credential.rotation_{rotation.state}")


@operation("credentials.attest_rotation")
def attest_rotation(
    *, rotation: CredentialRotation, note: str, link: str = "", actor: Actor, now: datetime
) -> CredentialRotation:
    """A person says that it is changed, and how one can see it. It counts as said, never as verified."""
    rotation = locked(rotation)
    authorise(actor, "credentials.attest_rotation", rotation.departure, also=also_of(actor, rotation, now))
    if len(note.strip()) < 10:
        raise Invalid(
            "note_missing",
            "Say in a sentence how one can see that it is changed. Never the secret itself.",
            field="note",
        )
    check_move(rotation.state, RotationState.ATTESTED)
    rotation.state, rotation.by, rotation.reason = RotationState.ATTESTED, RotationBy.PERSON, note.strip()
    rotation.proof = {"said_by": actor.label, "note": note.strip(), "link": link.strip()}
    return _settled(rotation, actor, now, kind="credential.rotation_attested")


@operation("credentials.leave_rotation")
def leave_rotation(
    *, rotation: CredentialRotation, reason: str, actor: Actor, now: datetime
) -> CredentialRotation:
    """A person says, with the reason, that it need not be changed."""
    rotation = locked(rotation)
    authorise(actor, "credentials.leave_rotation", rotation.departure, also=also_of(actor, rotation, now))
    if len(reason.strip()) < 10:
        raise Invalid("reason_missing", "Say in a sentence why it need not be changed.", field="reason")
    check_move(rotation.state, RotationState.NOT_NEEDED)
    rotation.state, rotation.by, rotation.reason = RotationState.NOT_NEEDED, RotationBy.PERSON, reason.strip()
    return _settled(rotation, actor, now, kind="credential.rotation_not_needed")


def _settled(rotation: CredentialRotation, actor: Actor, now: datetime, *, kind: str) -> CredentialRotation:
    """Write what became of it. Where it was changed, the leaver knows it no longer, and others are told."""
    if rotation.is_settled:
        rotation.settled_at, rotation.settled_by = now, actor.label
        letters.drop_waiting(rotation, now=now)
    if rotation.state in (RotationState.VERIFIED, RotationState.ATTESTED, RotationState.ACCEPTED):
        Credential.objects.filter(pk=rotation.credential_id).update(
            rotated_on_date=clock.today_in("UTC", now=now)
        )
        rotation.told = letters.tell_holders(rotation, rotations.remaining(rotation, now=now), now=now)
        if rotation.is_settled and rotations.may_be_known(rotation.departure, now):
            rotations.end_knowing(rotation, now=now)
    rotation.save()
    record(
        kind,
        scope=departure_scope(rotation.departure_id),
        actor=actor.label,
        at=now,
        fields={
            "credential": rotation.credential.name,
            "reason": rotation.reason,
            "proof": rotation.proof,
            "told": rotation.told,
        },
    )
    poke(rotation.departure_id)
    return rotation


def locked(rotation: CredentialRotation) -> CredentialRotation:
    """The row as it is now, held until the transaction ends."""
    return (
        CredentialRotation.objects.select_for_update(of=("self",))
        .select_related("credential__system", "credential__owner", "departure", "owner")
        .get(pk=rotation.pk)
    )
