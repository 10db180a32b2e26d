"""Registering receivers of signals, changing and trying them, and the key that signals are signed with."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.core.validators import validate_slug

from partwell.connector_kit.secrets import is_reference
from partwell.connector_kit.values import ConnectorError
from partwell.evidence.operations import record
from partwell.people.actors import Actor
from partwell.people.authorisation import check_office, operation
from partwell.refusals import Conflict, Invalid
from partwell.signals import signing
from partwell.signals.delivery import drop_waiting
from partwell.signals.models import Receiver, SecurityEvent, SigningKey
from partwell.signals.pushing import guarded
from partwell.signals.security_events import (
    GIVE_UP_AFTER,
    ask_for_delivery,
    queue_verification,
    scope_of,
)
from partwell.signals.states import OPPOSITE, Signal, SignalState, SubjectFormat

# What a receiver may ask to be told; it is tried with the verification event in any case.
OFFERED = (Signal.SESSION_REVOKED, Signal.ACCOUNT_DISABLED, Signal.ACCOUNT_ENABLED)
FIELDS = (
    "title",
    "endpoint",
    "audience",
    "authorization",
    "ca_file",
    "signals",
    "subject_format",
    "subject_issuer",
    "is_enabled",
)
# An address of the settings page has this name.
TAKEN_NAMES = frozenset({"add"})
LONGEST = 500


@operation("receivers.add")
def add_receiver(*, name: str, description: Mapping[str, Any], actor: Actor, now: datetime) -> Receiver:
    """Register a receiver. Nothing is sent to it yet, but its endpoint must be one that Partwell may reach.

    `description` has the `FIELDS`; `endpoint` and `audience` are needed. With the first receiver the signing
    key is made. Raises `Invalid` naming the field, `Conflict` when the name is taken.
    """
    check_office(actor, "receivers.add")
    receiver = Receiver(name=_name(name), title=name, signals=[str(s) for s in OFFERED], created_at=now)
    _fill(receiver, description)
    if Receiver.objects.filter(name=name).exists():
        raise Conflict(
            "receiver_exists", f"There is a receiver called {name!r} already. Choose another.", field="name"
        )
    receiver.save(force_insert=True)
    if not SigningKey.objects.filter(is_in_use=True).exists():
        _make_key(actor, now)
    _record("receiver.added", receiver, actor, now, endpoint=receiver.endpoint, signals=receiver.signals)
    return receiver


@operation("receivers.change")
def change_receiver(
    *, receiver: Receiver, changes: Mapping[str, Any], actor: Actor, now: datetime
) -> Receiver:
    """Change what `changes` names of the `FIELDS`; what is not named stays.

    Switched off, it is told nothing more, and what waits for it is given up. Raises as `add_receiver`.
    """
    check_office(actor, "receivers.change")
    receiver = Receiver.objects.select_for_update().get(pk=receiver.pk)
    before = {field: getattr(receiver, field) for field in FIELDS}
    _fill(receiver, changes)
    changed = [field for field in FIELDS if getattr(receiver, field) != before[field]]
    if not changed:
        return receiver
    receiver.save(update_fields=changed)
    _record(
        "receiver.changed",
        receiver,
        actor,
        now,
        changed=changed,
        endpoint=receiver.endpoint,
        signals=receiver.signals,
        is_enabled=receiver.is_enabled,
    )
    if not receiver.is_enabled:
        drop_waiting(receiver, now=now)
    return receiver


@operation("receivers.test")
def test_receiver(*, receiver: Receiver, actor: Actor, now: datetime) -> SecurityEvent:
    """Queue a verification event for the receiver, and ask the worker to send it; it is sent once.

    Whoever can wait passes it to `delivery.deliver_now`. Raises `Conflict` for one that is switched off.
    """
    check_office(actor, "receivers.test")
    receiver = Receiver.objects.select_for_update().get(pk=receiver.pk)
    if not receiver.is_enabled:
        raise Conflict("receiver_off", f"{receiver.title} is switched off. Switch it on first.")
    event = queue_verification(receiver, now=now)
    ask_for_delivery(receiver.pk)
    _record("receiver.tested", receiver, actor, now, jti=event.jti)
    return event


@operation("receivers.send_again")
def send_signal_again(*, event: SecurityEvent, actor: Actor, now: datetime) -> SecurityEvent:
    """Queue a signal that failed once more, as the same token, with its time counted anew.

    Raises `Conflict` for one that has not failed or that the opposite has overtaken, and where its receiver
    is switched off.
    """
    check_office(actor, "receivers.send_again")
    event = SecurityEvent.objects.select_for_update(of=("self",)).select_related("receiver").get(pk=event.pk)
    if event.state != SignalState.FAILED or event.signal == Signal.VERIFICATION:
        raise Conflict("signal_not_failed", f"This signal is {event.state}; only a failed one is sent again.")
    if not event.receiver.is_enabled:
        raise Conflict("receiver_off", f"{event.receiver.title} is switched off. Switch it on first.")
    later = event.receiver.security_events.filter(scope=event.scope, created_at__gt=event.created_at)
    if later.filter(signal=OPPOSITE.get(Signal(event.signal), "")).exists():
        raise Conflict(
            "signal_overtaken",
            f"{event.receiver.title} was told the opposite since then, so this would say what is not so.",
        )
    event.state, event.settled_at, event.attempts, event.lease = SignalState.QUEUED, None, 0, ""
    event.next_attempt_at, event.give_up_at = now, now + GIVE_UP_AFTER
    event.save()
    ask_for_delivery(event.receiver_id)
    record(
        "signal.queued_again",
        scope=event.scope,
        actor=actor.label,
        at=now,
        fields={"receiver": event.receiver.name, "signal": event.signal, "jti": event.jti},
    )
    return event


@operation("receivers.rotate_key")
def rotate_signing_key(*, actor: Actor, now: datetime) -> SigningKey:
    """Put a new signing key in use. The one before it stays published for thirty days and signs nothing."""
    check_office(actor, "receivers.rotate_key")
    return _make_key(actor, now)


def _make_key(actor: Actor, now: datetime) -> SigningKey:
    key = signing.make_key(now=now)
    record("signing_key.made", scope="installation", actor=actor.label, at=now, fields={"key": key.kid})
    return key


def _record(kind: str, receiver: Receiver, actor: Actor, now: datetime, **fields: object) -> None:
    record(
        kind,
        scope=scope_of(receiver),
        actor=actor.label,
        at=now,
        fields={"receiver": receiver.name, **fields},
    )


def _name(name: str) -> str:
    try:
        validate_slug(name)
    except ValidationError as error:
        raise Invalid("name_invalid", "Use letters, digits and hyphens.", field="name") from error
    if len(name) > 60 or name in TAKEN_NAMES:
        raise Invalid("name_invalid", "Choose another name, of at most 60 characters.", field="name")
    return name


def _fill(receiver: Receiver, values: Mapping[str, Any]) -> None:
    """Set what `values` names and check the whole. Raises `Invalid` naming the field."""
    if unknown := sorted(set(values) - set(FIELDS)):
        raise Invalid("unknown_field", f"There is no field {unknown[0]!r}.", field=unknown[0])
    for field in FIELDS:
        if field in values:
            value = values[field]
            setattr(receiver, field, value.strip() if isinstance(value, str) else value)
    receiver.title = receiver.title or receiver.name
    for field, longest in (("title", 120), *((f, LONGEST) for f in ("endpoint", "audience", "ca_file"))):
        if len(getattr(receiver, field)) > longest:
            raise Invalid("too_long", f"Use at most {longest} characters.", field=field)
    if not receiver.audience:
        raise Invalid(
            "audience_missing", "Say which audience the receiver expects; it tells you.", field="audience"
        )
    _check_endpoint(receiver.endpoint)
    _check_secret(receiver)
    _check_signals(receiver)
    _check_subjects(receiver)


def _check_endpoint(endpoint: str) -> None:
    """Refuse one that leads where Partwell may not go. A name that DNS does not know right now is no refusal:
    the same check is made again whenever something is sent."""
    try:
        guarded().check_url(endpoint)
    except ConnectorError as error:
        if error.is_permanent:
            raise Invalid("endpoint_refused", error.message, field="endpoint") from error


def _check_secret(receiver: Receiver) -> None:
    reference = receiver.authorization
    # The refusal must not repeat the text, which may be the secret itself.
    if reference and (not is_reference(reference) or len(reference) > LONGEST):
        raise Invalid(
            "secret_literal",
            "Put the secret into the environment or a file, and write env:NAME or file:/PATH here.",
            field="authorization",
        )
    if receiver.ca_file and not receiver.ca_file.startswith("/"):
        raise Invalid("ca_file_invalid", "Write the whole path, from “/” on.", field="ca_file")


def _check_signals(receiver: Receiver) -> None:
    chosen = receiver.signals if isinstance(receiver.signals, list) else []
    if not chosen or not set(map(str, chosen)) <= set(OFFERED):
        raise Invalid("signals_unknown", f"Choose from {', '.join(OFFERED)}.", field="signals")
    receiver.signals = [str(signal) for signal in OFFERED if signal in chosen]


def _check_subjects(receiver: Receiver) -> None:
    if receiver.subject_format not in set(SubjectFormat):
        raise Invalid("format_unknown", f"Choose from {', '.join(SubjectFormat)}.", field="subject_format")
    if receiver.subject_format != SubjectFormat.ISS_SUB:
        receiver.subject_issuer = ""
        return
    issuer = receiver.subject_issuer
    if len(issuer) > LONGEST or not (urlsplit(issuer).scheme == "https" and urlsplit(issuer).netloc):
        raise Invalid(
            "issuer_missing",
            "Say whose user names the receiver knows: the issuer of its identity provider, an https address.",
            field="subject_issuer",
        )
