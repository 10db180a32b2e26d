"""Guests: people without an account who come in by a link, each for one departure.

A link is a bearer's paper: whoever holds it comes in, so it opens once, dies early, and its token is kept
nowhere but in the mail. Opening gives a session, known by a second secret in a cookie. No operation takes
a token's word for more than `Actor` says: a guest is `departing` or a `helper`, on this departure alone.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.db.models import F

from partwell.departures.addresses import is_own_address, is_work_address
from partwell.departures.guessing import check_may_try, note_wrong_try
from partwell.departures.models import Departure, GuestLink
from partwell.departures.policies import authorise
from partwell.departures.states import DepartureState, GuestCapacity, SubjectKind
from partwell.evidence.operations import departure_scope, record
from partwell.people.actors import Actor, Channel
from partwell.people.authorisation import check_allowed, operation
from partwell.refusals import Conflict, Invalid, NotFound, Refusal

TOKEN_BYTES = 32
GOOD_FOR = timedelta(days=14)
BEFORE_ACCESS_END = timedelta(hours=1)
"""How long before access end a link to a work address dies, and every session opened from it."""
NEW_LINKS_PER_DAY = 5
GUEST_MARK = " (guest, by link)"
"""How the record's word for a guest ends."""


class LinkGone(Refusal):
    """The link was good once. `can_renew` says whether a new one can be asked for."""

    status = 410

    def __init__(self, code: str, message: str, *, can_renew: bool) -> None:
        super().__init__(code, message)
        self.can_renew = can_renew


@dataclass(frozen=True)
class Invitation:
    """A new link with its token, which is told once and never again."""

    link: GuestLink
    token: str


@dataclass(frozen=True)
class OpenedSession:
    """A session that a link opened, with the secret that the guest's browser keeps."""

    link: GuestLink
    secret: str


@operation("guests.invite")
def invite(
    *,
    departure: Departure,
    email: str,
    capacity: GuestCapacity | str = GuestCapacity.DEPARTING,
    name: str = "",
    step_keys: Iterable[str] = (),
    actor: Actor,
    now: datetime,
) -> Invitation:
    """Make a link for somebody without an account.

    Whoever calls this for a helper has checked that the steps exist (`journeys.guests.invite_guest`).
    Raises `Invalid` for an address that is none, a work address where access is about to end or has ended,
    and a helper who is the leaver or has no steps.
    """
    authorise(actor, "guests.invite", departure)
    email = email.strip()
    try:
        validate_email(email)
    except ValidationError as error:
        raise Invalid(
            "email_invalid", f"“{email}” is no e-mail address; write it as name@example.com.", field="email"
        ) from error
    capacity, step_keys = GuestCapacity(capacity), list(step_keys)
    if capacity is GuestCapacity.HELPER:
        _check_helper(departure, email, step_keys)
    elif step_keys:
        raise Invalid("steps_not_chosen", "The leaving side has its own steps; choose none.", field="steps")
    return _make(departure, email, capacity, name.strip(), step_keys, actor.label, now, kind="guest.invited")


@operation("guests.revoke")
def revoke(*, link: GuestLink, actor: Actor, now: datetime) -> GuestLink:
    """End a link and the session opened from it, at once. Raises `Conflict` when it was ended already."""
    authorise(actor, "guests.revoke", link.departure)
    if not GuestLink.objects.filter(pk=link.pk, revoked_at__isnull=True).update(revoked_at=now):
        raise Conflict("link_revoked", "This link was taken back already.")
    link.refresh_from_db()
    _record(link, "guest.revoked", actor.label, now)
    return link


def open_link(*, token: str, source: str, now: datetime) -> OpenedSession:
    """Open a session with a token, once.

    The token is the authority, so there is no actor yet. `source` is the network address that asks, or its
    digest. Raises `TooManyTries`, `NotFound` for an unknown token, `LinkGone` for one that is spent.
    """
    link = _known_link(token, source, now)
    try:
        check_alive(link, now=now)
        if link.opened_at is not None:
            raise _spent(link, now)
        with transaction.atomic():
            secret = secrets.token_urlsafe(TOKEN_BYTES)
            # The update decides between two who press the button at the same moment.
            opened = GuestLink.objects.filter(pk=link.pk, opened_at__isnull=True, revoked_at__isnull=True)
            if not opened.update(opened_at=now, session_digest=digest_of(secret)):
                raise _spent(link, now)
            link.refresh_from_db()
            _record(link, "guest.opened", guest_label(link), now)
    except LinkGone:
        GuestLink.objects.filter(pk=link.pk).update(attempts=F("attempts") + 1)
        raise
    return OpenedSession(link, secret)


