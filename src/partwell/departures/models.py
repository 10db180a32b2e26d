"""The fact that somebody leaves, and who takes part in it."""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.db import models

from partwell.departures.states import (
    Confidentiality,
    DepartureState,
    GuestCapacity,
    InitiatedBy,
    NoticeState,
    Rehire,
    SubjectKind,
)


def choices(enum: Any) -> list[tuple[str, str]]:
    return [(member.value, member.value.replace("_", " ")) for member in enum]


class Departure(models.Model):
    """One person or client leaves, once.

    The subject's name and address are kept as text, so that the record outlives their row. The id is
    random: counting ids must not tell anybody that a need-to-know departure exists.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    subject_kind = models.CharField(max_length=10, choices=choices(SubjectKind))
    person = models.ForeignKey(
        "people.Person", null=True, blank=True, on_delete=models.SET_NULL, related_name="departures"
    )
    client = models.ForeignKey(
        "people.Client", null=True, blank=True, on_delete=models.SET_NULL, related_name="departures"
    )
    subject_name = models.CharField(max_length=200)
    subject_email = models.EmailField(blank=True)
    subject_title = models.CharField(max_length=160, blank=True)
    subject_department = models.CharField(max_length=120, blank=True)

    scenario = models.CharField(max_length=60)
    reason = models.CharField(max_length=60, blank=True)
    initiated_by = models.CharField(max_length=20, choices=choices(InitiatedBy))
    confidentiality = models.CharField(
        max_length=20, choices=choices(Confidentiality), default=Confidentiality.NORMAL
    )
    rehire = models.CharField(max_length=20, choices=choices(Rehire), default=Rehire.UNDECIDED)

    notice_date = models.DateField()
    last_working_date = models.DateField()
    access_end_at = models.DateTimeField()
    timezone = models.CharField(max_length=64)
    contract_end_date = models.DateField()
    jurisdiction = models.CharField(max_length=10, blank=True)

    state = models.CharField(max_length=12, choices=choices(DepartureState), default=DepartureState.ACTIVE)
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    revision = models.PositiveIntegerField(default=1)

    class Meta:
        ordering = ["last_working_date", "pk"]
        constraints = [
            models.UniqueConstraint(
                "person",
                condition=models.Q(state=DepartureState.ACTIVE, person__isnull=False),
                name="departure_one_active_per_person",
            ),
            models.CheckConstraint(
                condition=models.Q(last_working_date__gte=models.F("notice_date")),
                name="departure_last_day_not_before_notice",
            ),
        ]
        indexes = [
            models.Index(fields=["state", "last_working_date", "id"], name="departure_by_last_day"),
            models.Index(fields=["state", "access_end_at"], name="departure_by_access_end"),
        ]

    def __str__(self) -> str:
        return self.subject_name

    @property
    def is_open(self) -> bool:
        return self.state == DepartureState.ACTIVE

    @property
    def is_restricted(self) -> bool:
        """Whether only its participants know of it."""
        return self.confidentiality != Confidentiality.NORMAL


class Participant(models.Model):
    """Somebody who takes part in a departure, and as what. Visibility is asked here.

    `capacity` is a role, or `step_owner`, or `helper`. The one who leaves has the capacity `departing`,
    which opens their own page and nothing of the inside. `added_by` says who let them in; it is empty where
    that followed from the plan.
    """

    departure = models.ForeignKey(Departure, on_delete=models.CASCADE, related_name="participants")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="participations"
    )
    capacity = models.CharField(max_length=20)
    added_at = models.DateTimeField()
    added_by = models.CharField(max_length=300, blank=True, default="")

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint("departure", "user", "capacity", name="participant_once_per_capacity")
        ]
        indexes = [models.Index(fields=["user", "departure"], name="participant_by_user")]

    def __str__(self) -> str:
        return f"{self.user} as {self.capacity}"


class Notice(models.Model):
    """Word that somebody leaves, from one who may not start a journey alone. HR settles it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    person = models.ForeignKey(
        "people.Person", null=True, blank=True, on_delete=models.SET_NULL, related_name="notices"
    )
    client = models.ForeignKey(
        "people.Client", null=True, blank=True, on_delete=models.SET_NULL, related_name="notices"
    )
    subject_name = models.CharField(max_length=200)
    scenario = models.CharField(max_length=60)
    notice_date = models.DateField()
    last_working_date = models.DateField()
    reason = models.CharField(max_length=60, blank=True)
    given_by = models.CharField(max_length=300)
    given_at = models.DateTimeField()
    state = models.CharField(max_length=10, choices=choices(NoticeState), default=NoticeState.WAITING)
    settled_by = models.CharField(max_length=300, blank=True)
    settled_at = models.DateTimeField(null=True, blank=True)
    departure = models.ForeignKey(
        Departure, null=True, blank=True, on_delete=models.SET_NULL, related_name="notices"
    )

    class Meta:
        ordering = ["given_at", "pk"]

    def __str__(self) -> str:
        return f"notice about {self.subject_name}"


class GuestLink(models.Model):
    """A link by which somebody without an account comes in, once.

    The token is in the mail and nowhere else; here is its digest. Opening it starts the one session that it
    is good for, which ends with the link. `attempts` counts tries to open it after it was spent.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    departure = models.ForeignKey(Departure, on_delete=models.CASCADE, related_name="guest_links")
    capacity = models.CharField(max_length=10, choices=choices(GuestCapacity))
    step_keys = models.JSONField(default=list)
    name = models.CharField(max_length=200, blank=True)
    email = models.EmailField()
    is_work_address = models.BooleanField()
    token_digest = models.CharField(max_length=64, unique=True)
    invited_by = models.CharField(max_length=300)
    invited_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    opened_at = models.DateTimeField(null=True, blank=True)
    session_digest = models.CharField(max_length=64, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["-invited_at", "pk"]

    def __str__(self) -> str:
        return f"link for {self.email}"


class GuestGuess(models.Model):
    """How many unknown tokens one network address tried in one window of time; `*` counts all of them."""

    source = models.CharField(max_length=64)
    window_at = models.DateTimeField()
    count = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["window_at", "pk"]
        constraints = [models.UniqueConstraint("source", "window_at", name="guess_once_per_window")]
        indexes = [models.Index(fields=["window_at"], name="guess_by_window")]

    def __str__(self) -> str:
        return f"{self.count} guesses"
