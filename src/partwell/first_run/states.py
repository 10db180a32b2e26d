"""The parts of the set-up, and how far each can be."""

from __future__ import annotations

from enum import StrEnum


class Part(StrEnum):
    """In the order in which they are best done: each rests on those before it."""

    COMPANY = "company"
    SECOND_FACTOR = "second_factor"
    CALENDAR = "calendar"
    ROLES = "roles"
    PEOPLE = "people"
    CLIENTS = "clients"
    SYSTEM = "system"
    PRACTICE = "practice"


class PartState(StrEnum):
    """`DONE` and `BEGUN` are read from what is there; `PUT_ASIDE` somebody said of what is not done."""

    TO_DO = "to_do"
    BEGUN = "begun"
    DONE = "done"
    PUT_ASIDE = "put_aside"