def find_session(*, link_id: str, secret: str, now: datetime) -> GuestLink:
    """The link whose session a browser holds. Raises `NotFound`, or `LinkGone` when it has ended."""
    try:
        wanted = UUID(link_id)
    except ValueError as error:
        raise NotFound("session") from error
    link = GuestLink.objects.select_related("departure__person").filter(pk=wanted).first()
    if link is None or not link.session_digest:
        raise NotFound("session")
    if not secrets.compare_digest(link.session_digest, digest_of(secret)):
        raise NotFound("session")
    check_alive(link, now=now)
    return link


def end_session(*, link: GuestLink) -> None:
    """Leave: the browser's secret opens nothing any more."""
    GuestLink.objects.filter(pk=link.pk).update(session_digest="")


def renew(*, token: str, source: str, now: datetime) -> Invitation:
    """A new link to the address that a spent one was sent to, asked for by whoever holds the spent one.

    Nobody gains by it who does not read that mailbox. Raises as `open_link`; `LinkGone` too where a new
    link would not work either, `Conflict` when several were asked for today.
    """
    link = _known_link(token, source, now)
    if not _can_renew(link, now):
        raise _gone(link)
    with transaction.atomic():
        # Whoever asks twice at once waits for the first to be counted.
        departure = Departure.objects.select_for_update().get(pk=link.departure_id)
        asked = GuestLink.objects.filter(
            departure=departure, email=link.email, invited_at__gt=now - timedelta(days=1)
        ).exclude(opened_at__isnull=False)
        if asked.count() >= NEW_LINKS_PER_DAY:
            raise Conflict(
                "too_many_links",
                "Several links were sent to you today. Look for the latest mail, or ask again tomorrow.",
            )
        return _make(
            departure,
            link.email,
            GuestCapacity(link.capacity),
            link.name,
            list(link.step_keys),
            guest_label(link),
            now,
            kind="guest.link_renewed",
        )


def guest_actor(link: GuestLink) -> Actor:
    """The guest of an open session as an actor, tied to this departure, this capacity and these steps."""
    return Actor(
        label=guest_label(link),
        channel=Channel.GUEST,
        departure_id=link.departure_id,
        guest_capacity=link.capacity,
        guest_steps=frozenset(link.step_keys),
    )


def guest_label(link: GuestLink) -> str:
    """Who the guest is, as the record says it."""
    return f"{link.name or link.email}{GUEST_MARK}"


def links_of(departure: Departure, *, actor: Actor) -> list[GuestLink]:
    """All links of a departure, latest first, for those who invite: a guest's address is a private one.

    Raises `NotFound` where the departure does not exist for the actor, `NotAllowed` for everybody else.
    """
    held = authorise(actor, "journeys.view", departure)
    check_allowed(actor, "guests.invite", held)
    return list(departure.guest_links.all())


def get_link(departure: Departure, link_id: UUID) -> GuestLink:
    """One of the links of a departure. Raises `NotFound`."""
    link = GuestLink.objects.select_related("departure").filter(departure=departure, pk=link_id).first()
    if link is None:
        raise NotFound("link")
    return link


def ends_at(link: GuestLink) -> datetime:
    """When the link and its session end; follows the end of access when that is moved."""
    if not link.is_work_address:
        return link.expires_at
    return min(link.expires_at, link.departure.access_end_at - BEFORE_ACCESS_END)


def link_state(link: GuestLink, *, now: datetime) -> str:
    """`waiting`, `open`, `expired` or `revoked`, for people who look after the links."""
    if link.revoked_at is not None:
        return "revoked"
    if now >= ends_at(link) or link.departure.state == DepartureState.WITHDRAWN:
        return "expired"
    return "open" if link.opened_at else "waiting"


