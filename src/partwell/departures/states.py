"""What a departure can be, and how it may change."""

from __future__ import annotations

from enum import StrEnum


class DepartureState(StrEnum):
    """`ACTIVE` from notice on; the other two are final."""

    ACTIVE = "active"
    CLOSED = "closed"
    WITHDRAWN = "withdrawn"


TRANSITIONS: dict[DepartureState, frozenset[DepartureState]] = {
    DepartureState.ACTIVE: frozenset({DepartureState.CLOSED, DepartureState.WITHDRAWN}),
    DepartureState.CLOSED: frozenset(),
    DepartureState.WITHDRAWN: frozenset(),
}


class SubjectKind(StrEnum):
    """Who leaves: one of the staff, or a client."""

    STAFF = "staff"
    CLIENT = "client"


class InitiatedBy(StrEnum):
    """Which side ends it."""

    LEAVER = "leaver"
    ORGANISATION = "organisation"
    MUTUAL = "mutual"
    EXPIRY = "expiry"


class Confidentiality(StrEnum):
    """`NEED_TO_KNOW` departures do not exist for anybody who is not a participant."""

    NORMAL = "normal"
    NEED_TO_KNOW = "need_to_know"


class Rehire(StrEnum):
    """Whether we would work together again; decided late, and by a person."""

    UNDECIDED = "undecided"
    WELCOME = "welcome"
    REVIEW = "review"
    NO = "no"


class NoticeState(StrEnum):
    """A notice waits for HR, then a journey was started from it or it was declined."""

    WAITING = "waiting"
    STARTED = "started"
    DECLINED = "declined"


class GuestCapacity(StrEnum):
    """As what somebody comes in by link: the leaving side itself, or a helper with a few steps."""

    DEPARTING = "departing"
    HELPER = "helper"