def link_dict(link: GuestLink, *, now: datetime) -> dict[str, Any]:
    """A link as the API and the command line show it, without what opens it."""
    return {
        "id": str(link.pk),
        "email": link.email,
        "name": link.name,
        "capacity": link.capacity,
        "steps": list(link.step_keys),
        "is_work_address": link.is_work_address,
        "state": link_state(link, now=now),
        "invited_by": link.invited_by,
        "invited_at": link.invited_at.isoformat(),
        "opened_at": link.opened_at.isoformat() if link.opened_at else None,
        "ends_at": ends_at(link).isoformat(),
    }


def check_alive(link: GuestLink, *, now: datetime) -> None:
    """Raise `LinkGone` unless the link, or its session, still works at `now`."""
    if link.revoked_at is not None or link.departure.state == DepartureState.WITHDRAWN:
        raise _gone(link)
    if now >= ends_at(link):
        if _can_renew(link, now):
            raise LinkGone("link_expired", "This link has expired. You can have a new one.", can_renew=True)
        raise _gone(link)


def digest_of(secret: str) -> str:
    """What is kept of a token; a token has 256 random bits, so a fast hash is enough."""
    return sha256(secret.encode()).hexdigest()


def _known_link(token: str, source: str, now: datetime) -> GuestLink:
    check_may_try(source, now=now)
    link = GuestLink.objects.select_related("departure__person").filter(token_digest=digest_of(token)).first()
    if link is None:
        note_wrong_try(source, now=now)
        raise NotFound("link")
    return link


def _can_renew(link: GuestLink, now: datetime) -> bool:
    departure = link.departure
    if link.revoked_at is not None or departure.state != DepartureState.ACTIVE:
        return False
    return not link.is_work_address or now < departure.access_end_at - BEFORE_ACCESS_END


def _spent(link: GuestLink, now: datetime) -> LinkGone:
    return LinkGone(
        "link_used",
        "This link was used already; each one opens once. If that was not you, tell the person who "
        "invited you.",
        can_renew=_can_renew(link, now),
    )


def _gone(link: GuestLink) -> LinkGone:
    if link.is_work_address and link.revoked_at is None:
        return LinkGone(
            "link_of_work_address",
            "This link was sent to your work address, and ended with your access. Ask HR for one to your "
            "private address.",
            can_renew=False,
        )
    return LinkGone(
        "link_ended", "This link has ended. Ask the person who invited you for a new one.", can_renew=False
    )


def _check_helper(departure: Departure, email: str, step_keys: list[str]) -> None:
    if not step_keys:
        raise Invalid("steps_missing", "Choose at least one step that the helper does.", field="steps")
    if departure.subject_kind == SubjectKind.STAFF and is_own_address(departure, email):
        raise Invalid(
            "helper_leaves", f"{email} belongs to the one who leaves. Invite them as such.", field="email"
        )


def _make(
    departure: Departure,
    email: str,
    capacity: GuestCapacity,
    name: str,
    step_keys: list[str],
    invited_by: str,
    now: datetime,
    *,
    kind: str,
) -> Invitation:
    # A helper's own access does not end with this departure, so their address does not matter.
    is_work = capacity is GuestCapacity.DEPARTING and is_work_address(departure, email)
    token = secrets.token_urlsafe(TOKEN_BYTES)
    link = GuestLink(
        departure=departure,
        capacity=capacity,
        step_keys=step_keys,
        name=name or (departure.subject_name if capacity is GuestCapacity.DEPARTING else ""),
        email=email,
        is_work_address=is_work,
        token_digest=digest_of(token),
        invited_by=invited_by,
        invited_at=now,
        expires_at=now + GOOD_FOR,
    )
    if now >= ends_at(link):
        raise Invalid(
            "work_address_ends",
            f"“{email}” is a work address, and access ends at {departure.access_end_at:%Y-%m-%d %H:%M} UTC. "
            "Use a private address.",
            field="email",
        )
    link.save(force_insert=True)
    _record(link, kind, invited_by, now)
    return Invitation(link, token)


def _record(link: GuestLink, kind: str, actor: str, now: datetime) -> None:
    record(
        kind,
        scope=departure_scope(link.departure_id),
        actor=actor,
        at=now,
        fields={
            "link": str(link.pk),
            "guest": link.email,
            "capacity": link.capacity,
            "steps": list(link.step_keys),
            "is_work_address": link.is_work_address,
            "ends_at": ends_at(link).isoformat(),
        },
    )
